/* rtnl: readers of what the kernel says.  Attributes of the wrong size count as absent. */
#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include "base/mem.h"
#include "base/str.h"
#include "netdrivers/rtnl.h"

void rtnl_links_release(struct rtnl_links *l)
{
    free(l->v);
    *l = (struct rtnl_links){0};
}

void rtnl_addrs_release(struct rtnl_addrs *a)
{
    free(a->v);
    *a = (struct rtnl_addrs){0};
}

void rtnl_routes_release(struct rtnl_routes *r)
{
    free(r->v);
    *r = (struct rtnl_routes){0};
}

/* A nest whose payload could hold no attribute must not be walked. */
static bool is_nest(const struct nlattr *a)
{
    return mnl_attr_get_payload_len(a) >= sizeof(struct nlattr);
}

static void parse_port(const struct nlattr *port, struct rtnl_link *out)
{
    const struct nlattr *a;
    uint8_t on;

    mnl_attr_for_each_nested(a, port)
    {
        if (!nl_attr_fixed(a, &on, sizeof(on)))
            continue;
        if (mnl_attr_get_type(a) == IFLA_BRPORT_ISOLATED)
            out->isolated = on;
        else if (mnl_attr_get_type(a) == IFLA_BRPORT_MODE)
            out->hairpin = on;
    }
}

static void parse_info(const struct nlattr *info, struct rtnl_link *out)
{
    const struct nlattr *a;
    const struct nlattr *slave_data = NULL;
    char slave_kind[16] = "";

    mnl_attr_for_each_nested(a, info)
    {
        switch (mnl_attr_get_type(a)) {
        case IFLA_INFO_KIND:
            (void)nl_attr_text(a, out->kind, sizeof(out->kind));
            break;
        case IFLA_INFO_SLAVE_KIND:
            (void)nl_attr_text(a, slave_kind, sizeof(slave_kind));
            break;
        case IFLA_INFO_SLAVE_DATA:
            slave_data = a;
            break;
        }
    }
    if (slave_data && is_nest(slave_data) && str_eq(slave_kind, "bridge"))
        parse_port(slave_data, out);
}

int rtnl_parse_link(const struct nlmsghdr *h, struct rtnl_link *out)
{
    const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(h);
    const struct nlattr *a;

    *out = (struct rtnl_link){0};
    if (h->nlmsg_type != RTM_NEWLINK || mnl_nlmsg_get_payload_len(h) < sizeof(*ifi))
        return -1;
    out->index = ifi->ifi_index;
    out->flags = ifi->ifi_flags;
    NL_FOREACH(a, h, sizeof(*ifi))
    {
        switch (mnl_attr_get_type(a)) {
        case IFLA_IFNAME:
            (void)nl_attr_text(a, out->name, sizeof(out->name));
            break;
        case IFLA_IFALIAS:
            (void)nl_attr_text(a, out->alias, sizeof(out->alias));
            break;
        case IFLA_MASTER:
            (void)nl_attr_fixed(a, &out->master, sizeof(out->master));
            break;
        case IFLA_MTU:
            (void)nl_attr_fixed(a, &out->mtu, sizeof(out->mtu));
            break;
        case IFLA_LINK:
            (void)nl_attr_fixed(a, &out->peer, sizeof(out->peer));
            break;
        case IFLA_ADDRESS:
            (void)nl_attr_fixed(a, out->mac, sizeof(out->mac));
            break;
        case IFLA_LINKINFO:
            if (is_nest(a))
                parse_info(a, out);
            break;
        }
    }
    return out->name[0] ? 0 : -1;
}

int rtnl_parse_addr(const struct nlmsghdr *h, struct rtnl_addr *out)
{
    const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(h);
    const struct nlattr *a;
    uint32_t addr;
    bool found = false;

    *out = (struct rtnl_addr){0};
    if (h->nlmsg_type != RTM_NEWADDR || mnl_nlmsg_get_payload_len(h) < sizeof(*ifa) ||
        ifa->ifa_family != AF_INET || ifa->ifa_prefixlen > 32)
        return -1;
    out->index = (int)ifa->ifa_index;
    out->net.prefix = ifa->ifa_prefixlen;
    /* On a point-to-point link IFA_ADDRESS is the other end; IFA_LOCAL is always ours. */
    NL_FOREACH(a, h, sizeof(*ifa))
    {
        if (mnl_attr_get_type(a) != IFA_LOCAL || !nl_attr_fixed(a, &addr, sizeof(addr)))
            continue;
        out->net.addr = ntohl(addr);
        found = true;
    }
    return found ? 0 : -1;
}

int rtnl_parse_route(const struct nlmsghdr *h, struct rtnl_route *out)
{
    const struct rtmsg *rt = mnl_nlmsg_get_payload(h);
    const struct nlattr *a;
    uint32_t word;

    *out = (struct rtnl_route){0};
    if (h->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(h) < sizeof(*rt) ||
        rt->rtm_family != AF_INET || rt->rtm_dst_len > 32)
        return -1;
    out->dst.prefix = rt->rtm_dst_len;
    out->type = rt->rtm_type;
    out->table = rt->rtm_table;
    NL_FOREACH(a, h, sizeof(*rt))
    {
        if (!nl_attr_fixed(a, &word, sizeof(word)))
            continue;
        switch (mnl_attr_get_type(a)) {
        case RTA_DST:
            out->dst.addr = ntohl(word);
            break;
        case RTA_GATEWAY:
            out->gateway = ntohl(word);
            break;
        case RTA_OIF:
            out->oif = (int)word;
            break;
        case RTA_TABLE:
            out->table = word;
            break;
        }
    }
    return 0;
}
