/*
 * endpoints: a container's place on its networks.
 *
 * Addresses and host ports are chosen under the store lock, from what every other record says, and
 * written down before anything is made.  So two containers never get the same address, and a crash
 * leaves a record that tells what to look for.
 */
#include <string.h>

#include "base/fault.h"
#include "base/fs.h"
#include "base/id.h"
#include "base/log.h"
#include "reconciler/engine_internal.h"

/* One may use the network of one that uses another's; nobody needs more, and a circle has no end.
 */
#define HOPS_MAX 8

static char *netns_of(struct engine *g, const struct container *c, int hops)
{
    const char *mode = c->spec->network_mode;

    if (strcmp(mode, "host") == 0)
        return NULL;
    if (str_starts(mode, "container:")) {
        cleanup_container struct container *other = mode_container(g, mode, ERR_IGNORE);

        return other && hops > 0 ? netns_of(g, other, hops - 1) : xstrdup("");
    }
    return str_printf("%s/netns/%s", g->cfg.exec_root, c->id);
}

char *container_netns(struct engine *g, const struct container *c)
{
    return netns_of(g, c, HOPS_MAX);
}

static bool owns_sandbox(const struct container *c)
{
    return strcmp(c->spec->network_mode, "host") != 0 &&
           !str_starts(c->spec->network_mode, "container:");
}

/* ------------------------------------------------------------ choosing */

/* Addresses on the network that some other container's record holds. */
static void used_addresses(struct engine *g, const char *network_id, const char *but,
                           struct strv *out)
{
    const char *key;
    void *value;

    mutex_lock(&g->lock);
    for (size_t i = 0; map_at(&g->containers, &i, &key, &value); i++) {
        const struct container *c = value;

        if (strcmp(c->id, but) == 0)
            continue;
        for (size_t k = 0; k < c->state.n_endpoints; k++)
            if (strcmp(c->state.endpoints[k].network_id, network_id) == 0 &&
                !str_empty(c->state.endpoints[k].ipv4))
                strv_add(out, c->state.endpoints[k].ipv4);
    }
    mutex_unlock(&g->lock);
}

/* One that was left has made its number free again. */
static unsigned free_interface(const struct container_state *st)
{
    for (unsigned number = 0;; number++) {
        bool taken = false;
        char name[32];

        snprintf(name, sizeof(name), "eth%u", number);
        for (size_t i = 0; i < st->n_endpoints; i++)
            taken = taken || strcmp(st->endpoints[i].ifname, name) == 0;
        if (!taken)
            return number;
    }
}

static struct endpoint *add_endpoint(struct container *c, const struct network *net,
                                     const struct endpoint_config *cfg)
{
    const char *name = cfg ? kvs_get(&cfg->driver_opts, ENDPOINT_IFNAME) : NULL;
    struct container_state *st = &c->state;
    struct endpoint *ep;
    char id[ID_LEN + 1];
    unsigned number = free_interface(st);

    ep = ARRAY_ADD(st->endpoints, st->n_endpoints);
    id_new(id);
    ep->id = xstrdup(id);
    ep->network_id = xstrdup(net->id);
    ep->network_name = xstrdup(net->name);
    ep->ifname = str_empty(name) ? str_printf("eth%u", number) : xstrdup(name);
    return ep;
}

static void name_endpoint(const struct container *c, const struct endpoint_config *cfg,
                          const struct network *net, struct endpoint *ep)
{
    if (cfg)
        strv_copy(&ep->aliases, &cfg->aliases);
    if (net->predefined) /* the default bridge has no names */
        return;
    strv_add(&ep->dns_names, c->name);
    for (size_t i = 0; i < ep->aliases.n; i++)
        if (!strv_has(&ep->dns_names, ep->aliases.v[i]))
            strv_add(&ep->dns_names, ep->aliases.v[i]);
    strv_addf(&ep->dns_names, "%.12s", c->id);
    if (!str_empty(c->spec->hostname) && !strv_has(&ep->dns_names, c->spec->hostname))
        strv_add(&ep->dns_names, c->spec->hostname);
}

static int choose_address(struct engine *g, const struct container *c, const struct network *net,
                          const struct endpoint_config *cfg, struct endpoint *ep, struct err *e)
{
    cleanup_strv struct strv used = {0};
    const char *want = cfg && !str_empty(cfg->ipv4) ? cfg->ipv4 : NULL;
    char mac[18];

    if (net->n_pools == 0)
        return err_set(e, ERR_INTERNAL, "network %s has no address pool", net->name);
    if (want && net->pools_auto)
        return err_set(e, ERR_INVALID,
                       "invalid config for network %s: invalid endpoint settings:\nuser specified "
                       "IP address is "
                       "supported only when connecting to networks with user configured subnets",
                       net->name);
    used_addresses(g, net->id, c->id, &used);
    if (ipam_allocate(&net->pools[0], &used, want, &ep->ipv4, e))
        return -1;
    ep->prefix_len = ipam_prefix_len(net->pools[0].subnet);
    ep->gateway = net->internal ? xstrdup("") : xstrdup(net->pools[0].gateway);
    if (cfg && !str_empty(cfg->mac)) {
        ep->mac = xstrdup(cfg->mac);
    } else if (!str_empty(c->spec->mac_address) && c->state.n_endpoints == 1) {
        ep->mac = xstrdup(c->spec->mac_address);
    } else {
        net_mac_for(ep->ipv4, ep->id, mac);
        ep->mac = xstrdup(mac);
    }
    return 0;
}

const struct endpoint_config *endpoint_config_for(const struct container_spec *s, const char *name,
                                                  const char *id)
{
    for (size_t i = 0; i < s->n_endpoints; i++) {
        const char *n = s->endpoints[i].network;

        if (strcmp(n, name) == 0 || strcmp(n, id) == 0 ||
            (strcmp(n, "default") == 0 && strcmp(name, "bridge") == 0))
            return &s->endpoints[i];
    }
    return NULL;
}

static bool on_network(const struct container *c, const char *network_id)
{
    for (size_t i = 0; i < c->state.n_endpoints; i++)
        if (strcmp(c->state.endpoints[i].network_id, network_id) == 0)
            return true;
    return false;
}

static int join_network(struct engine *g, struct container *c, const char *name, struct err *e)
{
    cleanup_network struct network *net = network_for_mode(g, name, e);
    const struct net_driver_ops *d;
    const struct endpoint_config *cfg;
    struct endpoint *ep;

    if (!net)
        return -1;
    if (on_network(c, net->id))
        return 0;
    if (net->absent) /* on its way out: nobody gets on any more */
        return err_set(e, ERR_NOT_FOUND, "network %s not found", net->name);
    d = net_driver_find(net->driver);
    if (!d)
        return err_set(e, ERR_NOT_FOUND, "network driver %s is not there", net->driver);
    cfg = endpoint_config_for(c->spec, net->name, net->id);
    if (cfg && cfg->left)
        return 0;
    ep = add_endpoint(c, net, cfg);
    name_endpoint(c, cfg, net, ep);
    return d->needs_address ? choose_address(g, c, net, cfg, ep, e) : 0;
}

static int choose_ports(struct container *c, struct err *e)
{
    struct container_state *st = &c->state;
    bool reachable = false;

    for (size_t i = 0; i < st->n_endpoints; i++)
        reachable = reachable || !str_empty(st->endpoints[i].ipv4);
    if (!c->spec->n_ports || !reachable)
        return 0;
    if (st->n_ports) { /* chosen before a crash or a restart: the same again */
        net_ports_adopt(c->id, st->ports, st->n_ports);
        return 0;
    }
    if (net_ports_reserve(c->id, c->spec->ports, c->spec->n_ports, &st->ports, &st->n_ports, e))
        return err_wrap(e,
                        "failed to set up container networking: driver failed programming external "
                        "connectivity on endpoint %s (%s)",
                        c->name, st->endpoints[0].id);
    return 0;
}

static int allocate(struct engine *g, struct container *c, void *arg, struct err *e)
{
    (void)arg;
    if (c->spec->network_disabled)
        return 0;
    if (join_network(g, c, c->spec->network_mode, e))
        return -1;
    for (size_t i = 0; i < c->spec->n_endpoints; i++)
        if (join_network(g, c, c->spec->endpoints[i].network, e))
            return -1;
    return choose_ports(c, e);
}

int endpoints_allocate(struct engine *g, struct container **c, struct err *e)
{
    if (!owns_sandbox(*c))
        return 0;
    return container_change(g, (*c)->id, false, allocate, NULL, c, e);
}

/* ------------------------------------------------------------ making and removing */

static void emit_network(struct engine *g, const char *action, const struct network *net,
                         const struct container *c)
{
    struct event ev;

    event_init(&ev, "network", action, net->id);
    kvs_set(&ev.attributes, "container", c->id);
    kvs_set(&ev.attributes, "name", net->name);
    kvs_set(&ev.attributes, "type", net->driver);
    engine_event(g, &ev);
}

/* The endpoint whose gateway is the container's: the first with one. */
static size_t default_endpoint(const struct container *c)
{
    for (size_t i = 0; i < c->state.n_endpoints; i++)
        if (!str_empty(c->state.endpoints[i].gateway))
            return i;
    return 0;
}

static void describe(const struct container *c, size_t i, const char *netns,
                     struct net_endpoint *out)
{
    const struct endpoint *ep = &c->state.endpoints[i];
    const struct endpoint_config *cfg =
        endpoint_config_for(c->spec, ep->network_name, ep->network_id);
    bool main_one = i == default_endpoint(c);

    *out = (struct net_endpoint){
        .container_id = c->id,
        .netns_path = netns,
        .ep = ep,
        .sysctls = cfg ? kvs_get(&cfg->driver_opts, ENDPOINT_SYSCTLS) : NULL,
        .default_route = main_one,
        .ports = main_one ? c->state.ports : NULL,
        .n_ports = main_one ? c->state.n_ports : 0,
    };
}

/* The bridge may be missing: after a boot, or because somebody removed it.  It is made, and asked
 * again. */
static int join_one(struct engine *g, const struct net_driver_ops *d, const struct network *net,
                    const struct net_endpoint *ep, struct err *e)
{
    if (d->ensure_endpoint(&g->cfg.net, net, ep, e) == 0)
        return 0;
    if (d->ensure_network(&g->cfg.net, net, e))
        return -1;
    return d->ensure_endpoint(&g->cfg.net, net, ep, e);
}

/* All are made to be as they should; those from `first` on are new. */
static int join_from(struct engine *g, const struct container *c, size_t first, const char *netns,
                     struct err *e)
{
    for (size_t i = 0; i < c->state.n_endpoints; i++) {
        cleanup_network struct network *net = object_network(g, c->state.endpoints[i].network_id);
        const struct net_driver_ops *d = net ? net_driver_find(net->driver) : NULL;
        struct net_endpoint ep;

        if (!d)
            return err_set(e, ERR_NOT_FOUND, "network %s not found",
                           c->state.endpoints[i].network_name);
        describe(c, i, netns, &ep);
        if (join_one(g, d, net, &ep, e))
            return err_wrap(e, "failed to set up container networking: network %s", net->name);
        if (FAULT("endpoint.join"))
            return err_set(e, ERR_IO, "network %s: injected", net->name);
        if (i < first)
            continue;
        emit_network(g, "connect", net, c);
        if (!net->predefined)
            queue_network(g, net->id);
    }
    links_refresh(g, c);
    return 0;
}

/* Whether it was so before. */
static bool set_joined(struct engine *g, const char *id, bool joined)
{
    bool before;

    mutex_lock(&g->lock);
    before = live_of(g, id)->joined;
    live_of(g, id)->joined = joined;
    mutex_unlock(&g->lock);
    return before;
}

int endpoints_join(struct engine *g, const struct container *c, struct err *e)
{
    cleanup_free char *netns = container_netns(g, c);
    size_t first;

    if (str_starts(c->spec->network_mode, "container:")) {
        cleanup_container struct container *other = mode_container(g, c->spec->network_mode, e);

        if (!other) {
            e->kind = ERR_INTERNAL; /* as dockerd has it */
            return err_wrap(e, "joining network namespace of container");
        }
        if (strcmp(other->id, c->id) == 0)
            return err_set(e, ERR_INTERNAL, "cannot join own network namespace");
        if (!container_is_up(other))
            return err_set(
                e, ERR_CONFLICT,
                "cannot join network namespace of a non running container: container %s is %s",
                other->name, container_status_name(other->state.status));
        return 0;
    }
    if (!netns)
        return 0;
    if (net_sandbox_ensure(netns, e))
        return -1;
    if (FAULT("endpoint.sandbox"))
        return err_set(e, ERR_IO, "namespace of %s: injected", c->name);
    /* After a restart it is where it was: nothing to tell. */
    first = set_joined(g, c->id, true) ? c->state.n_endpoints : 0;
    return join_from(g, c, first, netns, e);
}

static int clear_endpoints(struct engine *g, struct container *c, void *arg, struct err *e)
{
    struct container_state empty = {0};

    (void)g;
    (void)arg;
    (void)e;
    empty.endpoints = take_ptr(c->state.endpoints);
    empty.n_endpoints = c->state.n_endpoints;
    empty.ports = take_ptr(c->state.ports);
    empty.n_ports = c->state.n_ports;
    c->state.n_endpoints = c->state.n_ports = 0;
    container_state_release(&empty);
    return 0;
}

static int leave_one(struct engine *g, const struct container *c, size_t i, const char *netns,
                     struct err *e)
{
    cleanup_network struct network *net = object_network(g, c->state.endpoints[i].network_id);
    const struct net_driver_ops *d = net ? net_driver_find(net->driver) : NULL;
    struct net_endpoint ep;

    if (!d) /* the network is gone, and its links with it */
        return 0;
    describe(c, i, netns, &ep);
    if (d->remove_endpoint(&g->cfg.net, net, &ep, e))
        return -1;
    emit_network(g, "disconnect", net, c);
    if (!net->predefined)
        queue_network(g, net->id);
    return 0;
}

int endpoints_leave(struct engine *g, const struct container *c, struct err *e)
{
    cleanup_free char *netns = owns_sandbox(c) ? container_netns(g, c) : NULL;
    int r = 0;

    if (!netns)
        return 0;
    set_joined(g, c->id, false);
    for (size_t i = 0; i < c->state.n_endpoints; i++)
        if (leave_one(g, c, i, netns, r ? ERR_IGNORE : e))
            r = -1;
    if (FAULT("endpoint.leave"))
        return err_set(e, ERR_IO, "network of %s: injected", c->name);
    if (net_sandbox_remove(netns, r ? ERR_IGNORE : e))
        r = -1;
    net_ports_release(c->id);
    if (r == 0 && (c->state.n_endpoints || c->state.n_ports) &&
        container_change(g, c->id, false, clear_endpoints, NULL, NULL, e))
        return e->kind == ERR_NOT_FOUND ? 0 : -1;
    return r;
}

/* ------------------------------------------------------------ while it runs */

/* Does its spec still ask for the i-th of its networks? */
static bool is_wanted(struct engine *g, const struct container *c, size_t i)
{
    const struct endpoint *ep = &c->state.endpoints[i];
    const struct endpoint_config *cfg =
        endpoint_config_for(c->spec, ep->network_name, ep->network_id);
    cleanup_network struct network *of_mode = NULL;

    if (cfg)
        return !cfg->left;
    of_mode = network_for_mode(g, c->spec->network_mode, ERR_IGNORE);
    return of_mode && strcmp(of_mode->id, ep->network_id) == 0;
}

static int drop_endpoint(struct engine *g, struct container *c, void *arg, struct err *e)
{
    struct container_state *st = &c->state;
    const char *id = arg;

    (void)g;
    (void)e;
    for (size_t i = 0; i < st->n_endpoints; i++)
        if (strcmp(st->endpoints[i].id, id) == 0) {
            endpoint_release(&st->endpoints[i]);
            st->n_endpoints--;
            memmove(&st->endpoints[i], &st->endpoints[i + 1],
                    (st->n_endpoints - i) * sizeof(*st->endpoints));
            break;
        }
    return 0;
}

/* *left: the ports and the default route may have to go by another one now. */
static int leave_unwanted(struct engine *g, struct container **c, const char *netns, bool *left,
                          struct err *e)
{
    for (size_t i = (*c)->state.n_endpoints; i-- > 0;) {
        cleanup_free char *id = xstrdup((*c)->state.endpoints[i].id);

        if (is_wanted(g, *c, i))
            continue;
        if (leave_one(g, *c, i, netns, e))
            return -1;
        /* The namespace stays, and with it what is not gone before the record forgets it. */
        net_endpoint_wait_gone((*c)->state.endpoints[i].ipv4);
        if (container_change(g, (*c)->id, false, drop_endpoint, id, c, e))
            return -1;
        *left = true;
    }
    return 0;
}

int endpoints_follow(struct engine *g, struct container **c, struct err *e)
{
    cleanup_free char *netns = owns_sandbox(*c) ? container_netns(g, *c) : NULL;
    bool left = false, joined;
    size_t before;

    if (!netns || (*c)->generation <= (*c)->observed_generation)
        return 0; /* nothing has been asked for since the last time */
    if (leave_unwanted(g, c, netns, &left, e))
        return -1;
    before = (*c)->state.n_endpoints;
    if (endpoints_allocate(g, c, e))
        return -1;
    /* What an agent before this one has written down it may not have lived to make. */
    joined = set_joined(g, (*c)->id, true);
    if (joined && !left && before == (*c)->state.n_endpoints)
        return 0;
    if (join_from(g, *c, before, netns, e)) {
        set_joined(g, (*c)->id, joined);
        /* What could not be made is not kept; a later pass would leave it, too. */
        while ((*c)->state.n_endpoints > before) {
            cleanup_free char *id = xstrdup((*c)->state.endpoints[before].id);

            (void)!leave_one(g, *c, before, netns, ERR_IGNORE);
            if (container_change(g, (*c)->id, false, drop_endpoint, id, c, ERR_IGNORE))
                break;
        }
        return -1;
    }
    return net_files_write(g, *c, e);
}
