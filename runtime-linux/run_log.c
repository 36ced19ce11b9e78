/*
 * run_log: what the start request says of a log that is delivered elsewhere.
 *
 *     "log_remote": {"program": path, "blocking": bool, "config": {what logdrivers/remote reads}}
 *
 * Names, labels and environment are known to the agent only, so the tag and the attributes are
 * finished here.  Credentials that AWS's tools find in the environment, and proxies, are those of
 * the agent; they travel over the shim's socket and into a file in memory, never to a disk.
 */
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/host.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/time.h"
#include "core/log_driver.h"
#include "logdrivers/log_attrs.h"
#include "runtime-linux/client_internal.h"

#define LOG_PROGRAM "ballast-log"

/* Installed beside the shim. */
char *run_log_program(const struct runtime_linux *rl)
{
    cleanup_free char *dir = path_dir(rl->shim_path);

    return path_join(dir, LOG_PROGRAM);
}

static bool is_passed_on(const char *variable)
{
    static const char *const prefixes[] = {
        "AWS_",        "SPLUNK_LOGGING_DRIVER_", "HTTP_PROXY=", "HTTPS_PROXY=", "NO_PROXY=",
        "http_proxy=", "https_proxy=",           "no_proxy=",   "HOME=",
    };

    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
        if (str_starts(variable, prefixes[i]))
            return true;
    return false;
}

static void write_env(struct jsonw *w)
{
    cleanup_kvs struct kvs env = {0};

    for (char **v = environ; *v; v++) {
        const char *eq = strchr(*v, '=');
        cleanup_free char *name = eq ? str_ndup(*v, (size_t)(eq - *v)) : NULL;

        if (eq && is_passed_on(*v))
            kvs_set(&env, name, eq + 1);
    }
    jsonw_key(w, "env");
    jsonw_kvs(w, &env);
}

static int render_tag(const struct run_spec *s, const struct log_attrs_source *src, struct buf *out,
                      struct err *e)
{
    const char *tag = kvs_get(&s->log_opts, "tag");

    if (str_eq(s->log_driver, "splunk") && tag && !*tag)
        return 0; /* how one gets rid of it there */
    return log_tag_render(
        &s->log_opts, str_eq(s->log_driver, "awslogs") ? "{{.FullID}}" : "{{.ID}}", src, out, e);
}

static void write_names(const struct container *c, const struct run_spec *s, struct jsonw *w)
{
    cleanup_free char *command = str_join((const char *const *)s->argv.v, s->argv.n, " ");
    char host[256] = "", created[TIME_TEXT_MAX];

    (void)!host_name(host, sizeof(host), ERR_IGNORE); /* without a name it is empty */
    time_format(c->created_ns, created);
    jsonw_kstr(w, "driver", s->log_driver);
    jsonw_kstr(w, "id", c->id);
    jsonw_kstr(w, "name", c->name);
    jsonw_kstr(w, "image_name", c->spec->image);
    jsonw_kstr(w, "image_id", c->image_id);
    jsonw_kstr(w, "command", command);
    jsonw_kstr(w, "created", created);
    jsonw_kstr(w, "host", host);
}

int run_log_write(const struct runtime_linux *rl, const struct container *c,
                  const struct run_spec *s, const struct log_attrs_source *src, struct jsonw *w,
                  struct err *e)
{
    const struct log_driver_ops *driver = log_driver_find(s->log_driver);
    cleanup_buf struct buf tag = BUF_INIT(LOG_ATTRS_MAX);
    cleanup_kvs struct kvs attrs = {0};
    cleanup_free char *program = run_log_program(rl);

    if (!driver || !driver->remote)
        return 0;
    if (render_tag(s, src, &tag, e) || log_attrs_pick(&s->log_opts, src, &attrs, e))
        return -1;
    kvs_sort(&attrs);
    jsonw_key(w, "log_remote");
    jsonw_obj(w);
    jsonw_kstr(w, "program", program);
    jsonw_kbool(w, "blocking", !str_eq(kvs_get(&s->log_opts, "mode"), "non-blocking"));
    jsonw_key(w, "config");
    jsonw_obj(w);
    write_names(c, s, w);
    jsonw_kstr(w, "tag", tag.data);
    jsonw_key(w, "opts");
    jsonw_kvs(w, &s->log_opts);
    jsonw_key(w, "attrs");
    jsonw_kvs(w, &attrs);
    write_env(w);
    jsonw_end_obj(w);
    jsonw_end_obj(w);
    return 0;
}
