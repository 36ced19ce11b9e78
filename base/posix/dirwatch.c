/*
 * dirwatch on Linux: inotify, read only for "something happened".
 *
 * What happened is not passed on: the caller looks at the directory anyway, and a lost event (a
 * full queue) then costs one look more instead of a missed change.
 */
#include "base/dirwatch.h"

#include <errno.h>
#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/posix/fd_internal.h"

#define EVENTS                                                                          \
    (IN_CREATE | IN_DELETE | IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | \
     IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

struct dirwatch {
    int fd;
};

int dirwatch_open(struct dirwatch **out, struct err *e)
{
    int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

    if (fd < 0)
        return err_os(e, errno, "watch directories");
    *out = xcalloc(1, sizeof(**out));
    (*out)->fd = fd;
    return 0;
}

int dirwatch_add(struct dirwatch *w, const char *dir, struct err *e)
{
    if (inotify_add_watch(w->fd, dir, EVENTS) >= 0)
        return 0;
    err_os(e, errno, "watch %s", dir);
    if (e->os_code == ENOENT)
        e->kind = ERR_NOT_FOUND;
    return -1;
}

int dirwatch_wait(struct dirwatch *w, int64_t timeout_ms, struct cancel *c, struct err *e)
{
    char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
    int r = fd_wait(w->fd, POLLIN, timeout_ms, c, e);
    ssize_t n;

    if (r <= 0)
        return r;
    do {
        n = read(w->fd, events, sizeof(events));
    } while (n > 0 || (n < 0 && errno == EINTR));
    return n < 0 && errno != EAGAIN ? err_os(e, errno, "watch directories") : 1;
}

void dirwatch_free(struct dirwatch *w)
{
    if (!w)
        return;
    close(w->fd);
    free(w);
}
