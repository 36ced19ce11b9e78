/*
 * conn: the life of one connection: read a head, answer, read what is left of the body, again.
 *
 * A handler may answer before it has read the body (full duplex).  What it left unread is read and
 * forgotten up to DRAIN_MAX; more than that, and the connection is closed instead.
 */
#include "api/conn.h"

#include <stdio.h>
#include <string.h>

#include "api/request.h"
#include "base/cancel.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"

#define DRAIN_MAX (256 * 1024)

static void name_peer(const struct conn *c, char *out, size_t size)
{
    if (c->peer.uid >= 0)
        snprintf(out, size, "api uid=%lld pid=%lld", (long long)c->peer.uid,
                 (long long)c->peer.pid);
    else
        snprintf(out, size, "api %s", c->peer.address);
}

/* -------------------------------------------------------------- the watch */

/*
 * Reading ahead is the only way to see a client hang up on every kind of stream, so a thread does
 * that while the handler writes.  Bytes that arrive (the next request) end the watch.  A client
 * that is only done writing still wants its answer, where the two can be told apart.
 */
struct watch {
    struct request *rq;
    struct cancel *stop;
    struct thread thread;
};

static void watch_client(void *arg)
{
    struct watch *w = arg;
    struct err e = ERR_INIT;
    bool eof = false;

    if (http_reader_wait(&w->rq->conn->in, &eof, &e))
        eof = e.kind != ERR_CANCELLED;
    if (!eof)
        return;
    if (stream_wait_gone(w->rq->conn->io, w->stop, &e) && e.kind == ERR_CANCELLED)
        return;
    cancel_fire(w->rq->cancel);
}

int request_watch(struct request *rq, struct err *e)
{
    struct watch *w;

    conn_ends_at_close(rq->conn);
    /* A small body that nobody reads would hide the hang-up behind it. */
    if (rq->watch || !http_body_drain(&rq->body, DRAIN_MAX))
        return 0;
    w = xcalloc(1, sizeof(*w));
    w->rq = rq;
    w->stop = cancel_new();
    rq->conn->in.cancel = w->stop;
    if (thread_start(&w->thread, "api-watch", watch_client, w, e)) {
        rq->conn->in.cancel = rq->cancel;
        cancel_free(w->stop);
        free(w);
        return -1;
    }
    rq->watch = w;
    return 0;
}

void request_unwatch(struct request *rq)
{
    struct watch *w = rq->watch;

    if (!w)
        return;
    cancel_fire(w->stop);
    thread_join(&w->thread);
    rq->conn->in.cancel = rq->cancel;
    cancel_free(w->stop);
    free(w);
    rq->watch = NULL;
}

/* ------------------------------------------------------------ one request */

/* Errors of the version go out as they are; -1 then, and the answer is out. */
static int choose_version(struct request *rq, const char *version, struct err *e)
{
    struct err why = ERR_INIT;
    char text[ERR_MSG_MAX + 2];
    bool plain;

    if (!*version || !version_parse(version, &rq->version, &plain, &why))
        return 0;
    if (!plain) {
        *e = why;
        return -1;
    }
    snprintf(text, sizeof(text), "%s\n", why.msg);
    res_header(rq, "X-Content-Type-Options", "nosniff");
    return res_text(rq, 400, text, e);
}

static int not_implemented(const struct route *route, struct err *e)
{
    return err_set(e, ERR_UNSUPPORTED, "%s %s is not implemented by this engine yet", route->method,
                   route->pattern);
}

static int dispatch(struct request *rq, struct err *e)
{
    const struct api *a = rq->conn->api;
    char version[ROUTE_VERSION_MAX];
    const char *path = route_version(rq->path, version);
    const struct route *route;
    struct route_args args;

    route = route_find(a->routes, a->n_routes, rq->head->method, path, &args, e);
    if (!route || choose_version(rq, version, e))
        return -1;
    if (rq->res.sent)
        return 0;
    if (!route->handle)
        return not_implemented(route, e);
    if (request_set_args(rq, &args) || request_read_form(rq, e))
        return -1;
    return route->handle(rq, e);
}

/* An error that came too late for a status: the client must see that the answer is cut short. */
static void fail(struct request *rq, const struct err *why)
{
    if (rq->res.sent || rq->res.hijacked) {
        rq->res.close = true;
        return;
    }
    if (res_error(rq, why))
        rq->res.close = true;
}

static void finish(struct request *rq, int rc, struct err *e)
{
    if (rc)
        fail(rq, e);
    else if (!rq->res.hijacked &&
             ((!rq->res.sent && res_empty(rq, 200, e)) || (!rq->res.ended && res_end(rq, e))))
        rq->res.close = true;
    /* Before closing, too: what is left unread would reset the connection under the answer. */
    if (!rq->res.hijacked && !http_body_drain(&rq->body, DRAIN_MAX))
        rq->res.close = true;
}

static void log_request(const struct request *rq, const struct err *e, int64_t start_ms)
{
    log_debug("request", "method=%s target=%s by=%s ms=%lld%s%s", rq->head->method,
              log_quote(rq->head->target), log_quote(rq->by),
              (long long)(time_mono_ms() - start_ms), e->kind ? " error=" : "",
              e->kind ? log_quote(e->msg) : "");
}

/* True when the connection can be used again. */
static bool answer(struct conn *c, const struct http_head *head)
{
    struct request rq = {.cfg = &c->api->cfg, .engine = c->api->engine, .conn = c};
    struct err e = ERR_INIT;
    int64_t start_ms = time_mono_ms();
    bool again;
    int rc;

    rq.cancel = cancel_new();
    c->in.cancel = rq.cancel;
    conn_begin_request(c, rq.cancel);
    name_peer(c, rq.by, sizeof(rq.by));
    http_body_init(&rq.body, &c->in, head);
    rc = request_init(&rq, head, &e) || dispatch(&rq, &e) ? -1 : 0;
    request_unwatch(&rq);
    finish(&rq, rc, &e);
    log_request(&rq, &e, start_ms);
    again = !rq.res.close && !rq.res.hijacked;
    conn_end_request(c);
    cancel_free(rq.cancel);
    request_release(&rq);
    return again;
}

/* What is not HTTP, or no HTTP of ours. */
static void reject(struct conn *c, int status, const struct err *why)
{
    cleanup_buf struct buf out = BUF_INIT(HTTP_HEAD_MAX);
    cleanup_buf struct buf json = BUF_INIT(HTTP_HEAD_MAX);

    error_json(why->msg, &json);
    http_start_response(&out, status, NULL);
    res_common_headers(&out);
    http_add_header(&out, "Content-Type", "application/json");
    http_add_headerf(&out, "Content-Length", "%zu", json.len);
    http_add_header(&out, "Connection", "close");
    http_end_head(&out);
    buf_add(&out, json.data, json.len);
    (void)stream_write(c->io, out.data, out.len, c->api->closing, ERR_IGNORE);
    (void)stream_close_write(c->io, ERR_IGNORE);
}

static bool serve_one(struct conn *c)
{
    cleanup_http_head struct http_head head = {0};
    struct err e = ERR_INIT;
    int status;
    bool eof;

    c->in.cancel = c->idle;
    http_reader_idle(&c->in);
    conn_begin_idle(c);
    if (http_reader_wait(&c->in, &eof, &e) || eof)
        return false;
    conn_begin_head(c);
    if (http_read_request(&c->in, &head, &eof, &status, &e)) {
        if (e.kind == ERR_INVALID)
            reject(c, status, &e);
        return false;
    }
    if (eof)
        return false;
    if (head.expectation) {
        err_set(&e, ERR_INVALID, "Expectation Failed");
        reject(c, 417, &e);
        return false;
    }
    return answer(c, &head) && conn_may_go_on(c);
}

void conn_serve(void *arg)
{
    struct conn *c = arg;

    while (serve_one(c))
        ;
    stream_free(c->io);
    http_reader_release(&c->in);
    conn_forget(c);
    free(c);
}
