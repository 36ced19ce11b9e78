/* containers_update: POST /containers/{id}/update. */
#include "api/handlers.h"
#include "base/mem.h"
#include "reconciler/engine.h"

int container_update(struct request *rq, struct err *e)
{
    cleanup_update struct container_update u = {0};
    cleanup_buf struct buf out = BUF_INIT(REPLY_MAX);
    cleanup_json struct json_doc doc = {0};
    struct jsonw w = JSONW_INIT(&out);
    cleanup_strv struct strv warnings = {0};
    struct json body;

    if (request_json(rq, false, &doc, e))
        return -1;
    body = json_root(&doc);
    if (container_update_decode(&body, &u, e))
        return -1;
    if (!request_shape(rq, SHAPE_UPDATE_PIDS))
        u.pids = false;
    if (containers_update(rq->engine, rq->arg[0], &u, &warnings, rq->by, rq->cancel, e))
        return -1;
    jsonw_obj(&w);
    jsonw_kstrv_or_null(&w, "Warnings", &warnings);
    jsonw_end_obj(&w);
    return res_json(rq, 200, &out, e);
}
