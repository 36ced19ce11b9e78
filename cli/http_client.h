/*
 * http_client: one request to the agent, one answer.
 *
 * Every call opens a connection of its own; the agent is on this machine or near.  An answer of 400
 * and above is an error whose text is the agent's "message" and whose kind is by the status, so a
 * command only has to pass it on.
 */
#pragma once

#include "base/buf.h"
#include "base/http.h"
#include "base/json.h"
#include "base/stream.h"
#include "cli/cli.h"

struct reply {
    struct stream *io;
    struct http_reader reader;
    struct http_head head;
    struct http_body body;
};
void reply_release(struct reply *r);
#define cleanup_reply CLEANUP(reply_release)

/* Query strings: target_init(&t, "/containers/create"); target_add(&t, "name", value); */
struct target {
    struct buf text;
    bool query;
};
void target_init(struct target *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
void target_path(struct target *t, const char *segment);               /* appends it, escaped */
void target_text(struct target *t, const char *text);                  /* appends it as it is */
void target_add(struct target *t, const char *key, const char *value); /* NULL, "": left out */
static inline void target_release(struct target *t)
{
    buf_release(&t->text);
}
#define cleanup_target CLEANUP(target_release)

/* body NULL: none.  The answer's head has been read; its body is the caller's. */
int client_send(struct cli *cli, const char *method, const struct target *t, const struct buf *body,
                struct reply *out, struct err *e) MUST_USE;
/* The whole answer as JSON; out may be NULL. */
int client_json(struct cli *cli, const char *method, const struct target *t, const struct buf *body,
                struct json_doc *out, struct err *e) MUST_USE;
/* Asks for the connection itself: 101 or 200.  Read with http_reader_read(). */
int client_hijack(struct cli *cli, const struct target *t, const struct buf *body,
                  struct reply *out, struct err *e) MUST_USE;
/* Sends what read() gives, in chunks; 0 bytes end it.  method: POST or PUT. */
typedef int client_read_fn(void *arg, void *bytes, size_t n, size_t *got, struct err *e);
int client_upload(struct cli *cli, const char *method, const struct target *t, const char *type,
                  client_read_fn *read, void *arg, struct reply *out, struct err *e) MUST_USE;
/* One JSON object per line, until the end of the answer; fn returning -1 ends it. */
typedef int client_line_fn(void *arg, const char *line, size_t n, struct err *e);
int client_lines(struct reply *r, client_line_fn *fn, void *arg, struct err *e) MUST_USE;
