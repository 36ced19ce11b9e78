#include "tests/unit/state/state_test.h"

static struct network *sample(const char *id, const char *name)
{
    struct network *n = network_new();

    str_set(&n->id, id);
    str_set(&n->name, name);
    n->created_ns = 42;
    n->internal = true;
    n->pools = xcalloc(1, sizeof(*n->pools));
    n->n_pools = 1;
    n->pools[0].subnet = xstrdup("10.1.0.0/16");
    n->pools[0].gateway = xstrdup("10.1.0.1");
    kvs_set(&n->labels, "a", "b");
    n->generation = 3;
    n->observed_generation = 2;
    n->absent = true;
    str_set(&n->app, "shop");
    return n;
}

static int keep(void *arg, struct network *n, struct err *e)
{
    struct network **out = arg;

    (void)e;
    network_unref(*out);
    *out = n;
    return 0;
}

static void a_network_comes_back_whole(void **arg)
{
    struct place *p = *arg;
    cleanup_network struct network *n = sample("id1", "front"), *b = NULL;

    assert_ok(state_network_put(p->st, n, true, &e));
    place_reopen(p);
    assert_ok(state_network_each(p->st, keep, &b, &e));
    assert_string_equal(b->id, "id1");
    assert_string_equal(b->name, "front");
    assert_int_equal(b->created_ns, 42);
    assert_true(b->internal);
    assert_true(b->absent);
    assert_string_equal(b->pools[0].gateway, "10.1.0.1");
    assert_string_equal(kvs_get(&b->labels, "a"), "b");
    assert_int_equal(b->generation, 3);
    assert_int_equal(b->observed_generation, 2);
    assert_string_equal(b->app, "shop");
}

static void a_name_in_use_is_a_conflict(void **arg)
{
    struct place *p = *arg;
    cleanup_network struct network *a = sample("id1", "front"), *b = sample("id2", "front");
    struct err e = ERR_INIT;

    assert_ok(state_network_put(p->st, a, false, &e));
    assert_int_equal(state_network_put(p->st, b, false, &e), -1);
    assert_int_equal(e.kind, ERR_CONFLICT);
    assert_string_equal(e.msg, "network with name front already exists");
    assert_ok(state_network_delete(p->st, "id1", &e));
    assert_ok(state_network_put(p->st, b, false, &e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLACE_TEST(a_network_comes_back_whole),
        PLACE_TEST(a_name_in_use_is_a_conflict),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
