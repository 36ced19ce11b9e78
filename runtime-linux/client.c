/*
 * client: runtime_open() for Linux, and the operations that are one request to a shim.
 *
 * See client_internal.h for where the others are.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stream_fd.h"
#include "runtime-linux/client_internal.h"
#include "runtime-linux/exe_guard.h"

#define SHIM_PROGRAM    "ballast-shim"
#define EXEC_TIMEOUT_MS 120000

char *client_exec_dir(const struct runtime_linux *rl, const char *id)
{
    return str_printf("%s/containers/%s", rl->exec_root, id);
}

char *client_data_dir(const struct runtime_linux *rl, const char *id)
{
    return str_printf("%s/containers/%s", rl->data_root, id);
}

static int client_signal(struct runtime *rt, const char *id, int signal, struct err *e)
{
    cleanup_buf struct buf args = BUF_INIT(64);

    buf_addf(&args, "{\"signal\":%d}", signal);
    return client_ask_running(runtime_linux_of(rt), id, SHIM_SIGNAL, &args, NULL, e);
}

static int client_attach(struct runtime *rt, const char *id, const struct attach_opts *o,
                         struct stream **io, struct err *e)
{
    cleanup_buf struct buf args = BUF_INIT(256);
    struct jsonw w = JSONW_INIT(&args);
    cleanup_fd int fd = -1;

    jsonw_obj(&w);
    jsonw_kbool(&w, "in", o->in);
    jsonw_kbool(&w, "out", o->out);
    jsonw_kbool(&w, "err", o->err);
    jsonw_end_obj(&w);
    if (client_connect(runtime_linux_of(rt), id, &fd, e))
        return e->kind == ERR_NOT_FOUND ? client_not_running(id, e) : -1;
    if (client_call(fd, SHIM_ATTACH, &args, CALL_TIMEOUT_MS, NULL, NULL, e))
        return -1;
    *io = stream_fd_new(take_fd(fd), "shim");
    return 0;
}

static void exec_args(const struct exec_spec *spec, bool detach, struct buf *out)
{
    struct jsonw w = JSONW_INIT(out);

    jsonw_obj(&w);
    jsonw_kstr(&w, "id", spec->id);
    jsonw_key(&w, "argv");
    jsonw_strv(&w, &spec->argv);
    jsonw_key(&w, "env");
    jsonw_strv(&w, &spec->env);
    jsonw_kstr(&w, "cwd", spec->cwd);
    jsonw_kstr(&w, "user", spec->user);
    jsonw_kbool(&w, "tty", spec->tty);
    jsonw_kbool(&w, "privileged", spec->privileged);
    jsonw_kbool(&w, "in", spec->attach_stdin && !detach);
    jsonw_kbool(&w, "out", spec->attach_stdout && !detach);
    jsonw_kbool(&w, "err", spec->attach_stderr && !detach);
    jsonw_ki64(&w, "height", spec->height);
    jsonw_ki64(&w, "width", spec->width);
    jsonw_kbool(&w, "detach", detach);
    jsonw_end_obj(&w);
}

static int client_exec(struct runtime *rt, const char *id, const struct exec_spec *spec,
                       struct stream **io, int64_t *pid, struct err *e)
{
    cleanup_buf struct buf args = BUF_INIT(SHIM_PAYLOAD_MAX);
    cleanup_json struct json_doc reply = {0};
    cleanup_fd int fd = -1;
    struct json root;

    exec_args(spec, io == NULL, &args);
    if (client_connect(runtime_linux_of(rt), id, &fd, e))
        return e->kind == ERR_NOT_FOUND ? client_not_running(id, e) : -1;
    if (client_call(fd, SHIM_EXEC, &args, EXEC_TIMEOUT_MS, NULL, &reply, e))
        return -1;
    root = json_root(&reply);
    if (pid)
        *pid = json_get_i64(&root, "pid");
    if (io)
        *io = stream_fd_new(take_fd(fd), "shim");
    return 0;
}

static int client_exec_signal(struct runtime *rt, const char *id, const char *exec_id, int signal,
                              struct err *e)
{
    cleanup_buf struct buf args = BUF_INIT(1024);
    struct jsonw w = JSONW_INIT(&args);

    jsonw_obj(&w);
    jsonw_kstr(&w, "id", exec_id);
    jsonw_ki64(&w, "signal", signal);
    jsonw_end_obj(&w);
    return client_ask_running(runtime_linux_of(rt), id, SHIM_EXEC_SIGNAL, &args, NULL, e);
}

static int client_exec_resize(struct runtime *rt, const char *id, const char *exec_id,
                              unsigned rows, unsigned cols, struct err *e)
{
    cleanup_buf struct buf args = BUF_INIT(1024);
    struct jsonw w = JSONW_INIT(&args);

    jsonw_obj(&w);
    jsonw_kstr(&w, "id", exec_id);
    jsonw_ki64(&w, "rows", rows);
    jsonw_ki64(&w, "cols", cols);
    jsonw_end_obj(&w);
    return client_ask_running(runtime_linux_of(rt), id, SHIM_EXEC_RESIZE, &args, NULL, e);
}

static int client_resize_tty(struct runtime *rt, const char *id, unsigned rows, unsigned cols,
                             struct err *e)
{
    cleanup_buf struct buf args = BUF_INIT(128);

    buf_addf(&args, "{\"rows\":%u,\"cols\":%u}", rows, cols);
    return client_ask_running(runtime_linux_of(rt), id, SHIM_RESIZE, &args, NULL, e);
}

static int client_pids(struct runtime *rt, const char *id, int64_t **out, size_t *n, struct err *e)
{
    cleanup_json struct json_doc reply = {0};
    struct json root, pids;

    if (client_ask_running(runtime_linux_of(rt), id, SHIM_PIDS, NULL, &reply, e))
        return -1;
    root = json_root(&reply);
    pids = json_get(&root, "pids");
    *n = json_len(&pids);
    *out = xcalloc(*n + 1, sizeof(**out));
    for (size_t i = 0; i < *n; i++) {
        struct json pid = json_at(&pids, i);

        if (json_i64(&pid, &(*out)[i], e)) {
            free(take_ptr(*out));
            return -1;
        }
    }
    return 0;
}

static int client_watch(struct runtime *rt, const struct runtime_events *ev, struct err *e)
{
    struct runtime_linux *rl = runtime_linux_of(rt);

    return watch_start(rl->watch, rl, ev, e);
}

static void client_free(struct runtime *rt)
{
    struct runtime_linux *rl = runtime_linux_of(rt);

    watch_free(rl->watch);
    mutex_destroy(&rl->apparmor_lock);
    free(rl->data_root);
    free(rl->exec_root);
    free(rl->shim_path);
    free(rl->shim_exec);
    fd_close(rl->shim_fd);
    free(rl);
}

static const struct runtime_ops linux_ops = {
    .name = "linux",
    .ensure_created = client_ensure_created,
    .ensure_running = client_ensure_running,
    .ensure_paused = client_ensure_paused,
    .ensure_stopped = client_ensure_stopped,
    .ensure_absent = client_ensure_absent,
    .observe = adopt_observe,
    .list = adopt_list,
    .signal = client_signal,
    .attach = client_attach,
    .exec = client_exec,
    .exec_signal = client_exec_signal,
    .exec_resize = client_exec_resize,
    .resize_tty = client_resize_tty,
    .pids = client_pids,
    .supports = doctor_supports,
    .update = adopt_update,
    .stats = adopt_stats,
    .open_root = client_open_root,
    .resolve_user = client_resolve_user,
    .watch = client_watch,
    .doctor = doctor_report,
    .free = client_free,
};

/* The shim is installed beside whoever runs it. */
static int default_shim_path(char **out, struct err *e)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    cleanup_free char *dir = NULL;

    if (n < 0)
        return err_os(e, errno, "read /proc/self/exe");
    self[n] = '\0';
    dir = path_dir(self);
    *out = path_join(dir, SHIM_PROGRAM);
    return 0;
}

/*
 * Guarded once here, it need not guard itself in every start.  All shims of this agent are the one
 * that was there when it began, whatever is installed meanwhile.  The child has closed what it
 * inherits by the time it executes, so it takes the descriptor from its parent.
 */
static void guard_shim(struct runtime_linux *rl)
{
    struct err e = ERR_INIT;

    rl->shim_fd = exe_guard_open(rl->shim_path, &e);
    if (rl->shim_fd < 0)
        log_debug("shims guard themselves", "reason=%s", log_quote(e.msg));
    else
        rl->shim_exec = str_printf("/proc/%d/fd/%d", (int)getpid(), rl->shim_fd);
    if (rl->shim_exec && access(rl->shim_exec, X_OK) == 0)
        return;
    free(rl->shim_exec); /* for example, a /proc of another process namespace */
    rl->shim_exec = xstrdup(rl->shim_path);
}

int runtime_open(const struct runtime_config *cfg, struct runtime **out, struct err *e)
{
    struct runtime_linux *rl;
    char *shim = NULL;

    if (cfg->shim_path)
        shim = xstrdup(cfg->shim_path);
    else if (default_shim_path(&shim, e))
        return -1;
    if (access(shim, X_OK)) {
        int code = errno;

        err_os(e, code, "shim program %s", shim);
        free(shim);
        return -1;
    }
    rl = xcalloc(1, sizeof(*rl));
    rl->base.ops = &linux_ops;
    rl->data_root = xstrdup(cfg->data_root);
    rl->exec_root = xstrdup(cfg->exec_root);
    rl->shim_path = shim;
    rl->commands = cfg->commands;
    guard_shim(rl);
    rl->watch = watch_new();
    mutex_init(&rl->apparmor_lock);
    *out = &rl->base;
    return 0;
}
