#include "tests/unit/state/state_test.h"

static int see(void *arg, const char *key, const char *what, struct err *e)
{
    struct strv *lines = arg;

    (void)e;
    strv_addf(lines, "%s=%s", key, what);
    return 0;
}

static void an_intent_that_was_not_done_is_there_at_the_next_start(void **arg)
{
    struct place *p = *arg;
    cleanup_strv struct strv lines = {0};

    assert_ok(state_intent_put(p->st, "start:1", "{\"netns\":\"x\"}", &e));
    assert_ok(state_intent_put(p->st, "start:2", "old", &e));
    assert_ok(state_intent_put(p->st, "start:2", "new", &e));
    assert_ok(state_intent_put(p->st, "start:3", "", &e));
    assert_ok(state_intent_done(p->st, "start:3", &e));
    place_reopen(p);
    assert_ok(state_intent_each(p->st, see, &lines, &e));
    assert_int_equal(lines.n, 2);
    assert_string_equal(lines.v[0], "start:1={\"netns\":\"x\"}");
    assert_string_equal(lines.v[1], "start:2=new");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLACE_TEST(an_intent_that_was_not_done_is_there_at_the_next_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
