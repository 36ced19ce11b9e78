/*
 * hijack: a connection that stops being HTTP and becomes the stdio of a process.
 *
 * The client gets either "101 UPGRADED", when it asked with an Upgrade header, or a 200 without
 * length.  From there on the two directions end apart: the client's end of input closes stdin, and
 * output goes on; the end of output closes the client's read side, and the client closes the rest.
 */
#pragma once

#include <stdbool.h>

#include "base/compiler.h"
#include "base/err.h"

struct detach_keys;
struct request;
struct stream;

enum hijack_end {
    HIJACK_OUTPUT_ENDED,
    HIJACK_DETACHED,    /* by its keys */
    HIJACK_CLIENT_GONE, /* or the agent closes */
    HIJACK_FAILED,      /* the stream broke */
};

struct hijack {
    bool raw;                   /* a terminal: payload without frame headers */
    bool in, out, err;          /* what the client wants of the three */
    bool close_stdin;           /* its end of input is the process's */
    struct detach_keys *detach; /* NULL: none */
    /* The output is over and the client does not know it yet: what it may ask next must be true
     * now. */
    void (*output_ended)(void *arg, int exit_code);
    void *arg;
};

#define TYPE_RAW_STREAM         "application/vnd.docker.raw-stream"
#define TYPE_MULTIPLEXED_STREAM "application/vnd.docker.multiplexed-stream"

/* The head; `multiplexed` may show in Content-Type.  Exec answers carry the common headers too. */
int hijack_begin(struct request *rq, bool multiplexed, bool common_headers, struct err *e) MUST_USE;
/* Bytes to the client, after hijack_begin(). */
int hijack_write(struct request *rq, const void *bytes, size_t n, struct err *e) MUST_USE;
/* Attach says what is wrong in a raw HTTP answer of its own, without JSON. */
void hijack_refuse(struct request *rq, const struct err *why);
/*
 * Pumps until one side ends.  io: frames of core/runtime.h; stays the caller's.  exit_code is set
 * when a FRAME_EXIT came, else left alone.
 */
enum hijack_end hijack_run(struct request *rq, struct stream *io, const struct hijack *h,
                           int *exit_code);
/* Says goodbye: no more output; then a moment for the client to close its side. */
void hijack_finish(struct request *rq);
