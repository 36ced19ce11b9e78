/*
 * run_bundle: what a shim starts from.
 *
 *     <exec_root>/containers/<id>/   config.json   the OCI configuration         agent
 *                                    shim.sock, lock, started.json               shim
 *                                    shim.log      the shim's own words
 *     <data_root>/containers/<id>/   <id>-json.log, exit.json                    shim
 */
#include "base/fs.h"
#include "base/mem.h"
#include "core/log_driver.h"
#include "core/runtime_command.h"
#include "logdrivers/log_attrs.h"
#include "logdrivers/log_file.h"
#include "runtime-linux/client_internal.h"
#include "runtime-linux/exit_record.h"
#include "runtime-linux/oci_command.h"
#include "runtime-linux/oci_write.h"
#include "runtime-linux/shim_internal.h"

#define CONFIG_MAX (16 * 1024 * 1024)

int run_bundle_make_dirs(const struct runtime_linux *rl, const char *id, struct err *e)
{
    cleanup_free char *exec_dir = client_exec_dir(rl, id);
    cleanup_free char *data_dir = client_data_dir(rl, id);

    return fs_mkdir_p(exec_dir, 0700, e) || fs_mkdir_p(data_dir, 0710, e) ? -1 : 0;
}

int run_bundle_reset(const struct runtime_linux *rl, const char *id, struct err *e)
{
    /* exit.json goes last: a start without an end would look like a shim that was killed, to
     * whoever looks in between, or after a crash here. */
    static const char *const names[] = {OCI_COMMAND_ROOT, OCI_COMMAND_BUNDLE, "config.json",
                                        STARTED_FILE};
    cleanup_free char *exec_dir = client_exec_dir(rl, id);
    cleanup_free char *data_dir = client_data_dir(rl, id);

    for (size_t i = 0; i < ARRAY_LEN(names) && fs_is_dir(exec_dir); i++) {
        cleanup_free char *path = path_join(exec_dir, names[i]);

        if (fs_remove_all(path, e))
            return -1;
    }
    return fs_is_dir(data_dir) ? exit_record_remove(data_dir, e) : 0;
}

int run_bundle_write(const struct runtime_linux *rl, const struct container *c,
                     const struct run_spec *s, struct err *e)
{
    cleanup_free char *exec_dir = client_exec_dir(rl, c->id);
    cleanup_free char *path = path_join(exec_dir, "config.json");
    cleanup_buf struct buf json = BUF_INIT(CONFIG_MAX);

    if (oci_write(s, &json, e))
        return -1;
    return buf_check(&json, "config.json", e) ||
                   fs_write_atomic(path, json.data, json.len, 0600, false, e)
               ? -1
               : 0;
}

/* Nothing for the built-in one. */
static int write_runtime(const struct runtime_linux *rl, const struct container *c, struct jsonw *w,
                         struct err *e)
{
    const struct runtime_command *command;

    if (runtime_command_find(rl->commands, c->spec->runtime, &command, e))
        return -1;
    if (!command)
        return 0;
    jsonw_key(w, "runtime");
    jsonw_obj(w);
    jsonw_kstr(w, "name", command->name);
    jsonw_kstr(w, "path", command->path);
    jsonw_key(w, "args");
    jsonw_strv(w, &command->args);
    jsonw_kstr(w, "init", rl->shim_path);
    jsonw_end_obj(w);
    return 0;
}

int run_bundle_start_args(const struct runtime_linux *rl, const struct container *c,
                          const struct run_spec *s, struct buf *out, struct err *e)
{
    const struct log_driver_ops *driver = log_driver_find(s->log_driver);
    cleanup_buf struct buf attrs = BUF_INIT(LOG_ATTRS_MAX);
    cleanup_free char *compressor = run_log_program(rl);
    cleanup_kvs struct kvs opts = {0};
    const struct log_attrs_source src = {
        .id = c->id,
        .name = c->name,
        .image = c->spec->image,
        .image_id = c->image_id,
        .labels = &c->spec->labels,
        .env = &c->spec->env,
    };
    struct jsonw w = JSONW_INIT(out);

    kvs_copy(&opts, &s->log_opts);
    /* What a remote driver makes of them is not limited to what a record may carry. */
    if (!(driver && driver->remote) && log_attrs_build(&s->log_opts, &src, &attrs, e))
        return -1;
    if (attrs.len > 0)
        kvs_set(&opts, LOG_OPT_ATTRS, attrs.data);
    kvs_set(&opts, LOG_OPT_COMPRESSOR, compressor);
    jsonw_obj(&w);
    jsonw_kstr(&w, "log_driver", str_empty(s->log_driver) ? "json-file" : s->log_driver);
    jsonw_kstr(&w, "log_path", s->log_path);
    jsonw_key(&w, "log_opts");
    jsonw_kvs(&w, &opts);
    jsonw_kbool(&w, "ephemeral", c->spec->auto_remove);
    if (run_log_write(rl, c, s, &src, &w, e) || write_runtime(rl, c, &w, e))
        return -1;
    jsonw_end_obj(&w);
    return buf_check(out, "the start request", e);
}
