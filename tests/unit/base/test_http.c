/* The grammar of base/http: what is accepted, and above all what is not. */
#include "base/http.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "tests/unit/mem_stream.h"
#include "tests/unit/unit.h"

#define GET  "GET /_ping HTTP/1.1\r\nHost: d\r\n"
#define POST "POST /x HTTP/1.1\r\nHost: d\r\n"

static void plain_requests_are_understood(void **state)
{
    static const char text[] = "POST /v1.51/containers/create?name=a%20b HTTP/1.1\r\n"
                               "Host:  docker \r\n"
                               "content-type: application/json\r\n"
                               "X-Empty:\r\n"
                               "Content-Length: 12\r\n\r\n";
    cleanup_http_head struct http_head h = {0};

    (void)state;
    assert_ok(http_parse_request(text, strlen(text), &h, NULL, &e));
    assert_string_equal(h.method, "POST");
    assert_string_equal(h.target, "/v1.51/containers/create?name=a%20b");
    assert_string_equal(http_header(&h, "HOST"), "docker");
    assert_string_equal(http_header(&h, "Content-Type"), "application/json");
    assert_string_equal(http_header(&h, "x-empty"), "");
    assert_null(http_header(&h, "missing"));
    assert_int_equal(h.body, HTTP_BODY_LENGTH);
    assert_int_equal(h.length, 12);
    assert_true(h.keep_alive);
}

static const struct {
    const char *what, *text;
    int status;
} refused[] = {
    {"empty",                  "\r\n\r\n",                                                              400},
    {"no version",             "GET /\r\nHost: d\r\n\r\n",                                              400},
    {"bad version",            "GET / HTTP/1.x\r\nHost: d\r\n\r\n",                                     400},
    {"http 2",                 "PRI * HTTP/2.0\r\n\r\n",                                                505},
    {"http 0.9",               "GET / HTTP/0.9\r\nHost: d\r\n\r\n",                                     505},
    {"two spaces",             "GET  / HTTP/1.1\r\nHost: d\r\n\r\n",                                    400},
    {"space in target",        "GET /a b HTTP/1.1\r\nHost: d\r\n\r\n",                                  400},
    {"relative target",        "GET a HTTP/1.1\r\nHost: d\r\n\r\n",                                     400},
    {"bad method",             "G@T / HTTP/1.1\r\nHost: d\r\n\r\n",                                     400},
    {"no host",                "GET / HTTP/1.1\r\n\r\n",                                                400},
    {"two hosts",              GET "Host: e\r\n\r\n",                                                   400},
    {"bare LF",                "GET / HTTP/1.1\nHost: d\r\n\r\n",                                       400},
    {"bare CR",                GET "A: b\rc\r\n\r\n",                                                   400},
    {"folded header",          GET "A: b\r\n c\r\n\r\n",                                                400},
    {"space before the colon", GET "A : b\r\n\r\n",                                                     400},
    {"no colon",               GET "Abc\r\n\r\n",                                                       400},
    {"empty name",             GET ": b\r\n\r\n",                                                       400},
    {"control in a value",     GET "A: b\001\r\n\r\n",                                                  400},
    {"DEL in a value",         GET "A: b\177\r\n\r\n",                                                  400},
    {"length is no number",    POST "Content-Length: x\r\n\r\n",                                        400},
    {"length has a sign",      POST "Content-Length: +5\r\n\r\n",                                       400},
    {"length is empty",        POST "Content-Length:\r\n\r\n",                                          400},
    {"length is a list",       POST "Content-Length: 5, 5\r\n\r\n",                                     400},
    {"length is too large",    POST "Content-Length: 9999999999999999999\r\n\r\n",                      400},
    {"lengths differ",         POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n",                   400},
    {"length and chunked",     POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",          400},
    {"chunked and length",     POST "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n",          400},
    {"chunked twice",          POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {"unknown coding",         POST "Transfer-Encoding: gzip, chunked\r\n\r\n",                         501},
    {"chunked in HTTP/1.0",    "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",                 400},
    {"bytes after the head",   GET "\r\nGET",                                                           400},
    {"no end",                 GET,                                                                     400},
};

static void what_could_be_read_in_two_ways_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        struct http_head h;
        struct err e = ERR_INIT;
        int status = 0;

        if (!http_parse_request(refused[i].text, strlen(refused[i].text), &h, &status, &e))
            fail_msg("%s was accepted", refused[i].what);
        if (status != refused[i].status)
            fail_msg("%s: %d, not %d", refused[i].what, status, refused[i].status);
        assert_int_equal(e.kind, ERR_INVALID);
        assert_null(h.text);
    }
}

static void a_nul_byte_is_refused(void **state)
{
    static const char text[] = GET "A: b\0c\r\n\r\n";

    (void)state;
    assert_err(http_parse_request(text, sizeof(text) - 1, &(struct http_head){0}, NULL, &e),
               ERR_INVALID);
}

static void heads_have_a_maximum(void **state)
{
    cleanup_buf struct buf many = BUF_INIT(1 << 20), lengthy = BUF_INIT(1 << 20);
    struct http_head h;
    int status;

    (void)state;
    buf_addf(&many, GET);
    for (int i = 0; i < HTTP_HEADERS_MAX; i++)
        buf_addf(&many, "A%d: b\r\n", i);
    buf_addf(&many, "\r\n");
    assert_err(http_parse_request(many.data, many.len, &h, &status, &e), ERR_INVALID);
    assert_int_equal(status, 431);

    buf_addf(&lengthy, GET "A: %070000d\r\n\r\n", 1);
    assert_err(http_parse_request(lengthy.data, lengthy.len, &h, &status, &e), ERR_INVALID);
    assert_int_equal(status, 431);

    {
        struct mem_stream m;
        struct http_reader r;
        bool eof;

        mem_stream_init(&m, lengthy.data, lengthy.len, 100);
        http_reader_init(&r, &m.base, NULL);
        assert_err(http_read_request(&r, &h, &eof, &status, &e), ERR_INVALID);
        assert_int_equal(status, 431);
        http_reader_release(&r);
    }
}

static void keep_alive_follows_version_and_connection(void **state)
{
    static const struct {
        const char *text;
        bool keep;
    } rows[] = {
        {"GET / HTTP/1.1\r\nHost: d\r\n\r\n",                               true },
        {"GET / HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n",          false},
        {"GET / HTTP/1.1\r\nHost: d\r\nConnection: Upgrade, Close\r\n\r\n", false},
        {"GET / HTTP/1.0\r\n\r\n",                                          false},
        {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",                true },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cleanup_http_head struct http_head h = {0};

        assert_ok(http_parse_request(rows[i].text, strlen(rows[i].text), &h, NULL, &e));
        assert_int_equal(h.keep_alive, rows[i].keep);
    }
}

static void absolute_form_is_reduced_to_the_path(void **state)
{
    static const char text[] = "GET http://d:80/a?b HTTP/1.1\r\nHost: d\r\n\r\n";
    cleanup_http_head struct http_head h = {0};

    (void)state;
    assert_ok(http_parse_request(text, strlen(text), &h, NULL, &e));
    assert_string_equal(h.target, "/a?b");
}

static void header_lists_are_searched_by_token(void **state)
{
    static const char text[] = GET "Connection: keep-alive, Upgrade\r\nUpgrade: tcp\r\n\r\n";
    cleanup_http_head struct http_head h = {0};

    (void)state;
    assert_ok(http_parse_request(text, strlen(text), &h, NULL, &e));
    assert_true(http_header_has(&h, "connection", "upgrade"));
    assert_true(http_header_has(&h, "connection", "keep-alive"));
    assert_false(http_header_has(&h, "connection", "keep"));
    assert_false(http_header_has(&h, "upgrade", "h2c"));
}

static void responses_know_when_they_have_no_body(void **state)
{
    static const struct {
        const char *method, *text;
        enum http_body_kind body;
    } rows[] = {
        {"GET",  "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n",         HTTP_BODY_LENGTH },
        {"GET",  "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",         HTTP_BODY_NONE   },
        {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n",         HTTP_BODY_NONE   },
        {"GET",  "HTTP/1.1 204 No Content\r\n\r\n",                      HTTP_BODY_NONE   },
        {"GET",  "HTTP/1.1 304 Not Modified\r\n\r\n",                    HTTP_BODY_NONE   },
        {"GET",  "HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n",  HTTP_BODY_CHUNKED},
        {"GET",  "HTTP/1.1 200\r\n\r\n",                                 HTTP_BODY_CLOSE  },
        {"POST", "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\n\r\n", HTTP_BODY_NONE   },
    };
    static const char *const bad[] = {
        "HTTP/1.1 20 OK\r\n\r\n",  "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/1.1 099 OK\r\n\r\n", "HTTP/1.1\r\n\r\n",         "200 OK\r\n\r\n",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cleanup_http_head struct http_head h = {0};

        assert_ok(http_parse_response(rows[i].text, strlen(rows[i].text), rows[i].method, &h, &e));
        assert_int_equal(h.body, rows[i].body);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_err(http_parse_response(bad[i], strlen(bad[i]), "GET", &(struct http_head){0}, &e),
                   ERR_INVALID);
}

/* Reads one request and its body from pieces of every size. */
static void read_all(const char *text, size_t piece, struct buf *body, struct err *e, int *rc)
{
    struct http_reader r;
    struct mem_stream m;
    struct http_head h;
    struct http_body b;
    int status;
    bool eof;

    mem_stream_init(&m, text, strlen(text), piece);
    http_reader_init(&r, &m.base, NULL);
    assert_ok(http_read_request(&r, &h, &eof, &status, &e));
    assert_false(eof);
    http_body_init(&b, &r, &h);
    *rc = http_body_read_all(&b, body, e);
    http_head_release(&h);
    http_reader_release(&r);
    stream_free(&m.base);
}

#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"

static void bodies_are_read_in_any_pieces(void **state)
{
    static const char *const texts[] = {
        POST "Content-Length: 5\r\n\r\nhello",
        CHUNKED "5\r\nhello\r\n0\r\n\r\n",
        CHUNKED "1\r\nh\r\n0004;ext=\"x\"\r\nello\r\n0\r\nTrailer: x\r\n\r\n",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        for (size_t piece = 0; piece < 40; piece++) {
            cleanup_buf struct buf body = BUF_INIT(100);
            struct err e = ERR_INIT;
            int rc;

            read_all(texts[i], piece, &body, &e, &rc);
            assert_int_equal(rc, 0);
            assert_string_equal(body.data, "hello");
        }
}

static void broken_bodies_are_errors(void **state)
{
    static const char *const texts[] = {
        POST "Content-Length: 6\r\n\r\nhello",
        CHUNKED "5\r\nhello\r\n",
        CHUNKED "5\r\nhel",
        CHUNKED "5\nhello\r\n0\r\n\r\n",
        CHUNKED "5\r\nhelloX0\r\n\r\n",
        CHUNKED "5\r\nhello!\r\n0\r\n\r\n",
        CHUNKED "\r\nhello\r\n0\r\n\r\n",
        CHUNKED "0x5\r\nhello\r\n0\r\n\r\n",
        CHUNKED "-5\r\nhello\r\n0\r\n\r\n",
        CHUNKED "5 \r\nhello\r\n0\r\n\r\n",
        CHUNKED "FFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n",
        CHUNKED "5;a\001b\r\nhello\r\n0\r\n\r\n",
        CHUNKED "0\r\n folded\r\n\r\n",
        CHUNKED "0\r\nno colon\r\n\r\n",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        for (size_t piece = 0; piece < 4; piece++) {
            cleanup_buf struct buf body = BUF_INIT(1 << 20);
            struct err e = ERR_INIT;
            int rc;

            read_all(texts[i], piece, &body, &e, &rc);
            if (rc == 0)
                fail_msg("row %zu was accepted", i);
            assert_int_equal(e.kind, ERR_INVALID);
        }
}

static void requests_can_follow_each_other(void **state)
{
    static const char text[] =
        "\r\n" POST "Content-Length: 3\r\n\r\nabc" CHUNKED "2\r\nde\r\n0\r\n\r\n" GET "\r\n";
    struct http_reader r;
    struct mem_stream m;
    struct http_head h;
    struct http_body b;
    int status;
    bool eof;

    (void)state;
    mem_stream_init(&m, text, strlen(text), 0);
    http_reader_init(&r, &m.base, NULL);
    for (int i = 0; i < 3; i++) {
        assert_ok(http_read_request(&r, &h, &eof, &status, &e));
        assert_false(eof);
        http_body_init(&b, &r, &h);
        assert_true(http_body_drain(&b, 100));
        http_head_release(&h);
    }
    assert_ok(http_read_request(&r, &h, &eof, &status, &e));
    assert_true(eof);
    http_reader_idle(&r);
    assert_null(r.buf);
    http_reader_release(&r);
    stream_free(&m.base);
}

static void continue_is_sent_when_the_body_is_wanted(void **state)
{
    static const char text[] = POST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\nok";
    char got[8];
    size_t n;
    struct http_reader r;
    struct mem_stream m;
    struct http_head h;
    struct http_body b;
    int status;
    bool eof;

    (void)state;
    mem_stream_init(&m, text, strlen(text), 0);
    http_reader_init(&r, &m.base, NULL);
    assert_ok(http_read_request(&r, &h, &eof, &status, &e));
    assert_true(h.expect_100);
    http_body_init(&b, &r, &h);
    assert_int_equal(m.output.len, 0);
    assert_ok(http_body_read(&b, got, sizeof(got), &n, &e));
    assert_int_equal(n, 2);
    assert_string_equal(m.output.data, "HTTP/1.1 100 Continue\r\n\r\n");
    http_head_release(&h);
    http_reader_release(&r);
    stream_free(&m.base);
}

static void an_unwanted_expected_body_is_not_waited_for(void **state)
{
    static const char text[] = POST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    struct http_reader r;
    struct mem_stream m;
    struct http_head h;
    struct http_body b;
    int status;
    bool eof;

    (void)state;
    mem_stream_init(&m, text, strlen(text), 0);
    http_reader_init(&r, &m.base, NULL);
    assert_ok(http_read_request(&r, &h, &eof, &status, &e));
    http_body_init(&b, &r, &h);
    assert_false(http_body_drain(&b, 100));
    assert_int_equal(m.output.len, 0);
    http_head_release(&h);
    http_reader_release(&r);
    stream_free(&m.base);
}

static void the_client_skips_100_and_reads_the_answer(void **state)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n"
                               "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                               "3\r\nabc\r\n0\r\n\r\nrest";
    cleanup_buf struct buf body = BUF_INIT(100);
    struct http_reader r;
    struct mem_stream m;
    struct http_head h;
    struct http_body b;
    char rest[10];
    size_t got;

    (void)state;
    mem_stream_init(&m, text, strlen(text), 7);
    http_reader_init(&r, &m.base, NULL);
    assert_ok(http_read_response(&r, "GET", &h, &e));
    assert_int_equal(h.status, 200);
    http_body_init(&b, &r, &h);
    assert_ok(http_body_read_all(&b, &body, &e));
    assert_string_equal(body.data, "abc");
    for (size_t n = 0; n < 4; n += got)
        assert_ok(http_reader_read(&r, rest + n, sizeof(rest) - n, &got, &e));
    assert_memory_equal(rest, "rest", 4);
    http_head_release(&h);
    http_reader_release(&r);
    stream_free(&m.base);
}

static void no_value_can_end_a_header(void **state)
{
    cleanup_buf struct buf out = BUF_INIT(1000);

    (void)state;
    http_start_request(&out, "GET", "/a");
    http_add_header(&out, "X", "a\r\nY: b");
    http_add_headerf(&out, "N", "%d", 7);
    http_end_head(&out);
    assert_string_equal(out.data, "GET /a HTTP/1.1\r\nX: a  Y: b\r\nN: 7\r\n\r\n");
}

static void chunks_are_written_whole(void **state)
{
    struct mem_stream m;
    cleanup_free char *big = malloc(100000);

    (void)state;
    memset(big, 'x', 100000);
    mem_stream_init(&m, "", 0, 0);
    assert_ok(http_write_chunk(&m.base, "hello", 5, NULL, &e));
    assert_ok(http_write_chunk(&m.base, "", 0, NULL, &e));
    assert_ok(http_write_chunk_end(&m.base, NULL, &e));
    assert_string_equal(m.output.data, "5\r\nhello\r\n0\r\n\r\n");
    assert_ok(http_write_chunk(&m.base, big, 100000, NULL, &e));
    assert_int_equal(m.output.len, 15 + 7 + 100000 + 2);
    stream_free(&m.base);
}

static void escapes_are_made_and_undone(void **state)
{
    cleanup_buf struct buf out = BUF_INIT(1000);
    char plain[64];

    (void)state;
    http_escape(&out, "{\"a b\":[\"c/d\"]}~");
    assert_string_equal(out.data, "%7B%22a%20b%22%3A%5B%22c%2Fd%22%5D%7D~");
    assert_ok(http_unescape(out.data, out.len, false, plain, &e));
    assert_string_equal(plain, "{\"a b\":[\"c/d\"]}~");
    assert_ok(http_unescape("a+b%2B", 6, true, plain, &e));
    assert_string_equal(plain, "a b+");
    assert_ok(http_unescape("a+b", 3, false, plain, &e));
    assert_string_equal(plain, "a+b");
    assert_err(http_unescape("a%2", 3, true, plain, &e), ERR_INVALID);
    assert_err(http_unescape("%", 1, true, plain, &e), ERR_INVALID);
    assert_err(http_unescape("%zz", 3, true, plain, &e), ERR_INVALID);
    assert_err(http_unescape("%00", 3, true, plain, &e), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_requests_are_understood),
        cmocka_unit_test(what_could_be_read_in_two_ways_is_refused),
        cmocka_unit_test(a_nul_byte_is_refused),
        cmocka_unit_test(heads_have_a_maximum),
        cmocka_unit_test(keep_alive_follows_version_and_connection),
        cmocka_unit_test(absolute_form_is_reduced_to_the_path),
        cmocka_unit_test(header_lists_are_searched_by_token),
        cmocka_unit_test(responses_know_when_they_have_no_body),
        cmocka_unit_test(bodies_are_read_in_any_pieces),
        cmocka_unit_test(broken_bodies_are_errors),
        cmocka_unit_test(requests_can_follow_each_other),
        cmocka_unit_test(continue_is_sent_when_the_body_is_wanted),
        cmocka_unit_test(an_unwanted_expected_body_is_not_waited_for),
        cmocka_unit_test(the_client_skips_100_and_reads_the_answer),
        cmocka_unit_test(no_value_can_end_a_header),
        cmocka_unit_test(chunks_are_written_whole),
        cmocka_unit_test(escapes_are_made_and_undone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
