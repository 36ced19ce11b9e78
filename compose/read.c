/*
 * read: values of a tree, by table, with errors that say where and notices that say what.
 *
 * A scalar's type in YAML does not matter here but for messages: `"8080"` and `8080`, `"true"` and
 * `true` are the same to a field that wants a number or a truth, as in Compose.
 */
#include <stdarg.h>

#include "base/buf.h"
#include "base/mem.h"
#include "compose/compose_internal.h"

struct field field_of(const struct field *up, const struct yaml_pair *p)
{
    return (struct field){.ld = up->ld,
                          .up = up,
                          .key = p->key,
                          .key_line = p->line,
                          .key_column = p->column,
                          .node = p->value};
}

struct field field_item(const struct field *up, size_t i)
{
    return (struct field){.ld = up->ld,
                          .up = up,
                          .index = i,
                          .key_line = up->node->items[i]->line,
                          .key_column = up->node->items[i]->column,
                          .node = up->node->items[i]};
}

static void add_path(const struct field *f, struct buf *b)
{
    if (!f->up)
        return;
    add_path(f->up, b);
    if (f->key)
        buf_addf(b, "%s%.100s", b->len ? "." : "", f->key);
    else
        buf_addf(b, "[%zu]", f->index);
}

/* "" for the root. */
char *field_path(const struct field *f)
{
    cleanup_buf struct buf b = BUF_INIT(8192);

    add_path(f, &b);
    return buf_take(&b);
}

PRINTF_LIKE(5, 0)
static int position_error(const struct field *f, unsigned line, unsigned column, struct err *e,
                          const char *fmt, va_list ap)
{
    cleanup_free char *text = str_vprintf(fmt, ap);
    cleanup_free char *path = field_path(f);

    return err_set(e, ERR_INVALID, "%s:%u:%u: %s%s%s", f->node->file, line, column, path,
                   *path ? ": " : "", text);
}

int field_error(const struct field *f, struct err *e, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    position_error(f, f->node->line, f->node->column, e, fmt, ap);
    va_end(ap);
    return -1;
}

int field_key_error(const struct field *f, struct err *e, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    position_error(f, f->key_line, f->key_column, e, fmt, ap);
    va_end(ap);
    return -1;
}

/* ---------------------------------------------------------------- notices */

void app_notice_add(struct app *app, enum notice_level level, const char *service, const char *key,
                    const char *text, const struct yaml_node *at)
{
    app->notices = xrealloc(app->notices, (app->n_notices + 1) * sizeof *app->notices);
    app->notices[app->n_notices++] = (struct app_notice){
        .level = level,
        .service = xstrdup(service),
        .key = xstrdup(key),
        .text = xstrdup(text),
        .pos = {xstrdup(at->file), at->line, at->column}
    };
}

/* The service that f is in or is, by its field; NULL elsewhere. */
static const struct field *service_of(const struct field *f)
{
    for (; f->up && f->up->up; f = f->up)
        if (!f->up->up->up && f->up->key && str_eq(f->up->key, "services"))
            return f;
    return NULL;
}

void field_notice(const struct field *f, enum notice_level level, const char *text)
{
    const struct field *service = service_of(f);
    cleanup_free char *path = field_path(f);
    cleanup_free char *prefix = service ? field_path(service) : xstrdup("");
    const char *key = path + strlen(prefix);
    struct yaml_node at = *f->node;

    at.line = f->key_line;
    at.column = f->key_column;
    app_notice_add(f->ld->app, level, service ? service->key : "", *key == '.' ? key + 1 : key,
                   text, &at);
}

/* ----------------------------------------------------------------- nearest */

#define WORD_MAX 40

/* Levenshtein with swaps of neighbours: what a typing error is. */
static size_t distance(const char *a, const char *b)
{
    size_t d[WORD_MAX + 1][WORD_MAX + 1], n = strlen(a), m = strlen(b);

    if (n > WORD_MAX || m > WORD_MAX)
        return WORD_MAX;
    for (size_t i = 0; i <= n; i++)
        d[i][0] = i;
    for (size_t k = 0; k <= m; k++)
        d[0][k] = k;
    for (size_t i = 1; i <= n; i++) {
        for (size_t k = 1; k <= m; k++) {
            size_t best = d[i - 1][k - 1] + (a[i - 1] != b[k - 1]);

            best = d[i - 1][k] + 1 < best ? d[i - 1][k] + 1 : best;
            best = d[i][k - 1] + 1 < best ? d[i][k - 1] + 1 : best;
            if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1] &&
                d[i - 2][k - 2] + 1 < best)
                best = d[i - 2][k - 2] + 1;
            d[i][k] = best;
        }
    }
    return d[n][m];
}

const char *nearest_word(const char *word, const char *const *known, size_t n)
{
    size_t limit = strlen(word) < 4 ? 1 : strlen(word) < 8 ? 2 : 3, best = limit + 1;
    const char *found = NULL;

    for (size_t i = 0; i < n; i++) {
        size_t d = distance(word, known[i]);

        if (d < best) {
            best = d;
            found = known[i];
        }
    }
    return found;
}

/* ----------------------------------------------------------------- scalars */

static int need_scalar(const struct field *f, const char *what, struct err *e)
{
    if (f->node->kind == YAML_SCALAR)
        return 0;
    if (f->node->kind == YAML_NULL)
        return field_error(f, e, "has no value; must be %s", what);
    return field_error(f, e, "must be %s, not %s", what,
                       f->node->kind == YAML_SEQ ? "a list" : "a mapping");
}

int read_str(const struct field *f, char **out, struct err *e)
{
    if (need_scalar(f, "a text", e))
        return -1;
    str_set(out, f->node->text);
    return 0;
}

int read_bool(const struct field *f, bool *out, struct err *e)
{
    static const struct {
        const char *text;
        bool value, standard;
    } words[] = {
        {"true",  true,  true },
        {"false", false, true },
        {"yes",   true,  false},
        {"no",    false, false},
        {"on",    true,  false},
        {"off",   false, false},
        {"y",     true,  false},
        {"n",     false, false},
    };

    if (need_scalar(f, "true or false", e))
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (!str_eq_nocase(f->node->text, words[i].text))
            continue;
        *out = words[i].value;
        if (!words[i].standard)
            field_notice(f, NOTICE_IGNORED,
                         words[i].value
                             ? "is read as true; write true to be understood everywhere"
                             : "is read as false; write false to be understood everywhere");
        return 0;
    }
    return field_error(f, e, "must be true or false, not \"%.100s\"", f->node->text);
}

/* The message of a parser of base/, which names `what` itself, at our position. */
static int at_value(const struct field *f, struct err *e)
{
    cleanup_free char *why = xstrdup(e->msg);

    return field_error(f, e, "%s", why);
}

int read_int(const struct field *f, int64_t *out, struct err *e)
{
    if (need_scalar(f, "a number", e))
        return -1;
    const char *s = f->node->text;

    if (parse_i64(str_starts(s, "+") ? s + 1 : s, INT64_MIN, INT64_MAX, "number", out, ERR_IGNORE))
        return field_error(f, e, "must be a whole number, not \"%.100s\"", s);
    return 0;
}

int read_size(const struct field *f, int64_t *out, struct err *e)
{
    if (need_scalar(f, "a size like 64m", e))
        return -1;
    if (parse_size(f->node->text, "size", out, e))
        return at_value(f, e);
    return 0;
}

int read_duration(const struct field *f, int64_t *ns, struct err *e)
{
    if (need_scalar(f, "a duration like 1m30s", e))
        return -1;
    if (parse_duration(f->node->text, "duration", ns, e))
        return at_value(f, e);
    if (*ns < 0)
        return field_error(f, e, "a duration cannot be negative");
    return 0;
}

/* ------------------------------------------------------------------- lists */

int read_each(const struct field *f, int (*fn)(const struct field *f, void *obj, struct err *e),
              void *obj, struct err *e)
{
    if (f->node->kind == YAML_SCALAR)
        return fn(f, obj, e);
    if (f->node->kind != YAML_SEQ)
        return field_error(f, e, "must be a text or a list");
    for (size_t i = 0; i < f->node->n; i++) {
        struct field item = field_item(f, i);

        if (fn(&item, obj, e))
            return -1;
    }
    return 0;
}

static int add_text(const struct field *f, void *obj, struct err *e)
{
    if (need_scalar(f, "a text", e))
        return -1;
    strv_add(obj, f->node->text);
    return 0;
}

int read_list(const struct field *f, bool or_one, struct strv *out, struct err *e)
{
    if (f->node->kind != YAML_SEQ && !(or_one && f->node->kind == YAML_SCALAR))
        return field_error(f, e, or_one ? "must be a text or a list" : "must be a list");
    return read_each(f, add_text, out, e);
}

int read_pairs(const struct field *f, struct kvs *out, struct err *e)
{
    if (f->node->kind != YAML_MAP && f->node->kind != YAML_SEQ)
        return field_error(f, e, "must be a mapping or a list of name=value");
    for (size_t i = 0; i < f->node->n; i++) {
        if (f->node->kind == YAML_MAP) {
            struct field v = field_of(f, &f->node->pairs[i]);

            if (v.node->kind != YAML_NULL && need_scalar(&v, "a text", e))
                return -1;
            kvs_set(out, v.key, v.node->kind == YAML_NULL ? "" : v.node->text);
            continue;
        }
        struct field v = field_item(f, i);

        if (need_scalar(&v, "a text", e))
            return -1;
        const char *equals = strchr(v.node->text, '=');
        cleanup_free char *name = equals ? str_ndup(v.node->text, (size_t)(equals - v.node->text))
                                         : xstrdup(v.node->text);

        kvs_set(out, name, equals ? equals + 1 : "");
    }
    return 0;
}

/* -------------------------------------------------------------------- maps */

static int unknown_key(const struct field *f, const struct key_def *defs, size_t n, struct err *e)
{
    cleanup_free const char **known = xcalloc(n + 1, sizeof *known);

    for (size_t i = 0; i < n; i++)
        known[i] = defs[i].key;
    const char *near = nearest_word(f->key, known, n);

    if (near)
        return field_key_error(f, e, "unknown key; did you mean %s?", near);
    if (service_key_known(f->key) && f->up && f->up->up && !f->up->up->up)
        return field_key_error(f, e, "unknown key; %s belongs to a service", f->key);
    return field_key_error(f, e, "unknown key");
}

static int read_value(const struct field *f, const struct key_def *def, void *obj, void *base,
                      struct err *e)
{
    void *at = (char *)base + def->offset;

    switch (def->type) {
    case KEY_FN:
        return def->read(f, obj, e);
    case KEY_STR:
        return read_str(f, at, e);
    case KEY_BOOL:
        return read_bool(f, at, e);
    case KEY_INT:
        return read_int(f, at, e);
    case KEY_SIZE:
        return read_size(f, at, e);
    case KEY_DURATION_NS:
        return read_duration(f, at, e);
    case KEY_LIST:
        return read_list(f, false, at, e);
    case KEY_LIST_OR_ONE:
        return read_list(f, true, at, e);
    case KEY_PAIRS:
        return read_pairs(f, at, e);
    case KEY_NOTICE:
        field_notice(f, def->level, def->text);
        return 0;
    case KEY_NONE:
        break;
    }
    return 0;
}

int read_map(const struct field *f, const struct key_def *defs, size_t n, void *obj, void *base,
             struct err *e)
{
    if (f->node->kind != YAML_MAP)
        return field_error(f, e, "must be a mapping");
    for (size_t i = 0; i < f->node->n; i++) {
        struct field v = field_of(f, &f->node->pairs[i]);
        const struct key_def *def = NULL;

        for (size_t k = 0; k < n && !def; k++)
            if (str_eq(defs[k].key, v.key))
                def = &defs[k];
        if (!def && str_starts(v.key, "x-") && !str_eq(v.key, "x-ballast"))
            continue;
        if (!def)
            return unknown_key(&v, defs, n, e);
        /* An empty value is as good as none, as in Compose. */
        if (v.node->kind != YAML_NULL && read_value(&v, def, obj, base, e))
            return -1;
    }
    return 0;
}
