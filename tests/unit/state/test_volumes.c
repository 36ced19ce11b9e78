#include "tests/unit/state/state_test.h"

static int keep(void *arg, struct volume *v, struct err *e)
{
    struct volume **out = arg;

    (void)e;
    volume_unref(*out);
    *out = v;
    return 0;
}

static void a_volume_comes_back_whole(void **arg)
{
    struct place *p = *arg;
    cleanup_volume struct volume *v = volume_new(), *b = NULL;

    str_set(&v->name, "data");
    str_set(&v->mountpoint, "/m");
    v->created_ns = 7;
    v->labels_set = true; /* {} and not null */
    kvs_set(&v->options, "type", "tmpfs");
    v->options_set = true;
    assert_ok(state_volume_put(p->st, v, true, &e));
    place_reopen(p);
    assert_ok(state_volume_each(p->st, keep, &b, &e));
    assert_string_equal(b->name, "data");
    assert_string_equal(b->mountpoint, "/m");
    assert_int_equal(b->created_ns, 7);
    assert_true(b->labels_set);
    assert_int_equal(b->labels.n, 0);
    assert_string_equal(kvs_get(&b->options, "type"), "tmpfs");
}

static void a_deleted_volume_is_gone(void **arg)
{
    struct place *p = *arg;
    cleanup_volume struct volume *v = volume_new(), *b = NULL;

    str_set(&v->name, "data");
    assert_ok(state_volume_put(p->st, v, false, &e));
    v->created_ns = 9;
    assert_ok(state_volume_put(p->st, v, false, &e));
    assert_ok(state_volume_delete(p->st, "data", &e));
    assert_ok(state_volume_each(p->st, keep, &b, &e));
    assert_null(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLACE_TEST(a_volume_comes_back_whole),
        PLACE_TEST(a_deleted_volume_is_gone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
