/*
 * A container on a bridge network: a pair of interfaces, one end a port of the bridge on the host,
 * the other in the container's namespace with its final name, MAC, address and route; and its
 * published ports in the firewall.
 *
 * The host's end is called "veth<11 hex of the endpoint's id>", so that every call finds the same
 * one.  The other end is born inside the namespace: if that dies, both are gone.  A pair that is
 * not as it should be (a namespace was made anew, a MAC changed) is deleted and made again; there
 * is no state in between to repair.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "netdrivers/announce.h"
#include "netdrivers/bridge_internal.h"
#include "netdrivers/firewall.h"
#include "netdrivers/link_end.h"
#include "netdrivers/mark.h"
#include "netdrivers/netns.h"
#include "netdrivers/sysctl.h"

#define ATTEMPTS 3

/* An endpoint in the form the kernel wants. */
struct place {
    const struct net_env *env;
    const struct network *net;
    const struct net_endpoint *ep;
    struct bridge_options options;
    char host_name[IFNAMSIZ];
    const char *ifname;
    uint8_t mac[MAC_LEN];
    struct ipv4_net addr;
    uint32_t gateway; /* 0: no default route through here */
    int host_index;   /* of our end, while the inner one is looked at */
    bool wrong;       /* the inner end is not the other end of ours */
    int stale_peer;   /* host's index of what occupies the inner name */
};

static int parse_mac(const char *text, uint8_t mac[MAC_LEN], struct err *e)
{
    unsigned b[MAC_LEN];
    char rest;

    if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%c", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5],
               &rest) != MAC_LEN)
        return err_set(e, ERR_INVALID, "%s is not a MAC address", text);
    for (size_t i = 0; i < MAC_LEN; i++)
        mac[i] = (uint8_t)b[i];
    return 0;
}

static void name_host_end(const char *endpoint_id, char out[IFNAMSIZ])
{
    snprintf(out, IFNAMSIZ, "veth%.11s", endpoint_id);
}

static int place_init(struct place *p, const struct net_env *env, const struct network *net,
                      const struct net_endpoint *nep, struct err *e)
{
    const struct endpoint *ep = nep->ep;
    char text[18];

    *p = (struct place){.env = env, .net = net, .ep = nep};
    if (bridge_options_read(env, net, &p->options, e))
        return -1;
    if (str_empty(ep->id) || strlen(ep->id) < 11)
        return err_set(e, ERR_INTERNAL, "an endpoint without id");
    name_host_end(ep->id, p->host_name);
    p->ifname = str_empty(ep->ifname) ? "eth0" : ep->ifname;
    if (strlen(p->ifname) >= IFNAMSIZ)
        return err_set(e, ERR_INVALID, "interface name %s is longer than %d", p->ifname,
                       IFNAMSIZ - 1);
    net_mac_for(ep->ipv4, ep->id, text);
    if (parse_mac(str_empty(ep->mac) ? text : ep->mac, p->mac, e))
        return -1;
    if (!ipv4_parse(ep->ipv4, &p->addr.addr) || ep->prefix_len < 1 || ep->prefix_len > 32)
        return err_set(e, ERR_INVALID, "%s/%lld is no IPv4 address", ep->ipv4 ? ep->ipv4 : "",
                       (long long)ep->prefix_len);
    p->addr.prefix = (int)ep->prefix_len;
    if (nep->default_route && !net->internal && !str_empty(ep->gateway) &&
        !ipv4_parse(ep->gateway, &p->gateway))
        return err_set(e, ERR_INVALID, "gateway %s is no IPv4 address", ep->gateway);
    return 0;
}

/* ------------------------------------------------------------------ inside the namespace */

static int ensure_inner_address(struct nl *nl, const struct place *p, int index, struct err *e)
{
    struct rtnl_addrs have;
    bool found = false;

    if (rtnl_addrs(nl, &have, e))
        return -1;
    for (size_t i = 0; i < have.n; i++)
        if (have.v[i].index == index && have.v[i].net.addr == p->addr.addr &&
            have.v[i].net.prefix == p->addr.prefix)
            found = true;
    rtnl_addrs_release(&have);
    return found ? 0 : rtnl_addr_add(nl, index, &p->addr, e);
}

/* The default route leads through here, or through somebody else. */
static int ensure_default_route(struct nl *nl, const struct place *p, int index, struct err *e)
{
    struct rtnl_routes have;
    bool found = false;
    int r = 0;

    if (rtnl_routes(nl, &have, e))
        return -1;
    for (size_t i = 0; r == 0 && i < have.n; i++) {
        const struct rtnl_route *route = &have.v[i];

        if (route->dst.prefix || route->oif != index)
            continue;
        if (p->gateway && route->gateway == p->gateway)
            found = true;
        else if (!p->gateway)
            r = rtnl_route_del_default(nl, route->gateway, index, e);
    }
    rtnl_routes_release(&have);
    if (r == 0 && p->gateway && !found)
        r = rtnl_route_set_default(nl, p->gateway, index, e);
    return r;
}

/* Runs on a helper thread in the container's namespace. */
static int set_up_inner(void *arg, struct err *e)
{
    cleanup_nl struct nl nl = NL_INIT;
    struct place *p = arg;
    struct rtnl_link link;
    cleanup_free char *ipv6 = str_printf("net/ipv6/conf/%s/disable_ipv6", p->ifname);

    p->wrong = true;
    if (nl_open(&nl, NETLINK_ROUTE, NULL, e))
        return -1;
    if (rtnl_link_get(&nl, p->ifname, &link, e))
        return e->kind == ERR_NOT_FOUND ? 0 : -1;
    if (link.peer != p->host_index || memcmp(link.mac, p->mac, MAC_LEN) != 0)
        return 0;
    p->wrong = false;
    /* A switch that is not there belongs to a kernel without IPv6. */
    if (sysctl_ensure(ipv6, 1, e) && e->kind != ERR_NOT_FOUND)
        return -1;
    if (sysctl_interface(p->ep->sysctls, p->ifname, e) ||
        ensure_inner_address(&nl, p, link.index, e))
        return -1;
    if (!(link.flags & IFF_UP) &&
        rtnl_link_set(&nl, link.index, &(struct rtnl_link_change){.up = true}, e))
        return -1;
    return ensure_default_route(&nl, p, link.index, e);
}

static int look_at_inner(void *arg, struct err *e)
{
    cleanup_nl struct nl nl = NL_INIT;
    struct place *p = arg;
    struct rtnl_link link;

    p->stale_peer = 0;
    if (nl_open(&nl, NETLINK_ROUTE, NULL, e))
        return -1;
    if (rtnl_link_get(&nl, p->ifname, &link, e))
        return e->kind == ERR_NOT_FOUND ? 0 : -1;
    p->stale_peer = link.peer;
    return 0;
}

/* ------------------------------------------------------------------ the host's end */

static bool is_ours(const struct place *p, const struct rtnl_link *link)
{
    const char *id = NULL;

    return mark_read(p->env->instance, link->alias, &id) == MARK_CONTAINER &&
           str_eq(id, p->ep->container_id);
}

/* Something has the name in the container: an earlier endpoint of ours goes, anything else stays.
 */
static int evict(struct nl *nl, struct place *p, struct err *e)
{
    struct rtnl_links all;
    int r = -1;

    if (netns_call(p->ep->netns_path, look_at_inner, p, e) || rtnl_links(nl, &all, e))
        return -1;
    err_set(e, ERR_CONFLICT, "interface %s exists already in the container", p->ifname);
    for (size_t i = 0; i < all.n; i++)
        if (p->stale_peer && all.v[i].index == p->stale_peer && is_ours(p, &all.v[i]))
            r = rtnl_link_del(nl, all.v[i].index, e);
    rtnl_links_release(&all);
    return r;
}

static int create_pair(struct nl *nl, struct place *p, struct err *e)
{
    struct rtnl_veth v = {
        .name = p->host_name,
        .peer_name = p->ifname,
        .mtu = p->options.mtu,
        .mac = p->mac,
    };
    cleanup_fd int ns = open(p->ep->netns_path, O_RDONLY | O_CLOEXEC);

    if (ns < 0)
        return err_os(e, errno, "open network namespace %s", p->ep->netns_path);
    v.peer_netns = ns;
    if (rtnl_veth_add(nl, &v, e) == 0)
        return 0;
    if (e->os_code != EEXIST || evict(nl, p, e))
        return -1;
    return rtnl_veth_add(nl, &v, e);
}

/* Our end exists afterwards; *link describes it. */
static int ensure_pair(struct nl *nl, struct place *p, struct rtnl_link *link, bool *created,
                       struct err *e)
{
    *created = false;
    if (rtnl_link_get(nl, p->host_name, link, e) == 0) {
        if (is_ours(p, link) || (!link->alias[0] && str_eq(link->kind, "veth")))
            return 0;
        return err_set(e, ERR_CONFLICT, "interface %s exists and is not ours", p->host_name);
    }
    if (e->kind != ERR_NOT_FOUND || create_pair(nl, p, e))
        return -1;
    *created = true;
    return rtnl_link_get(nl, p->host_name, link, e);
}

/*
 * icc=false: ports reach the bridge itself, and so the host, but not each other.
 *
 * With br_netfilter a packet that a container sends to its own published port is turned round
 * inside the bridge, which only a port in hairpin mode allows.  Without, it is routed, and the mode
 * would only echo a container's broadcasts to itself.
 */
static int set_up_port(struct nl *nl, const struct place *p, const struct rtnl_link *link,
                       struct err *e)
{
    bool isolated = !p->options.icc;
    int hairpin = 0;

    if (sysctl_read("net/bridge/bridge-nf-call-iptables", &hairpin, e) && e->kind != ERR_NOT_FOUND)
        return -1;
    if (link->isolated == isolated && link->hairpin == !!hairpin)
        return 0;
    return rtnl_port_set(nl, link->index, isolated, hairpin, e);
}

static int set_up_host_end(struct nl *nl, const struct place *p, const struct rtnl_link *link,
                           const struct rtnl_link *bridge, struct err *e)
{
    struct rtnl_link_change change = {0};
    char alias[RTNL_ALIAS_MAX];

    mark_container(p->env->instance, p->ep->container_id, alias);
    if (!str_eq(link->alias, alias))
        change.alias = alias;
    if (link->master != bridge->index)
        change.master = bridge->index;
    change.up = !(link->flags & IFF_UP);
    change.no_ipv6_address = change.up;
    if ((change.alias || change.master || change.up) && rtnl_link_set(nl, link->index, &change, e))
        return -1;
    return set_up_port(nl, p, link, e);
}

/* Neighbours that remember an earlier owner of the address learn of the new one.  Not worth failing
 * a start for: they would find out by themselves, later. */
static void introduce(struct nl *nl, const struct place *p, const struct rtnl_link *bridge)
{
    struct err e = ERR_INIT;

    if (rtnl_neigh_set(nl, bridge->index, p->addr.addr, p->mac, &e) ||
        announce_address(bridge->index, p->addr.addr, p->mac, &e))
        log_warn("container's address was not announced", "container=%s error=%s",
                 p->ep->container_id, log_quote(e.msg));
}

static int join(struct nl *nl, struct place *p, struct err *e)
{
    struct rtnl_link bridge, link;
    bool created;

    if (rtnl_link_get(nl, p->options.name, &bridge, e)) {
        /* Somebody deleted the bridge under us. */
        if (e->kind != ERR_NOT_FOUND || bridge_network_ensure(p->env, p->net, e) ||
            rtnl_link_get(nl, p->options.name, &bridge, e))
            return -1;
    }
    for (int i = 0; i < ATTEMPTS; i++) {
        if (ensure_pair(nl, p, &link, &created, e))
            return -1;
        p->host_index = link.index;
        /* An unmarked end is proven to be ours by its other end; until then it is not touched. */
        bool unproven = !created && !link.alias[0];
        if (!unproven && set_up_host_end(nl, p, &link, &bridge, e))
            return -1;
        if (netns_call(p->ep->netns_path, set_up_inner, p, e))
            return -1;
        if (!p->wrong) {
            if (unproven && set_up_host_end(nl, p, &link, &bridge, e))
                return -1;
            if (created)
                introduce(nl, p, &bridge);
            return 0;
        }
        if (unproven)
            return err_set(e, ERR_CONFLICT, "interface %s exists and is not ours", p->host_name);
        if (rtnl_link_del(nl, link.index, e))
            return -1;
    }
    return err_set(e, ERR_CONFLICT, "interface %s in the container does not stay as it was made",
                   p->ifname);
}

static int publish(const struct place *p, struct err *e)
{
    bool rebuilt;

    if (firewall_ensure(p->env, &rebuilt, e))
        return -1;
    if (rebuilt && bridge_firewall(p->env, p->net, &p->options, e))
        return -1;
    /* Nothing comes in to an internal network; Docker starts the container all the same. */
    return firewall_ports_set(p->env, p->ep->container_id, p->net->id, p->ep->ep->ipv4,
                              p->ep->ports, p->net->internal ? 0 : p->ep->n_ports, e);
}

int bridge_endpoint_ensure(const struct net_env *env, const struct network *net,
                           const struct net_endpoint *ep, struct err *e)
{
    cleanup_nl struct nl nl = NL_INIT;
    struct place p;

    if (place_init(&p, env, net, ep, e))
        return err_wrap(e, "join container %.12s to network %s", ep->container_id, net->name);
    link_end_wait(p.addr.addr); /* two must not answer for one address */
    if (nl_open(&nl, NETLINK_ROUTE, NULL, e) || join(&nl, &p, e) || publish(&p, e))
        return err_wrap(e, "join container %.12s to network %s", ep->container_id, net->name);
    return 0;
}

/* Is the unmarked end with this index the other end of the container's interface? */
static bool leads_to_container(struct place *p, int index)
{
    return !str_empty(p->ep->netns_path) && netns_is_pinned(p->ep->netns_path) &&
           netns_call(p->ep->netns_path, look_at_inner, p, ERR_IGNORE) == 0 &&
           p->stale_peer == index;
}

static int unplug(const struct net_env *env, const struct net_endpoint *ep, struct err *e)
{
    cleanup_nl struct nl nl = NL_INIT;
    struct place p = {.env = env, .ep = ep};
    struct rtnl_link link;
    char name[IFNAMSIZ];
    uint32_t addr = UINT32_MAX;

    p.ifname = str_empty(ep->ep->ifname) ? "eth0" : ep->ep->ifname;
    name_host_end(ep->ep->id, name);
    if (nl_open(&nl, NETLINK_ROUTE, NULL, e))
        return -1;
    if (rtnl_link_get(&nl, name, &link, e))
        return e->kind == ERR_NOT_FOUND ? 0 : -1;
    if (!is_ours(&p, &link) && (link.alias[0] || !leads_to_container(&p, link.index)))
        return 0;
    if (!str_empty(ep->ep->ipv4) && !ipv4_parse(ep->ep->ipv4, &addr))
        return rtnl_link_del(&nl, link.index, e);
    link_end_later(link.index, addr);
    return 0;
}

/* The interface may still be there afterwards, for a moment: see link_end.h. */
int bridge_endpoint_remove(const struct net_env *env, const struct network *net,
                           const struct net_endpoint *ep, struct err *e)
{
    if (firewall_ports_set(env, ep->container_id, net->id, NULL, NULL, 0, e) ||
        (!str_empty(ep->ep->id) && unplug(env, ep, e)))
        return err_wrap(e, "take container %.12s off network %s", ep->container_id, net->name);
    return 0;
}
