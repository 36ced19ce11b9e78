/* commit: an image from a container. */
#include "api/handlers.h"
#include "base/mem.h"
#include "reconciler/container_files.h"

/* A Config, of which what is missing comes from the container; no body: all of it. */
static int read_config(struct request *rq, struct container_spec **out, struct err *e)
{
    cleanup_json struct json_doc doc = {0};
    cleanup_spec struct container_spec *spec = NULL;
    struct json body;

    *out = NULL;
    if (request_json(rq, false, &doc, e))
        return -1;
    body = json_root(&doc);
    if (!doc.root || !container_spec_has_config(&body))
        return 0;
    spec = container_spec_new();
    if (container_spec_decode(&body, spec, e))
        return -1;
    *out = take_ptr(spec);
    return 0;
}

int container_commit_one(struct request *rq, struct err *e)
{
    cleanup_buf struct buf out = BUF_INIT(4096);
    cleanup_spec struct container_spec *config = NULL;
    cleanup_strv struct strv changes = {0};
    cleanup_free char *id = NULL;
    struct jsonw w = JSONW_INIT(&out);
    struct container_commit commit = {
        .container = query_str(rq, "container"),
        .repo = query_str(rq, "repo"),
        .tag = query_str(rq, "tag"),
        .comment = query_str(rq, "comment"),
        .author = query_str(rq, "author"),
        .pause = !*query_str(rq, "pause") || query_bool(rq, "pause", true),
        .changes = &changes,
        .by = rq->by,
    };

    query_all(rq, "changes", &changes);
    if (read_config(rq, &config, e))
        return -1;
    commit.config = config;
    if (!*commit.container)
        return err_set(e, ERR_INVALID, "invalid name or ID supplied: \"\"");
    if (request_watch(rq, e) || containers_commit(rq->engine, &commit, rq->cancel, &id, e))
        return -1;
    jsonw_obj(&w);
    jsonw_kstr(&w, "Id", id);
    jsonw_end_obj(&w);
    return res_json(rq, 201, &out, e);
}
