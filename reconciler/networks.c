/*
 * networks: their records, the three that are always there, and the making of them.
 *
 * A pool is chosen under the store lock and written down before the bridge is made, so that two
 * networks never get the same subnet and a crash leaves a record that says what to make.
 */
#include <string.h>

#include "base/id.h"
#include "base/log.h"
#include "reconciler/engine_internal.h"

static void network_key(const char *id, char **out)
{
    *out = str_printf("network/%s", id);
}

/* ------------------------------------------------------------ finding */

int networks_find(struct engine *g, const char *ref, struct network **out, struct err *e)
{
    struct network *by_name = NULL, *by_prefix = NULL, *found;
    size_t n = strlen(ref), names = 0, prefixes = 0;
    const char *key;
    void *value;

    mutex_lock(&g->lock);
    found = map_get(&g->networks, ref);
    for (size_t i = 0; !found && map_at(&g->networks, &i, &key, &value); i++) {
        struct network *net = value;

        if (strcmp(net->name, ref) == 0) {
            by_name = net;
            names++;
        } else if (n && strncmp(net->id, ref, n) == 0) {
            by_prefix = net;
            prefixes++;
        }
    }
    if (!found && names == 1)
        found = by_name;
    if (!found && names == 0 && prefixes == 1)
        found = by_prefix;
    found = found ? network_ref(found) : NULL;
    mutex_unlock(&g->lock);

    if (!found && (names > 1 || (!names && prefixes > 1)))
        return err_set(e, ERR_INVALID, "network %s is ambiguous (%zu matches found on %s)", ref,
                       names > 1 ? names : prefixes, names > 1 ? "name" : "ID prefix");
    if (!found)
        return err_set(e, ERR_NOT_FOUND, "network %s not found", ref);
    *out = found;
    return 0;
}

struct network *network_for_mode(struct engine *g, const char *mode, struct err *e)
{
    struct network *net = NULL;
    const char *name = str_empty(mode) || strcmp(mode, "default") == 0 ? "bridge" : mode;

    return networks_find(g, name, &net, e) ? NULL : net;
}

static int by_creation(const void *a, const void *b)
{
    const struct network *x = *(struct network *const *)a, *y = *(struct network *const *)b;

    return x->created_ns < y->created_ns   ? -1
           : x->created_ns > y->created_ns ? 1
                                           : strcmp(x->name, y->name);
}

void networks_list(struct engine *g, struct network_list *out)
{
    const char *key;
    void *value;

    mutex_lock(&g->lock);
    out->n = 0;
    out->v = xcalloc(map_count(&g->networks), sizeof(*out->v));
    for (size_t i = 0; map_at(&g->networks, &i, &key, &value); i++)
        out->v[out->n++] = network_ref(value);
    mutex_unlock(&g->lock);
    qsort(out->v, out->n, sizeof(*out->v), by_creation);
}

void network_list_release(struct network_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        network_unref(l->v[i]);
    free(l->v);
    *l = (struct network_list){0};
}

void networks_taken(struct engine *g, struct strv *subnets)
{
    const char *key;
    void *value;

    mutex_lock(&g->lock);
    for (size_t i = 0; map_at(&g->networks, &i, &key, &value); i++) {
        const struct network *net = value;

        for (size_t k = 0; k < net->n_pools; k++)
            strv_add(subnets, net->pools[k].subnet);
    }
    mutex_unlock(&g->lock);
}

/* ------------------------------------------------------------ making */

static int choose_pool(struct engine *g, struct network *net, struct err *e)
{
    cleanup_strv struct strv taken = {0};
    struct ipam_pool *p;

    if (net->n_pools == 0) {
        net->pools = xcalloc(1, sizeof(*net->pools));
        net->n_pools = 1;
    }
    p = &net->pools[0];
    if (str_empty(p->subnet)) {
        networks_taken(g, &taken);
        if (ipam_choose_pool(g->cfg.pools, g->cfg.n_pools, &taken, true, &p->subnet, e))
            return -1;
        net->pools_auto = true;
    }
    for (size_t i = 0; i < net->n_pools; i++)
        if (ipam_check_pool(&net->pools[i], e))
            return -1;
    return 0;
}

/* A subnet that people gave must not overlap one of ours; the smallest pool tells. */
static int check_overlap(struct engine *g, const struct network *net, struct err *e)
{
    cleanup_strv struct strv taken = {0};

    if (net->pools_auto)
        return 0;
    networks_taken(g, &taken);
    for (size_t i = 0; i < net->n_pools; i++) {
        struct net_pool_base base = {.base = net->pools[i].subnet,
                                     .size = (int)ipam_prefix_len(net->pools[i].subnet)};
        cleanup_free char *same = NULL;

        if (ipam_choose_pool(&base, 1, &taken, false, &same, ERR_IGNORE))
            return err_set(
                e, ERR_DENIED,
                "invalid pool request: Pool overlaps with other one on this address space");
    }
    return 0;
}

static bool name_taken(struct engine *g, const char *name)
{
    const char *key;
    bool taken = false;
    void *value;

    mutex_lock(&g->lock);
    for (size_t i = 0; !taken && map_at(&g->networks, &i, &key, &value); i++)
        taken = strcmp(((struct network *)value)->name, name) == 0;
    mutex_unlock(&g->lock);
    return taken;
}

static int insert(struct engine *g, struct network *net, const struct net_driver_ops *d,
                  struct err *e)
{
    int r;

    mutex_lock(&g->store);
    if (name_taken(g, net->name))
        r = err_set(e, ERR_CONFLICT, "network with name %s already exists", net->name);
    else if (d->needs_address && (choose_pool(g, net, e) || check_overlap(g, net, e)))
        r = -1;
    else
        r = state_network_put(g->st, net, true, e);
    if (r == 0)
        object_network_put(g, network_ref(net));
    mutex_unlock(&g->store);
    return r;
}

static void emit(struct engine *g, const char *action, const struct network *net, const char *by)
{
    struct event ev;

    event_init(&ev, "network", action, net->id);
    kvs_set(&ev.attributes, "name", net->name);
    kvs_set(&ev.attributes, "type", net->driver);
    if (by)
        kvs_set(&ev.attributes, "by", by);
    engine_event(g, &ev);
}

static int check(const struct network *n, const struct net_driver_ops **d, struct err *e)
{
    if (str_empty(n->name))
        return err_set(e, ERR_INVALID, "network name cannot be empty");
    if (!n->predefined && (strcmp(n->driver, "host") == 0 || strcmp(n->driver, "null") == 0))
        return err_set(e, ERR_DENIED, "only one instance of \"%s\" network is allowed", n->driver);
    *d = net_driver_find(n->driver);
    if (!*d)
        return err_set(e, ERR_NOT_FOUND,
                       "could not find plugin %s in v1 plugin registry: plugin not found",
                       n->driver);
    return (*d)->check(n, e);
}

int network_make(struct engine *g, struct network *wanted, const char *by, bool wait,
                 struct cancel *c, char **id, struct err *e)
{
    cleanup_network struct network *net = wanted;
    const struct net_driver_ops *d = NULL;
    cleanup_free char *key = NULL;
    char fresh[ID_LEN + 1];
    struct waiter w;

    if (str_empty(net->driver))
        str_set(&net->driver, "bridge");
    if (check(net, &d, e))
        return -1;
    id_new(fresh);
    str_set(&net->id, fresh);
    str_set(&net->scope, "local");
    net->created_ns = time_wall_ns();
    net->generation = 1;
    if (insert(g, net, d, e))
        return -1;
    emit(g, "create", net, by);
    if (id)
        *id = xstrdup(net->id);
    network_key(net->id, &key);
    if (!wait) {
        queue_network(g, net->id);
        return 0;
    }
    waiter_register(g, &w, key, 1);
    queue_network(g, net->id);
    return waiter_wait(g, &w, c, e);
}

static bool predefined_name(const char *name)
{
    return name && (!strcmp(name, "bridge") || !strcmp(name, "host") || !strcmp(name, "none") ||
                    !strcmp(name, "default"));
}

int networks_create(struct engine *g, struct network *wanted, const char *by, struct cancel *c,
                    char **id, struct err *e)
{
    char *made = NULL;

    if (predefined_name(wanted->name)) {
        int r = err_set(e, ERR_DENIED, "operation is not permitted on predefined %s network ",
                        wanted->name);

        network_unref(wanted);
        return r;
    }
    if (network_make(g, wanted, by, true, c, &made, e)) {
        if (made) { /* what cannot be made is not kept: the caller was told no */
            (void)!networks_remove(g, made, by, NULL, ERR_IGNORE);
            free(made);
        }
        return -1;
    }
    *id = made;
    return 0;
}

/* ------------------------------------------------------------ removing */

int networks_remove(struct engine *g, const char *ref, const char *by, struct cancel *c,
                    struct err *e)
{
    cleanup_network struct network *net = NULL;
    cleanup_free char *key = NULL;
    struct waiter w = {0};
    int64_t generation = 0;

    (void)by;
    if (networks_find(g, ref, &net, e))
        return -1;
    if (net->predefined)
        return err_set(e, ERR_DENIED, "%s is a pre-defined network and cannot be removed",
                       net->name);
    if (network_mark_absent(g, net->id, &generation, e))
        return -1;
    network_key(net->id, &key);
    waiter_register(g, &w, key, generation);
    queue_network(g, net->id);
    return waiter_wait(g, &w, c, e);
}

/* ------------------------------------------------------------ the reconcile function */

static int erase(struct engine *g, const struct network *net, const struct net_driver_ops *d,
                 struct err *e)
{
    int r;

    if (d && d->remove_network(&g->cfg.net, net, e))
        return -1;
    mutex_lock(&g->store);
    r = state_network_delete(g->st, net->id, e);
    if (r == 0)
        object_network_drop(g, net->id);
    mutex_unlock(&g->store);
    if (r == 0)
        emit(g, "destroy", net, NULL);
    return r;
}

int network_reconcile(struct engine *g, const char *id, int64_t *again_ms, struct err *e)
{
    cleanup_network struct network *net = object_network(g, id);
    cleanup_free char *key = NULL;
    const struct net_driver_ops *d;
    int r;

    (void)again_ms;
    network_key(id, &key);
    if (!net) {
        waiters_post(g, key, INT64_MAX, NULL);
        return 0;
    }
    d = net_driver_find(net->driver);
    if (net->absent)
        r = erase(g, net, d, e);
    else if (!d)
        r = err_set(e, ERR_NOT_FOUND, "network driver %s is not there", net->driver);
    else
        r = d->ensure_network(&g->cfg.net, net, e);
    waiters_post(g, key, net->generation, r ? e : NULL);
    if (r == 0 && !net->absent && !net->predefined)
        net_files_refresh(g, id);
    if (net->app && net->app[0])
        queue_app(g, net->app, 0);
    return r;
}

/* ------------------------------------------------------------ bridge, host, none */

int networks_ensure_predefined(struct engine *g, struct err *e)
{
    static const struct {
        const char *name, *driver;
    } rows[] = {
        {"bridge", "bridge"},
        {"host",   "host"  },
        {"none",   "null"  }
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct network *net;

        if (name_taken(g, rows[i].name))
            continue;
        net = network_new();
        str_set(&net->name, rows[i].name);
        str_set(&net->driver, rows[i].driver);
        net->predefined = net->enable_ipv4 = true;
        if (strcmp(rows[i].name, "bridge") == 0) {
            kvs_set(&net->options, "com.docker.network.bridge.default_bridge", "true");
            kvs_set(&net->options, "com.docker.network.bridge.name", g->cfg.net.default_bridge);
            kvs_set(&net->options, "com.docker.network.bridge.enable_icc",
                    g->cfg.net.icc ? "true" : "false");
            kvs_set(&net->options, "com.docker.network.bridge.enable_ip_masquerade",
                    g->cfg.net.ip_masq ? "true" : "false");
            kvs_set(&net->options, "com.docker.network.bridge.host_binding_ipv4", "0.0.0.0");
            kvs_setf(&net->options, "com.docker.network.driver.mtu", "%lld",
                     (long long)(g->cfg.net.mtu ? g->cfg.net.mtu : 1500));
        }
        if (network_make(g, net, NULL, false, NULL, NULL, e))
            return err_wrap(e, "make the network %s", rows[i].name);
    }
    return 0;
}
