/*
 * exec_enter: one more process in a running container.
 *
 * The namespaces were opened by the launcher.  The mount namespace comes with the container's root,
 * so everything after that is as for the first process.  The pid namespace is chosen here and
 * entered last of all (process.c), by a process that has hardly any rights left.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/fs.h"
#include "runtime-linux/launch_internal.h"

static int enter(struct child *c, struct err *e)
{
    child_reset_signals();
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0))
        return err_os(e, errno, "prctl");
    if (sync_pipe_wait_go(c->sync, e) || cgroup_door_pass(c->door, e) ||
        namespaces_setns_all(c->target_ns, e) || (c->pid_ns >= 0 && pid_enter_choose(c, e)))
        return -1;
    if (c->target_ns[OCI_NS_USER] >= 0 && child_become_root(e))
        return -1;
    if (setsid() < 0)
        return err_os(e, errno, "setsid");
    return 0;
}

_Noreturn void child_run_exec(struct child *c)
{
    struct err e = ERR_INIT;
    int root = -1, proc = -1;

    /* For a label only; from our side, whose processes it knows. */
    if ((c->cfg->process.apparmor && (proc = mounts_private_proc(&e)) < 0) || enter(c, &e))
        sync_pipe_fail(c->sync, &e);
    root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) {
        err_os(&e, errno, "open the container's root");
        sync_pipe_fail(c->sync, &e);
    }
    if (c->terminal && terminal_open(c, root, &e))
        sync_pipe_fail(c->sync, &e);
    child_finish(c, root, proc);
}
