/*
 * dotenv: files of NAME=value lines, for interpolation (.env) and for containers (env_file).
 *
 * Compose's rules: "export " may stand in front, ":" may stand for "="; a value in single quotes is
 * literal and may span lines; in double quotes \n \r \t \" \\ \$ are escapes and variables are
 * expanded; without quotes variables are expanded, and " #" begins a comment.  A name alone takes
 * its value from the environment that was handed in, and is left out when there is none.  The
 * format "raw" (docker's --env-file) has neither quotes nor variables nor comments behind values.
 */
#include <ctype.h>

#include "base/buf.h"
#include "base/mem.h"
#include "compose/compose_internal.h"

struct dotenv {
    const char *file, *text, *p, *end;
    const struct kvs *vars;
    struct kvs *out;
};

static int fail(const struct dotenv *d, const char *at, struct err *e, const char *text)
{
    unsigned line = 1, column = 1;

    for (const char *s = d->text; s < at; s++) {
        column = *s == '\n' ? 1 : column + 1;
        line += *s == '\n';
    }
    return err_set(e, ERR_INVALID, "%s:%u:%u: %s", d->file, line, column, text);
}

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static void skip_blank(struct dotenv *d)
{
    while (d->p < d->end && blank(*d->p))
        d->p++;
}

static const char *line_end(const struct dotenv *d, const char *from)
{
    while (from < d->end && *from != '\n')
        from++;
    return from;
}

static int put(struct dotenv *d, const char *at, const char *name, const char *value, bool expand,
               struct err *e)
{
    if (!expand || !strchr(value, '$')) {
        kvs_set(d->out, name, value);
        return 0;
    }
    cleanup_buf struct buf b = BUF_INIT(YAML_MAX_BYTES);

    if (interpolate_text(value, d->vars, d->out, &b, e) || buf_check(&b, "value", e)) {
        cleanup_free char *why = str_printf("%s: %.900s", name, e->msg);

        return fail(d, at, e, why);
    }
    kvs_set(d->out, name, b.data);
    return 0;
}

static int single_quoted(struct dotenv *d, const char *name, struct err *e)
{
    const char *start = d->p + 1;
    const char *close = memchr(start, '\'', (size_t)(d->end - start));

    if (!close)
        return fail(d, d->p, e, "the quote ' is never closed");
    cleanup_free char *value = str_ndup(start, (size_t)(close - start));

    d->p = close + 1;
    return put(d, start, name, value, false, e);
}

/* Escapes go first, so that "\$" reaches the expansion as "$$", which is one dollar. */
static int double_quoted(struct dotenv *d, const char *name, struct err *e)
{
    static const char escapes[] = "n\nr\rt\t\"\"\\\\";
    cleanup_buf struct buf b = BUF_INIT(YAML_MAX_BYTES);
    const char *start = d->p, *s = d->p + 1;

    for (; s < d->end && *s != '"'; s++) {
        const char *known = NULL;

        if (*s == '\\' && s + 1 < d->end) {
            for (const char *x = escapes; *x; x += 2)
                if (*x == s[1])
                    known = x + 1;
            if (s[1] == '$') {
                buf_add(&b, "$$", 2);
                s++;
                continue;
            }
        }
        buf_add(&b, known ? known : s, 1);
        s += known != NULL;
    }
    if (s == d->end)
        return fail(d, start, e, "the quote \" is never closed");
    d->p = s + 1;
    return put(d, start, name, b.data, true, e);
}

static int unquoted(struct dotenv *d, const char *name, struct err *e)
{
    const char *start = d->p, *stop = line_end(d, start);

    d->p = stop;
    for (const char *s = start; s < stop; s++)
        if (*s == '#' && (s == start || blank(s[-1]))) {
            stop = s;
            break;
        }
    while (stop > start && blank(stop[-1]))
        stop--;
    cleanup_free char *value = str_ndup(start, (size_t)(stop - start));

    return put(d, start, name, value, true, e);
}

static int value_of(struct dotenv *d, const char *name, struct err *e)
{
    skip_blank(d);
    if (d->p < d->end && (*d->p == '\'' || *d->p == '"')) {
        if (*d->p == '\'' ? single_quoted(d, name, e) : double_quoted(d, name, e))
            return -1;
        skip_blank(d);
        if (d->p < d->end && *d->p == '#')
            d->p = line_end(d, d->p);
        if (d->p < d->end && *d->p != '\n')
            return fail(d, d->p, e, "unexpected text after the closing quote");
        return 0;
    }
    return unquoted(d, name, e);
}

static bool name_char(char c)
{
    return isalnum((unsigned char)c) || strchr("_.-[]", c);
}

static int entry(struct dotenv *d, struct err *e)
{
    const char *start = d->p;

    while (d->p < d->end && *d->p && name_char(*d->p))
        d->p++;
    cleanup_free char *name = str_ndup(start, (size_t)(d->p - start));

    skip_blank(d);
    bool bare = d->p == d->end || *d->p == '\n' || *d->p == '#';

    if (str_eq(name, "export") && !bare && *d->p != '=' && *d->p != ':')
        return entry(d, e);
    if (!*name)
        return fail(d, d->p, e, "expected NAME=value");
    if (bare) {
        const char *value = kvs_get(d->vars, name);

        d->p = line_end(d, d->p);
        if (value)
            kvs_set(d->out, name, value);
        return 0;
    }
    if (*d->p != '=' && *d->p != ':')
        return fail(d, d->p, e, "unexpected character in a variable's name");
    d->p++;
    return value_of(d, name, e);
}

static void raw_entry(struct dotenv *d)
{
    const char *stop = line_end(d, d->p), *start = d->p;
    const char *equals = memchr(start, '=', (size_t)(stop - start));

    d->p = stop;
    if (stop > start && stop[-1] == '\r')
        stop--;
    cleanup_free char *name = str_ndup(start, (size_t)((equals ? equals : stop) - start));

    if (equals) {
        cleanup_free char *value = str_ndup(equals + 1, (size_t)(stop - equals - 1));

        kvs_set(d->out, name, value);
    } else if (kvs_get(d->vars, name)) {
        kvs_set(d->out, name, kvs_get(d->vars, name));
    }
}

int dotenv_parse(const char *text, size_t len, const char *file, bool raw, const struct kvs *vars,
                 struct kvs *out, struct err *e)
{
    struct dotenv d = {
        .file = file, .text = text, .p = text, .end = text + len, .vars = vars, .out = out};
    const char *nul = memchr(text, '\0', len);

    if (nul)
        return fail(&d, nul, e, "a text may not hold a NUL character");
    if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3))
        d.p += 3;
    while (d.p < d.end) {
        skip_blank(&d);
        if (d.p == d.end)
            break;
        if (*d.p == '\n')
            d.p++;
        else if (*d.p == '#')
            d.p = line_end(&d, d.p);
        else if (raw)
            raw_entry(&d);
        else if (entry(&d, e))
            return -1;
    }
    return 0;
}
