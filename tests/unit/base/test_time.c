#include <inttypes.h>
#include <string.h>

#include "tests/unit/unit.h"

#include "base/str.h"
#include "base/time.h"

static void texts_are_gos_with_the_trailing_zeros_cut(void **state)
{
    static const struct {
        int64_t ns;
        const char *text, *fixed;
    } cases[] = {
        {0,                   "1970-01-01T00:00:00Z",           "1970-01-01T00:00:00.000000000Z"},
        {1,                   "1970-01-01T00:00:00.000000001Z", "1970-01-01T00:00:00.000000001Z"},
        {-1,                  "1969-12-31T23:59:59.999999999Z", "1969-12-31T23:59:59.999999999Z"},
        {951782400500000000,  "2000-02-29T00:00:00.5Z",         "2000-02-29T00:00:00.500000000Z"},
        {1795478400120000000, "2026-11-24T00:00:00.12Z",        "2026-11-24T00:00:00.120000000Z"},
        {TIME_ZERO,           "0001-01-01T00:00:00Z",           "0001-01-01T00:00:00.000000000Z"},
    };
    char out[TIME_TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t back = 7;

        time_format(cases[i].ns, out);
        assert_string_equal(out, cases[i].text);
        assert_ok(time_parse(out, &back, &e));
        assert_true(back == cases[i].ns);
        time_format_fixed(cases[i].ns, out);
        assert_string_equal(out, cases[i].fixed);
        assert_ok(time_parse(out, &back, &e));
        assert_true(back == cases[i].ns);
    }
}

static void every_day_of_four_centuries_survives_the_round_trip(void **state)
{
    char out[TIME_TEXT_MAX], before[TIME_TEXT_MAX] = "";
    int64_t back;

    (void)state;
    for (int64_t day = -100000; day < 100000; day += 13) {
        time_format(day * 86400 * NS_PER_SEC, out);
        assert_true(strcmp(before, out) < 0);
        assert_ok(time_parse(out, &back, &e));
        assert_true(back == day * 86400 * NS_PER_SEC);
        memcpy(before, out, sizeof(out));
    }
}

static void offsets_are_applied(void **state)
{
    int64_t a, b;

    (void)state;
    assert_ok(time_parse("2026-11-24T01:30:00+02:30", &a, &e));
    assert_ok(time_parse("2026-11-23T23:00:00z", &b, &e));
    assert_true(a == b);
    assert_ok(time_parse("2026-11-23T20:00:00-03:00", &a, &e));
    assert_true(a == b);
}

static void what_is_no_time_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "2026-11-24",
        "2026-11-24T00:00:00",
        "2026-11-24T00:00:00Zx",
        "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-11-24T24:00:00Z",
        "2026-11-24T00:60:00Z",
        "2026-11-24T00:00:00.Z",
        "2026-11-24T00:00:00+24:00",
        "1500-01-01T00:00:00Z",
        "2300-01-01T00:00:00Z",
        "+026-11-24T00:00:00Z",
    };
    int64_t v = 7;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_err(time_parse(bad[i], &v, &e), ERR_INVALID);
    assert_err(time_parse(NULL, &v, &e), ERR_INVALID);
    assert_int_equal(v, 7);
}

static void durations_are_told_in_dockers_words(void **state)
{
    static const struct {
        int64_t secs;
        const char *text;
    } cases[] = {
        {0,               "Less than a second"},
        {1,               "1 second"          },
        {59,              "59 seconds"        },
        {60,              "About a minute"    },
        {120,             "2 minutes"         },
        {59 * 60,         "59 minutes"        },
        {3600,            "About an hour"     },
        {5300,            "About an hour"     },
        {5400,            "2 hours"           },
        {47 * 3600,       "47 hours"          },
        {48 * 3600,       "2 days"            },
        {14 * 86400,      "2 weeks"           },
        {60 * 86400,      "2 months"          },
        {2 * 365 * 86400, "2 years"           },
    };
    char out[32];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        time_human(cases[i].secs * NS_PER_SEC, out, sizeof(out));
        assert_string_equal(out, cases[i].text);
    }
}

static void the_monotonic_clock_runs(void **state)
{
    int64_t before = time_mono_ms();

    (void)state;
    time_sleep_ms(20);
    assert_true(time_mono_ms() - before >= 19);
    assert_true(time_wall_ns() > 1700000000 * NS_PER_SEC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_gos_with_the_trailing_zeros_cut),
        cmocka_unit_test(every_day_of_four_centuries_survives_the_round_trip),
        cmocka_unit_test(offsets_are_applied),
        cmocka_unit_test(what_is_no_time_is_refused),
        cmocka_unit_test(durations_are_told_in_dockers_words),
        cmocka_unit_test(the_monotonic_clock_runs),
    };
    return cmocka_run_group_tests_name("base/time", tests, NULL, NULL);
}
