/*
 * progress: see progress.h.
 *
 * On a terminal each layer has a line of its own, which is redrawn in place; elsewhere only changes
 * of state are printed, because a log wants no bars.
 */
#include "cli/progress.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/time.h"
#include "cli/term.h"

#define LINES_MAX 200
#define BAR_WIDTH 30
#define REDRAW_MS 50

struct layer {
    char *id, *status;
    int64_t current, total;
};

struct progress {
    FILE *out;
    bool bars, quiet, json;
    struct layer layers[LINES_MAX];
    size_t n;
    size_t drawn; /* lines below which the cursor stands */
    int64_t drawn_ms;
};

static void draw_layer(FILE *out, const struct layer *l, unsigned columns)
{
    cleanup_buf struct buf b = BUF_INIT(1024);
    char current[32], total[32];

    buf_addf(&b, "%.12s: %s", l->id, l->status ? l->status : "");
    if (l->total > 0 && l->current >= 0) {
        int64_t done = l->current > l->total ? l->total : l->current;
        int filled = (int)(done * BAR_WIDTH / l->total);

        format_size(l->current, current, sizeof(current));
        format_size(l->total, total, sizeof(total));
        buf_addf(&b, "  [%.*s>%*s]  %s/%s", filled,
                 "==============================", BAR_WIDTH - filled, "", current, total);
    } else if (l->current > 0) {
        format_size(l->current, current, sizeof(current));
        buf_addf(&b, "  %s", current);
    }
    fprintf(out, "\033[2K%.*s\n", (int)(columns ? columns - 1 : 80), b.data);
}

static void redraw(struct progress *p, bool now)
{
    unsigned rows = 24, columns = 80;
    int64_t ms = time_mono_ms();

    if (!p->bars || (!now && ms - p->drawn_ms < REDRAW_MS))
        return;
    (void)term_size(&rows, &columns);
    if (p->drawn)
        fprintf(p->out, "\033[%zuA", p->drawn);
    /* More layers than the screen has lines: the last ones, which are those at work. */
    size_t fit = rows > 2 ? rows - 2 : 1, first = p->n > fit ? p->n - fit : 0;

    for (size_t i = first; i < p->n; i++)
        draw_layer(p->out, &p->layers[i], columns);
    p->drawn = p->n - first;
    p->drawn_ms = ms;
    fflush(p->out);
}

static struct layer *layer_of(struct progress *p, const char *id)
{
    for (size_t i = 0; i < p->n; i++)
        if (str_eq(p->layers[i].id, id))
            return &p->layers[i];
    if (p->n == LINES_MAX)
        return &p->layers[LINES_MAX - 1];
    p->layers[p->n] = (struct layer){.id = xstrdup(id)};
    return &p->layers[p->n++];
}

static void print_line(struct progress *p, const char *id, const char *status)
{
    redraw(p, true);
    fprintf(p->out, "%s%s%s\n", id, *id ? ": " : "", status);
    p->drawn = 0; /* what is above stays */
    for (size_t i = 0; i < p->n && p->bars; i++) {
        free(p->layers[i].id);
        free(p->layers[i].status);
    }
    p->n = p->bars ? 0 : p->n;
}

static void on_layer(struct progress *p, const struct json *m, const char *id, const char *status)
{
    struct json detail = json_get(m, "progressDetail");
    struct layer *l = layer_of(p, id);
    bool news = !str_eq(l->status, status);

    if (news)
        str_set(&l->status, status);
    l->current = json_get_i64(&detail, "current");
    l->total = json_get_i64(&detail, "total");
    if (p->bars)
        redraw(p, news);
    else if (news && !json_has(&detail, "current"))
        fprintf(p->out, "%s: %s\n", id, status);
}

static int on_message(void *arg, const char *line, size_t n, struct err *e)
{
    struct progress *p = arg;
    cleanup_json struct json_doc doc = {0};

    if (json_parse(line, n, &doc, e))
        return -1;
    struct json m = json_root(&doc);
    const char *id = json_get_str(&m, "id"), *status = json_get_str(&m, "status");
    const char *stream = json_get_str(&m, "stream"), *error = json_get_str(&m, "error");

    if (p->json)
        fprintf(p->out, "%.*s\n", (int)(n && line[n - 1] == '\r' ? n - 1 : n), line);
    if (*error) {
        redraw(p, true);
        return err_set(e, ERR_INTERNAL, "%s", error);
    }
    if (p->json || p->quiet)
        return 0;
    if (*stream)
        fprintf(p->out, "%s", stream);
    else if (*id && json_has(&m, "progressDetail"))
        on_layer(p, &m, id, status);
    else if (*status)
        print_line(p, id, status);
    fflush(p->out);
    return 0;
}

int progress_show(struct reply *r, bool on_stderr, bool quiet, bool json, struct err *e)
{
    struct progress *p = xcalloc(1, sizeof *p);

    p->out = on_stderr ? stderr : stdout;
    p->bars = term_is_tty(on_stderr ? 2 : 1) && !json && !quiet && !str_eq(getenv("TERM"), "dumb");
    p->quiet = quiet;
    p->json = json;
    int rc = client_lines(r, on_message, p, e);

    if (!rc)
        redraw(p, true);
    for (size_t i = 0; i < p->n; i++) {
        free(p->layers[i].id);
        free(p->layers[i].status);
    }
    free(p);
    return rc;
}
