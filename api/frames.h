/*
 * frames: Docker's multiplexed stream: {kind, 0, 0, 0, length big endian} and the payload.
 *
 * The runtime's streams have this form already (core/runtime.h); what goes to a client without a
 * terminal has it too, so most frames pass through untouched.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/stream.h"
#include "core/runtime.h"

struct frame {
    enum frame_kind kind;
    const unsigned char *head; /* FRAME_HEADER bytes, followed by the payload */
    const unsigned char *payload;
    size_t len;
};

void frame_header(unsigned char out[FRAME_HEADER], enum frame_kind kind, size_t len);
void frame_add(struct buf *out, enum frame_kind kind, const void *bytes, size_t n);
/* The four bytes of a FRAME_EXIT. */
int frame_exit_code(const struct frame *f);

/* Cuts a stream into whole frames. */
struct frame_reader {
    struct stream *io;
    unsigned char *buf;
    size_t at, end;
};
#define FRAME_BUFFER (FRAME_HEADER + FRAME_MAX)

void frame_reader_init(struct frame_reader *r, struct stream *io);
void frame_reader_release(struct frame_reader *r);
/*
 * *got false: the stream has ended.  The frame is good until the next call.  Frames that are in the
 * buffer already come without reading: frame_reader_pending() says so, and a caller may collect
 * them to write them at once, as they lie one behind the other.
 */
int frame_read(struct frame_reader *r, struct cancel *c, struct frame *out, bool *got,
               struct err *e) MUST_USE;
bool frame_reader_pending(const struct frame_reader *r);
