/*
 * json_check: is this text JSON, to the letter?
 *
 * json-c is generous: depending on its version it lets NaN, comments, control characters in strings
 * or leading zeros pass, and clamps numbers that do not fit.  Two programs that read the same bytes
 * differently are how checks are bypassed, so the grammar is RFC 8259's here and json-c only builds
 * the tree.  Nesting is tracked in a bit per level, so a hostile text costs no stack.
 */
#include "base/json_internal.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct check {
    const unsigned char *p, *end, *start;
    uint64_t in_object; /* bit d: level d is an object, else an array */
    unsigned depth;
    const char *why;
};

static bool fail(struct check *c, const char *why)
{
    c->why = why;
    return false;
}

static void skip_space(struct check *c)
{
    while (c->p < c->end && (*c->p == ' ' || *c->p == '\t' || *c->p == '\n' || *c->p == '\r'))
        c->p++;
}

static int hex_digits(const struct check *c, const unsigned char *p)
{
    int n = 0;

    while (n < 4 && p + n < c->end && strchr("0123456789abcdefABCDEF", p[n]) && p[n])
        n++;
    return n;
}

/* Length of the UTF-8 sequence at p, 0 when it is none (overlong, surrogate, beyond U+10FFFF). */
static size_t utf8_len(const unsigned char *p, const unsigned char *end)
{
    size_t n = *p >= 0xf0 ? 4 : *p >= 0xe0 ? 3 : 2;
    unsigned char low = 0x80, high = 0xbf;

    if (*p < 0x80)
        return 1;
    if (*p < 0xc2 || *p > 0xf4 || (size_t)(end - p) < n)
        return 0;
    if (*p == 0xe0)
        low = 0xa0;
    else if (*p == 0xed)
        high = 0x9f;
    else if (*p == 0xf0)
        low = 0x90;
    else if (*p == 0xf4)
        high = 0x8f;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++)
        if (p[i] < 0x80 || p[i] > 0xbf)
            return 0;
    return n;
}

static bool string(struct check *c)
{
    if (c->p >= c->end || *c->p != '"')
        return fail(c, "a string must begin here");
    for (c->p++; c->p < c->end && *c->p != '"';) {
        size_t n = utf8_len(c->p, c->end);

        if (*c->p < 0x20)
            return fail(c, "control character in a string");
        if (n == 0)
            return fail(c, "invalid UTF-8 in a string");
        if (*c->p == '\\') {
            if (c->p + 1 >= c->end || !c->p[1] || !strchr("\"\\/bfnrtu", c->p[1]))
                return fail(c, "invalid escape in a string");
            if (c->p[1] == 'u' && hex_digits(c, c->p + 2) != 4)
                return fail(c, "invalid \\u escape in a string");
            n = c->p[1] == 'u' ? 6 : 2;
        }
        c->p += n;
    }
    if (c->p >= c->end)
        return fail(c, "unfinished string");
    c->p++;
    return true;
}

static size_t digits(struct check *c)
{
    size_t n = 0;

    for (; c->p < c->end && *c->p >= '0' && *c->p <= '9'; c->p++)
        n++;
    return n;
}

/* What json-c keeps exactly: int64, or uint64 when positive. */
static bool integer_fits(const unsigned char *p, const unsigned char *end)
{
    bool negative = *p == '-';
    uint64_t v = 0;

    for (p += negative; p < end; p++)
        if (__builtin_mul_overflow(v, (uint64_t)10, &v) ||
            __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
            return false;
    return !negative || v <= (uint64_t)INT64_MAX + 1;
}

static bool number(struct check *c)
{
    const unsigned char *start = c->p;
    bool integer = true;

    if (c->p < c->end && *c->p == '-')
        c->p++;
    if (c->p + 1 < c->end && *c->p == '0' && c->p[1] >= '0' && c->p[1] <= '9')
        return fail(c, "number with a leading zero");
    if (digits(c) == 0)
        return fail(c, "invalid value");
    if (c->p < c->end && *c->p == '.') {
        integer = false;
        c->p++;
        if (digits(c) == 0)
            return fail(c, "invalid number");
    }
    if (c->p < c->end && (*c->p == 'e' || *c->p == 'E')) {
        integer = false;
        c->p++;
        if (c->p < c->end && (*c->p == '+' || *c->p == '-'))
            c->p++;
        if (digits(c) == 0)
            return fail(c, "invalid number");
    }
    if (integer && !integer_fits(start, c->p))
        return fail(c, "number out of range");
    return true;
}

static bool literal(struct check *c, const char *word)
{
    size_t n = strlen(word);

    if ((size_t)(c->end - c->p) < n || memcmp(c->p, word, n) != 0)
        return fail(c, "invalid value");
    c->p += n;
    return true;
}

static bool scalar(struct check *c)
{
    switch (*c->p) {
    case '"':
        return string(c);
    case 't':
        return literal(c, "true");
    case 'f':
        return literal(c, "false");
    case 'n':
        return literal(c, "null");
    default:
        return number(c);
    }
}

static bool member_name(struct check *c)
{
    skip_space(c);
    if (!string(c))
        return false;
    skip_space(c);
    if (c->p >= c->end || *c->p != ':')
        return fail(c, "':' expected after a key");
    c->p++;
    return true;
}

static bool is_object(const struct check *c)
{
    return c->in_object >> (c->depth - 1) & 1;
}

/* Enters the array or object at p.  *empty: it was closed again at once. */
static bool open_level(struct check *c, bool *empty)
{
    bool object = *c->p == '{';

    if (c->depth == JSON_DEPTH_MAX)
        return fail(c, "nested too deeply");
    c->p++;
    skip_space(c);
    *empty = c->p < c->end && *c->p == (object ? '}' : ']');
    if (*empty) {
        c->p++;
        return true;
    }
    c->in_object &= ~(1ULL << c->depth);
    c->in_object |= (uint64_t)object << c->depth;
    c->depth++;
    return object ? member_name(c) : true;
}

/* After a value: closes levels until one goes on with ',' or none is left. */
static bool close_levels(struct check *c)
{
    while (c->depth > 0) {
        skip_space(c);
        if (c->p >= c->end)
            return fail(c, "unexpected end");
        if (*c->p == ',') {
            c->p++;
            return is_object(c) ? member_name(c) : true;
        }
        if (*c->p != (is_object(c) ? '}' : ']'))
            return fail(c, "',' or the closing bracket expected");
        c->p++;
        c->depth--;
    }
    return true;
}

static bool document(struct check *c)
{
    do {
        bool closed = true;

        skip_space(c);
        if (c->p >= c->end)
            return fail(c, "unexpected end");
        if (*c->p == '{' || *c->p == '[') {
            if (!open_level(c, &closed))
                return false;
        } else if (!scalar(c)) {
            return false;
        }
        if (closed && !close_levels(c))
            return false;
    } while (c->depth > 0);
    skip_space(c);
    return c->p == c->end || fail(c, "unexpected text after the value");
}

int json_check(const char *text, size_t len, struct err *e)
{
    struct check c = {.p = (const unsigned char *)text};

    c.start = c.p;
    c.end = c.p + len;
    if (document(&c))
        return 0;
    return err_set(e, ERR_INVALID, "invalid JSON at byte %zu: %s", (size_t)(c.p - c.start), c.why);
}
