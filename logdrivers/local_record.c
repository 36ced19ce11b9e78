/*
 * local_record: records of the driver `local`, in the format of dockerd's files:
 *
 *     size u32 big endian | LogEntry | the same size again
 *
 * LogEntry is a protobuf message (moby, api/types/plugins/logdriver/entry.proto): source = 1,
 * time_nano = 2, line = 3 (without newline), partial = 4, partial_log_metadata = 5 {last = 1,
 * id = 2, ordinal = 3}.  The size behind lets a reader go backwards; since a source is always
 * "stdout" or "stderr", the first bytes are the same everywhere, and tell where records are when
 * what is between them is damaged.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/be.h"
#include "base/id.h"
#include "base/mem.h"
#include "logdrivers/log_file.h"

#define SIZE       4             /* of the number before and behind */
#define MAGIC      "\x0a\x06std" /* field 1, six bytes */
#define MAGIC_LEN  5
#define ENTRY_MIN  8   /* the source alone */
#define ENTRY_MORE 128 /* what is not the line, at most */
#define BLOCK      (64 * 1024)
#define WINDOW     (256 * 1024) /* half records of a killed writer are shorter */

enum wire { WIRE_VARINT = 0, WIRE_I64 = 1, WIRE_LEN = 2, WIRE_I32 = 5 };

enum { ENTRY_SOURCE = 1, ENTRY_TIME, ENTRY_LINE, ENTRY_PARTIAL, ENTRY_METADATA };
enum { PART_LAST = 1, PART_ID, PART_ORDINAL };

/* ------------------------------------------------------------------ encoding */

static size_t local_room(size_t len)
{
    return len + 2 * SIZE + ENTRY_MORE;
}

static char *put_varint(char *p, uint64_t v)
{
    while (v >= 0x80) {
        *p++ = (char)(v | 0x80);
        v >>= 7;
    }
    *p++ = (char)v;
    return p;
}

static char *put_bytes(char *p, int field, const char *bytes, size_t n)
{
    *p++ = (char)(field << 3 | WIRE_LEN);
    p = put_varint(p, n);
    memcpy(p, bytes, n);
    return p + n;
}

static char *put_number(char *p, int field, uint64_t v)
{
    *p++ = (char)(field << 3 | WIRE_VARINT);
    return put_varint(p, v);
}

/* Parts of one line share an ID and are counted; the last one says so. */
static char *put_part(char *p, struct log_encoder *en, const struct log_line *line)
{
    uint32_t *ordinal = &en->parts[line->from_stderr].ordinal;
    char *id = en->parts[line->from_stderr].id, meta[ENTRY_MORE], *m = meta;

    if (!line->partial && *ordinal == 0)
        return p;
    if (*ordinal == 0)
        id_new(id);
    ++*ordinal;
    if (!line->partial)
        m = put_number(m, PART_LAST, 1);
    m = put_bytes(m, PART_ID, id, ID_LEN);
    m = put_number(m, PART_ORDINAL, *ordinal);
    if (!line->partial)
        *ordinal = 0;
    p = put_number(p, ENTRY_PARTIAL, 1);
    return put_bytes(p, ENTRY_METADATA, meta, (size_t)(m - meta));
}

static size_t local_encode(struct log_encoder *en, char *dst, const struct log_line *line)
{
    char *p = dst + SIZE;
    size_t n;

    p = put_bytes(p, ENTRY_SOURCE, line->from_stderr ? "stderr" : "stdout", 6);
    if (line->unix_ns != 0)
        p = put_number(p, ENTRY_TIME, (uint64_t)line->unix_ns);
    if (line->len > 0)
        p = put_bytes(p, ENTRY_LINE, line->bytes, line->len);
    p = put_part(p, en, line);
    n = (size_t)(p - dst) - SIZE;
    put_be32(dst, (uint32_t)n);
    put_be32(p, (uint32_t)n);
    return n + 2 * SIZE;
}

/* ------------------------------------------------------------------ decoding */

static bool get_varint(const char **p, const char *end, uint64_t *v)
{
    *v = 0;
    for (unsigned shift = 0; *p < end && shift < 64; shift += 7) {
        unsigned char c = (unsigned char)*(*p)++;

        *v |= (uint64_t)(c & 0x7f) << shift;
        if (!(c & 0x80))
            return true;
    }
    return false;
}

struct field {
    uint64_t number, value; /* value: or the length of */
    const char *bytes;
    enum wire wire;
};

/* false at the end, and when it is damaged: p != end then. */
static bool next_field(const char **p, const char *end, struct field *f)
{
    static const size_t fixed[] = {[WIRE_I64] = 8, [WIRE_I32] = 4};
    const char *at = *p;
    uint64_t tag;

    if (at == end || !get_varint(&at, end, &tag))
        return false;
    *f = (struct field){.number = tag >> 3, .wire = tag & 7};
    switch (f->wire) {
    case WIRE_VARINT:
        if (!get_varint(&at, end, &f->value))
            return false;
        break;
    case WIRE_LEN:
        if (!get_varint(&at, end, &f->value) || f->value > (uint64_t)(end - at))
            return false;
        f->bytes = at;
        at += f->value;
        break;
    case WIRE_I64:
    case WIRE_I32:
        if ((size_t)(end - at) < fixed[f->wire])
            return false;
        at += fixed[f->wire];
        break;
    default:
        return false;
    }
    *p = at;
    return true;
}

static bool is_last_part(const char *p, size_t n)
{
    const char *end = p + n;
    bool last = false;
    struct field f;

    while (next_field(&p, end, &f))
        if (f.number == PART_LAST && f.wire == WIRE_VARINT)
            last = f.value != 0;
    return last;
}

static bool decode_entry(const char *p, size_t n, struct log_line *line)
{
    const char *end = p + n;
    bool last = false;
    struct field f;

    *line = (struct log_line){.bytes = ""};
    while (next_field(&p, end, &f)) {
        if (f.number == ENTRY_SOURCE && f.wire == WIRE_LEN)
            line->from_stderr = f.value == 6 && memcmp(f.bytes, "stderr", 6) == 0;
        else if (f.number == ENTRY_TIME && f.wire == WIRE_VARINT)
            line->unix_ns = (int64_t)f.value;
        else if (f.number == ENTRY_LINE && f.wire == WIRE_LEN) {
            line->bytes = f.bytes;
            line->len = f.value;
        } else if (f.number == ENTRY_PARTIAL && f.wire == WIRE_VARINT)
            line->partial = f.value != 0;
        else if (f.number == ENTRY_METADATA && f.wire == WIRE_LEN)
            last = is_last_part(f.bytes, f.value);
    }
    if (last)
        line->partial = false;
    return p == end;
}

/* Whether a record may begin at p, as far as it can be seen in n bytes. */
static bool may_begin(const char *p, size_t n)
{
    size_t seen = n < SIZE + MAGIC_LEN ? n : SIZE + MAGIC_LEN;

    if (seen < SIZE)
        return true;
    return get_be32(p) >= ENTRY_MIN && get_be32(p) <= LOG_RECORD_MAX - 2 * SIZE &&
           memcmp(p + SIZE, MAGIC, seen - SIZE) == 0;
}

/* How much of p is damaged for certain. */
static size_t damage(const char *p, size_t n)
{
    size_t i = 1;

    while (i < n && !may_begin(p + i, n - i))
        i++;
    return i;
}

static size_t local_next(struct log_decoder *d, const char *p, size_t n, bool *ok,
                         struct log_line *line)
{
    size_t size;

    (void)d;
    *ok = false;
    if (n == 0)
        return 0;
    if (!may_begin(p, n))
        return damage(p, n);
    if (n < SIZE)
        return 0;
    size = get_be32(p);
    if (n < size + 2 * SIZE)
        return 0;
    if (get_be32(p + SIZE + size) != size || !decode_entry(p + SIZE, size, line))
        return damage(p, n);
    *ok = true;
    return size + 2 * SIZE;
}

/* ------------------------------------------------------------------ from the end */

/* The size of the record that ends at bytes[n]; 0 when none does. */
static size_t record_before(const char *bytes, size_t n)
{
    size_t size;

    if (n < 2 * SIZE + ENTRY_MIN)
        return 0;
    size = get_be32(bytes + n - SIZE);
    if (size < ENTRY_MIN || size > n - 2 * SIZE)
        return 0;
    bytes += n - size - 2 * SIZE;
    return get_be32(bytes) == size && may_begin(bytes, size) ? size + 2 * SIZE : 0;
}

/* What cannot be understood stays: readers go on behind it. */
static int local_whole(int fd, int64_t size, int64_t *end)
{
    int64_t from = size > WINDOW ? size - WINDOW : 0;
    size_t n = (size_t)(size - from);
    cleanup_free char *bytes = xmalloc(n + 1);
    ssize_t got = pread(fd, bytes, n, from);

    if (got < 0)
        return -1;
    *end = size;
    if ((size_t)got < n) { /* it is being truncated */
        errno = EIO;
        return -1;
    }
    for (size_t at = n; at > 0; at--)
        if (record_before(bytes, at) > 0) {
            *end = from + (int64_t)at;
            return 0;
        }
    if (from == 0)
        *end = 0;
    return 0;
}

static int64_t local_tail(int fd, int64_t end, int64_t *want)
{
    size_t cap = BLOCK;
    cleanup_free char *bytes = xmalloc(cap);
    int64_t left = *want;

    while (end > 0 && left > 0) {
        int64_t from = end > (int64_t)cap ? end - (int64_t)cap : 0;
        size_t n = (size_t)(end - from), at = n, size;

        if (pread(fd, bytes, n, from) != (ssize_t)n)
            return -1;
        while (left > 0 && (size = record_before(bytes, at)) > 0) {
            at -= size;
            left--;
        }
        end = from + (int64_t)at;
        if (at < n)
            continue;
        if (from == 0 || cap >= LOG_RECORD_MAX)
            return -1;
        cap *= 2;
        bytes = xrealloc(bytes, cap);
    }
    *want = left;
    return end;
}

const struct log_codec local_codec = {
    .what = "local",
    .room = local_room,
    .encode = local_encode,
    .next = local_next,
    .whole = local_whole,
    .tail = local_tail,
};
