/* Contract tests of the drivers: ensure twice is ensure once, removing the absent succeeds, and
 * nothing of others is touched.  No traffic here; that is test_traffic. */
#include "tests/unit/netdrivers/world.h"

#include "netdrivers/firewall.h"
#include "netdrivers/mark.h"

static const struct net_driver_ops *driver(const char *name)
{
    const struct net_driver_ops *d = net_driver_find(name);

    assert_non_null(d);
    return d;
}

static bool link_exists(const char *name)
{
    struct rtnl_link link;
    struct nl nl;
    bool found;

    assert_ok(nl_open(&nl, NETLINK_ROUTE, NULL, &e));
    found = rtnl_link_get(&nl, name, &link, ERR_IGNORE) == 0;
    nl_close(&nl);
    return found;
}

static void every_driver_is_found_by_its_name_and_no_other(void **state)
{
    (void)state;
    assert_string_equal(driver("bridge")->name, "bridge");
    assert_string_equal(driver("host")->name, "host");
    assert_string_equal(driver("null")->name, "null");
    assert_null(net_driver_find("none"));
    assert_null(net_driver_find("overlay"));
}

static void every_driver_ensures_twice_as_once_and_removes_twice(void **state)
{
    static const char *const names[] = {"bridge", "host", "null"};
    static const struct port_map port = {
        .port = 80, .proto = PROTO_TCP, .host_ip = (char *)"0.0.0.0", .host_port = 8080};

    (void)state;
    WORLD_OR_SKIP();
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const struct net_driver_ops *d = driver(names[i]);
        struct network *net = network_make(NET_1, "n1", "10.201.0.0/24", "10.201.0.1");
        struct guest g;

        guest_make(&g, ID_A, net, "10.201.0.2", &port, 1);
        cleanup_free char *before = dump_links(g.nep.netns_path);
        assert_ok(d->check(net, &e));
        assert_ok(d->ensure_network(&world_env, net, &e));
        assert_ok(d->ensure_endpoint(&world_env, net, &g.nep, &e));
        cleanup_free char *first = dump_world(g.nep.netns_path);
        assert_ok(d->ensure_network(&world_env, net, &e));
        assert_ok(d->ensure_endpoint(&world_env, net, &g.nep, &e));
        cleanup_free char *second = dump_world(g.nep.netns_path);
        assert_string_equal(first, second);
        for (int k = 0; k < 2; k++) {
            assert_ok(d->remove_endpoint(&world_env, net, &g.nep, &e));
            assert_ok(d->remove_network(&world_env, net, &e));
        }
        /* The firewall's table stays; its elements and every interface are gone. */
        cleanup_free char *after = dump_links(g.nep.netns_path);
        cleanup_free char *rules = dump_world(NULL);
        assert_string_equal(before, after);
        assert_null(strstr(rules, ID_A));
        assert_null(strstr(rules, NET_1));
        assert_ok(net_sandbox_remove(g.nep.netns_path, &e));
        network_unref(net);
    }
}

static void an_endpoint_has_name_mac_address_and_route(void **state)
{
    struct network *net = network_make(NET_1, "n1", "10.201.0.0/24", "10.201.0.1");
    struct guest g;
    char mac[18];

    (void)state;
    WORLD_OR_SKIP();
    guest_make(&g, ID_A, net, "10.201.0.7", NULL, 0);
    g.ep.ifname = (char *)"eth3";
    g.ep.mac = (char *)"02:11:22:33:44:55";
    assert_ok(driver("bridge")->ensure_network(&world_env, net, &e));
    assert_ok(driver("bridge")->ensure_endpoint(&world_env, net, &g.nep, &e));
    cleanup_free char *dump = dump_world(g.nep.netns_path);
    assert_non_null(strstr(dump, " eth3 veth"));
    assert_non_null(strstr(dump, "mac 4455"));
    assert_non_null(strstr(dump, " ac90007/24\n"));
    assert_non_null(strstr(dump, "route 0/0 via ac90001"));
    assert_non_null(strstr(dump, "alias ballast:btest:" ID_A));
    assert_non_null(strstr(dump, "alias ballast:btest:network:" NET_1));
    net_mac_for("10.201.0.7", g.ep.id, mac);
    assert_int_equal(mac[1] == '2' || mac[1] == '6' || mac[1] == 'a' || mac[1] == 'e', 1);
    assert_ok(driver("bridge")->remove_endpoint(&world_env, net, &g.nep, &e));
    assert_ok(driver("bridge")->remove_network(&world_env, net, &e));
    assert_ok(net_sandbox_remove(g.nep.netns_path, &e));
    network_unref(net);
}

static void half_of_an_endpoint_is_made_whole(void **state)
{
    const struct net_driver_ops *d = driver("bridge");
    struct network *net = network_make(NET_1, "n1", "10.201.0.0/24", "10.201.0.1");
    struct guest g;

    (void)state;
    WORLD_OR_SKIP();
    guest_make(&g, ID_A, net, "10.201.0.2", NULL, 0);
    assert_ok(d->ensure_network(&world_env, net, &e));
    assert_ok(d->ensure_endpoint(&world_env, net, &g.nep, &e));
    /* The namespace dies and is made anew: the old pair went with it. */
    assert_ok(net_sandbox_remove(g.nep.netns_path, &e));
    assert_ok(net_sandbox_ensure(g.nep.netns_path, &e));
    assert_ok(d->ensure_endpoint(&world_env, net, &g.nep, &e));
    /* Somebody deletes the bridge: it comes back, with the port. */
    struct rtnl_link link;
    struct nl nl;
    assert_ok(nl_open(&nl, NETLINK_ROUTE, NULL, &e));
    assert_ok(rtnl_link_get(&nl, "br-111111111111", &link, &e));
    assert_ok(rtnl_link_del(&nl, link.index, &e));
    nl_close(&nl);
    assert_ok(d->ensure_endpoint(&world_env, net, &g.nep, &e));
    assert_true(link_exists("br-111111111111"));
    /* Another endpoint of the same container takes over the inner name. */
    g.ep.id = (char *)"ffffffffffff0000";
    assert_ok(d->ensure_endpoint(&world_env, net, &g.nep, &e));
    assert_true(link_exists("vethfffffffffff"));
    /* The bridge is made without mark, as a crash would leave it. */
    assert_ok(d->remove_endpoint(&world_env, net, &g.nep, &e));
    assert_ok(d->remove_network(&world_env, net, &e));
    assert_ok(nl_open(&nl, NETLINK_ROUTE, NULL, &e));
    assert_ok(rtnl_bridge_add(&nl, "br-111111111111", (const uint8_t[6]){2, 0, 0, 0, 0, 1}, &e));
    nl_close(&nl);
    assert_ok(d->ensure_network(&world_env, net, &e));
    assert_ok(d->remove_network(&world_env, net, &e));
    assert_false(link_exists("br-111111111111"));
    assert_ok(net_sandbox_remove(g.nep.netns_path, &e));
    network_unref(net);
}

static void an_administrators_bridge_is_used_and_kept(void **state)
{
    const struct net_driver_ops *d = driver("bridge");
    struct network *net = network_make(NET_1, "n1", "10.201.0.0/24", "10.201.0.1");
    struct nl nl;

    (void)state;
    WORLD_OR_SKIP();
    kvs_set(&net->options, "com.docker.network.bridge.name", "adm0");
    assert_ok(nl_open(&nl, NETLINK_ROUTE, NULL, &e));
    assert_ok(rtnl_bridge_add(&nl, "adm0", (const uint8_t[6]){2, 0, 0, 0, 0, 1}, &e));
    assert_ok(d->ensure_network(&world_env, net, &e));
    assert_ok(d->remove_network(&world_env, net, &e));
    assert_true(link_exists("adm0"));
    struct rtnl_link link;
    assert_ok(rtnl_link_get(&nl, "adm0", &link, &e));
    assert_ok(rtnl_link_del(&nl, link.index, &e));
    /* A named bridge of our own making goes. */
    assert_ok(d->ensure_network(&world_env, net, &e));
    assert_true(link_exists("adm0"));
    assert_ok(d->remove_network(&world_env, net, &e));
    assert_false(link_exists("adm0"));
    /* Something that is no bridge is left alone. */
    kvs_set(&net->options, "com.docker.network.bridge.name", "lo");
    assert_err(d->ensure_network(&world_env, net, &e), ERR_CONFLICT);
    nl_close(&nl);
    network_unref(net);
}

static void the_sweep_takes_ours_and_only_ours(void **state)
{
    const struct net_driver_ops *d = driver("bridge");
    struct net_env other = world_env;
    struct network *mine = network_make(NET_1, "n1", "10.201.0.0/24", "10.201.0.1");
    struct network *theirs = network_make(NET_2, "n2", "10.202.0.0/24", "10.202.0.1");
    static const struct port_map port = {
        .port = 80, .proto = PROTO_TCP, .host_ip = (char *)"", .host_port = 8080};
    static const struct port_map port2 = {
        .port = 80, .proto = PROTO_TCP, .host_ip = (char *)"", .host_port = 8081};
    cleanup_strv struct strv none = {0};
    cleanup_strv struct strv removed = {0};
    cleanup_strv struct strv ids = {0}, nets = {0};
    struct guest a, b;

    (void)state;
    WORLD_OR_SKIP();
    other.instance = "btest-2";
    other.exec_root = "/tmp/ballast-net-test-none";
    guest_make(&a, ID_A, mine, "10.201.0.2", &port, 1);
    guest_make(&b, ID_B, theirs, "10.202.0.2", &port2, 1);
    assert_ok(d->ensure_network(&world_env, mine, &e));
    assert_ok(d->ensure_endpoint(&world_env, mine, &a.nep, &e));
    assert_ok(d->ensure_network(&other, theirs, &e));
    assert_ok(d->ensure_endpoint(&other, theirs, &b.nep, &e));
    strv_add(&ids, ID_A);
    strv_add(&ids, ID_B);
    strv_add(&nets, NET_1);
    cleanup_free char *before = dump_world(NULL);
    assert_ok(net_sweep(&world_env, &ids, &nets, &removed, &e));
    assert_int_equal(removed.n, 0);
    cleanup_free char *kept = dump_world(NULL);
    assert_string_equal(before, kept);
    strv_remove_at(&ids, 0);
    assert_ok(net_sweep(&world_env, &ids, &none, &removed, &e));
    cleanup_free char *after = dump_world(NULL);
    assert_null(strstr(after, ID_A));
    assert_null(strstr(after, NET_1));
    assert_non_null(strstr(after, "alias ballast:btest-2:" ID_B));
    assert_non_null(strstr(after, "network " NET_2));
    assert_false(netns_is_pinned(a.nep.netns_path));
    assert_true(netns_is_pinned(b.nep.netns_path));
    assert_true(removed.n >= 4);
    assert_ok(net_sweep(&other, &none, &none, &removed, &e));
    assert_ok(net_sandbox_remove(b.nep.netns_path, &e));
    network_unref(mine);
    network_unref(theirs);
}

static void a_flushed_firewall_comes_back(void **state)
{
    const struct net_driver_ops *d = driver("bridge");
    static const char *const flushes[] = {"flush ruleset", "flush table ip btest",
                                          "flush set ip btest edition"};
    struct network *net = network_make(NET_1, "n1", "10.201.0.0/24", "10.201.0.1");
    static const struct port_map port = {
        .port = 53, .proto = PROTO_UDP, .host_ip = (char *)"127.0.0.1", .host_port = 8053};
    struct guest g;

    (void)state;
    WORLD_OR_SKIP();
    guest_make(&g, ID_A, net, "10.201.0.2", &port, 1);
    for (size_t i = 0; i < ARRAY_LEN(flushes); i++) {
        const char *const argv[] = {"nft", flushes[i], NULL};
        int code;

        assert_ok(d->ensure_network(&world_env, net, &e));
        assert_ok(process_run(argv, NULL, 0, NULL, NULL, NULL, &code, &e));
        assert_int_equal(code, 0);
        assert_ok(d->ensure_endpoint(&world_env, net, &g.nep, &e));
        cleanup_free char *dump = dump_world(NULL);
        assert_non_null(strstr(dump, "127.0.0.1 . udp . 8053"));
        assert_non_null(strstr(dump, "10.201.0.2 . 53"));
        assert_non_null(strstr(dump, "\"br-111111111111\" . \"br-111111111111\""));
        assert_non_null(strstr(dump, "oifname @bridges drop"));
    }
    assert_ok(d->remove_endpoint(&world_env, net, &g.nep, &e));
    assert_ok(d->remove_network(&world_env, net, &e));
    assert_ok(net_sandbox_remove(g.nep.netns_path, &e));
    network_unref(net);
}

static void options_are_checked_in_dockers_words(void **state)
{
    static const struct {
        const char *key, *value;
        enum err_kind kind;
        const char *text; /* "": any */
    } rows[] = {
        {"com.docker.network.bridge.enable_icc",        "false",             ERR_OK,          ""                                                       },
        {"com.docker.network.bridge.enable_icc",        "maybe",             ERR_INVALID,
         "failed to parse com.docker.network.bridge.enable_icc value: maybe (strconv.ParseBool: "
         "parsing \"maybe\": invalid syntax)"                                                                                                          },
        {"com.docker.network.driver.mtu",               "1400",              ERR_OK,          ""                                                       },
        {"com.docker.network.driver.mtu",               "abc",               ERR_INVALID,
         "failed to parse com.docker.network.driver.mtu value: abc (strconv.Atoi: parsing "
         "\"abc\": invalid syntax)"                                                                                                                    },
        {"com.docker.network.driver.mtu",               "12",                ERR_INVALID,     ""                                                       },
        {"com.docker.network.bridge.name",              "a/b",               ERR_INVALID,     ""                                                       },
        {"com.docker.network.bridge.name",              "way-too-long-name", ERR_INVALID,     ""                                                       },
        {"com.docker.network.bridge.gateway_mode_ipv4", "nat",               ERR_OK,          ""                                                       },
        {"com.docker.network.bridge.gateway_mode_ipv4", "routed",            ERR_UNSUPPORTED, ""                                                       },
        {"com.docker.network.bridge.host_binding_ipv4", "1.2.3",             ERR_INVALID,     ""                                                       },
        {"foo",                                         "bar",               ERR_INVALID,     "unknown option \"foo\" for a network with driver bridge"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct network *net = network_make(NET_1, "n1", "10.201.0.0/24", "10.201.0.1");
        struct err e = ERR_INIT;

        kvs_set(&net->options, rows[i].key, rows[i].value);
        int r = driver("bridge")->check(net, &e);
        assert_int_equal(r, rows[i].kind == ERR_OK ? 0 : -1);
        assert_int_equal(e.kind, rows[i].kind);
        if (rows[i].text[0])
            assert_string_equal(e.msg, rows[i].text);
        network_unref(net);
    }
}

static void a_mark_is_read_by_its_own_instance_only(void **state)
{
    char alias[RTNL_ALIAS_MAX];
    const char *id = NULL;

    (void)state;
    mark_container("one", ID_A, alias);
    assert_int_equal(mark_read("one", alias, &id), MARK_CONTAINER);
    assert_string_equal(id, ID_A);
    assert_int_equal(mark_read("on", alias, &id), MARK_NONE);
    assert_int_equal(mark_read("one2", alias, &id), MARK_NONE);
    mark_network("one", NET_1, alias);
    assert_int_equal(mark_read("one", alias, &id), MARK_NETWORK);
    assert_string_equal(id, NET_1);
    assert_int_equal(mark_read("one", "", &id), MARK_NONE);
}

static void a_sandbox_survives_what_a_crash_leaves(void **state)
{
    const char *path = pin_of("sandbox");

    (void)state;
    WORLD_OR_SKIP();
    assert_ok(net_sandbox_remove(path, &e));
    assert_ok(net_sandbox_ensure(path, &e));
    assert_ok(net_sandbox_ensure(path, &e));
    assert_true(netns_is_pinned(path));
    assert_ok(net_sandbox_remove(path, &e));
    assert_false(fs_exists(path));
    /* A file without a mount. */
    assert_ok(fs_write_atomic(path, "", 0, 0600, false, &e));
    assert_ok(net_sandbox_ensure(path, &e));
    assert_true(netns_is_pinned(path));
    /* Mounts stacked by a race. */
    assert_int_equal(mount("/proc/self/ns/net", path, NULL, MS_BIND, NULL), 0);
    assert_ok(net_sandbox_remove(path, &e));
    assert_ok(net_sandbox_remove(path, &e));
    assert_false(fs_exists(path));
    /* Something else is not ours to delete. */
    assert_ok(fs_mkdir_p(path, 0700, &e));
    assert_err(net_sandbox_remove(path, &e), ERR_INVALID);
    assert_int_equal(rmdir(path), 0);
}

static void the_doctor_looks_and_changes_nothing(void **state)
{
    cleanup_strv struct strv lines = {0};

    (void)state;
    WORLD_OR_SKIP();
    cleanup_free char *before = dump_world(NULL);
    net_doctor(&lines);
    cleanup_free char *after = dump_world(NULL);
    assert_true(lines.n >= 5);
    for (size_t i = 0; i < lines.n; i++) {
        cleanup_strv struct strv fields = {0};

        strv_split(&fields, lines.v[i], '\t');
        assert_int_equal(fields.n, 3);
    }
    /* iptables may make its empty chains when asked; ours is what must not change. */
    assert_ptr_equal(strstr(before, "btest_doctor"), NULL);
    assert_ptr_equal(strstr(after, "btest_doctor"), NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_driver_is_found_by_its_name_and_no_other),
        cmocka_unit_test(every_driver_ensures_twice_as_once_and_removes_twice),
        cmocka_unit_test(an_endpoint_has_name_mac_address_and_route),
        cmocka_unit_test(half_of_an_endpoint_is_made_whole),
        cmocka_unit_test(an_administrators_bridge_is_used_and_kept),
        cmocka_unit_test(the_sweep_takes_ours_and_only_ours),
        cmocka_unit_test(a_flushed_firewall_comes_back),
        cmocka_unit_test(options_are_checked_in_dockers_words),
        cmocka_unit_test(a_mark_is_read_by_its_own_instance_only),
        cmocka_unit_test(a_sandbox_survives_what_a_crash_leaves),
        cmocka_unit_test(the_doctor_looks_and_changes_nothing),
    };

    return cmocka_run_group_tests(tests, world_enter, world_leave);
}
