/*
 * rtnl: links, addresses, routes and neighbours; one request per function.
 *
 * Functions that make something fail with EEXIST when it is there, and functions that look fail
 * with ERR_NOT_FOUND when it is not; deciding what either means is the driver's business.
 * Interfaces are found by name and then referred to by index, as a name can change hands between
 * two requests.
 */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "netdrivers/ipv4.h"
#include "netdrivers/nl.h"

#define RTNL_ALIAS_MAX 256
#define MAC_LEN        6

struct rtnl_link {
    int index, master, mtu;
    int peer; /* veth: index of the other end, in its namespace */
    unsigned flags;
    uint8_t mac[MAC_LEN];
    char name[IFNAMSIZ];
    char kind[16]; /* "bridge", "veth", "" */
    char alias[RTNL_ALIAS_MAX];
    bool isolated, hairpin; /* of a bridge port */
};

/* What to change; zero values stay as they are. */
struct rtnl_link_change {
    const char *name;
    const char *alias;
    int master, mtu;
    bool up;
    bool no_ipv6_address; /* no link-local address of its own accord */
};

struct rtnl_veth {
    const char *name;
    const char *peer_name;
    int peer_netns; /* descriptor */
    int mtu;
    const uint8_t *mac; /* of the peer */
};

struct rtnl_addr {
    int index;
    struct ipv4_net net;
};

struct rtnl_route {
    struct ipv4_net dst;
    uint32_t gateway; /* 0: on link */
    int oif;
    uint32_t table;
    unsigned char type;
};

struct rtnl_links {
    struct rtnl_link *v;
    size_t n;
};
struct rtnl_addrs {
    struct rtnl_addr *v;
    size_t n;
};
struct rtnl_routes {
    struct rtnl_route *v;
    size_t n;
};
void rtnl_links_release(struct rtnl_links *l);
void rtnl_addrs_release(struct rtnl_addrs *a);
void rtnl_routes_release(struct rtnl_routes *r);

int rtnl_link_get(struct nl *nl, const char *name, struct rtnl_link *out, struct err *e) MUST_USE;
int rtnl_links(struct nl *nl, struct rtnl_links *out, struct err *e) MUST_USE;
int rtnl_bridge_add(struct nl *nl, const char *name, const uint8_t mac[MAC_LEN],
                    struct err *e) MUST_USE;
int rtnl_veth_add(struct nl *nl, const struct rtnl_veth *v, struct err *e) MUST_USE;
int rtnl_link_set(struct nl *nl, int index, const struct rtnl_link_change *c,
                  struct err *e) MUST_USE;
int rtnl_link_del(struct nl *nl, int index, struct err *e) MUST_USE; /* the absent is success */
int rtnl_port_set(struct nl *nl, int index, bool isolated, bool hairpin, struct err *e) MUST_USE;

int rtnl_addrs(struct nl *nl, struct rtnl_addrs *out, struct err *e) MUST_USE;
int rtnl_addr_add(struct nl *nl, int index, const struct ipv4_net *net, struct err *e) MUST_USE;
int rtnl_addr_del(struct nl *nl, int index, const struct ipv4_net *net, struct err *e) MUST_USE;

int rtnl_routes(struct nl *nl, struct rtnl_routes *out, struct err *e) MUST_USE; /* IPv4, unicast */
int rtnl_route_set_default(struct nl *nl, uint32_t gateway, int oif, struct err *e) MUST_USE;
int rtnl_route_del_default(struct nl *nl, uint32_t gateway, int oif, struct err *e) MUST_USE;

/* Says where an address lives before anybody asks, so that a reused one is found at once. */
int rtnl_neigh_set(struct nl *nl, int index, uint32_t addr, const uint8_t mac[MAC_LEN],
                   struct err *e) MUST_USE;

/* Readers of one message each: -1 when it is not of that kind or broken. */
int rtnl_parse_link(const struct nlmsghdr *h, struct rtnl_link *out);
int rtnl_parse_addr(const struct nlmsghdr *h, struct rtnl_addr *out);
int rtnl_parse_route(const struct nlmsghdr *h, struct rtnl_route *out);
