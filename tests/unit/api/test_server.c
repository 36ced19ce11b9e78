/* The server over a real socket, byte for byte: framing, keep-alive, what clients do wrong. */
#include "tests/unit/api/raw_client.h"

#include <pthread.h>

#include "api/conn.h"
#include "api/request.h"

/* A table of its own, so that what is tested here is HTTP and nothing else. */

static int echo(struct request *rq, struct err *e)
{
    cleanup_buf struct buf body = BUF_INIT(1 << 20);

    if (http_body_read_all(&rq->body, &body, e))
        return -1;
    return res_text(rq, 200, body.data, e);
}

static int early(struct request *rq, struct err *e)
{
    return res_text(rq, 200, "early", e);
}

/* Answers before it reads, chunk by chunk. */
static int duplex(struct request *rq, struct err *e)
{
    char chunk[64];
    size_t got;

    if (res_stream(rq, 200, "text/plain", e))
        return -1;
    do {
        if (http_body_read(&rq->body, chunk, sizeof(chunk), &got, e) ||
            res_write(rq, chunk, got, e))
            return -1;
    } while (got > 0);
    return 0;
}

static int fails_late(struct request *rq, struct err *e)
{
    if (res_stream(rq, 200, "text/plain", e) || res_write(rq, "half", 4, e))
        return -1;
    return err_set(e, ERR_INTERNAL, "broken");
}

static int query(struct request *rq, struct err *e)
{
    cleanup_free char *text =
        str_printf("x=%s flag=%d path=%s", query_str(rq, "x"), query_bool(rq, "flag", true),
                   rq->arg[0] ? rq->arg[0] : "");

    return res_text(rq, 200, text, e);
}

static int json(struct request *rq, struct err *e)
{
    cleanup_json struct json_doc doc = {0};
    struct json root;
    cleanup_free char *text = NULL;

    if (request_json(rq, query_bool(rq, "required", false), &doc, e))
        return -1;
    root = json_root(&doc);
    text = str_printf("a=%s", json_get_str(&root, "a"));
    return res_text(rq, 200, text, e);
}

static int kinds(struct request *rq, struct err *e)
{
    return err_set(e, (enum err_kind)strtol(rq->arg[0], NULL, 10), "says \"%s\" <&>", rq->arg[0]);
}

static const struct route table[] = {
    {"POST", "/echo",        echo      },
    {"POST", "/early",       early     },
    {"GET",  "/early",       early     },
    {"HEAD", "/early",       early     },
    {"POST", "/duplex",      duplex    },
    {"GET",  "/fails-late",  fails_late},
    {"GET",  "/query",       query     },
    {"POST", "/query",       query     },
    {"GET",  "/query/{a}",   query     },
    {"POST", "/json",        json      },
    {"GET",  "/kind/{kind}", kinds     },
    {"GET",  "/nothing",     NULL      },
};

static struct server server;

static int start(void **state)
{
    (void)state;
    server_start_with(&server, &(struct api_config){.max_connections = 2000}, table,
                      ARRAY_LEN(table));
    return 0;
}

static int stop(void **state)
{
    (void)state;
    server_stop(&server);
    return 0;
}

static const char *exchange(const char *text)
{
    int fd = client_connect(&server);
    const char *answer;

    client_send(fd, text);
    shutdown(fd, SHUT_WR);
    answer = client_receive(fd, NULL);
    close(fd);
    return answer;
}

/* ------------------------------------------------------------------- heads */

static void every_answer_has_the_common_headers(void **state)
{
    const char *a = exchange("GET /early HTTP/1.1\r\nHost: d\r\n\r\n");

    (void)state;
    assert_true(str_starts(a, "HTTP/1.1 200 OK\r\n"));
    assert_has(a, "\r\nApi-Version: 1.51\r\n");
    assert_has(a, "\r\nDocker-Experimental: false\r\n");
    assert_has(a, "\r\nOstype: linux\r\n");
    assert_has(a, "\r\nServer: ");
    assert_has(a, "\r\nContent-Length: 5\r\n");
    assert_has(a, "\r\n\r\nearly");
}

static void head_has_the_length_and_no_body(void **state)
{
    const char *a = exchange("HEAD /early HTTP/1.1\r\nHost: d\r\n\r\n");

    (void)state;
    assert_has(a, "Content-Length: 5\r\n");
    assert_true(str_ends(a, "\r\n\r\n"));
}

static void requests_on_one_connection_are_answered_in_order(void **state)
{
    const char *a = exchange("POST /echo HTTP/1.1\r\nHost: d\r\nContent-Length: 3\r\n\r\none"
                             "POST /echo HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n"
                             "3\r\ntwo\r\n0\r\n\r\n"
                             "GET /early HTTP/1.1\r\nHost: d\r\n\r\n");
    const char *one = strstr(a, "one"), *two = strstr(a, "two"), *three = strstr(a, "early");

    (void)state;
    assert_true(one && two && three && one < two && two < three);
    assert_has_not(a, "Connection: close");
}

static void http_1_0_closes_unless_asked_to_stay(void **state)
{
    int fd = client_connect(&server);

    (void)state;
    client_send(fd, "GET /early HTTP/1.0\r\n\r\n");
    assert_has(client_receive(fd, NULL), "Connection: close\r\n");
    close(fd);
    fd = client_connect(&server);
    client_send(fd, "GET /early HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_has(client_receive(fd, "early"), "Connection: keep-alive\r\n");
    client_send(fd, "GET /early HTTP/1.0\r\n\r\n");
    client_receive(fd, NULL);
    close(fd);
}

static void what_is_not_http_is_refused_and_cut(void **state)
{
    static const struct {
        const char *text, *status;
    } rows[] = {
        {"nonsense\r\n\r\n",                                                                 "400"},
        {"GET /early HTTP/1.1\r\n\r\n",                                                      "400"},
        {"GET /early HTTP/2.0\r\nHost: d\r\n\r\n",                                           "505"},
        {"POST /echo HTTP/1.1\r\nHost: d\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "400"},
        {"POST /echo HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: gzip\r\n\r\n",                "501"},
        {"POST /echo HTTP/1.1\r\nHost: d\r\nExpect: 200-maybe\r\n\r\n",                      "417"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *a = exchange(rows[i].text);

        if (strncmp(a + 9, rows[i].status, 3) != 0)
            fail_msg("%s: %s", rows[i].text, a);
        assert_has(a, "Connection: close\r\n");
        assert_has(a, "{\"message\":");
    }
}

/* ------------------------------------------------------------------ bodies */

static void unread_bodies_are_skipped_or_end_the_connection(void **state)
{
    const char *a = exchange("POST /early HTTP/1.1\r\nHost: d\r\nContent-Length: 3\r\n\r\nabc"
                             "GET /query?x=next HTTP/1.1\r\nHost: d\r\n\r\n");
    int fd;

    (void)state;
    assert_has(a, "x=next");

    fd = client_connect(&server);
    client_send(fd, "POST /early HTTP/1.1\r\nHost: d\r\nContent-Length: 600000\r\n\r\n");
    assert_has(client_receive(fd, NULL), "early");
    close(fd);
}

static void continue_is_said_only_when_the_body_is_wanted(void **state)
{
    int fd = client_connect(&server);

    (void)state;
    client_send(fd, "POST /echo HTTP/1.1\r\nHost: d\r\nExpect: 100-continue\r\n"
                    "Content-Length: 2\r\n\r\n");
    assert_string_equal(client_receive(fd, "\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    client_send(fd, "ok");
    assert_has(client_receive(fd, "ok"), "200 OK");
    close(fd);

    fd = client_connect(&server);
    client_send(fd, "POST /early HTTP/1.1\r\nHost: d\r\nExpect: 100-continue\r\n"
                    "Content-Length: 2\r\n\r\n");
    {
        const char *a = client_receive(fd, NULL);

        assert_has_not(a, "100 Continue");
        assert_has(a, "Connection: close");
    }
    close(fd);
}

static void the_answer_may_begin_before_the_body_has_come(void **state)
{
    int fd = client_connect(&server);

    (void)state;
    client_send(fd, "POST /duplex HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n");
    client_receive(fd, "\r\n\r\n");
    client_send(fd, "3\r\nabc\r\n");
    assert_string_equal(client_receive(fd, "abc\r\n"), "3\r\nabc\r\n");
    client_send(fd, "2\r\nde\r\n");
    assert_string_equal(client_receive(fd, "de\r\n"), "2\r\nde\r\n");
    client_send(fd, "0\r\n\r\n");
    assert_string_equal(client_receive(fd, "\r\n\r\n"), "0\r\n\r\n");
    client_send(fd, "GET /early HTTP/1.1\r\nHost: d\r\n\r\n");
    client_receive(fd, "early");
    close(fd);
}

static void a_broken_body_is_an_error_of_the_client(void **state)
{
    const char *a = exchange("POST /echo HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n"
                             "zz\r\n");

    (void)state;
    assert_true(str_starts(a, "HTTP/1.1 400 "));
    assert_has(a, "Content-Type: application/json\r\n");
}

static void an_error_after_the_head_cuts_the_answer(void **state)
{
    int fd = client_connect(&server);
    const char *a;

    (void)state;
    client_send(fd, "GET /fails-late HTTP/1.1\r\nHost: d\r\n\r\n");
    a = client_receive(fd, NULL);
    assert_has(a, "4\r\nhalf\r\n");
    assert_has_not(a, "0\r\n\r\n");
    close(fd);
}

/* --------------------------------------------------------- errors, queries */

static void errors_are_json_with_the_status_of_their_kind(void **state)
{
    static const struct {
        int kind;
        const char *status;
    } rows[] = {
        {ERR_INVALID,     "400"},
        {ERR_NOT_FOUND,   "404"},
        {ERR_CONFLICT,    "409"},
        {ERR_DENIED,      "403"},
        {ERR_UNSUPPORTED, "501"},
        {ERR_UNAVAILABLE, "503"},
        {ERR_CANCELLED,   "500"},
        {ERR_TIMEOUT,     "500"},
        {ERR_IO,          "500"},
        {ERR_INTERNAL,    "500"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cleanup_free char *target = str_printf("/kind/%d", rows[i].kind);
        cleanup_free char *body =
            str_printf("\r\n\r\n{\"message\":\"says \\\"%d\\\" <&>\"}\n", rows[i].kind);
        const char *a = client_ask(&server, "GET", target, NULL, NULL);

        assert_int_equal(strncmp(a + 9, rows[i].status, 3), 0);
        assert_true(str_ends(a, body));
    }
}

static void not_modified_has_no_body(void **state)
{
    cleanup_free char *target = str_printf("/kind/%d", ERR_NOT_MODIFIED);
    const char *a = client_ask(&server, "GET", target, NULL, NULL);

    (void)state;
    assert_true(str_starts(a, "HTTP/1.1 304 Not Modified\r\n"));
    assert_true(str_ends(a, "\r\n\r\n"));
    assert_has_not(a, "Content-Length");
    assert_has_not(a, "Content-Type");
}

static void unknown_pages_and_rows_without_a_handler_say_so(void **state)
{
    (void)state;
    assert_has(client_ask(&server, "GET", "/nope", NULL, NULL),
               "{\"message\":\"page not found\"}\n");
    assert_has(client_ask(&server, "GET", "/v1.44/nothing", NULL, NULL),
               "{\"message\":\"GET /nothing is not implemented by this engine yet\"}\n");
}

static void versions_are_checked_once_the_page_is_known(void **state)
{
    const char *a;

    (void)state;
    a = client_ask(&server, "GET", "/v1.99/early", NULL, NULL);
    assert_has(a, " 400 ");
    assert_has(a, "{\"message\":\"client version 1.99 is too new. Maximum supported API version "
                  "is 1.51\"}\n");
    a = client_ask(&server, "GET", "/v1.23/early", NULL, NULL);
    assert_has(a, "Content-Type: text/plain; charset=utf-8\r\n");
    assert_has(a, "\r\n\r\nclient version 1.23 is too old. Minimum supported API version is 1.24, "
                  "please upgrade your client to a newer version\n");
    assert_has(client_ask(&server, "GET", "/v1.99/nope", NULL, NULL), " 404 ");
    assert_has(client_ask(&server, "GET", "/v1.24/early", NULL, NULL), " 200 ");
}

static void queries_and_forms_are_decoded(void **state)
{
    static const struct {
        const char *target, *want;
    } rows[] = {
        {"/query?x=a%20b+c&flag=0",       "x=a b c flag=0 path="},
        {"/query?flag=False&x",           "x= flag=0 path="     },
        {"/query?flag=%20no%20",          "x= flag=0 path="     },
        {"/query?flag=whatever&&x=1&x=2", "x=1 flag=1 path="    },
        {"/query",                        "x= flag=1 path="     },
        {"/query/a%2Fb",                  "x= flag=1 path=a/b"  },
        {"/query/a+b",                    "x= flag=1 path=a+b"  },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_has(client_ask(&server, "GET", rows[i].target, NULL, NULL), rows[i].want);
    assert_has(client_ask(&server, "GET", "/query?x=%zz", NULL, NULL), " 400 ");
    assert_has(client_ask(&server, "POST", "/query?x=url&flag=0",
                          "Content-Type: application/x-www-form-urlencoded\r\n", "x=form"),
               "x=form flag=0");
}

static void json_bodies_are_checked_as_docker_does(void **state)
{
    static const struct {
        const char *target, *headers, *body, *want;
    } rows[] = {
        {"/json",            JSON_TYPE,                                           "{\"A\":\"x\"}",    "a=x"                                                 },
        {"/json",            "Content-Type: application/json; charset=utf-8\r\n", "{\"a\":\"x\"} \n", "a=x"                                                 },
        {"/json",            NULL,                                                NULL,               "a="                                                  },
        {"/json",            NULL,                                                "",                 "a="                                                  },
        {"/json?required=1", JSON_TYPE,                                           "",                 "\"invalid JSON: got EOF while reading request body\""},
        {"/json",            "Content-Type: text/plain\r\n",                      "{}",
         "\"unsupported Content-Type header (text/plain): must be 'application/json'\""                                                                     },
        {"/json",            "Content-Type: application/jsonx\r\n",               "{}",               "unsupported Content-Type"                            },
        {"/json",            JSON_TYPE,                                           "{}{}",             "\"unexpected content after JSON\""                   },
        {"/json",            JSON_TYPE,                                           "{} x",             "\"unexpected content after JSON\""                   },
        {"/json",            JSON_TYPE,                                           "{\"a\":\"}\"}x",   "\"unexpected content after JSON\""                   },
        {"/json",            JSON_TYPE,                                           "{\"a\":",          "invalid JSON"                                        },
        {"/json",            JSON_TYPE,                                           "nope",             "invalid JSON"                                        },
        {"/json",            JSON_TYPE,                                           "   ",              "got EOF while reading request body"                  },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_has(client_ask(&server, "POST", rows[i].target, rows[i].headers, rows[i].body),
                   rows[i].want);
}

/* -------------------------------------------------------------------- many */

#define EARLY "GET /early HTTP/1.1\r\nHost: d\r\n\r\n"

static void five_hundred_clients_half_of_which_vanish(void **state)
{
    enum { N = 500 };
    static int fd[N];

    (void)state;
    for (int i = 0; i < N; i++)
        fd[i] = client_connect(&server);
    for (int i = 0; i < N; i++) {
        if (i % 2 == 0)
            client_send(fd[i], "GET /early HTTP/1.1\r\nHost: d\r\n\r\n");
        else
            client_send(fd[i], i % 4 == 1 ? "GET /ear"
                                          : "POST /echo HTTP/1.1\r\nHost: d\r\n"
                                            "Content-Length: 100\r\n\r\nabc");
    }
    for (int i = 1; i < N; i += 2)
        close(fd[i]);
    for (int i = 0; i < N; i += 2) {
        client_receive(fd[i], "early");
        client_send(fd[i], "GET /query?x=again HTTP/1.1\r\nHost: d\r\n\r\n");
    }
    for (int i = 0; i < N; i += 2) {
        client_receive(fd[i], "x=again");
        close(fd[i]);
    }
}

static void *hammer(void *arg)
{
    (void)arg;
    for (int i = 0; i < 50; i++) {
        int fd = client_connect(&server);

        client_send(fd, "GET /early HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n");
        while (recv(fd, (char[256]){0}, 256, 0) > 0)
            ;
        close(fd);
    }
    return NULL;
}

static void clients_do_not_wait_for_each_other(void **state)
{
    pthread_t t[4];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(t); i++)
        pthread_create(&t[i], NULL, hammer, NULL);
    for (size_t i = 0; i < ARRAY_LEN(t); i++)
        pthread_join(t[i], NULL);
}

/* Connected, and in the middle of a request. */
static int busy_client(const struct server *s)
{
    int fd = client_connect(s);

    client_send(fd, "POST /duplex HTTP/1.1\r\nHost: d\r\nContent-Length: 10\r\n\r\nabc");
    client_receive(fd, "abc");
    return fd;
}

static void one_connection_too_many_is_told_so(void **state)
{
    struct server small;
    int a, b, c;

    (void)state;
    server_start_with(&small, &(struct api_config){.max_connections = 2}, table, ARRAY_LEN(table));
    a = busy_client(&small);
    b = busy_client(&small);
    c = client_connect(&small);
    assert_has(client_receive(c, NULL), " 503 ");
    close(a);
    close(b);
    close(c);
    server_stop(&small);
}

/* A new connection; 503 as long as the server has not seen yet that the others idle. */
static int client_with_room(const struct server *s)
{
    for (int i = 0; i < 1000; i++) {
        int fd = client_connect(s);

        if (send(fd, EARLY, strlen(EARLY), MSG_NOSIGNAL) > 0 &&
            strstr(client_receive(fd, "\r\n\r\n"), " 200 "))
            return fd;
        close(fd);
        time_sleep_ms(10);
    }
    fail_msg("there is no room");
    return -1;
}

static void who_has_idled_longest_makes_room(void **state)
{
    struct server small;
    int a, b, c;

    (void)state;
    server_start_with(&small, &(struct api_config){.max_connections = 2}, table, ARRAY_LEN(table));
    a = client_connect(&small);
    client_send(a, EARLY);
    client_receive(a, "early");
    b = busy_client(&small);
    c = client_with_room(&small);
    assert_string_equal(client_receive(a, NULL), "");
    client_send(b, "1234567");
    client_receive(b, "1234567");
    close(a);
    close(b);
    close(c);
    server_stop(&small);
}

static void a_head_must_come_in_time_but_who_says_nothing_may_stay(void **state)
{
    struct server s;
    int slow, quiet, busy;

    (void)state;
    server_start_with(&s, &(struct api_config){0}, table, ARRAY_LEN(table));
    api_set_head_ms(s.api, 50);
    quiet = client_connect(&s);
    busy = busy_client(&s);
    for (int i = 0; i < 3; i++) {
        slow = client_connect(&s);
        client_send(slow, "GET /early HTTP/1.1\r\nHo");
        assert_string_equal(client_receive(slow, NULL), "");
        close(slow);
    }
    client_send(quiet, EARLY);
    client_receive(quiet, "early");
    client_send(busy, "1234567");
    client_receive(busy, "1234567");
    close(quiet);
    close(busy);
    server_stop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_answer_has_the_common_headers),
        cmocka_unit_test(head_has_the_length_and_no_body),
        cmocka_unit_test(requests_on_one_connection_are_answered_in_order),
        cmocka_unit_test(http_1_0_closes_unless_asked_to_stay),
        cmocka_unit_test(what_is_not_http_is_refused_and_cut),
        cmocka_unit_test(unread_bodies_are_skipped_or_end_the_connection),
        cmocka_unit_test(continue_is_said_only_when_the_body_is_wanted),
        cmocka_unit_test(the_answer_may_begin_before_the_body_has_come),
        cmocka_unit_test(a_broken_body_is_an_error_of_the_client),
        cmocka_unit_test(an_error_after_the_head_cuts_the_answer),
        cmocka_unit_test(errors_are_json_with_the_status_of_their_kind),
        cmocka_unit_test(not_modified_has_no_body),
        cmocka_unit_test(unknown_pages_and_rows_without_a_handler_say_so),
        cmocka_unit_test(versions_are_checked_once_the_page_is_known),
        cmocka_unit_test(queries_and_forms_are_decoded),
        cmocka_unit_test(json_bodies_are_checked_as_docker_does),
        cmocka_unit_test(five_hundred_clients_half_of_which_vanish),
        cmocka_unit_test(clients_do_not_wait_for_each_other),
        cmocka_unit_test(one_connection_too_many_is_told_so),
        cmocka_unit_test(who_has_idled_longest_makes_room),
        cmocka_unit_test(a_head_must_come_in_time_but_who_says_nothing_may_stay),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
