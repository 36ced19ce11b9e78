/* Filters: both spellings, and how each way of matching combines values. */
#include "api/filters.h"

#include "base/time.h"
#include "tests/unit/unit.h"

static void both_spellings_mean_the_same(void **state)
{
    static const char *const texts[] = {
        "{\"label\":{\"a=b\":true,\"c\":true}}",
        "{\"label\":[\"a=b\",\"c\"]}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        cleanup_filters struct filters f = {0};

        assert_ok(filters_parse(texts[i], &f, &e));
        assert_true(filters_has_value(&f, "label", "a=b"));
        assert_true(filters_has_value(&f, "label", "c"));
        assert_false(filters_has_value(&f, "label", "d"));
    }
}

static void nothing_filters_nothing(void **state)
{
    static const char *const texts[] = {NULL, "", "{}", "null", "{\"label\":{}}", "{\"label\":[]}"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        cleanup_filters struct filters f = {0};

        assert_ok(filters_parse(texts[i], &f, &e));
        assert_false(filters_has(&f, "label"));
        assert_true(filters_exact(&f, "label", "x"));
        assert_true(filters_match(&f, "label", "x"));
        assert_true(filters_prefix(&f, "label", "x"));
        assert_true(filters_labels(&f, "label", &(struct kvs){0}));
    }
}

static void what_is_no_filter_is_refused(void **state)
{
    static const char *const texts[] = {
        "foo", "[]", "{\"a\":1}", "{\"a\":\"x\"}", "{\"a\":[1]}", "{\"a\":{\"x\":1}}", "{\"a\":[",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct filters f;
        struct err e = ERR_INIT;

        assert_int_equal(filters_parse(texts[i], &f, &e), -1);
        assert_int_equal(e.kind, ERR_INVALID);
        assert_string_equal(e.msg, "invalid filter");
        assert_int_equal(f.n, 0);
    }
}

static void unknown_keys_are_named(void **state)
{
    static const char *const allowed[] = {"label", NULL};
    cleanup_filters struct filters f = {0};
    struct err e = ERR_INIT;

    (void)state;
    assert_ok(filters_parse("{\"label\":[\"a\"],\"foo\":{}}", &f, &e));
    assert_int_equal(filters_check(&f, allowed, &e), -1);
    assert_string_equal(e.msg, "invalid filter 'foo'");
}

static void labels_must_all_hold(void **state)
{
    cleanup_filters struct filters f = {0};
    cleanup_kvs struct kvs labels = {0};

    (void)state;
    assert_ok(filters_parse("{\"label\":[\"a=b\",\"c\"],\"label!\":[\"x=1\"]}", &f, &e));
    kvs_set(&labels, "a", "b");
    assert_false(filters_labels(&f, "label", &labels));
    kvs_set(&labels, "c", "anything");
    assert_true(filters_labels(&f, "label", &labels));
    kvs_set(&labels, "a", "bb");
    assert_false(filters_labels(&f, "label", &labels));
    assert_true(filters_no_labels(&f, "label!", &labels));
    kvs_set(&labels, "x", "1");
    assert_false(filters_no_labels(&f, "label!", &labels));
}

static void other_values_are_alternatives(void **state)
{
    cleanup_filters struct filters f = {0};

    (void)state;
    assert_ok(
        filters_parse("{\"status\":[\"running\",\"paused\"],\"id\":[\"ab\",\"cd\"]}", &f, &e));
    assert_true(filters_exact(&f, "status", "paused"));
    assert_false(filters_exact(&f, "status", "exited"));
    assert_true(filters_prefix(&f, "id", "cdef"));
    assert_false(filters_prefix(&f, "id", "acd"));
}

static void a_value_mapped_to_false_equals_nothing(void **state)
{
    cleanup_filters struct filters f = {0};

    (void)state;
    assert_ok(filters_parse("{\"status\":{\"running\":false}}", &f, &e));
    assert_true(filters_has(&f, "status"));
    assert_false(filters_exact(&f, "status", "running"));
}

static void names_are_found_anywhere_or_by_expression(void **state)
{
    static const struct {
        const char *filter, *name;
        bool found;
    } rows[] = {
        {"{\"name\":[\"web\"]}",                        "shop-web-1",  true },
        {"{\"name\":[\"^web\"]}",                       "shop-web-1",  false},
        {"{\"name\":[\"^/?shop-\"]}",                   "/shop-web-1", true },
        {"{\"name\":[\"web-[0-9]+$\"]}",                "shop-web-1",  true },
        {"{\"name\":[\"[\"]}",                          "web",         false},
        {"{\"name\":[\"((a{1,255}){1,255}){1,255}\"]}", "aaa",         false},
        {"{\"name\":[\"(a*)*\\\\1\"]}",                 "aaa",         false},
        {"{\"name\":[\"a.b\"]}",                        "axb",         true },
        {"{\"name\":[\"zzz\",\"web\"]}",                "web",         true },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cleanup_filters struct filters f = {0};

        assert_ok(filters_parse(rows[i].filter, &f, &e));
        if (filters_match(&f, "name", rows[i].name) != rows[i].found)
            fail_msg("%s on %s", rows[i].filter, rows[i].name);
    }
}

static void booleans_need_one_clear_value(void **state)
{
    static const struct {
        const char *filter;
        int rc;
        bool value;
    } rows[] = {
        {"{\"dangling\":[\"true\"]}",           0,  true },
        {"{\"dangling\":{\"1\":true}}",         0,  true },
        {"{\"dangling\":[\"0\"]}",              0,  false},
        {"{\"dangling\":[\"x\"]}",              -1, false},
        {"{\"dangling\":[\"true\",\"false\"]}", -1, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cleanup_filters struct filters f = {0};
        struct err e = ERR_INIT;
        bool value = !rows[i].value;

        assert_ok(filters_parse(rows[i].filter, &f, &e));
        assert_int_equal(filters_bool(&f, "dangling", &value, &e), rows[i].rc);
        if (!rows[i].rc)
            assert_int_equal(value, rows[i].value);
    }
}

static void until_is_a_time_or_a_duration(void **state)
{
    static const struct {
        const char *filter;
        int64_t seconds;
    } rows[] = {
        {"{\"until\":[\"1700000000\"]}",           1700000000},
        {"{\"until\":[\"2023-11-14T22:13:20Z\"]}", 1700000000},
    };
    bool set;
    int64_t until;
    cleanup_filters struct filters ago = {0}, bad = {0};
    struct err why = ERR_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cleanup_filters struct filters f = {0};

        assert_ok(filters_parse(rows[i].filter, &f, &e));
        assert_ok(filters_until(&f, &until, &set, &e));
        assert_true(set);
        assert_int_equal(until / NS_PER_SEC, rows[i].seconds);
    }
    assert_ok(filters_parse("{\"until\":[\"1h\"]}", &ago, &e));
    assert_ok(filters_until(&ago, &until, &set, &e));
    assert_in_range((time_wall_ns() - until) / NS_PER_SEC, 3600, 3602);
    assert_ok(filters_parse("{\"until\":[\"soon\"]}", &bad, &e));
    assert_int_equal(filters_until(&bad, &until, &set, &why), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_spellings_mean_the_same),
        cmocka_unit_test(nothing_filters_nothing),
        cmocka_unit_test(what_is_no_filter_is_refused),
        cmocka_unit_test(unknown_keys_are_named),
        cmocka_unit_test(labels_must_all_hold),
        cmocka_unit_test(other_values_are_alternatives),
        cmocka_unit_test(a_value_mapped_to_false_equals_nothing),
        cmocka_unit_test(names_are_found_anywhere_or_by_expression),
        cmocka_unit_test(booleans_need_one_clear_value),
        cmocka_unit_test(until_is_a_time_or_a_duration),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
