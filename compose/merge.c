/*
 * merge: several Compose files into one tree.
 *
 * Later files win.  Mappings merge, lists are appended, scalars are replaced; the table below names
 * the places where the specification has it otherwise.  Merging happens on the trees, before
 * anything is read, so that each node still knows its own file and line.  What must be unique
 * (volumes by target, ports by address) is settled by the readers, where the parsed form is known.
 */
#include "base/mem.h"
#include "compose/compose_internal.h"

enum merge_rule {
    MERGE_REPLACE, /* the later value stands alone */
    MERGE_PAIRS,   /* mapping or "k=v" list: compared as a list, whose readers let the last win */
    MERGE_LIST,    /* one value or a list: a list */
    MERGE_NAMES,   /* list of names or a mapping: a mapping */
    MERGE_LOGGING, /* options of another driver mean nothing */
};

/* "*" stands for any one name. */
static const struct {
    const char *path;
    enum merge_rule rule;
} rules[] = {
    {"services.*.command",            MERGE_REPLACE},
    {"services.*.entrypoint",         MERGE_REPLACE},
    {"services.*.healthcheck.test",   MERGE_REPLACE},
    {"services.*.logging",            MERGE_LOGGING},
    {"services.*.environment",        MERGE_PAIRS  },
    {"services.*.labels",             MERGE_PAIRS  },
    {"services.*.annotations",        MERGE_PAIRS  },
    {"services.*.sysctls",            MERGE_PAIRS  },
    {"services.*.extra_hosts",        MERGE_PAIRS  },
    {"services.*.deploy.labels",      MERGE_PAIRS  },
    {"services.*.networks.*.aliases", MERGE_LIST   },
    {"services.*.dns",                MERGE_LIST   },
    {"services.*.dns_opt",            MERGE_LIST   },
    {"services.*.dns_search",         MERGE_LIST   },
    {"services.*.env_file",           MERGE_LIST   },
    {"services.*.label_file",         MERGE_LIST   },
    {"services.*.tmpfs",              MERGE_LIST   },
    {"services.*.networks",           MERGE_NAMES  },
    {"services.*.depends_on",         MERGE_NAMES  },
    {"services.*.ulimits.*",          MERGE_REPLACE},
    {"networks.*.labels",             MERGE_PAIRS  },
    {"networks.*.ipam.config",        MERGE_REPLACE},
    {"volumes.*.labels",              MERGE_PAIRS  },
};

static bool path_matches(const struct field *f, const char *pattern)
{
    if (!f->up)
        return false;
    const char *dot = strrchr(pattern, '.');
    const char *last = dot ? dot + 1 : pattern;

    if (!f->key || (!str_eq(last, "*") && !str_eq(last, f->key)))
        return false;
    if (!dot)
        return f->up->up == NULL;
    cleanup_free char *rest = str_ndup(pattern, (size_t)(dot - pattern));

    return path_matches(f->up, rest);
}

static const enum merge_rule *rule_for(const struct field *f)
{
    for (size_t i = 0; i < ARRAY_LEN(rules); i++)
        if (path_matches(f, rules[i].path))
            return &rules[i].rule;
    return NULL;
}

static void swap_nodes(struct yaml_node *a, struct yaml_node *b)
{
    struct yaml_node t = *a;

    *a = *b;
    *b = t;
}

static struct yaml_node *like(const struct yaml_node *at, enum yaml_kind kind)
{
    struct yaml_node *n = xcalloc(1, sizeof *n);

    n->kind = kind;
    n->file = at->file;
    n->line = at->line;
    n->column = at->column;
    return n;
}

static void append(struct yaml_node *seq, struct yaml_node *item)
{
    seq->items = xrealloc(seq->items, (seq->n + 1) * sizeof *seq->items);
    seq->items[seq->n++] = item;
}

static void add_pair(struct yaml_node *map, struct yaml_pair p)
{
    map->pairs = xrealloc(map->pairs, (map->n + 1) * sizeof *map->pairs);
    map->pairs[map->n++] = p;
}

static void node_discard(struct yaml_node *n)
{
    struct yaml_doc gone = {.root = n};

    yaml_release(&gone);
}

static bool all_simple(const struct yaml_node *n)
{
    for (size_t i = 0; i < n->n; i++) {
        const struct yaml_node *v = n->kind == YAML_MAP ? n->pairs[i].value : n->items[i];

        if (v->kind != YAML_SCALAR && v->kind != YAML_NULL)
            return false;
    }
    return true;
}

/* "k: v" becomes "k=v", a null value "k". */
static void pairs_to_list(struct yaml_node *n)
{
    if (n->kind != YAML_MAP || !all_simple(n))
        return;
    struct yaml_node *list = like(n, YAML_SEQ);

    for (size_t i = 0; i < n->n; i++) {
        const struct yaml_pair *p = &n->pairs[i];
        struct yaml_node *item = like(p->value, YAML_SCALAR);

        item->line = p->line;
        item->column = p->column;
        item->text = p->value->kind == YAML_NULL ? xstrdup(p->key)
                                                 : str_printf("%s=%s", p->key, p->value->text);
        append(list, item);
    }
    swap_nodes(n, list);
    node_discard(list);
}

/* One value becomes a list of one. */
static void value_to_list(struct yaml_node *n)
{
    if (n->kind != YAML_SCALAR)
        return;
    struct yaml_node *list = like(n, YAML_SEQ);

    swap_nodes(n, list);
    append(n, list);
}

/* A list of names becomes a mapping of names to nothing. */
static void names_to_map(struct yaml_node *n)
{
    if (n->kind != YAML_SEQ || !all_simple(n))
        return;
    struct yaml_node *map = like(n, YAML_MAP);

    for (size_t i = 0; i < n->n; i++) {
        struct yaml_node *item = n->items[i];

        if (!yaml_get(map, item->text))
            add_pair(map, (struct yaml_pair){.key = xstrdup(item->text),
                                             .line = item->line,
                                             .column = item->column,
                                             .value = like(item, YAML_NULL)});
    }
    swap_nodes(n, map);
    node_discard(map);
}

static int merge_value(const struct field *base, struct yaml_node *over, struct err *e);

static int merge_maps(const struct field *base, struct yaml_node *over, struct err *e)
{
    for (size_t i = 0; i < over->n; i++) {
        struct yaml_pair *p = &over->pairs[i];
        struct yaml_node *mine = yaml_get(base->node, p->key);

        if (!mine) {
            add_pair(base->node, *p);
            p->key = NULL;
            p->value = NULL;
            continue;
        }
        struct field f = {.ld = base->ld, .up = base, .key = p->key, .node = mine};

        if (merge_value(&f, p->value, e))
            return -1;
    }
    return 0;
}

static void merge_lists(struct yaml_node *base, struct yaml_node *over)
{
    for (size_t i = 0; i < over->n; i++)
        append(base, over->items[i]);
    over->n = 0;
}

static bool other_driver(const struct yaml_node *base, const struct yaml_node *over)
{
    const struct yaml_node *a = yaml_get(base, "driver"), *b = yaml_get(over, "driver");

    return a && b && !str_eq(a->text, b->text);
}

/* Brings both to the form in which the rule merges them, where that is possible. */
static void to_common_form(enum merge_rule rule, struct yaml_node *a, struct yaml_node *b)
{
    if (rule == MERGE_PAIRS && a->kind != b->kind) {
        pairs_to_list(a);
        pairs_to_list(b);
    } else if (rule == MERGE_LIST) {
        value_to_list(a);
        value_to_list(b);
    } else if (rule == MERGE_NAMES) {
        names_to_map(a);
        names_to_map(b);
    }
}

static const char *kind_name(enum yaml_kind k)
{
    static const char *const names[] = {"nothing", "a single value", "a list", "a mapping"};

    return names[k];
}

static int merge_value(const struct field *base, struct yaml_node *over, struct err *e)
{
    struct yaml_node *mine = base->node;
    const enum merge_rule *rule = rule_for(base);

    if (over->kind == YAML_NULL && over->tag == YAML_TAG_NONE)
        return 0;
    if (over->tag != YAML_TAG_NONE || mine->kind == YAML_NULL || (rule && *rule == MERGE_REPLACE) ||
        (rule && *rule == MERGE_LOGGING && other_driver(mine, over))) {
        swap_nodes(mine, over);
        return 0;
    }
    if (rule)
        to_common_form(*rule, mine, over);
    if (mine->kind != over->kind) {
        cleanup_free char *path = field_path(base);

        return yaml_error(over, e, "%s: is %s here, but %s in %s:%u", path, kind_name(over->kind),
                          kind_name(mine->kind), mine->file, mine->line);
    }
    if (mine->kind == YAML_MAP)
        return merge_maps(base, over, e);
    if (mine->kind == YAML_SEQ)
        merge_lists(mine, over);
    else
        swap_nodes(mine, over);
    return 0;
}

int merge_documents(struct yaml_node *base, struct yaml_node *over, struct err *e)
{
    struct field root = {.node = base};

    return merge_value(&root, over, e);
}

/* A value tagged !reset is as if it had never been written. */
void resolve_resets(struct yaml_node *n)
{
    for (size_t i = 0; n->kind == YAML_MAP && i < n->n;) {
        if (n->pairs[i].value->tag != YAML_TAG_RESET) {
            resolve_resets(n->pairs[i++].value);
            continue;
        }
        node_discard(n->pairs[i].value);
        free(n->pairs[i].key);
        memmove(&n->pairs[i], &n->pairs[i + 1], (n->n - i - 1) * sizeof *n->pairs);
        n->n--;
    }
    for (size_t i = 0; n->kind == YAML_SEQ && i < n->n; i++)
        resolve_resets(n->items[i]);
}
