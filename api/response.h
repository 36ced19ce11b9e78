/*
 * response: the answer to one request.  A head goes out once, then nothing can change it.
 *
 * Three ways to answer: at once (res_json, res_text, res_empty), as a stream of messages that are
 * flushed one by one (res_stream, res_write, res_end), or by taking the connection over (hijack.h).
 * An error before the head is a reply with the status of its kind; after it, the connection is cut,
 * unless the stream has words of its own for it (pull).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"

struct request;

struct response {
    bool sent;        /* the head is out */
    bool chunked;     /* res_stream() on HTTP/1.1 */
    bool ended;       /* nothing more may be written */
    bool close;       /* the connection ends after this */
    bool hijacked;    /* the bytes are no longer HTTP */
    struct buf extra; /* headers of the handler, as text */
};

int res_status_of(enum err_kind kind);

/* Before the head: one more header. */
void res_header(struct request *rq, const char *name, const char *value);
/* A whole JSON document; a newline is added, as Go's encoder does. */
int res_json(struct request *rq, int status, struct buf *json, struct err *e) MUST_USE;
int res_text(struct request *rq, int status, const char *text, struct err *e) MUST_USE;
/* No body: 200 with Content-Length 0, 204, 304. */
int res_empty(struct request *rq, int status, struct err *e) MUST_USE;
int res_error(struct request *rq, const struct err *why) MUST_USE;

/* Sends the head at once. */
int res_stream(struct request *rq, int status, const char *type, struct err *e) MUST_USE;
int res_write(struct request *rq, const void *bytes, size_t n, struct err *e) MUST_USE;
int res_end(struct request *rq, struct err *e) MUST_USE;

/* The headers that every response has, as text. */
void res_common_headers(struct buf *out);
/* {"message":"..."} and a newline. */
void error_json(const char *message, struct buf *out);
