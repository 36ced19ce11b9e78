/* objects: the snapshots in memory and the one way to change them.  See engine_internal.h. */
#include <string.h>

#include "reconciler/engine_internal.h"

#define OBJECT_GET(kind)                                          \
    struct kind *object_##kind(struct engine *g, const char *key) \
    {                                                             \
        struct kind *o;                                           \
                                                                  \
        mutex_lock(&g->lock);                                     \
        o = map_get(&g->kind##s, key);                            \
        o = o ? kind##_ref(o) : NULL;                             \
        mutex_unlock(&g->lock);                                   \
        return o;                                                 \
    }

OBJECT_GET(container)
OBJECT_GET(network)
OBJECT_GET(volume)

void object_container_put(struct engine *g, struct container *c)
{
    struct container *old;

    mutex_lock(&g->lock);
    old = map_get(&g->containers, c->id);
    if (!old || strcmp(old->name, c->name) != 0) {
        if (old)
            map_del(&g->names, old->name);
        map_put(&g->names, c->name, xstrdup(c->id));
    }
    map_put(&g->containers, c->id, c); /* unrefs the old one */
    mutex_unlock(&g->lock);
}

void object_container_drop(struct engine *g, const char *id)
{
    struct container *old;

    mutex_lock(&g->lock);
    old = map_get(&g->containers, id);
    if (old)
        map_del(&g->names, old->name);
    map_del(&g->containers, id);
    map_del(&g->live, id);
    execs_forget(g, id);
    mutex_unlock(&g->lock);
}

void object_network_put(struct engine *g, struct network *n)
{
    mutex_lock(&g->lock);
    map_put(&g->networks, n->id, n);
    mutex_unlock(&g->lock);
}

void object_network_drop(struct engine *g, const char *id)
{
    mutex_lock(&g->lock);
    map_del(&g->networks, id);
    mutex_unlock(&g->lock);
}

void object_volume_put(struct engine *g, struct volume *v)
{
    mutex_lock(&g->lock);
    map_put(&g->volumes, v->name, v);
    mutex_unlock(&g->lock);
}

void object_volume_drop(struct engine *g, const char *name)
{
    mutex_lock(&g->lock);
    map_del(&g->volumes, name);
    mutex_unlock(&g->lock);
}

bool container_durable(const struct container *c)
{
    return !c->spec->auto_remove;
}

int container_change(struct engine *g, const char *id, bool durable, container_change_fn *fn,
                     void *arg, struct container **after, struct err *e)
{
    cleanup_container struct container *now = NULL;
    struct container *copy;
    int r;

    mutex_lock(&g->store);
    now = object_container(g, id);
    if (!now) {
        mutex_unlock(&g->store);
        return err_set(e, ERR_NOT_FOUND, "No such container: %s", id);
    }
    copy = container_copy(now);
    r = fn(g, copy, arg, e) || state_container_put(g->st, copy, durable, e) ? -1 : 0;
    if (r == 0) {
        if (after) {
            container_unref_p(after);
            *after = container_ref(copy);
        }
        object_container_put(g, copy);
    } else {
        container_unref(copy);
    }
    mutex_unlock(&g->store);
    return r;
}

/* In use?  Asked under the store lock, since a container takes its addresses under it. */
static int refuse_in_use(struct engine *g, const struct network *net, struct err *e)
{
    cleanup_buf struct buf who = BUF_INIT(4096);
    const char *key;
    void *value;
    size_t n = 0;

    mutex_lock(&g->lock);
    for (size_t i = 0; map_at(&g->containers, &i, &key, &value); i++) {
        const struct container *c = value;

        for (size_t k = 0; k < c->state.n_endpoints; k++)
            if (strcmp(c->state.endpoints[k].network_id, net->id) == 0)
                buf_addf(&who, "%sname:\"%s\" id:\"%.12s\"", n++ ? ", " : "", c->name,
                         c->state.endpoints[k].id);
    }
    mutex_unlock(&g->lock);
    if (n == 0)
        return 0;
    return err_set(e, ERR_DENIED,
                   "error while removing network: network %s has active endpoints (%s)", net->name,
                   who.data);
}

int network_mark_absent(struct engine *g, const char *id, int64_t *generation, struct err *e)
{
    cleanup_network struct network *now = NULL;
    struct network *copy;
    int r;

    mutex_lock(&g->store);
    now = object_network(g, id);
    if (!now) {
        mutex_unlock(&g->store);
        return err_set(e, ERR_NOT_FOUND, "network %s not found", id);
    }
    if (refuse_in_use(g, now, e)) {
        mutex_unlock(&g->store);
        return -1;
    }
    copy = network_copy(now);
    copy->absent = true;
    *generation = ++copy->generation;
    r = state_network_put(g->st, copy, true, e);
    if (r == 0)
        object_network_put(g, copy);
    else
        network_unref(copy);
    mutex_unlock(&g->store);
    return r;
}

void live_free(void *l)
{
    struct live *live = l;

    free(live->removed_by);
    free(live->started_by);
    container_stats_unref(live->sample);
    health_live_free(live->health);
    free(live);
}

struct live *live_of(struct engine *g, const char *id)
{
    struct live *l = map_get(&g->live, id);

    if (!l) {
        l = xcalloc(1, sizeof(*l));
        map_put(&g->live, id, l);
    }
    return l;
}

static void queue_key(struct engine *g, const char *kind, const char *name, const char *part,
                      int64_t delay_ms)
{
    cleanup_free char *key = str_printf("%s/%s%s%s", kind, name, part ? "/" : "", part ? part : "");

    workqueue_add_after(g->q, key, delay_ms);
    workers_need(g);
}

void queue_container(struct engine *g, const char *id, int64_t delay_ms)
{
    queue_key(g, "container", id, NULL, delay_ms);
}

void queue_network(struct engine *g, const char *id)
{
    queue_key(g, "network", id, NULL, 0);
}

void queue_app(struct engine *g, const char *name, int64_t delay_ms)
{
    queue_key(g, "app", name, NULL, delay_ms);
}

void queue_pull(struct engine *g, const char *app, const char *service)
{
    queue_key(g, "pull", app, service, 0);
}
