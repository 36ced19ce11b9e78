/*
 * remote_cache: the remote drivers as the shim and the agent see them.
 *
 * Lines travel by ballast-log, which the shim starts (runtime-linux/shim_remote.h); what is written
 * and read here is the copy that makes `docker logs` work with them: driver `local`, with the
 * options cache-max-size, cache-max-file and cache-compress, or nothing with cache-disabled.
 */
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "logdrivers/local.h"
#include "logdrivers/log_file.h"
#include "logdrivers/logdrivers.h"
#include "logdrivers/remote_opts.h"

#define CACHE_FILE   "container-cached.log"
#define CACHE_PREFIX "cache-"

static char *cache_path(const char *path)
{
    cleanup_free char *dir = path_dir(path);

    return path_join(dir, CACHE_FILE);
}

static void cache_opts(const struct kvs *opts, struct kvs *out)
{
    const char *compressor = kvs_get(opts, LOG_OPT_COMPRESSOR);

    if (compressor)
        kvs_set(out, LOG_OPT_COMPRESSOR, compressor);
    for (size_t i = 0; i < opts->n; i++)
        if (str_starts(opts->v[i].k, CACHE_PREFIX) && !str_eq(opts->v[i].k, "cache-disabled"))
            kvs_set(out, opts->v[i].k + strlen(CACHE_PREFIX), opts->v[i].v);
}

/* A writer of NULL writes nothing. */
static int cache_open(const char *path, const struct kvs *opts, struct log_writer **out,
                      struct err *e)
{
    cleanup_free char *file = cache_path(path);
    cleanup_kvs struct kvs mapped = {0};

    *out = NULL;
    if (!remote_has_cache(opts))
        return 0;
    cache_opts(opts, &mapped);
    return local_open_at(file, &mapped, out, e);
}

static int cache_write(struct log_writer *w, const struct log_line *line, struct err *e)
{
    return w ? log_file_write(w, line, e) : 0;
}

static int cache_flush(struct log_writer *w, struct err *e)
{
    return w ? log_file_flush(w, e) : 0;
}

static void cache_close(struct log_writer *w)
{
    log_file_close(w);
}

static int cache_read(const char *path, const struct log_read_opts *opts, struct cancel *c,
                      log_each_fn *each, void *arg, struct err *e)
{
    cleanup_free char *file = cache_path(path);

    return local_read_at(file, opts, c, each, arg, e);
}

static int check(const char *driver, const struct kvs *opts, struct err *e)
{
    cleanup_kvs struct kvs mapped = {0};

    if (remote_opts_check(driver, opts, e))
        return -1;
    cache_opts(opts, &mapped);
    return log_driver_local.check(&mapped, e);
}

#define REMOTE_DRIVER(ident)                                                  \
    static int ident##_check(const struct kvs *opts, struct err *e)           \
    {                                                                         \
        return check(#ident, opts, e);                                        \
    }                                                                         \
    const struct log_driver_ops log_driver_##ident = {.name = #ident,         \
                                                      .readable = true,       \
                                                      .remote = true,         \
                                                      .check = ident##_check, \
                                                      .open = cache_open,     \
                                                      .write = cache_write,   \
                                                      .flush = cache_flush,   \
                                                      .close = cache_close,   \
                                                      .lost = log_file_lost,  \
                                                      .read = cache_read}

REMOTE_DRIVER(awslogs);
REMOTE_DRIVER(fluentd);
REMOTE_DRIVER(gelf);
REMOTE_DRIVER(journald);
REMOTE_DRIVER(splunk);
REMOTE_DRIVER(syslog);
