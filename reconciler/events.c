/*
 * events: stored, numbered, and handed to whoever subscribed.
 *
 * A subscriber that wants the past gets it from the database; the queue is attached first and the
 * two overlap, so nothing is missed, and what the queue repeats is recognised by its number.  A
 * subscriber too slow for EVENT_QUEUE events is told so by an error, not by silence.
 */
#include <string.h>

#include "base/log.h"
#include "reconciler/engine_internal.h"

void events_close(struct engine *g)
{
    mutex_lock(&g->lock);
    for (struct event_sub *s = g->subs; s; s = s->next)
        notify_ring(s->bell);
    mutex_unlock(&g->lock);
}

static void publish(struct engine *g, const struct event *ev)
{
    mutex_lock(&g->lock);
    for (struct event_sub *s = g->subs; s; s = s->next) {
        if (ev->seq && ev->seq <= s->past)
            continue; /* it has been read from the database */
        if (s->count == EVENT_QUEUE) {
            s->overflowed = true;
        } else {
            event_copy(&s->queue[(s->head + s->count) % EVENT_QUEUE], ev);
            s->count++;
        }
        notify_ring(s->bell);
    }
    mutex_unlock(&g->lock);
}

void engine_event(struct engine *g, struct event *ev)
{
    struct err e = ERR_INIT;

    if (state_event_add(g->st, ev, &e))
        log_warn("event not stored, ignoring", "type=%s action=%s error=%s", ev->type, ev->action,
                 log_quote(e.msg));
    publish(g, ev);
    if (strcmp(ev->type, "image") == 0)
        apps_try_again(g); /* what they failed for may be there now */
    event_release(ev);
}

void engine_event_passing(struct engine *g, struct event *ev)
{
    publish(g, ev);
    event_release(ev);
}

void event_for_container(struct event *ev, const char *action, const struct container *c,
                         const char *by)
{
    event_init(ev, "container", action, c->id);
    kvs_copy(&ev->attributes, &c->spec->labels);
    kvs_set(&ev->attributes, "image", c->spec->image);
    kvs_set(&ev->attributes, "name", c->name);
    if (by)
        kvs_set(&ev->attributes, "by", by);
}

void event_emit_container(struct engine *g, const char *action, const struct container *c,
                          const char *by)
{
    struct event ev;

    event_for_container(&ev, action, c, by);
    engine_event(g, &ev);
}

void event_emit_kill(struct engine *g, const struct container *c, int sig, const char *by)
{
    struct event ev;

    event_for_container(&ev, "kill", c, by);
    kvs_setf(&ev.attributes, "signal", "%d", sig);
    engine_event(g, &ev);
}

/* ------------------------------------------------------------------ subscribing */

static struct event *slot(struct event_sub *s, size_t i)
{
    return &s->queue[(s->head + i) % EVENT_QUEUE];
}

struct past {
    struct event *v;
    size_t n, cap;
};

static int keep_past(void *arg, const struct event *ev, struct err *e)
{
    struct past *p = arg;

    (void)e;
    if (p->n == EVENT_QUEUE / 2) { /* the newest are kept */
        event_release(&p->v[0]);
        memmove(p->v, p->v + 1, (p->n - 1) * sizeof(*p->v));
        p->n--;
    }
    if (p->n == p->cap) {
        p->cap = p->cap ? p->cap * 2 : 16;
        p->v = xrealloc(p->v, p->cap * sizeof(*p->v));
    }
    event_copy(&p->v[p->n++], ev);
    return 0;
}

/* Puts the past in front of what has come in since, without repeating. */
static void prepend(struct event_sub *s, struct past *p)
{
    struct event *joined = xcalloc(EVENT_QUEUE, sizeof(*joined));
    int64_t last = p->n ? p->v[p->n - 1].seq : 0;
    size_t n = 0;

    for (size_t i = 0; i < p->n; i++)
        joined[n++] = p->v[i];
    for (size_t i = 0; i < s->count; i++) {
        if (slot(s, i)->seq > last && n < EVENT_QUEUE)
            joined[n++] = *slot(s, i);
        else
            event_release(slot(s, i));
    }
    free(s->queue);
    s->queue = joined;
    s->head = 0;
    s->count = n;
    s->past = last;
    if (n)
        notify_ring(s->bell);
}

int events_subscribe(struct engine *g, int64_t since_ns, struct event_sub **out, struct err *e)
{
    struct event_sub *s = xcalloc(1, sizeof(*s));
    struct past past = {0};
    int r = 0;

    s->g = g;
    s->bell = notify_new();
    s->queue = xcalloc(EVENT_QUEUE, sizeof(*s->queue));
    mutex_lock(&g->lock);
    s->next = g->subs;
    g->subs = s;
    mutex_unlock(&g->lock);

    if (since_ns != TIME_ZERO)
        r = state_event_each(g->st, since_ns, TIME_ZERO, NULL, keep_past, &past, e);
    if (r == 0) {
        mutex_lock(&g->lock);
        prepend(s, &past);
        mutex_unlock(&g->lock);
        *out = s;
    } else {
        for (size_t i = 0; i < past.n; i++)
            event_release(&past.v[i]);
        events_unsubscribe(s);
    }
    free(past.v);
    return r;
}

int events_next(struct event_sub *s, int64_t deadline_ms, struct cancel *c, struct event *out,
                struct err *e)
{
    for (;;) {
        bool got = false, lost = false;
        int r;

        mutex_lock(&s->g->lock);
        if (s->count) {
            *out = *slot(s, 0);
            s->head = (s->head + 1) % EVENT_QUEUE;
            s->count--;
            got = true;
        } else if (s->overflowed) {
            lost = true;
        }
        mutex_unlock(&s->g->lock);
        if (got)
            return 0;
        if (lost)
            return err_set(e, ERR_IO, "events were lost: this reader is too slow");
        r = notify_wait(s->bell, c, deadline_ms, e);
        if (r < 0)
            return -1;
        if (r == 0)
            return err_set(e, ERR_TIMEOUT, "no event until the deadline");
    }
}

void events_unsubscribe(struct event_sub *s)
{
    struct event_sub **link;

    if (!s)
        return;
    mutex_lock(&s->g->lock);
    for (link = &s->g->subs; *link && *link != s; link = &(*link)->next)
        ;
    if (*link)
        *link = s->next;
    mutex_unlock(&s->g->lock);
    for (size_t i = 0; i < s->count; i++)
        event_release(slot(s, i));
    free(s->queue);
    notify_free(s->bell);
    free(s);
}
