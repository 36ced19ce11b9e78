/* fake_files: the made-up engine's half of reconciler/container_files.h.  See fake_engine.h. */
#include "tests/unit/api/fake_engine.h"

#include <string.h>

#include "base/mem.h"
#include "base/time.h"
#include "reconciler/container_files.h"

#define IMAGE_ID "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

int containers_stat_path(struct engine *g, const char *id, const char *path, struct tree_stat *out,
                         struct err *e)
{
    if (fake_call(g, e, "stat %s %s", id, path))
        return -1;
    *out = (struct tree_stat){
        .name = xstrdup("f"),
        .size = 3,
        .mode = 0644,
        .mtime_ns = 1000 * NS_PER_SEC,
        .link_target = xstrdup(""),
    };
    return 0;
}

static int tell(const struct files_sink *out, const struct tree_stat *st, struct err *e)
{
    return out->begin(out->arg, st, e) || out->write(out->arg, "tar", 3, e) ? -1 : 0;
}

int containers_archive(struct engine *g, const char *id, const char *path,
                       const struct files_sink *out, const char *by, struct err *e)
{
    struct tree_stat st = {0};
    int r;

    (void)by;
    if (containers_stat_path(g, id, path, &st, e))
        return -1;
    r = tell(out, &st, e);
    tree_stat_release(&st);
    return r;
}

int containers_export(struct engine *g, const char *id, const struct files_sink *out,
                      const char *by, struct err *e)
{
    (void)by;
    return fake_call(g, e, "export %s", id) ? -1 : tell(out, NULL, e);
}

int containers_extract(struct engine *g, const char *id, const char *path,
                       const struct files_source *in, const char *by, struct err *e)
{
    char body[64];
    size_t got = 0;

    (void)by;
    if (in->read(in->arg, body, sizeof(body) - 1, &got, e))
        return -1;
    body[got] = '\0';
    return fake_call(g, e, "extract %s %s kinds=%d ids=%d %s", id, path, in->keep_kinds,
                     in->copy_ids, body);
}

int containers_changes(struct engine *g, const char *id, struct tree_changes *out, struct cancel *c,
                       struct err *e)
{
    (void)c;
    *out = (struct tree_changes){0};
    if (fake_call(g, e, "changes %s", id))
        return -1;
    if (str_eq(id, "same"))
        return 0;
    out->v = xcalloc(1, sizeof(*out->v));
    out->v[out->n++] = (struct tree_change){xstrdup("/etc/x"), CHANGE_DELETED};
    return 0;
}

int containers_commit(struct engine *g, const struct container_commit *rq, struct cancel *c,
                      char **id, struct err *e)
{
    (void)c;
    if (fake_call(g, e, "commit %s %s:%s pause=%d changes=%zu cmd=%s", rq->container, rq->repo,
                  rq->tag, rq->pause, rq->changes->n,
                  rq->config && rq->config->cmd.n ? rq->config->cmd.v[0] : "-"))
        return -1;
    *id = xstrdup(IMAGE_ID);
    return 0;
}
