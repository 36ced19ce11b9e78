#include "tests/unit/state/state_test.h"

static int64_t add(struct state *st, int64_t time_ns, const char *id)
{
    cleanup_event struct event ev;

    event_init(&ev, "container", "die", id);
    ev.time_ns = time_ns;
    kvs_set(&ev.attributes, "exitCode", "137");
    kvs_set(&ev.attributes, "name", "web");
    assert_ok(state_event_add(st, &ev, &e));
    return ev.seq;
}

struct seen {
    int64_t first, last, n;
};

static int see(void *arg, const struct event *ev, struct err *e)
{
    struct seen *s = arg;

    (void)e;
    assert_string_equal(ev->type, "container");
    assert_string_equal(ev->action, "die");
    assert_string_equal(kvs_get(&ev->attributes, "exitCode"), "137");
    assert_string_equal(ev->attributes.v[1].k, "name");
    if (s->n++ == 0)
        s->first = ev->time_ns;
    assert_true(ev->time_ns >= s->last);
    s->last = ev->time_ns;
    return 0;
}

static void events_are_numbered_and_come_back_in_order(void **arg)
{
    struct place *p = *arg;
    struct seen s = {0};

    assert_int_equal(add(p->st, 10, "a"), 1);
    assert_int_equal(add(p->st, 20, "b"), 2);
    place_reopen(p);
    assert_int_equal(add(p->st, 30, "a"), 3);
    assert_ok(state_event_each(p->st, TIME_ZERO, TIME_ZERO, NULL, see, &s, &e));
    assert_int_equal(s.n, 3);
    assert_int_equal(s.last, 30);
}

static void events_are_chosen_by_time_and_object(void **arg)
{
    struct place *p = *arg;
    struct seen s = {0};

    for (int64_t t = 1; t <= 1000; t++)
        add(p->st, t, t % 2 ? "odd" : "even");
    assert_ok(state_event_each(p->st, 301, 900, "even", see, &s, &e));
    assert_int_equal(s.n, 300);
    assert_int_equal(s.first, 302);
    assert_int_equal(s.last, 900);
}

static void only_the_newest_ten_thousand_are_kept(void **arg)
{
    struct place *p = *arg;
    struct seen s = {0};

    for (int64_t t = 1; t <= 10100; t++)
        add(p->st, t, "a");
    assert_ok(state_event_each(p->st, TIME_ZERO, TIME_ZERO, NULL, see, &s, &e));
    assert_int_equal(s.n, 10000);
    assert_int_equal(s.first, 101);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLACE_TEST(events_are_numbered_and_come_back_in_order),
        PLACE_TEST(events_are_chosen_by_time_and_object),
        PLACE_TEST(only_the_newest_ten_thousand_are_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
