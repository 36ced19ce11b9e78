/*
 * ipam: which subnet a network gets, which address a container gets.
 *
 * Nothing is remembered here: what is taken comes in as arguments.  Texts are Docker's, as clients
 * and people search for them.
 */
#include <net/if.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/net_driver.h"
#include "netdrivers/ipv4.h"
#include "netdrivers/rtnl.h"

#define PROBLEMS_MAX (8 * 1024)

/* ------------------------------------------------------------------ choosing a subnet */

struct nets {
    struct ipv4_net *v;
    size_t n;
};

static void nets_release(struct nets *s)
{
    free(s->v);
}
#define cleanup_nets CLEANUP(nets_release)

static void nets_add(struct nets *s, struct ipv4_net net)
{
    s->v = xrealloc(s->v, (s->n + 1) * sizeof(*s->v));
    s->v[s->n++] = net;
}

/* Default routes overlap with everything and say nothing. */
static int add_live(struct nets *s, struct err *e)
{
    cleanup_nl struct nl nl = NL_INIT;
    struct rtnl_addrs addrs;
    struct rtnl_routes routes;

    if (nl_open(&nl, NETLINK_ROUTE, NULL, e) || rtnl_addrs(&nl, &addrs, e))
        return -1;
    for (size_t i = 0; i < addrs.n; i++)
        nets_add(s, addrs.v[i].net);
    rtnl_addrs_release(&addrs);
    if (rtnl_routes(&nl, &routes, e))
        return -1;
    for (size_t i = 0; i < routes.n; i++)
        if (routes.v[i].dst.prefix)
            nets_add(s, routes.v[i].dst);
    rtnl_routes_release(&routes);
    return 0;
}

/* The first subnet of that size in base that overlaps with nothing.  After an overlap the search
 * goes on behind it, so it takes as many steps as there are taken networks, not as there are
 * subnets. */
static bool first_free(const struct ipv4_net *base, int size, const struct nets *taken,
                       struct ipv4_net *out)
{
    uint64_t step = (uint64_t)1 << (32 - size);
    uint64_t at = ipv4_first(base), end = (uint64_t)ipv4_last(base) + 1;

    while (at + step <= end) {
        struct ipv4_net candidate = {.addr = (uint32_t)at, .prefix = size};
        uint64_t next = 0;

        for (size_t i = 0; i < taken->n; i++)
            if (ipv4_overlap(&candidate, &taken->v[i]) && ipv4_last(&taken->v[i]) + 1ull > next)
                next = ipv4_last(&taken->v[i]) + 1ull;
        if (!next) {
            *out = candidate;
            return true;
        }
        at = (next + step - 1) / step * step;
        if (at <= candidate.addr)
            at = candidate.addr + step;
    }
    return false;
}

int ipam_choose_pool(const struct net_pool_base *bases, size_t n_bases, const struct strv *taken,
                     bool against_host, char **subnet, struct err *e)
{
    cleanup_nets struct nets used = {0};
    struct ipv4_net net;

    for (size_t i = 0; taken && i < taken->n; i++)
        if (ipv4_net_parse(taken->v[i], &net))
            nets_add(&used, net);
    if (against_host && add_live(&used, e))
        return -1;
    for (size_t i = 0; i < n_bases; i++) {
        struct ipv4_net base;
        char text[IPV4_TEXT_MAX];

        if (!ipv4_net_parse(bases[i].base, &base) || bases[i].size < base.prefix ||
            bases[i].size > 32)
            return err_set(e, ERR_INVALID, "invalid address pool: base %s, size %d",
                           bases[i].base ? bases[i].base : "", bases[i].size);
        if (!first_free(&base, bases[i].size, &used, &net))
            continue;
        ipv4_net_format(&net, text);
        *subnet = xstrdup(text);
        return 0;
    }
    return err_set(e, ERR_INVALID, "all predefined address pools have been fully subnetted");
}

int ipam_check_overlap(const char *subnet, const struct strv *taken, struct err *e)
{
    struct ipv4_net net, other;

    if (!ipv4_net_parse(subnet, &net))
        return err_set(e, ERR_INVALID, "invalid subnet %s: invalid CIDR block notation", subnet);
    for (size_t i = 0; i < taken->n; i++)
        if (ipv4_net_parse(taken->v[i], &other) && ipv4_overlap(&net, &other))
            return err_set(
                e, ERR_DENIED,
                "invalid pool request: Pool overlaps with other one on this address space");
    return 0;
}

/* ------------------------------------------------------------------ checking a pool */

/* Appends "invalid <what>" lines. */
static void check_subnet(const char *text, struct ipv4_net *net, struct strv *problems)
{
    char right[IPV4_TEXT_MAX];

    if (!ipv4_net_parse(text, net)) {
        strv_addf(problems, "invalid subnet %s: invalid CIDR block notation", text ? text : "");
        return;
    }
    if (net->addr == ipv4_first(net))
        return;
    ipv4_net_format(&(struct ipv4_net){ipv4_first(net), net->prefix}, right);
    strv_addf(problems, "invalid subnet %s: it should be %s", text, right);
}

static void check_range(const struct ipam_pool *pool, const struct ipv4_net *net,
                        struct strv *problems)
{
    struct ipv4_net range;
    char right[IPV4_TEXT_MAX];

    if (str_empty(pool->ip_range))
        return;
    if (!ipv4_net_parse(pool->ip_range, &range)) {
        strv_addf(problems, "invalid ip-range %s: invalid CIDR block notation", pool->ip_range);
        return;
    }
    if (range.prefix < net->prefix)
        strv_addf(problems, "invalid ip-range %s: CIDR block is bigger than its parent subnet %s",
                  pool->ip_range, pool->subnet);
    if (range.addr != ipv4_first(&range)) {
        ipv4_net_format(&(struct ipv4_net){ipv4_first(&range), range.prefix}, right);
        strv_addf(problems, "invalid ip-range %s: it should be %s", pool->ip_range, right);
    }
    if (!ipv4_contains(net, range.addr))
        strv_addf(problems, "invalid ip-range %s: parent subnet %s doesn't contain ip-range",
                  pool->ip_range, pool->subnet);
}

static void check_member(const char *noun, const char *name, const char *text,
                         const struct ipam_pool *pool, const struct ipv4_net *net,
                         struct strv *problems)
{
    uint32_t addr;

    if (!ipv4_parse(text, &addr))
        strv_addf(problems, "invalid %s %s: invalid address", noun, name);
    else if (!ipv4_contains(net, addr))
        strv_addf(problems, "invalid %s %s: parent subnet %s doesn't contain this address", noun,
                  name, pool->subnet);
}

static int report(const struct strv *problems, struct err *e)
{
    cleanup_buf struct buf text = BUF_INIT(PROBLEMS_MAX);

    if (!problems->n)
        return 0;
    for (size_t i = 0; i < problems->n; i++)
        buf_addf(&text, "\n%s%s", problems->n > 1 ? "* " : "", problems->v[i]);
    return err_set(e, ERR_INVALID, "invalid network config:%s", text.data);
}

static bool is_edge(const struct ipv4_net *net, uint32_t addr)
{
    /* RFC 3021: in a /31 both are hosts. */
    return net->prefix < 31 && (addr == ipv4_first(net) || addr == ipv4_last(net));
}

/* No two of gateway and auxiliary addresses may be the same, none the network's own. */
static int check_collisions(const struct ipam_pool *pool, const struct ipv4_net *net, struct err *e)
{
    uint32_t a, b, gateway = 0;

    if (ipv4_parse(pool->gateway, &gateway) && is_edge(net, gateway))
        return err_set(e, ERR_DENIED, "failed to allocate gateway (%s): Address already in use",
                       pool->gateway);
    for (size_t i = 0; i < pool->aux.n; i++) {
        bool taken;

        if (!ipv4_parse(pool->aux.v[i].v, &a))
            continue;
        taken = a == gateway || is_edge(net, a);
        for (size_t k = 0; k < i; k++)
            taken = taken || (ipv4_parse(pool->aux.v[k].v, &b) && a == b);
        if (taken)
            return err_set(
                e, ERR_DENIED,
                "failed to allocate secondary ip address (%s:%s): Address already in use",
                pool->aux.v[i].k, pool->aux.v[i].v);
    }
    return 0;
}

int ipam_check_pool(struct ipam_pool *pool, struct err *e)
{
    cleanup_strv struct strv problems = {0};
    cleanup_strv struct strv none = {0};
    struct ipv4_net net;

    check_subnet(pool->subnet, &net, &problems);
    if (problems.n)
        return report(&problems, e);
    check_range(pool, &net, &problems);
    if (!str_empty(pool->gateway))
        check_member("gateway", pool->gateway, pool->gateway, pool, &net, &problems);
    for (size_t i = 0; i < pool->aux.n; i++)
        check_member("auxiliary address", pool->aux.v[i].k, pool->aux.v[i].v, pool, &net,
                     &problems);
    if (report(&problems, e) || check_collisions(pool, &net, e))
        return -1;
    if (!str_empty(pool->gateway))
        return 0;
    free(take_ptr(pool->gateway));
    return ipam_allocate(pool, &none, NULL, &pool->gateway, e);
}

/* ------------------------------------------------------------------ addresses */

static bool is_taken(const struct ipam_pool *pool, const struct ipv4_net *net, const uint32_t *used,
                     size_t n_used, uint32_t addr)
{
    uint32_t other;

    if (is_edge(net, addr) || (ipv4_parse(pool->gateway, &other) && other == addr))
        return true;
    for (size_t i = 0; i < pool->aux.n; i++)
        if (ipv4_parse(pool->aux.v[i].v, &other) && other == addr)
            return true;
    for (size_t i = 0; i < n_used; i++)
        if (used[i] == addr)
            return true;
    return false;
}

static int allocate_wanted(const struct ipam_pool *pool, const struct ipv4_net *net,
                           const uint32_t *used, size_t n_used, const char *want, char **addr,
                           struct err *e)
{
    uint32_t a;
    char text[IPV4_TEXT_MAX];

    if (!ipv4_parse(want, &a))
        return err_set(e, ERR_INVALID, "invalid IPv4 address: %s", want);
    if (!ipv4_contains(net, a))
        return err_set(e, ERR_INVALID, "no configured subnet or ip-range contain the IP address %s",
                       want);
    if (is_taken(pool, net, used, n_used, a))
        return err_set(e, ERR_DENIED, "Address already in use");
    ipv4_format(a, text);
    *addr = xstrdup(text);
    return 0;
}

int ipam_allocate(const struct ipam_pool *pool, const struct strv *used, const char *want,
                  char **addr, struct err *e)
{
    cleanup_free uint32_t *taken = xcalloc(used->n + 1, sizeof(*taken));
    size_t n_taken = 0;
    struct ipv4_net net, range;
    char text[IPV4_TEXT_MAX];

    if (!ipv4_net_parse(pool->subnet, &net))
        return err_set(e, ERR_INVALID, "invalid subnet %s: invalid CIDR block notation",
                       pool->subnet ? pool->subnet : "");
    for (size_t i = 0; i < used->n; i++)
        if (ipv4_parse(used->v[i], &taken[n_taken]))
            n_taken++;
    if (!str_empty(want))
        return allocate_wanted(pool, &net, taken, n_taken, want, addr, e);
    if (str_empty(pool->ip_range) || !ipv4_net_parse(pool->ip_range, &range))
        range = net;
    for (uint64_t a = ipv4_first(&range); a <= ipv4_last(&range); a++) {
        if (is_taken(pool, &net, taken, n_taken, (uint32_t)a))
            continue;
        ipv4_format((uint32_t)a, text);
        *addr = xstrdup(text);
        return 0;
    }
    return err_set(e, ERR_UNAVAILABLE,
                   "no available IPv4 addresses on this network's address pools");
}

int64_t ipam_prefix_len(const char *subnet)
{
    struct ipv4_net net;

    return ipv4_net_parse(subnet, &net) ? net.prefix : 0;
}

/* ------------------------------------------------------------------ MAC */

void net_mac_for(const char *ipv4, const char *endpoint_id, char out[18])
{
    char digest[DIGEST_TEXT_MAX];
    const char *hex;
    unsigned first;

    (void)ipv4; /* an address is reused too soon for a MAC to be made from it */
    digest_of(endpoint_id, strlen(endpoint_id), digest);
    hex = digest_hex(digest);
    if (sscanf(hex, "%2x", &first) != 1)
        first = 0;
    /* Locally administered, not a group. */
    snprintf(out, 18, "%02x:%.2s:%.2s:%.2s:%.2s:%.2s", (first & 0xfcu) | 2u, hex + 2, hex + 4,
             hex + 6, hex + 8, hex + 10);
}
