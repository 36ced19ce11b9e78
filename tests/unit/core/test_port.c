#include "base/mem.h"
#include "core/container.h"
#include "tests/unit/unit.h"

static void ports_are_read_in_every_form(void **state)
{
    static const struct {
        const char *text;
        uint16_t first, last;
        enum proto proto;
    } cases[] = {
        {"80",         80,    80,    PROTO_TCP },
        {"80/udp",     80,    80,    PROTO_UDP },
        {"80-90/SCTP", 80,    90,    PROTO_SCTP},
        {"65535",      65535, 65535, PROTO_TCP },
        {"0",          0,     0,     PROTO_TCP },
        {"80/",        80,    80,    PROTO_TCP },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint16_t first, last;
        enum proto proto;

        assert_ok(port_parse(cases[i].text, &first, &last, &proto, &e));
        assert_int_equal(first, cases[i].first);
        assert_int_equal(last, cases[i].last);
        assert_int_equal(proto, cases[i].proto);
    }
}

static void what_is_no_port_is_refused(void **state)
{
    static const char *const bad[] = {"",      "x",   "65536", "-1",    "+80",  " 80",  "80 ",
                                      "90-80", "80-", "-80",   "1-2-3", "80/x", "0x50", "080000"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        uint16_t first, last;
        enum proto proto;

        assert_err(port_parse(bad[i], &first, &last, &proto, &e), ERR_INVALID);
    }
}

static void bindings_keep_their_ranges_and_addresses(void **state)
{
    static const char body[] =
        "{\"Image\":\"x\",\"HostConfig\":{\"PortBindings\":{\"80/tcp\":[{\"HostIp\":\"127.0.0.1\","
        "\"HostPort\":\"8000-8010\"},{\"HostPort\":\"81\"},{}],\"53/udp\":null}}}";
    cleanup_json struct json_doc doc = {0};
    cleanup_spec struct container_spec *s = container_spec_new();
    struct json root;

    (void)state;
    assert_ok(json_parse(body, strlen(body), &doc, &e));
    root = json_root(&doc);
    assert_ok(container_spec_decode(&root, s, &e));
    assert_int_equal(s->n_ports, 4);
    assert_string_equal(s->ports[0].host_ip, "127.0.0.1");
    assert_int_equal(s->ports[0].host_port, 8000);
    assert_int_equal(s->ports[0].host_port_end, 8010);
    assert_int_equal(s->ports[1].host_port, 81);
    assert_int_equal(s->ports[1].host_port_end, 0);
    assert_int_equal(s->ports[2].host_port, 0);
    assert_int_equal(s->ports[3].proto, PROTO_UDP);
    assert_int_equal(s->ports[3].host_port, 0);
    assert_true(s->ports[3].given_null);
}

static int exposed_of(const char *ports, size_t *n, struct err *e)
{
    cleanup_free char *body = str_printf("{\"Image\":\"x\",\"ExposedPorts\":{%s}}", ports);
    cleanup_json struct json_doc doc = {0};
    cleanup_spec struct container_spec *s = container_spec_new();
    struct json root;

    if (json_parse(body, strlen(body), &doc, e))
        return -1;
    root = json_root(&doc);
    if (container_spec_decode(&root, s, e))
        return -1;
    *n = s->n_exposed;
    return 0;
}

static void ranges_of_exposed_ports_overlap_and_have_an_end(void **state)
{
    size_t n = 0;

    (void)state;
    assert_ok(exposed_of("\"80-82/tcp\":{},\"81-84\":{},\"80/udp\":{}", &n, &e));
    assert_int_equal(n, 6);
    assert_ok(exposed_of("\"10000-20000/udp\":{}", &n, &e));
    assert_int_equal(n, 10001);
    assert_err(exposed_of("\"0-65535\":{}", &n, &e), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ports_are_read_in_every_form),
        cmocka_unit_test(what_is_no_port_is_refused),
        cmocka_unit_test(ranges_of_exposed_ports_overlap_and_have_an_end),
        cmocka_unit_test(bindings_keep_their_ranges_and_addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
