#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/unit.h"

#include "base/mem.h"
#include "base/str.h"
#include "base/time.h"

static void null_equals_only_null(void **state)
{
    (void)state;
    assert_true(str_eq(NULL, NULL));
    assert_false(str_eq(NULL, ""));
    assert_false(str_eq("", NULL));
    assert_true(str_eq_nocase("HostConfig", "hostconfig"));
    assert_false(str_eq_nocase("HostConfig", "hostconfi"));
    assert_true(str_has_nocase("fork: Permission denied", "permission"));
    assert_true(str_has_nocase("aab", "AB"));
    assert_true(str_has_nocase("", ""));
    assert_false(str_has_nocase("permissio", "permission"));
    assert_false(str_starts(NULL, "x"));
    assert_true(str_ends("a.tar.gz", ".gz"));
    assert_false(str_ends("gz", ".gz"));
}

static void a_string_is_set_from_a_part_of_itself(void **state)
{
    char *s = xstrdup("unix:///run/x");

    (void)state;
    str_set(&s, s + 7);
    assert_string_equal(s, "/run/x");
    str_set(&s, NULL);
    assert_null(s);
}

static void a_copy_that_does_not_fit_is_cut_and_says_so(void **state)
{
    char small[4];

    (void)state;
    assert_true(str_copy(small, sizeof(small), "abc"));
    assert_false(str_copy(small, sizeof(small), "abcd"));
    assert_string_equal(small, "abc");
    assert_false(str_copy(small, 0, ""));
}

static void trimming_takes_white_space_at_both_ends_only(void **state)
{
    char s[] = " \t a b \r\n", blank[] = "  ";

    (void)state;
    assert_string_equal(str_trim(s), "a b");
    assert_string_equal(str_trim(blank), "");
}

static void a_list_ends_in_null_at_every_length(void **state)
{
    cleanup_strv struct strv sv = {0}, copy = {0};

    (void)state;
    for (int i = 0; i < 100; i++) {
        strv_addf(&sv, "%d", i);
        assert_int_equal(sv.n, i + 1);
        assert_null(sv.v[sv.n]);
    }
    strv_copy(&copy, &sv);
    assert_true(strv_eq(&copy, &sv));
    for (size_t i = 0; i < 99; i++) {
        strv_remove_at(&sv, 0);
        strv_add(&sv, "again");
        strv_remove_at(&sv, sv.n - 1);
        assert_null(sv.v[sv.n]);
    }
    assert_string_equal(sv.v[0], "99");
    assert_false(strv_eq(&copy, &sv));
    assert_true(strv_has(&copy, "50"));
}

static void splitting_keeps_empty_fields_and_joining_undoes_it(void **state)
{
    cleanup_strv struct strv sv = {0};
    cleanup_free char *joined = NULL;

    (void)state;
    strv_split(&sv, ":a::b:", ':');
    assert_int_equal(sv.n, 5);
    assert_string_equal(sv.v[0], "");
    assert_string_equal(sv.v[3], "b");
    joined = str_join((const char *const *)sv.v, sv.n, ":");
    assert_string_equal(joined, ":a::b:");
}

static void pairs_keep_their_order_and_a_key_occurs_once(void **state)
{
    cleanup_kvs struct kvs a = {0}, b = {0};

    (void)state;
    for (int i = 0; i < 40; i++) {
        char key[16];

        snprintf(key, sizeof(key), "k%02d", 39 - i);
        kvs_setf(&a, key, "%d", i);
        kvs_set(&a, key, "v");
    }
    assert_int_equal(a.n, 40);
    assert_string_equal(a.v[0].k, "k39");
    kvs_copy(&b, &a);
    kvs_sort(&b);
    assert_string_equal(b.v[0].k, "k00");
    assert_true(kvs_eq(&a, &b));
    kvs_set(&b, "k00", NULL);
    assert_false(kvs_eq(&a, &b));
    for (int i = 0; i < 40; i++) {
        char key[16];

        snprintf(key, sizeof(key), "k%02d", i);
        kvs_del(&a, key);
        kvs_del(&a, key);
        assert_null(kvs_get(&a, key));
        assert_int_equal(a.n, 39 - i);
        kvs_set(&a, "extra", "x"); /* grows at every size that shrinking leaves */
        kvs_del(&a, "extra");
    }
    assert_null(a.v);
}

static void numbers_are_read_whole_and_in_range_or_not_at_all(void **state)
{
    static const char *const bad[] = {"",
                                      "-",
                                      "+",
                                      "1 ",
                                      " 1",
                                      "0x1",
                                      "1e3",
                                      "--1",
                                      "9223372036854775808",
                                      "-9223372036854775809"};
    int64_t v = 7;
    uint64_t u = 7;

    (void)state;
    assert_ok(parse_i64("-9223372036854775808", INT64_MIN, INT64_MAX, "n", &v, &e));
    assert_true(v == INT64_MIN);
    assert_ok(parse_u64("18446744073709551615", 0, UINT64_MAX, "n", &u, &e));
    assert_true(u == UINT64_MAX);
    v = 7;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_err(parse_i64(bad[i], INT64_MIN, INT64_MAX, "n", &v, &e), ERR_INVALID);
    assert_err(parse_i64(NULL, 0, 1, "n", &v, &e), ERR_INVALID);
    assert_err(parse_i64("2", 0, 1, "n", &v, &e), ERR_INVALID);
    assert_err(parse_u64("-1", 0, 10, "n", &u, &e), ERR_INVALID);
    assert_int_equal(v, 7);
}

static void a_bad_number_is_named_with_what_it_was_for(void **state)
{
    struct err e = ERR_INIT;
    int64_t v;

    (void)state;
    assert_int_equal(parse_i64("x", 0, 65535, "port", &v, &e), -1);
    assert_string_equal(e.msg, "invalid port: \"x\" is not a number");
    assert_int_equal(parse_i64("70000", 0, 65535, "port", &v, &e), -1);
    assert_string_equal(e.msg, "invalid port: 70000 is not between 0 and 65535");
}

static void sizes_read_as_dockers_cli_reads_them(void **state)
{
    static const struct {
        const char *text;
        int64_t bytes;
    } good[] = {
        {"512",   512      },
        {"0",     0        },
        {"100b",  100      },
        {"10k",   10240    },
        {"64m",   64 << 20 },
        {"64MiB", 64 << 20 },
        {"64 mb", 64 << 20 },
        {"2gb",   2LL << 30},
        {"1.5g",  3LL << 29},
        {".5k",   512      },
        {"1t",    1LL << 40},
        {"7p",    7LL << 50},
        {"0.1k",  102      },
    };
    static const char *const bad[] = {
        "",      "k",     "-1", "1kk", "1bk", "1x", "1 k ", "9000p", "99999999999999999999",
        "1.2.3", "1kib2", "."};
    int64_t v;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        assert_ok(parse_size(good[i].text, "memory", &v, &e));
        assert_int_equal(v, good[i].bytes);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_err(parse_size(bad[i], "memory", &v, &e), ERR_INVALID);
}

static void durations_read_as_go_and_compose_read_them(void **state)
{
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = {
        {"0",                  0                     },
        {"10s",                10 * NS_PER_SEC       },
        {"1h30m",              5400 * NS_PER_SEC     },
        {"1.5s",               1500 * NS_PER_MS      },
        {"300ms",              300 * NS_PER_MS       },
        {"1m30s",              90 * NS_PER_SEC       },
        {"5us",                5000                  },
        {"5\xc2\xb5s",         5000                  },
        {"-1s",                -NS_PER_SEC           },
        {"1d",                 24 * 3600 * NS_PER_SEC},
        {"2562047h47m16.854s", 9223372036854000000   },
    };
    static const char *const bad[] = {"", "1", "s", "1x", "1s ", "1h-1m", "--1s", "2562048h", "."};
    int64_t v;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        assert_ok(parse_duration(good[i].text, "interval", &v, &e));
        assert_int_equal(v, good[i].ns);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_err(parse_duration(bad[i], "interval", &v, &e), ERR_INVALID);
}

static void sizes_are_written_with_four_digits_and_decimal_units(void **state)
{
    static const struct {
        int64_t bytes;
        const char *text;
    } cases[] = {
        {0,             "0B"     },
        {999,           "999B"   },
        {1000,          "1kB"    },
        {1500,          "1.5kB"  },
        {3210000,       "3.21MB" },
        {4261502,       "4.262MB"},
        {1000000000000, "1TB"    },
    };
    char out[32];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        format_size(cases[i].bytes, out, sizeof(out));
        assert_string_equal(out, cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(null_equals_only_null),
        cmocka_unit_test(a_string_is_set_from_a_part_of_itself),
        cmocka_unit_test(a_copy_that_does_not_fit_is_cut_and_says_so),
        cmocka_unit_test(trimming_takes_white_space_at_both_ends_only),
        cmocka_unit_test(a_list_ends_in_null_at_every_length),
        cmocka_unit_test(splitting_keeps_empty_fields_and_joining_undoes_it),
        cmocka_unit_test(pairs_keep_their_order_and_a_key_occurs_once),
        cmocka_unit_test(numbers_are_read_whole_and_in_range_or_not_at_all),
        cmocka_unit_test(a_bad_number_is_named_with_what_it_was_for),
        cmocka_unit_test(sizes_read_as_dockers_cli_reads_them),
        cmocka_unit_test(durations_read_as_go_and_compose_read_them),
        cmocka_unit_test(sizes_are_written_with_four_digits_and_decimal_units),
    };
    return cmocka_run_group_tests_name("base/str", tests, NULL, NULL);
}
