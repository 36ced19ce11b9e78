/*
 * local: dockerd's compact log driver, in dockerd's files: <dir of the container>/local-logs/
 * container.log and what was rotated from it.  It keeps no attributes, as dockerd's does not.
 *
 * Error texts are dockerd's (daemon/logger/local).
 */
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/mem.h"
#include "logdrivers/local.h"
#include "logdrivers/log_file.h"
#include "logdrivers/logdrivers.h"

#define DIR_NAME  "local-logs"
#define FILE_NAME "container.log"
#define MAX_SIZE  (20 * 1024 * 1024)
#define MAX_FILES 5

static const char *const known_opts[] = {"max-file", "max-size", "compress"};

static int parse(const struct kvs *opts, struct log_file_opts *out, struct err *e)
{
    const char *size = kvs_get(opts, "max-size"), *files = kvs_get(opts, "max-file");
    const char *compress = kvs_get(opts, "compress");
    struct err why = ERR_INIT;

    *out = (struct log_file_opts){.max_size = MAX_SIZE,
                                  .max_files = MAX_FILES,
                                  .compress = true,
                                  .compressor = kvs_get(opts, LOG_OPT_COMPRESSOR)};
    if (size && log_file_parse_size(size, &out->max_size, &why))
        return err_set(e, ERR_INVALID, "invalid value for max-size: %s: %s", size, why.msg);
    if (out->max_size == 0)
        out->max_size = MAX_SIZE;
    if (files &&
        parse_i64(files, INT_MIN, LOG_FILE_MAX_FILES, "max-file", &out->max_files, ERR_IGNORE))
        return err_set(e, ERR_INVALID,
                       "invalid value for max-file: %s: strconv.Atoi: parsing \"%s\": invalid "
                       "syntax",
                       files, files);
    if (compress && log_file_parse_bool(compress, &out->compress, &why))
        return err_set(e, ERR_INVALID, "error reading compress log option: %s", why.msg);
    if (out->compress && out->max_files <= 1)
        return err_set(e, ERR_INVALID, "compression cannot be enabled when max file count is 1");
    if (out->max_files < 1)
        return err_set(e, ERR_INVALID, "max file count must be at least 1");
    return 0;
}

/* Others say "for X log driver". */
static int check(const struct kvs *opts, struct err *e)
{
    struct log_file_opts parsed;

    for (size_t i = 0; i < opts->n; i++) {
        bool known = log_opt_is_common(opts->v[i].k);

        for (size_t k = 0; !known && k < ARRAY_LEN(known_opts); k++)
            known = str_eq(opts->v[i].k, known_opts[k]);
        if (!known)
            return err_set(e, ERR_INVALID, "unknown log opt '%s' for log driver local",
                           opts->v[i].k);
    }
    return log_opts_check_common(opts, e) || parse(opts, &parsed, e) ? -1 : 0;
}

static char *local_path(const char *path)
{
    cleanup_free char *dir = path_dir(path);

    return str_printf("%s/" DIR_NAME "/" FILE_NAME, dir);
}

int local_open_at(const char *path, const struct kvs *opts, struct log_writer **out, struct err *e)
{
    struct log_file_opts o;

    return parse(opts, &o, e) ? -1 : log_file_open(&local_codec, path, &o, out, e);
}

int local_read_at(const char *path, const struct log_read_opts *opts, struct cancel *c,
                  log_each_fn *each, void *arg, struct err *e)
{
    return log_file_read(&local_codec, path, opts, c, each, arg, e);
}

static int open_there(const char *path, const struct kvs *opts, struct log_writer **out,
                      struct err *e)
{
    cleanup_free char *file = local_path(path);
    cleanup_free char *dir = path_dir(file);

    return fs_mkdir_p(dir, 0700, e) ? -1 : local_open_at(file, opts, out, e);
}

static int read_there(const char *path, const struct log_read_opts *opts, struct cancel *c,
                      log_each_fn *each, void *arg, struct err *e)
{
    cleanup_free char *file = local_path(path);

    return local_read_at(file, opts, c, each, arg, e);
}

const struct log_driver_ops log_driver_local = {
    .name = "local",
    .readable = true,
    .check = check,
    .open = open_there,
    .write = log_file_write,
    .flush = log_file_flush,
    .close = log_file_close,
    .lost = log_file_lost,
    .read = read_there,
};
