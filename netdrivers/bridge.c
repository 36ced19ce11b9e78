/*
 * The driver "bridge": a Linux bridge per network, with the gateway's address on it.
 *
 * The device is called what the options say, else the agent's default bridge for the network
 * "bridge", else "br-<12 hex of the network's id>".  A device that was there before us (an
 * administrator's) is used as it is, never marked and never removed: only what carries our mark
 * goes.
 *
 * bridge_endpoint.c has the containers' side.
 */
#include <errno.h>

#include "base/mem.h"
#include "base/str.h"
#include "netdrivers/bridge_internal.h"
#include "netdrivers/drivers.h"
#include "netdrivers/firewall.h"
#include "netdrivers/link_end.h"
#include "netdrivers/mark.h"
#include "netdrivers/sysctl.h"

static int bridge_check(const struct network *net, struct err *e)
{
    struct bridge_options o;

    if (net->enable_ipv6)
        return err_set(e, ERR_UNSUPPORTED, "network %s: IPv6 is not supported yet", net->name);
    return bridge_options_read(NULL, net, &o, e);
}

static int create_device(struct nl *nl, const struct net_env *env, const struct network *net,
                         const struct bridge_options *o, struct err *e)
{
    char born_as[IFNAMSIZ], text[18], alias[RTNL_ALIAS_MAX];
    unsigned b[MAC_LEN];
    uint8_t mac[MAC_LEN];
    struct rtnl_link link;

    net_mac_for(NULL, net->id, text);
    if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5]) != 6)
        return err_set(e, ERR_INTERNAL, "unreadable MAC address %s", text);
    for (size_t i = 0; i < MAC_LEN; i++)
        mac[i] = (uint8_t)b[i];
    /* It is born under the name that only this network can have, and gets its mark and its final
     * name in one request: whenever we die, what is left can be told to be ours. */
    snprintf(born_as, sizeof(born_as), "br-%.12s", net->id);
    if (rtnl_bridge_add(nl, born_as, mac, e) && e->os_code != EEXIST)
        return -1;
    if (rtnl_link_get(nl, born_as, &link, e))
        return -1;
    mark_network(env->instance, net->id, alias);
    return rtnl_link_set(
        nl, link.index,
        &(struct rtnl_link_change){.alias = alias, .name = o->own_name ? NULL : o->name}, e);
}

/* May this device serve the network?  *ours: we made it. */
static int check_device(struct nl *nl, const struct net_env *env, const struct network *net,
                        const struct bridge_options *o, struct rtnl_link *link, bool *ours,
                        struct err *e)
{
    char alias[RTNL_ALIAS_MAX];
    const char *id = NULL;

    if (!str_eq(link->kind, "bridge"))
        return err_set(e, ERR_CONFLICT, "interface %s exists and is not a bridge", link->name);
    enum mark_kind mark = mark_read(env->instance, link->alias, &id);
    *ours = mark == MARK_NETWORK && str_eq(id, net->id);
    if (*ours)
        return 0;
    if (mark != MARK_NONE || str_starts(link->alias, "ballast:"))
        return err_set(e, ERR_CONFLICT, "bridge %s belongs to another network (%s)", link->name,
                       link->alias);
    if (!o->own_name)
        return 0;
    /* Its name is of our making, its mark was not put yet. */
    mark_network(env->instance, net->id, alias);
    *ours = true;
    return rtnl_link_set(nl, link->index, &(struct rtnl_link_change){.alias = alias}, e);
}

/* The gateway's address is on the bridge; on a bridge of ours nothing else is. */
static int ensure_address(struct nl *nl, const struct network *net, const struct rtnl_link *link,
                          const struct bridge_options *o, bool ours, struct err *e)
{
    struct ipv4_net want;
    struct rtnl_addrs have;
    bool found = false;
    int r = 0;

    if (o->inhibit_ipv4 || !net->n_pools || str_empty(net->pools[0].gateway))
        return 0;
    if (!ipv4_net_parse(net->pools[0].subnet, &want) ||
        !ipv4_parse(net->pools[0].gateway, &want.addr))
        return err_set(e, ERR_INVALID, "network %s: %s and %s are no subnet and gateway", net->name,
                       net->pools[0].subnet, net->pools[0].gateway);
    if (rtnl_addrs(nl, &have, e))
        return -1;
    for (size_t i = 0; r == 0 && i < have.n; i++) {
        if (have.v[i].index != link->index)
            continue;
        if (have.v[i].net.addr == want.addr && have.v[i].net.prefix == want.prefix)
            found = true;
        else if (ours)
            r = rtnl_addr_del(nl, link->index, &have.v[i].net, e);
    }
    rtnl_addrs_release(&have);
    if (r == 0 && !found)
        r = rtnl_addr_add(nl, link->index, &want, e);
    return r;
}

/* A kernel that lacks a switch lacks what it switches. */
static int ensure_switch(const char *ifname, const char *family, const char *name, int value,
                         struct err *e)
{
    cleanup_free char *path = str_printf("net/%s/conf/%s/%s", family, ifname, name);

    if (sysctl_ensure(path, value, e) && e->kind != ERR_NOT_FOUND)
        return -1;
    return 0;
}

static int ensure_switches(const struct net_env *env, const struct network *net,
                           const struct bridge_options *o, bool ours, struct err *e)
{
    if (env->ip_forward && !net->internal && sysctl_ensure("net/ipv4/ip_forward", 1, e))
        return -1;
    /* The loopback path: 127.0.0.1:port leads to a container, so 127/8 may cross this bridge.  The
     * firewall's chain `guard` keeps everybody else from doing that. */
    if (!net->internal && ensure_switch(o->name, "ipv4", "route_localnet", 1, e))
        return -1;
    /* No IPv6 on this network, so no router advertisement of a container reaches the host. */
    if (ours && ensure_switch(o->name, "ipv6", "disable_ipv6", 1, e))
        return -1;
    return 0;
}

int bridge_firewall(const struct net_env *env, const struct network *net,
                    const struct bridge_options *o, struct err *e)
{
    struct firewall_network n = {
        .id = net->id,
        .bridge = o->name,
        .masquerade = o->masquerade,
        .icc = o->icc,
        .internal = net->internal,
    };

    return firewall_network_set(env, &n, e);
}

static int ensure_device(struct nl *nl, const struct net_env *env, const struct network *net,
                         const struct bridge_options *o, struct err *e)
{
    struct rtnl_link_change change = {0};
    struct rtnl_link link;
    bool ours;

    if (rtnl_link_get(nl, o->name, &link, e)) {
        if (e->kind != ERR_NOT_FOUND || create_device(nl, env, net, o, e) ||
            rtnl_link_get(nl, o->name, &link, e))
            return -1;
    }
    if (check_device(nl, env, net, o, &link, &ours, e) || ensure_switches(env, net, o, ours, e) ||
        ensure_address(nl, net, &link, o, ours, e))
        return -1;
    if (ours && link.mtu != o->mtu)
        change.mtu = o->mtu;
    change.up = !(link.flags & IFF_UP);
    return change.mtu || change.up ? rtnl_link_set(nl, link.index, &change, e) : 0;
}

int bridge_network_ensure(const struct net_env *env, const struct network *net, struct err *e)
{
    cleanup_nl struct nl nl = NL_INIT;
    struct bridge_options o;

    if (bridge_options_read(env, net, &o, e))
        return -1;
    /* Rules first: from its first moment on, a bridge is protected. */
    if (firewall_ensure(env, NULL, e) || bridge_firewall(env, net, &o, e) ||
        nl_open(&nl, NETLINK_ROUTE, NULL, e) || ensure_device(&nl, env, net, &o, e))
        return err_wrap(e, "network %s", net->name);
    return 0;
}

static int remove_named(struct nl *nl, const struct net_env *env, const struct network *net,
                        const char *name, struct err *e)
{
    struct rtnl_link link;
    const char *id = NULL;

    if (rtnl_link_get(nl, name, &link, e))
        return e->kind == ERR_NOT_FOUND ? 0 : -1;
    if (mark_read(env->instance, link.alias, &id) != MARK_NETWORK || !str_eq(id, net->id))
        return 0;
    return rtnl_link_del(nl, link.index, e);
}

static int bridge_remove_network(const struct net_env *env, const struct network *net,
                                 struct err *e)
{
    cleanup_nl struct nl nl = NL_INIT;
    struct bridge_options o;
    char born_as[IFNAMSIZ];

    snprintf(born_as, sizeof(born_as), "br-%.12s", net->id);
    link_end_wait(0); /* its ports may still be on their way out */
    if (bridge_options_read(env, net, &o, e) || nl_open(&nl, NETLINK_ROUTE, NULL, e) ||
        remove_named(&nl, env, net, o.name, e) || remove_named(&nl, env, net, born_as, e) ||
        firewall_network_clear(env, net->id, e))
        return err_wrap(e, "remove network %s", net->name);
    return 0;
}

const struct net_driver_ops net_driver_bridge = {
    .name = "bridge",
    .needs_address = true,
    .check = bridge_check,
    .ensure_network = bridge_network_ensure,
    .remove_network = bridge_remove_network,
    .ensure_endpoint = bridge_endpoint_ensure,
    .remove_endpoint = bridge_endpoint_remove,
};
