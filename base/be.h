/* be: 32-bit big-endian numbers, as stream frames and log records carry their lengths. */
#pragma once

#include <stdint.h>

static inline uint32_t get_be32(const void *from)
{
    const unsigned char *p = from;

    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline void put_be32(void *to, uint32_t v)
{
    unsigned char *p = to;

    p[0] = (unsigned char)(v >> 24);
    p[1] = (unsigned char)(v >> 16);
    p[2] = (unsigned char)(v >> 8);
    p[3] = (unsigned char)v;
}
