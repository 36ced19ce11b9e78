/* msgpack: see msgpack.h, and https://github.com/msgpack/msgpack/blob/master/spec.md. */
#include "logdrivers/remote/msgpack.h"

#include <endian.h>
#include <string.h>

#include "base/time.h"

#define FIX_ARRAY  0x90
#define FIX_MAP    0x80
#define FIX_STR    0xa0
#define STR_8      0xd9
#define STR_16     0xda
#define STR_32     0xdb
#define MAP_16     0xde
#define INT_64     0xd3
#define FIX_EXT_8  0xd7
#define EVENT_TIME 0x00

static void put(struct buf *b, uint8_t tag, uint64_t value, size_t bytes)
{
    uint64_t be = htobe64(value);

    buf_add(b, &tag, 1);
    buf_add(b, (const char *)&be + sizeof(be) - bytes, bytes);
}

void msgpack_array(struct buf *b, unsigned n)
{
    put(b, (uint8_t)(FIX_ARRAY | n), 0, 0);
}

void msgpack_map(struct buf *b, size_t n)
{
    if (n < 16)
        put(b, (uint8_t)(FIX_MAP | n), 0, 0);
    else
        put(b, MAP_16, n, 2);
}

void msgpack_str(struct buf *b, const char *s, size_t n)
{
    if (n < 32)
        put(b, (uint8_t)(FIX_STR | n), 0, 0);
    else if (n <= UINT8_MAX)
        put(b, STR_8, n, 1);
    else if (n <= UINT16_MAX)
        put(b, STR_16, n, 2);
    else
        put(b, STR_32, n, 4);
    buf_add(b, s, n);
}

void msgpack_i64(struct buf *b, int64_t v)
{
    put(b, INT_64, (uint64_t)v, 8);
}

void msgpack_event_time(struct buf *b, int64_t unix_ns)
{
    const uint8_t kind = EVENT_TIME;
    uint32_t parts[2] = {htobe32((uint32_t)(unix_ns / NS_PER_SEC)),
                         htobe32((uint32_t)(unix_ns % NS_PER_SEC))};

    put(b, FIX_EXT_8, 0, 0);
    buf_add(b, &kind, 1);
    buf_add(b, parts, sizeof(parts));
}

int msgpack_is_ack(const char *bytes, size_t len, const char *id)
{
    static const char head[] = {(char)(FIX_MAP | 1), (char)(FIX_STR | 3), 'a', 'c', 'k'};
    const size_t n = strlen(id), at = sizeof(head);
    size_t skip;

    if (memcmp(bytes, head, len < at ? len : at) != 0)
        return -1;
    if (len <= at)
        return 0;
    /* The ID is ours, so its length is known; how that is written is the peer's choice. */
    if ((uint8_t)bytes[at] == (FIX_STR | n) && n < 32)
        skip = 1;
    else if ((uint8_t)bytes[at] == STR_8)
        skip = 2;
    else
        return -1;
    if (len < at + skip + n)
        return 0;
    if (skip == 2 && (uint8_t)bytes[at + 1] != n)
        return -1;
    return memcmp(bytes + at + skip, id, n) == 0 ? 1 : -1;
}
