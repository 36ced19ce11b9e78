/* Frames, addresses, multiline patterns, msgpack, pieces and signatures: what needs no peer. */
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/time.h"
#include "logdrivers/log_address.h"
#include "logdrivers/log_frame.h"
#include "logdrivers/remote/aws.h"
#include "logdrivers/remote/msgpack.h"
#include "logdrivers/remote/multiline.h"
#include "logdrivers/remote/pieces.h"
#include "logdrivers/remote/remote.h"

static char frame_bytes[LOG_FRAME_MAX];

static struct log_line line_of(const char *text, int64_t ns, bool partial)
{
    return (struct log_line){.unix_ns = ns, .partial = partial, .bytes = text, .len = strlen(text)};
}

static void lines_come_out_of_a_frame_as_they_went_in(void **state)
{
    struct log_frame f = {.bytes = frame_bytes};
    struct log_line a = line_of("one", 5, false), b = line_of("", 5, true), c = line_of("x", 6, 0);
    struct log_frame_view v;
    struct log_line out;

    (void)state;
    assert_true(log_frame_add(&f, &a));
    assert_true(log_frame_add(&f, &b));
    assert_false(log_frame_add(&f, &c)); /* another time */
    c.unix_ns = 5;
    c.from_stderr = true;
    assert_false(log_frame_add(&f, &c)); /* another stream */
    assert_int_equal(log_frame_count(f.bytes, f.len), 2);
    assert_ok(log_frame_parse(f.bytes, f.len, &v, &e));
    assert_true(log_frame_next(&v, &out));
    assert_true(out.len == 3 && memcmp(out.bytes, "one", 3) == 0 && !out.partial);
    assert_true(log_frame_next(&v, &out));
    assert_true(out.len == 0 && out.partial && out.unix_ns == 5 && !out.from_stderr);
    assert_false(log_frame_next(&v, &out));
}

static void a_frame_takes_the_longest_line_and_says_when_it_is_full(void **state)
{
    static char longest[LOG_LINE_MAX];
    struct log_frame f = {.bytes = frame_bytes};
    struct log_line l = {.bytes = longest, .len = sizeof(longest)};
    struct log_frame_view v;

    (void)state;
    assert_true(log_frame_add(&f, &l));
    assert_false(log_frame_add(&f, &l));
    assert_ok(log_frame_parse(f.bytes, f.len, &v, &e));
    assert_int_equal(v.count, 1);
}

static void a_damaged_frame_is_refused(void **state)
{
    struct log_frame f = {.bytes = frame_bytes};
    struct log_line a = line_of("one", 5, false);
    struct log_frame_view v;

    (void)state;
    assert_true(log_frame_add(&f, &a));
    assert_err(log_frame_parse(f.bytes, f.len - 1, &v, &e), ERR_INVALID);
    assert_err(log_frame_parse(f.bytes, f.len + 1, &v, &e), ERR_INVALID);
    assert_err(log_frame_parse(f.bytes, 3, &v, &e), ERR_INVALID);
    f.bytes[0]++;
    assert_err(log_frame_parse(f.bytes, f.len, &v, &e), ERR_INVALID);
}

static void a_status_tells_numbers_and_a_reason(void **state)
{
    size_t n = log_frame_tell(frame_bytes, LOG_FRAME_STATUS, 70000, 3, "why");
    struct log_frame_view v;

    (void)state;
    assert_ok(log_frame_parse(frame_bytes, n, &v, &e));
    assert_true(v.kind == LOG_FRAME_STATUS && v.number == 70000 && v.lost == 3);
    assert_true(v.rest_len == 3 && memcmp(v.rest, "why", 3) == 0);
    assert_err(log_frame_parse(frame_bytes, LOG_FRAME_HEAD + 7, &v, &e), ERR_INVALID);
}

static void an_address_has_its_parts(void **state)
{
    static const struct {
        const char *text, *scheme, *host, *port, *path;
    } good[] = {
        {"udp://127.0.0.1:514",  "udp",       "127.0.0.1", "514",  ""        },
        {"tcp+tls://[::1]:6514", "tcp+tls",   "::1",       "6514", ""        },
        {"TCP://h/x?y",          "tcp",       "h",         "",     "/x"      },
        {"unixgram:///dev/log",  "unixgram",  "",          "",     "/dev/log"},
        {"foo",                  "",          "",          "",     "foo"     },
        {"localhost:514",        "localhost", "",          "",     "514"     },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        cleanup_log_address struct log_address a = {0};

        assert_ok(log_address_parse(good[i].text, &a, &e));
        assert_string_equal(a.scheme, good[i].scheme);
        assert_string_equal(a.host, good[i].host);
        assert_string_equal(a.port, good[i].port);
        assert_string_equal(a.path, good[i].path);
    }
}

static void what_is_no_address_is_told_in_gos_words(void **state)
{
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"://x",      "parse \"://x\": missing protocol scheme"                            },
        {"tcp://[::", "parse \"tcp://[::\": missing ']' in host"                           },
        {"tcp://a:b", "parse \"tcp://a:b\": invalid port \":b\" after host"                },
        {"1.2.3.4:5", "parse \"1.2.3.4:5\": first path segment in URL cannot contain colon"},
        {"a\nb",      "parse \"a\nb\": net/url: invalid control character in URL"          },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct log_address a;
        struct err e = ERR_INIT;

        assert_int_equal(log_address_parse(bad[i].text, &a, &e), -1);
        assert_string_equal(e.msg, bad[i].why);
    }
}

static bool begins(const char *key, const char *pattern, const char *text)
{
    struct multiline m = {0};
    struct kvs opts = {0};
    bool yes;

    kvs_set(&opts, key, pattern);
    assert_ok(multiline_init(&m, &opts, &e));
    yes = multiline_begins(&m, text, strlen(text));
    multiline_release(&m);
    kvs_release(&opts);
    return yes;
}

static void a_multiline_pattern_is_gos(void **state)
{
    static const char key[] = "awslogs-multiline-pattern";

    (void)state;
    assert_true(begins(key, "^(?:\\d{2}|x)\\.", "12.ab"));
    assert_false(begins(key, "^(?:\\d{2}|x)\\.", "12,ab"));
    assert_true(begins(key, "^[\\d-]+$", "1-2"));
    assert_true(begins(key, "^\\D$", "x"));
    assert_true(begins(key, "a\\[b", "a[b"));
}

static void a_time_format_finds_its_times(void **state)
{
    static const char key[] = "awslogs-datetime-format";

    (void)state;
    assert_true(begins(key, "\\[%b %d, %Y %H:%M:%S\\]", "[May 01, 2017 19:00:01] one"));
    assert_false(begins(key, "\\[%b %d, %Y %H:%M:%S\\]", "[May 41, 2017 19:00:01] one"));
    assert_true(begins(key, "%Y-%m-%dT%H:%M:%S%L%z", "2026-11-24T10:00:00.123+0100"));
    assert_true(begins(key, "%A %p %j", "Monday AM 365"));
}

static void msgpack_takes_the_shortest_form(void **state)
{
    cleanup_buf struct buf b = BUF_INIT(100000);
    static char text[70000];

    (void)state;
    msgpack_array(&b, 4);
    msgpack_map(&b, 15);
    msgpack_map(&b, 16);
    msgpack_str(&b, "ab", 2);
    assert_memory_equal(b.data,
                        "\x94\x8f\xde\x00\x10\xa2"
                        "ab",
                        b.len);
    buf_reset(&b);
    msgpack_str(&b, text, 32);
    assert_memory_equal(b.data, "\xd9\x20", 2);
    buf_reset(&b);
    msgpack_str(&b, text, 256);
    assert_memory_equal(b.data, "\xda\x01\x00", 3);
    buf_reset(&b);
    msgpack_str(&b, text, sizeof(text));
    assert_memory_equal(b.data, "\xdb\x00\x01\x11\x70", 5);
    buf_reset(&b);
    msgpack_event_time(&b, 2 * NS_PER_SEC + 3);
    assert_memory_equal(b.data, "\xd7\x00\x00\x00\x00\x02\x00\x00\x00\x03", 10);
}

static void an_acknowledgement_is_known_however_it_comes(void **state)
{
    static const char fix[] = "\x81\xa3"
                              "ack\xa4"
                              "abcd",
                      eight[] = "\x81\xa3"
                                "ack\xd9\x04"
                                "abcd";

    (void)state;
    for (size_t n = 0; n < sizeof(fix) - 1; n++)
        assert_int_equal(msgpack_is_ack(fix, n, "abcd"), 0);
    assert_int_equal(msgpack_is_ack(fix, sizeof(fix) - 1, "abcd"), 1);
    assert_int_equal(msgpack_is_ack(eight, sizeof(eight) - 1, "abcd"), 1);
    assert_int_equal(msgpack_is_ack(fix, sizeof(fix) - 1, "abce"), -1);
    assert_int_equal(msgpack_is_ack("\x82", 1, "abcd"), -1);
}

static void pieces_of_a_line_have_an_id_and_numbers(void **state)
{
    struct pieces p = {0};
    struct remote_line out;
    struct log_line part = line_of("a", 1, true), end = line_of("b", 1, false);
    char id[65];

    (void)state;
    pieces_of(&p, &end, &out);
    assert_false(out.piece);
    pieces_of(&p, &part, &out);
    assert_true(out.piece && !out.last && out.ordinal == 1);
    assert_true(str_copy(id, sizeof(id), out.piece_id));
    pieces_of(&p, &end, &out);
    assert_true(out.piece && out.last && out.ordinal == 2);
    assert_string_equal(out.piece_id, id);
    pieces_of(&p, &end, &out);
    assert_false(out.piece);
}

/* Worked out with an implementation of its own, in another language. */
static void a_request_is_signed(void **state)
{
    struct aws_keys keys = {.id = xstrdup("AKIDEXAMPLE"),
                            .secret = xstrdup("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
                            .token = xstrdup("session")};
    const struct aws_request rq = {.region = "us-east-1",
                                   .service = "logs",
                                   .host = "logs.us-east-1.amazonaws.com",
                                   .target = "Logs_20140328.PutLogEvents",
                                   .body = "{}",
                                   .len = 2,
                                   .now_ns = 1440938160 * NS_PER_SEC};
    struct kvs headers = {0};

    (void)state;
    assert_ok(aws_sign(&rq, &keys, &headers, &e));
    assert_string_equal(kvs_get(&headers, "x-amz-date"), "20150830T123600Z");
    assert_string_equal(
        kvs_get(&headers, "authorization"),
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/logs/aws4_request, "
        "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, "
        "Signature=d68d8b796e919f2c7e89f3106d33039747f503aa7a46210323258b37f0bb464d");
    aws_keys_release(&keys);
    kvs_release(&headers);
}

static void credentials_come_from_the_environment_or_a_profile_of_a_file(void **state)
{
    static const char text[] = "[default]\naws_access_key_id=A\naws_secret_access_key = B\n# c\n"
                               "[ other ]\n  AWS_ACCESS_KEY_ID = C\naws_secret_access_key=D=\r\n"
                               "aws_session_token=E\n[broken]\naws_access_key_id=F\n";
    char path[] = "/tmp/credentials-XXXXXX";
    struct aws_keys k = {0};
    struct kvs env = {0};
    int fd = mkstemp(path);

    (void)state;
    assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
    close(fd);
    kvs_set(&env, "AWS_SHARED_CREDENTIALS_FILE", path);
    kvs_set(&env, "AWS_EC2_METADATA_DISABLED", "true");
    assert_ok(aws_keys_find(NULL, &env, NULL, &k, &e));
    assert_string_equal(k.id, "A");
    assert_string_equal(k.secret, "B");
    assert_null(k.token);
    kvs_set(&env, "AWS_PROFILE", "other");
    assert_ok(aws_keys_find(NULL, &env, NULL, &k, &e));
    assert_string_equal(k.id, "C");
    assert_string_equal(k.secret, "D=");
    assert_string_equal(k.token, "E");
    kvs_set(&env, "AWS_PROFILE", "broken");
    assert_err(aws_keys_find(NULL, &env, NULL, &k, &e), ERR_NOT_FOUND);
    assert_string_equal(k.id, "C"); /* as they were */
    kvs_set(&env, "AWS_ACCESS_KEY_ID", "X");
    kvs_set(&env, "AWS_SECRET_ACCESS_KEY", "Y");
    assert_ok(aws_keys_find(NULL, &env, NULL, &k, &e));
    assert_string_equal(k.id, "X");
    aws_keys_release(&k);
    kvs_release(&env);
    unlink(path);
}

/* What dockerd takes as a number is taken; a time is made of it. */
static void endless_retries_are_a_long_time(void **state)
{
    cleanup_remote_config struct remote_config cfg = {0};
    struct remote_patience p;
    struct remote *r;

    (void)state;
    cfg.id = xstrdup("id");
    cfg.name = xstrdup("name");
    cfg.tag = xstrdup("tag");
    kvs_set(&cfg.opts, "fluentd-async", "true");
    kvs_set(&cfg.opts, "fluentd-max-retries", "9223372036854775807");
    assert_ok(remote_fluentd.open(&cfg, &r, &e));
    p = remote_fluentd.patience(r);
    assert_true(p.total_ms > 365LL * 24 * 3600 * 1000 && p.total_ms < INT64_MAX / 2);
    remote_fluentd.close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_come_out_of_a_frame_as_they_went_in),
        cmocka_unit_test(a_frame_takes_the_longest_line_and_says_when_it_is_full),
        cmocka_unit_test(a_damaged_frame_is_refused),
        cmocka_unit_test(a_status_tells_numbers_and_a_reason),
        cmocka_unit_test(an_address_has_its_parts),
        cmocka_unit_test(what_is_no_address_is_told_in_gos_words),
        cmocka_unit_test(a_multiline_pattern_is_gos),
        cmocka_unit_test(a_time_format_finds_its_times),
        cmocka_unit_test(msgpack_takes_the_shortest_form),
        cmocka_unit_test(an_acknowledgement_is_known_however_it_comes),
        cmocka_unit_test(pieces_of_a_line_have_an_id_and_numbers),
        cmocka_unit_test(a_request_is_signed),
        cmocka_unit_test(credentials_come_from_the_environment_or_a_profile_of_a_file),
        cmocka_unit_test(endless_retries_are_a_long_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
