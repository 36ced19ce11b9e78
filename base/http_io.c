/*
 * http_io: the buffered reader, bodies and chunks.  See http.h.
 *
 * The reader's buffer exists only while there is something in it or a read is under way with it;
 * bodies are read past it, straight into the caller's memory.
 */
#include "base/http.h"

#include <string.h>

#include "base/mem.h"

#define READ_AHEAD     4096
#define CHUNK_LINE_MAX 1024
#define TRAILER_MAX    (8 * 1024)

void http_reader_init(struct http_reader *r, struct stream *io, struct cancel *c)
{
    *r = (struct http_reader){.io = io, .cancel = c};
}

void http_reader_release(struct http_reader *r)
{
    free(r->buf);
    *r = (struct http_reader){.io = r->io};
}

void http_reader_idle(struct http_reader *r)
{
    if (r->at < r->end)
        return;
    free(r->buf);
    r->buf = NULL;
    r->cap = r->at = r->end = 0;
}

/* Appends what the stream has; *eof when it has ended. */
static int fill(struct http_reader *r, bool *eof, struct err *e)
{
    size_t got;

    if (r->at == r->end)
        r->at = r->end = 0;
    if (r->end == r->cap && r->at > 0) {
        memmove(r->buf, r->buf + r->at, r->end - r->at);
        r->end -= r->at;
        r->at = 0;
    }
    if (r->end == r->cap) {
        r->cap = r->cap ? r->cap * 2 : READ_AHEAD;
        r->buf = xrealloc(r->buf, r->cap);
    }
    if (stream_read(r->io, r->buf + r->end, r->cap - r->end, &got, r->cancel, e))
        return -1;
    *eof = got == 0;
    r->end += got;
    return 0;
}

int http_reader_read(struct http_reader *r, void *buf, size_t n, size_t *got, struct err *e)
{
    size_t have = r->end - r->at;

    if (have == 0)
        return stream_read(r->io, buf, n, got, r->cancel, e);
    *got = have < n ? have : n;
    memcpy(buf, r->buf + r->at, *got);
    r->at += *got;
    return 0;
}

int http_reader_wait(struct http_reader *r, bool *eof, struct err *e)
{
    *eof = false;
    if (r->at < r->end)
        return 0;
    return fill(r, eof, e);
}

/* Empty lines before a head are skipped (RFC 9112 2.2), but not without end. */
static void skip_empty_lines(struct http_reader *r)
{
    for (int i = 0; i < 4; i++)
        if (r->end - r->at >= 2 && memcmp(r->buf + r->at, "\r\n", 2) == 0)
            r->at += 2;
}

/* memmem(at, n, "\r\n\r\n", 4), which not every C library has. */
static char *find_empty_line(char *at, size_t n)
{
    for (char *end = at + n; (at = memchr(at, '\r', (size_t)(end - at))) && end - at >= 4; at++)
        if (memcmp(at, "\r\n\r\n", 4) == 0)
            return at;
    return NULL;
}

/* The length of the head at r->at.  0 with *eof: nothing more comes and nothing came. */
static int read_head(struct http_reader *r, size_t *len, bool *eof, int *status, struct err *e)
{
    size_t scanned = 0;

    *eof = false;
    for (;;) {
        char *found = NULL;
        size_t have;

        if (scanned == 0)
            skip_empty_lines(r);
        have = r->end - r->at;
        if (have >= 4)
            found = find_empty_line(r->buf + r->at + scanned, have - scanned);
        if (found) {
            *len = (size_t)(found + 4 - (r->buf + r->at));
            if (*len <= HTTP_HEAD_MAX)
                return 0;
        }
        if (found || have > HTTP_HEAD_MAX) {
            *status = 431;
            return err_set(e, ERR_INVALID, "malformed HTTP message: head too long");
        }
        scanned = have > 3 ? have - 3 : 0;
        if (fill(r, eof, e))
            return -1;
        if (*eof && r->at == r->end)
            return 0;
        if (*eof)
            return err_set(e, ERR_INVALID, "malformed HTTP message: it ends inside the head");
    }
}

int http_read_request(struct http_reader *r, struct http_head *out, bool *eof, int *status,
                      struct err *e)
{
    size_t len;

    *out = (struct http_head){0};
    *status = 400;
    if (read_head(r, &len, eof, status, e))
        return -1;
    if (*eof)
        return 0;
    if (http_parse_request(r->buf + r->at, len, out, status, e))
        return -1;
    r->at += len;
    return 0;
}

int http_read_response(struct http_reader *r, const char *request_method, struct http_head *out,
                       struct err *e)
{
    size_t len;
    int status;
    bool eof;

    for (;;) {
        *out = (struct http_head){0};
        if (read_head(r, &len, &eof, &status, e))
            return -1;
        if (eof)
            return err_set(e, ERR_UNAVAILABLE, "the server closed the connection");
        if (http_parse_response(r->buf + r->at, len, request_method, out, e))
            return -1;
        r->at += len;
        /* 100 and its like announce the answer; 101 is one. */
        if (out->status >= 200 || out->status == 101)
            return 0;
        http_head_release(out);
    }
}

/* ------------------------------------------------------------------ bodies */

void http_body_init(struct http_body *b, struct http_reader *r, const struct http_head *h)
{
    *b = (struct http_body){
        .r = r,
        .kind = h->body,
        .left = h->body == HTTP_BODY_LENGTH ? h->length : 0,
        .done = h->body == HTTP_BODY_NONE,
        .send_continue = h->expect_100 && h->body != HTTP_BODY_NONE,
    };
}

/* One line without its CRLF, at most max bytes; the line stays valid until the next fill. */
static int read_line(struct http_reader *r, size_t max, char **line, size_t *len, struct err *e)
{
    size_t scanned = 0;
    bool eof;

    for (;;) {
        size_t have = r->end - r->at;
        char *nl = have > scanned ? memchr(r->buf + r->at + scanned, '\n', have - scanned) : NULL;

        if (nl) {
            *line = r->buf + r->at;
            *len = (size_t)(nl - *line);
            r->at += *len + 1;
            if (*len == 0 || (*line)[*len - 1] != '\r' || memchr(*line, '\r', *len - 1))
                return err_set(e, ERR_INVALID, "malformed chunked body: line end");
            (*len)--;
            return 0;
        }
        if (have > max)
            return err_set(e, ERR_INVALID, "malformed chunked body: line too long");
        scanned = have;
        if (fill(r, &eof, e))
            return -1;
        if (eof)
            return err_set(e, ERR_INVALID, "unexpected EOF");
    }
}

static int parse_chunk_size(const char *line, size_t len, int64_t *size, struct err *e)
{
    size_t i = 0;

    *size = 0;
    for (; i < len; i++) {
        char c = line[i];
        int digit;

        if (c >= '0' && c <= '9')
            digit = c - '0';
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            digit = (c | 0x20) - 'a' + 10;
        else
            break;
        if (i == 15)
            return err_set(e, ERR_INVALID, "malformed chunked body: chunk too large");
        *size = *size * 16 + digit;
    }
    /* An extension is read over; anything else after the digits is not a size. */
    if (i == 0 || (i < len && line[i] != ';'))
        return err_set(e, ERR_INVALID, "malformed chunked body: chunk size");
    for (; i < len; i++)
        if ((unsigned char)line[i] < 0x20 && line[i] != '\t')
            return err_set(e, ERR_INVALID, "malformed chunked body: chunk extension");
    return 0;
}

static int skip_trailers(struct http_body *b, struct err *e)
{
    size_t total = 0, len;
    char *line;

    do {
        if (read_line(b->r, TRAILER_MAX, &line, &len, e))
            return -1;
        total += len + 2;
        if (total > TRAILER_MAX)
            return err_set(e, ERR_INVALID, "malformed chunked body: trailers too long");
        if (len > 0 && (line[0] == ' ' || line[0] == '\t' || !memchr(line, ':', len)))
            return err_set(e, ERR_INVALID, "malformed chunked body: trailer");
    } while (len > 0);
    b->done = true;
    return 0;
}

/* Moves to the next chunk's first byte, or to the end. */
static int next_chunk(struct http_body *b, struct err *e)
{
    size_t len;
    char *line;

    if (b->in_chunk) {
        if (read_line(b->r, 2, &line, &len, e))
            return -1;
        if (len > 0)
            return err_set(e, ERR_INVALID, "malformed chunked body: bytes after a chunk");
        b->in_chunk = false;
    }
    if (read_line(b->r, CHUNK_LINE_MAX, &line, &len, e) || parse_chunk_size(line, len, &b->left, e))
        return -1;
    if (b->left == 0)
        return skip_trailers(b, e);
    b->in_chunk = true;
    return 0;
}

static int tell_continue(struct http_body *b, struct err *e)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";

    b->send_continue = false;
    return stream_write(b->r->io, text, sizeof(text) - 1, b->r->cancel, e);
}

int http_body_read(struct http_body *b, void *buf, size_t n, size_t *got, struct err *e)
{
    *got = 0;
    if (b->done || n == 0)
        return 0;
    if (b->send_continue && tell_continue(b, e))
        return -1;
    if (b->kind == HTTP_BODY_CHUNKED && b->left == 0 && next_chunk(b, e))
        return -1;
    if (b->done)
        return 0;
    if (b->kind != HTTP_BODY_CLOSE && (uint64_t)b->left < n)
        n = (size_t)b->left;
    if (http_reader_read(b->r, buf, n, got, e))
        return -1;
    if (b->kind == HTTP_BODY_CLOSE) {
        b->done = *got == 0;
        return 0;
    }
    if (*got == 0)
        return err_set(e, ERR_INVALID, "unexpected EOF");
    b->left -= (int64_t)*got;
    b->done = b->kind == HTTP_BODY_LENGTH && b->left == 0;
    return 0;
}

int http_body_read_all(struct http_body *b, struct buf *out, struct err *e)
{
    char chunk[8192];
    size_t got;

    do {
        if (http_body_read(b, chunk, sizeof(chunk), &got, e))
            return -1;
        buf_add(out, chunk, got);
        if (buf_check(out, "HTTP body", e))
            return -1;
    } while (got > 0);
    return 0;
}

bool http_body_drain(struct http_body *b, int64_t max)
{
    char chunk[8192];
    size_t got;

    if (b->done)
        return true;
    /* Nobody was told to send it, so nobody may: the connection cannot be used again. */
    if (b->send_continue)
        return false;
    if (b->kind == HTTP_BODY_LENGTH && b->left > max)
        return false;
    do {
        if (http_body_read(b, chunk, sizeof(chunk), &got, ERR_IGNORE))
            return false;
        max -= (int64_t)got;
    } while (got > 0 && max >= 0);
    return b->done;
}

/* ----------------------------------------------------------------- writing */

int http_write_chunk(struct stream *io, const void *bytes, size_t n, struct cancel *c,
                     struct err *e)
{
    char small[4096 + 32];
    char *text = small;
    cleanup_free char *big = NULL;
    int head;

    if (n == 0)
        return 0;
    if (n + 32 > sizeof(small))
        text = big = xmalloc(n + 32);
    head = snprintf(text, 32, "%zx\r\n", n);
    memcpy(text + head, bytes, n);
    memcpy(text + head + n, "\r\n", 2);
    return stream_write(io, text, (size_t)head + n + 2, c, e);
}

int http_write_chunk_end(struct stream *io, struct cancel *c, struct err *e)
{
    return stream_write(io, "0\r\n\r\n", 5, c, e);
}
