/*
 * Real packets: containers of one network, of two, of an internal one; published ports from the
 * host, through 127.0.0.1, from the LAN, from neighbours and from the container itself; and what
 * must not get through.  Everything happens in this process: a socket belongs to the namespace in
 * which a helper thread made it.
 */
#include "tests/unit/netdrivers/world.h"

#include "base/sync.h"
#include "base/time.h"
#include "netdrivers/sysctl.h"

#define LAN_HOST  "192.0.2.1" /* the host's address on the LAN */
#define LAN_PEER  "192.0.2.9"
#define PATIENT   2500 /* ms: for what must arrive */
#define IMPATIENT 250  /* for what must not */

static const struct net_driver_ops *bridge;
static struct network *n1, *n2;
static struct guest a, b, c; /* a, b on n1; c on n2 */
static const char *lan;
#define ID_C "cccccccccccc3333333333333333333333333333333333333333333333333333"

static const struct port_map a_ports[] = {
    {.port = 80, .proto = PROTO_TCP, .host_ip = (char *)"0.0.0.0",   .host_port = 8080},
    {.port = 81, .proto = PROTO_TCP, .host_ip = (char *)"127.0.0.1", .host_port = 8081},
    {.port = 82, .proto = PROTO_TCP, .host_ip = (char *)LAN_HOST,    .host_port = 8082},
    {.port = 53, .proto = PROTO_UDP, .host_ip = (char *)"",          .host_port = 8053},
};

/* ------------------------------------------------------------------ sockets in namespaces */

struct sock {
    int type;
    uint16_t port; /* to bind */
    int fd;
};

static int make_socket(void *arg, struct err *e)
{
    struct sock *s = arg;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(s->port)};
    int on = 1;

    s->fd = socket(AF_INET, s->type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->fd < 0)
        return err_os(e, errno, "socket");
    setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (s->port && bind(s->fd, (struct sockaddr *)&at, sizeof(at)) < 0)
        return err_os(e, errno, "bind");
    if (s->port && s->type == SOCK_STREAM && listen(s->fd, 16) < 0)
        return err_os(e, errno, "listen");
    return 0;
}

static int socket_in(const char *netns, int type, uint16_t port)
{
    struct sock s = {.type = type, .port = port, .fd = -1};

    if (netns)
        assert_ok(netns_call(netns, make_socket, &s, &e));
    else
        assert_ok(make_socket(&s, &e));
    return s.fd;
}

static bool wait_for(int fd, short events, int ms)
{
    struct pollfd p = {.fd = fd, .events = events};

    return poll(&p, 1, ms) == 1;
}

/* Connects from one namespace, accepts in another, sends a byte each way.  seen: whom the server
 * saw. */
static bool tcp_works(const char *from, const char *ip, uint16_t port, const char *server_ns,
                      uint16_t server_port, char seen[INET_ADDRSTRLEN], int patience)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)}, who;
    socklen_t len = sizeof(who);
    cleanup_fd int server = socket_in(server_ns, SOCK_STREAM, server_port);
    cleanup_fd int client = socket_in(from, SOCK_STREAM, 0);
    cleanup_fd int conn = -1;
    char byte = 'x';

    inet_pton(AF_INET, ip, &to.sin_addr);
    if (connect(client, (struct sockaddr *)&to, sizeof(to)) < 0 && errno != EINPROGRESS)
        return false;
    if (!wait_for(server, POLLIN, patience))
        return false;
    conn = accept4(server, (struct sockaddr *)&who, &len, SOCK_CLOEXEC);
    if (seen)
        inet_ntop(AF_INET, &who.sin_addr, seen, INET_ADDRSTRLEN);
    return conn >= 0 && wait_for(client, POLLOUT, patience) && send(client, &byte, 1, 0) == 1 &&
           wait_for(conn, POLLIN, patience) && recv(conn, &byte, 1, 0) == 1 &&
           send(conn, &byte, 1, 0) == 1 && wait_for(client, POLLIN, patience) &&
           recv(client, &byte, 1, 0) == 1;
}

static bool udp_works(const char *from, const char *ip, uint16_t port, const char *server_ns,
                      uint16_t server_port, int patience)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)}, who;
    socklen_t len = sizeof(who);
    cleanup_fd int server = socket_in(server_ns, SOCK_DGRAM, server_port);
    cleanup_fd int client = socket_in(from, SOCK_DGRAM, 0);
    char byte = 'x';

    inet_pton(AF_INET, ip, &to.sin_addr);
    /* Connected: an answer from another address than the one asked does not count. */
    return connect(client, (struct sockaddr *)&to, sizeof(to)) == 0 &&
           send(client, &byte, 1, 0) == 1 && wait_for(server, POLLIN, patience) &&
           recvfrom(server, &byte, 1, 0, (struct sockaddr *)&who, &len) == 1 &&
           sendto(server, &byte, 1, 0, (struct sockaddr *)&who, len) == 1 &&
           wait_for(client, POLLIN, patience) && recv(client, &byte, 1, 0) == 1;
}

/* ------------------------------------------------------------------ the stage */

static int lan_side(void *arg, struct err *e)
{
    struct ipv4_net addr = {.prefix = 24};
    struct rtnl_link link;
    struct nl nl;
    uint32_t gateway;

    (void)arg;
    ipv4_parse(LAN_PEER, &addr.addr);
    ipv4_parse(LAN_HOST, &gateway);
    if (nl_open(&nl, NETLINK_ROUTE, NULL, e) || rtnl_link_get(&nl, "eth0", &link, e) ||
        rtnl_addr_add(&nl, link.index, &addr, e) ||
        rtnl_link_set(&nl, link.index, &(struct rtnl_link_change){.up = true}, e) ||
        rtnl_route_set_default(&nl, gateway, link.index, e))
        return -1;
    nl_close(&nl);
    return 0;
}

/* A machine next door, which would even route to our containers if we let it. */
static void attach_lan(void)
{
    static const uint8_t mac[MAC_LEN] = {2, 0, 0, 0, 0, 9};
    struct rtnl_veth v = {.name = "lan0", .peer_name = "eth0", .mtu = 1500, .mac = mac};
    struct ipv4_net addr = {.prefix = 24};
    struct rtnl_link link;
    struct nl nl;

    lan = pin_of("lan");
    lan = xstrdup(lan);
    assert_ok(net_sandbox_ensure(lan, &e));
    v.peer_netns = open(lan, O_RDONLY | O_CLOEXEC);
    ipv4_parse(LAN_HOST, &addr.addr);
    assert_ok(nl_open(&nl, NETLINK_ROUTE, NULL, &e));
    assert_ok(rtnl_veth_add(&nl, &v, &e));
    assert_ok(rtnl_link_get(&nl, "lan0", &link, &e));
    assert_ok(rtnl_addr_add(&nl, link.index, &addr, &e));
    assert_ok(rtnl_link_set(&nl, link.index, &(struct rtnl_link_change){.up = true}, &e));
    assert_ok(netns_call(lan, lan_side, NULL, &e));
    nl_close(&nl);
    close(v.peer_netns);
}

static void join(struct guest *g, const char *id, struct network *net, const char *ip,
                 const struct port_map *ports, size_t n)
{
    guest_make(g, id, net, ip, ports, n);
    g->nep.netns_path = xstrdup(g->nep.netns_path);
    assert_ok(bridge->ensure_endpoint(&world_env, net, &g->nep, &e));
}

static int set_up(void **state)
{
    world_enter(state);
    if (world_missing)
        return 0;
    bridge = net_driver_find("bridge");
    n1 = network_make(NET_1, "n1", "10.201.0.0/24", "10.201.0.1");
    n2 = network_make(NET_2, "n2", "10.202.0.0/24", "10.202.0.1");
    assert_ok(bridge->ensure_network(&world_env, n1, &e));
    assert_ok(bridge->ensure_network(&world_env, n2, &e));
    attach_lan();
    join(&a, ID_A, n1, "10.201.0.2", a_ports, ARRAY_LEN(a_ports));
    join(&b, ID_B, n1, "10.201.0.3", NULL, 0);
    join(&c, ID_C, n2, "10.202.0.2", NULL, 0);
    return 0;
}

static int tear_down(void **state)
{
    static struct network **const nets[] = {&n1, &n2};
    static struct guest *const guests[] = {&a, &b, &c};

    if (!world_missing) {
        for (size_t i = 0; i < ARRAY_LEN(guests); i++) {
            assert_ok(bridge->remove_endpoint(&world_env, i < 2 ? n1 : n2, &guests[i]->nep, &e));
            assert_ok(net_sandbox_remove(guests[i]->nep.netns_path, &e));
            free((char *)guests[i]->nep.netns_path);
        }
        assert_ok(net_sandbox_remove(lan, &e));
        free((char *)lan);
    }
    for (size_t i = 0; i < ARRAY_LEN(nets); i++) {
        if (*nets[i])
            assert_ok(bridge->remove_network(&world_env, *nets[i], &e));
        if (*nets[i])
            network_unref(*nets[i]);
    }
    return world_leave(state);
}

/* br_netfilter sends bridged traffic through the IP hooks, on and off per namespace. */
static bool set_br_netfilter(int on)
{
    return sysctl_ensure("net/bridge/bridge-nf-call-iptables", on, ERR_IGNORE) == 0;
}

/* ------------------------------------------------------------------ tests */

static void neighbours_talk_with_and_without_br_netfilter(void **state)
{
    (void)state;
    WORLD_OR_SKIP();
    for (int on = 0; on < 2; on++) {
        if (!set_br_netfilter(on) && on)
            break;
        assert_true(
            tcp_works(b.nep.netns_path, "10.201.0.2", 1234, a.nep.netns_path, 1234, NULL, PATIENT));
        assert_true(
            udp_works(b.nep.netns_path, "10.201.0.2", 1234, a.nep.netns_path, 1234, PATIENT));
        assert_true(
            tcp_works(b.nep.netns_path, "127.0.0.1", 1234, b.nep.netns_path, 1234, NULL, PATIENT));
    }
}

static void the_host_reaches_containers_and_they_reach_the_host(void **state)
{
    (void)state;
    WORLD_OR_SKIP();
    assert_true(tcp_works(NULL, "10.201.0.2", 1234, a.nep.netns_path, 1234, NULL, PATIENT));
    assert_true(tcp_works(a.nep.netns_path, "10.201.0.1", 1234, NULL, 1234, NULL, PATIENT));
}

static void a_published_port_is_reached_from_the_host(void **state)
{
    char seen[INET_ADDRSTRLEN];

    (void)state;
    WORLD_OR_SKIP();
    assert_true(tcp_works(NULL, LAN_HOST, 8080, a.nep.netns_path, 80, NULL, PATIENT));
    assert_true(tcp_works(NULL, "127.0.0.1", 8080, a.nep.netns_path, 80, seen, PATIENT));
    assert_string_equal(seen, "10.201.0.1");
    assert_true(tcp_works(NULL, "10.201.0.1", 8080, a.nep.netns_path, 80, NULL, PATIENT));
    assert_true(tcp_works(NULL, "127.0.0.1", 8081, a.nep.netns_path, 81, NULL, PATIENT));
    assert_true(tcp_works(NULL, LAN_HOST, 8082, a.nep.netns_path, 82, NULL, PATIENT));
    assert_true(udp_works(NULL, "127.0.0.1", 8053, a.nep.netns_path, 53, PATIENT));
    assert_true(udp_works(NULL, LAN_HOST, 8053, a.nep.netns_path, 53, PATIENT));
    /* Each at its own address only. */
    assert_false(tcp_works(NULL, LAN_HOST, 8081, a.nep.netns_path, 81, NULL, IMPATIENT));
    assert_false(tcp_works(NULL, "127.0.0.1", 8082, a.nep.netns_path, 82, NULL, IMPATIENT));
}

static void a_published_port_is_reached_from_the_lan_which_is_seen_as_itself(void **state)
{
    char seen[INET_ADDRSTRLEN];

    (void)state;
    WORLD_OR_SKIP();
    assert_true(tcp_works(lan, LAN_HOST, 8080, a.nep.netns_path, 80, seen, PATIENT));
    assert_string_equal(seen, LAN_PEER);
    assert_true(tcp_works(lan, LAN_HOST, 8082, a.nep.netns_path, 82, NULL, PATIENT));
    assert_true(udp_works(lan, LAN_HOST, 8053, a.nep.netns_path, 53, PATIENT));
}

static void what_is_not_published_is_not_reached_from_the_lan(void **state)
{
    (void)state;
    WORLD_OR_SKIP();
    assert_false(tcp_works(lan, LAN_HOST, 8081, a.nep.netns_path, 81, NULL, IMPATIENT));
    /* Straight to the container, published or not. */
    assert_false(tcp_works(lan, "10.201.0.2", 1234, a.nep.netns_path, 1234, NULL, IMPATIENT));
    assert_false(tcp_works(lan, "10.201.0.2", 80, a.nep.netns_path, 80, NULL, IMPATIENT));
    assert_false(udp_works(lan, "10.201.0.2", 53, a.nep.netns_path, 53, IMPATIENT));
    /* The host's own loopback services, and ports published for it, even from a bridge that lets
     * 127/8 through. */
    assert_ok(sysctl_ensure("net/ipv4/conf/lan0/route_localnet", 1, &e));
    assert_ok(sysctl_ensure("net/ipv4/conf/all/route_localnet", 0, &e));
    assert_false(
        tcp_works(a.nep.netns_path, "10.202.0.2", 1234, c.nep.netns_path, 1234, NULL, IMPATIENT));
}

static void containers_reach_the_lan_under_the_hosts_address(void **state)
{
    char seen[INET_ADDRSTRLEN];

    (void)state;
    WORLD_OR_SKIP();
    assert_true(tcp_works(a.nep.netns_path, LAN_PEER, 1234, lan, 1234, seen, PATIENT));
    assert_string_equal(seen, LAN_HOST);
    assert_true(udp_works(c.nep.netns_path, LAN_PEER, 1234, lan, 1234, PATIENT));
}

static void networks_are_isolated_but_published_ports_are_for_all(void **state)
{
    (void)state;
    WORLD_OR_SKIP();
    for (int on = 0; on < 2; on++) {
        if (!set_br_netfilter(on) && on)
            break;
        assert_false(
            tcp_works(c.nep.netns_path, "10.201.0.2", 80, a.nep.netns_path, 80, NULL, IMPATIENT));
        assert_false(
            udp_works(c.nep.netns_path, "10.201.0.3", 99, b.nep.netns_path, 99, IMPATIENT));
        assert_ok(bridge->ensure_endpoint(&world_env, n1, &a.nep, &e));
        /* Through the host's address: from another network, a neighbour, and the container. */
        assert_true(
            tcp_works(c.nep.netns_path, LAN_HOST, 8080, a.nep.netns_path, 80, NULL, PATIENT));
        assert_true(
            tcp_works(b.nep.netns_path, LAN_HOST, 8080, a.nep.netns_path, 80, NULL, PATIENT));
        assert_true(
            tcp_works(b.nep.netns_path, "10.201.0.1", 8080, a.nep.netns_path, 80, NULL, PATIENT));
        assert_true(
            tcp_works(a.nep.netns_path, LAN_HOST, 8080, a.nep.netns_path, 80, NULL, PATIENT));
        assert_true(udp_works(a.nep.netns_path, LAN_HOST, 8053, a.nep.netns_path, 53, PATIENT));
    }
}

static void an_internal_network_talks_to_itself_only(void **state)
{
    static const char id[] = "333333333333eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee";
    static const char id_d[] = "dddddddddddd4444444444444444444444444444444444444444444444444444";
    static const char id_e[] = "eeeeeeeeeeee5555555555555555555555555555555555555555555555555555";
    static const struct port_map port = {
        .port = 80, .proto = PROTO_TCP, .host_ip = (char *)"", .host_port = 8090};
    struct network *n3 = network_make(id, "n3", "10.203.0.0/24", "10.203.0.1");
    struct guest d, e2;

    (void)state;
    WORLD_OR_SKIP();
    n3->internal = true;
    assert_ok(bridge->ensure_network(&world_env, n3, &e));
    join(&d, id_d, n3, "10.203.0.2", &port, 1);
    join(&e2, id_e, n3, "10.203.0.3", NULL, 0);
    assert_true(
        tcp_works(d.nep.netns_path, "10.203.0.3", 1234, e2.nep.netns_path, 1234, NULL, PATIENT));
    assert_false(tcp_works(d.nep.netns_path, LAN_PEER, 1234, lan, 1234, NULL, IMPATIENT));
    assert_false(tcp_works(lan, LAN_HOST, 8090, d.nep.netns_path, 80, NULL, IMPATIENT));
    assert_false(
        tcp_works(a.nep.netns_path, "10.203.0.2", 1234, d.nep.netns_path, 1234, NULL, IMPATIENT));
    /* Not even when a container adds a route by itself. */
    cleanup_free char *dump = dump_links(d.nep.netns_path);
    assert_null(strstr(dump, "route 0/0 via acb0001"));
    assert_ok(bridge->remove_endpoint(&world_env, n3, &d.nep, &e));
    assert_ok(bridge->remove_endpoint(&world_env, n3, &e2.nep, &e));
    assert_ok(bridge->remove_network(&world_env, n3, &e));
    assert_ok(net_sandbox_remove(d.nep.netns_path, &e));
    assert_ok(net_sandbox_remove(e2.nep.netns_path, &e));
    free((char *)d.nep.netns_path);
    free((char *)e2.nep.netns_path);
    network_unref(n3);
}

static void without_icc_neighbours_do_not_talk_but_published_ports_work(void **state)
{
    (void)state;
    WORLD_OR_SKIP();
    kvs_set(&n1->options, "com.docker.network.bridge.enable_icc", "false");
    for (int on = 0; on < 2; on++) {
        if (!set_br_netfilter(on) && on)
            break;
        assert_ok(bridge->ensure_network(&world_env, n1, &e));
        assert_ok(bridge->ensure_endpoint(&world_env, n1, &a.nep, &e));
        assert_ok(bridge->ensure_endpoint(&world_env, n1, &b.nep, &e));
        assert_false(
            tcp_works(b.nep.netns_path, "10.201.0.2", 80, a.nep.netns_path, 80, NULL, IMPATIENT));
        assert_true(tcp_works(NULL, "127.0.0.1", 8080, a.nep.netns_path, 80, NULL, PATIENT));
        assert_true(tcp_works(lan, LAN_HOST, 8080, a.nep.netns_path, 80, NULL, PATIENT));
        assert_true(tcp_works(b.nep.netns_path, LAN_PEER, 1234, lan, 1234, NULL, PATIENT));
    }
    kvs_del(&n1->options, "com.docker.network.bridge.enable_icc");
    assert_ok(bridge->ensure_network(&world_env, n1, &e));
    assert_ok(bridge->ensure_endpoint(&world_env, n1, &a.nep, &e));
    assert_ok(bridge->ensure_endpoint(&world_env, n1, &b.nep, &e));
    assert_true(tcp_works(b.nep.netns_path, "10.201.0.2", 80, a.nep.netns_path, 80, NULL, PATIENT));
}

static void a_new_container_with_an_old_address_is_found_at_once(void **state)
{
    int64_t began;

    (void)state;
    WORLD_OR_SKIP();
    /* Everybody knows a's address. */
    assert_true(tcp_works(b.nep.netns_path, "10.201.0.2", 80, a.nep.netns_path, 80, NULL, PATIENT));
    assert_true(tcp_works(NULL, LAN_HOST, 8080, a.nep.netns_path, 80, NULL, PATIENT));
    assert_ok(bridge->remove_endpoint(&world_env, n1, &a.nep, &e));
    assert_ok(net_sandbox_remove(a.nep.netns_path, &e));
    assert_ok(net_sandbox_ensure(a.nep.netns_path, &e));
    a.ep_id[0] = '0'; /* another endpoint, another MAC */
    began = time_mono_ms();
    assert_ok(bridge->ensure_endpoint(&world_env, n1, &a.nep, &e));
    assert_true(tcp_works(NULL, LAN_HOST, 8080, a.nep.netns_path, 80, NULL, PATIENT));
    assert_true(tcp_works(b.nep.netns_path, "10.201.0.2", 80, a.nep.netns_path, 80, NULL, PATIENT));
    print_message("reached by host and neighbour %lld ms after it was gone\n",
                  (long long)(time_mono_ms() - began));
}

static void a_default_route_moves_with_the_gateway(void **state)
{
    struct net_endpoint second = c.nep;
    struct endpoint ep = c.ep;

    (void)state;
    WORLD_OR_SKIP();
    /* c joins n1 as well, which becomes its way out. */
    ep.id = (char *)"9999999999999999";
    ep.ipv4 = (char *)"10.201.0.9";
    ep.gateway = (char *)"10.201.0.1";
    ep.ifname = (char *)"eth1";
    second.ep = &ep;
    c.nep.default_route = false;
    assert_ok(bridge->ensure_endpoint(&world_env, n1, &second, &e));
    assert_ok(bridge->ensure_endpoint(&world_env, n2, &c.nep, &e));
    cleanup_free char *via_n1 = dump_links(c.nep.netns_path);
    assert_non_null(strstr(via_n1, "route 0/0 via ac90001"));
    assert_null(strstr(via_n1, "route 0/0 via aca0001"));
    c.nep.default_route = true;
    second.default_route = false;
    assert_ok(bridge->ensure_endpoint(&world_env, n2, &c.nep, &e));
    assert_ok(bridge->ensure_endpoint(&world_env, n1, &second, &e));
    cleanup_free char *via_n2 = dump_links(c.nep.netns_path);
    assert_non_null(strstr(via_n2, "route 0/0 via aca0001"));
    assert_null(strstr(via_n2, "route 0/0 via ac90001"));
    assert_ok(bridge->remove_endpoint(&world_env, n1, &second, &e));
    assert_true(tcp_works(c.nep.netns_path, LAN_PEER, 1234, lan, 1234, NULL, PATIENT));
}

/* ------------------------------------------------------------------ many */

#define MANY 200

static void many_endpoints_cost_the_same_each(void **state)
{
    static struct guest guests[MANY];
    static struct port_map ports[MANY];
    static char ids[MANY][65], ips[MANY][IPV4_TEXT_MAX];
    int64_t first = 0, last = 0, again;
    struct network *net =
        network_make("4444444444440000000000000000000000000000000000000000000000000000", "n4",
                     "10.204.0.0/16", "10.204.0.1");

    (void)state;
    WORLD_OR_SKIP();
    assert_ok(bridge->ensure_network(&world_env, net, &e));
    for (size_t i = 0; i < MANY; i++) {
        snprintf(ids[i], sizeof(ids[i]), "f%011zx%052zx", i, i);
        ipv4_format(0x0acc0100u + (uint32_t)i, ips[i]);
        ports[i] = (struct port_map){.port = 80, .host_port = (uint16_t)(20000 + i)};
        guest_make(&guests[i], ids[i], net, ips[i], &ports[i], 1);
        guests[i].nep.netns_path = xstrdup(guests[i].nep.netns_path);
        int64_t began = time_mono_ns();
        assert_ok(bridge->ensure_endpoint(&world_env, net, &guests[i].nep, &e));
        *(i < MANY / 10 ? &first : &last) +=
            i < MANY / 10 || i >= MANY - MANY / 10 ? time_mono_ns() - began : 0;
    }
    again = time_mono_ns();
    for (size_t i = 0; i < MANY; i++)
        assert_ok(bridge->ensure_endpoint(&world_env, net, &guests[i].nep, &e));
    again = time_mono_ns() - again;
    print_message("an endpoint costs %lld us at first, %lld us after %d, %lld us to check\n",
                  (long long)(first / (MANY / 10) / 1000), (long long)(last / (MANY / 10) / 1000),
                  MANY - MANY / 10, (long long)(again / MANY / 1000));
    assert_true(tcp_works(lan, LAN_HOST, 20000 + MANY - 1, guests[MANY - 1].nep.netns_path, 80,
                          NULL, PATIENT));
    for (size_t i = 0; i < MANY; i++) {
        assert_ok(bridge->remove_endpoint(&world_env, net, &guests[i].nep, &e));
        assert_ok(net_sandbox_remove(guests[i].nep.netns_path, &e));
        free((char *)guests[i].nep.netns_path);
    }
    assert_ok(bridge->remove_network(&world_env, net, &e));
    network_unref(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(neighbours_talk_with_and_without_br_netfilter),
        cmocka_unit_test(the_host_reaches_containers_and_they_reach_the_host),
        cmocka_unit_test(a_published_port_is_reached_from_the_host),
        cmocka_unit_test(a_published_port_is_reached_from_the_lan_which_is_seen_as_itself),
        cmocka_unit_test(what_is_not_published_is_not_reached_from_the_lan),
        cmocka_unit_test(containers_reach_the_lan_under_the_hosts_address),
        cmocka_unit_test(networks_are_isolated_but_published_ports_are_for_all),
        cmocka_unit_test(an_internal_network_talks_to_itself_only),
        cmocka_unit_test(without_icc_neighbours_do_not_talk_but_published_ports_work),
        cmocka_unit_test(a_new_container_with_an_old_address_is_found_at_once),
        cmocka_unit_test(a_default_route_moves_with_the_gateway),
        cmocka_unit_test(many_endpoints_cost_the_same_each),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
