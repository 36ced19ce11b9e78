/*
 * http: HTTP/1.1 messages over a stream, for the engine's server and for its clients (the CLI,
 * tests, plugin sockets).
 *
 * The grammar is RFC 9112 read strictly: whatever two parsers could understand differently is an
 * error, never a guess.  Refused are folded headers, a bare CR or LF, white space before the colon,
 * Content-Length together with Transfer-Encoding, lengths that differ, heads above 64 KiB or 100
 * headers, and chunk sizes that are not plain hex.
 *
 * A client's round trip:
 *
 *     struct http_reader r;
 *     http_reader_init(&r, io, cancel);
 *     cleanup_buf struct buf head = BUF_INIT(HTTP_HEAD_MAX);
 *     http_start_request(&head, "POST", "/v1.51/containers/create?name=web");
 *     http_add_header(&head, "Host", "docker");
 *     http_add_header(&head, "Content-Type", "application/json");
 *     http_add_headerf(&head, "Content-Length", "%zu", json.len);
 *     http_end_head(&head);
 *     if (stream_write(io, head.data, head.len, c, e) || stream_write(io, json.data, ...)
 *         return -1;
 *     cleanup_http_head struct http_head h = {0};
 *     if (http_read_response(&r, "POST", &h, e))            100 Continue is skipped
 *         return -1;
 *     struct http_body body;
 *     http_body_init(&body, &r, &h);
 *     while (!http_body_read(&body, chunk, sizeof(chunk), &got, e) && got > 0) ...
 *
 * After a 101 (or a hijacked 200) the bytes that came with the head are still in the reader: read
 * through http_reader_read(), not from the stream.  One thread may use the reader while another
 * writes to the stream.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "base/stream.h"

#define HTTP_HEAD_MAX    (64 * 1024)
#define HTTP_HEADERS_MAX 100

/* ------------------------------------------------------------------ heads */

enum http_body_kind {
    HTTP_BODY_NONE,
    HTTP_BODY_LENGTH,
    HTTP_BODY_CHUNKED,
    HTTP_BODY_CLOSE, /* a response that ends with the connection */
};

struct http_header {
    const char *name, *value; /* value without white space around it */
};

struct http_head {
    char *text;                  /* what everything below points into */
    const char *method, *target; /* request; target is "/path?query" or "*" */
    int status;                  /* response */
    const char *reason;
    int minor; /* of HTTP/1.x: 0 or 1 */
    struct http_header *headers;
    size_t n_headers;
    enum http_body_kind body;
    int64_t length;   /* HTTP_BODY_LENGTH */
    bool keep_alive;  /* the connection may be used again */
    bool expect_100;  /* request: the client waits for 100 Continue */
    bool expectation; /* request: some other Expect, answer 417 */
};

void http_head_release(struct http_head *h);
#define cleanup_http_head CLEANUP(http_head_release)

/*
 * The bytes of one head, with the empty line at its end.  *status (may be NULL) is what a server
 * should answer when it fails: 400, 431, 501 or 505.
 */
int http_parse_request(const char *bytes, size_t len, struct http_head *out, int *status,
                       struct err *e) MUST_USE;
/* request_method decides about the body: the answer to HEAD has none. */
int http_parse_response(const char *bytes, size_t len, const char *request_method,
                        struct http_head *out, struct err *e) MUST_USE;
/* The first one of that name (any case), or NULL. */
const char *http_header(const struct http_head *h, const char *name);
/* Does a comma-separated header (Connection, Accept-Encoding, ...) hold this token? */
bool http_header_has(const struct http_head *h, const char *name, const char *token);

const char *http_reason(int status); /* "Not Found"; "" for unknown ones */

/* Building a head.  Control characters in a value become spaces: no value can end a header. */
void http_start_request(struct buf *out, const char *method, const char *target);
void http_start_response(struct buf *out, int status, const char *reason /* NULL: the usual */);
void http_add_header(struct buf *out, const char *name, const char *value);
void http_add_headerf(struct buf *out, const char *name, const char *fmt, ...) PRINTF_LIKE(3, 4);
void http_end_head(struct buf *out);
/* Percent-encodes for a query's key or value, or for one path segment. */
void http_escape(struct buf *out, const char *text);
/*
 * Decodes n bytes to out, which has room for n + 1.  plus: '+' is a space, as in queries.
 * ERR_INVALID for a bad escape and for %00.
 */
int http_unescape(const char *text, size_t n, bool plus, char *out, struct err *e) MUST_USE;

/* ----------------------------------------------------------------- reading */

struct http_reader {
    struct stream *io;     /* not owned */
    struct cancel *cancel; /* may be changed between calls; NULL: none */
    char *buf;
    size_t cap, at, end; /* unread: buf[at..end) */
};

void http_reader_init(struct http_reader *r, struct stream *io, struct cancel *c);
void http_reader_release(struct http_reader *r);
/* Gives the buffer back while there is nothing in it: for a connection that idles. */
void http_reader_idle(struct http_reader *r);
/* Raw bytes, what is buffered first.  *got is 0 at the end of the stream. */
int http_reader_read(struct http_reader *r, void *buf, size_t n, size_t *got,
                     struct err *e) MUST_USE;
/* Waits until at least one byte is buffered; *eof when the stream ended instead. */
int http_reader_wait(struct http_reader *r, bool *eof, struct err *e) MUST_USE;

/* *eof: the peer closed the connection between two requests, out is empty then. */
int http_read_request(struct http_reader *r, struct http_head *out, bool *eof, int *status,
                      struct err *e) MUST_USE;
int http_read_response(struct http_reader *r, const char *request_method, struct http_head *out,
                       struct err *e) MUST_USE;

struct http_body {
    struct http_reader *r;
    enum http_body_kind kind;
    int64_t left;        /* of the length, or of the chunk */
    bool in_chunk, done; /* chunked: between chunk head and chunk end */
    bool send_continue;  /* server: the first read answers 100 Continue before */
};

void http_body_init(struct http_body *b, struct http_reader *r, const struct http_head *h);
/* *got is 0 at the end of the body; a connection that ends before that is ERR_INVALID. */
int http_body_read(struct http_body *b, void *buf, size_t n, size_t *got, struct err *e) MUST_USE;
/* The rest into out, whose max applies. */
int http_body_read_all(struct http_body *b, struct buf *out, struct err *e) MUST_USE;
/* Reads and forgets up to max bytes; false when the body is longer, or broken. */
bool http_body_drain(struct http_body *b, int64_t max);

/* ----------------------------------------------------------------- writing */

/* One chunk in one write; n 0 writes nothing (it would end the body). */
int http_write_chunk(struct stream *io, const void *bytes, size_t n, struct cancel *c,
                     struct err *e) MUST_USE;
int http_write_chunk_end(struct stream *io, struct cancel *c, struct err *e) MUST_USE;
