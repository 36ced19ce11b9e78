/*
 * erase: nothing of this engine is left in the world.
 *
 * For taking the engine off a machine.  Apps are forgotten first, so that nothing brings anything
 * back; then containers, networks (the predefined ones too) and volumes go, and what the sweep
 * still finds.
 */
#include "base/log.h"
#include "reconciler/engine_internal.h"

static int forget_apps(struct engine *g, struct err *e)
{
    cleanup_strv struct strv names = {0};
    int r = 0;

    apps_names(g, &names);
    for (size_t i = 0; i < names.n && r == 0; i++) {
        mutex_lock(&g->store);
        r = state_app_delete(g->st, names.v[i], e);
        mutex_lock(&g->lock);
        map_del(&g->apps, names.v[i]);
        mutex_unlock(&g->lock);
        mutex_unlock(&g->store);
    }
    return r;
}

static int remove_containers(struct engine *g, struct err *e)
{
    struct container_list all = {0};
    int r = 0;

    containers_list(g, &all);
    for (size_t i = 0; i < all.n && r == 0; i++)
        r = containers_remove(g, all.v[i]->id, true, true, "erase", NULL, e);
    container_list_release(&all);
    return r;
}

static int remove_networks(struct engine *g, struct err *e)
{
    struct network_list all = {0};
    int r = 0;

    networks_list(g, &all);
    for (size_t i = 0; i < all.n && r == 0; i++) {
        const struct net_driver_ops *d = net_driver_find(all.v[i]->driver);

        r = d ? d->remove_network(&g->cfg.net, all.v[i], e) : 0;
    }
    network_list_release(&all);
    return r;
}

static int remove_volumes(struct engine *g, struct err *e)
{
    struct volume_list all = {0};
    int r = 0;

    volumes_list(g, &all);
    for (size_t i = 0; i < all.n && r == 0; i++)
        r = volumes_remove(g, all.v[i]->name, true, "erase", e);
    volume_list_release(&all);
    return r;
}

int engine_erase(struct engine *g, struct err *e)
{
    if (forget_apps(g, e) || remove_containers(g, e) || remove_volumes(g, e) ||
        remove_networks(g, e))
        return -1;
    return net_erase(&g->cfg.net, e);
}
