/* swarm: what an engine outside a swarm answers, and other lists that are always empty here. */
#include <string.h>

#include "api/handlers.h"

int swarm_unavailable(struct request *rq, struct err *e)
{
    (void)rq;
    return err_set(e, ERR_UNAVAILABLE,
                   "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm "
                   "join\" to connect this node to swarm and try again.");
}

int swarm_update(struct request *rq, struct err *e)
{
    const char *version = query_str(rq, "version");

    if (!*version || strspn(version, "0123456789") != strlen(version))
        return err_set(e, ERR_INVALID,
                       "invalid swarm version '%s': strconv.ParseUint: parsing \"%s\": invalid "
                       "syntax",
                       version, version);
    return swarm_unavailable(rq, e);
}

int swarm_leave(struct request *rq, struct err *e)
{
    (void)rq;
    return err_set(e, ERR_UNAVAILABLE, "This node is not part of a swarm");
}

int volume_update(struct request *rq, struct err *e)
{
    (void)rq;
    return err_set(e, ERR_UNAVAILABLE,
                   "volume update only valid for cluster volumes, but swarm is unavailable");
}

static int fixed(struct request *rq, const char *json, struct err *e)
{
    cleanup_buf struct buf out = BUF_INIT(4096);

    buf_addf(&out, "%s", json);
    return res_json(rq, 200, &out, e);
}

/* No build runs that could be cancelled, whatever its ID. */
int build_cancel(struct request *rq, struct err *e)
{
    if (!*query_str(rq, "id"))
        return err_set(e, ERR_INVALID, "build ID not provided");
    return res_empty(rq, 200, e);
}

/* There is no build cache yet, so there is nothing to prune: `docker system prune` asks anyway. */
int build_prune(struct request *rq, struct err *e)
{
    return fixed(rq, "{\"CachesDeleted\":null,\"SpaceReclaimed\":0}", e);
}

int plugin_list(struct request *rq, struct err *e)
{
    return fixed(rq, "[]", e);
}
