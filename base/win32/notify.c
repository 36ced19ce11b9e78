/* notify on Windows: an event that resets itself when somebody has seen it. */
#include "base/notify.h"

#include "base/mem.h"
#include "base/time.h"
#include "base/win32/win_internal.h"

struct notify {
    HANDLE event;
};

struct notify *notify_new(void)
{
    struct notify *n = xcalloc(1, sizeof(*n));

    n->event = win_event(false);
    return n;
}

void notify_ring(struct notify *n)
{
    SetEvent(n->event);
}

void notify_free(struct notify *n)
{
    if (!n)
        return;
    CloseHandle(n->event);
    free(n);
}

int notify_wait(struct notify *n, struct cancel *c, int64_t deadline_ms, struct err *e)
{
    int64_t left = -1;

    if (deadline_ms >= 0) {
        left = deadline_ms - time_mono_ms();
        left = left < 0 ? 0 : left;
    }
    return win_wait(n->event, left, c, e);
}
