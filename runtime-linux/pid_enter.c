/*
 * pid_enter: into a pid namespace in which a container lives already.
 *
 * Whoever lives there sees a newcomer at once, and with CAP_SYS_PTRACE may look into it and take it
 * over, whatever it does to prevent that.  So the child is born outside, where nobody sees it.  It
 * goes to the container's root, lets go of all that is the host's (its descriptors lead there), and
 * only then has a sibling made inside, which goes on in its place.  The sibling is the launcher's
 * child, as its maker was.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "runtime-linux/launch_internal.h"
#include "runtime-linux/syscalls.h"

static int by_number(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* keep is sorted in place; 0, 1 and 2 are kept in any case. */
static int close_all_but(int *keep, size_t n, struct err *e)
{
    unsigned from = 3;

    qsort(keep, n, sizeof(*keep), by_number);
    for (size_t i = 0; i < n; i++) {
        if (keep[i] < (int)from)
            continue;
        if (keep[i] > (int)from && sys_close_range(from, (unsigned)keep[i] - 1, 0))
            return err_os(e, errno, "close_range");
        from = (unsigned)keep[i] + 1;
    }
    return sys_close_range(from, ~0U, 0) ? err_os(e, errno, "close_range") : 0;
}

/* The mounts to be attached and the ways into the cgroup: the container's own, all of them. */
int pid_enter_forget_host(const struct child *c, bool finished, struct err *e)
{
    const struct prepared *p = finished ? NULL : c->prepared;
    cleanup_free int *keep =
        xcalloc((p ? p->n_made + p->n_devices + p->n_cgroups : 0) + c->door->n + 8, sizeof(*keep));
    size_t n = 0;

    keep[n++] = c->sync->child;
    if (finished)
        return close_all_but(keep, n, e);
    keep[n++] = c->io->in;
    keep[n++] = c->io->out;
    keep[n++] = c->io->err;
    keep[n++] = c->pid_ns;
    for (size_t i = 0; i < c->door->n; i++)
        keep[n++] = c->door->fds[i];
    for (size_t i = 0; p && i < p->n_made; i++)
        keep[n++] = p->made[i];
    for (size_t i = 0; p && p->devices && i < p->n_devices; i++)
        keep[n++] = p->devices[i];
    for (size_t i = 0; p && i < p->n_cgroups; i++)
        keep[n++] = p->cgroups[i].tree;
    return close_all_but(keep, n, e);
}

int pid_enter_choose(struct child *c, struct err *e)
{
    return setns(c->pid_ns, CLONE_NEWPID) ? err_os(e, errno, "join the container's pid namespace")
                                          : 0;
}

int pid_enter_go(struct child *c, struct err *e)
{
    pid_t pid = (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, NULL);

    if (pid < 0)
        return err_os(e, errno, "clone into the container's pid namespace");
    if (pid > 0) {
        sync_pipe_send_moved(c->sync, pid);
        _exit(0);
    }
    if (setsid() < 0)
        return err_os(e, errno, "setsid");
    return prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) ? err_os(e, errno, "prctl") : 0;
}
