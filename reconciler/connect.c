/*
 * connect: putting a container on a network and taking it off again, also while it runs.
 *
 * Both are a change of the container's spec.  A container that runs is made to follow it by its
 * worker (endpoints_follow()), and the caller hears how that went; when it could not be made, the
 * spec is as before.
 */
#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "reconciler/engine_internal.h"

struct change {
    const struct network *net;
    const struct endpoint_config *cfg; /* connect */
    struct waiter *w;
    bool runs; /* out */
};

static bool shares_namespace(const struct container *c)
{
    return strcmp(c->spec->network_mode, "host") == 0 ||
           str_starts(c->spec->network_mode, "container:");
}

static struct endpoint_config *config_in(struct container *c, const struct network *net)
{
    return (struct endpoint_config *)endpoint_config_for(c->spec, net->name, net->id);
}

static struct endpoint_config *add_config(struct container *c, const char *network)
{
    struct endpoint_config *ec = ARRAY_ADD(c->spec->endpoints, c->spec->n_endpoints);

    ec->network = xstrdup(network);
    return ec;
}

/* The network of the mode is named beside the others from now on, so that it can be left. */
static void name_mode_network(struct container *c)
{
    if (!endpoint_config_for(c->spec, c->spec->network_mode, c->spec->network_mode))
        add_config(c, c->spec->network_mode);
}

static void set_config(struct endpoint_config *to, const struct endpoint_config *from)
{
    struct endpoint_config fresh;
    char *network = take_ptr(to->network);

    endpoint_config_copy(&fresh, from);
    str_set(&fresh.network, network);
    free(network);
    endpoint_config_release(to);
    *to = fresh;
}

static void ask_worker(struct engine *g, struct container *c, struct change *ch)
{
    ch->runs = container_is_up(c);
    if (!ch->runs)
        return;
    c->generation++;
    waiter_register(g, ch->w, ch->w->key, c->generation);
}

/* -1 with ERR_CANCELLED after the write: the caller has gone, the work goes on. */
static int change_and_wait(struct engine *g, const char *id, container_change_fn *fn,
                           struct change *ch, struct cancel *cn, struct err *e)
{
    cleanup_free char *key = str_printf("container/%s", id);
    cleanup_container struct container *c = object_container(g, id);
    struct waiter w = {.key = key};

    ch->w = &w;
    if (container_change(g, id, c && container_durable(c), fn, ch, NULL, e)) {
        waiter_forget(g, &w);
        return -1;
    }
    if (!ch->runs)
        return 0;
    if (FAULT("connect.written"))
        log_warn("network of a running container: injected", NULL);
    queue_container(g, id, 0);
    return waiter_wait(g, &w, cn, e);
}

/* ------------------------------------------------------------ connect */

static int check_modes(const struct container *c, const struct network *net, struct err *e)
{
    if (strcmp(net->name, "host") == 0)
        return err_set(e, ERR_INVALID,
                       "cannot connect container to host network - container must be created in "
                       "host network mode");
    if (shares_namespace(c))
        return err_set(e, ERR_INVALID,
                       "container sharing network namespace with another container or host cannot "
                       "be connected to any other network");
    if (strcmp(net->name, "none") == 0 || strcmp(c->spec->network_mode, "none") == 0)
        return err_set(e, ERR_INVALID,
                       "container cannot be connected to multiple networks with one of the "
                       "networks in private (none) mode");
    return 0;
}

static int check_config(const struct network *net, const struct endpoint_config *cfg, struct err *e)
{
    cleanup_endpoint struct endpoint_config named = {0};
    cleanup_strv struct strv nobody = {0};
    cleanup_free char *address = NULL;

    endpoint_config_copy(&named, cfg);
    str_set(&named.network, net->name);
    if (endpoint_config_check(&named, e))
        return -1;
    if (str_empty(cfg->ipv4))
        return 0;
    if (net->pools_auto || net->n_pools == 0)
        return err_set(e, ERR_INVALID,
                       "invalid endpoint settings:\nuser specified IP address is supported only "
                       "when connecting to networks with user configured subnets");
    if (ipam_allocate(&net->pools[0], &nobody, cfg->ipv4, &address, e))
        return e->kind == ERR_INVALID ? err_wrap(e, "invalid endpoint settings") : -1;
    return 0;
}

static int write_connect(struct engine *g, struct container *c, void *arg, struct err *e)
{
    struct change *ch = arg;
    struct endpoint_config *there;

    for (size_t i = 0; i < c->state.n_endpoints; i++)
        if (container_is_up(c) && strcmp(c->state.endpoints[i].network_id, ch->net->id) == 0)
            return err_set(e, ERR_DENIED, "endpoint with name %s already exists in network %s",
                           c->name, ch->net->name);
    name_mode_network(c);
    there = config_in(c, ch->net);
    if (!there)
        there = add_config(c, ch->net->name);
    set_config(there, ch->cfg);
    ask_worker(g, c, ch);
    return 0;
}

static void remove_config(struct container *c, const struct network *net)
{
    struct container_spec *s = c->spec;
    struct endpoint_config *there = config_in(c, net);
    size_t at = there ? (size_t)(there - s->endpoints) : s->n_endpoints;

    if (!there)
        return;
    if (strcmp(there->network, s->network_mode) == 0) {
        set_config(there, &(struct endpoint_config){.left = true});
        return;
    }
    endpoint_config_release(there);
    s->n_endpoints--;
    memmove(there, there + 1, (s->n_endpoints - at) * sizeof(*there));
}

static int write_back(struct engine *g, struct container *c, void *arg, struct err *e)
{
    (void)g;
    (void)e;
    remove_config(c, arg);
    return 0;
}

int networks_connect(struct engine *g, const char *network, const char *container,
                     const struct endpoint_config *cfg, const char *by, struct cancel *cn,
                     struct err *e)
{
    cleanup_container struct container *c = NULL;
    cleanup_network struct network *net = NULL;
    struct change ch = {.cfg = cfg};
    struct err undone = ERR_INIT;

    (void)by;
    if (str_empty(container))
        return err_set(e, ERR_INVALID, "invalid name or ID supplied: \"\"");
    if (containers_find(g, container, &c, e) || networks_find(g, network, &net, e) ||
        check_modes(c, net, e) || check_config(net, cfg, e))
        return -1;
    ch.net = net;
    if (change_and_wait(g, c->id, write_connect, &ch, cn, e) == 0)
        return 0;
    if (ch.runs && e->kind != ERR_CANCELLED &&
        container_change(g, c->id, container_durable(c), write_back, net, NULL, &undone) &&
        undone.kind != ERR_NOT_FOUND)
        log_warn("a network that could not be joined is still asked for", "container=%s error=%s",
                 c->name, log_quote(undone.msg));
    return -1;
}

/* ------------------------------------------------------------ disconnect */

static int write_disconnect(struct engine *g, struct container *c, void *arg, struct err *e)
{
    struct change *ch = arg;
    struct endpoint_config *there;

    name_mode_network(c);
    there = config_in(c, ch->net);
    if (!there || there->left)
        return err_set(e, ERR_INTERNAL, "container %s is not connected to %snetwork %s", c->id,
                       container_is_up(c) ? "" : "the ", ch->net->name);
    remove_config(c, ch->net);
    ask_worker(g, c, ch);
    return 0;
}

int networks_disconnect(struct engine *g, const char *network, const char *container, bool force,
                        const char *by, struct cancel *cn, struct err *e)
{
    cleanup_container struct container *c = NULL;
    cleanup_network struct network *net = NULL;
    struct change ch = {0};

    (void)by;
    if (networks_find(g, network, &net, e))
        return -1;
    if (containers_find(g, container, &c, e))
        return force && e->kind == ERR_NOT_FOUND
                   ? err_set(e, ERR_NOT_FOUND, "endpoint %s not found", container)
                   : -1;
    if (strcmp(net->name, "host") == 0 && strcmp(c->spec->network_mode, "host") == 0)
        return err_set(e, ERR_INVALID,
                       "cannot disconnect container from host network - container was created in "
                       "host network mode");
    ch.net = net;
    return change_and_wait(g, c->id, write_disconnect, &ch, cn, e);
}
