/*
 * conn: one client's connection, and the server that owns it.  Private to server.c, conn.c, and the
 * files that write to the connection.
 *
 * A connection has one thread.  Between two requests it waits on `idle`, a child of the server's
 * `closing` switch, and holds neither a buffer nor a request.  While a request runs, `cancel` is
 * that request's switch; the server fires it at the end, at once when `ends_at_close` says that the
 * handler only waits or streams.
 *
 * Nobody holds a place for nothing: a head that has begun must be whole within HEAD_MS, and when
 * all places are taken, the connection that has idled longest makes room.
 */
#pragma once

#include <stdbool.h>

#include "api/api.h"
#include "api/route.h"
#include "base/http.h"
#include "base/listener.h"
#include "base/sync.h"

struct conn {
    struct api *api;
    struct stream *io;
    struct peer peer;
    struct http_reader in;
    struct cancel *cancel GUARDED_BY(api->lock); /* NULL while idle */
    bool ends_at_close GUARDED_BY(api->lock);
    struct cancel *idle;
    int64_t idle_since_ms GUARDED_BY(api->lock); /* 0: a request runs */
    int64_t head_due_ms GUARDED_BY(api->lock);   /* 0: no head has begun */
    struct conn *next, *prev;
};

struct api_listener {
    struct api *api;
    struct listener *l;
    struct thread thread;
    struct api_listener *next;
};

struct api {
    struct api_config cfg;
    struct engine *engine;
    struct cancel *closing; /* wakes accept() and idle connections */
    struct api_listener *listeners;
    const struct route *routes;
    size_t n_routes;

    struct mutex lock;
    int64_t head_ms GUARDED_BY(lock);
    struct cond changed; /* a connection has gone */
    struct thread clock;
    struct cond head_began;
    bool clock_rests GUARDED_BY(lock); /* no head is due */
    struct conn *conns GUARDED_BY(lock);
    int n_conns GUARDED_BY(lock);
    bool closed GUARDED_BY(lock);
    bool hurried GUARDED_BY(lock); /* the grace is over: no request runs any longer */
};

#define HEAD_MS (30 * 1000)
/* For tests: another time than HEAD_MS. */
void api_set_head_ms(struct api *a, int64_t ms);

/* The connection's thread; frees it. */
void conn_serve(void *conn);
void conn_begin_idle(struct conn *c);
/* The first byte of a head is there. */
void conn_begin_head(struct conn *c);
void conn_begin_request(struct conn *c, struct cancel *cancel);
void conn_end_request(struct conn *c);
void conn_ends_at_close(struct conn *c);
/* Takes it out of the server's list. */
void conn_forget(struct conn *c);
/* The request under way ended; is the server still open? */
bool conn_may_go_on(struct conn *c);
/* For tests: another table, before api_listen(). */
void api_set_routes(struct api *a, const struct route *table, size_t n);
