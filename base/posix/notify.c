/* notify on Linux: an eventfd that the waiter empties. */
#include "base/notify.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/mem.h"
#include "base/time.h"

struct notify {
    int fd;
};

struct notify *notify_new(void)
{
    struct notify *n = xcalloc(1, sizeof(*n));

    n->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return n;
}

void notify_ring(struct notify *n)
{
    uint64_t one = 1;

    (void)!write(n->fd, &one, sizeof(one)); /* a full counter means it is ringing already */
}

void notify_free(struct notify *n)
{
    if (!n)
        return;
    if (n->fd >= 0)
        close(n->fd);
    free(n);
}

static int poll_timeout(int64_t deadline_ms)
{
    int64_t left;

    if (deadline_ms < 0)
        return -1;
    left = deadline_ms - time_mono_ms();
    if (left < 0)
        return 0;
    return left > 3600 * 1000 ? 3600 * 1000 : (int)left;
}

int notify_wait(struct notify *n, struct cancel *c, int64_t deadline_ms, struct err *e)
{
    struct pollfd fds[2] = {
        {.fd = n->fd,                 .events = POLLIN},
        {.fd = c ? cancel_fd(c) : -1, .events = POLLIN},
    };
    uint64_t count;

    for (;;) {
        int r = poll(fds, 2, poll_timeout(deadline_ms));

        if (r < 0 && errno != EINTR)
            return err_os(e, errno, "poll");
        if (r > 0 && fds[0].revents) {
            (void)!read(n->fd, &count, sizeof(count));
            return 1;
        }
        if (r > 0 && fds[1].revents)
            return err_set(e, ERR_CANCELLED, "cancelled");
        if (deadline_ms >= 0 && time_mono_ms() >= deadline_ms)
            return 0;
    }
}
