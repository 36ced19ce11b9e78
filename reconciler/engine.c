/* engine: opening, starting and closing the whole.  See engine.h. */
#include "reconciler/engine.h"

#include <string.h>

#include "base/id.h"
#include "base/log.h"
#include "reconciler/engine_internal.h"

/* ------------------------------------------------------------ what was written down */

static int take_container(void *arg, struct container *c, struct err *e)
{
    (void)e;
    object_container_put(arg, c);
    return 0;
}

static int take_network(void *arg, struct network *n, struct err *e)
{
    (void)e;
    object_network_put(arg, n);
    return 0;
}

static int take_volume(void *arg, struct volume *v, struct err *e)
{
    (void)e;
    object_volume_put(arg, v);
    return 0;
}

static int load(struct engine *g, struct err *e)
{
    if (state_container_each(g->st, take_container, g, e) ||
        state_network_each(g->st, take_network, g, e) ||
        state_volume_each(g->st, take_volume, g, e))
        return -1;
    return apps_load(g, e);
}

static int load_id(struct engine *g, struct err *e)
{
    char fresh[ID_LEN + 1];

    if (state_meta_get(g->st, "engine_id", &g->id, e))
        return -1;
    if (g->id)
        return 0;
    id_new(fresh);
    g->id = xstrdup(fresh);
    return state_meta_put(g->st, "engine_id", fresh, e);
}

/* ------------------------------------------------------------ life */

static void unref_container(void *c)
{
    container_unref(c);
}

static void unref_network(void *n)
{
    network_unref(n);
}

static void unref_volume(void *v)
{
    volume_unref(v);
}

static void release(struct engine *g)
{
    map_release(&g->containers);
    map_release(&g->networks);
    map_release(&g->volumes);
    map_release(&g->volumes_claimed);
    map_release(&g->volume_holds);
    map_release(&g->mounting);
    map_release(&g->names);
    map_release(&g->live);
    map_release(&g->execs);
    map_release(&g->apps);
    workqueue_free(g->q);
    cancel_free(g->stop);
    cond_destroy(&g->workers_gone);
    cond_destroy(&g->volumes_free);
    cond_destroy(&g->mounting_changed);
    mutex_destroy(&g->lock);
    mutex_destroy(&g->store);
    free(g->id);
    free(g);
}

int engine_open(const struct engine_config *cfg, struct state *st, struct images *im,
                struct runtime *rt, struct engine **out, struct err *e)
{
    struct engine *g = xcalloc(1, sizeof(*g));

    g->cfg = *cfg; /* its strings outlive the engine */
    g->st = st;
    g->im = im;
    g->rt = rt;
    g->q = workqueue_new();
    g->stop = cancel_new();
    g->cfg.vol.data_root = cfg->data_root;
    g->cfg.vol.stop = g->stop;
    mutex_init(&g->store);
    mutex_init(&g->lock);
    cond_init(&g->workers_gone);
    cond_init(&g->volumes_free);
    cond_init(&g->mounting_changed);
    g->containers = MAP_INIT(unref_container);
    g->networks = MAP_INIT(unref_network);
    g->volumes = MAP_INIT(unref_volume);
    g->volumes_claimed = MAP_INIT(free);
    g->volume_holds = MAP_INIT(hold_free);
    g->mounting = MAP_INIT(free);
    g->names = MAP_INIT(free);
    g->live = MAP_INIT(live_free);
    g->execs = MAP_INIT(exec_free);
    g->apps = MAP_INIT(app_live_free);
    if (load_id(g, e) || load(g, e)) {
        release(g);
        return -1;
    }
    *out = g;
    return 0;
}

static void phase_changed(void *arg, const char *id)
{
    queue_container(arg, id, 0);
}

static void exec_ended(void *arg, const char *id, const char *exec_id, int code)
{
    (void)id;
    execs_exited(arg, exec_id, code);
}

/* Not one of Docker's events: it is for who asks later what has become of them. */
static void log_was_lost(void *arg, const char *id, int64_t lines, const char *why)
{
    cleanup_container struct container *c = object_container(arg, id);
    struct event ev;

    if (!c)
        return;
    event_for_container(&ev, "log_lost", c, NULL);
    kvs_setf(&ev.attributes, "lines", "%lld", (long long)lines);
    kvs_set(&ev.attributes, "reason", why);
    engine_event(arg, &ev);
}

int engine_start(struct engine *g, struct err *e)
{
    struct runtime_events ev = {
        .changed = phase_changed, .exec_exited = exec_ended, .log_lost = log_was_lost, .arg = g};

    if (networks_ensure_predefined(g, e) || adopt(g, e) || g->rt->ops->watch(g->rt, &ev, e))
        return -1;
    return workers_start(g, e);
}

void engine_stop(struct engine *g)
{
    if (!g || g->stopped)
        return;
    workers_stop(g);
    events_close(g);
    g->stopped = true;
}

void engine_close(struct engine *g)
{
    if (!g)
        return;
    engine_stop(g);
    release(g);
}

const struct engine_config *engine_config(const struct engine *g)
{
    return &g->cfg;
}

struct images *engine_images(struct engine *g)
{
    return g->im;
}

struct runtime *engine_runtime(struct engine *g)
{
    return g->rt;
}

bool engine_supports(const struct engine *g, const char *feature)
{
    return g->rt->ops->supports && g->rt->ops->supports(g->rt, feature);
}

struct state *engine_state(struct engine *g)
{
    return g->st;
}

const char *engine_id(const struct engine *g)
{
    return g->id;
}
