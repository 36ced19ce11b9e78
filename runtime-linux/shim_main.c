/*
 * ballast-shim: parent of one container.
 *
 *     ballast-shim --id ID --exec-dir DIR --data-dir DIR [--ready-fd N]
 *                  [--tty] [--open-stdin] [--stdin-once]
 *
 *     docker-init -- COMMAND...
 *
 * Started by the agent, it outlives it.  It takes the lock, listens, and says so by closing the
 * ready descriptor; what went wrong before that is written there as text.  One thread, one loop.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"
#include "runtime-linux/exe_guard.h"
#include "runtime-linux/launch_internal.h"
#include "runtime-linux/oci_command.h"
#include "runtime-linux/shim_internal.h"
#include "runtime-linux/shim_lock.h"
#include "runtime-linux/shim_memory.h"

#define LOCK_WAIT_MS 1000 /* for the shim of the life before to write its record */

struct options {
    char *id, *exec_dir, *data_dir;
    int ready_fd;
    int tty, open_stdin, stdin_once;
};

static int parse(int argc, char **argv, struct options *o, struct err *e)
{
    const struct option table[] = {
        {"id",         required_argument, NULL,           'i'},
        {"exec-dir",   required_argument, NULL,           'e'},
        {"data-dir",   required_argument, NULL,           'd'},
        {"ready-fd",   required_argument, NULL,           'r'},
        {"tty",        no_argument,       &o->tty,        1  },
        {"open-stdin", no_argument,       &o->open_stdin, 1  },
        {"stdin-once", no_argument,       &o->stdin_once, 1  },
        {NULL,         0,                 NULL,           0  },
    };
    int64_t fd = -1;
    int c;

    while ((c = getopt_long(argc, argv, "", table, NULL)) != -1) {
        switch (c) {
        case 'i':
            o->id = optarg;
            break;
        case 'e':
            o->exec_dir = optarg;
            break;
        case 'd':
            o->data_dir = optarg;
            break;
        case 'r':
            if (parse_i64(optarg, 3, 1 << 20, "--ready-fd", &fd, e))
                return -1;
            o->ready_fd = (int)fd;
            break;
        case '?':
            return err_set(e, ERR_INVALID, "unknown option");
        default: /* a flag */
            break;
        }
    }
    if (!o->id || !o->exec_dir || !o->data_dir)
        return err_set(e, ERR_INVALID, "--id, --exec-dir and --data-dir are needed");
    return 0;
}

/*
 * A container's end is all that a shim acts on.  The signals by which a terminal, a session or a
 * machine asks programs to end are not meant for it: it ends when its container does.
 */
static int open_signals(struct shim *s, struct err *e)
{
    sigset_t blocked, wanted;

    sigemptyset(&wanted);
    sigaddset(&wanted, SIGCHLD);
    blocked = wanted;
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGINT);
    sigaddset(&blocked, SIGQUIT);
    sigaddset(&blocked, SIGHUP);
    sigaddset(&blocked, SIGPIPE);
    if (sigprocmask(SIG_SETMASK, &blocked, NULL))
        return err_os(e, errno, "block signals");
    s->signals.fd = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
    if (s->signals.fd < 0)
        return err_os(e, errno, "signalfd");
    loop_watch(&s->loop, &s->signals, EPOLLIN);
    return 0;
}

static int lock(struct shim *s, struct err *e)
{
    int64_t until = time_mono_ms() + LOCK_WAIT_MS;
    int r;

    while ((r = shim_lock_take(s->exec_dir_fd, &s->lock_fd)) == EAGAIN && time_mono_ms() < until)
        time_sleep_ms(5);
    if (r == EAGAIN)
        return err_set(e, ERR_CONFLICT, "another shim runs container %s", s->id);
    return r ? err_os(e, r, "lock %s", s->exec_dir) : 0;
}

static int set_up(struct shim *s, const struct options *o, struct err *e)
{
    s->id = o->id;
    s->exec_dir = o->exec_dir;
    s->data_dir = o->data_dir;
    s->lock_fd = s->listener.fd = s->signals.fd = -1;
    s->exec_dir_fd = open(o->exec_dir, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
    if (s->exec_dir_fd < 0)
        return err_os(e, errno, "open %s", o->exec_dir);
    if (launch_leave_session(e) || loop_open(&s->loop, e) || lock(s, e))
        return -1;
    supervise_init(s, o->tty, o->open_stdin, o->stdin_once);
    if (open_signals(s, e) || control_listen(s, e))
        return -1;
    shim_idle_restart(s);
    return 0;
}

static void tear_down(struct shim *s)
{
    control_drop_all(s);
    stdio_release(&s->io);
    oci_command_drop(s);
    loop_drop(&s->loop, &s->signals);
    loop_close(&s->loop);
}

/* When memory runs out the container is to go, not the one who can tell why.  What it starts gets
 * its own value; a shim without privileges stays as it is. */
static void be_spared_by_oom_killer(void)
{
    cleanup_fd int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

    if (fd >= 0)
        (void)!write(fd, "-999", 4);
}

/* The agent shall be nobody's parent: it waits for the process it has started, and that ends here.
 */
static int leave_parent(struct err *e)
{
    pid_t pid = fork();

    if (pid < 0)
        return err_os(e, errno, "fork");
    if (pid > 0)
        _exit(0);
    return 0;
}

static void say_not_ready(int fd, const struct err *e)
{
    if (fd >= 0)
        (void)!write(fd, e->msg, strlen(e->msg)); /* there is nobody else to tell */
    log_error("shim does not start", "reason=%s", log_quote(e->msg));
}

/* In a container whose runtime is a command: what the built-in one does without a program. */
static int be_init(char **argv)
{
    char **command = argv + 1;

    if (*command && str_eq(*command, "--"))
        command++;
    if (!*command) {
        log_error("docker-init ends", "reason=%s", "no command");
        return 1;
    }
    reaper_split(isatty(STDIN_FILENO));
    execvp(*command, command);
    log_error("docker-init: exec failed", "command=%s reason=%s", log_quote(*command),
              strerror(errno));
    return errno == ENOENT ? 127 : 126;
}

int main(int argc, char **argv)
{
    struct options o = {.ready_fd = -1};
    struct shim shim = {0};
    struct err e = ERR_INIT;

    if (argv[0] && str_eq(path_base(argv[0]), "docker-init"))
        return be_init(argv);
    shim_memory_init();
    if (exe_guard(argv, &e) || parse(argc, argv, &o, &e)) {
        log_error("shim does not start", "reason=%s", log_quote(e.msg));
        return 1;
    }
    if (o.ready_fd >= 0)
        (void)fcntl(o.ready_fd, F_SETFD, FD_CLOEXEC);
    prctl(PR_SET_NAME, "ballast-shim");
    if (chdir("/") || leave_parent(&e) || set_up(&shim, &o, &e)) {
        say_not_ready(o.ready_fd, &e);
        return 1;
    }
    be_spared_by_oom_killer();
    fd_close(o.ready_fd);
    shim_memory_trim();
    if (loop_run(&shim.loop, &e)) {
        log_error("shim ends", "reason=%s", log_quote(e.msg));
        return 1; /* the container's first process dies with its parent */
    }
    tear_down(&shim);
    return 0;
}
