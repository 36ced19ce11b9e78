/* The bytes of one record are a public contract: these are the ones dockerd writes. */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "logdrivers/log_file.h"

#define TIME_OF_LINES (1795500941 * NS_PER_SEC + NS_PER_SEC / 2) /* 2026-11-24T06:15:41.5Z */

static const char *encode(const char *bytes, size_t len, bool err, bool partial, const char *attrs)
{
    static char record[64 * 1024];
    struct log_line line = {.unix_ns = TIME_OF_LINES,
                            .bytes = bytes,
                            .len = len,
                            .from_stderr = err,
                            .partial = partial};
    struct log_encoder en = {.attrs = attrs, .attrs_len = strlen(attrs), .time_ns = TIME_ZERO};
    size_t n = json_codec.encode(&en, record, &line);

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
    struct log_encoder en = {.time_ns = TIME_ZERO};
    struct log_decoder d = LOG_DECODER_INIT;
    struct log_line line;
    char bytes[300], record[6 * sizeof(bytes) + 128];
    bool ok;

    (void)state;
    srand(7);
    for (int round = 0; round < 2000; round++) {
        size_t len = (size_t)rand() % sizeof(bytes), n;
        struct log_line in = {.bytes = bytes, .len = len, .from_stderr = round % 2};

        in.unix_ns = TIME_OF_LINES + (round % 100 - 50) * NS_PER_SEC * 3600 + round;
        for (size_t i = 0; i < len; i++)
            bytes[i] = (char)(rand() % (round % 3 ? 128 : 90));
        n = json_codec.encode(&en, record, &in);
        assert_true(n <= json_codec.room(len));
        assert_int_equal(json_codec.next(&d, record, n, &ok, &line), n);
        assert_true(ok);
        assert_int_equal(line.len, len);
        assert_memory_equal(line.bytes, bytes, len);
        assert_int_equal(line.from_stderr, in.from_stderr);
        assert_false(line.partial);
        assert_int_equal(line.unix_ns, in.unix_ns);
        assert_null(line.attrs);
        assert_int_equal(json_codec.next(&d, record, n - 1, &ok, &line), 0); /* not whole */
    }
    buf_release(&d.text);
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
    struct log_decoder d = LOG_DECODER_INIT;
    struct log_line line;
    char record[128];
    bool ok;

    (void)state;
    for (size_t i = 0; i < sizeof(damaged) / sizeof(*damaged); i++) {
        int n = snprintf(record, sizeof(record), "%s\n", damaged[i]);

        assert_int_equal(json_codec.next(&d, record, (size_t)n, &ok, &line), n);
        assert_false(ok);
    }
    buf_release(&d.text);
}

static void the_times_of_others_are_understood(void **state)
{
    static const struct {
        const char *text;
        int64_t ns;
    } times[] = {
        {"2026-11-24T06:15:41.5Z",         TIME_OF_LINES                                   },
        {"2026-11-24T07:15:41.5+01:00",    TIME_OF_LINES                                   },
        {"2026-11-24T06:15:41.500000001Z", TIME_OF_LINES + 1                               },
        {"2026-11-24T00:00:00Z",           1795478400 * NS_PER_SEC                         },
        {"2026-11-24T23:59:59.999999999Z", 1795478400 * NS_PER_SEC + 86400 * NS_PER_SEC - 1},
        {"2026-11-25T00:00:00Z",           1795478400 * NS_PER_SEC + 86400 * NS_PER_SEC    },
    };
    struct log_decoder d = LOG_DECODER_INIT;
    struct log_line line;
    char record[200];
    bool ok;

    (void)state;
    for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++)
        for (int plain = 0; plain < 2; plain++) {
            int n = snprintf(record, sizeof(record),
                             "{\"log\":\"a%s\\n\",\"stream\":\"stderr\",\"time\":\"%s\"}\n",
                             plain ? "" : "\\t", times[i].text);

            assert_int_equal(json_codec.next(&d, record, (size_t)n, &ok, &line), n);
            assert_true(ok);
            assert_true(line.from_stderr);
            assert_int_equal(line.unix_ns, times[i].ns);
        }
    buf_release(&d.text);
}

static void attributes_are_handed_out_as_they_stand(void **state)
{
    static const char record[] = "{\"log\":\"a\\n\",\"stream\":\"stdout\",\"attrs\":"
                                 "{\"a\":\"}\\\"\"},\"time\":\"2026-11-24T06:15:41Z\"}\n";
    struct log_decoder d = LOG_DECODER_INIT;
    struct log_line line;
    bool ok;

    (void)state;
    assert_int_equal(json_codec.next(&d, record, sizeof(record) - 1, &ok, &line),
                     sizeof(record) - 1);
    assert_true(ok);
    assert_int_equal(line.attrs_len, strlen("{\"a\":\"}\\\"\"}"));
    assert_memory_equal(line.attrs, "{\"a\":\"}\\\"\"}", line.attrs_len);
    buf_release(&d.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_written_as_dockerd_writes_it),
        cmocka_unit_test(what_html_and_json_do_not_like_is_escaped),
        cmocka_unit_test(utf8_is_kept_and_what_is_none_is_replaced_byte_by_byte),
        cmocka_unit_test(a_record_comes_back_as_it_was),
        cmocka_unit_test(a_damaged_record_is_refused),
        cmocka_unit_test(the_times_of_others_are_understood),
        cmocka_unit_test(attributes_are_handed_out_as_they_stand),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
