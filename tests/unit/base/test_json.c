#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/unit.h"

#include "base/json.h"
#include "base/mem.h"

static struct json_doc parse(const char *text)
{
    struct json_doc doc = {0};

    assert_ok(json_parse(text, strlen(text), &doc, &e));
    return doc;
}

static void only_rfc_8259_is_json(void **state)
{
    static const char *const bad[] = {
        "",
        " ",
        "{",
        "[1,]",
        "{\"a\":1,}",
        "{\"a\" 1}",
        "{a:1}",
        "{'a':1}",
        "nul",
        "True",
        "NaN",
        "Infinity",
        "-Infinity",
        "01",
        "-",
        "+1",
        ".5",
        "1.",
        "1e",
        "0x10",
        "\"\t\"",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"open",
        "\"open\\",
        "{} {}",
        "1 2",
        "// c\n1",
        "/* c */ 1",
        "[1 2]",
        "{\"a\":1 \"b\":2}",
        "[}",
        "{]",
        "]",
        "\xef\xbb\xbf{}",
        "\"\xc0\xaf\"",
        "\"\xed\xa0\x80\"",
        "\"\xf5\x80\x80\x80\"",
        "\"\xe2\x82\"",
        "18446744073709551616",
        "-9223372036854775809",
    };
    struct json_doc doc;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err e = ERR_INIT;

        if (json_parse(bad[i], strlen(bad[i]), &doc, &e) == 0)
            fail_msg("accepted: %s", bad[i]);
        assert_int_equal(e.kind, ERR_INVALID);
        assert_null(doc.root);
    }
    assert_err(json_parse("1\0", 2, &doc, &e), ERR_INVALID); /* NUL is no white space */
}

static void every_kind_of_value_stands_alone(void **state)
{
    static const char *const good[] = {"1",
                                       "-0",
                                       "1.5e+3",
                                       "true",
                                       "false",
                                       "null",
                                       "\"\"",
                                       " [ ] ",
                                       "\n{\t}\r",
                                       "1e400",
                                       "18446744073709551615",
                                       "\"\\ud83d\\ude00 \xf0\x9f\x98\x80\""};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct json_doc doc = parse(good[i]);

        json_release(&doc);
    }
}

static void nesting_ends_at_64(void **state)
{
    char text[200];
    struct json_doc doc;

    (void)state;
    memset(text, '[', 65);
    memset(text + 65, ']', 65);
    assert_err(json_parse(text, 130, &doc, &e), ERR_INVALID);
    assert_ok(json_parse(text + 1, 128, &doc, &e));
    json_release(&doc);
}

static void the_place_of_a_mistake_is_told(void **state)
{
    struct err e = ERR_INIT;
    struct json_doc doc;

    (void)state;
    assert_int_equal(json_parse("{\"a\": nope}", 11, &doc, &e), -1);
    assert_string_equal(e.msg, "invalid JSON at byte 6: invalid value");
}

static void keys_match_exactly_first_and_then_regardless_of_case(void **state)
{
    cleanup_json struct json_doc doc = parse("{\"image\":\"low\",\"Image\":\"exact\"}");
    struct json root = json_root(&doc);
    int64_t untouched = 42;
    struct json none = json_get(&root, "Nothing");

    (void)state;
    assert_string_equal(json_get_str(&root, "Image"), "exact");
    assert_string_equal(json_get_str(&root, "IMAGE"), "low");
    assert_false(json_exists(&none));
    assert_false(json_has(&root, "Nothing"));
    assert_ok(json_i64(&none, &untouched, &e));
    assert_int_equal(untouched, 42);
}

static void null_is_not_there_but_is_had(void **state)
{
    cleanup_json struct json_doc doc = parse("{\"Binds\":null}");
    struct json root = json_root(&doc), binds = json_get(&root, "Binds");
    cleanup_strv struct strv sv = {0};

    (void)state;
    assert_true(json_has(&root, "Binds"));
    assert_false(json_exists(&binds));
    assert_int_equal(json_typeof(&binds), JSON_NONE);
    strv_add(&sv, "kept");
    assert_ok(json_strv(&binds, &sv, &e));
    assert_int_equal(sv.n, 1);
}

static void a_wrong_type_is_reported_with_its_path(void **state)
{
    cleanup_json struct json_doc doc =
        parse("{\"HostConfig\":{\"Memory\":\"much\",\"Binds\":[\"a\",2],\"Cpus\":1.5,"
              "\"Big\":9223372036854775808,\"Nul\":\"a\\u0000b\"}}");
    struct json root = json_root(&doc), hc = json_get(&root, "HostConfig");
    struct json memory = json_get(&hc, "Memory"), binds = json_get(&hc, "Binds"),
                cpus = json_get(&hc, "Cpus"), big = json_get(&hc, "Big"),
                nul = json_get(&hc, "Nul");
    cleanup_strv struct strv sv = {0};
    struct err e = ERR_INIT;
    char *s = NULL;
    int64_t v;
    bool b;

    (void)state;
    assert_int_equal(json_i64(&memory, &v, &e), -1);
    assert_string_equal(e.msg, "HostConfig.Memory: must be a number");
    assert_int_equal(e.kind, ERR_INVALID);
    assert_int_equal(json_bool(&memory, &b, &e), -1);
    assert_string_equal(e.msg, "HostConfig.Memory: must be true or false");
    assert_int_equal(json_strv(&binds, &sv, &e), -1);
    assert_string_equal(e.msg, "HostConfig.Binds[1]: must be a string");
    assert_int_equal(json_i64(&cpus, &v, &e), -1);
    assert_string_equal(e.msg, "HostConfig.Cpus: must be a whole number");
    assert_int_equal(json_i64(&big, &v, &e), -1);
    assert_int_equal(json_str(&nul, &s, &e), -1);
    assert_null(s);
    assert_int_equal(json_i64(&root, &v, &e), -1);
    assert_string_equal(e.msg, "value: must be a number");
}

static void objects_are_walked_in_the_order_of_the_text(void **state)
{
    cleanup_json struct json_doc doc = parse("{\"z\":1,\"a\":2,\"m\":{\"x\":true}}");
    struct json root = json_root(&doc), m = json_get(&root, "m");
    static const char *const keys[] = {"z", "a", "m"};
    size_t n = 0;

    (void)state;
    for (struct json_iter it = json_iter(&root); json_next(&it);)
        assert_string_equal(it.key, keys[n++]);
    assert_int_equal(n, 3);
    for (struct json_iter it = json_iter(&m); json_next(&it);)
        assert_string_equal(it.value.path, "m.x");
    assert_true(json_get_bool(&m, "x"));
    assert_int_equal(json_len(&root), 3);
}

static void a_very_long_path_is_cut_and_nothing_else(void **state)
{
    char key[1000];
    struct json_doc doc;
    struct json root, child;
    cleanup_buf struct buf text = BUF_INIT(4096);

    (void)state;
    memset(key, 'k', sizeof(key) - 1);
    key[sizeof(key) - 1] = '\0';
    buf_addf(&text, "{\"%s\":[[5]]}", key);
    assert_ok(json_parse(text.data, text.len, &doc, &e));
    root = json_root(&doc);
    child = json_get(&root, key);
    child = json_at(&child, 0);
    child = json_at(&child, 0);
    assert_int_equal(json_typeof(&child), JSON_INT);
    assert_true(strlen(child.path) < JSON_PATH_MAX);
    json_release(&doc);
}

static void the_writer_places_commas(void **state)
{
    cleanup_buf struct buf b = BUF_INIT(4096);
    struct jsonw w = JSONW_INIT(&b);
    cleanup_strv struct strv sv = {0};
    cleanup_kvs struct kvs kvs = {0};

    (void)state;
    strv_add(&sv, "a");
    strv_add(&sv, "b");
    kvs_set(&kvs, "k", "v");
    jsonw_obj(&w);
    jsonw_kstr(&w, "s", NULL);
    jsonw_ki64(&w, "i", INT64_MIN);
    jsonw_kbool(&w, "t", true);
    jsonw_key(&w, "n");
    jsonw_null(&w);
    jsonw_key(&w, "sv");
    jsonw_strv(&w, &sv);
    jsonw_key(&w, "kvs");
    jsonw_kvs(&w, &kvs);
    jsonw_key(&w, "e");
    jsonw_arr(&w);
    jsonw_end_arr(&w);
    jsonw_key(&w, "aa");
    jsonw_arr(&w);
    jsonw_u64(&w, UINT64_MAX);
    jsonw_obj(&w);
    jsonw_end_obj(&w);
    jsonw_raw(&w, "[1]");
    jsonw_double(&w, 0.1);
    jsonw_double(&w, 3);
    jsonw_end_arr(&w);
    jsonw_key(&w, "time");
    jsonw_time(&w, 0);
    jsonw_end_obj(&w);
    assert_string_equal(b.data, "{\"s\":\"\",\"i\":-9223372036854775808,\"t\":true,\"n\":null,"
                                "\"sv\":[\"a\",\"b\"],\"kvs\":{\"k\":\"v\"},\"e\":[],"
                                "\"aa\":[18446744073709551615,{},[1],0.1,3],"
                                "\"time\":\"1970-01-01T00:00:00Z\"}");
}

static void strings_are_escaped_as_moby_escapes_them(void **state)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"<a href=\"x\">&\\",                    "\"<a href=\\\"x\\\">&\\\\\""                           },
        {"\b\f\n\r\t\x01\x1f",                   "\"\\b\\f\\n\\r\\t\\u0001\\u001f\""                     },
        {"\x7f \xc3\xa9 \xf0\x9f\x98\x80",       "\"\x7f \xc3\xa9 \xf0\x9f\x98\x80\""                    },
        {"a\xff\xc3z\xe2\x82",                   "\"a\xef\xbf\xbd\xef\xbf\xbdz\xef\xbf\xbd\xef\xbf\xbd\""},
        {"\xed\xa0\x80",                         "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""              },
        {"\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa", "\"\\u2028\\u2029\xe2\x80\xaa\""                        },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        cleanup_buf struct buf b = BUF_INIT(4096);
        struct jsonw w = JSONW_INIT(&b);

        jsonw_str(&w, cases[i].in);
        assert_string_equal(b.data, cases[i].out);
    }
}

static void doubles_come_back_as_they_were(void **state)
{
    static const double values[] = {0.1, 1e-7, 1.0 / 3, 1e300, -2.5, 123456789.123};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        cleanup_buf struct buf b = BUF_INIT(64);
        struct jsonw w = JSONW_INIT(&b);
        cleanup_json struct json_doc doc = {0};
        struct json root;
        double back;

        jsonw_double(&w, values[i]);
        doc = parse(b.data);
        root = json_root(&doc);
        assert_ok(json_double(&root, &back, &e));
        assert_true(back == values[i]);
    }
}

static void nesting_too_deep_to_write_is_an_overflow(void **state)
{
    cleanup_buf struct buf b = BUF_INIT(4096);
    struct jsonw w = JSONW_INIT(&b);

    (void)state;
    for (int i = 0; i < JSONW_DEPTH + 3; i++)
        jsonw_arr(&w);
    for (int i = 0; i < JSONW_DEPTH + 3; i++)
        jsonw_end_arr(&w);
    assert_err(buf_check(&b, "text", &e), ERR_INVALID);
}

static void a_node_is_written_as_it_was_read(void **state)
{
    static const char text[] = "{\"a\":[1,2.50,\"x/y\",null,true],\"b\":{}}";
    cleanup_json struct json_doc doc = parse(text);
    struct json root = json_root(&doc), none = json_get(&root, "none");
    cleanup_buf struct buf b = BUF_INIT(4096);

    (void)state;
    json_text(&root, &b);
    assert_string_equal(b.data, text);
    buf_reset(&b);
    json_text(&none, &b);
    assert_string_equal(b.data, "null");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_rfc_8259_is_json),
        cmocka_unit_test(every_kind_of_value_stands_alone),
        cmocka_unit_test(nesting_ends_at_64),
        cmocka_unit_test(the_place_of_a_mistake_is_told),
        cmocka_unit_test(keys_match_exactly_first_and_then_regardless_of_case),
        cmocka_unit_test(null_is_not_there_but_is_had),
        cmocka_unit_test(a_wrong_type_is_reported_with_its_path),
        cmocka_unit_test(objects_are_walked_in_the_order_of_the_text),
        cmocka_unit_test(a_very_long_path_is_cut_and_nothing_else),
        cmocka_unit_test(the_writer_places_commas),
        cmocka_unit_test(strings_are_escaped_as_moby_escapes_them),
        cmocka_unit_test(doubles_come_back_as_they_were),
        cmocka_unit_test(nesting_too_deep_to_write_is_an_overflow),
        cmocka_unit_test(a_node_is_written_as_it_was_read),
    };
    return cmocka_run_group_tests_name("base/json", tests, NULL, NULL);
}
