/* Version negotiation: numbers, not strings, and Docker's words. */
#include "api/version.h"

#include "tests/unit/unit.h"

static void versions_compare_number_by_number(void **state)
{
    static const struct {
        const char *text;
        int minor;
    } rows[] = {
        {"1.24",   24},
        {"1.51",   51},
        {"1.44",   44},
        {"1.030",  30},
        {"1.51.0", 51},
    };
    bool plain;
    int minor;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_ok(version_parse(rows[i].text, &minor, &plain, &e));
        assert_int_equal(minor, rows[i].minor);
    }
}

static void others_are_refused_in_dockers_words(void **state)
{
    static const struct {
        const char *text, *words;
        bool plain;
    } rows[] = {
        {"1.99",                   "client version 1.99 is too new. Maximum supported API version is 1.51",   false},
        {"1.51.1",                 "client version 1.51.1 is too new. Maximum supported API version is 1.51",
         false                                                                                                     },
        {"2",                      "client version 2 is too new. Maximum supported API version is 1.51",      false},
        {"99999999999999999999.1",
         "client version 99999999999999999999.1 is too new. Maximum supported API version is 1.51",           false},
        {"1.23",
         "client version 1.23 is too old. Minimum supported API version is 1.24, please upgrade "
         "your client to a newer version",                                                                    true },
        {"1",
         "client version 1 is too old. Minimum supported API version is 1.24, please upgrade your "
         "client to a newer version",                                                                         true },
        {"1.5",
         "client version 1.5 is too old. Minimum supported API version is 1.24, please upgrade "
         "your client to a newer version",                                                                    true },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct err e = ERR_INIT;
        bool plain;
        int minor;

        assert_int_equal(version_parse(rows[i].text, &minor, &plain, &e), -1);
        assert_int_equal(e.kind, ERR_INVALID);
        assert_string_equal(e.msg, rows[i].words);
        assert_int_equal(plain, rows[i].plain);
    }
}

static void every_shape_holds_for_some_version_and_not_for_another(void **state)
{
    (void)state;
    for (int s = 0; s < SHAPES; s++) {
        int holds = 0;

        for (int minor = API_MINOR_MIN; minor <= API_MINOR_MAX; minor++)
            holds += shape_holds(minor, (enum shape)s);
        assert_in_range(holds, 1, API_MINOR_MAX - API_MINOR_MIN);
    }
}

static void shapes_begin_and_end_where_the_changelog_says(void **state)
{
    (void)state;
    assert_false(shape_holds(41, SHAPE_MULTIPLEXED_TYPE));
    assert_true(shape_holds(42, SHAPE_MULTIPLEXED_TYPE));
    assert_true(shape_holds(43, SHAPE_VIRTUAL_SIZE));
    assert_false(shape_holds(44, SHAPE_VIRTUAL_SIZE));
    assert_true(shape_holds(44, SHAPE_SHORT_ID_ALIAS));
    assert_false(shape_holds(45, SHAPE_SHORT_ID_ALIAS));
    assert_false(shape_holds(50, SHAPE_IMAGE_CONTAINERS));
    assert_true(shape_holds(51, SHAPE_IMAGE_CONTAINERS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_compare_number_by_number),
        cmocka_unit_test(others_are_refused_in_dockers_words),
        cmocka_unit_test(every_shape_holds_for_some_version_and_not_for_another),
        cmocka_unit_test(shapes_begin_and_end_where_the_changelog_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
