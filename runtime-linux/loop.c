/* loop: see loop.h. */
#include "runtime-linux/loop.h"

#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/time.h"

int loop_open(struct loop *l, struct err *e)
{
    *l = (struct loop){.epoll = epoll_create1(EPOLL_CLOEXEC)};
    return l->epoll < 0 ? err_os(e, errno, "epoll_create1") : 0;
}

void loop_close(struct loop *l)
{
    fd_close(l->epoll);
    l->epoll = -1;
}

void loop_watch(struct loop *l, struct source *s, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data.ptr = s};

    if (s->fd < 0 || (s->registered && s->events == events))
        return;
    /* A regular file cannot be polled (EPERM): it is never waited for here. */
    if (epoll_ctl(l->epoll, s->registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, s->fd, &ev) == 0) {
        s->registered = true;
        s->events = events;
    }
}

void loop_unwatch(struct loop *l, struct source *s)
{
    if (s->registered)
        epoll_ctl(l->epoll, EPOLL_CTL_DEL, s->fd, NULL);
    s->registered = false;
}

void loop_drop(struct loop *l, struct source *s)
{
    loop_unwatch(l, s);
    fd_close(s->fd);
    s->fd = -1;
}

void loop_timer_set(struct loop *l, struct timer *t, int64_t in_ms)
{
    t->at_ms = time_mono_ms() + in_ms;
    if (t->linked)
        return;
    t->linked = true;
    t->next = l->timers;
    l->timers = t;
}

void loop_timer_clear(struct loop *l, struct timer *t)
{
    struct timer **p = &l->timers;

    while (*p && *p != t)
        p = &(*p)->next;
    if (*p)
        *p = t->next;
    t->linked = false;
    t->at_ms = 0;
}

static int wait_ms(const struct loop *l)
{
    int64_t next = INT64_MAX, now;

    for (const struct timer *t = l->timers; t; t = t->next)
        if (t->at_ms < next)
            next = t->at_ms;
    if (next == INT64_MAX)
        return -1;
    now = time_mono_ms();
    return next <= now ? 0 : next - now > INT_MAX ? INT_MAX : (int)(next - now);
}

/* One timer at a time: firing may change the list. */
static void fire_due(struct loop *l)
{
    int64_t now = time_mono_ms();
    struct timer *t = l->timers;

    while (t && t->at_ms > now)
        t = t->next;
    if (!t)
        return;
    loop_timer_clear(l, t);
    t->fire(t->owner);
}

int loop_run(struct loop *l, struct err *e)
{
    while (!l->quit) {
        struct epoll_event ev;
        int n = epoll_wait(l->epoll, &ev, 1, wait_ms(l));

        if (n < 0 && errno != EINTR)
            return err_os(e, errno, "epoll_wait");
        if (n > 0) {
            struct source *s = ev.data.ptr;

            s->ready(s->owner, ev.events);
        }
        if (l->timers)
            fire_due(l);
    }
    return 0;
}
