/*
 * oci_command: what a shim asks of a runtime, as command lines.  See oci_command.h.
 *
 * Signals, pauses and limits go through the command, as the container may be more to it than a
 * process and a cgroup.  Memory events and statistics are the kernel's, of the cgroup that the
 * configuration names, as they are for containerd's shim.
 */
#include "runtime-linux/oci_command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "runtime-linux/shim_internal.h"
#include "runtime-linux/syscalls.h"

#define CREATE_ERROR_PREFIX "failed to create task for container: failed to create shim task"
#define PS_MAX              (16 * 1024 * 1024)

static void run_release(struct oci_run *r)
{
    strv_release(&r->words);
}
#define cleanup_run CLEANUP(run_release)

/* `verb ID word`; word may be NULL. */
static int simple(const struct oci_command *c, const char *verb, const char *word, struct err *e)
{
    cleanup_run struct oci_run r = {.verb = verb};

    strv_add(&r.words, c->id);
    if (word)
        strv_add(&r.words, word);
    return oci_command_run(c, &r, e);
}

static void delete (const struct oci_command *c)
{
    cleanup_run struct oci_run r = {.verb = "delete"};
    struct err e = ERR_INIT;

    strv_add(&r.words, "--force");
    strv_add(&r.words, c->id);
    if (oci_command_run(c, &r, &e))
        log_warn("runtime does not delete the container", "reason=%s", log_quote(e.msg));
}

/* ------------------------------------------------------------------ the console's socket */

/* Where the command sends the terminal's master. */
struct console {
    int dir, listener;
    char *path; /* as the command may use it, of any length that its directory has */
};
#define CONSOLE_INIT              \
    {                             \
        .dir = -1, .listener = -1 \
    }

static void console_close(struct console *k)
{
    if (k->dir >= 0)
        (void)unlinkat(k->dir, "console", 0);
    fd_close_p(&k->dir);
    fd_close_p(&k->listener);
    free(k->path);
}
#define cleanup_console CLEANUP(console_close)

static int console_listen(const struct oci_command *c, struct console *k, struct err *e)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    mode_t mask;
    int r;

    k->dir = open(c->bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (k->dir < 0)
        return err_os(e, errno, "open %s", c->bundle);
    if (unlinkat(k->dir, "console", 0) && errno != ENOENT)
        return err_os(e, errno, "remove %s/console", c->bundle);
    k->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (k->listener < 0)
        return err_os(e, errno, "socket");
    k->path = str_printf("/proc/%d/fd/%d/console", (int)getpid(), k->dir);
    if (!str_copy(address.sun_path, sizeof(address.sun_path), k->path))
        return err_set(e, ERR_INTERNAL, "the path of the console's socket is too long");
    mask = umask(0177);
    r = bind(k->listener, (struct sockaddr *)&address, sizeof(address));
    umask(mask);
    return r || listen(k->listener, 1) ? err_os(e, errno, "listen on %s/console", c->bundle) : 0;
}

/* It was sent before the command ended. */
static int console_receive(const struct console *k, int *master, struct err *e)
{
    cleanup_fd int from = accept4(k->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    char name[4096], control[CMSG_SPACE(sizeof(int))];
    struct iovec iov = {name, sizeof(name)};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control,
                         .msg_controllen = sizeof(control)};
    struct cmsghdr *c;

    if (from < 0 || recvmsg(from, &msg, MSG_CMSG_CLOEXEC) < 0)
        return err_os(e, errno, "receive the terminal from the runtime");
    c = CMSG_FIRSTHDR(&msg);
    if (!c || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof(int)))
        return err_set(e, ERR_INTERNAL, "the runtime sends no terminal");
    memcpy(master, CMSG_DATA(c), sizeof(int));
    return 0;
}

/* ------------------------------------------------------------------ start */

static int make_bundle_dirs(const struct oci_command *c, const struct oci_config *cfg,
                            struct err *e)
{
    cleanup_free char *mounts = path_join(c->bundle, "mounts"),
                      *root = path_join(c->exec_dir, OCI_COMMAND_ROOT),
                      *all = path_dir(c->exec_dir);

    if (fs_mkdir_p(root, 0700, e) || fs_mkdir_p(mounts, 0711, e))
        return -1;
    /* A command goes to the root as the one it will be: in a user namespace, as somebody else.
     * What lies there has modes of its own. */
    if (cfg->ns[OCI_NS_USER].wanted && (chmod(c->exec_dir, 0711) || chmod(all, 0711)))
        return err_os(e, errno, "open %s to the container's user", c->exec_dir);
    return 0;
}

static int read_pid(const char *path, int64_t *pid, struct err *e)
{
    cleanup_buf struct buf text = BUF_INIT(64);

    if (fs_read(path, &text, e))
        return -1;
    while (text.len > 0 && text.data[text.len - 1] == '\n')
        text.data[--text.len] = '\0';
    return parse_i64(text.data ? text.data : "", 2, INT32_MAX, "the pid in the runtime's file", pid,
                     e);
}

/* `create` or `exec`: a verb that leaves a process behind. */
static int run_for_process(const struct oci_command *c, struct oci_run *r, bool terminal,
                           const char *last_word, struct launched *out, struct err *e)
{
    cleanup_console struct console k = CONSOLE_INIT;
    cleanup_free char *pid_file = path_join(c->bundle, "pid");

    if (fs_remove(pid_file, e) || (terminal && console_listen(c, &k, e)))
        return -1;
    strv_addf(&r->words, "--pid-file=%s", pid_file);
    if (terminal)
        strv_addf(&r->words, "--console-socket=%s", k.path);
    strv_add(&r->words, last_word);
    if (oci_command_run(c, r, e) || read_pid(pid_file, &out->pid, e) ||
        (terminal && console_receive(&k, &out->pty_master, e)))
        return -1;
    out->pidfd = -1;
    return 0;
}

static int create(struct shim *s, const struct oci_config *cfg, const struct launch_io *io,
                  struct err *e)
{
    struct oci_command *c = s->command;
    struct oci_bundle bundle = {.command = c, .cfg = cfg};
    cleanup_run struct oci_run r = {.verb = "create", .prepare = oci_bundle_make, .arg = &bundle};

    if (!cfg->process.terminal)
        r.io = io;
    strv_addf(&r.words, "--bundle=%s", c->bundle);
    if (run_for_process(c, &r, cfg->process.terminal, c->id, &s->first, e))
        return -1;
    return cfg->cgroups_path ? cgroup_open(cfg->cgroups_path, &s->first.cgroup, e) : 0;
}

static int command_start(struct shim *s, const struct oci_config *cfg, const struct launch_io *io,
                         struct err *e)
{
    struct oci_command *c = s->command;

    s->first = LAUNCHED_INIT;
    if (make_bundle_dirs(c, cfg, e))
        return -1;
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
        return err_os(e, errno, "become the parent of a runtime's processes");
    /* Should we be killed from here on, somebody must know what is to be removed. */
    if (supervise_record(s, cfg->cgroups_path, e) ||
        oci_keeper_start(c, cfg->cgroups_path, s->lock_fd, e))
        return -1;
    if (create(s, cfg, io, e) == 0 && simple(c, "start", NULL, e) == 0)
        return 0;
    (void)err_wrap(e, CREATE_ERROR_PREFIX);
    delete (c);
    oci_keeper_stop(c);
    return -1;
}

static int command_exec(struct shim *s, const struct oci_config *cfg,
                        const struct launch_exec_spec *spec, const struct launch_io *io,
                        struct launched *out, struct err *e)
{
    struct oci_command *c = s->command;
    struct oci_bundle bundle = {.command = c, .cfg = cfg, .exec = spec, .pid = s->first.pid};
    cleanup_run struct oci_run r = {
        .verb = "exec", .prepare = oci_bundle_make_process, .arg = &bundle};

    *out = LAUNCHED_INIT;
    if (!spec->terminal)
        r.io = io;
    strv_add(&r.words, "--detach");
    strv_addf(&r.words, "--process=%s/process.json", c->bundle);
    return run_for_process(c, &r, spec->terminal, c->id, out, e);
}

/* ------------------------------------------------------------------ while it runs */

/* It has ended, and we have not come round to it yet. */
static bool has_ended(const struct shim *s)
{
    siginfo_t info = {0};

    return waitid(P_PID, (id_t)s->first.pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid != 0;
}

static int command_signal(struct shim *s, int signal, struct err *e)
{
    cleanup_free char *number = str_printf("%d", signal);

    if (simple(s->command, "kill", number, e) == 0)
        return 0;
    return has_ended(s) ? err_set(e, ERR_CONFLICT, "container %s is not running", s->id) : -1;
}

static int command_freeze(struct shim *s, bool frozen, struct err *e)
{
    return simple(s->command, frozen ? "pause" : "resume", NULL, e);
}

static int command_update(struct shim *s, const struct json *resources, struct err *e)
{
    const struct oci_command *c = s->command;
    cleanup_free char *path = path_join(c->bundle, "resources.json");
    cleanup_run struct oci_run r = {.verb = "update"};
    cleanup_buf struct buf text = BUF_INIT(64 * 1024);

    json_text(resources, &text);
    if (buf_check(&text, "limits", e) || fs_write_atomic(path, text.data, text.len, 0600, false, e))
        return -1;
    strv_addf(&r.words, "--resources=%s", path);
    strv_add(&r.words, c->id);
    return oci_command_run(c, &r, e);
}

static int command_pids(struct shim *s, int64_t **pids, size_t *n, struct err *e)
{
    cleanup_buf struct buf out = BUF_INIT(PS_MAX);
    cleanup_run struct oci_run r = {.verb = "ps", .out = &out};
    cleanup_json struct json_doc doc = {0};
    struct json list;

    strv_add(&r.words, "--format=json");
    strv_add(&r.words, s->command->id);
    if (oci_command_run(s->command, &r, e) || json_parse(out.data, out.len, &doc, e))
        return -1;
    list = json_root(&doc);
    *n = json_len(&list);
    *pids = xcalloc(*n + 1, sizeof(**pids));
    for (size_t i = 0; i < *n; i++) {
        struct json pid = json_at(&list, i);

        if (json_i64(&pid, &(*pids)[i], e))
            return -1;
    }
    return 0;
}

static void command_ended(struct shim *s)
{
    delete (s->command);
    oci_keeper_stop(s->command);
}

static const struct shim_runtime ops = {
    .start = command_start,
    .exec = command_exec,
    .signal = command_signal,
    .freeze = command_freeze,
    .update = command_update,
    .pids = command_pids,
    .ended = command_ended,
};

/* ------------------------------------------------------------------ which */

int oci_command_use(struct shim *s, const struct json *runtime, struct err *e)
{
    struct oci_command *c = xcalloc(1, sizeof(*c));
    struct json args = json_get(runtime, "args");

    c->keeper = -1;
    c->name = xstrdup(json_get_str(runtime, "name"));
    c->path = xstrdup(json_get_str(runtime, "path"));
    c->init = xstrdup(json_get_str(runtime, "init"));
    c->id = xstrdup(s->id);
    c->exec_dir = xstrdup(s->exec_dir);
    c->bundle = path_join(s->exec_dir, OCI_COMMAND_BUNDLE);
    s->command = c;
    s->runtime = &ops;
    return json_strv(&args, &c->args, e);
}

void oci_command_drop(struct shim *s)
{
    struct oci_command *c = s->command;

    s->runtime = &shim_builtin;
    s->command = NULL;
    if (!c)
        return;
    free(c->name);
    free(c->path);
    free(c->init);
    free(c->id);
    free(c->exec_dir);
    free(c->bundle);
    strv_release(&c->args);
    free(c);
}

void oci_command_reaped(struct shim *s, int64_t pid)
{
    struct err e = ERR_INIT;

    if (!s->command || pid != s->command->keeper)
        return;
    s->command->keeper = -1;
    if (oci_keeper_start(s->command, s->first.cgroup ? cgroup_path(s->first.cgroup) : NULL,
                         s->lock_fd, &e))
        log_warn("container has no keeper", "reason=%s", log_quote(e.msg));
}
