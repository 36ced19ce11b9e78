/*
 * launch: the launcher's side of starting a process.  See launch.h and launch_internal.h.
 *
 * While the child unpacks its root, the launcher moves it into its cgroup: on v1 that waits for the
 * kernel's grace period, which is by far the longest single wait of a start.
 */
#include "runtime-linux/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "runtime-linux/caps.h"
#include "runtime-linux/launch_internal.h"
#include "runtime-linux/syscalls.h"

void launched_release(struct launched *l)
{
    fd_close_p(&l->pidfd);
    fd_close_p(&l->pty_master);
    cgroup_free(l->cgroup);
    *l = LAUNCHED_INIT;
}

int launch_leave_session(struct err *e)
{
    if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 && errno != ENOSYS)
        return err_os(e, errno, "make a session keyring");
    return 0;
}

int launch_exit_code(const struct err *e)
{
    return e->kind == ERR_NOT_FOUND ? 127 : e->kind == ERR_DENIED ? 126 : 128;
}

#define RUNC_FAILED                                                                                \
    "failed to create task for container: failed to create shim task: OCI runtime create failed: " \
    "runc create failed"

bool launch_error_bare(const struct err *e)
{
    static const char *const bare[] = {"unable to find user", "unable to find group",
                                       "uids and gids must be"};

    for (size_t i = 0; i < ARRAY_LEN(bare); i++)
        if (str_starts(e->msg, bare[i]))
            return true;
    return false;
}

int launch_error_wrap(struct err *e, bool exec)
{
    if (launch_error_bare(e))
        return -1;
    if (exec)
        return err_wrap(e,
                        "OCI runtime exec failed: exec failed: unable to start container process");
    if (str_starts(e->msg, "sysctl \"")) /* of the configuration, not of the process */
        return err_wrap(e, RUNC_FAILED);
    return err_wrap(e, RUNC_FAILED ": unable to start container process");
}

/* ------------------------------------------------------------------ what was opened */

static void prepared_init(struct prepared *p, const struct oci_config *cfg)
{
    *p = (struct prepared){.root = -1, .n_made = cfg->n_mounts};
    p->made = xmalloc((cfg->n_mounts + 1) * sizeof(*p->made));
    for (size_t i = 0; i < cfg->n_mounts; i++)
        p->made[i] = -1;
}

static void prepared_release(struct prepared *p)
{
    fd_close_p(&p->root);
    for (size_t i = 0; i < p->n_made; i++)
        fd_close_p(&p->made[i]);
    free(p->made);
    for (size_t i = 0; i < p->n_devices; i++)
        fd_close_p(&p->devices[i]);
    free(p->devices);
    for (size_t i = 0; i < p->n_cgroups; i++) {
        fd_close_p(&p->cgroups[i].tree);
        free(p->cgroups[i].name);
    }
    free(p->cgroups);
}

/* ------------------------------------------------------------------ the clone */

/* The child's pid, 0 in the child; without what an older kernel does not know. */
static pid_t clone_child(uint64_t flags, int cgroup_fd, int *pidfd, bool *in_cgroup)
{
    struct clone_args args = {
        .flags = flags | CLONE_PIDFD, .pidfd = (uint64_t)(uintptr_t)pidfd, .exit_signal = SIGCHLD};
    pid_t pid;

    *in_cgroup = false;
    if (cgroup_fd >= 0) {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = (uint64_t)cgroup_fd;
        pid = sys_clone3(&args);
        if (pid >= 0) {
            *in_cgroup = true;
            return pid;
        }
        args.flags &= ~CLONE_INTO_CGROUP;
        args.cgroup = 0;
    }
    pid = sys_clone3(&args);
    if (pid < 0 && (errno == ENOSYS || errno == EPERM)) { /* before 5.3, or filtered */
        *pidfd = -1;
        pid = (pid_t)syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL);
        if (pid > 0)
            *pidfd = sys_pidfd_open(pid);
    }
    return pid;
}

/* Ends and buries a child that did not make it. */
static void bury(pid_t pid)
{
    if (pid <= 0)
        return;
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

static int set_oom_score(pid_t pid, int64_t adj, struct err *e)
{
    cleanup_free char *path = NULL, *text = NULL;
    cleanup_fd int fd = -1;

    if (adj == OCI_UNSET)
        return 0;
    path = str_printf("/proc/%d/oom_score_adj", (int)pid);
    text = str_printf("%lld", (long long)adj);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        return err_os(e, errno, "set oom_score_adj to %s", text);
    return 0;
}

struct launch {
    const struct oci_config *cfg;
    struct sync_pipe sync;
    struct prepared prepared;
    struct seccomp_program seccomp;
    struct cgroup *cgroup;
    struct cgroup_door door;
    pid_t pid;
    int pidfd;
    bool in_cgroup;
};

/* The child has become another (pid_enter.c): that one is ours from now on. */
static void follow(struct launch *l)
{
    if (!l->sync.moved)
        return;
    while (waitpid(l->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    fd_close_p(&l->pidfd);
    l->pid = (pid_t)l->sync.moved;
    l->pidfd = sys_pidfd_open(l->pid);
    l->sync.moved = 0;
}

/* ------------------------------------------------------------------ a container */

static int check(const struct oci_config *cfg, struct err *e)
{
    if (!cfg->process.args.n || !cfg->process.args.v[0])
        return err_set(e, ERR_INVALID, "process.args: no command specified");
    if (cfg->ns[OCI_NS_USER].wanted && !cfg->ns[OCI_NS_PID].wanted && cfg->ns[OCI_NS_PID].path)
        return err_set(e, ERR_INVALID, "a user namespace cannot join another's pid namespace");
    if (!cfg->ns[OCI_NS_UTS].wanted && !str_empty(cfg->hostname))
        return err_set(e, ERR_INVALID,
                       "hostname: unable to set hostname without a private UTS namespace");
    return sysctl_check(cfg, e) || rlimits_check(&cfg->process, e) ? -1 : 0;
}

static int make_cgroup(struct launch *l, struct err *e)
{
    if (!l->cfg->cgroups_path)
        return 0;
    if (cgroup_open(l->cfg->cgroups_path, &l->cgroup, e) || cgroup_create(l->cgroup, e))
        return -1;
    return cgroup_apply(l->cgroup, &l->cfg->resources, e) ||
                   cgroup_door_open(l->cgroup, &l->door, e)
               ? -1
               : 0;
}

/* On a kernel that cannot clone into v2's tree, the parent moves the child. */
static int add_to_cgroup(struct launch *l, struct err *e)
{
    return l->cgroup && !l->in_cgroup && !l->door.n ? cgroup_add(l->cgroup, l->pid, e) : 0;
}

static void fill_child(struct child *c, struct launch *l, const struct launch_io *io)
{
    const struct oci_process *p = &l->cfg->process;

    *c = (struct child){.cfg = l->cfg,
                        .io = io,
                        .prepared = &l->prepared,
                        .sync = &l->sync,
                        .seccomp = &l->seccomp,
                        .args = &p->args,
                        .env = &p->env,
                        .cwd = p->cwd,
                        .user_text = p->user_text,
                        .terminal = p->terminal,
                        .reaper = l->cfg->init,
                        .early_cgroup = !l->cgroup || cgroup_is_v2(l->cgroup),
                        .slave = -1,
                        .pid_ns = -1,
                        .door = &l->door,
                        .console_height = p->console_height,
                        .console_width = p->console_width,
                        .caps = p->caps};
}

int sysctl_apply_joined(const struct oci_config *cfg, struct err *e)
{
    cleanup_fd int proc = -1;

    if (!cfg->sysctl.n || !cfg->ns[OCI_NS_NET].path)
        return 0;
    proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return proc < 0 ? err_os(e, errno, "open /proc") : sysctl_apply(cfg, proc, true, e);
}

/* Between joining and returning: everything that depends on the namespaces we lend. */
static int clone_container(struct launch *l, const struct launch_io *io, struct err *e)
{
    const char *pid_path = l->cfg->ns[OCI_NS_PID].path;
    cleanup_fd int cgroup_fd = cgroup_clone_fd(l->cgroup), pid_ns = -1;
    struct saved_ns saved;
    struct child c;
    int failed = 0;

    if (pid_path && (pid_ns = open(pid_path, O_RDONLY | O_CLOEXEC)) < 0)
        return err_os(e, errno, "open the pid namespace %s", pid_path);
    if (namespaces_join(l->cfg, &saved, e))
        return -1;
    fill_child(&c, l, io);
    c.pid_ns = pid_ns;
    if (sysctl_apply_joined(l->cfg, e) || mounts_prepare(l->cfg, l->cgroup, &l->prepared, e)) {
        failed = -1;
    } else {
        l->pid = clone_child(namespaces_clone_flags(l->cfg), cgroup_fd, &l->pidfd, &l->in_cgroup);
        if (l->pid == 0)
            child_run(&c);
        if (l->pid < 0)
            failed = err_os(e, errno, "clone the container's first process");
    }
    if (namespaces_return(&saved, failed ? ERR_IGNORE : e))
        failed = -1;
    if (failed || pid_ns < 0)
        return failed;
    failed = sync_pipe_wait_moved(&l->sync, e);
    follow(l);
    return failed;
}

/* What only the parent can do for the child, which waits for it in two places (init.c). */
static int assist(struct launch *l, struct err *e)
{
    if (l->cfg->ns[OCI_NS_USER].wanted &&
        (idmap_write(l->pid, l->cfg, e) || sync_pipe_go(&l->sync, e)))
        return -1;
    if (add_to_cgroup(l, e))
        return -1;
    return set_oom_score(l->pid, l->cfg->process.oom_score_adj, e) || sync_pipe_go(&l->sync, e) ? -1
                                                                                                : 0;
}

static int run_launch(struct launch *l, const struct launch_io *io, int *pty, struct err *e)
{
    if (check(l->cfg, e) || seccomp_compile(l->cfg->seccomp, &l->seccomp, e) ||
        rootfs_prepare(l->cfg, &l->prepared.root, e) || devices_prepare(l->cfg, &l->prepared, e) ||
        make_cgroup(l, e) || sync_pipe_open(&l->sync, e) || clone_container(l, io, e) ||
        assist(l, e))
        return -1;
    return sync_pipe_wait_exec(&l->sync, pty, e);
}

/* A child that failed first has the better words: "no such process" is only the consequence. */
static void prefer_childs_words(struct launch *l, struct err *e)
{
    struct err theirs = ERR_INIT;

    if (l->pid <= 0 || l->sync.shim < 0 || l->sync.child < 0)
        return;
    kill(l->pid, SIGKILL);
    if (sync_pipe_wait_exec(&l->sync, NULL, &theirs) && !strstr(theirs.msg, "was killed while"))
        *e = theirs;
}

int launch_container(const struct oci_config *cfg, const struct launch_io *io, struct launched *out,
                     struct err *e)
{
    struct launch l = {
        .cfg = cfg, .sync = {.shim = -1, .child = -1},
             .pid = -1, .pidfd = -1
    };
    int pty = -1, failed;

    *out = LAUNCHED_INIT;
    prepared_init(&l.prepared, cfg);
    failed = run_launch(&l, io, &pty, e);
    if (failed) {
        prefer_childs_words(&l, e);
        bury(l.pid);
        fd_close_p(&l.pidfd);
        if (l.cgroup)
            (void)!cgroup_remove(l.cgroup, ERR_IGNORE);
        cgroup_free(l.cgroup);
    } else {
        *out = (struct launched){
            .pid = l.pid, .pidfd = l.pidfd, .pty_master = pty, .cgroup = l.cgroup};
    }
    prepared_release(&l.prepared);
    seccomp_program_release(&l.seccomp);
    cgroup_door_close(&l.door);
    sync_pipe_close(&l.sync);
    return failed ? -1 : 0;
}

/* ------------------------------------------------------------------ one more process */

static void fill_exec(struct child *c, struct launch *l, const struct launch_exec_spec *s,
                      const int *ns, const struct launch_io *io)
{
    const struct oci_process *p = &l->cfg->process;
    const uint64_t all = caps_bounding();

    *c = (struct child){.cfg = l->cfg,
                        .io = io,
                        .sync = &l->sync,
                        .seccomp = &l->seccomp,
                        .args = s->args,
                        .env = s->env,
                        .cwd = str_empty(s->cwd) ? p->cwd : s->cwd,
                        .user_text = str_empty(s->user) ? p->user_text : s->user,
                        .terminal = s->terminal,
                        .slave = -1,
                        .door = &l->door,
                        .console_height = s->console_height,
                        .console_width = s->console_width,
                        .target_ns = ns,
                        .pid_ns = ns[OCI_NS_PID],
                        .caps = p->caps};
    if (s->privileged)
        c->caps = (struct oci_caps){.bounding = all, .effective = all, .permitted = all};
}

static int clone_exec(struct launch *l, const struct launch_exec_spec *s, const int *ns,
                      const struct launch_io *io, struct err *e)
{
    cleanup_fd int cgroup_fd = cgroup_clone_fd(l->cgroup);
    struct child c;

    fill_exec(&c, l, s, ns, io);
    l->pid = clone_child(0, cgroup_fd, &l->pidfd, &l->in_cgroup);
    if (l->pid == 0)
        child_run_exec(&c);
    return l->pid < 0 ? err_os(e, errno, "clone the process for the container") : 0;
}

static int run_exec(struct launch *l, int64_t container_pid, const struct launch_exec_spec *s,
                    const struct launch_io *io, int *pty, struct err *e)
{
    int ns[OCI_NS_COUNT], failed;

    if (!s->args->n)
        return err_set(e, ERR_INVALID, "no command specified");
    if (!s->privileged && seccomp_compile(l->cfg->seccomp, &l->seccomp, e))
        return -1;
    if (l->cfg->cgroups_path && (cgroup_open(l->cfg->cgroups_path, &l->cgroup, e) ||
                                 cgroup_door_open(l->cgroup, &l->door, e)))
        return -1;
    if (namespaces_open(container_pid, ns, e))
        return -1;
    failed = sync_pipe_open(&l->sync, e) || clone_exec(l, s, ns, io, e) || add_to_cgroup(l, e) ||
             set_oom_score(l->pid, l->cfg->process.oom_score_adj, e) || sync_pipe_go(&l->sync, e);
    namespaces_close(ns);
    if (failed)
        return -1;
    failed = sync_pipe_wait_exec(&l->sync, pty, e);
    follow(l);
    return failed;
}

int launch_exec(const struct oci_config *cfg, int64_t container_pid,
                const struct launch_exec_spec *spec, const struct launch_io *io,
                struct launched *out, struct err *e)
{
    struct launch l = {
        .cfg = cfg, .sync = {.shim = -1, .child = -1},
             .pid = -1, .pidfd = -1
    };
    int pty = -1, failed;

    *out = LAUNCHED_INIT;
    failed = run_exec(&l, container_pid, spec, io, &pty, e);
    if (failed) {
        prefer_childs_words(&l, e);
        bury(l.pid);
        fd_close_p(&l.pidfd);
    } else {
        *out = (struct launched){.pid = l.pid, .pidfd = l.pidfd, .pty_master = pty};
    }
    cgroup_free(l.cgroup);
    seccomp_program_release(&l.seccomp);
    cgroup_door_close(&l.door);
    sync_pipe_close(&l.sync);
    return failed ? -1 : 0;
}
