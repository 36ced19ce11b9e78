/*
 * health_log: what the probes of a container have found, in a file that the next agent goes on
 * with: <exec_root>/health/<id>.  It is written after each probe and never waits for a disk; after
 * a boot nothing is known, and nothing runs.
 */
#include <limits.h>
#include <stdlib.h>

#include "base/fs.h"
#include "base/log.h"
#include "reconciler/engine_internal.h"

#define FILE_MAX (1024 * 1024)

static char *directory(struct engine *g)
{
    return path_join(g->cfg.exec_root, "health");
}

static char *file_of(struct engine *g, const char *id)
{
    return str_printf("%s/health/%s", g->cfg.exec_root, id);
}

void health_log_release(struct health_log *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->v[i].output);
    *l = (struct health_log){0};
}

void health_log_copy(struct health_log *dst, const struct health_log *src)
{
    *dst = *src;
    for (size_t i = 0; i < src->n; i++)
        dst->v[i].output = xstrdup(src->v[i].output);
}

void health_log_save(struct engine *g, const char *id, int64_t started_ns,
                     const struct health_log *l)
{
    cleanup_free char *dir = directory(g), *path = file_of(g, id);
    cleanup_buf struct buf b = BUF_INIT(FILE_MAX);
    struct jsonw w = JSONW_INIT(&b);
    struct err e = ERR_INIT;

    jsonw_obj(&w);
    jsonw_ki64(&w, "started_ns", started_ns);
    jsonw_ki64(&w, "streak", l->failing_streak);
    jsonw_key(&w, "log");
    jsonw_arr(&w);
    for (size_t i = 0; i < l->n; i++) {
        jsonw_obj(&w);
        jsonw_ki64(&w, "start_ns", l->v[i].start_ns);
        jsonw_ki64(&w, "end_ns", l->v[i].end_ns);
        jsonw_ki64(&w, "exit_code", l->v[i].exit_code);
        jsonw_kstr(&w, "output", l->v[i].output);
        jsonw_end_obj(&w);
    }
    jsonw_end_arr(&w);
    jsonw_end_obj(&w);
    if (buf_check(&b, "health log", &e) || fs_mkdir_p(dir, 0700, &e) ||
        fs_write_atomic(path, b.data, b.len, 0600, false, &e))
        log_debug("results of probes are not kept", "id=%.12s error=%s", id, log_quote(e.msg));
}

bool health_log_load(struct engine *g, const char *id, int64_t *started_ns, struct health_log *out)
{
    cleanup_free char *path = file_of(g, id);
    cleanup_buf struct buf b = BUF_INIT(FILE_MAX);
    cleanup_json struct json_doc doc = {0};
    struct json root, log;

    *out = (struct health_log){0};
    if (fs_read(path, &b, ERR_IGNORE) || json_parse(b.data, b.len, &doc, ERR_IGNORE))
        return false;
    root = json_root(&doc);
    log = json_get(&root, "log");
    *started_ns = json_get_i64(&root, "started_ns");
    out->failing_streak = json_get_i64(&root, "streak");
    for (size_t i = 0; i < json_len(&log) && out->n < HEALTH_RESULTS; i++) {
        struct json one = json_at(&log, i);
        int64_t code = json_get_i64(&one, "exit_code");

        out->v[out->n++] = (struct health_result){
            .start_ns = json_get_i64(&one, "start_ns"),
            .end_ns = json_get_i64(&one, "end_ns"),
            .exit_code = code < INT_MIN || code > INT_MAX ? -1 : (int)code,
            .output = xstrdup(json_get_str(&one, "output")),
        };
    }
    return true;
}

void health_log_forget(struct engine *g, const char *id)
{
    cleanup_free char *path = file_of(g, id);
    struct err e = ERR_INIT;

    if (fs_remove(path, &e))
        log_debug("results of probes stay", "id=%.12s error=%s", id, log_quote(e.msg));
}

void health_logs_sweep(struct engine *g, const struct strv *known)
{
    cleanup_free char *dir = directory(g);
    cleanup_strv struct strv ids = {0};

    if (fs_list(dir, &ids, ERR_IGNORE))
        return;
    for (size_t i = 0; i < ids.n; i++)
        if (!strv_has(known, ids.v[i]))
            health_log_forget(g, ids.v[i]);
}
