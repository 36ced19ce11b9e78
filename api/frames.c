/* frames: see frames.h. */
#include "api/frames.h"

#include <string.h>

#include "base/be.h"
#include "base/mem.h"

void frame_header(unsigned char out[FRAME_HEADER], enum frame_kind kind, size_t len)
{
    out[0] = (unsigned char)kind;
    out[1] = out[2] = out[3] = 0;
    put_be32(out + 4, (uint32_t)len);
}

void frame_add(struct buf *out, enum frame_kind kind, const void *bytes, size_t n)
{
    unsigned char head[FRAME_HEADER];

    frame_header(head, kind, n);
    buf_add(out, head, sizeof(head));
    buf_add(out, bytes, n);
}

int frame_exit_code(const struct frame *f)
{
    return f->len >= 4 ? (int)(int32_t)get_be32(f->payload) : 0;
}

void frame_reader_init(struct frame_reader *r, struct stream *io)
{
    *r = (struct frame_reader){.io = io, .buf = xmalloc(FRAME_BUFFER)};
}

void frame_reader_release(struct frame_reader *r)
{
    free(r->buf);
    *r = (struct frame_reader){0};
}

/* Bytes of the frame at r->at, 0 when not even the header is there. */
static size_t frame_size(const struct frame_reader *r)
{
    if (r->end - r->at < FRAME_HEADER)
        return 0;
    return FRAME_HEADER + (size_t)get_be32(r->buf + r->at + 4);
}

bool frame_reader_pending(const struct frame_reader *r)
{
    size_t size = frame_size(r);

    return size > 0 && r->end - r->at >= size;
}

static int more(struct frame_reader *r, struct cancel *c, bool *eof, struct err *e)
{
    size_t got;

    memmove(r->buf, r->buf + r->at, r->end - r->at);
    r->end -= r->at;
    r->at = 0;
    if (stream_read(r->io, r->buf + r->end, FRAME_BUFFER - r->end, &got, c, e))
        return -1;
    r->end += got;
    *eof = got == 0;
    if (*eof && r->end > 0)
        return err_set(e, ERR_IO, "the stream ended inside a frame");
    return 0;
}

int frame_read(struct frame_reader *r, struct cancel *c, struct frame *out, bool *got,
               struct err *e)
{
    bool eof = false;

    while (!frame_reader_pending(r)) {
        if (frame_size(r) > FRAME_BUFFER)
            return err_set(e, ERR_IO, "a frame of %zu bytes is too long", frame_size(r));
        if (more(r, c, &eof, e))
            return -1;
        if (eof) {
            *got = false;
            return 0;
        }
    }
    out->kind = r->buf[r->at];
    out->head = r->buf + r->at;
    out->payload = out->head + FRAME_HEADER;
    out->len = frame_size(r) - FRAME_HEADER;
    r->at += FRAME_HEADER + out->len;
    *got = true;
    return 0;
}
