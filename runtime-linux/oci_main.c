/*
 * ballast-oci: the runtime without the engine.
 *
 *     ballast-oci run [--bundle DIR] ID
 *
 * Creates, starts, waits and deletes in the foreground; the exit code is the container's (128 plus
 * the signal's number, and 126, 127 as shells have it when the command cannot be run).
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "runtime-linux/exe_guard.h"
#include "runtime-linux/launch.h"

static int usage(void)
{
    (void)fputs("usage: ballast-oci run [--bundle DIR] ID\n", stderr);
    return 2;
}

static int complain(const struct err *e, int code)
{
    (void)fprintf(stderr, "ballast-oci: %s\n", e->msg);
    return code;
}

static volatile sig_atomic_t target;

/* A pid is not reused before we have waited for it, so this cannot hit a stranger. */
static void pass_on(int sig)
{
    if (target > 0)
        (void)kill((pid_t)target, sig);
}

static void forward_signals(pid_t pid)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};
    struct sigaction act = {.sa_handler = pass_on};

    target = pid;
    for (size_t i = 0; i < ARRAY_LEN(signals); i++)
        sigaction(signals[i], &act, NULL);
}

static int pump(int from, int to)
{
    char bytes[4096];
    ssize_t n = read(from, bytes, sizeof(bytes));

    if (n < 0 && errno == EINTR)
        return 0;
    for (ssize_t done = 0, w; n > 0 && done < n; done += w) {
        w = write(to, bytes + done, (size_t)(n - done));
        if (w < 0)
            return -1;
    }
    return n > 0 ? 0 : -1;
}

/* Until the last process has closed the terminal. */
static void serve_terminal(int master)
{
    struct pollfd fds[2] = {
        {.fd = 0,      .events = POLLIN},
        {.fd = master, .events = POLLIN}
    };
    struct termios before, raw;
    const bool tty = tcgetattr(0, &before) == 0;

    if (tty) {
        raw = before;
        cfmakeraw(&raw);
        (void)tcsetattr(0, TCSANOW, &raw);
    }
    for (;;) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            break;
        if (fds[0].revents && pump(0, master))
            fds[0].fd = -1;
        if (fds[1].revents && pump(master, 1))
            break;
    }
    if (tty)
        (void)tcsetattr(0, TCSANOW, &before);
}

static int wait_for(pid_t pid)
{
    int status;

    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return 1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int run(const char *bundle, const char *id)
{
    cleanup_oci_config struct oci_config *cfg = NULL;
    cleanup_free char *path = path_join(bundle, "config.json");
    const struct launch_io io = {.in = 0, .out = 1, .err = 2};
    struct launched l = LAUNCHED_INIT;
    struct err e = ERR_INIT;
    struct winsize size;
    int code;

    if (oci_config_read(path, &cfg, &e))
        return complain(&e, 1);
    if (!cfg->cgroups_path)
        cfg->cgroups_path = path_join("/ballast", id);
    if (cfg->process.terminal && !cfg->process.console_height && ioctl(0, TIOCGWINSZ, &size) == 0) {
        cfg->process.console_height = size.ws_row;
        cfg->process.console_width = size.ws_col;
    }
    if (launch_container(cfg, &io, &l, &e))
        return complain(&e, launch_exit_code(&e));
    forward_signals((pid_t)l.pid);
    if (l.pty_master >= 0)
        serve_terminal(l.pty_master);
    code = wait_for((pid_t)l.pid);
    if (l.cgroup && cgroup_remove(l.cgroup, &e))
        (void)complain(&e, 1);
    launched_release(&l);
    return code;
}

int main(int argc, char *argv[])
{
    const char *bundle = ".", *id = NULL;
    struct err e = ERR_INIT;

    if (argc < 3 || !str_eq(argv[1], "run"))
        return usage();
    for (int i = 2; i < argc; i++) {
        if ((str_eq(argv[i], "--bundle") || str_eq(argv[i], "-b")) && i + 1 < argc)
            bundle = argv[++i];
        else if (argv[i][0] == '-' || id)
            return usage();
        else
            id = argv[i];
    }
    if (!id || !*id || strchr(id, '/') || str_starts(id, "."))
        return usage();
    if (exe_guard(argv, &e) || launch_leave_session(&e))
        return complain(&e, 1);
    return run(bundle, id);
}
