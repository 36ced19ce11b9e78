/*
 * log: one line per fact.  A line is built in memory and written by one call, so that lines of
 * different threads and processes never mix.
 */
#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/time.h"

#define LINE_MAX_BYTES (32 * 1024)
#define QUOTE_RING     8
#define QUOTE_MAX      (ERR_MSG_MAX + 128)

static atomic_int current_level = LOG_INFO;
static atomic_int current_format = LOG_TEXT;

static const char *const level_names[] = {
    [LOG_ERROR] = "error",
    [LOG_WARN] = "warning",
    [LOG_INFO] = "info",
    [LOG_DEBUG] = "debug",
};

void log_setup(enum log_level level, enum log_format format)
{
    atomic_store(&current_level, (int)level);
    atomic_store(&current_format, (int)format);
}

bool log_enabled(enum log_level level)
{
    return (int)level <= atomic_load(&current_level);
}

static bool is_plain(const char *s)
{
    if (!*s)
        return false;
    for (; *s; s++)
        if ((unsigned char)*s <= ' ' || *s == '"' || *s == '=' || *s == '\\' || *s == 0x7f)
            return false;
    return true;
}

static size_t escape(char c, char out[5])
{
    switch (c) {
    case '"':
    case '\\':
        out[0] = '\\';
        out[1] = c;
        return 2;
    case '\n':
        memcpy(out, "\\n", 2);
        return 2;
    case '\r':
        memcpy(out, "\\r", 2);
        return 2;
    case '\t':
        memcpy(out, "\\t", 2);
        return 2;
    default:
        if ((unsigned char)c >= ' ' && c != 0x7f) {
            out[0] = c;
            return 1;
        }
        return (size_t)snprintf(out, 5, "\\x%02x", (unsigned char)c);
    }
}

/* A quoted copy, cut with "..." when it does not fit. */
static void quote_into(const char *s, char *out, size_t size)
{
    char piece[5];
    size_t n = 0;

    out[n++] = '"';
    for (; *s; s++) {
        size_t len = escape(*s, piece);

        if (n + len + 5 >= size) {
            memcpy(out + n, "...", 3);
            n += 3;
            break;
        }
        memcpy(out + n, piece, len);
        n += len;
    }
    out[n++] = '"';
    out[n] = '\0';
}

const char *log_quote(const char *value)
{
    static _Thread_local char ring[QUOTE_RING][QUOTE_MAX];
    static _Thread_local unsigned next;
    char *out;

    if (!value)
        value = "";
    if (is_plain(value))
        return value;
    out = ring[next++ % QUOTE_RING];
    quote_into(value, out, QUOTE_MAX);
    return out;
}

/* What follows a backslash, moving *p to its last character. */
static char unescape(const char **p)
{
    char c = *++*p;

    if (c == 'x' && (*p)[1] && (*p)[2]) {
        const char hex[] = {(*p)[1], (*p)[2], '\0'};

        *p += 2;
        return (char)strtol(hex, NULL, 16);
    }
    return (char)(c == 'n' ? '\n' : c == 'r' ? '\r' : c == 't' ? '\t' : c);
}

static void unquote_into(const char **s, struct buf *out)
{
    const char *p = *s + 1;

    for (; *p && *p != '"'; p++) {
        char c = *p == '\\' && p[1] ? unescape(&p) : *p;

        buf_add(out, &c, 1);
    }
    *s = *p ? p + 1 : p;
}

/* Turns "a=1 b=\"x y\"" into members of the open object. */
static void pairs_to_json(const char *s, struct jsonw *w)
{
    cleanup_buf struct buf value = BUF_INIT(LINE_MAX_BYTES);

    while (*s) {
        size_t key_len = strcspn(s, "= ");
        cleanup_free char *key = str_ndup(s, key_len);

        s += key_len;
        buf_reset(&value);
        if (*s == '=' && s[1] == '"') {
            s++;
            unquote_into(&s, &value);
        } else if (*s == '=') {
            size_t n = strcspn(++s, " ");

            buf_add(&value, s, n);
            s += n;
        }
        if (key_len > 0)
            jsonw_kstr(w, key, value.data);
        while (*s == ' ')
            s++;
    }
}

static void line_json(enum log_level level, const char *text, const char *pairs, struct buf *line)
{
    struct jsonw w = JSONW_INIT(line);
    char now[TIME_TEXT_MAX];

    time_format_fixed(time_wall_ns(), now);
    jsonw_obj(&w);
    jsonw_kstr(&w, "level", level_names[level]);
    jsonw_kstr(&w, "msg", text);
    jsonw_kstr(&w, "time", now);
    pairs_to_json(pairs, &w);
    jsonw_end_obj(&w);
}

static void line_text(enum log_level level, const char *text, const char *pairs, struct buf *line)
{
    char now[TIME_TEXT_MAX];
    char quoted[QUOTE_MAX];

    time_format_fixed(time_wall_ns(), now);
    quote_into(text, quoted, sizeof(quoted));
    buf_addf(line, "time=\"%s\" level=%s msg=%s", now, level_names[level],
             is_plain(text) ? text : quoted);
    if (*pairs)
        buf_addf(line, " %s", pairs);
}

void log_write(enum log_level level, const char *text, const char *pairs, ...)
{
    cleanup_buf struct buf line = BUF_INIT(LINE_MAX_BYTES);
    cleanup_free char *values = NULL;
    va_list ap;

    if (!log_enabled(level))
        return;
    if (pairs) {
        va_start(ap, pairs);
        values = str_vprintf(pairs, ap);
        va_end(ap);
    }
    if (values && strlen(values) > LINE_MAX_BYTES / 2)
        values[LINE_MAX_BYTES / 2] = '\0';
    if (atomic_load(&current_format) == LOG_JSON)
        line_json(level, text, values ? values : "", &line);
    else
        line_text(level, text, values ? values : "", &line);
    buf_add(&line, "\n", 1);
    fwrite(line.data, 1, line.len, stderr);
    fflush(stderr);
}
