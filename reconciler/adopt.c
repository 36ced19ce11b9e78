/*
 * adopt: what a new agent does with what it finds.
 *
 * Containers kept running without an agent; each is looked at like any other time, by its key, so
 * this file only decides what a reboot means, finishes restarts that were cut in two, takes the
 * ports and removes what belongs to nobody.
 *
 *     same boot     the goal stands: what should run and does not is started, an API call that was
 *                   cut short is finished
 *     after a boot  nothing runs; the restart policies decide, apps are planned anew
 */
#include <string.h>

#include "base/fs.h"
#include "base/host.h"
#include "base/log.h"
#include "reconciler/engine_internal.h"

static int rebooted(struct engine *g, bool *out, struct err *e)
{
    cleanup_free char *before = NULL;
    char now[64];

    if (host_boot_id(now, sizeof(now), e) || state_meta_get(g->st, "boot_id", &before, e))
        return -1;
    *out = before && strcmp(before, now) != 0;
    return 0;
}

/* Last: until the goals are what a boot makes them, the next start has to see that there was one.
 */
static int note_boot(struct engine *g, struct err *e)
{
    char now[64];

    return host_boot_id(now, sizeof(now), e) || state_meta_put(g->st, "boot_id", now, e) ? -1 : 0;
}

/* ------------------------------------------------------------ restarts cut in two */

/* Stopped, or about to be: the worker goes on with it.  After a boot a start is all that is left.
 */
static int finish_restart(struct engine *g, const struct container *c, bool fresh_boot,
                          struct err *e)
{
    struct goal_request rq = {.goal = GOAL_RUNNING,
                              .keep = c->spec->restart != RESTART_NO,
                              .by = "a restart that was cut short"};

    if (fresh_boot)
        return container_set_goal(g, c->id, &rq, NULL, NULL, e);
    mutex_lock(&g->lock);
    live_of(g, c->id)->restart = true;
    mutex_unlock(&g->lock);
    return 0;
}

static int finish_restarts(struct engine *g, bool fresh_boot, struct err *e)
{
    cleanup_strv struct strv keys = {0};

    if (state_intents_of(g->st, "restart/", &keys, e))
        return -1;
    for (size_t i = 0; i < keys.n; i++) {
        const char *id = keys.v[i] + strlen("restart/");
        cleanup_container struct container *c = object_container(g, id);

        bool cut = c && c->goal == GOAL_STOPPED;

        if (cut && finish_restart(g, c, fresh_boot, e))
            return -1;
        if ((!cut || fresh_boot) && state_intent_done(g->st, keys.v[i], e))
            return -1;
    }
    return 0;
}

/* ------------------------------------------------------------ goals after a boot */

static int goal_after_boot(struct engine *g, struct container *c, void *arg, struct err *e)
{
    bool ran = c->goal == GOAL_RUNNING || c->goal == GOAL_PAUSED;

    (void)g;
    (void)arg;
    (void)e;
    if (c->goal == GOAL_ABSENT)
        return 0;
    switch (c->spec->restart) {
    case RESTART_ALWAYS:
        c->goal = c->state.started_ns != TIME_ZERO || ran ? GOAL_RUNNING : c->goal;
        c->state.manually_stopped = false;
        break;
    case RESTART_UNLESS_STOPPED:
    case RESTART_ON_FAILURE:
        c->goal = ran ? GOAL_RUNNING : c->goal;
        break;
    case RESTART_NO:
        if (ran)
            c->goal = c->spec->auto_remove ? GOAL_ABSENT : GOAL_STOPPED;
        break;
    }
    return 0;
}

/* ------------------------------------------------------------ leftovers */

/* "<id>", or "<id>-m<n>" of an image that it mounts. */
static bool layer_is_known(const struct strv *known, const char *layer)
{
    cleanup_free char *id = str_ndup(layer, strcspn(layer, "-"));

    return strv_has(known, id);
}

/* Directories and writable layers whose container has no record. */
static void remove_orphans(struct engine *g, struct strv *known)
{
    cleanup_strv struct strv bundles = {0}, layers = {0}, dirs = {0};
    cleanup_free char *containers = path_join(g->cfg.data_root, "containers");
    struct err e = ERR_INIT;

    if (g->rt->ops->list(g->rt, &bundles, &e))
        log_warn("runtime directories not listed, leftovers stay", "error=%s", log_quote(e.msg));
    for (size_t i = 0; i < bundles.n; i++)
        if (!strv_has(known, bundles.v[i]) && g->rt->ops->ensure_absent(g->rt, bundles.v[i], &e))
            log_warn("leftover process stays", "id=%.12s error=%s", bundles.v[i], log_quote(e.msg));
    if (images_rootfs_list(g->im, &layers, &e))
        log_warn("writable layers not listed, leftovers stay", "error=%s", log_quote(e.msg));
    for (size_t i = 0; i < layers.n; i++)
        if (!layer_is_known(known, layers.v[i]) && images_rootfs_remove(g->im, layers.v[i], &e))
            log_warn("leftover layer stays", "id=%.12s error=%s", layers.v[i], log_quote(e.msg));
    if (fs_list(containers, &dirs, &e) && e.kind != ERR_NOT_FOUND)
        log_warn("container directories not listed, leftovers stay", "error=%s", log_quote(e.msg));
    for (size_t i = 0; i < dirs.n; i++) {
        cleanup_free char *dir = path_join(containers, dirs.v[i]);

        if (!strv_has(known, dirs.v[i]) && fs_remove_all(dir, &e))
            log_warn("leftover directory stays", "path=%s error=%s", dir, log_quote(e.msg));
    }
}

static void sweep_networks(struct engine *g, const struct container_list *all)
{
    cleanup_strv struct strv ids = {0}, nets = {0}, removed = {0};
    struct network_list networks = {0};
    struct err e = ERR_INIT;

    for (size_t i = 0; i < all->n; i++)
        if (all->v[i]->state.n_endpoints)
            strv_add(&ids, all->v[i]->id);
    networks_list(g, &networks);
    for (size_t i = 0; i < networks.n; i++)
        strv_add(&nets, networks.v[i]->id);
    network_list_release(&networks);
    if (net_sweep(&g->cfg.net, &ids, &nets, &removed, &e))
        log_warn("network leftovers stay", "error=%s", log_quote(e.msg));
    for (size_t i = 0; i < removed.n; i++)
        log_info("network leftover removed", "what=%s", log_quote(removed.v[i]));
}

/* ------------------------------------------------------------ the whole */

static void queue_everything(struct engine *g, const struct container_list *all)
{
    struct network_list networks = {0};
    struct strv apps = {0};

    networks_list(g, &networks);
    for (size_t i = 0; i < networks.n; i++)
        queue_network(g, networks.v[i]->id);
    network_list_release(&networks);
    for (size_t i = 0; i < all->n; i++)
        queue_container(g, all->v[i]->id, 0);
    apps_names(g, &apps);
    for (size_t i = 0; i < apps.n; i++)
        queue_app(g, apps.v[i], 0);
    strv_release(&apps);
}

int adopt(struct engine *g, struct err *e)
{
    struct container_list all = {0};
    cleanup_strv struct strv known = {0};
    bool fresh_boot = false;
    int r = 0;

    if (rebooted(g, &fresh_boot, e) || finish_restarts(g, fresh_boot, e) || updates_finish(g, e) ||
        commits_finish(g, fresh_boot, e))
        return -1;
    containers_list(g, &all);
    for (size_t i = 0; i < all.n && r == 0; i++) {
        const struct container *c = all.v[i];

        strv_add(&known, c->id);
        net_ports_adopt(c->id, c->state.ports, c->state.n_ports);
        if (fresh_boot)
            r = container_change(g, c->id, false, goal_after_boot, NULL, NULL, e);
    }
    r = r || note_boot(g, e) ? -1 : 0;
    if (r == 0) {
        remove_orphans(g, &known);
        health_logs_sweep(g, &known);
        volume_mounts_adopt(g, &all);
        sweep_networks(g, &all);
        queue_everything(g, &all);
    }
    container_list_release(&all);
    return r;
}
