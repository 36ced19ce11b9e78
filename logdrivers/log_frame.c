/* log_frame: see log_frame.h. */
#include "logdrivers/log_frame.h"

#include <string.h>

#define PARTIAL 0x8000U

_Static_assert(LOG_LINE_MAX < PARTIAL, "a line's length leaves room for a bit");
_Static_assert(LOG_FRAME_HEAD + 2 + LOG_LINE_MAX <= LOG_FRAME_MAX, "a frame holds a line");

struct head {
    uint8_t version, kind, stream, zero;
    uint32_t count;
    uint64_t number;
};
_Static_assert(sizeof(struct head) == LOG_FRAME_HEAD, "no padding");

static void put_head(char *bytes, const struct head *h)
{
    memcpy(bytes, h, sizeof(*h));
}

bool log_frame_add(struct log_frame *f, const struct log_line *line)
{
    struct head h = {.version = LOG_FRAME_VERSION,
                     .kind = LOG_FRAME_LINES,
                     .stream = line->from_stderr,
                     .number = (uint64_t)line->unix_ns};
    uint16_t size = (uint16_t)(line->len | (line->partial ? PARTIAL : 0));

    if (f->len > 0) {
        memcpy(&h, f->bytes, sizeof(h));
        if (h.stream != line->from_stderr || h.number != (uint64_t)line->unix_ns ||
            f->len + sizeof(size) + line->len > LOG_FRAME_MAX)
            return false;
    } else {
        f->len = sizeof(h);
    }
    h.count++;
    put_head(f->bytes, &h);
    memcpy(f->bytes + f->len, &size, sizeof(size));
    memcpy(f->bytes + f->len + sizeof(size), line->bytes, line->len);
    f->len += sizeof(size) + line->len;
    return true;
}

uint32_t log_frame_count(const void *bytes, size_t len)
{
    struct head h = {0};

    if (len >= sizeof(h))
        memcpy(&h, bytes, sizeof(h));
    return h.count;
}

size_t log_frame_tell(char out[LOG_FRAME_MAX], enum log_frame_kind kind, uint64_t handled,
                      uint64_t lost, const char *text)
{
    const struct head h = {.version = LOG_FRAME_VERSION, .kind = (uint8_t)kind, .number = handled};
    size_t len = sizeof(h), n = text ? strlen(text) : 0;

    put_head(out, &h);
    if (kind == LOG_FRAME_STATUS) {
        memcpy(out + len, &lost, sizeof(lost));
        len += sizeof(lost);
    }
    if (n > ERR_MSG_MAX)
        n = ERR_MSG_MAX;
    if (n > 0)
        memcpy(out + len, text, n);
    return len + n;
}

/* The lengths of all lines lead exactly to the end. */
static bool lines_fit(const struct log_frame_view *v)
{
    size_t at = 0;

    for (uint32_t i = 0; i < v->count; i++) {
        uint16_t size;

        if (v->rest_len - at < sizeof(size))
            return false;
        memcpy(&size, v->rest + at, sizeof(size));
        at += sizeof(size);
        size &= (uint16_t)~PARTIAL;
        if (size > LOG_LINE_MAX || v->rest_len - at < size)
            return false;
        at += size;
    }
    return at == v->rest_len;
}

int log_frame_parse(const void *bytes, size_t len, struct log_frame_view *out, struct err *e)
{
    struct head h;

    if (len < sizeof(h) || len > LOG_FRAME_MAX)
        return err_set(e, ERR_INVALID, "a message of %zu bytes is no log frame", len);
    memcpy(&h, bytes, sizeof(h));
    if (h.version != LOG_FRAME_VERSION)
        return err_set(e, ERR_INVALID, "log frames of version %u are not understood", h.version);
    *out = (struct log_frame_view){
        .kind = (enum log_frame_kind)h.kind,
        .from_stderr = h.stream != 0,
        .count = h.count,
        .number = h.number,
        .rest = (const char *)bytes + sizeof(h),
        .rest_len = len - sizeof(h),
    };
    if (out->kind == LOG_FRAME_LINES && !lines_fit(out))
        return err_set(e, ERR_INVALID, "a damaged frame of %u log lines", h.count);
    if (out->kind == LOG_FRAME_STATUS) {
        if (out->rest_len < sizeof(out->lost))
            return err_set(e, ERR_INVALID, "a log status of %zu bytes", len);
        memcpy(&out->lost, out->rest, sizeof(out->lost));
        out->rest += sizeof(out->lost);
        out->rest_len -= sizeof(out->lost);
    }
    return 0;
}

bool log_frame_next(struct log_frame_view *v, struct log_line *line)
{
    uint16_t size;

    if (v->count == 0)
        return false;
    v->count--;
    memcpy(&size, v->rest, sizeof(size));
    *line = (struct log_line){.unix_ns = (int64_t)v->number,
                              .from_stderr = v->from_stderr,
                              .partial = (size & PARTIAL) != 0,
                              .bytes = v->rest + sizeof(size),
                              .len = size & ~PARTIAL};
    v->rest += sizeof(size) + line->len;
    v->rest_len -= sizeof(size) + line->len;
    return true;
}
