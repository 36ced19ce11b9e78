/*
 * reaper: pid 1 for containers that asked for an init.
 *
 * The set-up process stays as pid 1, under all the restrictions of the container, and the command
 * is its child.  It passes signals on, buries orphans, and ends as the command ends.
 */
#include <errno.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime-linux/launch_internal.h"
#include "runtime-linux/syscalls.h"

/* Collects whoever has ended; leaves with the command's code when it is among them. */
static void bury(pid_t command)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) != 0) {
        if (pid < 0 && errno == EINTR)
            continue;
        if (pid < 0)
            _exit(1); /* no children: the command cannot have been missed */
        if (pid == command && WIFEXITED(status))
            _exit(WEXITSTATUS(status));
        if (pid == command && WIFSIGNALED(status))
            _exit(128 + WTERMSIG(status));
    }
}

static _Noreturn void reap(pid_t command, const sigset_t *all)
{
    for (;;) {
        siginfo_t info;
        int sig = sigwaitinfo(all, &info);

        if (sig == SIGCHLD)
            bury(command);
        else if (sig > 0 && sig != SIGTTIN && sig != SIGTTOU)
            (void)kill(command, sig);
    }
}

void reaper_split(bool terminal)
{
    sigset_t all, old;
    pid_t command;

    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &old);
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0,
                0); /* not pid 1 when the pid namespace is shared */
    command = fork();
    if (command < 0)
        _exit(127);
    if (command == 0) {
        sigprocmask(SIG_SETMASK, &old, NULL);
        setsid();
        if (terminal)
            (void)ioctl(0, TIOCSCTTY, 0);
        return;
    }
    /* Nobody else may keep the pipes, the terminal or the launcher's socket open. */
    if (sys_close_range(0, ~0U, 0))
        for (int fd = 0; fd < 1024; fd++)
            close(fd);
    (void)prctl(PR_SET_NAME, "ballast-init", 0, 0, 0);
    reap(command, &all);
}
