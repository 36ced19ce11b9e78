/*
 * server: listeners, the list of connections, and the end of both.
 *
 * Closing has three steps: the switch `closing` ends accepting and idle connections; requests that
 * only wait or stream are cancelled; the others get their grace and are cancelled then.
 */
#include <stdio.h>

#include "api/conn.h"
#include "base/cancel.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"

#define MAX_CONNECTIONS 1000

int api_new(const struct api_config *cfg, struct engine *g, struct api **out, struct err *e)
{
    struct api *a = xcalloc(1, sizeof(*a));

    (void)e;
    a->cfg = *cfg;
    if (a->cfg.max_connections <= 0)
        a->cfg.max_connections = MAX_CONNECTIONS;
    a->engine = g;
    a->closing = cancel_new();
    a->head_ms = HEAD_MS;
    a->routes = routes;
    a->n_routes = n_routes;
    mutex_init(&a->lock);
    cond_init(&a->changed);
    cond_init(&a->head_began);
    *out = a;
    return 0;
}

void api_set_routes(struct api *a, const struct route *table, size_t n)
{
    a->routes = table;
    a->n_routes = n;
}

/* ------------------------------------------------------------- connections */

void api_set_head_ms(struct api *a, int64_t ms)
{
    mutex_lock(&a->lock);
    a->head_ms = ms;
    mutex_unlock(&a->lock);
}

/* Ends the one that has idled longest, if there is one. */
static bool make_room(struct api *a) REQUIRES(a->lock)
{
    struct conn *oldest = NULL;

    for (struct conn *c = a->conns; c; c = c->next)
        if (c->idle_since_ms && !cancel_fired(c->idle) &&
            (!oldest || c->idle_since_ms < oldest->idle_since_ms))
            oldest = c;
    if (oldest)
        cancel_fire(oldest->idle);
    return oldest;
}

/* False when there are too many that do something, or when the server closes. */
static bool remember(struct conn *c)
{
    struct api *a = c->api;
    bool room;

    mutex_lock(&a->lock);
    room = !a->closed && (a->n_conns < a->cfg.max_connections || make_room(a));
    if (room) {
        c->next = a->conns;
        if (a->conns)
            a->conns->prev = c;
        a->conns = c;
        a->n_conns++;
    }
    mutex_unlock(&a->lock);
    return room;
}

void conn_forget(struct conn *c)
{
    struct api *a = c->api;

    mutex_lock(&a->lock);
    if (c->prev)
        c->prev->next = c->next;
    else
        a->conns = c->next;
    if (c->next)
        c->next->prev = c->prev;
    a->n_conns--;
    cancel_free(c->idle); /* under the lock: others fire it, and its parent may go next */
    cond_broadcast(&a->changed);
    mutex_unlock(&a->lock);
}

void conn_begin_idle(struct conn *c)
{
    mutex_lock(&c->api->lock);
    c->idle_since_ms = time_mono_ms();
    mutex_unlock(&c->api->lock);
}

void conn_begin_head(struct conn *c)
{
    struct api *a = c->api;

    mutex_lock(&a->lock);
    c->idle_since_ms = 0;
    c->head_due_ms = time_mono_ms() + a->head_ms;
    if (a->clock_rests)
        cond_signal(&a->head_began);
    mutex_unlock(&a->lock);
}

/* Ends heads that are overdue.  The next of them is due at..., or 0. */
static int64_t end_overdue(struct api *a) REQUIRES(a->lock)
{
    int64_t now = time_mono_ms(), next = 0;

    for (struct conn *c = a->conns; c; c = c->next) {
        if (!c->head_due_ms)
            continue;
        if (c->head_due_ms <= now) {
            cancel_fire(c->idle);
            c->head_due_ms = 0;
        } else if (!next || c->head_due_ms < next) {
            next = c->head_due_ms;
        }
    }
    return next;
}

/* All heads have the same time, so one that begins while others are due is never the next. */
static void clock_thread(void *arg)
{
    struct api *a = arg;

    mutex_lock(&a->lock);
    while (!a->closed) {
        int64_t next = end_overdue(a);

        a->clock_rests = !next;
        if (next)
            (void)!cond_wait_until(&a->head_began, &a->lock, next);
        else
            cond_wait(&a->head_began, &a->lock);
    }
    mutex_unlock(&a->lock);
}

void conn_begin_request(struct conn *c, struct cancel *cancel)
{
    mutex_lock(&c->api->lock);
    c->head_due_ms = 0;
    c->cancel = cancel;
    c->ends_at_close = false;
    if (c->api->hurried)
        cancel_fire(cancel);
    mutex_unlock(&c->api->lock);
}

void conn_end_request(struct conn *c)
{
    mutex_lock(&c->api->lock);
    c->cancel = NULL;
    mutex_unlock(&c->api->lock);
}

void conn_ends_at_close(struct conn *c)
{
    mutex_lock(&c->api->lock);
    c->ends_at_close = true;
    if (c->api->closed && c->cancel)
        cancel_fire(c->cancel);
    mutex_unlock(&c->api->lock);
}

bool conn_may_go_on(struct conn *c)
{
    bool open;

    mutex_lock(&c->api->lock);
    open = !c->api->closed;
    mutex_unlock(&c->api->lock);
    return open;
}

static void refuse(struct stream *io)
{
    static const char text[] = "HTTP/1.1 503 Service Unavailable\r\n"
                               "Content-Type: application/json\r\n"
                               "Content-Length: 35\r\n"
                               "Connection: close\r\n\r\n"
                               "{\"message\":\"too many connections\"}\n";

    (void)stream_write(io, text, sizeof(text) - 1, NULL, ERR_IGNORE);
    stream_free(io);
}

static void accept_one(struct api *a, struct stream *io, const struct peer *peer)
{
    struct err e = ERR_INIT;
    struct conn *c = xcalloc(1, sizeof(*c));

    *c = (struct conn){.api = a, .io = io, .peer = *peer, .idle = cancel_new_child(a->closing)};
    http_reader_init(&c->in, io, c->idle);
    if (!remember(c)) {
        cancel_free(c->idle);
        free(c);
        refuse(io);
        return;
    }
    if (thread_start_detached("api", conn_serve, c, &e)) {
        log_warn("connection refused", "error=%s", log_quote(e.msg));
        conn_forget(c);
        free(c);
        refuse(io);
    }
}

/* --------------------------------------------------------------- listeners */

static void accept_loop(void *arg)
{
    struct api_listener *al = arg;

    for (;;) {
        struct stream *io;
        struct peer peer;
        struct err e = ERR_INIT;

        if (!listener_accept(al->l, al->api->closing, &io, &peer, &e)) {
            accept_one(al->api, io, &peer);
            continue;
        }
        if (e.kind == ERR_CANCELLED)
            return;
        /* No descriptors left, most likely: connections will end and free some. */
        log_warn("accept failed", "address=%s error=%s", listener_address(al->l), log_quote(e.msg));
        time_sleep_ms(100);
    }
}

int api_listen(struct api *a, struct listener *l, struct err *e)
{
    struct api_listener *al = xcalloc(1, sizeof(*al));

    al->api = a;
    al->l = l;
    if (!a->clock.started && thread_start(&a->clock, "api-clock", clock_thread, a, e)) {
        free(al);
        listener_free(l);
        return -1;
    }
    if (thread_start(&al->thread, "api-accept", accept_loop, al, e)) {
        free(al);
        listener_free(l);
        return -1;
    }
    al->next = a->listeners;
    a->listeners = al;
    return 0;
}

/* ----------------------------------------------------------------- closing */

static void fire_all(struct api *a, bool waiting_only) REQUIRES(a->lock)
{
    for (struct conn *c = a->conns; c; c = c->next)
        if (c->cancel && (!waiting_only || c->ends_at_close))
            cancel_fire(c->cancel);
}

static void wait_for_connections(struct api *a, int64_t grace_ms)
{
    int64_t deadline = time_mono_ms() + grace_ms;

    mutex_lock(&a->lock);
    a->closed = true;
    cond_signal(&a->head_began);
    fire_all(a, true);
    while (a->n_conns > 0 && cond_wait_until(&a->changed, &a->lock, deadline))
        ;
    a->hurried = true;
    fire_all(a, false);
    while (a->n_conns > 0)
        cond_wait(&a->changed, &a->lock);
    mutex_unlock(&a->lock);
}

void api_close(struct api *a, int64_t grace_ms)
{
    cancel_fire(a->closing);
    while (a->listeners) {
        struct api_listener *al = a->listeners;

        a->listeners = al->next;
        thread_join(&al->thread);
        listener_free(al->l);
        free(al);
    }
    wait_for_connections(a, grace_ms);
    thread_join(&a->clock);
    cancel_free(a->closing);
    cond_destroy(&a->head_began);
    cond_destroy(&a->changed);
    mutex_destroy(&a->lock);
    free(a);
}
