/* notify on Linux: an eventfd that the waiter empties. */
#include "base/notify.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/posix/fd_internal.h"
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

int notify_wait(struct notify *n, struct cancel *c, int64_t deadline_ms, struct err *e)
{
    int64_t left = -1;
    uint64_t count;
    int r;

    if (deadline_ms >= 0) {
        left = deadline_ms - time_mono_ms();
        left = left < 0 ? 0 : left;
    }
    r = fd_wait(n->fd, POLLIN, left, c, e);
    if (r == 1)
        (void)!read(n->fd, &count, sizeof(count));
    return r;
}
