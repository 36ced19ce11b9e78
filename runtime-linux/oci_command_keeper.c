/*
 * oci_command_keeper: ends a container whose shim was killed.
 *
 * The kernel tells it, by a signal, that its parent is gone.  It holds the shim's lock until the
 * container is gone as well, so no agent begins the next life before that; where both are killed at
 * once, the agent that looks next removes the cgroup, and everybody in it.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "runtime-linux/cgroup.h"
#include "runtime-linux/oci_command.h"
#include "runtime-linux/shim_memory.h"
#include "runtime-linux/syscalls.h"

static void end_container(const struct oci_command *c, const char *path)
{
    struct oci_run del = {.verb = "delete"};
    struct cgroup *cg = NULL;
    struct err e = ERR_INIT;

    /* First the processes, frozen or not; then what the runtime keeps of them. */
    if (path && (cgroup_open(path, &cg, &e) || cgroup_kill(cg, &e)))
        log_warn("processes of a lost container cannot be killed", "reason=%s", log_quote(e.msg));
    strv_add(&del.words, "--force");
    strv_add(&del.words, c->id);
    if (oci_command_run(c, &del, &e))
        log_debug("runtime does not delete", "reason=%s", log_quote(e.msg));
    if (cg && cgroup_remove(cg, &e))
        log_warn("cgroup of a lost container is left over", "reason=%s", log_quote(e.msg));
}

/* All descriptors but the log and the lock: pipes and sockets end with the shim. */
static int let_go(int lock_fd, struct err *e)
{
    if (dup3(lock_fd, 3, O_CLOEXEC) < 0 && errno != EINVAL)
        return err_os(e, errno, "keep the lock");
    return sys_close_range(4, ~0U, 0) ? err_os(e, errno, "close_range") : 0;
}

static _Noreturn void keep(struct oci_command *c, const char *cgroup, int lock_fd, pid_t shim)
{
    struct err e = ERR_INIT;
    sigset_t all;
    int sig;

    sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, NULL);
    (void)prctl(PR_SET_NAME, "ballast-keeper");
    if (prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0) || let_go(lock_fd, &e)) {
        log_error("container has no keeper", "reason=%s", log_quote(e.msg));
        _exit(1);
    }
    shim_memory_trim();
    while (getppid() == shim) /* a signal may come from anybody */
        (void)sigwait(&all, &sig);
    end_container(c, cgroup);
    _exit(0);
}

int oci_keeper_start(struct oci_command *c, const char *cgroup, int lock_fd, struct err *e)
{
    const pid_t shim = getpid();
    pid_t pid = fork();

    if (pid < 0)
        return err_os(e, errno, "fork");
    if (pid == 0)
        keep(c, cgroup, lock_fd, shim);
    c->keeper = pid;
    return 0;
}

void oci_keeper_stop(struct oci_command *c)
{
    if (c->keeper <= 0)
        return;
    (void)kill(c->keeper, SIGKILL);
    while (waitpid(c->keeper, NULL, 0) < 0 && errno == EINTR)
        ;
    c->keeper = -1;
}
