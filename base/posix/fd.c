/* fd: what every file here that waits for a descriptor shares. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/fs.h"
#include "base/posix/fd_internal.h"
#include "base/time.h"

/* How often a switch without a descriptor is looked at. */
#define SLOW_POLL_MS 100

void fd_close(int fd)
{
    int saved = errno;

    if (fd >= 0)
        close(fd);
    errno = saved;
}

bool fd_is_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    return flags >= 0 && (flags & O_NONBLOCK);
}

void fd_set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags >= 0)
        fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

static int poll_timeout(int64_t left_ms, bool slow_switch)
{
    if (slow_switch && (left_ms < 0 || left_ms > SLOW_POLL_MS))
        return SLOW_POLL_MS;
    return left_ms > INT32_MAX ? INT32_MAX : (int)left_ms;
}

int fd_wait(int fd, short events, int64_t timeout_ms, struct cancel *c, struct err *e)
{
    struct pollfd fds[2] = {
        {.fd = fd,                    .events = events},
        {.fd = c ? cancel_fd(c) : -1, .events = POLLIN},
    };
    bool slow_switch = c && fds[1].fd < 0;
    int64_t deadline = timeout_ms < 0 ? -1 : time_mono_ms() + timeout_ms;

    for (;;) {
        int64_t left = -1;

        if (deadline >= 0) {
            left = deadline - time_mono_ms();
            left = left < 0 ? 0 : left;
        }
        if (poll(fds, 2, poll_timeout(left, slow_switch)) < 0) {
            if (errno == EINTR)
                continue;
            return err_os(e, errno, "poll");
        }
        if (c && cancel_fired(c))
            return err_set(e, ERR_CANCELLED, "cancelled");
        if (fds[0].revents)
            return 1;
        if (left == 0)
            return 0;
    }
}

ssize_t fd_write_quietly(int fd, const void *buf, size_t n)
{
    sigset_t pipe_only, before, pending;
    struct timespec now = {0};
    ssize_t r;
    int saved;

    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
    r = write(fd, buf, n);
    saved = errno;
    /* The signal goes to the writing thread: take it back, unless one was waiting before. */
    if (r < 0 && saved == EPIPE && !sigismember(&pending, SIGPIPE))
        while (sigtimedwait(&pipe_only, NULL, &now) < 0 && errno == EINTR)
            ;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = saved;
    return r;
}
