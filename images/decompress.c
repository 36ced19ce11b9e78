/*
 * decompress: the table of decoders.  See decompress.h.
 *
 * A decoder is asked for step(): consume some input, produce some output, say whether a member
 * ended.  Refilling, concatenation and the end of the stream are done once, for all of them.
 */
#include "images/decompress.h"

#include <stdint.h>

#ifdef BALLAST_ISAL
#include <isa-l/igzip_lib.h>
#else
#include <zlib.h>
#endif
#ifdef BALLAST_LZMA
#include <lzma.h>
#endif
#ifdef BALLAST_BZIP2
#include <bzlib.h>
#endif
#include <zstd.h>

#include "base/mem.h"
#include "base/str.h"

#define IN_SIZE   (128 * 1024)
#define MAGIC_MAX 6

enum step_result { STEP_MORE, STEP_MEMBER_END, STEP_BAD };

struct decompress {
    read_fn *read;
    void *arg;
    const struct decoder *decoder; /* NULL: plain */
    void *state;
    bool in_member, eof, ended;
    const uint8_t *next_in;
    size_t avail_in;
    uint8_t *next_out;
    size_t avail_out;
    uint8_t head_room[16]; /* for what a decoder gives back right after a refill */
    uint8_t in[IN_SIZE];
};

struct decoder {
    enum compression kind;
    const char *name, *magic;
    size_t magic_len;
    void *(*open)(void);
    int (*begin)(void *state); /* a member starts; 0 or -1 */
    enum step_result (*step)(struct decompress *d);
    void (*close)(void *state);
};

/* ---- gzip */
#ifdef BALLAST_ISAL
static void *gzip_open(void)
{
    return xmalloc(sizeof(struct inflate_state));
}

static int gzip_begin(void *state)
{
    struct inflate_state *s = state;

    isal_inflate_init(s);
    s->crc_flag = ISAL_GZIP;
    return 0;
}

static enum step_result gzip_step(struct decompress *d)
{
    struct inflate_state *s = d->state;
    int rc;

    s->next_in = (uint8_t *)d->next_in;
    s->avail_in = (uint32_t)d->avail_in;
    s->next_out = d->next_out;
    s->avail_out = (uint32_t)d->avail_out;
    rc = isal_inflate(s);
    d->next_in = s->next_in;
    d->avail_in = s->avail_in;
    d->next_out = s->next_out;
    d->avail_out = s->avail_out;
    if (rc != ISAL_DECOMP_OK && rc != ISAL_END_INPUT)
        return STEP_BAD;
    if (s->block_state != ISAL_BLOCK_FINISH)
        return STEP_MORE;
    /* It reads ahead by up to 8 bytes; the whole ones in its bit buffer belong to what follows. */
    for (int n = s->read_in_length / 8; n > 0; n--) {
        d->next_in--;
        d->avail_in++;
        *(uint8_t *)d->next_in = (uint8_t)(s->read_in >> (8 * (n - 1) + s->read_in_length % 8));
    }
    return STEP_MEMBER_END;
}

static void gzip_close(void *state)
{
    free(state);
}
#else
static void *gzip_open(void)
{
    z_stream *z = xcalloc(1, sizeof(*z));

    if (inflateInit2(z, 15 + 16) != Z_OK) {
        free(z);
        return NULL;
    }
    return z;
}

static int gzip_begin(void *state)
{
    return inflateReset(state) == Z_OK ? 0 : -1;
}

static enum step_result gzip_step(struct decompress *d)
{
    z_stream *z = d->state;
    int rc;

    z->next_in = (uint8_t *)d->next_in;
    z->avail_in = (unsigned)d->avail_in;
    z->next_out = d->next_out;
    z->avail_out = (unsigned)d->avail_out;
    rc = inflate(z, Z_NO_FLUSH);
    d->next_in = z->next_in;
    d->avail_in = z->avail_in;
    d->next_out = z->next_out;
    d->avail_out = z->avail_out;
    if (rc == Z_STREAM_END)
        return STEP_MEMBER_END;
    return rc == Z_OK || rc == Z_BUF_ERROR ? STEP_MORE : STEP_BAD;
}

static void gzip_close(void *state)
{
    inflateEnd(state);
    free(state);
}
#endif

/* ---- zstd */

static void *zstandard_open(void)
{
    return ZSTD_createDCtx();
}

static int zstandard_begin(void *state)
{
    return ZSTD_isError(ZSTD_DCtx_reset(state, ZSTD_reset_session_only)) ? -1 : 0;
}

static enum step_result zstandard_step(struct decompress *d)
{
    ZSTD_inBuffer in = {d->next_in, d->avail_in, 0};
    ZSTD_outBuffer out = {d->next_out, d->avail_out, 0};
    size_t rc = ZSTD_decompressStream(d->state, &out, &in);

    if (ZSTD_isError(rc))
        return STEP_BAD;
    d->next_in += in.pos;
    d->avail_in -= in.pos;
    d->next_out += out.pos;
    d->avail_out -= out.pos;
    return rc == 0 ? STEP_MEMBER_END : STEP_MORE;
}

static void zstandard_close(void *state)
{
    ZSTD_freeDCtx(state);
}

/* ---- xz */
#ifdef BALLAST_LZMA
#define XZ_MEMORY_MAX (128ULL << 20) /* xz -9 needs 65 MiB */

static void *xz_open(void)
{
    return xcalloc(1, sizeof(lzma_stream));
}

static int xz_begin(void *state)
{
    return lzma_stream_decoder(state, XZ_MEMORY_MAX, 0) == LZMA_OK ? 0 : -1;
}

static enum step_result xz_step(struct decompress *d)
{
    lzma_stream *s = d->state;
    lzma_ret rc;

    s->next_in = d->next_in;
    s->avail_in = d->avail_in;
    s->next_out = d->next_out;
    s->avail_out = d->avail_out;
    rc = lzma_code(s, LZMA_RUN);
    d->next_in = s->next_in;
    d->avail_in = s->avail_in;
    d->next_out = s->next_out;
    d->avail_out = s->avail_out;
    if (rc == LZMA_STREAM_END)
        return STEP_MEMBER_END;
    return rc == LZMA_OK || rc == LZMA_BUF_ERROR ? STEP_MORE : STEP_BAD;
}

static void xz_close(void *state)
{
    lzma_end(state);
    free(state);
}
#endif

/* ---- bzip2 */
#ifdef BALLAST_BZIP2
struct bz_state {
    bz_stream s;
    bool open;
};

static void *bz_open(void)
{
    return xcalloc(1, sizeof(struct bz_state));
}

static int bz_begin(void *state)
{
    struct bz_state *b = state;

    if (b->open)
        BZ2_bzDecompressEnd(&b->s);
    b->s = (bz_stream){0};
    b->open = BZ2_bzDecompressInit(&b->s, 0, 0) == BZ_OK;
    return b->open ? 0 : -1;
}

static enum step_result bz_step(struct decompress *d)
{
    struct bz_state *b = d->state;
    int rc;

    b->s.next_in = (char *)d->next_in;
    b->s.avail_in = (unsigned)d->avail_in;
    b->s.next_out = (char *)d->next_out;
    b->s.avail_out = (unsigned)d->avail_out;
    rc = BZ2_bzDecompress(&b->s);
    d->next_in = (uint8_t *)b->s.next_in;
    d->avail_in = b->s.avail_in;
    d->next_out = (uint8_t *)b->s.next_out;
    d->avail_out = b->s.avail_out;
    if (rc == BZ_STREAM_END)
        return STEP_MEMBER_END;
    return rc == BZ_OK ? STEP_MORE : STEP_BAD;
}

static void bz_close(void *state)
{
    struct bz_state *b = state;

    if (b->open)
        BZ2_bzDecompressEnd(&b->s);
    free(b);
}
#endif

static const struct decoder decoders[] = {
    {COMPRESSION_GZIP,  "gzip",  "\x1f\x8b\x08",     3, gzip_open,      gzip_begin,      gzip_step, gzip_close     },
    {COMPRESSION_ZSTD,  "zstd",  "\x28\xb5\x2f\xfd", 4, zstandard_open, zstandard_begin,
     zstandard_step,                                                                                zstandard_close},
#ifdef BALLAST_LZMA
    {COMPRESSION_XZ,    "xz",
     "\xfd"
     "7zXZ\0",                                       6, xz_open,        xz_begin,        xz_step,   xz_close       },
#else
    {COMPRESSION_XZ, "xz",
     "\xfd"
     "7zXZ\0",
     6, NULL, NULL, NULL, NULL},
#endif
#ifdef BALLAST_BZIP2
    {COMPRESSION_BZIP2, "bzip2", "BZh",              3, bz_open,        bz_begin,        bz_step,   bz_close       },
#else
    {COMPRESSION_BZIP2, "bzip2", "BZh", 3, NULL, NULL, NULL, NULL},
#endif
};

/* A zstd stream may begin with a skippable frame: 0x184D2A5? little-endian. */
static bool is_skippable(const uint8_t *p, size_t n)
{
    return n >= 4 && (p[0] & 0xf0) == 0x50 && p[1] == 0x2a && p[2] == 0x4d && p[3] == 0x18;
}

static const struct decoder *detect(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < ARRAY_LEN(decoders); i++) {
        const struct decoder *dec = &decoders[i];

        if (n >= dec->magic_len && !memcmp(p, dec->magic, dec->magic_len))
            return dec;
        if (dec->kind == COMPRESSION_ZSTD && is_skippable(p, n))
            return dec;
    }
    return NULL;
}

/* Moves what is left to the front and reads until `want` bytes are there, or the end. */
static int fill(struct decompress *d, size_t want, struct err *e)
{
    if (d->avail_in && d->next_in != d->in)
        memmove(d->in, d->next_in, d->avail_in);
    d->next_in = d->in;
    while (!d->eof && d->avail_in < want) {
        size_t got = 0;

        if (d->read(d->arg, d->in + d->avail_in, IN_SIZE - d->avail_in, &got, e))
            return -1;
        d->eof = got == 0;
        d->avail_in += got;
    }
    return 0;
}

int decompress_open(read_fn *read, void *arg, struct decompress **out, struct err *e)
{
    struct decompress *d = xmalloc(sizeof(*d));

    memset(d, 0, offsetof(struct decompress, head_room));
    d->read = read;
    d->arg = arg;
    d->next_in = d->in;
    if (fill(d, MAGIC_MAX, e)) {
        decompress_free(d);
        return -1;
    }
    d->decoder = detect(d->in, d->avail_in);
    if (d->decoder && !d->decoder->open) {
        err_set(e, ERR_UNSUPPORTED, "this build cannot read %s", d->decoder->name);
        decompress_free(d);
        return -1;
    }
    if (d->decoder && !(d->state = d->decoder->open())) {
        err_set(e, ERR_INTERNAL, "cannot start the %s decoder", d->decoder->name);
        decompress_free(d);
        return -1;
    }
    *out = d;
    return 0;
}

enum compression decompress_kind(const struct decompress *d)
{
    return d->decoder ? d->decoder->kind : COMPRESSION_NONE;
}

void decompress_free(struct decompress *d)
{
    if (!d)
        return;
    if (d->state)
        d->decoder->close(d->state);
    free(d);
}

static int read_plain(struct decompress *d, void *buf, size_t n, size_t *got, struct err *e)
{
    if (d->avail_in == 0)
        return d->eof ? 0 : d->read(d->arg, buf, n, got, e);
    *got = n < d->avail_in ? n : d->avail_in;
    memcpy(buf, d->next_in, *got);
    d->next_in += *got;
    d->avail_in -= *got;
    return 0;
}

/* Between members: another one, padding, the end, or rubbish. */
static int next_member(struct decompress *d, struct err *e)
{
    if (fill(d, MAGIC_MAX, e))
        return -1;
    if (d->avail_in && detect(d->next_in, d->avail_in) == d->decoder) {
        d->in_member = true;
        if (d->decoder->begin(d->state))
            return err_set(e, ERR_INTERNAL, "cannot start the %s decoder", d->decoder->name);
        return 0;
    }
    do {
        for (; d->avail_in && *d->next_in == 0; d->avail_in--)
            d->next_in++;
        if (d->avail_in)
            return err_set(e, ERR_INVALID, "invalid %s data: rubbish after the end",
                           d->decoder->name);
        if (fill(d, 1, e))
            return -1;
    } while (d->avail_in);
    d->ended = true;
    return 0;
}

int decompress_read(void *arg, void *buf, size_t n, size_t *got, struct err *e)
{
    struct decompress *d = arg;

    *got = 0;
    if (!d->decoder)
        return read_plain(d, buf, n, got, e);
    if (n > (1U << 30))
        n = 1U << 30;
    d->next_out = buf;
    d->avail_out = n;
    while (d->avail_out == n && !d->ended) {
        size_t before;

        if (!d->in_member) {
            if (next_member(d, e))
                return -1;
            continue;
        }
        if (d->avail_in == 0 && fill(d, 1, e))
            return -1;
        before = d->avail_in;
        switch (d->decoder->step(d)) {
        case STEP_BAD:
            return err_set(e, ERR_INVALID, "invalid %s data", d->decoder->name);
        case STEP_MEMBER_END:
            d->in_member = false;
            break;
        case STEP_MORE:
            if (d->eof && d->avail_in == before && d->avail_out == n)
                return err_set(e, ERR_INVALID, "invalid %s data: unexpected EOF", d->decoder->name);
            break;
        }
    }
    *got = n - d->avail_out;
    return 0;
}
