/*
 * init: the container's first process, from clone() to its own root.  process.c does the rest.
 *
 * Born in the new namespaces, with the host's mounts still around it.  To be read from top to
 * bottom; nothing but the launcher's descriptors is taken along.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/str.h"
#include "runtime-linux/launch_internal.h"
#include "runtime-linux/syscalls.h"

/* What the launcher set up for itself is not for the container. */
void child_reset_signals(void)
{
    struct sigaction now;
    sigset_t none;

    for (int sig = 1; sig < SIGRTMAX; sig++)
        if (sigaction(sig, NULL, &now) == 0 && now.sa_handler != SIG_DFL)
            signal(sig, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

int child_become_root(struct err *e)
{
    if (setgroups(0, NULL) && errno != EPERM)
        return err_os(e, errno, "drop the host's groups");
    if (setresgid(0, 0, 0) || setresuid(0, 0, 0))
        return err_os(e, errno, "become root in the user namespace");
    return 0;
}

static int isolate(struct child *c, int *proc, struct err *e)
{
    const struct oci_config *cfg = c->cfg;

    child_reset_signals();
    /* Until execve() nobody in the container may look into this process, and it must not outlive
     * a launcher that is killed in the middle. */
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0))
        return err_os(e, errno, "prctl");
    if (cfg->ns[OCI_NS_USER].wanted && (sync_pipe_wait_go(c->sync, e) || child_become_root(e)))
        return -1;
    if (setsid() < 0)
        return err_os(e, errno, "setsid");
    if (c->pid_ns >= 0 && (rootfs_pivot(c->prepared->root, e) || pid_enter_choose(c, e) ||
                           pid_enter_forget_host(c, false, e) || pid_enter_go(c, e)))
        return -1;
    *proc = mounts_private_proc(e);
    if (*proc < 0 || mounts_make_early(cfg, c->prepared, e))
        return -1;
    return c->pid_ns >= 0 ? 0 : rootfs_pivot(c->prepared->root, e);
}

static int set_names(const struct oci_config *cfg, struct err *e)
{
    if (!str_empty(cfg->hostname) && sethostname(cfg->hostname, strlen(cfg->hostname)))
        return err_os(e, errno, "set the host name %s", cfg->hostname);
    if (!str_empty(cfg->domainname) && setdomainname(cfg->domainname, strlen(cfg->domainname)))
        return err_os(e, errno, "set the domain name %s", cfg->domainname);
    return 0;
}

/* The working directory is made while the root can still be written to, as runc does. */
static int make_cwd(const struct child *c, int root, struct err *e)
{
    cleanup_fd int fd = -1;

    if (str_empty(c->cwd))
        return 0;
    fd = mounts_make_target(root, c->cwd, true, e);
    return fd < 0 ? err_wrap(e, "make the working directory") : 0;
}

static int furnish(struct child *c, int root, int proc, struct err *e)
{
    const struct oci_config *cfg = c->cfg;

    /* v2 shows its cgroup through the namespace, so that comes first, and the clone went straight
     * into the group.  On v1 nothing here needs it: the child goes in last, by itself. */
    if (c->early_cgroup && (sync_pipe_wait_go(c->sync, e) || namespaces_finish(cfg, e)))
        return -1;
    if (mounts_attach(cfg, root, c->prepared, e) || devices_make(cfg, root, c->prepared, e) ||
        set_names(cfg, e) || sysctl_apply(cfg, proc, false, e) || make_cwd(c, root, e))
        return -1;
    if (c->terminal && (terminal_open(c, root, e) || devices_console(root, c->slave, e)))
        return -1;
    if (mask_paths(cfg, root, e) || rootfs_seal(cfg, root, e))
        return -1;
    if (c->early_cgroup)
        return 0;
    return sync_pipe_wait_go(c->sync, e) || cgroup_door_pass(c->door, e) ||
                   namespaces_finish(cfg, e)
               ? -1
               : 0;
}

_Noreturn void child_run(struct child *c)
{
    struct err e = ERR_INIT;
    int root = -1, proc = -1;

    if (isolate(c, &proc, &e))
        sync_pipe_fail(c->sync, &e);
    root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) {
        err_os(&e, errno, "open the new root");
        sync_pipe_fail(c->sync, &e);
    }
    if (furnish(c, root, proc, &e))
        sync_pipe_fail(c->sync, &e);
    child_finish(c, root, proc);
}
