/* swarm: what an engine outside a swarm answers, and other lists that are always empty here. */
#include "api/handlers.h"

int swarm_unavailable(struct request *rq, struct err *e)
{
    (void)rq;
    return err_set(e, ERR_UNAVAILABLE,
                   "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm "
                   "join\" to connect this node to swarm and try again.");
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

/* There is no build cache yet, so there is nothing to prune: `docker system prune` asks anyway. */
int build_prune(struct request *rq, struct err *e)
{
    return fixed(rq, "{\"CachesDeleted\":null,\"SpaceReclaimed\":0}", e);
}

int plugin_list(struct request *rq, struct err *e)
{
    return fixed(rq, "[]", e);
}
