/*
 * json_write: the streaming writer.
 *
 * It cannot fail by itself: what does not fit the buffer, or nests deeper than JSONW_DEPTH, sets
 * the buffer's overflow, which whoever sends the text checks once.
 */
#include "base/json.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/time.h"

static void before_value(struct jsonw *w)
{
    if (w->after_key) {
        w->after_key = false;
        return;
    }
    if (w->depth == 0)
        return;
    if (w->comma[w->depth - 1])
        buf_add(w->b, ",", 1);
    w->comma[w->depth - 1] = true;
}

static void open_level(struct jsonw *w, const char *bracket)
{
    before_value(w);
    buf_add(w->b, bracket, 1);
    if (w->depth == JSONW_DEPTH) {
        w->b->overflow = true;
        return;
    }
    w->comma[w->depth++] = false;
}

static void close_level(struct jsonw *w, const char *bracket)
{
    if (w->depth > 0)
        w->depth--;
    buf_add(w->b, bracket, 1);
}

void jsonw_obj(struct jsonw *w)
{
    open_level(w, "{");
}

void jsonw_end_obj(struct jsonw *w)
{
    close_level(w, "}");
}

void jsonw_arr(struct jsonw *w)
{
    open_level(w, "[");
}

void jsonw_end_arr(struct jsonw *w)
{
    close_level(w, "]");
}

/* Length of the valid UTF-8 sequence at s, 0 when there is none. */
static size_t sequence_len(const char *s, size_t n)
{
    const unsigned char *p = (const unsigned char *)s;
    size_t len = *p < 0x80 ? 1 : *p >= 0xf0 ? 4 : *p >= 0xe0 ? 3 : 2;
    unsigned cp;

    if (len == 1)
        return 1;
    if (*p < 0xc2 || *p > 0xf4 || len > n)
        return 0;
    cp = *p & (0x7fU >> len);
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        cp = cp << 6 | (p[i] & 0x3f);
    }
    if ((len == 3 && cp < 0x800) || (cp >= 0xd800 && cp <= 0xdfff) || (len == 4 && cp < 0x10000) ||
        cp > 0x10ffff)
        return 0;
    return len;
}

/* The escape for what begins at s, or "" when it can stand as it is. */
static void escape_for(const char *s, size_t len, char out[8])
{
    static const char letters[] = "\"\"\\\\\bb\ff\nn\rr\tt";

    out[0] = '\0';
    if (len == 0) {
        str_copy(out, 8, "\xef\xbf\xbd"); /* U+FFFD */
        return;
    }
    /* JavaScript ends lines at these two; Go's encoder always escapes them. */
    if (len == 3 && (memcmp(s, "\xe2\x80\xa8", 3) == 0 || memcmp(s, "\xe2\x80\xa9", 3) == 0)) {
        snprintf(out, 8, "\\u202%c", s[2] == '\xa8' ? '8' : '9');
        return;
    }
    if (len != 1)
        return;
    for (const char *l = letters; *l; l += 2)
        if (*l == *s) {
            snprintf(out, 8, "\\%c", l[1]);
            return;
        }
    if ((unsigned char)*s < 0x20)
        snprintf(out, 8, "\\u%04x", (unsigned)(unsigned char)*s);
}

static void add_string(struct buf *b, const char *s, size_t n)
{
    const char *end = s + n, *plain = s;
    char escape[8];

    buf_add(b, "\"", 1);
    while (s < end) {
        size_t len = sequence_len(s, (size_t)(end - s));

        escape_for(s, len, escape);
        if (*escape) {
            buf_add(b, plain, (size_t)(s - plain));
            buf_add(b, escape, strlen(escape));
            plain = s + (len ? len : 1);
        }
        s += len ? len : 1;
    }
    buf_add(b, plain, (size_t)(s - plain));
    buf_add(b, "\"", 1);
}

void jsonw_key(struct jsonw *w, const char *key)
{
    before_value(w);
    add_string(w->b, key, strlen(key));
    buf_add(w->b, ":", 1);
    w->after_key = true;
}

void jsonw_strn(struct jsonw *w, const char *v, size_t n)
{
    before_value(w);
    add_string(w->b, v, n);
}

void jsonw_str(struct jsonw *w, const char *v)
{
    jsonw_strn(w, v ? v : "", v ? strlen(v) : 0);
}

void jsonw_i64(struct jsonw *w, int64_t v)
{
    before_value(w);
    buf_addf(w->b, "%" PRId64, v);
}

void jsonw_u64(struct jsonw *w, uint64_t v)
{
    before_value(w);
    buf_addf(w->b, "%" PRIu64, v);
}

void jsonw_double(struct jsonw *w, double v)
{
    char text[40];

    before_value(w);
    if (!isfinite(v)) {
        buf_add(w->b, "null", 4); /* JSON has no word for it */
        return;
    }
    /* The shortest text that reads back as the same number. */
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            break;
    }
    buf_add(w->b, text, strlen(text));
}

void jsonw_bool(struct jsonw *w, bool v)
{
    before_value(w);
    buf_add(w->b, v ? "true" : "false", v ? 4 : 5);
}

void jsonw_null(struct jsonw *w)
{
    before_value(w);
    buf_add(w->b, "null", 4);
}

void jsonw_raw(struct jsonw *w, const char *json)
{
    before_value(w);
    buf_add(w->b, json, strlen(json));
}

void jsonw_time(struct jsonw *w, int64_t wall_ns)
{
    char text[TIME_TEXT_MAX];

    time_format(wall_ns, text);
    jsonw_str(w, text);
}

void jsonw_strv(struct jsonw *w, const struct strv *sv)
{
    jsonw_arr(w);
    for (size_t i = 0; i < sv->n; i++)
        jsonw_str(w, sv->v[i]);
    jsonw_end_arr(w);
}

void jsonw_kvs(struct jsonw *w, const struct kvs *kvs)
{
    jsonw_obj(w);
    for (size_t i = 0; i < kvs->n; i++)
        jsonw_kstr(w, kvs->v[i].k, kvs->v[i].v);
    jsonw_end_obj(w);
}

void jsonw_kstr(struct jsonw *w, const char *key, const char *v)
{
    jsonw_key(w, key);
    jsonw_str(w, v);
}

void jsonw_ki64(struct jsonw *w, const char *key, int64_t v)
{
    jsonw_key(w, key);
    jsonw_i64(w, v);
}

void jsonw_kbool(struct jsonw *w, const char *key, bool v)
{
    jsonw_key(w, key);
    jsonw_bool(w, v);
}

void jsonw_kstrv_or_null(struct jsonw *w, const char *key, const struct strv *sv)
{
    jsonw_key(w, key);
    if (sv && sv->n)
        jsonw_strv(w, sv);
    else
        jsonw_null(w);
}
