/* container_io: attach, resize, top: what only looks and never goes through the queue. */
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/process.h"
#include "reconciler/engine_internal.h"

static bool went_away(struct engine *g, const char *id)
{
    cleanup_container struct container *now = object_container(g, id);

    return !now;
}

int containers_attach(struct engine *g, const char *ref, const struct attach_opts *o,
                      struct stream **io, struct err *e)
{
    cleanup_container struct container *c = NULL;

    if (containers_find(g, ref, &c, e))
        return -1;
    if (c->state.status == STATUS_PAUSED)
        return err_set(e, ERR_CONFLICT,
                       "container %s is paused, unpause the container before attach", c->id);
    if (c->state.status == STATUS_RESTARTING)
        return err_set(e, ERR_CONFLICT,
                       "container %s is restarting, wait until the container is running", c->id);
    if (c->state.status == STATUS_EXITED || c->state.status == STATUS_CREATED) {
        cleanup_free char *dir = container_dir(g, c->id);

        /* Its streams exist before it starts, so that nothing it says first is missed. */
        if (fs_mkdir_p(dir, 0710, e) || g->rt->ops->ensure_created(g->rt, c, g->stop, e))
            return -1;
        if (went_away(g, c->id)) { /* meanwhile: nobody else would take this down */
            if (g->rt->ops->ensure_absent(g->rt, c->id, e) || fs_remove_all(dir, e))
                return -1;
            return err_set(e, ERR_NOT_FOUND, "No such container: %s", ref);
        }
    }
    if (g->rt->ops->attach(g->rt, c->id, o, io, e))
        return -1;
    event_emit_container(g, "attach", c, NULL);
    return 0;
}

int containers_resize(struct engine *g, const char *ref, unsigned rows, unsigned cols,
                      struct err *e)
{
    cleanup_container struct container *c = NULL;
    struct event ev;

    if (containers_find(g, ref, &c, e))
        return -1;
    if (!container_is_up(c))
        return err_set(e, ERR_CONFLICT, "container %s is not running", c->id);
    if (g->rt->ops->resize_tty(g->rt, c->id, rows, cols, e))
        return -1;
    event_for_container(&ev, "resize", c, NULL);
    kvs_setf(&ev.attributes, "height", "%u", rows);
    kvs_setf(&ev.attributes, "width", "%u", cols);
    engine_event(g, &ev);
    return 0;
}

/* ------------------------------------------------------------ top */

void top_release(struct top *t)
{
    for (size_t i = 0; i < t->n; i++)
        strv_release(&t->rows[i]);
    free(t->rows);
    strv_release(&t->titles);
    *t = (struct top){0};
}

/* Fields at white space; the last one takes the rest of the line. */
static void split_fields(const char *line, size_t max, struct strv *out)
{
    while (*line) {
        size_t n;

        line += strspn(line, " \t");
        if (!*line)
            return;
        n = out->n + 1 == max ? strlen(line) : strcspn(line, " \t");
        strv_take(out, str_ndup(line, n));
        line += n;
    }
}

static bool among(int64_t pid, const int64_t *pids, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (pids[i] == pid)
            return true;
    return false;
}

static int parse_ps(char *text, const int64_t *pids, size_t n_pids, struct top *out, struct err *e)
{
    size_t pid_column = SIZE_MAX;
    char *line = text, *end;

    for (; line && *line; line = end ? end + 1 : NULL) {
        struct strv fields = {0};

        end = strchr(line, '\n');
        if (end)
            *end = '\0';
        if (out->titles.n == 0) {
            split_fields(line, SIZE_MAX, &out->titles);
            for (size_t i = 0; i < out->titles.n; i++)
                if (strcmp(out->titles.v[i], "PID") == 0)
                    pid_column = i;
            if (pid_column == SIZE_MAX)
                return err_set(e, ERR_INTERNAL, "Couldn't find PID field in ps output");
            continue;
        }
        split_fields(line, out->titles.n, &fields);
        if (fields.n <= pid_column ||
            !among(strtoll(fields.v[pid_column], NULL, 10), pids, n_pids)) {
            strv_release(&fields);
            continue;
        }
        *ARRAY_ADD(out->rows, out->n) = fields;
    }
    return 0;
}

int containers_top(struct engine *g, const char *ref, const char *ps_args, struct top *out,
                   struct err *e)
{
    cleanup_container struct container *c = NULL;
    cleanup_buf struct buf text = BUF_INIT(4 * 1024 * 1024), words = BUF_INIT(4096);
    cleanup_strv struct strv argv = {0};
    cleanup_free int64_t *pids = NULL;
    size_t n = 0;
    int code = 0;

    if (containers_find(g, ref, &c, e))
        return -1;
    if (!container_is_up(c))
        return err_set(e, ERR_CONFLICT, "container %s is not running", c->id);
    strv_add(&argv, "ps");
    split_fields(str_empty(ps_args) ? "-ef" : ps_args, SIZE_MAX, &argv);
    if (g->rt->ops->pids(g->rt, c->id, &pids, &n, e) ||
        process_run((const char *const *)argv.v, NULL, 0, &text, &words, g->stop, &code, e))
        return -1;
    if (code != 0)
        return err_set(e, ERR_INTERNAL, "ps: %s", words.len ? str_trim(words.data) : "failed");
    if (buf_check(&text, "the output of ps", e))
        return -1;
    *out = (struct top){0};
    if (parse_ps(text.data, pids, n, out, e)) {
        top_release(out);
        return -1;
    }
    event_emit_container(g, "top", c, NULL);
    return 0;
}
