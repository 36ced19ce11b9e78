/*
 * process on POSIX: posix_spawn, and waiting on a pidfd.
 *
 * The child gets the descriptors that are named and no others: they are first copied above every
 * number that is wanted (so that "3 as 4, 4 as 3" works), put into place, and everything else is
 * closed, whether somebody forgot O_CLOEXEC or not.
 */
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/fault.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/posix/fd_internal.h"

/* How often waitpid() is asked where the kernel has no pidfd (before 5.3). */
#define SLOW_WAIT_MS 20

extern char **environ;

struct copies {
    int *fd;
    size_t n;
};

static void copies_release(struct copies *c)
{
    for (size_t i = 0; i < c->n; i++)
        fd_close(c->fd[i]);
    free(c->fd);
}

static int highest_target(const struct process_opts *opts)
{
    int highest = 2;

    for (size_t i = 0; i < opts->n_fds; i++)
        if (opts->fds[i].to > highest)
            highest = opts->fds[i].to;
    return highest;
}

static bool is_target(const struct process_opts *opts, int fd)
{
    for (size_t i = 0; i < opts->n_fds; i++)
        if (opts->fds[i].to == fd)
            return true;
    return false;
}

static int copy_above(const struct process_opts *opts, int highest, struct copies *c, struct err *e)
{
    c->fd = xcalloc(opts->n_fds, sizeof(*c->fd));
    for (; c->n < opts->n_fds; c->n++) {
        c->fd[c->n] = fcntl(opts->fds[c->n].from, F_DUPFD_CLOEXEC, highest + 1);
        if (c->fd[c->n] < 0)
            return err_os(e, errno, "descriptor %d for the child", opts->fds[c->n].from);
    }
    return 0;
}

static int place_fds(posix_spawn_file_actions_t *fa, const struct process_opts *opts,
                     const struct copies *c, int highest)
{
    int rc = 0;

    for (size_t i = 0; i < opts->n_fds && !rc; i++)
        rc = posix_spawn_file_actions_adddup2(fa, c->fd[i], opts->fds[i].to);
    for (int fd = 0; fd <= 2 && !rc; fd++)
        if (!is_target(opts, fd))
            rc = posix_spawn_file_actions_addopen(fa, fd, "/dev/null", O_RDWR, 0);
    for (int fd = 3; fd < highest && !rc; fd++)
        if (!is_target(opts, fd))
            rc = posix_spawn_file_actions_addclose(fa, fd);
    if (!rc)
        rc = posix_spawn_file_actions_addclosefrom_np(fa, highest + 1);
    if (!rc && opts->cwd)
        rc = posix_spawn_file_actions_addchdir_np(fa, opts->cwd);
    return rc;
}

static int spawn(const struct process_opts *opts, const struct copies *c, int highest, pid_t *pid)
{
    posix_spawn_file_actions_t fa;
    posix_spawnattr_t attr;
    sigset_t all, none;
    short flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
    int rc;

    sigfillset(&all);
    sigemptyset(&none);
    posix_spawn_file_actions_init(&fa);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setsigdefault(&attr, &all);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setflags(&attr, opts->new_session ? flags | POSIX_SPAWN_SETSID : flags);
    rc = place_fds(&fa, opts, c, highest);
    if (!rc)
        rc = posix_spawnp(pid, opts->program ? opts->program : opts->argv[0], &fa, &attr,
                          (char *const *)opts->argv,
                          opts->envp ? (char *const *)opts->envp : environ);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&fa);
    return rc;
}

int process_spawn(const struct process_opts *opts, struct process *out, struct err *e)
{
    CLEANUP(copies_release) struct copies c = {0};
    int highest = highest_target(opts), rc;
    pid_t pid = -1;

    if (copy_above(opts, highest, &c, e))
        return -1;
    rc = FAULT("process.spawn") ? EAGAIN : spawn(opts, &c, highest, &pid);
    if (rc) {
        err_os(e, rc, "start %s", opts->argv[0]);
        if (rc == ENOENT)
            e->kind = ERR_NOT_FOUND;
        return -1;
    }
    *out = (struct process){.pid = pid};
    return 0;
}

static int open_pidfd(int64_t pid)
{
    if (FAULT("process.pidfd"))
        return -1;
    return (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
}

/* 1: it has ended, *code says how; 0: it runs; -1 */
static int reap(const struct process *p, int *code, struct err *e)
{
    int status;
    pid_t r;

    do {
        r = waitpid((pid_t)p->pid, &status, WNOHANG);
    } while (r < 0 && errno == EINTR);
    if (r < 0)
        return err_os(e, errno, "wait for process %lld", (long long)p->pid);
    if (r == 0)
        return 0;
    *code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    return 1;
}

int process_wait(struct process *p, struct cancel *c, int *code, struct err *e)
{
    cleanup_fd int pidfd = open_pidfd(p->pid);
    int r;

    for (;;) {
        r = reap(p, code, e);
        if (r)
            return r < 0 ? -1 : 0;
        if (fd_wait(pidfd, POLLIN, pidfd < 0 ? SLOW_WAIT_MS : -1, c, e) < 0)
            return -1;
    }
}

void process_kill(struct process *p)
{
    if (p->pid > 0)
        kill((pid_t)p->pid, SIGKILL);
}

/* One run: our ends of the three pipes, -1 once closed. */
struct run {
    int in, out, err;
    const char *left;
    size_t n_left;
    struct buf *out_buf, *err_buf;
};

static void run_release(struct run *r)
{
    fd_close(r->in);
    fd_close(r->out);
    fd_close(r->err);
}

static void close_end(int *fd)
{
    fd_close(*fd);
    *fd = -1;
}

static void feed(struct run *r)
{
    ssize_t n = r->n_left ? fd_write_quietly(r->in, r->left, r->n_left) : 0;

    if (n > 0) {
        r->left += n;
        r->n_left -= (size_t)n;
    }
    /* A program that does not read all its input is not our error: its exit code tells. */
    if (r->n_left == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        close_end(&r->in);
}

/* Reads what is there; past the buffer's maximum it only keeps the program from blocking. */
static void collect(int *fd, struct buf *out)
{
    char chunk[16 * 1024];
    ssize_t n;

    while (*fd >= 0) {
        n = read(*fd, chunk, sizeof(chunk));
        if (n > 0)
            buf_add(out, chunk, (size_t)n);
        else if (n < 0 && errno == EINTR)
            continue;
        else if (n < 0 && errno == EAGAIN)
            return;
        else
            close_end(fd);
    }
}

/* Serves the pipes until the program has ended; a grandchild that keeps them open is not waited
 * for. */
static int serve(struct run *r, struct process *p, struct cancel *c, int *code, struct err *e)
{
    cleanup_fd int pidfd = open_pidfd(p->pid);
    int ended = 0;

    while (!ended) {
        struct pollfd fds[] = {
            {.fd = r->in,                 .events = POLLOUT},
            {.fd = r->out,                .events = POLLIN },
            {.fd = r->err,                .events = POLLIN },
            {.fd = pidfd,                 .events = POLLIN },
            {.fd = c ? cancel_fd(c) : -1, .events = POLLIN },
        };
        bool slow = pidfd < 0 || (c && fds[4].fd < 0);

        if (poll(fds, sizeof(fds) / sizeof(fds[0]), slow ? SLOW_WAIT_MS : -1) < 0 && errno != EINTR)
            return err_os(e, errno, "poll");
        if (cancel_fired(c))
            return err_set(e, ERR_CANCELLED, "cancelled");
        if (fds[0].revents && r->in >= 0)
            feed(r);
        ended = reap(p, code, e);
        collect(&r->out, r->out_buf);
        collect(&r->err, r->err_buf);
    }
    return ended < 0 ? -1 : 0;
}

/* Ours in *our, the child's in *theirs; `ours` is the index of our end in pipe()'s order. */
static int make_pipe(int ours, int *our, int *theirs, struct err *e)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC))
        return err_os(e, errno, "pipe");
    *our = fds[ours];
    *theirs = fds[1 - ours];
    fd_set_nonblocking(*our);
    return 0;
}

static int start_run(const char *const *argv, struct run *r, struct process *p, struct err *e)
{
    cleanup_fd int in = -1, out = -1, err = -1;
    struct process_fd fds[3];
    size_t n = 0;

    if (r->left && make_pipe(1, &r->in, &in, e))
        return -1;
    if (r->out_buf && make_pipe(0, &r->out, &out, e))
        return -1;
    if (r->err_buf && make_pipe(0, &r->err, &err, e))
        return -1;
    if (in >= 0)
        fds[n++] = (struct process_fd){in, 0};
    if (out >= 0)
        fds[n++] = (struct process_fd){out, 1};
    if (err >= 0)
        fds[n++] = (struct process_fd){err, 2};
    return process_spawn(&(struct process_opts){.argv = argv, .fds = fds, .n_fds = n}, p, e);
}

int process_run(const char *const *argv, const char *in, size_t in_len, struct buf *out,
                struct buf *err_out, struct cancel *c, int *code, struct err *e)
{
    CLEANUP(run_release) struct run r = {-1, -1, -1, in, in_len, out, err_out};
    struct process p;
    int ignored;

    if (start_run(argv, &r, &p, e))
        return -1;
    if (serve(&r, &p, c, code, e) == 0)
        return 0;
    process_kill(&p);
    if (process_wait(&p, NULL, &ignored, ERR_IGNORE))
        log_warn("a killed helper could not be reaped", "program=%s", log_quote(argv[0]));
    return err_wrap(e, "%s", argv[0]);
}
