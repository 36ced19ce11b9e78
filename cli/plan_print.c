/*
 * plan_print: see plan_print.h.
 *
 * A plan has an operation per step (stop, remove, create, start).  People think of the thing: it is
 * new, goes, is made anew, is restarted.  So the operations of one resource become one line.
 */
#include "cli/plan_print.h"

#include <stdio.h>

#include "base/mem.h"
#include "cli/table.h"

struct line {
    char *kind; /* "container", "network", "volume" */
    char *resource, *cause, *waiting_for;
    struct strv changes;
    bool create, remove, start, stop, update, blocked;
};

struct lines {
    struct line *v;
    size_t n;
};

static void lines_release(struct lines *l)
{
    for (size_t i = 0; i < l->n; i++) {
        free(l->v[i].kind);
        free(l->v[i].resource);
        free(l->v[i].cause);
        free(l->v[i].waiting_for);
        strv_release(&l->v[i].changes);
    }
    free(l->v);
}
#define cleanup_lines CLEANUP(lines_release)

static struct line *line_for(struct lines *l, const char *kind, const char *resource)
{
    for (size_t i = 0; i < l->n; i++)
        if (str_eq(l->v[i].kind, kind) && str_eq(l->v[i].resource, resource))
            return &l->v[i];
    l->v = xrealloc(l->v, (l->n + 1) * sizeof *l->v);
    l->v[l->n] = (struct line){.kind = xstrdup(kind), .resource = xstrdup(resource)};
    return &l->v[l->n++];
}

static void take_op(struct lines *l, const struct json *op)
{
    const char *name = json_get_str(op, "op"), *space = strchr(name, ' ');
    const char *waits = json_get_str(op, "waiting_for"), *cause = json_get_str(op, "cause");
    struct line *line = line_for(l, space ? space + 1 : "", json_get_str(op, "resource"));
    struct json changes = json_get(op, "changes");
    struct json after = json_get(op, "after");

    line->create |= str_starts(name, "create");
    line->remove |= str_starts(name, "remove");
    line->start |= str_starts(name, "start");
    line->stop |= str_starts(name, "stop");
    line->update |= str_starts(name, "update");
    line->blocked |= str_eq(name, "blocked");
    if (str_empty(line->cause) && *cause)
        str_set(&line->cause, cause);
    /* Waiting for another operation of the plan is no news; for something outside of it, it is. */
    if (*waits && json_len(&after) == 0)
        str_set(&line->waiting_for, waits);
    if (!line->changes.n && json_strv(&changes, &line->changes, ERR_IGNORE))
        strv_release(&line->changes);
}

static void collect(const struct json *reply, struct lines *l)
{
    struct json ops = json_get(reply, "ops");

    for (size_t i = 0; i < json_len(&ops); i++) {
        struct json op = json_at(&ops, i);

        take_op(l, &op);
    }
}

static const char *action(const struct line *l, enum color *c, const char **sign)
{
    static const struct {
        bool create, remove, start, stop;
        const char *sign, *text;
        enum color color;
    } known[] = {
        {true,  true,  true,  true,  "~", "recreate", COLOR_YELLOW},
        {true,  true,  true,  false, "~", "recreate", COLOR_YELLOW},
        {true,  true,  false, false, "~", "recreate", COLOR_YELLOW},
        {true,  false, true,  false, "+", "create",   COLOR_GREEN },
        {true,  false, false, false, "+", "create",   COLOR_GREEN },
        {false, true,  false, true,  "-", "remove",   COLOR_RED   },
        {false, true,  false, false, "-", "remove",   COLOR_RED   },
        {false, false, true,  true,  "~", "restart",  COLOR_YELLOW},
        {false, false, true,  false, "+", "start",    COLOR_GREEN },
        {false, false, false, true,  "-", "stop",     COLOR_RED   },
    };

    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (known[i].create != l->create || known[i].remove != l->remove ||
            known[i].start != l->start || known[i].stop != l->stop)
            continue;
        *sign = known[i].sign;
        *c = known[i].color;
        return known[i].text;
    }
    *c = l->blocked ? COLOR_RED : COLOR_YELLOW;
    *sign = l->blocked ? "!" : "~";
    return l->blocked ? "blocked" : "update";
}

static void print_details(const struct lines *l, const struct cli *cli)
{
    for (size_t i = 0; i < l->n; i++) {
        const struct line *line = &l->v[i];
        enum color c;
        const char *sign, *text = action(line, &c, &sign);

        printf("%s%s %s %s%s: %s\n", color_on(cli, c), sign, line->kind, line->resource,
               color_off(cli), text);
        for (size_t k = 0; k < line->changes.n; k++)
            printf("    %s\n", line->changes.v[k]);
        if (!line->changes.n && !str_empty(line->cause))
            printf("    %s\n", line->cause);
        if (line->waiting_for)
            printf("    waits: %s\n", line->waiting_for);
    }
}

void plan_print(const struct cli *cli, const struct json *reply, bool details)
{
    static const char *const titles[] = {"", "", "", "", ""};
    cleanup_lines struct lines l = {0};
    cleanup_table struct table t = {0};

    collect(reply, &l);
    if (!l.n) {
        printf("%s: nothing to do\n", json_get_str(reply, "name"));
        return;
    }
    if (details) {
        print_details(&l, cli);
        return;
    }
    printf("%s: %zu change%s\n", json_get_str(reply, "name"), l.n, l.n == 1 ? "" : "s");
    table_init(&t, titles, titles, 4);
    for (size_t i = 0; i < l.n; i++) {
        const struct line *line = &l.v[i];
        enum color c;
        const char *sign, *text = action(line, &c, &sign);
        cleanup_free char *what = str_printf("  %s %s", sign, text);

        table_addc(&t, c, what);
        table_add(&t, line->kind);
        table_add(&t, line->resource);
        table_addf(&t, "%s%s%s", line->cause ? line->cause : "",
                   line->waiting_for ? "; waits: " : "",
                   line->waiting_for ? line->waiting_for : "");
    }
    table_print(cli, &t, false, false);
}

size_t plan_count(const struct json *reply)
{
    cleanup_lines struct lines l = {0};

    collect(reply, &l);
    return l.n;
}

void notices_print(const struct cli *cli, const struct json *reply)
{
    struct json notices = json_get(reply, "notices");

    for (size_t i = 0; i < json_len(&notices); i++) {
        struct json n = json_at(&notices, i);
        const char *level = json_get_str(&n, "level"), *service = json_get_str(&n, "service");
        enum color c = str_eq(level, "ignored")    ? COLOR_DIM
                       : str_eq(level, "degraded") ? COLOR_YELLOW
                                                   : COLOR_RED;

        fprintf(stderr, "%s%s%s %s:%lld:%lld: %s%s%s%s: %s\n", color_on(cli, c), level,
                color_off(cli), json_get_str(&n, "file"), (long long)json_get_i64(&n, "line"),
                (long long)json_get_i64(&n, "column"), *service ? "services." : "", service,
                *service ? "." : "", json_get_str(&n, "key"), json_get_str(&n, "text"));
    }
}
