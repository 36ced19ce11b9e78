/* Which subnet, which address, and the words of a refusal. */
#include "base/mem.h"
#include "base/str.h"
#include "core/net_driver.h"
#include "netdrivers/ipv4.h"
#include "tests/unit/unit.h"

static const struct net_pool_base bases[] = {
    {"172.17.0.0/16",  16},
    {"172.18.0.0/15",  16},
    {"192.168.0.0/22", 24},
};

static void pools_are_chosen_in_order_around_what_is_taken(void **state)
{
    static const char *const expect[] = {"172.17.0.0/16",  "172.18.0.0/16",  "172.19.0.0/16",
                                         "192.168.0.0/24", "192.168.1.0/24", "192.168.3.0/24"};
    cleanup_strv struct strv taken = {0};
    struct err e = ERR_INIT;
    char *subnet;

    (void)state;
    strv_add(&taken, "192.168.2.17/32");
    strv_add(&taken, "fd00::/64");
    for (size_t i = 0; i < ARRAY_LEN(expect); i++) {
        assert_int_equal(ipam_choose_pool(bases, ARRAY_LEN(bases), &taken, false, &subnet, &e), 0);
        assert_string_equal(subnet, expect[i]);
        strv_take(&taken, subnet);
    }
    assert_int_equal(ipam_choose_pool(bases, ARRAY_LEN(bases), &taken, false, &subnet, &e), -1);
    assert_string_equal(e.msg, "all predefined address pools have been fully subnetted");
}

static void a_taken_subnet_larger_than_the_base_takes_all_of_it(void **state)
{
    cleanup_strv struct strv taken = {0};
    cleanup_free char *subnet = NULL;

    (void)state;
    strv_add(&taken, "172.16.0.0/12");
    assert_ok(ipam_choose_pool(bases, ARRAY_LEN(bases), &taken, false, &subnet, &e));
    assert_string_equal(subnet, "192.168.0.0/24");
}

static void the_last_subnet_of_the_address_space_can_be_chosen(void **state)
{
    static const struct net_pool_base edge = {"255.255.254.0/23", 24};
    cleanup_strv struct strv taken = {0};
    cleanup_free char *subnet = NULL;

    (void)state;
    strv_add(&taken, "255.255.254.0/24");
    assert_ok(ipam_choose_pool(&edge, 1, &taken, false, &subnet, &e));
    assert_string_equal(subnet, "255.255.255.0/24");
    strv_add(&taken, "255.255.255.0/24");
    assert_err(ipam_choose_pool(&edge, 1, &taken, false, &subnet, &e), ERR_INVALID);
}

static void a_live_address_of_the_host_is_avoided(void **state)
{
    static const struct net_pool_base loopback[] = {
        {"127.0.0.0/8",   8 },
        {"198.18.0.0/16", 24}
    };
    cleanup_strv struct strv taken = {0};
    cleanup_free char *subnet = NULL;

    (void)state;
    /* Everybody has 127.0.0.1. */
    assert_ok(ipam_choose_pool(loopback, ARRAY_LEN(loopback), &taken, true, &subnet, &e));
    assert_string_not_equal(subnet, "127.0.0.0/8");
}

static void an_overlap_is_refused_in_dockers_words(void **state)
{
    cleanup_strv struct strv taken = {0};
    struct err e = ERR_INIT;

    (void)state;
    strv_add(&taken, "10.0.0.0/8");
    assert_int_equal(ipam_check_overlap("10.3.0.0/24", &taken, &e), -1);
    assert_string_equal(e.msg,
                        "invalid pool request: Pool overlaps with other one on this address space");
    assert_int_equal(ipam_check_overlap("11.0.0.0/24", &taken, &e), 0);
}

static void pools_are_checked_in_dockers_words(void **state)
{
    static const struct {
        const char *subnet, *range, *gateway, *aux, *text;
    } rows[] = {
        {"10.9.0.1/24", NULL,          NULL,         NULL,
         "invalid network config:\ninvalid subnet 10.9.0.1/24: it should be 10.9.0.0/24"   },
        {"foo",         NULL,          NULL,         NULL,
         "invalid network config:\ninvalid subnet foo: invalid CIDR block notation"        },
        {"10.9.0.0/33", NULL,          NULL,         NULL,
         "invalid network config:\ninvalid subnet 10.9.0.0/33: invalid CIDR block notation"},
        {NULL,          NULL,          "10.8.0.1",   NULL,
         "invalid network config:\ninvalid subnet : invalid CIDR block notation"           },
        {"10.9.0.0/24", NULL,          "10.8.0.1",   NULL,
         "invalid network config:\ninvalid gateway 10.8.0.1: parent subnet 10.9.0.0/24 doesn't "
         "contain this address"                                                            },
        {"10.9.0.0/24", NULL,          "10.8.0.300", NULL,
         "invalid network config:\ninvalid gateway 10.8.0.300: invalid address"            },
        {"10.9.0.0/24", NULL,          "10.9.0.0",   NULL,
         "failed to allocate gateway (10.9.0.0): Address already in use"                   },
        {"10.9.0.0/24", "10.8.0.0/25", NULL,         NULL,
         "invalid network config:\ninvalid ip-range 10.8.0.0/25: parent subnet 10.9.0.0/24 "
         "doesn't contain ip-range"                                                        },
        {"10.9.0.0/24", "10.9.0.0/16", NULL,         NULL,
         "invalid network config:\ninvalid ip-range 10.9.0.0/16: CIDR block is bigger than its "
         "parent subnet 10.9.0.0/24"                                                       },
        {"10.9.0.0/24", "10.9.0.1/25", NULL,         NULL,
         "invalid network config:\ninvalid ip-range 10.9.0.1/25: it should be 10.9.0.0/25" },
        {"10.9.0.0/24", NULL,          NULL,         "10.8.0.1",
         "invalid network config:\ninvalid auxiliary address x: parent subnet 10.9.0.0/24 "
         "doesn't contain this address"                                                    },
        {"10.9.0.0/24", NULL,          NULL,         "foo",
         "invalid network config:\ninvalid auxiliary address x: invalid address"           },
        {"10.9.0.0/24", NULL,          "10.9.0.7",   "10.9.0.7",
         "failed to allocate secondary ip address (x:10.9.0.7): Address already in use"    },
        {"10.9.0.0/24", "foo",         "10.8.0.1",   NULL,
         "invalid network config:\n* invalid ip-range foo: invalid CIDR block notation\n* invalid "
         "gateway 10.8.0.1: parent subnet 10.9.0.0/24 doesn't contain this address"        },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ipam_pool pool = {.subnet = (char *)rows[i].subnet,
                                 .ip_range = (char *)rows[i].range,
                                 .gateway = (char *)rows[i].gateway};
        struct err e = ERR_INIT;

        if (rows[i].aux)
            kvs_set(&pool.aux, "x", rows[i].aux);
        assert_int_equal(ipam_check_pool(&pool, &e), -1);
        assert_string_equal(e.msg, rows[i].text);
        kvs_release(&pool.aux);
    }
}

static void a_missing_gateway_is_the_first_free_address(void **state)
{
    static const struct {
        const char *subnet, *range, *aux, *gateway;
    } rows[] = {
        {"10.9.0.0/24", NULL,            NULL,       "10.9.0.1"  },
        {"10.9.0.0/24", NULL,            "10.9.0.1", "10.9.0.2"  },
        {"10.9.0.0/24", "10.9.0.128/25", NULL,       "10.9.0.128"},
        {"10.9.0.0/31", NULL,            NULL,       "10.9.0.0"  },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ipam_pool pool = {.subnet = (char *)rows[i].subnet,
                                 .ip_range = (char *)rows[i].range};

        if (rows[i].aux)
            kvs_set(&pool.aux, "x", rows[i].aux);
        assert_ok(ipam_check_pool(&pool, &e));
        assert_string_equal(pool.gateway, rows[i].gateway);
        free(pool.gateway);
        kvs_release(&pool.aux);
    }
}

static void addresses_are_the_lowest_free_ones_until_none_is_left(void **state)
{
    struct ipam_pool pool = {.subnet = (char *)"10.9.0.0/29", .gateway = (char *)"10.9.0.2"};
    static const char *const expect[] = {"10.9.0.1", "10.9.0.3", "10.9.0.5", "10.9.0.6"};
    cleanup_strv struct strv used = {0};
    struct err e = ERR_INIT;
    char *addr;

    (void)state;
    kvs_set(&pool.aux, "router", "10.9.0.4");
    for (size_t i = 0; i < ARRAY_LEN(expect); i++) {
        assert_int_equal(ipam_allocate(&pool, &used, NULL, &addr, &e), 0);
        assert_string_equal(addr, expect[i]);
        strv_take(&used, addr);
    }
    assert_int_equal(ipam_allocate(&pool, &used, NULL, &addr, &e), -1);
    assert_string_equal(e.msg, "no available IPv4 addresses on this network's address pools");
    strv_remove_at(&used, 1);
    assert_int_equal(ipam_allocate(&pool, &used, "", &addr, &e), 0);
    assert_string_equal(addr, "10.9.0.3");
    free(addr);
    kvs_release(&pool.aux);
}

static void a_wanted_address_is_given_or_refused_in_dockers_words(void **state)
{
    struct ipam_pool pool = {.subnet = (char *)"10.9.0.0/24",
                             .ip_range = (char *)"10.9.0.128/25",
                             .gateway = (char *)"10.9.0.1"};
    cleanup_strv struct strv used = {0};
    struct err e = ERR_INIT;
    char *addr;

    (void)state;
    strv_add(&used, "10.9.0.200");
    /* Outside the range but inside the subnet is allowed, as Docker has it. */
    assert_int_equal(ipam_allocate(&pool, &used, "10.9.0.77", &addr, &e), 0);
    assert_string_equal(addr, "10.9.0.77");
    free(addr);
    assert_int_equal(ipam_allocate(&pool, &used, "10.8.0.1", &addr, &e), -1);
    assert_string_equal(e.msg, "no configured subnet or ip-range contain the IP address 10.8.0.1");
    static const char *const taken[] = {"10.9.0.200", "10.9.0.1", "10.9.0.0", "10.9.0.255"};
    for (size_t i = 0; i < ARRAY_LEN(taken); i++) {
        assert_int_equal(ipam_allocate(&pool, &used, taken[i], &addr, &e), -1);
        assert_string_equal(e.msg, "Address already in use");
    }
    assert_int_equal(ipam_allocate(&pool, &used, NULL, &addr, &e), 0);
    assert_string_equal(addr, "10.9.0.128");
    free(addr);
}

static void subnets_are_parsed_strictly(void **state)
{
    static const char *const bad[] = {"",          "10.0.0.0",  "10.0.0.0/",   "10.0.0.0/33",
                                      "/8",        "10.0.0/8",  "10.0.0.0/8x", "10.0.0.0/-1",
                                      "fd00::/64", "a.b.c.d/8", "10.0.0.0/008"};
    struct ipv4_net net;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(ipv4_net_parse(bad[i], &net));
    assert_true(ipv4_net_parse("0.0.0.0/0", &net));
    assert_int_equal(ipam_prefix_len("10.0.0.0/20"), 20);
}

static void a_mac_is_stable_local_and_unicast(void **state)
{
    char a[18], b[18], c[18];

    (void)state;
    net_mac_for("10.0.0.1", "endpoint-1", a);
    net_mac_for("10.0.0.2", "endpoint-1", b);
    net_mac_for("10.0.0.1", "endpoint-2", c);
    assert_string_equal(a, b);
    assert_string_not_equal(a, c);
    assert_int_equal(strlen(a), 17);
    unsigned first;
    assert_int_equal(sscanf(a, "%2x", &first), 1);
    assert_int_equal(first & 3u, 2u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pools_are_chosen_in_order_around_what_is_taken),
        cmocka_unit_test(a_taken_subnet_larger_than_the_base_takes_all_of_it),
        cmocka_unit_test(the_last_subnet_of_the_address_space_can_be_chosen),
        cmocka_unit_test(a_live_address_of_the_host_is_avoided),
        cmocka_unit_test(an_overlap_is_refused_in_dockers_words),
        cmocka_unit_test(pools_are_checked_in_dockers_words),
        cmocka_unit_test(a_missing_gateway_is_the_first_free_address),
        cmocka_unit_test(addresses_are_the_lowest_free_ones_until_none_is_left),
        cmocka_unit_test(a_wanted_address_is_given_or_refused_in_dockers_words),
        cmocka_unit_test(subnets_are_parsed_strictly),
        cmocka_unit_test(a_mac_is_stable_local_and_unicast),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
