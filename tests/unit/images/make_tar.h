/*
 * make_tar: tars for tests, made by hand so that they can say what no sane program would.
 *
 *     struct buf tar = TAR_INIT;
 *     tar_add(&tar, (struct tar_spec){.name = "../x", .data = "evil"});
 *     tar_end(&tar);
 */
#pragma once

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "images/decompress.h"
#include "images/tar_internal.h"

#define TAR_INIT BUF_INIT(256 << 20)

struct tar_spec {
    const char *name;
    char type;     /* 0: '0', or '5' when the name ends in '/' */
    unsigned mode; /* 0: 0644 or 0755 */
    long uid, gid, mtime;
    const char *link, *data;
    size_t len; /* 0: strlen(data) */
    long dev_major, dev_minor;
    const char *pax; /* "key=value\nkey=value\n" without lengths */
    long claim_size; /* what the header says, when it is to lie; 0: the truth */
    bool bad_sum;
};

static inline void tar_octal(char *field, size_t n, long v)
{
    snprintf(field, n, "%0*lo", (int)n - 1, v);
}

static inline void tar_block(struct buf *b, const struct tar_spec *s, char type, long size)
{
    struct tar_header h = {0};
    unsigned sum = 0;
    bool dir = type == '5';

    memcpy(h.name, s->name, strnlen(s->name, sizeof(h.name)));
    if (s->link)
        memcpy(h.link, s->link, strnlen(s->link, sizeof(h.link)));
    tar_octal(h.mode, sizeof(h.mode), s->mode ? (long)s->mode : dir ? 0755 : 0644);
    tar_octal(h.uid, sizeof(h.uid), s->uid);
    tar_octal(h.gid, sizeof(h.gid), s->gid);
    tar_octal(h.size, sizeof(h.size), size);
    tar_octal(h.mtime, sizeof(h.mtime), s->mtime);
    tar_octal(h.dev_major, sizeof(h.dev_major), s->dev_major);
    tar_octal(h.dev_minor, sizeof(h.dev_minor), s->dev_minor);
    h.type = type;
    memcpy(h.magic, "ustar\00000", 8);
    memset(h.checksum, ' ', 8);
    for (size_t i = 0; i < TAR_BLOCK; i++)
        sum += ((const unsigned char *)&h)[i];
    tar_octal(h.checksum, 7, (long)sum + s->bad_sum);
    buf_add(b, &h, sizeof(h));
}

static inline void tar_payload(struct buf *b, const void *data, size_t n)
{
    static const char zeros[TAR_BLOCK];

    if (n)
        buf_add(b, data, n);
    if (n % TAR_BLOCK)
        buf_add(b, zeros, TAR_BLOCK - n % TAR_BLOCK);
}

/* Puts the lengths in front of the records. */
static inline void tar_pax(struct buf *b, const char *records)
{
    struct buf out = BUF_INIT(4 << 20);
    struct tar_spec x = {.name = "PaxHeaders/x"};

    while (*records) {
        size_t n = strcspn(records, "\n"), total = n + 3;
        char digits[24];

        while ((size_t)snprintf(digits, sizeof(digits), "%zu", total) + n + 2 != total)
            total++;
        buf_addf(&out, "%zu %.*s\n", total, (int)n, records);
        records += n + (records[n] == '\n');
    }
    tar_block(b, &x, 'x', (long)out.len);
    tar_payload(b, out.data, out.len);
    buf_release(&out);
}

static inline void tar_add(struct buf *b, struct tar_spec s)
{
    char type = s.type ? s.type : str_ends(s.name, "/") ? '5' : '0';
    size_t n = s.data ? (s.len ? s.len : strlen(s.data)) : 0;

    if (s.pax)
        tar_pax(b, s.pax);
    tar_block(b, &s, type, s.claim_size ? s.claim_size : (long)n);
    tar_payload(b, s.data, n);
}

static inline void tar_end(struct buf *b)
{
    static const char zeros[2 * TAR_BLOCK];

    buf_add(b, zeros, sizeof(zeros));
}

/* A read_fn over memory, in pieces. */
struct mem_reader {
    const char *p;
    size_t n, piece; /* 0: as much as is asked for */
};

static inline int mem_read_fn(void *arg, void *buf, size_t n, size_t *got, struct err *e)
{
    struct mem_reader *r = arg;

    (void)e;
    if (r->piece && n > r->piece)
        n = r->piece;
    *got = n < r->n ? n : r->n;
    memcpy(buf, r->p, *got);
    r->p += *got;
    r->n -= *got;
    return 0;
}
