/* mem_stream: a stream over memory.  Gives `input` in pieces and collects what is written. */
#pragma once

#include <stdbool.h>
#include <string.h>

#include "base/buf.h"
#include "base/stream.h"

struct mem_stream {
    struct stream base;
    const char *input;
    size_t input_len, at;
    size_t piece; /* most bytes of one read; 0: all there is */
    struct buf output;
    bool write_closed;
};

static int mem_read(struct stream *s, void *buf, size_t n, size_t *got, struct cancel *c,
                    struct err *e)
{
    struct mem_stream *m = (struct mem_stream *)s;

    (void)c;
    (void)e;
    *got = m->input_len - m->at;
    if (*got > n)
        *got = n;
    if (m->piece && *got > m->piece)
        *got = m->piece;
    memcpy(buf, m->input + m->at, *got);
    m->at += *got;
    return 0;
}

static int mem_write(struct stream *s, const void *buf, size_t n, struct cancel *c, struct err *e)
{
    (void)c;
    (void)e;
    buf_add(&((struct mem_stream *)s)->output, buf, n);
    return 0;
}

static int mem_close_write(struct stream *s, struct err *e)
{
    (void)e;
    ((struct mem_stream *)s)->write_closed = true;
    return 0;
}

static void mem_free(struct stream *s)
{
    buf_release(&((struct mem_stream *)s)->output);
}

static inline void mem_stream_init(struct mem_stream *m, const char *input, size_t n, size_t piece)
{
    static const struct stream_ops ops = {
        .read = mem_read,
        .write = mem_write,
        .close_write = mem_close_write,
        .free = mem_free,
    };

    *m = (struct mem_stream){
        .base = {.ops = &ops, .name = "memory"},
        .input = input,
        .input_len = n,
        .piece = piece,
        .output = BUF_INIT(16 << 20),
    };
}
