/*
 * interpolate: ${VARIABLE} in values.
 *
 * The forms are Compose's: $V ${V} ${V:-d} ${V-d} ${V:?e} ${V?e} ${V:+a} ${V+a} and $$ for one
 * dollar; the word after the operator is interpolated in its turn.  One thing is stricter: a
 * variable that is not set and has no default is an error, where Compose warns and goes on with
 * nothing.  An agent that nobody watches must not start a service with half of its configuration.
 */
#include <ctype.h>

#include "base/buf.h"
#include "base/mem.h"
#include "compose/compose_internal.h"

#define MAX_NESTING 16

struct scan {
    const char *text; /* the whole, for messages */
    const struct kvs *vars, *more;
    struct buf *out;
    unsigned depth;
};

static int expand(const struct scan *s, const char *p, size_t len, struct err *e);

static int bad_format(const struct scan *s, struct err *e)
{
    return err_set(e, ERR_INVALID,
                   "invalid interpolation format in \"%.200s\"; write $$ for a dollar sign",
                   s->text);
}

static const char *lookup(const struct scan *s, const char *name)
{
    const char *v = kvs_get(s->vars, name);

    if (!v && s->more)
        v = kvs_get(s->more, name);
    return v;
}

static size_t name_length(const char *p, size_t len)
{
    size_t n = 0;

    while (n < len &&
           (p[n] == '_' || isalpha((unsigned char)p[n]) || (n && isdigit((unsigned char)p[n]))))
        n++;
    return n;
}

static int word_text(const struct scan *s, const char *word, size_t len, char **out, struct err *e)
{
    cleanup_buf struct buf b = BUF_INIT(64 * 1024);
    struct scan inner = *s;

    inner.out = &b;
    if (expand(&inner, word, len, e) || buf_check(&b, "interpolated text", e))
        return -1;
    *out = buf_take(&b);
    return 0;
}

/* ":-d", "-d", ":?e", "?e", ":+a", "+a" after the name. */
static int operate(const struct scan *s, const char *name, const char *op, size_t len,
                   struct err *e)
{
    const char *value = lookup(s, name);
    bool colon = *op == ':';

    op += colon;
    len -= colon;
    if (!len || !strchr("-?+", *op))
        return bad_format(s, e);
    bool there = value && (!colon || *value);
    const char *word = op + 1;
    size_t n = len - 1;

    if (*op == '+')
        return there ? expand(s, word, n, e) : 0;
    if (there) {
        buf_add(s->out, value, strlen(value));
        return 0;
    }
    if (*op == '-')
        return expand(s, word, n, e);
    cleanup_free char *text = NULL;

    if (word_text(s, word, n, &text, e))
        return -1;
    return err_set(e, ERR_INVALID, "required variable %s is missing a value%s%s", name,
                   *text ? ": " : "", text);
}

static int plain(const struct scan *s, const char *name, struct err *e)
{
    const char *value = lookup(s, name);

    if (!value)
        return err_set(e, ERR_INVALID,
                       "variable %s is not set and has no default; write ${%s:-} for an empty one",
                       name, name);
    buf_add(s->out, value, strlen(value));
    return 0;
}

/* The length of what is between the braces; p is after the opening one.  0: no closing one. */
static size_t braced_length(const char *p, size_t len, bool *closed)
{
    unsigned open = 1;

    for (size_t i = 0; i < len; i++) {
        if (p[i] == '$' && i + 1 < len && p[i + 1] == '$')
            i++;
        else if (p[i] == '$' && i + 1 < len && p[i + 1] == '{')
            open++, i++;
        else if (p[i] == '}' && --open == 0) {
            *closed = true;
            return i;
        }
    }
    *closed = false;
    return 0;
}

/* p is after the dollar; *used says how much of it belonged to the expression. */
static int expression(const struct scan *s, const char *p, size_t len, size_t *used, struct err *e)
{
    if (*p != '{') {
        size_t n = name_length(p, len);
        cleanup_free char *name = str_ndup(p, n);

        *used = n;
        return n ? plain(s, name, e) : bad_format(s, e);
    }
    bool closed;
    size_t inner = braced_length(p + 1, len - 1, &closed);
    size_t n = closed ? name_length(p + 1, inner) : 0;

    if (!n)
        return bad_format(s, e);
    cleanup_free char *name = str_ndup(p + 1, n);

    *used = inner + 2;
    return n == inner ? plain(s, name, e) : operate(s, name, p + 1 + n, inner - n, e);
}

static int expand(const struct scan *outer, const char *p, size_t len, struct err *e)
{
    struct scan s = *outer;

    if (++s.depth > MAX_NESTING)
        return err_set(e, ERR_INVALID, "more than %d nested variables", MAX_NESTING);
    for (size_t i = 0; i < len;) {
        const char *dollar = memchr(p + i, '$', len - i);
        size_t n = dollar ? (size_t)(dollar - p) - i : len - i;

        buf_add(s.out, p + i, n);
        i += n;
        if (!dollar)
            break;
        i++;
        if (i == len)
            return bad_format(&s, e);
        if (p[i] == '$') {
            buf_add(s.out, "$", 1);
            i++;
            continue;
        }
        size_t used = 0;

        if (expression(&s, p + i, len - i, &used, e))
            return -1;
        i += used;
    }
    return 0;
}

int interpolate_text(const char *s, const struct kvs *vars, const struct kvs *more, struct buf *out,
                     struct err *e)
{
    struct scan scan = {.text = s, .vars = vars, .more = more, .out = out};

    return expand(&scan, s, strlen(s), e);
}

/* ---------------------------------------------------------------- a tree */

struct tree {
    const struct kvs *vars;
    size_t left; /* bytes that the values may still grow to */
};

static int scalar(struct tree *t, const struct field *f, struct err *e)
{
    struct yaml_node *n = f->node;

    if (!n->text || !strchr(n->text, '$'))
        return 0;
    cleanup_buf struct buf b = BUF_INIT(t->left);
    cleanup_free char *path = field_path(f);

    if (interpolate_text(n->text, t->vars, NULL, &b, e) ||
        buf_check(&b, "text after interpolation", e)) {
        cleanup_free char *why = xstrdup(e->msg);

        return yaml_error(n, e, "%s%s%s", path, *path ? ": " : "", why);
    }
    t->left -= b.len;
    free(n->text);
    n->text = buf_take(&b);
    return 0;
}

static int walk(struct tree *t, const struct field *f, struct err *e)
{
    for (size_t i = 0; i < f->node->n; i++) {
        struct field child =
            f->node->kind == YAML_MAP ? field_of(f, &f->node->pairs[i]) : field_item(f, i);

        if (walk(t, &child, e))
            return -1;
    }
    return f->node->kind == YAML_SCALAR ? scalar(t, f, e) : 0;
}

int interpolate_tree(struct yaml_node *root, const struct kvs *vars, struct err *e)
{
    struct tree t = {.vars = vars, .left = COMPOSE_MAX_TEXT};
    struct field f = {.node = root};

    return walk(&t, &f, e);
}
