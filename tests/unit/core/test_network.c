#include "base/mem.h"
#include "core/network.h"
#include "tests/unit/unit.h"

static int decode(const char *text, struct network *n, struct err *e)
{
    cleanup_json struct json_doc doc = {0};
    struct json root;

    if (json_parse(text, strlen(text), &doc, e))
        return -1;
    root = json_root(&doc);
    return network_decode(&root, n, e);
}

static void a_create_body_is_understood(void **state)
{
    cleanup_network struct network *n = network_new();

    (void)state;
    assert_ok(
        decode("{\"name\":\"front\",\"Internal\":true,\"IPAM\":{\"Driver\":\"\",\"Options\":{}"
               ",\"Config\":[{\"Subnet\":\"10.1.0.0/16\",\"IPRange\":\"10.1.1.0/24\","
               "\"Gateway\":\"10.1.0.1\",\"AuxiliaryAddresses\":{\"r\":\"10.1.0.9\"}}]},"
               "\"Options\":{\"com.docker.network.driver.mtu\":\"1400\"},\"Labels\":{\"a\":"
               "\"b\"}}",
               n, &e));
    assert_string_equal(n->name, "front");
    assert_string_equal(n->driver, "bridge");
    assert_string_equal(n->ipam_driver, "default");
    assert_true(n->internal && n->enable_ipv4 && n->ipam_options_set);
    assert_false(n->pools_auto);
    assert_int_equal(n->n_pools, 1);
    assert_string_equal(n->pools[0].ip_range, "10.1.1.0/24");
    assert_string_equal(kvs_get(&n->pools[0].aux, "r"), "10.1.0.9");
    assert_string_equal(kvs_get(&n->labels, "a"), "b");
}

static void without_pools_they_are_ours_to_choose(void **state)
{
    cleanup_network struct network *n = network_new();

    (void)state;
    assert_ok(decode("{\"Name\":\"n\",\"IPAM\":{\"Config\":[]}}", n, &e));
    assert_true(n->pools_auto);
}

static void what_moby_refuses_is_refused_in_its_words(void **state)
{
    static const struct {
        const char *body, *message;
    } cases[] = {
        {"{}",                                             "invalid name: name is empty"                     },
        {"{\"Name\":\"\"}",                                "invalid name: name is empty"                     },
        {"{\"Name\":\"x\",\"EnableIPv4\":false}",          "IPv4 or IPv6 must be enabled"                    },
        {"{\"Name\":\"x\",\"IPAM\":{\"Driver\":\"foo\"}}", "plugin \"foo\" not found"                        },
        {"{\"Name\":\"x\",\"Ingress\":true}",              "Ingress network can only be global scope network"},
        {"{\"Name\":\"x\",\"ConfigOnly\":true}",           "configuration-only networks are not supported"   },
        {"{\"Name\":5}",                                   "Name: must be a string"                          },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        cleanup_network struct network *n = network_new();
        struct err e = ERR_INIT;

        assert_int_equal(decode(cases[i].body, n, &e), -1);
        assert_string_equal(e.msg, cases[i].message);
    }
}

static void store_load_and_copy_are_the_identity(void **state)
{
    cleanup_network struct network *n = network_new(), *m = network_new(), *copy = NULL;
    cleanup_buf struct buf a = BUF_INIT(1 << 20), b = BUF_INIT(1 << 20), c = BUF_INIT(1 << 20);
    struct jsonw wa = JSONW_INIT(&a), wb = JSONW_INIT(&b), wc = JSONW_INIT(&c);
    cleanup_json struct json_doc doc = {0};
    struct json root;

    (void)state;
    assert_ok(decode("{\"Name\":\"front\",\"Attachable\":true,\"EnableIPv6\":true,\"IPAM\":{"
                     "\"Config\":[{\"Subnet\":\"10.1.0.0/16\"},{\"Subnet\":\"fd00::/64\"}]}}",
                     n, &e));
    n->created_ns = 5;
    n->absent = n->predefined = true;
    str_set(&n->app, "shop");
    str_set(&n->key, "front");
    str_set(&n->spec_hash, "ff");
    network_store(n, &wa);
    assert_ok(json_parse(a.data, a.len, &doc, &e));
    root = json_root(&doc);
    assert_ok(network_load(&root, m, &e));
    network_store(m, &wb);
    copy = network_copy(m);
    network_store(copy, &wc);
    assert_string_equal(a.data, b.data);
    assert_string_equal(a.data, c.data);
    assert_true(m->absent && m->predefined && m->attachable && m->enable_ipv6);
    assert_string_equal(m->pools[1].subnet, "fd00::/64");
    assert_null(m->pools[1].gateway);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_create_body_is_understood),
        cmocka_unit_test(without_pools_they_are_ours_to_choose),
        cmocka_unit_test(what_moby_refuses_is_refused_in_its_words),
        cmocka_unit_test(store_load_and_copy_are_the_identity),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
