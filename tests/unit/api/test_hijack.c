/* Attach and exec start: the connection becomes the process's stdio, and comes to an end cleanly.
 */
#include "tests/unit/api/raw_client.h"

#include "api/frames.h"
#include "base/stream_fd.h"

#define UPGRADE "Connection: Upgrade\r\nUpgrade: tcp\r\n"
#define ATTACH  "POST /v1.51/containers/q1/attach?stream=1&stdin=1&stdout=1&stderr=1"
#define HEAD_101(type)                                                    \
    "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker." type \
    "\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"

static struct server server;
static struct container *q1;
static int shim; /* the runtime's end of the attach stream */

static void give_stream(void)
{
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    shim = pair[1];
    server.g->attach_io = stream_fd_new(pair[0], "shim");
}

static int start(void **state)
{
    (void)state;
    server_start(&server);
    q1 =
        fake_container(server.g, "1111111111111111111111111111111111111111111111111111111111111111",
                       "q1", STATUS_RUNNING);
    q1->spec->open_stdin = true;
    q1->spec->stdin_once = true;
    server.g->exec.container_id = xstrdup(q1->id);
    strv_add(&server.g->exec.spec.argv, "cat");
    server.g->exec.spec.attach_stdin = true;
    server.g->exec.spec.attach_stdout = true;
    server.g->exec.spec.attach_stderr = true;
    give_stream();
    return 0;
}

static int stop(void **state)
{
    (void)state;
    close(shim);
    stream_free(server.g->attach_io);
    server_stop(&server);
    return 0;
}

static int attach(const char *target, const char *headers, const char *head)
{
    cleanup_free char *text = str_printf("%s HTTP/1.1\r\nHost: d\r\n%s\r\n", target, headers);
    int fd = client_connect(&server);

    client_send(fd, text);
    assert_string_equal(client_receive_head(fd), head);
    return fd;
}

static void frame(enum frame_kind kind, const void *bytes, size_t n)
{
    cleanup_buf struct buf b = BUF_INIT(1 << 20);

    frame_add(&b, kind, bytes, n);
    assert_int_equal(send(shim, b.data, b.len, MSG_NOSIGNAL), (ssize_t)b.len);
}

static void assert_bytes(int fd, const char *want, size_t n)
{
    char got[256];
    size_t have = 0;

    while (have < n) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ssize_t r;

        if (poll(&p, 1, 10000) <= 0)
            fail_msg("only %zu of %zu bytes came", have, n);
        r = recv(fd, got + have, n - have, 0);
        if (r <= 0)
            fail_msg("the end came after %zu of %zu bytes", have, n);
        have += (size_t)r;
    }
    assert_memory_equal(got, want, n);
}

static void assert_end(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    char c;

    assert_int_equal(poll(&p, 1, 10000), 1);
    assert_int_equal(recv(fd, &c, 1, 0), 0);
}

/* ------------------------------------------------------------------- heads */

static void the_head_is_exactly_dockers(void **state)
{
    int fd;

    (void)state;
    fd = attach(ATTACH, UPGRADE, HEAD_101("multiplexed-stream"));
    assert_true(fake_called(server.g, "in=1 out=1 err=1"));
    close(fd);
}

static void old_clients_get_a_raw_type(void **state)
{
    (void)state;
    close(attach("POST /v1.41/containers/q1/attach?stream=1&stdout=1", UPGRADE,
                 HEAD_101("raw-stream")));
}

static void without_an_upgrade_it_is_a_200(void **state)
{
    int fd = attach(ATTACH, "",
                    "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n");

    (void)state;
    frame(FRAME_STDOUT, "x", 1);
    assert_bytes(fd, "\1\0\0\0\0\0\0\1x", 9);
    close(fd);
}

static void errors_are_raw_text(void **state)
{
    static const struct {
        const char *target, *status, *body;
    } rows[] = {
        {"/containers/nope/attach?stream=1",        "404", "No such container: nope\r\n"           },
        {"/containers/q1/attach?detachKeys=zzz",    "400", "Invalid detach keys (zzz) provided\r\n"},
        {"/containers/q1/attach?detachKeys=ctrl-1", "400",
         "Invalid detach keys (ctrl-1) provided\r\n"                                               },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *a = client_ask(&server, "POST", rows[i].target, UPGRADE, NULL);

        assert_int_equal(strncmp(a + 9, rows[i].status, 3), 0);
        assert_has(a, "Content-Type: application/vnd.docker.raw-stream\r\n\r\n");
        assert_true(str_ends(a, rows[i].body));
    }
    q1->state.status = STATUS_PAUSED;
    assert_has(client_ask(&server, "POST", "/containers/q1/attach?stream=1", UPGRADE, NULL),
               "\r\n\r\ncontainer q1 is paused, unpause the container before attach\r\n");
}

/* -------------------------------------------------------------------- pump */

static void both_directions_are_carried(void **state)
{
    int fd = attach(ATTACH, UPGRADE, HEAD_101("multiplexed-stream"));

    (void)state;
    client_send(fd, "in");
    assert_bytes(shim, "in", 2);
    frame(FRAME_STDOUT, "out", 3);
    frame(FRAME_STDERR, "err", 3);
    assert_bytes(fd, "\1\0\0\0\0\0\0\3out\2\0\0\0\0\0\0\3err", 22);
    close(fd);
}

static void bytes_sent_with_the_head_are_not_lost(void **state)
{
    int fd = client_connect(&server);

    (void)state;
    client_send(fd, ATTACH " HTTP/1.1\r\nHost: d\r\n" UPGRADE "\r\nearly");
    client_receive_head(fd);
    assert_bytes(shim, "early", 5);
    close(fd);
}

static void half_closed_input_ends_stdin_and_output_goes_on(void **state)
{
    int fd = attach(ATTACH, UPGRADE, HEAD_101("multiplexed-stream"));

    (void)state;
    client_send(fd, "hi");
    shutdown(fd, SHUT_WR);
    assert_bytes(shim, "hi", 2);
    assert_end(shim);
    frame(FRAME_STDOUT, "late", 4);
    assert_bytes(fd, "\1\0\0\0\0\0\0\4late", 12);
    shutdown(shim, SHUT_WR);
    assert_end(fd);
    close(fd);
}

static void stdin_stays_open_unless_it_was_asked_to_close(void **state)
{
    struct pollfd p = {.events = POLLIN};
    int fd;

    (void)state;
    q1->spec->stdin_once = false;
    fd = attach(ATTACH, UPGRADE, HEAD_101("multiplexed-stream"));
    p.fd = shim;
    shutdown(fd, SHUT_WR);
    assert_int_equal(poll(&p, 1, 100), 0);
    frame(FRAME_STDOUT, "x", 1);
    assert_bytes(fd, "\1\0\0\0\0\0\0\1x", 9);
    close(fd);
}

static void the_end_of_output_is_the_end_even_with_input_unread(void **state)
{
    int fd = attach(ATTACH, UPGRADE, HEAD_101("multiplexed-stream"));

    (void)state;
    frame(FRAME_STDOUT, "bye", 3);
    shutdown(shim, SHUT_WR);
    for (int i = 0; i < 100; i++) /* typed on while the process is gone */
        if (send(fd, "more", 4, MSG_NOSIGNAL) < 0)
            break;
    assert_bytes(fd, "\1\0\0\0\0\0\0\3bye", 11);
    assert_end(fd); /* and not "connection reset" */
    close(fd);
}

static void streams_that_were_not_asked_for_are_left_out(void **state)
{
    int fd = attach("POST /v1.51/containers/q1/attach?stream=1&stderr=1", UPGRADE,
                    HEAD_101("multiplexed-stream"));

    (void)state;
    frame(FRAME_STDOUT, "out", 3);
    frame(FRAME_STDERR, "e1", 2);
    frame(FRAME_STDOUT, "out", 3);
    frame(FRAME_STDERR, "e2", 2);
    shutdown(shim, SHUT_WR);
    assert_bytes(fd, "\2\0\0\0\0\0\0\2e1\2\0\0\0\0\0\0\2e2", 20);
    assert_end(fd);
    close(fd);
}

static void a_terminal_has_no_frames(void **state)
{
    int fd;

    (void)state;
    q1->spec->tty = true;
    fd = attach(ATTACH, UPGRADE, HEAD_101("raw-stream"));
    frame(FRAME_STDOUT, "$ ", 2);
    frame(FRAME_STDOUT, "ls\r\n", 4);
    assert_bytes(fd, "$ ls\r\n", 6);
    close(fd);
}

static void detach_keys_let_go_and_are_told(void **state)
{
    int fd;

    (void)state;
    q1->spec->tty = true;
    fd = attach(ATTACH, UPGRADE, HEAD_101("raw-stream"));
    client_send(fd, "ls\x10");
    assert_bytes(shim, "ls", 2);
    client_send(fd, "\x11");
    assert_end(fd);
    close(fd);
    assert_end(shim);
    for (int i = 0; i < 500 && fake_events(server.g) == 0; i++)
        time_sleep_ms(10);
    mutex_lock(&server.g->lock);
    assert_string_equal(server.g->events[0].action, "detach");
    mutex_unlock(&server.g->lock);
}

static void without_a_terminal_keys_are_only_bytes(void **state)
{
    int fd = attach(ATTACH, UPGRADE, HEAD_101("multiplexed-stream"));

    (void)state;
    client_send(fd, "\x10\x11");
    assert_bytes(shim, "\x10\x11", 2);
    close(fd);
}

static void a_vanished_client_ends_the_attach(void **state)
{
    int fd = attach(ATTACH, UPGRADE, HEAD_101("multiplexed-stream"));

    (void)state;
    close(fd); /* the process says nothing: only the hang-up can tell */
    assert_end(shim);
}

/* Its input stands still, since the process does not read: that holds up nobody who ends. */
static void a_vanished_client_whose_input_is_not_read_ends_the_attach(void **state)
{
    int fd = attach(ATTACH, UPGRADE, HEAD_101("multiplexed-stream"));
    struct pollfd end = {.fd = shim, .events = POLLHUP};
    char chunk[8192] = {0};

    (void)state;
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLOUT};

        if (poll(&p, 1, 200) <= 0 || send(fd, chunk, sizeof(chunk), MSG_NOSIGNAL) <= 0)
            break;
    }
    close(fd);
    frame(FRAME_STDOUT, "x", 1); /* nobody takes it */
    assert_int_equal(poll(&end, 1, 10000), 1);
}

static void the_agents_end_ends_the_attach(void **state)
{
    int fd = attach(ATTACH, UPGRADE, HEAD_101("multiplexed-stream"));
    int64_t before = time_mono_ms();

    (void)state;
    api_close(server.api, 5000);
    server.api = NULL;
    assert_true(time_mono_ms() - before < 2000);
    assert_end(fd);
    close(fd);
}

static void logs_come_before_what_is_new(void **state)
{
    int fd;

    (void)state;
    server.g->lines[0] = (struct log_line){.bytes = "old", .len = 3};
    server.g->lines[1] = (struct log_line){.bytes = "bad", .len = 3, .from_stderr = true};
    server.g->n_lines = 2;
    frame(FRAME_STDOUT, "new", 3);
    fd = client_connect(&server);
    client_send(fd, "POST /containers/q1/attach?stream=1&logs=1&stdout=1&stderr=1 HTTP/1.1\r\n"
                    "Host: d\r\n" UPGRADE "\r\n");
    assert_bytes(fd, HEAD_101("multiplexed-stream"), strlen(HEAD_101("multiplexed-stream")));
    assert_bytes(fd, "\1\0\0\0\0\0\0\4old\n\2\0\0\0\0\0\0\4bad\n\1\0\0\0\0\0\0\3new", 35);
    close(fd);
}

/* -------------------------------------------------------------------- exec */

#define EXEC "POST /v1.51/exec/e1/start"

static int exec(const char *body, const char **head)
{
    cleanup_free char *text = str_printf(EXEC " HTTP/1.1\r\nHost: d\r\n" UPGRADE JSON_TYPE
                                              "Content-Length: %zu\r\n\r\n%s",
                                         strlen(body), body);
    int fd = client_connect(&server);

    client_send(fd, text);
    *head = client_receive_head(fd);
    return fd;
}

static void exec_carries_and_records_the_exit(void **state)
{
    const char *head;
    int fd = exec("{\"Detach\":false,\"Tty\":false}", &head);

    (void)state;
    assert_true(str_starts(head, "HTTP/1.1 101 UPGRADED\r\nContent-Type: "
                                 "application/vnd.docker.multiplexed-stream\r\n"
                                 "Connection: Upgrade\r\nUpgrade: tcp\r\nApi-Version: 1.51\r\n"));
    assert_true(fake_called(server.g, "exec start e1 0x0"));
    client_send(fd, "in");
    shutdown(fd, SHUT_WR);
    assert_bytes(shim, "in", 2);
    assert_end(shim);
    frame(FRAME_STDOUT, "in", 2);
    frame(FRAME_EXIT, "\0\0\0\3", 4);
    assert_bytes(fd, "\1\0\0\0\0\0\0\2in", 10);
    assert_end(fd);
    close(fd);
    for (int i = 0; i < 500 && !fake_called(server.g, "exec exited e1 3"); i++)
        time_sleep_ms(10);
    assert_true(fake_called(server.g, "exec exited e1 3"));
}

static void a_failed_exec_says_so_in_the_stream(void **state)
{
    static const char want[] =
        "OCI runtime exec failed: exec failed: unable to start container process: exec: \"nope\": "
        "executable file not found in $PATH\r\n";
    char header[8] = {1, 0, 0, 0, 0, 0, 0, (char)(sizeof(want) - 1)};
    const char *head;
    int fd;

    (void)state;
    fake_fail(server.g, ERR_NOT_FOUND,
              "OCI runtime exec failed: exec failed: unable to start container process: exec: "
              "\"nope\": executable file not found in $PATH");
    fd = exec("{}", &head);
    assert_has(head, "101 UPGRADED");
    assert_bytes(fd, header, 8);
    assert_bytes(fd, want, sizeof(want) - 1);
    assert_end(fd);
    close(fd);
}

static void a_detached_exec_answers_at_once(void **state)
{
    const char *a = client_ask(&server, "POST", "/exec/e1/start", JSON_TYPE, "{\"Detach\":true}");

    (void)state;
    assert_has(a, " 200 OK");
    assert_has(a, "Content-Length: 0");
    fake_fail(server.g, ERR_NOT_FOUND,
              "OCI runtime exec failed: exec failed: unable to start container process: exec: "
              "\"nope\": executable file not found in $PATH");
    a = client_ask(&server, "POST", "/exec/e1/start", JSON_TYPE, "{\"Detach\":true}");
    assert_has(a, " 400 ");
    assert_has(a, "{\"message\":\"OCI runtime exec failed: exec failed: unable to start container "
                  "process: exec: \\\"nope\\\": executable file not found in $PATH\"}");
}

static void an_unknown_exec_is_no_upgrade(void **state)
{
    const char *a = client_ask(&server, "POST", "/exec/e2/start", UPGRADE JSON_TYPE, "{}");

    (void)state;
    assert_has(a, " 404 ");
    assert_has(a, "{\"message\":\"No such exec instance: e2\"}");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)
    const struct CMUnitTest tests[] = {
        TEST(the_head_is_exactly_dockers),
        TEST(old_clients_get_a_raw_type),
        TEST(without_an_upgrade_it_is_a_200),
        TEST(errors_are_raw_text),
        TEST(both_directions_are_carried),
        TEST(bytes_sent_with_the_head_are_not_lost),
        TEST(half_closed_input_ends_stdin_and_output_goes_on),
        TEST(stdin_stays_open_unless_it_was_asked_to_close),
        TEST(the_end_of_output_is_the_end_even_with_input_unread),
        TEST(streams_that_were_not_asked_for_are_left_out),
        TEST(a_terminal_has_no_frames),
        TEST(detach_keys_let_go_and_are_told),
        TEST(without_a_terminal_keys_are_only_bytes),
        TEST(a_vanished_client_ends_the_attach),
        TEST(a_vanished_client_whose_input_is_not_read_ends_the_attach),
        TEST(the_agents_end_ends_the_attach),
        TEST(logs_come_before_what_is_new),
        TEST(exec_carries_and_records_the_exit),
        TEST(a_failed_exec_says_so_in_the_stream),
        TEST(a_detached_exec_answers_at_once),
        TEST(an_unknown_exec_is_no_upgrade),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
