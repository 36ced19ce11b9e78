/*
 * yaml: see yaml.h.
 *
 * libyaml gives events; this file builds the tree, iteratively so that depth is a number we check
 * and not the size of a stack.  An alias is a deep copy of its anchor: the readers may then change
 * any node (interpolation does) without asking who else sees it, and one counter of nodes is the
 * whole defence against alias bombs.  An anchor is usable once its node is complete, so a node can
 * never hold itself.
 */
#include "compose/yaml.h"

#include <stdarg.h>

#include <yaml.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"

struct frame {
    struct yaml_node *node;
    char *anchor;
    char *key; /* map: read, its value not yet */
    unsigned key_line, key_column;
};

struct builder {
    yaml_parser_t *parser;
    const char *file, *text;
    struct frame stack[YAML_MAX_DEPTH];
    size_t depth;
    size_t nodes;
    struct map anchors; /* name -> node of its own */
    struct yaml_node *root;
};

static void node_free(struct yaml_node *n)
{
    if (!n)
        return;
    for (size_t i = 0; i < n->n && n->kind == YAML_MAP; i++) {
        free(n->pairs[i].key);
        node_free(n->pairs[i].value);
    }
    for (size_t i = 0; i < n->n && n->kind == YAML_SEQ; i++)
        node_free(n->items[i]);
    free(n->pairs);
    free(n->items);
    free(n->text);
    free(n);
}

static void node_free_cb(void *n)
{
    node_free(n);
}

void yaml_release(struct yaml_doc *d)
{
    node_free(d->root);
    free(d->file);
    *d = (struct yaml_doc){0};
}

int yaml_error(const struct yaml_node *at, struct err *e, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    cleanup_free char *text = str_vprintf(fmt, ap);
    va_end(ap);
    return err_set(e, ERR_INVALID, "%s:%u:%u: %s", at->file, at->line, at->column, text);
}

static int mark_error(const struct builder *b, yaml_mark_t m, struct err *e, const char *text)
{
    return err_set(e, ERR_INVALID, "%s:%zu:%zu: %s", b->file, m.line + 1, m.column + 1, text);
}

static struct yaml_node *node_new(enum yaml_kind kind, const char *file, yaml_mark_t m)
{
    struct yaml_node *n = xcalloc(1, sizeof *n);

    n->kind = kind;
    n->file = file;
    n->line = (unsigned)m.line + 1;
    n->column = (unsigned)m.column + 1;
    return n;
}

static int count(struct builder *b, yaml_mark_t m, struct err *e)
{
    if (++b->nodes <= YAML_MAX_NODES)
        return 0;
    return err_set(e, ERR_INVALID, "%s:%zu:%zu: more than %d nodes after the aliases are expanded",
                   b->file, m.line + 1, m.column + 1, YAML_MAX_NODES);
}

static void seq_add(struct yaml_node *seq, struct yaml_node *item)
{
    seq->items = xrealloc(seq->items, (seq->n + 1) * sizeof *seq->items);
    seq->items[seq->n++] = item;
}

static void map_add(struct yaml_node *map, char *key, unsigned line, unsigned column,
                    struct yaml_node *value)
{
    map->pairs = xrealloc(map->pairs, (map->n + 1) * sizeof *map->pairs);
    map->pairs[map->n++] =
        (struct yaml_pair){.key = key, .line = line, .column = column, .value = value};
}

/* NULL when the budget is used up.  The copy keeps the positions of the original text. */
static struct yaml_node *node_copy(struct builder *b, const struct yaml_node *n)
{
    if (b->nodes >= YAML_MAX_NODES)
        return NULL;
    b->nodes++;
    struct yaml_node *out = xcalloc(1, sizeof *out);

    *out = *n;
    out->text = str_dup_or_null(n->text);
    out->pairs = NULL;
    out->items = NULL;
    out->n = 0;
    for (size_t i = 0; i < n->n; i++) {
        struct yaml_node *child =
            node_copy(b, n->kind == YAML_MAP ? n->pairs[i].value : n->items[i]);

        if (!child) {
            node_free(out);
            return NULL;
        }
        if (n->kind == YAML_MAP)
            map_add(out, xstrdup(n->pairs[i].key), n->pairs[i].line, n->pairs[i].column, child);
        else
            seq_add(out, child);
    }
    return out;
}

/* ------------------------------------------------------------- merge keys */

/* Moves the pairs of `from` that `into` lacks; explicit keys and earlier maps win. */
static void merge_pairs(struct yaml_node *into, struct yaml_node *from)
{
    for (size_t i = 0; i < from->n; i++) {
        struct yaml_pair *p = &from->pairs[i];

        if (yaml_get(into, p->key))
            continue;
        map_add(into, take_ptr(p->key), p->line, p->column, take_ptr(p->value));
    }
}

/* "<<: *base" or "<<: [*a, *b]", at the end of the map that holds it. */
static int resolve_merge_key(struct yaml_node *map, struct err *e)
{
    for (size_t i = 0; i < map->n; i++) {
        if (!str_eq(map->pairs[i].key, "<<"))
            continue;
        struct yaml_node *from = map->pairs[i].value;

        free(map->pairs[i].key);
        memmove(&map->pairs[i], &map->pairs[i + 1], (map->n - i - 1) * sizeof *map->pairs);
        map->n--;
        int rc = 0;

        if (from->kind == YAML_MAP) {
            merge_pairs(map, from);
        } else if (from->kind == YAML_SEQ) {
            for (size_t k = 0; k < from->n && !rc; k++) {
                if (from->items[k]->kind != YAML_MAP)
                    rc = yaml_error(from->items[k], e, "<<: only mappings can be merged");
                else
                    merge_pairs(map, from->items[k]);
            }
        } else {
            rc = yaml_error(from, e, "<<: must be a mapping or a list of mappings");
        }
        node_free(from);
        return rc;
    }
    return 0;
}

/* --------------------------------------------------------------- building */

static struct frame *top(struct builder *b)
{
    return b->depth ? &b->stack[b->depth - 1] : NULL;
}

/* Puts a complete node where it belongs: root, item, or the value of the key that waits. */
static void attach(struct builder *b, struct yaml_node *n)
{
    struct frame *f = top(b);

    if (!f)
        b->root = n;
    else if (f->node->kind == YAML_SEQ)
        seq_add(f->node, n);
    else
        map_add(f->node, take_ptr(f->key), f->key_line, f->key_column, n);
}

static int remember(struct builder *b, const char *anchor, const struct yaml_node *n, yaml_mark_t m,
                    struct err *e)
{
    if (!anchor)
        return 0;
    struct yaml_node *copy = node_copy(b, n);

    if (!copy)
        return count(b, m, e);
    map_put(&b->anchors, anchor, copy);
    return 0;
}

static bool expects_key(const struct frame *f)
{
    return f && f->node->kind == YAML_MAP && !f->key;
}

static int take_key(struct builder *b, const char *text, bool plain, yaml_mark_t m, struct err *e)
{
    struct frame *f = top(b);

    if (f->node->n == YAML_MAX_KEYS)
        return mark_error(b, m, e, "too many keys in one mapping");
    for (size_t i = 0; i < f->node->n; i++) {
        const struct yaml_pair *p = &f->node->pairs[i];

        if (str_eq(p->key, text))
            return err_set(e, ERR_INVALID, "%s:%zu:%zu: duplicate key \"%s\", first on line %u",
                           b->file, m.line + 1, m.column + 1, text, p->line);
    }
    /* A quoted "<<" is a key like any other, which no reader of ours has: it stays unknown. */
    f->key = str_eq(text, "<<") && !plain ? xstrdup("\"<<\"") : xstrdup(text);
    f->key_line = (unsigned)m.line + 1;
    f->key_column = (unsigned)m.column + 1;
    return 0;
}

static bool is_null_text(const char *s)
{
    return !*s || str_eq(s, "~") || str_eq(s, "null") || str_eq(s, "Null") || str_eq(s, "NULL");
}

#define YAML_TAG_PREFIX "tag:yaml.org,2002:"

/* Known tags: YAML's own, which the readers check by type, and Compose's two. */
static int read_tag(struct builder *b, const yaml_char_t *tag, yaml_mark_t m, struct yaml_node *n,
                    struct err *e)
{
    static const char *const core[] = {"str", "int", "float", "bool", "null", "map", "seq"};
    const char *s = (const char *)tag;

    if (!s || str_eq(s, "!"))
        return 0;
    if (str_eq(s, "!reset")) {
        n->tag = YAML_TAG_RESET;
        return 0;
    }
    if (str_eq(s, "!override")) {
        n->tag = YAML_TAG_OVERRIDE;
        return 0;
    }
    if (str_starts(s, YAML_TAG_PREFIX)) {
        for (size_t i = 0; i < ARRAY_LEN(core); i++)
            if (str_eq(s + strlen(YAML_TAG_PREFIX), core[i]))
                return 0;
    }
    cleanup_free char *text = str_printf("unknown tag %.60s", s);
    return mark_error(b, m, e, text);
}

static int on_scalar(struct builder *b, const yaml_event_t *ev, struct err *e)
{
    const char *text = (const char *)ev->data.scalar.value;
    size_t len = ev->data.scalar.length;
    bool plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    yaml_mark_t m = ev->start_mark;

    if (memchr(text, '\0', len))
        return mark_error(b, m, e, "a text may not hold a NUL character");
    if (count(b, m, e))
        return -1;
    if (expects_key(top(b)))
        return take_key(b, text, plain, m, e);
    bool is_str = str_eq((const char *)ev->data.scalar.tag, YAML_TAG_PREFIX "str");
    struct yaml_node *n = node_new(YAML_SCALAR, b->file, m);

    n->plain = plain && !is_str;
    if (n->plain && is_null_text(text))
        n->kind = YAML_NULL;
    n->text = xstrdup(text);
    if (read_tag(b, ev->data.scalar.tag, m, n, e) ||
        remember(b, (const char *)ev->data.scalar.anchor, n, m, e)) {
        node_free(n);
        return -1;
    }
    attach(b, n);
    return 0;
}

static int on_alias(struct builder *b, const yaml_event_t *ev, struct err *e)
{
    const char *name = (const char *)ev->data.alias.anchor;
    const struct yaml_node *n = map_get(&b->anchors, name);

    if (!n) {
        cleanup_free char *text = str_printf("alias *%.60s has no anchor before it", name);
        return mark_error(b, ev->start_mark, e, text);
    }
    if (expects_key(top(b))) {
        if (n->kind != YAML_SCALAR)
            return mark_error(b, ev->start_mark, e, "a key must be a text");
        return take_key(b, n->text, true, ev->start_mark, e);
    }
    struct yaml_node *copy = node_copy(b, n);

    if (!copy) {
        b->nodes = YAML_MAX_NODES;
        return count(b, ev->start_mark, e);
    }
    attach(b, copy);
    return 0;
}

static int on_open(struct builder *b, enum yaml_kind kind, const yaml_char_t *anchor,
                   const yaml_char_t *tag, yaml_mark_t m, struct err *e)
{
    if (expects_key(top(b)))
        return mark_error(b, m, e, "a key must be a text");
    if (b->depth == YAML_MAX_DEPTH)
        return err_set(e, ERR_INVALID, "%s:%zu:%zu: more than %d levels", b->file, m.line + 1,
                       m.column + 1, YAML_MAX_DEPTH);
    if (count(b, m, e))
        return -1;
    struct yaml_node *n = node_new(kind, b->file, m);

    if (read_tag(b, tag, m, n, e)) {
        node_free(n);
        return -1;
    }
    b->stack[b->depth++] =
        (struct frame){.node = n, .anchor = str_dup_or_null((const char *)anchor)};
    return 0;
}

static int on_close(struct builder *b, yaml_mark_t m, struct err *e)
{
    struct frame f = *top(b);

    b->depth--;
    int rc = f.node->kind == YAML_MAP ? resolve_merge_key(f.node, e) : 0;

    if (!rc)
        rc = remember(b, f.anchor, f.node, m, e);
    free(f.anchor);
    if (rc) {
        node_free(f.node);
        return -1;
    }
    attach(b, f.node);
    return 0;
}

static int on_event(struct builder *b, const yaml_event_t *ev, bool *seen, struct err *e)
{
    switch (ev->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (*seen)
            return mark_error(b, ev->start_mark, e, "more than one document in a file");
        *seen = true;
        return 0;
    case YAML_SCALAR_EVENT:
        return on_scalar(b, ev, e);
    case YAML_ALIAS_EVENT:
        return on_alias(b, ev, e);
    case YAML_SEQUENCE_START_EVENT:
        return on_open(b, YAML_SEQ, ev->data.sequence_start.anchor, ev->data.sequence_start.tag,
                       ev->start_mark, e);
    case YAML_MAPPING_START_EVENT:
        return on_open(b, YAML_MAP, ev->data.mapping_start.anchor, ev->data.mapping_start.tag,
                       ev->start_mark, e);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return on_close(b, ev->start_mark, e);
    default:
        return 0;
    }
}

static int syntax_error(const struct builder *b, struct err *e)
{
    const yaml_parser_t *p = b->parser;
    yaml_mark_t m = p->problem_mark;

    /* The reader runs ahead of the scanner, whose mark says nothing about it. */
    if (p->error == YAML_READER_ERROR) {
        m = (yaml_mark_t){0};
        for (size_t i = 0; i < p->problem_offset; i++) {
            m.column = b->text[i] == '\n' ? 0 : m.column + 1;
            m.line += b->text[i] == '\n';
        }
        return mark_error(b, m, e, p->problem ? p->problem : "no UTF-8 text");
    }
    return err_set(e, ERR_INVALID, "%s:%zu:%zu: %s%s%s", b->file, m.line + 1, m.column + 1,
                   p->problem ? p->problem : "syntax error", p->context ? " " : "",
                   p->context ? p->context : "");
}

static int run(struct builder *b, struct err *e)
{
    bool seen = false;

    for (;;) {
        yaml_event_t ev;

        if (!yaml_parser_parse(b->parser, &ev))
            return syntax_error(b, e);
        bool end = ev.type == YAML_STREAM_END_EVENT;
        int rc = on_event(b, &ev, &seen, e);

        yaml_event_delete(&ev);
        if (rc || end)
            return rc;
    }
}

int yaml_parse(const char *text, size_t len, const char *file, struct yaml_doc *out, struct err *e)
{
    yaml_parser_t parser;
    struct builder b = {.parser = &parser, .anchors = MAP_INIT(node_free_cb)};

    *out = (struct yaml_doc){.file = xstrdup(file)};
    b.file = out->file;
    b.text = text;
    if (len > YAML_MAX_BYTES) {
        err_set(e, ERR_INVALID, "%s: larger than %d MiB", file, YAML_MAX_BYTES / 1024 / 1024);
        yaml_release(out);
        return -1;
    }
    if (!yaml_parser_initialize(&parser))
        abort(); /* out of memory, as everywhere */
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
    int rc = run(&b, e);

    for (size_t i = 0; i < b.depth; i++) {
        node_free(b.stack[i].node);
        free(b.stack[i].anchor);
        free(b.stack[i].key);
    }
    map_release(&b.anchors);
    yaml_parser_delete(&parser);
    out->root = b.root;
    if (rc) {
        yaml_release(out);
        return -1;
    }
    if (!out->root)
        out->root = node_new(YAML_NULL, out->file, (yaml_mark_t){0});
    return 0;
}

/* ---------------------------------------------------------------- reading */

struct yaml_node *yaml_get(const struct yaml_node *map, const char *key)
{
    for (size_t i = 0; map && map->kind == YAML_MAP && i < map->n; i++)
        if (str_eq(map->pairs[i].key, key))
            return map->pairs[i].value;
    return NULL;
}

static bool all_of(const char *s, const char *set)
{
    return *s && strspn(s, set) == strlen(s);
}

static bool is_int(const char *s)
{
    if (str_starts(s, "0x"))
        return all_of(s + 2, "0123456789abcdefABCDEF");
    if (str_starts(s, "0o"))
        return all_of(s + 2, "01234567");
    return all_of(*s == '-' || *s == '+' ? s + 1 : s, "0123456789");
}

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?, and .inf, .nan */
static bool is_float(const char *s)
{
    static const char digits[] = "0123456789";
    static const char *const special[] = {".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN"};
    const char *unsigned_part = *s == '-' || *s == '+' ? s + 1 : s;

    for (size_t i = 0; i < ARRAY_LEN(special); i++)
        if (str_eq(unsigned_part, special[i]))
            return true;
    size_t before = strspn(unsigned_part, digits), after = 0;

    s = unsigned_part + before;
    if (*s == '.') {
        after = strspn(s + 1, digits);
        s += 1 + after;
    }
    if (before + after == 0)
        return false;
    if (*s == 'e' || *s == 'E') {
        s++;
        s += *s == '-' || *s == '+';
        return all_of(s, digits);
    }
    return !*s;
}

enum yaml_type yaml_scalar_type(const struct yaml_node *n)
{
    static const char *const bools[] = {"true", "True", "TRUE", "false", "False", "FALSE"};

    if (n->kind == YAML_NULL)
        return YAML_T_NULL;
    if (!n->plain || !n->text)
        return YAML_T_STR;
    for (size_t i = 0; i < ARRAY_LEN(bools); i++)
        if (str_eq(n->text, bools[i]))
            return YAML_T_BOOL;
    if (is_int(n->text))
        return YAML_T_INT;
    return is_float(n->text) ? YAML_T_FLOAT : YAML_T_STR;
}
