/* The queue of ballast-log and its rules, with real drivers and sockets of the test's own. */
#include "tests/unit/unit.h"

#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/sync.h"
#include "base/time.h"
#include "logdrivers/log_frame.h"
#include "logdrivers/remote/remote.h"

#define LIMIT_MS 20000

struct fixture {
    int listener, port;
    int shim; /* our end */
    int program;
    struct remote_config cfg;
    struct thread thread;
    int result;
    struct err e;
};

static int listen_at(int port, int *got)
{
    struct sockaddr_in sa = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(sa);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, len), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
    *got = ntohs(sa.sin_port);
    return fd;
}

static int set_up(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    int pair[2];

    signal(SIGPIPE, SIG_IGN);
    f->listener = listen_at(0, &f->port);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    f->shim = pair[0];
    f->program = pair[1];
    f->cfg.driver = xstrdup("gelf");
    f->cfg.id = xstrdup("0123456789abcdef");
    f->cfg.name = xstrdup("c");
    f->cfg.tag = xstrdup("t");
    f->cfg.host = xstrdup("h");
    f->cfg.image_name = xstrdup("i");
    f->cfg.image_id = xstrdup("sha256:0");
    f->cfg.command = xstrdup("x");
    f->cfg.created = xstrdup("2026-11-24T10:00:00Z");
    kvs_setf(&f->cfg.opts, "gelf-address", "tcp://127.0.0.1:%d", f->port);
    kvs_set(&f->cfg.opts, "gelf-tcp-reconnect-delay", "0");
    kvs_set(&f->cfg.opts, "gelf-tcp-max-reconnect", "20");
    *state = f;
    return 0;
}

static void run(void *arg)
{
    struct fixture *f = arg;

    f->result = deliver_run(f->program, &f->cfg, &f->e);
    fd_close(f->program);
}

static void start(struct fixture *f)
{
    assert_ok(thread_start(&f->thread, "program", run, f, &e));
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    fd_close(f->shim);
    thread_join(&f->thread);
    fd_close(f->listener);
    remote_config_release(&f->cfg);
    free(f);
    return 0;
}

static void expect(int fd, struct log_frame_view *v, char bytes[LOG_FRAME_MAX])
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    ssize_t n;

    assert_int_equal(poll(&p, 1, LIMIT_MS), 1);
    n = recv(fd, bytes, LOG_FRAME_MAX, 0);
    assert_true(n > 0);
    assert_ok(log_frame_parse(bytes, (size_t)n, v, &e));
}

static void send_lines(struct fixture *f, int n)
{
    static char bytes[LOG_FRAME_MAX];

    for (int i = 0; i < n; i++) {
        struct log_frame frame = {.bytes = bytes};
        struct log_line line = {.unix_ns = 1, .bytes = "a line", .len = 6};

        assert_true(log_frame_add(&frame, &line));
        assert_int_equal(send(f->shim, bytes, frame.len, MSG_NOSIGNAL), (ssize_t)frame.len);
    }
}

/* How many messages have come over the next connection, until it has `n` or is closed. */
static size_t receive(struct fixture *f, size_t n)
{
    struct pollfd p = {.fd = f->listener, .events = POLLIN};
    size_t got = 0;
    char bytes[4096];
    int fd;

    assert_int_equal(poll(&p, 1, LIMIT_MS), 1);
    fd = accept(f->listener, NULL, NULL);
    while (got < n) {
        ssize_t r = recv(fd, bytes, sizeof(bytes), 0);

        if (r <= 0)
            break;
        for (ssize_t i = 0; i < r; i++)
            got += bytes[i] == '\0';
    }
    fd_close(fd);
    return got;
}

static void a_program_says_when_it_is_ready_and_what_it_has_delivered(void **state)
{
    struct fixture *f = *state;
    char bytes[LOG_FRAME_MAX];
    struct log_frame_view v;

    start(f);
    expect(f->shim, &v, bytes);
    assert_int_equal(v.kind, LOG_FRAME_READY);
    send_lines(f, 10);
    assert_int_equal(receive(f, 10), 10);
    do
        expect(f->shim, &v, bytes);
    while (v.number < 10);
    assert_int_equal(v.lost, 0);
}

static void a_driver_that_cannot_be_opened_says_why(void **state)
{
    struct fixture *f = *state;
    char bytes[LOG_FRAME_MAX];
    struct log_frame_view v;

    fd_close(f->listener);
    f->listener = -1;
    start(f);
    expect(f->shim, &v, bytes);
    assert_int_equal(v.kind, LOG_FRAME_FAILED);
    assert_non_null(strstr(f->e.msg, "connection refused"));
    thread_join(&f->thread);
    assert_int_equal(f->result, -1);
}

static void one_that_is_started_again_waits_for_its_peer(void **state)
{
    struct fixture *f = *state;
    char bytes[LOG_FRAME_MAX];
    struct log_frame_view v;

    kvs_set(&f->cfg.opts, "gelf-tcp-reconnect-delay", "1");
    f->cfg.again = true;
    fd_close(f->listener);
    start(f);
    expect(f->shim, &v, bytes);
    assert_int_equal(v.kind, LOG_FRAME_READY);
    send_lines(f, 3);
    f->listener = listen_at(f->port, &f->port);
    assert_int_equal(receive(f, 3), 3);
}

static void what_a_peer_never_takes_is_counted(void **state)
{
    struct fixture *f = *state;
    char bytes[LOG_FRAME_MAX];
    struct log_frame_view v;

    f->cfg.again = true;
    fd_close(f->listener);
    f->listener = -1;
    start(f);
    expect(f->shim, &v, bytes);
    send_lines(f, 5);
    do
        expect(f->shim, &v, bytes);
    while (v.number < 5);
    assert_int_equal(v.lost, 5);
    assert_true(v.rest_len > 0);
}

static void without_blocking_a_full_queue_loses_what_is_new(void **state)
{
    struct fixture *f = *state;
    char bytes[LOG_FRAME_MAX];
    struct log_frame_view v;

    kvs_set(&f->cfg.opts, "mode", "non-blocking");
    kvs_set(&f->cfg.opts, "max-buffer-size", "100");
    f->cfg.again = true;
    fd_close(f->listener);
    start(f);
    expect(f->shim, &v, bytes);
    send_lines(f, 1000);
    f->listener = listen_at(f->port, &f->port);
    do
        expect(f->shim, &v, bytes);
    while (v.lost < 900);
    fd_close(f->shim);
    f->shim = -1;
    assert_true(receive(f, 1000) >= 3); /* the first one under way, and as many as 100 bytes hold */
}

/* The program's READY is never read: its next read fails before it gets what was sent. */
static void at_the_end_the_queue_is_drained_whatever_the_shim_has_read(void **state)
{
    struct fixture *f = *state;
    struct pollfd p = {.fd = f->shim, .events = POLLIN};

    start(f);
    assert_int_equal(poll(&p, 1, LIMIT_MS), 1);
    send_lines(f, 100);
    fd_close(f->shim);
    f->shim = -1;
    assert_int_equal(receive(f, 1000), 100);
    thread_join(&f->thread);
    assert_int_equal(f->result, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_program_says_when_it_is_ready_and_what_it_has_delivered),
        T(a_driver_that_cannot_be_opened_says_why),
        T(one_that_is_started_again_waits_for_its_peer),
        T(what_a_peer_never_takes_is_counted),
        T(without_blocking_a_full_queue_loses_what_is_new),
        T(at_the_end_the_queue_is_drained_whatever_the_shim_has_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
