/*
 * json_record: records of a json-file log, to bytes and back.
 *
 *     {"log":"a line\n","stream":"stdout","time":"2026-11-24T06:15:41.123456789Z"}\n
 *
 * The format is a public contract: tools of third parties read these files.  The escapes are the
 * ones dockerd writes, down to <, > and & as \u003c, \u003e, \u0026 and invalid UTF-8 as \ufffd.  A
 * record whose text does not end in "\n" is a part of a line that goes on in the next record.  What
 * is read may have its keys in any order; unknown ones are skipped.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/time.h"
#include "logdrivers/log_file.h"

#define BLOCK (16 * 1024)

static const char hex_digits[] = "0123456789abcdef";

/* ------------------------------------------------------------------ encoding */

typedef uint8_t block __attribute__((vector_size(16)));

/* Nothing in these 16 bytes needs a look: printable ASCII without the five that are escaped. */
static bool block_is_plain(const char *p)
{
    block b, odd;
    uint64_t halves[2];

    memcpy(&b, p, sizeof(b));
    odd = (block)(b < 0x20) | (block)(b >= 0x80) | (block)(b == '"') | (block)(b == '\\') |
          (block)(b == '<') | (block)(b == '>') | (block)(b == '&');
    memcpy(halves, &odd, sizeof(halves));
    return (halves[0] | halves[1]) == 0;
}

static bool byte_is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&';
}

static char *put(char *dst, const char *text, size_t n)
{
    memcpy(dst, text, n);
    return dst + n;
}

static char *put_escape(char *dst, unsigned char c)
{
    *dst++ = '\\';
    switch (c) {
    case '"':
    case '\\':
        *dst++ = (char)c;
        return dst;
    case '\n':
        *dst++ = 'n';
        return dst;
    case '\r':
        *dst++ = 'r';
        return dst;
    default:
        dst = put(dst, "u00", 3);
        *dst++ = hex_digits[c >> 4];
        *dst++ = hex_digits[c & 15];
        return dst;
    }
}

/* Length of the well-formed UTF-8 sequence at s (Unicode table 3-7); 0 when it is none. */
static size_t utf8_len(const unsigned char *s, size_t n)
{
    unsigned char low = 0x80, high = 0xbf;
    size_t len;

    if (s[0] >= 0xc2 && s[0] <= 0xdf)
        len = 2;
    else if ((s[0] & 0xf0) == 0xe0)
        len = 3;
    else if (s[0] >= 0xf0 && s[0] <= 0xf4)
        len = 4;
    else
        return 0;
    if (s[0] == 0xe0)
        low = 0xa0; /* no overlong forms */
    else if (s[0] == 0xed)
        high = 0x9f; /* no surrogates */
    else if (s[0] == 0xf0)
        low = 0x90;
    else if (s[0] == 0xf4)
        high = 0x8f; /* nothing above U+10FFFF */
    if (n < len || s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    return len;
}

/* One character that is not plain ASCII; *used says how many bytes of s it was. */
static char *put_odd(char *dst, const char *s, size_t n, size_t *used)
{
    const unsigned char *u = (const unsigned char *)s;
    size_t len;

    *used = 1;
    if (u[0] < 0x80)
        return put_escape(dst, u[0]);
    len = utf8_len(u, n);
    if (!len)
        return put(dst, "\\ufffd", 6);
    *used = len;
    if (len == 3 && u[0] == 0xe2 && u[1] == 0x80 && (u[2] == 0xa8 || u[2] == 0xa9))
        return put(dst, u[2] == 0xa8 ? "\\u2028" : "\\u2029", 6); /* line ends in JavaScript */
    return put(dst, s, len);
}

static char *put_escaped(char *dst, const char *s, size_t n)
{
    size_t i = 0, used;

    while (i < n) {
        while (n - i >= sizeof(block) && block_is_plain(s + i)) {
            memcpy(dst, s + i, sizeof(block));
            dst += sizeof(block);
            i += sizeof(block);
        }
        /* The rest of this block byte by byte; the next round starts with blocks again. */
        for (size_t end = i + sizeof(block); i < n && i < end; i += used) {
            used = 1;
            if (byte_is_plain((unsigned char)s[i]))
                *dst++ = s[i];
            else
                dst = put_odd(dst, s + i, n - i, &used);
        }
    }
    return dst;
}

static size_t json_encode(struct log_encoder *en, char *dst, const struct log_line *line)
{
    char *p = dst;

    if (line->unix_ns != en->time_ns || !en->time[0]) { /* the lines of one chunk have one time */
        time_format(line->unix_ns, en->time);
        en->time_ns = line->unix_ns;
    }
    *p++ = '{';
    if (line->len > 0 || !line->partial) { /* dockerd leaves an empty text out */
        p = put(p, "\"log\":\"", 7);
        p = put_escaped(p, line->bytes, line->len);
        if (!line->partial)
            p = put(p, "\\n", 2);
        p = put(p, "\",", 2);
    }
    p = line->from_stderr ? put(p, "\"stream\":\"stderr\"", 17)
                          : put(p, "\"stream\":\"stdout\"", 17);
    if (en->attrs_len > 0) {
        p = put(p, ",\"attrs\":", 9);
        p = put(p, en->attrs, en->attrs_len);
    }
    p = put(p, ",\"time\":\"", 9);
    p = put(p, en->time, strlen(en->time));
    p = put(p, "\"}\n", 3);
    return (size_t)(p - dst);
}

/* Every byte may become \u00xx. */
static size_t json_room(size_t len)
{
    return 6 * len + 128;
}

/* ------------------------------------------------------------------ decoding */

struct scan {
    const char *p, *end;
};

static void skip_space(struct scan *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\r' || *s->p == '\n'))
        s->p++;
}

static bool take(struct scan *s, char c)
{
    skip_space(s);
    if (s->p >= s->end || *s->p != c)
        return false;
    s->p++;
    return true;
}

/* The bytes between the quotes, still escaped. */
static bool take_raw_string(struct scan *s, const char **text, size_t *len)
{
    if (!take(s, '"'))
        return false;
    *text = s->p;
    while (s->p < s->end && *s->p != '"') {
        if (*s->p == '\\' && ++s->p == s->end)
            return false;
        s->p++;
    }
    if (s->p >= s->end)
        return false;
    *len = (size_t)(s->p - *text);
    s->p++;
    return true;
}

/* Any value, nested ones included; what it is does not matter, only where it ends. */
static bool skip_value(struct scan *s)
{
    const char *text;
    unsigned depth = 0;
    size_t len;

    do {
        skip_space(s);
        if (s->p >= s->end)
            return false;
        if (*s->p == '"') {
            if (!take_raw_string(s, &text, &len))
                return false;
        } else if (*s->p == '{' || *s->p == '[') {
            depth++;
            s->p++;
        } else if (*s->p == '}' || *s->p == ']') {
            if (depth == 0)
                return false;
            depth--;
            s->p++;
        } else if (depth > 0 && (*s->p == ',' || *s->p == ':')) {
            s->p++;
        } else {
            const char *start = s->p;

            while (s->p < s->end && !strchr(",:{}[]\" \t\r\n", *s->p))
                s->p++;
            if (s->p == start)
                return false;
        }
    } while (depth > 0);
    return true;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static bool take_hex4(const char *p, const char *end, unsigned *out)
{
    *out = 0;
    if (end - p < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        int v = hex_value(p[i]);

        if (v < 0)
            return false;
        *out = *out << 4 | (unsigned)v;
    }
    return true;
}

static void add_utf8(struct buf *out, unsigned cp)
{
    char u[4];
    size_t n = 0;

    if (cp < 0x80) {
        u[n++] = (char)cp;
    } else if (cp < 0x800) {
        u[n++] = (char)(0xc0 | cp >> 6);
        u[n++] = (char)(0x80 | (cp & 0x3f));
    } else if (cp < 0x10000) {
        u[n++] = (char)(0xe0 | cp >> 12);
        u[n++] = (char)(0x80 | (cp >> 6 & 0x3f));
        u[n++] = (char)(0x80 | (cp & 0x3f));
    } else {
        u[n++] = (char)(0xf0 | cp >> 18);
        u[n++] = (char)(0x80 | (cp >> 12 & 0x3f));
        u[n++] = (char)(0x80 | (cp >> 6 & 0x3f));
        u[n++] = (char)(0x80 | (cp & 0x3f));
    }
    buf_add(out, u, n);
}

/* \uXXXX at *p (behind the 'u'), with its second half when it is a surrogate pair. */
static bool unescape_unicode(const char **p, const char *end, struct buf *out)
{
    unsigned cp, low;

    if (!take_hex4(*p, end, &cp))
        return false;
    *p += 4;
    if (cp >= 0xd800 && cp < 0xdc00 && end - *p >= 6 && (*p)[0] == '\\' && (*p)[1] == 'u' &&
        take_hex4(*p + 2, end, &low) && low >= 0xdc00 && low < 0xe000) {
        *p += 6;
        cp = 0x10000 + ((cp - 0xd800) << 10) + (low - 0xdc00);
    } else if (cp >= 0xd800 && cp < 0xe000) {
        cp = 0xfffd;
    }
    add_utf8(out, cp);
    return true;
}

static bool unescape(const char *p, size_t len, struct buf *out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *end = p + len, *back, *known;

    while (p < end) {
        back = memchr(p, '\\', (size_t)(end - p));
        if (!back) {
            buf_add(out, p, (size_t)(end - p));
            break;
        }
        buf_add(out, p, (size_t)(back - p));
        p = back + 1;
        if (p >= end)
            return false;
        if (*p == 'u') {
            p++;
            if (!unescape_unicode(&p, end, out))
                return false;
            continue;
        }
        known = *p ? strchr(from, *p) : NULL;
        if (!known)
            return false;
        buf_add(out, &to[known - from], 1);
        p++;
    }
    return !out->overflow;
}

static int digits(const char *p, int n)
{
    int v = 0;

    for (int i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9')
            return -1;
        v = v * 10 + (p[i] - '0');
    }
    return v;
}

/* "2026-11-24T06:15:41.123456789Z" on the day that the last record had, which is nearly all. */
static bool decode_same_day(const struct log_decoder *d, const char *t, size_t len, int64_t *ns)
{
    int h, m, s;
    int64_t part = 0, scale = NS_PER_SEC;

    if (len < 20 || memcmp(t, d->date, sizeof(d->date)) != 0 || t[10] != 'T' || t[13] != ':' ||
        t[16] != ':' || t[len - 1] != 'Z' || (len > 20 && t[19] != '.') || len > 30 || len == 21)
        return false;
    h = digits(t + 11, 2);
    m = digits(t + 14, 2);
    s = digits(t + 17, 2);
    if (h < 0 || h > 23 || m < 0 || m > 59 || s < 0 || s > 59)
        return false;
    for (size_t i = 20; i < len - 1; i++) {
        if (t[i] < '0' || t[i] > '9')
            return false;
        scale /= 10;
        part += (t[i] - '0') * scale;
    }
    *ns = d->date_ns + ((h * 60 + m) * 60 + s) * NS_PER_SEC + part;
    return true;
}

static bool decode_time(struct log_decoder *d, const char *text, size_t len, int64_t *ns)
{
    if (len >= sizeof(d->time))
        return false;
    if (len != d->time_len || memcmp(text, d->time, len) != 0) {
        int64_t v;

        memcpy(d->time, text, len);
        d->time[len] = '\0';
        d->time_len = 0;
        if (!decode_same_day(d, text, len, &v)) {
            if (time_parse(d->time, &v, ERR_IGNORE))
                return false;
            /* Only what ends in Z has its day in front. */
            if (text[len - 1] == 'Z' && v >= 0) {
                memcpy(d->date, text, sizeof(d->date));
                d->date_ns = v - v % (24 * 3600 * NS_PER_SEC);
            }
        }
        d->time_len = len;
        d->time_ns = v;
    }
    *ns = d->time_ns;
    return true;
}

static bool key_is(const char *key, size_t len, const char *want)
{
    return len == strlen(want) && memcmp(key, want, len) == 0;
}

/* One "key": value; what we do not know is skipped. */
static bool decode_member(struct scan *s, struct log_decoder *d, struct log_line *line,
                          bool *has_time)
{
    const char *key, *value;
    size_t key_len, len;

    if (!take_raw_string(s, &key, &key_len) || !take(s, ':'))
        return false;
    if (key_is(key, key_len, "log")) {
        buf_reset(&d->text);
        return take_raw_string(s, &value, &len) && unescape(value, len, &d->text);
    }
    if (key_is(key, key_len, "stream")) {
        if (!take_raw_string(s, &value, &len))
            return false;
        line->from_stderr = key_is(value, len, "stderr");
        return true;
    }
    if (key_is(key, key_len, "time")) {
        *has_time = true;
        return take_raw_string(s, &value, &len) && decode_time(d, value, len, &line->unix_ns);
    }
    if (key_is(key, key_len, "attrs")) {
        skip_space(s);
        line->attrs = s->p;
        if (!skip_value(s))
            return false;
        line->attrs_len = (size_t)(s->p - line->attrs);
        return true;
    }
    return skip_value(s);
}

/* Bytes up to the first quote or backslash. */
static size_t plain_len(const char *p, size_t n)
{
    size_t i = 0;

    for (; n - i >= sizeof(block); i += sizeof(block)) {
        block b, odd;
        uint64_t halves[2];

        memcpy(&b, p + i, sizeof(b));
        odd = (block)(b == '"') | (block)(b == '\\');
        memcpy(halves, &odd, sizeof(halves));
        if ((halves[0] | halves[1]) != 0)
            break;
    }
    while (i < n && p[i] != '"' && p[i] != '\\')
        i++;
    return i;
}

#define HEAD       "{\"log\":\""
#define NAME       "\\n\",\"stream\":\"std"
#define TIME       "\",\"time\":\""
#define CLOSE      "\"}"
#define LEN(text)  (sizeof(text) - 1)
#define STREAM_LEN 3 /* "out", "err" */

/*
 * A whole line of plain text without attributes, as nearly all are: then its bytes are the record's
 * and nothing is copied.  What looks in any way different is for the parser below.
 */
static bool decode_plain(struct log_decoder *d, const char *record, size_t len,
                         struct log_line *line)
{
    const char *p, *end = record + len;
    size_t n;

    if (len < LEN(HEAD) || memcmp(record, HEAD, LEN(HEAD)) != 0)
        return false;
    p = record + LEN(HEAD);
    n = plain_len(p, len - LEN(HEAD));
    line->bytes = p;
    line->len = n;
    p += n;
    if ((size_t)(end - p) < LEN(NAME) + STREAM_LEN + LEN(TIME) + LEN(CLOSE) ||
        memcmp(p, NAME, LEN(NAME)) != 0)
        return false;
    p += LEN(NAME);
    line->from_stderr = *p == 'e';
    p += STREAM_LEN;
    if (memcmp(p, TIME, LEN(TIME)) != 0 || memcmp(end - LEN(CLOSE), CLOSE, LEN(CLOSE)) != 0)
        return false;
    p += LEN(TIME);
    return decode_time(d, p, (size_t)(end - p) - LEN(CLOSE), &line->unix_ns);
}

static bool json_decode(struct log_decoder *d, const char *record, size_t len,
                        struct log_line *line)
{
    struct scan s = {record, record + len};
    bool has_time = false;

    *line = (struct log_line){0};
    if (decode_plain(d, record, len, line))
        return true;
    *line = (struct log_line){0};
    buf_reset(&d->text);
    if (!take(&s, '{'))
        return false;
    do {
        if (!decode_member(&s, d, line, &has_time))
            return false;
    } while (take(&s, ','));
    if (!take(&s, '}') || !has_time)
        return false;
    skip_space(&s);
    if (s.p != s.end)
        return false;
    line->bytes = d->text.data;
    line->len = d->text.len;
    line->partial = true;
    if (line->len > 0 && line->bytes[line->len - 1] == '\n') {
        line->len--;
        line->partial = false;
    }
    return true;
}

static size_t json_next(struct log_decoder *d, const char *p, size_t n, bool *ok,
                        struct log_line *line)
{
    const char *newline = n > 0 ? memchr(p, '\n', n) : NULL;

    *ok = false;
    if (!newline) {
        if (n < LOG_RECORD_MAX && !d->skipping)
            return 0;
        d->skipping = true;
        return n;
    }
    *ok = !d->skipping && json_decode(d, p, (size_t)(newline - p), line);
    d->skipping = false;
    return (size_t)(newline - p) + 1;
}

/* ------------------------------------------------------------------ from the end */

static int json_whole(int fd, int64_t size, int64_t *end)
{
    char block_bytes[BLOCK];

    for (*end = size; *end > 0;) {
        int64_t from = *end > BLOCK ? *end - BLOCK : 0;
        ssize_t n = pread(fd, block_bytes, (size_t)(*end - from), from);
        const char *newline;

        if (n != *end - from) {
            errno = n < 0 ? errno : EIO;
            return -1;
        }
        newline = memrchr(block_bytes, '\n', (size_t)n);
        if (newline) {
            *end = from + (newline - block_bytes) + 1;
            return 0;
        }
        *end = from;
    }
    return 0;
}

/* What follows the last newline is no record yet. */
static int64_t json_tail(int fd, int64_t end, int64_t *want)
{
    char bytes[BLOCK];
    int64_t newlines = 0, wanted = *want + 1; /* the one that ends the record before, too */

    while (end > 0) {
        int64_t from = end > BLOCK ? end - BLOCK : 0;
        ssize_t n = pread(fd, bytes, (size_t)(end - from), from);
        const char *p;

        if (n != end - from)
            break;
        while ((p = memrchr(bytes, '\n', (size_t)n))) {
            if (++newlines == wanted) {
                *want = 0;
                return from + (p - bytes) + 1;
            }
            n = p - bytes;
        }
        end = from;
    }
    *want = newlines < *want ? *want - newlines : 0;
    return 0;
}

const struct log_codec json_codec = {
    .what = "json-file",
    .room = json_room,
    .encode = json_encode,
    .next = json_next,
    .whole = json_whole,
    .tail = json_tail,
};
