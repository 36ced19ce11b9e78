/*
 * world: a private host for the tests of network drivers.
 *
 * world_enter() moves this test program into network and mount namespaces of its own, so bridges,
 * rules and mounts that a test makes are nobody else's and vanish with it.  "The host" below is
 * that namespace; containers and a machine on the LAN are further ones.
 */
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/process.h"
#include "base/str.h"
#include "core/net_driver.h"
#include "netdrivers/netns.h"
#include "netdrivers/rtnl.h"
#include "netdrivers/sysctl.h"
#include "tests/unit/unit.h"

#define ID_A  "aaaaaaaaaaaa1111111111111111111111111111111111111111111111111111"
#define ID_B  "bbbbbbbbbbbb2222222222222222222222222222222222222222222222222222"
#define NET_1 "111111111111cccccccccccccccccccccccccccccccccccccccccccccccccccc"
#define NET_2 "222222222222dddddddddddddddddddddddddddddddddddddddddddddddddddd"

static char world_dir[64];
static const char *world_missing; /* why this program cannot test; NULL: it can */
static struct net_env world_env = {.instance = "btest",
                                   .default_bridge = "btest0",
                                   .exec_root = world_dir,
                                   .ip_forward = true,
                                   .ip_masq = true,
                                   .icc = true};

__attribute__((unused)) static int world_enter(void **state)
{
    const char *must = getenv("BALLAST_TESTS_MUST_RUN");
    struct err e = ERR_INIT;
    struct rtnl_link lo;
    struct nl nl;

    (void)state;
    if (geteuid() != 0)
        world_missing = "needs root";
    else if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0)
        world_missing = "cannot make namespaces";
    else if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        world_missing = "cannot make mounts private";
    if (world_missing && must && strstr(must, "root"))
        fail_msg("%s", world_missing);
    if (world_missing) {
        print_message("skipped: %s\n", world_missing);
        return 0;
    }
    snprintf(world_dir, sizeof(world_dir), "/tmp/ballast-net-test.%d", (int)getpid());
    if (fs_mkdir_p(world_dir, 0700, &e) || mount("tmpfs", world_dir, "tmpfs", 0, NULL) < 0 ||
        nl_open(&nl, NETLINK_ROUTE, NULL, &e) || rtnl_link_get(&nl, "lo", &lo, &e) ||
        rtnl_link_set(&nl, lo.index, &(struct rtnl_link_change){.up = true}, &e))
        fail_msg("set up the test's world: %s", e.msg);
    nl_close(&nl);
    return 0;
}

__attribute__((unused)) static int world_leave(void **state)
{
    (void)state;
    if (!world_missing) {
        umount2(world_dir, MNT_DETACH);
        rmdir(world_dir);
    }
    return 0;
}

#define WORLD_OR_SKIP()    \
    do {                   \
        if (world_missing) \
            skip();        \
    } while (0)

__attribute__((unused)) static const char *pin_of(const char *id)
{
    static char paths[4][160];
    static int next;
    char *path = paths[next++ % 4];

    snprintf(path, 160, "%s/netns/%s", world_dir, id);
    return path;
}

__attribute__((unused)) static struct network *network_make(const char *id, const char *name,
                                                            const char *subnet, const char *gateway)
{
    struct network *n = network_new();

    str_set(&n->id, id);
    str_set(&n->name, name);
    str_set(&n->driver, "bridge");
    n->enable_ipv4 = true;
    n->pools = xcalloc(1, sizeof(*n->pools));
    n->n_pools = 1;
    str_set(&n->pools[0].subnet, subnet);
    str_set(&n->pools[0].gateway, gateway);
    return n;
}

/* A container with one endpoint; its id serves as the endpoint's too, shifted by one digit. */
struct guest {
    struct endpoint ep;
    struct net_endpoint nep;
    char ep_id[65];
};

__attribute__((unused)) static void guest_make(struct guest *g, const char *id,
                                               const struct network *net, const char *ip,
                                               const struct port_map *ports, size_t n_ports)
{
    snprintf(g->ep_id, sizeof(g->ep_id), "%s", id + 1);
    memset(&g->ep, 0, sizeof(g->ep));
    g->ep.id = g->ep_id;
    g->ep.ipv4 = (char *)ip;
    g->ep.prefix_len = ipam_prefix_len(net->pools[0].subnet);
    g->ep.gateway = net->pools[0].gateway;
    g->ep.ifname = (char *)"eth0";
    g->nep = (struct net_endpoint){.container_id = id,
                                   .netns_path = pin_of(id),
                                   .ep = &g->ep,
                                   .default_route = true,
                                   .ports = ports,
                                   .n_ports = n_ports};
    assert_ok(net_sandbox_ensure(g->nep.netns_path, &e));
}

/* ------------------------------------------------------------------ the state of the world */

__attribute__((unused)) static void dump_namespace(const char *netns, struct buf *out)
{
    struct rtnl_links links;
    struct rtnl_addrs addrs;
    struct rtnl_routes routes;
    struct nl nl;

    assert_ok(nl_open(&nl, NETLINK_ROUTE, netns, &e));
    assert_ok(rtnl_links(&nl, &links, &e));
    assert_ok(rtnl_addrs(&nl, &addrs, &e));
    assert_ok(rtnl_routes(&nl, &routes, &e));
    for (size_t i = 0; i < links.n; i++)
        buf_addf(out, "link %d %s %s master %d up %d mtu %d alias %s isolated %d mac %02x%02x\n",
                 links.v[i].index, links.v[i].name, links.v[i].kind, links.v[i].master,
                 !!(links.v[i].flags & IFF_UP), links.v[i].mtu, links.v[i].alias,
                 links.v[i].isolated, links.v[i].mac[4], links.v[i].mac[5]);
    for (size_t i = 0; i < addrs.n; i++)
        buf_addf(out, "addr %d %x/%d\n", addrs.v[i].index, addrs.v[i].net.addr,
                 addrs.v[i].net.prefix);
    for (size_t i = 0; i < routes.n; i++)
        buf_addf(out, "route %x/%d via %x dev %d\n", routes.v[i].dst.addr, routes.v[i].dst.prefix,
                 routes.v[i].gateway, routes.v[i].oif);
    rtnl_links_release(&links);
    rtnl_addrs_release(&addrs);
    rtnl_routes_release(&routes);
    nl_close(&nl);
}

/* -a: with handles, so that an element or rule that was removed and made again shows. */
__attribute__((unused)) static void dump_rules(struct buf *out)
{
    static const char *const argv[] = {"nft", "-a", "list", "ruleset", NULL};
    int code;

    assert_ok(process_run(argv, NULL, 0, out, NULL, NULL, &code, &e));
    assert_int_equal(code, 0);
}

__attribute__((unused)) static char *dump_links(const char *netns)
{
    struct buf out = BUF_INIT(1 << 20);

    dump_namespace(NULL, &out);
    dump_namespace(netns, &out);
    return buf_take(&out);
}

__attribute__((unused)) static char *dump_world(const char *netns)
{
    struct buf out = BUF_INIT(1 << 20);

    dump_namespace(NULL, &out);
    if (netns)
        dump_namespace(netns, &out);
    dump_rules(&out);
    assert_ok(buf_check(&out, "dump", &e));
    return buf_take(&out);
}
