/*
 * The shim's streams, with pipes in place of a process and socket pairs in place of clients.  The
 * loop is turned by hand for a few milliseconds at a time.
 */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "runtime-linux/stdio.h"

struct fixture {
    struct loop loop;
    struct stdio io;
    struct launch_io child;
    struct timer stop;
    struct buf logged;
    unsigned pauses, left;
};

static void stop_loop(void *arg)
{
    ((struct fixture *)arg)->loop.quit = true;
}

static void on_output(void *arg, bool from_stderr, const char *bytes, size_t n)
{
    (void)from_stderr;
    buf_add(&((struct fixture *)arg)->logged, bytes, n);
}

static void on_pause(void *arg)
{
    ((struct fixture *)arg)->pauses++;
}

static void on_left(void *arg)
{
    ((struct fixture *)arg)->left++;
}

static void turn(struct fixture *f, int ms)
{
    f->loop.quit = false;
    loop_timer_set(&f->loop, &f->stop, ms);
    assert_ok(loop_run(&f->loop, &e));
}

static void make(struct fixture *f, bool stdin_open, bool once)
{
    stdio_init(&f->io, &f->loop, false, stdin_open, once);
    f->io.sink =
        (struct stdio_sink){.output = on_output, .pause = on_pause, .left = on_left, .arg = f};
}

static int set_up(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));

    f->logged = BUF_INIT(64 * 1024 * 1024);
    f->stop = (struct timer){.fire = stop_loop, .owner = f};
    f->child.in = f->child.out = f->child.err = -1;
    *state = f;
    return loop_open(&f->loop, ERR_IGNORE);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    stdio_close_child(&f->child);
    stdio_release(&f->io);
    loop_close(&f->loop);
    buf_release(&f->logged);
    free(f);
    return 0;
}

static void start(struct fixture *f)
{
    assert_ok(stdio_prepare(&f->io, true, true, &f->child, &e));
    stdio_started(&f->io, -1);
}

static int attach(struct fixture *f, bool in, bool out, bool err)
{
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    stdio_attach(&f->io, fds[0], in, out, err);
    return fds[1];
}

/* Everything that is there, up to the end or a pause. */
static void receive(int fd, struct buf *out)
{
    char bytes[64 * 1024];
    ssize_t n;

    while ((n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
        buf_add(out, bytes, (size_t)n);
}

static bool at_end(int fd)
{
    char byte;

    return recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
}

static void expect_frame(int fd, enum frame_kind kind, const char *text)
{
    struct buf got = BUF_INIT(1024 * 1024);

    receive(fd, &got);
    assert_int_equal(got.len, FRAME_HEADER + strlen(text));
    assert_int_equal(got.data[0], kind);
    assert_int_equal((uint8_t)got.data[7], strlen(text));
    assert_memory_equal(got.data + FRAME_HEADER, text, strlen(text));
    buf_release(&got);
}

static void output_goes_to_the_log_and_to_those_who_want_it(void **state)
{
    struct fixture *f = *state;
    int both, err_only;

    make(f, false, false);
    start(f);
    both = attach(f, false, true, true);
    err_only = attach(f, false, false, true);
    assert_int_equal(write(f->child.out, "one\n", 4), 4);
    turn(f, 5);
    expect_frame(both, FRAME_STDOUT, "one\n");
    assert_int_equal(write(f->child.err, "two\n", 4), 4);
    turn(f, 5);
    expect_frame(both, FRAME_STDERR, "two\n");
    expect_frame(err_only, FRAME_STDERR, "two\n");
    assert_string_equal(f->logged.data, "one\ntwo\n");
    assert_true(f->pauses >= 2);
    close(both);
    close(err_only);
    turn(f, 5);
    assert_false(stdio_has_clients(&f->io));
    assert_int_equal(f->left, 2);
}

static void what_a_client_sends_before_the_start_arrives_with_its_end(void **state)
{
    struct fixture *f = *state;
    char bytes[16];
    int c;

    make(f, true, true);
    c = attach(f, true, true, true);
    assert_int_equal(write(c, "hi\n", 3), 3);
    shutdown(c, SHUT_WR);
    turn(f, 5);
    start(f);
    turn(f, 5);
    assert_int_equal(read(f->child.in, bytes, sizeof(bytes)), 3);
    assert_int_equal(read(f->child.in, bytes, sizeof(bytes)), 0);
    assert_int_equal(write(f->child.out, "hi\n", 3), 3); /* cat's answer comes after the end */
    turn(f, 5);
    expect_frame(c, FRAME_STDOUT, "hi\n");
    close(c);
}

static void a_client_that_left_before_the_start_still_feeds_it(void **state)
{
    struct fixture *f = *state;
    char bytes[16];
    int c;

    make(f, true, true);
    c = attach(f, true, false, false);
    assert_int_equal(write(c, "bye\n", 4), 4);
    close(c);
    turn(f, 5);
    assert_true(stdio_has_clients(&f->io));
    start(f);
    turn(f, 5);
    assert_int_equal(read(f->child.in, bytes, sizeof(bytes)), 4);
    assert_int_equal(read(f->child.in, bytes, sizeof(bytes)), 0);
    assert_false(stdio_has_clients(&f->io));
}

static void without_once_stdin_outlives_its_clients(void **state)
{
    struct fixture *f = *state;
    char bytes[16];
    int c;

    make(f, true, false);
    start(f);
    for (int i = 0; i < 3; i++) {
        c = attach(f, true, true, true);
        assert_int_equal(write(c, "x", 1), 1);
        close(c);
        turn(f, 5);
        assert_int_equal(read(f->child.in, bytes, sizeof(bytes)), 1);
    }
    fcntl(f->child.in, F_SETFL, O_NONBLOCK);
    assert_int_equal(read(f->child.in, bytes, sizeof(bytes)), -1);
    assert_int_equal(errno, EAGAIN);
}

static void stdin_that_is_not_open_is_dev_null(void **state)
{
    struct fixture *f = *state;
    int c;

    make(f, false, false);
    start(f);
    assert_int_equal(f->child.in, -1);
    c = attach(f, true, true, true);
    assert_int_equal(write(c, "x", 1), 1);
    turn(f, 5);
    assert_true(stdio_has_clients(&f->io));
    close(c);
    turn(f, 5);
    assert_false(stdio_has_clients(&f->io));
}

static void much_stdin_waits_for_the_process_and_arrives_whole(void **state)
{
    struct fixture *f = *state;
    static char bytes[512 * 1024];
    size_t sent = 0, got = 0;
    int c;

    make(f, true, true);
    start(f);
    c = attach(f, true, true, true);
    fcntl(f->child.in, F_SETFL, O_NONBLOCK);
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)(i * 7 >> 3);
    for (int i = 0; i < 3000 && got < sizeof(bytes); i++) {
        char chunk[32 * 1024];
        ssize_t n = sent < sizeof(bytes) ? send(c, bytes + sent, sizeof(bytes) - sent, 0) : 0;

        sent += n > 0 ? (size_t)n : 0;
        if (sent == sizeof(bytes))
            shutdown(c, SHUT_WR);
        turn(f, 0);
        n = read(f->child.in, chunk, sizeof(chunk));
        if (n > 0)
            assert_memory_equal(chunk, bytes + got, (size_t)n);
        got += n > 0 ? (size_t)n : 0;
    }
    assert_int_equal(got, sizeof(bytes));
    close(c);
}

static void a_process_that_closes_its_stdin_does_not_stop_the_client(void **state)
{
    struct fixture *f = *state;
    char bytes[1024] = {0};
    int c;

    make(f, true, true);
    start(f);
    c = attach(f, true, true, true);
    close(f->child.in);
    f->child.in = -1;
    for (int i = 0; i < 1000; i++) { /* far more than any buffer holds */
        assert_int_equal(write(c, bytes, sizeof(bytes)), sizeof(bytes));
        if (i % 50 == 0)
            turn(f, 1);
    }
    close(c);
}

/* Fills what is between the process and the client; returns how much the process could write. */
static size_t write_until_full(struct fixture *f)
{
    char bytes[4096];
    size_t total = 0;

    memset(bytes, 'x', sizeof(bytes));
    fcntl(f->child.out, F_SETFL, O_NONBLOCK);
    for (int quiet = 0; quiet < 3;) {
        ssize_t n = write(f->child.out, bytes, sizeof(bytes));

        quiet = n > 0 ? 0 : quiet + 1;
        total += n > 0 ? (size_t)n : 0;
        turn(f, 0);
    }
    return total;
}

static void a_slow_client_slows_the_process_and_loses_nothing(void **state)
{
    struct fixture *f = *state;
    struct buf got = BUF_INIT(64 * 1024 * 1024);
    size_t written, payload = 0;
    int c;

    make(f, false, false);
    start(f);
    c = attach(f, false, true, true);
    written = write_until_full(f);
    assert_true(written < 2 * 1024 * 1024);
    turn(f, 20);
    assert_true(f->logged.len < written); /* the shim does not read ahead */
    for (int i = 0; i < 200; i++) {
        receive(c, &got);
        turn(f, 0);
    }
    for (size_t at = 0; at < got.len;) {
        size_t n = (size_t)(uint8_t)got.data[at + 5] << 16 |
                   (size_t)(uint8_t)got.data[at + 6] << 8 | (uint8_t)got.data[at + 7];

        payload += n;
        at += FRAME_HEADER + n;
    }
    assert_int_equal(payload, written);
    assert_int_equal(f->logged.len, written);
    buf_release(&got);
    close(c);
}

static void a_vanished_client_stops_nobody(void **state)
{
    struct fixture *f = *state;
    size_t written;
    int c;

    make(f, false, false);
    start(f);
    c = attach(f, false, true, true);
    written = write_until_full(f);
    close(c);
    turn(f, 20);
    assert_int_equal(f->logged.len, written);
    assert_false(stdio_has_clients(&f->io));
}

static void the_end_takes_what_is_left_and_says_the_exit_code(void **state)
{
    struct fixture *f = *state;
    static const uint8_t last[] = {FRAME_EXIT, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 137};
    struct buf got = BUF_INIT(64 * 1024 * 1024);
    size_t written;
    int c, code = 137;

    make(f, false, false);
    start(f);
    c = attach(f, false, true, true);
    written = write_until_full(f); /* the client reads nothing yet, and an orphan holds the pipe */
    stdio_end(&f->io, &code);
    assert_int_equal(f->logged.len, written);
    for (int i = 0; i < 100 && stdio_has_clients(&f->io); i++) {
        receive(c, &got);
        turn(f, 1);
    }
    receive(c, &got);
    assert_true(at_end(c));
    assert_true(got.len > written);
    assert_memory_equal(got.data + got.len - sizeof(last), last, sizeof(last));
    buf_release(&got);
    close(c);
}

static void unread_stdin_does_not_turn_the_end_into_a_reset(void **state)
{
    struct fixture *f = *state;
    int c, code = 0;

    make(f, true, true);
    c = attach(f, true, true, true);
    assert_int_equal(write(c, "never read", 10), 10);
    stdio_end(&f->io, &code);
    turn(f, 5);
    {
        struct buf got = BUF_INIT(1024);

        receive(c, &got);
        assert_int_equal(got.len, FRAME_HEADER + 4);
        assert_true(at_end(c));
        buf_release(&got);
    }
    close(c);
}

static void a_failed_start_can_be_tried_again_with_the_same_clients(void **state)
{
    struct fixture *f = *state;
    int c;

    make(f, true, true);
    c = attach(f, true, true, true);
    assert_ok(stdio_prepare(&f->io, true, true, &f->child, &e));
    stdio_close_child(&f->child);
    stdio_abandon(&f->io);
    start(f);
    assert_int_equal(write(f->child.out, "ok", 2), 2);
    turn(f, 5);
    expect_frame(c, FRAME_STDOUT, "ok");
    close(c);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(output_goes_to_the_log_and_to_those_who_want_it),
        T(what_a_client_sends_before_the_start_arrives_with_its_end),
        T(a_client_that_left_before_the_start_still_feeds_it),
        T(without_once_stdin_outlives_its_clients),
        T(stdin_that_is_not_open_is_dev_null),
        T(much_stdin_waits_for_the_process_and_arrives_whole),
        T(a_process_that_closes_its_stdin_does_not_stop_the_client),
        T(a_slow_client_slows_the_process_and_loses_nothing),
        T(a_vanished_client_stops_nobody),
        T(the_end_takes_what_is_left_and_says_the_exit_code),
        T(unread_stdin_does_not_turn_the_end_into_a_reset),
        T(a_failed_start_can_be_tried_again_with_the_same_clients),
    };

    signal(SIGPIPE, SIG_IGN); /* the shim blocks it */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
