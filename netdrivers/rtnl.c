/* rtnl: see rtnl.h.  Requests are here, readers of replies in rtnl_parse.c. */
#include "netdrivers/rtnl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>

#include "base/mem.h"
#include "base/str.h"

#define CREATE (NLM_F_CREATE | NLM_F_EXCL)

/* ------------------------------------------------------------------ links */

static struct ifinfomsg *link_msg(struct nl_msg *m, unsigned type, unsigned flags, int index)
{
    struct ifinfomsg *ifi = nl_msg_start(m, type, flags, sizeof(*ifi));

    ifi->ifi_family = AF_UNSPEC;
    ifi->ifi_index = index;
    return ifi;
}

static int take_link(const struct nlmsghdr *h, void *arg, struct err *e)
{
    if (rtnl_parse_link(h, arg))
        return err_set(e, ERR_IO, "netlink: cannot read the reply about an interface");
    return 0;
}

int rtnl_link_get(struct nl *nl, const char *name, struct rtnl_link *out, struct err *e)
{
    struct nl_msg m;

    *out = (struct rtnl_link){0};
    if (strlen(name) >= IFNAMSIZ)
        return err_set(e, ERR_INVALID, "interface name %s is longer than %d", name, IFNAMSIZ - 1);
    link_msg(&m, RTM_GETLINK, 0, 0);
    mnl_attr_put_strz(&m.h, IFLA_IFNAME, name);
    if (nl_request(nl, &m, take_link, out, e) == 0)
        return 0;
    if (e->os_code == ENODEV)
        return err_set(e, ERR_NOT_FOUND, "no interface %s", name);
    return err_wrap(e, "look at interface %s", name);
}

static int gather_link(const struct nlmsghdr *h, void *arg, struct err *e)
{
    struct rtnl_links *all = arg;

    if (!h) {
        rtnl_links_release(all);
        return 0;
    }
    all->v = xrealloc(all->v, (all->n + 1) * sizeof(*all->v));
    if (take_link(h, &all->v[all->n], e))
        return -1;
    all->n++;
    return 0;
}

int rtnl_links(struct nl *nl, struct rtnl_links *out, struct err *e)
{
    struct nl_msg m;

    *out = (struct rtnl_links){0};
    link_msg(&m, RTM_GETLINK, 0, 0);
    if (nl_dump(nl, &m, gather_link, out, e)) {
        rtnl_links_release(out);
        return err_wrap(e, "list interfaces");
    }
    return 0;
}

int rtnl_bridge_add(struct nl *nl, const char *name, const uint8_t mac[MAC_LEN], struct err *e)
{
    struct nl_msg m;

    link_msg(&m, RTM_NEWLINK, CREATE, 0);
    mnl_attr_put_strz(&m.h, IFLA_IFNAME, name);
    /* A bridge without an address of its own takes that of a port, and changes it as ports go. */
    mnl_attr_put(&m.h, IFLA_ADDRESS, MAC_LEN, mac);
    struct nlattr *info = mnl_attr_nest_start(&m.h, IFLA_LINKINFO);
    mnl_attr_put_strz(&m.h, IFLA_INFO_KIND, "bridge");
    mnl_attr_nest_end(&m.h, info);
    return nl_request(nl, &m, NULL, NULL, e) ? err_wrap(e, "create bridge %s", name) : 0;
}

int rtnl_veth_add(struct nl *nl, const struct rtnl_veth *v, struct err *e)
{
    struct nl_msg m;

    link_msg(&m, RTM_NEWLINK, CREATE, 0);
    mnl_attr_put_strz(&m.h, IFLA_IFNAME, v->name);
    mnl_attr_put_u32(&m.h, IFLA_MTU, (uint32_t)v->mtu);
    struct nlattr *info = mnl_attr_nest_start(&m.h, IFLA_LINKINFO);
    mnl_attr_put_strz(&m.h, IFLA_INFO_KIND, "veth");
    struct nlattr *data = mnl_attr_nest_start(&m.h, IFLA_INFO_DATA);
    struct nlattr *peer = mnl_attr_nest_start(&m.h, VETH_INFO_PEER);
    mnl_nlmsg_put_extra_header(&m.h, sizeof(struct ifinfomsg));
    mnl_attr_put_strz(&m.h, IFLA_IFNAME, v->peer_name);
    mnl_attr_put_u32(&m.h, IFLA_MTU, (uint32_t)v->mtu);
    mnl_attr_put(&m.h, IFLA_ADDRESS, MAC_LEN, v->mac);
    mnl_attr_put_u32(&m.h, IFLA_NET_NS_FD, (uint32_t)v->peer_netns);
    mnl_attr_nest_end(&m.h, peer);
    mnl_attr_nest_end(&m.h, data);
    mnl_attr_nest_end(&m.h, info);
    return nl_request(nl, &m, NULL, NULL, e)
               ? err_wrap(e, "create interface pair %s and %s", v->name, v->peer_name)
               : 0;
}

int rtnl_link_set(struct nl *nl, int index, const struct rtnl_link_change *c, struct err *e)
{
    struct nl_msg m;
    struct ifinfomsg *ifi = link_msg(&m, RTM_NEWLINK, 0, index);

    if (c->up)
        ifi->ifi_flags = ifi->ifi_change = IFF_UP;
    if (c->name)
        mnl_attr_put_strz(&m.h, IFLA_IFNAME, c->name);
    if (c->alias)
        mnl_attr_put_strz(&m.h, IFLA_IFALIAS, c->alias);
    if (c->mtu)
        mnl_attr_put_u32(&m.h, IFLA_MTU, (uint32_t)c->mtu);
    if (c->master)
        mnl_attr_put_u32(&m.h, IFLA_MASTER, (uint32_t)c->master);
    if (c->no_ipv6_address) {
        struct nlattr *families = mnl_attr_nest_start(&m.h, IFLA_AF_SPEC);
        struct nlattr *inet6 = mnl_attr_nest_start(&m.h, AF_INET6);
        mnl_attr_put_u8(&m.h, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
        mnl_attr_nest_end(&m.h, inet6);
        mnl_attr_nest_end(&m.h, families);
    }
    if (nl_request(nl, &m, NULL, NULL, e) == 0)
        return 0;
    if (c->no_ipv6_address && e->os_code == EAFNOSUPPORT) {
        struct rtnl_link_change without = *c; /* a kernel without IPv6 */

        without.no_ipv6_address = false;
        return rtnl_link_set(nl, index, &without, e);
    }
    return err_wrap(e, "change interface %d", index);
}

int rtnl_link_del(struct nl *nl, int index, struct err *e)
{
    struct nl_msg m;

    link_msg(&m, RTM_DELLINK, 0, index);
    if (nl_request(nl, &m, NULL, NULL, e) && e->os_code != ENODEV)
        return err_wrap(e, "delete interface %d", index);
    return 0;
}

int rtnl_port_set(struct nl *nl, int index, bool isolated, bool hairpin, struct err *e)
{
    struct nl_msg m;

    link_msg(&m, RTM_SETLINK, 0, index)->ifi_family = AF_BRIDGE;
    struct nlattr *port = mnl_attr_nest_start(&m.h, IFLA_PROTINFO | NLA_F_NESTED);
    mnl_attr_put_u8(&m.h, IFLA_BRPORT_ISOLATED, isolated);
    mnl_attr_put_u8(&m.h, IFLA_BRPORT_MODE, hairpin);
    mnl_attr_nest_end(&m.h, port);
    return nl_request(nl, &m, NULL, NULL, e) ? err_wrap(e, "change bridge port %d", index) : 0;
}

/* ------------------------------------------------------------------ addresses */

static void addr_msg(struct nl_msg *m, unsigned type, unsigned flags, int index,
                     const struct ipv4_net *net)
{
    struct ifaddrmsg *ifa = nl_msg_start(m, type, flags, sizeof(*ifa));

    ifa->ifa_family = AF_INET;
    ifa->ifa_prefixlen = (uint8_t)net->prefix;
    ifa->ifa_index = (uint32_t)index;
    mnl_attr_put_u32(&m->h, IFA_LOCAL, htonl(net->addr));
    mnl_attr_put_u32(&m->h, IFA_ADDRESS, htonl(net->addr));
}

int rtnl_addr_add(struct nl *nl, int index, const struct ipv4_net *net, struct err *e)
{
    struct nl_msg m;
    char text[IPV4_TEXT_MAX];

    addr_msg(&m, RTM_NEWADDR, CREATE, index, net);
    if (net->prefix < 31)
        mnl_attr_put_u32(&m.h, IFA_BROADCAST, htonl(ipv4_last(net)));
    ipv4_net_format(net, text);
    return nl_request(nl, &m, NULL, NULL, e) ? err_wrap(e, "add address %s", text) : 0;
}

int rtnl_addr_del(struct nl *nl, int index, const struct ipv4_net *net, struct err *e)
{
    struct nl_msg m;
    char text[IPV4_TEXT_MAX];

    addr_msg(&m, RTM_DELADDR, 0, index, net);
    ipv4_net_format(net, text);
    return nl_request(nl, &m, NULL, NULL, e) ? err_wrap(e, "delete address %s", text) : 0;
}

static int gather_addr(const struct nlmsghdr *h, void *arg, struct err *e)
{
    struct rtnl_addrs *all = arg;

    (void)e;
    if (!h) {
        rtnl_addrs_release(all);
        return 0;
    }
    all->v = xrealloc(all->v, (all->n + 1) * sizeof(*all->v));
    if (rtnl_parse_addr(h, &all->v[all->n]) == 0)
        all->n++;
    return 0;
}

int rtnl_addrs(struct nl *nl, struct rtnl_addrs *out, struct err *e)
{
    struct nl_msg m;
    struct ifaddrmsg *ifa = nl_msg_start(&m, RTM_GETADDR, 0, sizeof(*ifa));

    *out = (struct rtnl_addrs){0};
    ifa->ifa_family = AF_INET;
    if (nl_dump(nl, &m, gather_addr, out, e)) {
        rtnl_addrs_release(out);
        return err_wrap(e, "list addresses");
    }
    return 0;
}

/* ------------------------------------------------------------------ routes, neighbours */

static int gather_route(const struct nlmsghdr *h, void *arg, struct err *e)
{
    struct rtnl_routes *all = arg;

    (void)e;
    if (!h) {
        rtnl_routes_release(all);
        return 0;
    }
    all->v = xrealloc(all->v, (all->n + 1) * sizeof(*all->v));
    if (rtnl_parse_route(h, &all->v[all->n]) == 0 && all->v[all->n].type == RTN_UNICAST)
        all->n++;
    return 0;
}

int rtnl_routes(struct nl *nl, struct rtnl_routes *out, struct err *e)
{
    struct nl_msg m;
    struct rtmsg *rt = nl_msg_start(&m, RTM_GETROUTE, 0, sizeof(*rt));

    *out = (struct rtnl_routes){0};
    rt->rtm_family = AF_INET;
    if (nl_dump(nl, &m, gather_route, out, e)) {
        rtnl_routes_release(out);
        return err_wrap(e, "list routes");
    }
    return 0;
}

static void default_route_msg(struct nl_msg *m, unsigned type, unsigned flags, uint32_t gateway,
                              int oif)
{
    struct rtmsg *rt = nl_msg_start(m, type, flags, sizeof(*rt));

    rt->rtm_family = AF_INET;
    rt->rtm_table = RT_TABLE_MAIN;
    rt->rtm_protocol = RTPROT_BOOT;
    rt->rtm_scope = RT_SCOPE_UNIVERSE;
    rt->rtm_type = RTN_UNICAST;
    mnl_attr_put_u32(&m->h, RTA_GATEWAY, htonl(gateway));
    mnl_attr_put_u32(&m->h, RTA_OIF, (uint32_t)oif);
}

int rtnl_route_set_default(struct nl *nl, uint32_t gateway, int oif, struct err *e)
{
    struct nl_msg m;
    char text[IPV4_TEXT_MAX];

    default_route_msg(&m, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, gateway, oif);
    ipv4_format(gateway, text);
    return nl_request(nl, &m, NULL, NULL, e) ? err_wrap(e, "add default route via %s", text) : 0;
}

int rtnl_route_del_default(struct nl *nl, uint32_t gateway, int oif, struct err *e)
{
    struct nl_msg m;

    default_route_msg(&m, RTM_DELROUTE, 0, gateway, oif);
    if (nl_request(nl, &m, NULL, NULL, e) && e->os_code != ESRCH)
        return err_wrap(e, "delete default route");
    return 0;
}

int rtnl_neigh_set(struct nl *nl, int index, uint32_t addr, const uint8_t mac[MAC_LEN],
                   struct err *e)
{
    struct nl_msg m;
    struct ndmsg *nd = nl_msg_start(&m, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, sizeof(*nd));

    nd->ndm_family = AF_INET;
    nd->ndm_ifindex = index;
    nd->ndm_state = NUD_REACHABLE;
    mnl_attr_put_u32(&m.h, NDA_DST, htonl(addr));
    mnl_attr_put(&m.h, NDA_LLADDR, MAC_LEN, mac);
    return nl_request(nl, &m, NULL, NULL, e) ? err_wrap(e, "set neighbour") : 0;
}
