/*
 * archive: files out of containers and into them: archive, export, changes.
 *
 * The head of an archive says what the path is: X-Docker-Container-Path-Stat, base64 of JSON.
 */
#include <string.h>

#include "api/handlers.h"
#include "base/cancel.h"
#include "base/mem.h"
#include "images/registry_auth.h"
#include "reconciler/container_files.h"

static int path_of(const struct request *rq, const char **path, struct err *e)
{
    *path = query_str(rq, "path");
    if (**path)
        return 0;
    return err_set(e, ERR_INVALID, "bad parameter: pathcannot be empty"); /* sic */
}

static int put_stat(struct request *rq, const struct tree_stat *st, struct err *e)
{
    cleanup_buf struct buf json = BUF_INIT(HTTP_HEAD_MAX / 2);
    cleanup_free char *text = NULL;
    struct jsonw w = JSONW_INIT(&json);

    jsonw_obj(&w);
    jsonw_kstr(&w, "name", st->name);
    jsonw_ki64(&w, "size", st->size);
    jsonw_ki64(&w, "mode", st->mode);
    jsonw_key(&w, "mtime");
    jsonw_time(&w, st->mtime_ns);
    jsonw_kstr(&w, "linkTarget", st->link_target);
    jsonw_end_obj(&w);
    if (buf_check(&json, "the path's description", e))
        return -1;
    text = base64_encode(json.data, json.len);
    res_header(rq, "X-Docker-Container-Path-Stat", text);
    return 0;
}

int container_archive_head(struct request *rq, struct err *e)
{
    CLEANUP(tree_stat_release) struct tree_stat st = {0};
    const char *path;

    if (path_of(rq, &path, e) || containers_stat_path(rq->engine, rq->arg[0], path, &st, e) ||
        put_stat(rq, &st, e))
        return -1;
    return res_empty(rq, 200, e);
}

/* ------------------------------------------------------------------ out */

static int begin_archive(void *arg, const struct tree_stat *st, struct err *e)
{
    struct request *rq = arg;

    if (put_stat(rq, st, e))
        return -1;
    return res_stream(rq, 200, "application/x-tar", e) || request_watch(rq, e) ? -1 : 0;
}

static int begin_export(void *arg, const struct tree_stat *st, struct err *e)
{
    struct request *rq = arg;

    (void)st;
    return res_stream(rq, 200, "application/octet-stream", e) || request_watch(rq, e) ? -1 : 0;
}

static int write_tar(void *arg, const void *bytes, size_t n, struct err *e)
{
    return res_write(arg, bytes, n, e);
}

int container_archive_get(struct request *rq, struct err *e)
{
    const struct files_sink out = {begin_archive, write_tar, rq, rq->cancel};
    const char *path;

    if (path_of(rq, &path, e))
        return -1;
    return containers_archive(rq->engine, rq->arg[0], path, &out, rq->by, e);
}

int container_export(struct request *rq, struct err *e)
{
    const struct files_sink out = {begin_export, write_tar, rq, rq->cancel};

    return containers_export(rq->engine, rq->arg[0], &out, rq->by, e);
}

/* ------------------------------------------------------------------ in */

static int read_body(void *arg, void *buf, size_t n, size_t *got, struct err *e)
{
    struct request *rq = arg;

    if (cancel_fired(rq->cancel))
        return err_set(e, ERR_CANCELLED, "context canceled");
    return http_body_read(&rq->body, buf, n, got, e);
}

int container_archive_put(struct request *rq, struct err *e)
{
    const struct files_source in = {
        .read = read_body,
        .arg = rq,
        .keep_kinds = query_bool(rq, "noOverwriteDirNonDir", false),
        .copy_ids = query_bool(rq, "copyUIDGID", false),
    };
    const char *path;

    if (path_of(rq, &path, e) || containers_extract(rq->engine, rq->arg[0], path, &in, rq->by, e))
        return -1;
    return res_empty(rq, 200, e);
}

/* ------------------------------------------------------------------ changes */

static void write_changes(struct jsonw *w, const struct tree_changes *changes)
{
    if (changes->n == 0) {
        jsonw_null(w);
        return;
    }
    jsonw_arr(w);
    for (size_t i = 0; i < changes->n; i++) {
        jsonw_obj(w);
        jsonw_kstr(w, "Path", changes->v[i].path);
        jsonw_ki64(w, "Kind", changes->v[i].kind);
        jsonw_end_obj(w);
    }
    jsonw_end_arr(w);
}

int container_changes(struct request *rq, struct err *e)
{
    CLEANUP(tree_changes_release) struct tree_changes changes = {0};
    cleanup_buf struct buf out = BUF_INIT(REPLY_MAX);
    struct jsonw w = JSONW_INIT(&out);

    if (request_watch(rq, e) || containers_changes(rq->engine, rq->arg[0], &changes, rq->cancel, e))
        return -1;
    write_changes(&w, &changes);
    return res_json(rq, 200, &out, e);
}
