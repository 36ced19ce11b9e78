#include "base/mem.h"
#include "core/volume.h"
#include "tests/unit/unit.h"

static int decode(const char *text, struct volume *v, struct err *e)
{
    cleanup_json struct json_doc doc = {0};
    struct json root;

    if (json_parse(text, strlen(text), &doc, e))
        return -1;
    root = json_root(&doc);
    return volume_decode(&root, v, e);
}

static void what_was_not_given_is_told_from_what_was_empty(void **state)
{
    cleanup_volume struct volume *a = volume_new(), *b = volume_new();

    (void)state;
    assert_ok(decode("{\"Name\":\"data\",\"DriverOpts\":null}", a, &e));
    assert_false(a->options_set || a->labels_set);
    assert_string_equal(a->driver, ""); /* whoever has it */
    assert_ok(decode("{\"Name\":\"data\",\"Driver\":\"\",\"DriverOpts\":{},\"Labels\":{}}", b, &e));
    assert_true(b->options_set && b->labels_set);
}

static void without_a_name_it_is_anonymous(void **state)
{
    cleanup_volume struct volume *v = volume_new();

    (void)state;
    assert_ok(decode("{}", v, &e));
    assert_true(v->anonymous);
    assert_string_equal(v->name, "");
}

static void bad_names_are_refused_in_mobys_words(void **state)
{
    static const struct {
        const char *name, *message;
    } cases[] = {
        {"a",   "create a: volume name is too short, names should be at least two alphanumeric "
              "characters"},
        {"/x",
         "create /x: \"/x\" includes invalid characters for a local volume name, only "
         "\"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use "
         "absolute path"               },
        {"a/b",
         "create a/b: \"a/b\" includes invalid characters for a local volume name, only "
         "\"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use "
         "absolute path"               },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err e = ERR_INIT;

        assert_int_equal(volume_name_check(cases[i].name, &e), -1);
        assert_string_equal(e.msg, cases[i].message);
    }
}

static void cluster_volumes_are_refused(void **state)
{
    cleanup_volume struct volume *v = volume_new();
    struct err e = ERR_INIT;

    (void)state;
    assert_int_equal(decode("{\"Name\":\"x1\",\"ClusterVolumeSpec\":{}}", v, &e), -1);
    assert_string_equal(e.msg,
                        "This node is not a swarm manager. Use \"docker swarm init\" or \"docker "
                        "swarm join\" to connect this node to swarm and try again.");
}

static void store_load_and_copy_are_the_identity(void **state)
{
    cleanup_volume struct volume *v = volume_new(), *m = volume_new(), *copy = NULL;
    cleanup_buf struct buf a = BUF_INIT(1 << 20), b = BUF_INIT(1 << 20);
    struct jsonw wa = JSONW_INIT(&a), wb = JSONW_INIT(&b);
    cleanup_json struct json_doc doc = {0};
    struct json root;

    (void)state;
    assert_ok(decode(
        "{\"Name\":\"data\",\"Driver\":\"local\",\"DriverOpts\":{\"o\":\"x\"},\"Labels\":{}}", v,
        &e));
    v->created_ns = 9;
    v->anonymous = true;
    str_set(&v->mountpoint, "/m");
    str_set(&v->app, "shop");
    volume_store(v, &wa);
    assert_ok(json_parse(a.data, a.len, &doc, &e));
    root = json_root(&doc);
    assert_ok(volume_load(&root, m, &e));
    copy = volume_copy(m);
    volume_store(copy, &wb);
    assert_string_equal(a.data, b.data);
    assert_true(copy->labels_set && copy->anonymous);
    assert_int_equal(copy->created_ns, 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_not_given_is_told_from_what_was_empty),
        cmocka_unit_test(without_a_name_it_is_anonymous),
        cmocka_unit_test(bad_names_are_refused_in_mobys_words),
        cmocka_unit_test(cluster_volumes_are_refused),
        cmocka_unit_test(store_load_and_copy_are_the_identity),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
