/* response: heads and bodies of answers.  See response.h. */
#include "api/response.h"

#include <string.h>
#include <time.h>

#include "api/conn.h"
#include "api/request.h"
#include "base/http.h"
#include "base/json.h"
#include "base/version.h"

#define JOINED_MAX (16 * 1024) /* bodies up to this go out together with the head */

static const int status_of[] = {
    [ERR_OK] = 200,          [ERR_INVALID] = 400,     [ERR_NOT_FOUND] = 404,
    [ERR_CONFLICT] = 409,    [ERR_DENIED] = 403,      [ERR_NOT_MODIFIED] = 304,
    [ERR_UNSUPPORTED] = 501, [ERR_UNAVAILABLE] = 503, [ERR_CANCELLED] = 500,
    [ERR_TIMEOUT] = 500,     [ERR_IO] = 500,          [ERR_INTERNAL] = 500,
};

int res_status_of(enum err_kind kind)
{
    return status_of[kind];
}

void error_json(const char *message, struct buf *out)
{
    struct jsonw w = JSONW_INIT(out);

    jsonw_obj(&w);
    jsonw_kstr(&w, "message", message);
    jsonw_end_obj(&w);
    buf_add(out, "\n", 1);
}

void res_common_headers(struct buf *out)
{
    buf_addf(out, "Api-Version: " API_VERSION_MAX "\r\n"
                  "Docker-Experimental: false\r\n"
                  "Ostype: linux\r\n"
                  "Server: Ballast/" BALLAST_VERSION " (linux)\r\n");
}

static void add_date(struct buf *out)
{
    time_t now = time(NULL);
    char text[64];
    struct tm tm;

    gmtime_r(&now, &tm);
    if (strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm) > 0)
        http_add_header(out, "Date", text);
}

void res_header(struct request *rq, const char *name, const char *value)
{
    http_add_header(&rq->res.extra, name, value);
}

/*
 * Whoever has not been told "100 Continue" by now will not be: what it sends instead of the body is
 * unknown, so the connection cannot be used again.
 */
static void settle_expectation(struct request *rq)
{
    if (!rq->body.send_continue)
        return;
    rq->body.send_continue = false;
    rq->body.done = true;
    rq->res.close = true;
}

static void start_head(struct request *rq, int status, const char *type, struct buf *out)
{
    settle_expectation(rq);
    http_start_response(out, status, NULL);
    res_common_headers(out);
    if (type)
        http_add_header(out, "Content-Type", type);
    buf_add(out, rq->res.extra.data, rq->res.extra.len);
    add_date(out);
    if (!rq->head->keep_alive)
        rq->res.close = true;
    if (rq->res.close)
        http_add_header(out, "Connection", "close");
    else if (rq->head->minor == 0)
        http_add_header(out, "Connection", "keep-alive");
    rq->res.sent = true;
}

static int send_whole(struct request *rq, int status, const char *type, const char *body, size_t n,
                      struct err *e)
{
    cleanup_buf struct buf out = BUF_INIT(HTTP_HEAD_MAX);
    bool bodiless = status == 204 || status == 304;

    start_head(rq, status, type, &out);
    if (!bodiless)
        http_add_headerf(&out, "Content-Length", "%zu", n);
    http_end_head(&out);
    rq->res.ended = true;
    if (bodiless || strcmp(rq->head->method, "HEAD") == 0)
        n = 0;
    if (n <= JOINED_MAX) {
        buf_add(&out, body, n);
        n = 0;
    }
    if (buf_check(&out, "HTTP head", e) ||
        stream_write(rq->conn->io, out.data, out.len, rq->cancel, e))
        return -1;
    return n > 0 ? stream_write(rq->conn->io, body, n, rq->cancel, e) : 0;
}

int res_json(struct request *rq, int status, struct buf *json, struct err *e)
{
    buf_add(json, "\n", 1);
    if (buf_check(json, "reply", e))
        return -1;
    return send_whole(rq, status, "application/json", json->data, json->len, e);
}

int res_text(struct request *rq, int status, const char *text, struct err *e)
{
    return send_whole(rq, status, "text/plain; charset=utf-8", text, strlen(text), e);
}

int res_empty(struct request *rq, int status, struct err *e)
{
    return send_whole(rq, status, NULL, "", 0, e);
}

int res_error(struct request *rq, const struct err *why)
{
    cleanup_buf struct buf json = BUF_INIT(16 * ERR_MSG_MAX);
    int status = res_status_of(why->kind);

    if (status == 304)
        return res_empty(rq, 304, ERR_IGNORE);
    error_json(why->msg, &json);
    return send_whole(rq, status, "application/json", json.data, json.len, ERR_IGNORE);
}

int res_stream(struct request *rq, int status, const char *type, struct err *e)
{
    cleanup_buf struct buf out = BUF_INIT(HTTP_HEAD_MAX);

    rq->res.chunked = rq->head->minor > 0;
    if (!rq->res.chunked)
        rq->res.close = true;
    start_head(rq, status, type, &out);
    if (rq->res.chunked)
        http_add_header(&out, "Transfer-Encoding", "chunked");
    http_end_head(&out);
    if (strcmp(rq->head->method, "HEAD") == 0)
        rq->res.ended = true;
    if (buf_check(&out, "HTTP head", e))
        return -1;
    return stream_write(rq->conn->io, out.data, out.len, rq->cancel, e);
}

int res_write(struct request *rq, const void *bytes, size_t n, struct err *e)
{
    if (rq->res.ended)
        return 0;
    if (rq->res.chunked)
        return http_write_chunk(rq->conn->io, bytes, n, rq->cancel, e);
    return stream_write(rq->conn->io, bytes, n, rq->cancel, e);
}

int res_end(struct request *rq, struct err *e)
{
    bool chunked = rq->res.chunked && !rq->res.ended;

    rq->res.ended = true;
    return chunked ? http_write_chunk_end(rq->conn->io, rq->cancel, e) : 0;
}
