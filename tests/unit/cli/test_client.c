/* The client against an agent that says what the test wants. */
#include <string.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/fs.h"
#include "base/listener.h"
#include "base/mem.h"
#include "base/sync.h"
#include "cli/compose_files.h"
#include "cli/http_client.h"
#include "tests/unit/unit.h"

static char dir[] = "/tmp/test-cli-XXXXXX";
static struct cli cli;

struct agent {
    struct listener *l;
    struct thread th;
    const char *answer;
    struct buf asked;
};

/* One connection: the request's head and body are kept, the answer is given. */
static void serve(void *arg)
{
    struct agent *a = arg;
    struct stream *io = NULL;
    struct peer peer;
    struct http_reader r;
    struct http_head h = {0};
    struct http_body body;
    struct err e = ERR_INIT;
    bool eof;
    int status;

    if (listener_accept(a->l, NULL, &io, &peer, &e))
        return;
    http_reader_init(&r, io, NULL);
    if (!http_read_request(&r, &h, &eof, &status, &e) && !eof) {
        buf_addf(&a->asked, "%s %s ", h.method, h.target);
        http_body_init(&body, &r, &h);
        if (http_body_read_all(&body, &a->asked, &e) ||
            stream_write(io, a->answer, strlen(a->answer), NULL, &e))
            buf_addf(&a->asked, " %s", e.msg);
    }
    http_head_release(&h);
    http_reader_release(&r);
    stream_free(io);
}

static void agent_start(struct agent *a, const char *answer)
{
    cleanup_free char *address = str_printf("unix://%s/s", dir);

    *a = (struct agent){.answer = answer, .asked = BUF_INIT(1024 * 1024)};
    str_set(&cli.host, address);
    assert_ok(listener_open(address, NULL, &a->l, &e));
    assert_ok(thread_start(&a->th, "agent", serve, a, &e));
}

static void agent_end(struct agent *a)
{
    thread_join(&a->th);
    listener_free(a->l);
}

static int setup(void **state)
{
    (void)state;
    cli.cancel = cancel_new();
    return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    cancel_free(cli.cancel);
    free(cli.host);
    return fs_remove_all(dir, ERR_IGNORE);
}

static void an_answer_is_json(void **state)
{
    cleanup_json struct json_doc doc = {0};
    cleanup_target struct target t = {0};
    cleanup_buf struct buf body = BUF_INIT(100);
    struct agent a;

    (void)state;
    buf_addf(&body, "{\"x\":1}");
    agent_start(&a, "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\n"
                    "Transfer-Encoding: chunked\r\n\r\n5\r\n{\"Id\"\r\n6\r\n:\"ab\"}\r\n0\r\n\r\n");
    target_init(&t, "/containers/create");
    target_add(&t, "name", "a b&c");
    target_add(&t, "none", "");
    assert_ok(client_json(&cli, "POST", &t, &body, &doc, &e));
    agent_end(&a);
    struct json root = json_root(&doc);

    assert_string_equal(json_get_str(&root, "Id"), "ab");
    assert_string_equal(a.asked.data, "POST /v1.51/containers/create?name=a%20b%26c {\"x\":1}");
    buf_release(&a.asked);
}

static void an_error_has_the_agents_words_and_a_kind(void **state)
{
    static const struct {
        const char *answer, *message;
        enum err_kind kind;
    } cases[] = {
        {"HTTP/1.1 404 Not Found\r\nContent-Length: 33\r\n\r\n{\"message\":\"No such image: "
         "x:1\"}\n",                                               "No such image: x:1",                  ERR_NOT_FOUND},
        {"HTTP/1.1 409 Conflict\r\nContent-Length: 3\r\n\r\nno\n",
         "the agent answered 409 Conflict",                                                                        ERR_CONFLICT },
        {"HTTP/1.1 304 Not Modified\r\n\r\n",                               "the agent answered 304 Not Modified",
         ERR_NOT_MODIFIED                                                                                                       },
        {"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n",
         "the agent answered 500 Internal Server Error",                                                           ERR_INTERNAL },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        cleanup_target struct target t = {0};
        struct agent a;
        struct err e = ERR_INIT;

        agent_start(&a, cases[i].answer);
        target_init(&t, "/ballast/apps");
        assert_int_equal(client_json(&cli, "GET", &t, NULL, NULL, &e), -1);
        agent_end(&a);
        assert_string_equal(e.msg, cases[i].message);
        assert_int_equal(e.kind, cases[i].kind);
        assert_string_equal(a.asked.data, "GET /ballast/apps ");
        buf_release(&a.asked);
    }
}

static int collect(void *arg, const char *line, size_t n, struct err *e)
{
    (void)e;
    strv_addf(arg, "%.*s", (int)n, line);
    return 0;
}

static void lines_come_one_by_one(void **state)
{
    cleanup_strv struct strv lines = {0};
    cleanup_target struct target t = {0};
    cleanup_reply struct reply r = {0};
    struct agent a;

    (void)state;
    agent_start(&a, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                    "4\r\n{1}\n\r\n8\r\n{2}\n\n{3}\r\n1\r\n\n\r\n3\r\n{4}\r\n0\r\n\r\n");
    target_init(&t, "/events");
    assert_ok(client_send(&cli, "GET", &t, NULL, &r, &e));
    assert_ok(client_lines(&r, collect, &lines, &e));
    agent_end(&a);
    buf_release(&a.asked);
    assert_int_equal(lines.n, 4);
    assert_string_equal(lines.v[2], "{3}");
    assert_string_equal(lines.v[3], "{4}");
}

static int three_parts(void *arg, void *bytes, size_t n, size_t *got, struct err *e)
{
    int *left = arg;

    (void)e;
    assert_true(n > 4);
    *got = *left ? 4 : 0;
    if (*left) {
        memcpy(bytes, "part", 4);
        --*left;
    }
    return 0;
}

static void an_upload_goes_in_chunks(void **state)
{
    cleanup_target struct target t = {0};
    cleanup_reply struct reply r = {0};
    struct agent a;
    int left = 3;

    (void)state;
    agent_start(&a, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    target_init(&t, "/images/load");
    assert_ok(client_upload(&cli, "POST", &t, "application/x-tar", three_parts, &left, &r, &e));
    agent_end(&a);
    assert_string_equal(a.asked.data, "POST /v1.51/images/load partpartpart");
    buf_release(&a.asked);
}

static void no_agent_is_said_plainly(void **state)
{
    cleanup_target struct target t = {0};
    struct err e = ERR_INIT;

    (void)state;
    str_set(&cli.host, "unix:///nonexistent/sock");
    target_init(&t, "/version");
    assert_int_equal(client_json(&cli, "GET", &t, NULL, NULL, &e), -1);
    assert_int_equal(e.kind, ERR_UNAVAILABLE);
    assert_non_null(strstr(e.msg, "cannot connect to the agent at unix:///nonexistent/sock: "));
    assert_non_null(strstr(e.msg, "Is ballastd running?"));
}

/* ------------------------------------------------------------ compose files */

static void put(const char *name, const char *text)
{
    cleanup_free char *path = path_join(dir, name);

    assert_ok(fs_write_atomic(path, text, strlen(text), 0644, false, &e));
}

static void only_variables_that_the_files_name_are_sent(void **state)
{
    cleanup_buf struct buf out = BUF_INIT(64 * 1024);
    struct compose_args a = {0};

    (void)state;
    setenv("T_ONE", "1", 1);
    setenv("T_TWO", "2", 1);
    setenv("T_BARE", "3", 1);
    setenv("T_SECRET", "4", 1);
    put("compose.yaml", "services:\n  a:\n    image: x:$T_ONE\n    command: ${T_TWO:-d}\n"
                        "    environment:\n      - T_BARE\n      - NOT_SET\n");
    put("compose.override.yml", "services: {}\n");
    a.dir = NULL;
    strv_add(&a.files, dir); /* a directory stands for its files */
    assert_ok(compose_body(&a, &out, &e));
    strv_release(&a.files);
    assert_non_null(strstr(out.data, "\"env\":{\"T_ONE\":\"1\",\"T_TWO\":\"2\",\"T_BARE\":\"3\"}"));
    assert_null(strstr(out.data, "T_SECRET"));
    cleanup_free char *files = str_printf(
        "\"project_dir\":\"%s\",\"files\":[\"%s/compose.yaml\",\"%s/compose.override.yml\"]", dir,
        dir, dir);

    assert_non_null(strstr(out.data, files));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_json),
        cmocka_unit_test(an_error_has_the_agents_words_and_a_kind),
        cmocka_unit_test(lines_come_one_by_one),
        cmocka_unit_test(an_upload_goes_in_chunks),
        cmocka_unit_test(no_agent_is_said_plainly),
        cmocka_unit_test(only_variables_that_the_files_name_are_sent),
    };
    return cmocka_run_group_tests_name("cli/client", tests, setup, teardown);
}
