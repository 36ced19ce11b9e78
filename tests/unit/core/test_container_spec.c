#include "base/mem.h"
#include "core/container.h"
#include "tests/unit/core/inspect_golden.h"
#include "tests/unit/core/random_spec.h"
#include "tests/unit/unit.h"

static struct container_spec *decode(const char *text)
{
    cleanup_json struct json_doc doc = {0};
    struct container_spec *s = container_spec_new();
    struct json root;

    assert_ok(json_parse(text, strlen(text), &doc, &e));
    root = json_root(&doc);
    assert_ok(container_spec_decode(&root, s, &e));
    return s;
}

static char *text_of(void (*fn)(const struct container_spec *, struct jsonw *),
                     const struct container_spec *s)
{
    struct buf b = BUF_INIT(1 << 20);
    struct jsonw w = JSONW_INIT(&b);

    fn(s, &w);
    assert_ok(buf_check(&b, "json", &e));
    return buf_take(&b);
}

static struct container_spec *load(const char *text)
{
    cleanup_json struct json_doc doc = {0};
    struct container_spec *s = container_spec_new();
    struct json root;

    assert_ok(json_parse(text, strlen(text), &doc, &e));
    root = json_root(&doc);
    assert_ok(container_spec_load(&root, s, &e));
    return s;
}

/* As create does for a cgroup v2 host, where the goldens come from. */
static struct container_spec *created(const char *body)
{
    struct container_spec *s = decode(body);

    if (str_empty(s->cgroupns_mode))
        str_set(&s->cgroupns_mode, "private");
    if (str_empty(s->ipc_mode))
        str_set(&s->ipc_mode, "private");
    if (str_empty(s->runtime))
        str_set(&s->runtime, "runc");
    return s;
}

static void inspect_prints_what_moby_prints(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(goldens); i++) {
        cleanup_spec struct container_spec *s = created(goldens[i].body);
        cleanup_free char *config = text_of(container_spec_encode_config, s);
        cleanup_free char *host = text_of(container_spec_encode_host, s);

        assert_string_equal(config, goldens[i].config);
        assert_string_equal(host, goldens[i].host);
    }
}

/* What inspect shows must not depend on whether the agent was restarted in between. */
static void inspect_is_the_same_after_the_database(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(goldens); i++) {
        cleanup_spec struct container_spec *s = created(goldens[i].body);
        cleanup_free char *stored = text_of(container_spec_store, s);
        cleanup_spec struct container_spec *t = load(stored);
        cleanup_free char *host = text_of(container_spec_encode_host, t);
        cleanup_free char *config = text_of(container_spec_encode_config, t);

        assert_string_equal(host, goldens[i].host);
        assert_string_equal(config, goldens[i].config);
    }
}

static void store_load_and_copy_are_the_identity(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 2000; seed++) {
        cleanup_spec struct container_spec *s = random_spec(seed);
        cleanup_spec struct container_spec *copy = container_spec_copy(s);
        cleanup_free char *a = text_of(container_spec_store, s);
        cleanup_free char *b = text_of(container_spec_store, copy);
        cleanup_spec struct container_spec *loaded = load(a);
        cleanup_free char *c = text_of(container_spec_store, loaded);

        assert_string_equal(a, b);
        assert_string_equal(a, c);
        assert_specs_equal(s, loaded);
        assert_specs_equal(s, copy);
    }
}

static void a_new_spec_stores_and_loads(void **state)
{
    cleanup_spec struct container_spec *s = container_spec_new();
    cleanup_free char *a = text_of(container_spec_store, s);
    cleanup_spec struct container_spec *t = load(a);

    (void)state;
    assert_specs_equal(s, t);
    assert_int_equal(t->stop_timeout_s, -1);
    assert_int_equal(t->memory_swappiness, -1);
    assert_int_equal(t->shm_size, 64 << 20);
}

static void an_empty_list_is_not_null(void **state)
{
    cleanup_spec struct container_spec *none = decode("{\"Image\":\"x\",\"Cmd\":null}");
    cleanup_spec struct container_spec *empty = decode("{\"Image\":\"x\",\"Cmd\":[]}");
    cleanup_spec struct container_spec *text = decode("{\"Image\":\"x\",\"Entrypoint\":\"\"}");

    (void)state;
    assert_false(none->cmd_set);
    assert_true(empty->cmd_set);
    assert_int_equal(empty->cmd.n, 0);
    assert_true(text->entrypoint_set);
    assert_int_equal(text->entrypoint.n, 1);
    assert_string_equal(text->entrypoint.v[0], "");
}

static void the_network_called_default_is_bridge(void **state)
{
    cleanup_spec struct container_spec *s =
        decode("{\"Image\":\"x\",\"HostConfig\":{\"NetworkMode\":\"default\"},\"NetworkingConfig\":"
               "{\"EndpointsConfig\":{\"default\":{\"GwPriority\":5}}}}");

    (void)state;
    assert_string_equal(s->network_mode, "bridge");
    assert_int_equal(s->n_endpoints, 1);
    assert_string_equal(s->endpoints[0].network, "bridge");
    assert_int_equal(s->endpoints[0].gw_priority, 5);
}

static void an_old_clients_mac_address_goes_to_the_endpoint(void **state)
{
    cleanup_spec struct container_spec *s = decode(
        "{\"Image\":\"x\",\"MacAddress\":\"02:00:00:00:00:01\",\"HostConfig\":{\"NetworkMode\":"
        "\"n\"}}");

    (void)state;
    assert_int_equal(s->n_endpoints, 1);
    assert_string_equal(s->endpoints[0].network, "n");
    assert_string_equal(s->endpoints[0].mac, "02:00:00:00:00:01");
}

static void swap_is_twice_the_memory_when_only_memory_is_limited(void **state)
{
    cleanup_spec struct container_spec *s =
        decode("{\"Image\":\"x\",\"HostConfig\":{\"Memory\":67108864}}");

    (void)state;
    assert_int_equal(s->memory_swap, 134217728);
}

static void settling_twice_is_settling_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(goldens); i++) {
        cleanup_spec struct container_spec *s = created(goldens[i].body);
        cleanup_free char *before = text_of(container_spec_store, s), *after = NULL;

        container_spec_settle(s);
        after = text_of(container_spec_store, s);
        assert_string_equal(before, after);
    }
}

static void image_config_has_only_what_an_image_can_have(void **state)
{
    cleanup_spec struct container_spec *s = container_spec_new();
    cleanup_free char *text = NULL;

    (void)state;
    strv_add(&s->cmd, "sh");
    s->cmd_set = true;
    text = text_of(container_spec_encode_image, s);
    assert_string_equal(text, "{\"Cmd\":[\"sh\"],\"Entrypoint\":null,\"Env\":null,\"Labels\":null,"
                              "\"OnBuild\":null,\"User\":\"\",\"Volumes\":null,\"WorkingDir\":"
                              "\"\"}");
}

static void a_stored_key_of_another_version_is_passed_over(void **state)
{
    cleanup_spec struct container_spec *s =
        load("{\"Config\":{\"Fancy\":1,\"Image\":\"x\"},\"HostConfig\":{\"Odd\":[]},\"New\":{}}");

    (void)state;
    assert_string_equal(s->image, "x");
    assert_string_equal(s->network_mode, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inspect_prints_what_moby_prints),
        cmocka_unit_test(inspect_is_the_same_after_the_database),
        cmocka_unit_test(store_load_and_copy_are_the_identity),
        cmocka_unit_test(a_new_spec_stores_and_loads),
        cmocka_unit_test(an_empty_list_is_not_null),
        cmocka_unit_test(the_network_called_default_is_bridge),
        cmocka_unit_test(an_old_clients_mac_address_goes_to_the_endpoint),
        cmocka_unit_test(swap_is_twice_the_memory_when_only_memory_is_limited),
        cmocka_unit_test(settling_twice_is_settling_once),
        cmocka_unit_test(image_config_has_only_what_an_image_can_have),
        cmocka_unit_test(a_stored_key_of_another_version_is_passed_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
