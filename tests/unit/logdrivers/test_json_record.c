/* The bytes of one record are a public contract: these are the ones dockerd writes. */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "logdrivers/json_record.h"

static const char *encode(const char *bytes, size_t len, bool err, bool partial, const char *attrs)
{
    static char record[64 * 1024];
    struct log_line line = {.bytes = bytes, .len = len, .from_stderr = err, .partial = partial};
    size_t n = json_record_encode(record, &line, "2026-11-24T06:15:41.5Z", attrs, strlen(attrs));

    record[n] = '\0';
    return record;
}

static void a_line_is_written_as_dockerd_writes_it(void **state)
{
    (void)state;
    assert_string_equal(
        encode("hello", 5, false, false, ""),
        "{\"log\":\"hello\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-24T06:15:41.5Z\"}\n");
    assert_string_equal(encode("part", 4, true, true, "{\"k\":\"v\"}"),
                        "{\"log\":\"part\",\"stream\":\"stderr\",\"attrs\":{\"k\":\"v\"},"
                        "\"time\":\"2026-11-24T06:15:41.5Z\"}\n");
    assert_string_equal(
        encode("", 0, false, false, ""),
        "{\"log\":\"\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-24T06:15:41.5Z\"}\n");
}

static void what_html_and_json_do_not_like_is_escaped(void **state)
{
    static const char odd[] = "<a href=\"x\">&\\\t\r\x01\x7f";

    (void)state;
    assert_non_null(
        strstr(encode(odd, sizeof(odd) - 1, false, false, ""),
               "\"\\u003ca href=\\\"x\\\"\\u003e\\u0026\\\\\\u0009\\r\\u0001\x7f\\n\""));
}

static void utf8_is_kept_and_what_is_none_is_replaced_byte_by_byte(void **state)
{
    static const char odd[] =
        "\xc3\xa4\xff\xe2\x82\xac\xc3(\xed\xa0\x80\xf0\x9f\x98\x80\xe2\x80\xa8";

    (void)state;
    assert_non_null(strstr(encode(odd, sizeof(odd) - 1, false, false, ""),
                           "\"\xc3\xa4\\ufffd\xe2\x82\xac\\ufffd(\\ufffd\\ufffd\\ufffd"
                           "\xf0\x9f\x98\x80\\u2028\\n\""));
}

static void a_record_comes_back_as_it_was(void **state)
{
    struct buf text = BUF_INIT(1024 * 1024);
    struct log_line line;
    char bytes[300], record[JSON_RECORD_MAX(sizeof(bytes))];

    (void)state;
    srand(7);
    for (int round = 0; round < 2000; round++) {
        size_t len = (size_t)rand() % sizeof(bytes), n;
        struct log_line in = {.bytes = bytes, .len = len, .from_stderr = round % 2};

        for (size_t i = 0; i < len; i++)
            bytes[i] = (char)(rand() % (round % 3 ? 128 : 90));
        n = json_record_encode(record, &in, "2026-11-24T06:15:41.000000001Z", "", 0);
        assert_true(json_record_decode(record, n, &text, &line));
        assert_int_equal(line.len, len);
        assert_memory_equal(line.bytes, bytes, len);
        assert_int_equal(line.from_stderr, in.from_stderr);
        assert_false(line.partial);
        assert_int_equal(line.unix_ns % NS_PER_SEC, 1);
    }
    buf_release(&text);
}

static void a_damaged_record_is_refused(void **state)
{
    static const char *const damaged[] = {
        "",
        "{",
        "x",
        "{}",
        "{\"log\":\"a\\n\"}",
        "{\"log\":\"a\\n\",\"time\":\"yesterday\"}",
        "{\"log\":\"a\\q\",\"time\":\"2026-11-24T06:15:41Z\"}",
        "{\"log\":\"a\",\"time\":\"2026-11-24T06:15:41Z\"} x",
        "{\"log\":5,\"time\":\"2026-11-24T06:15:41Z\"}",
        "{\"log\":\"a\\u00\",\"time\":\"2026-11-24T06:15:41Z\"}",
    };
    struct buf text = BUF_INIT(4096);
    struct log_line line;

    (void)state;
    for (size_t i = 0; i < sizeof(damaged) / sizeof(*damaged); i++)
        assert_false(json_record_decode(damaged[i], strlen(damaged[i]), &text, &line));
    buf_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_written_as_dockerd_writes_it),
        cmocka_unit_test(what_html_and_json_do_not_like_is_escaped),
        cmocka_unit_test(utf8_is_kept_and_what_is_none_is_replaced_byte_by_byte),
        cmocka_unit_test(a_record_comes_back_as_it_was),
        cmocka_unit_test(a_damaged_record_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
