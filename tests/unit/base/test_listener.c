#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/tmpdir.h"
#include "tests/unit/unit.h"

#include "base/cancel.h"
#include "base/listener.h"
#include "base/sync.h"
#include "base/time.h"

struct fixture {
    struct tmpdir t;
    char *path, *address;
    struct listener *l;
};

static struct fixture fixture_new(const char *name)
{
    struct fixture f = {.t = tmpdir_new()};

    f.path = tmpdir_at(&f.t, name);
    f.address = str_printf("unix://%s", f.path);
    assert_ok(listener_open(f.address, NULL, &f.l, &e));
    return f;
}

static void fixture_release(struct fixture *f)
{
    listener_free(f->l);
    free(f->path);
    free(f->address);
    tmpdir_release(&f->t);
}
#define cleanup_fixture CLEANUP(fixture_release)

/* Connects, accepts, and sends a byte each way. */
static void check_exchange(struct listener *l, struct peer *peer)
{
    cleanup_stream struct stream *client = NULL, *server = NULL;
    char byte = 0;
    size_t got;

    assert_ok(stream_connect(listener_address(l), NULL, &client, &e));
    assert_ok(listener_accept(l, NULL, &server, peer, &e));
    assert_ok(stream_write(client, "a", 1, NULL, &e));
    assert_ok(stream_read(server, &byte, 1, &got, NULL, &e));
    assert_int_equal(byte, 'a');
    assert_ok(stream_write(server, "b", 1, NULL, &e));
    assert_ok(stream_read(client, &byte, 1, &got, NULL, &e));
    assert_int_equal(byte, 'b');
}

static void a_unix_socket_appears_with_its_mode_and_goes_with_its_listener(void **state)
{
    cleanup_fixture struct fixture f = fixture_new("s");
    cleanup_strv struct strv names = {0};
    struct stat st;
    struct peer peer;

    (void)state;
    assert_int_equal(stat(f.path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0660);
    check_exchange(f.l, &peer);
    assert_int_equal(peer.pid, getpid());
    assert_int_equal(peer.uid, getuid());
    assert_string_equal(peer.address, "unix");
    listener_free(take_ptr(f.l));
    assert_ok(fs_list(f.t.path, &names, &e));
    assert_int_equal(names.n, 0);
}

static void a_live_socket_is_in_the_way_and_a_dead_one_is_replaced(void **state)
{
    cleanup_fixture struct fixture f = fixture_new("s");
    cleanup_free char *saved = tmpdir_at(&f.t, "saved");
    struct listener *second = NULL;

    (void)state;
    assert_err(listener_open(f.address, NULL, &second, &e), ERR_CONFLICT);
    /* As after a crash: the file is there and nobody behind it. */
    assert_int_equal(link(f.path, saved), 0);
    listener_free(take_ptr(f.l));
    assert_int_equal(rename(saved, f.path), 0);
    assert_ok(listener_open(f.address, NULL, &f.l, &e));
    check_exchange(f.l, NULL);
}

static void a_successors_socket_is_left_alone(void **state)
{
    cleanup_fixture struct fixture f = fixture_new("s");
    struct listener *second = NULL;

    (void)state;
    assert_int_equal(unlink(f.path), 0);
    assert_ok(listener_open(f.address, NULL, &second, &e));
    listener_free(take_ptr(f.l));
    check_exchange(second, NULL);
    listener_free(second);
}

static void something_that_is_no_socket_is_never_replaced(void **state)
{
    cleanup_tmpdir struct tmpdir t = tmpdir_new();
    cleanup_free char *path = tmpdir_at(&t, "file"), *address = str_printf("unix://%s", path);
    struct listener *l = NULL;

    (void)state;
    assert_ok(fs_write_atomic(path, "x", 1, 0600, false, &e));
    assert_err(listener_open(address, NULL, &l, &e), ERR_CONFLICT);
    assert_true(fs_exists(path));
}

static void paths_longer_than_a_socket_address_work(void **state)
{
    cleanup_tmpdir struct tmpdir t = tmpdir_new();
    char part[101];
    cleanup_free char *dir = NULL, *address = NULL;
    struct listener *l = NULL;

    (void)state;
    memset(part, 'd', 100);
    part[100] = '\0';
    dir = str_printf("%s/%s/%s", t.path, part, part);
    address = str_printf("unix://%s/sock", dir);
    assert_ok(fs_mkdir_p(dir, 0755, &e));
    assert_ok(listener_open(address, NULL, &l, &e));
    check_exchange(l, NULL);
    assert_string_equal(listener_address(l), address);
    listener_free(l);
}

static void tcp_listens_on_a_port_of_the_kernels_choice(void **state)
{
    static const char *const addresses[] = {"tcp://127.0.0.1:0", "tcp://localhost:0"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
        struct listener *l = NULL, *second = NULL;
        struct peer peer;

        assert_ok(listener_open(addresses[i], NULL, &l, &e));
        assert_false(str_ends(listener_address(l), ":0"));
        check_exchange(l, &peer);
        assert_int_equal(peer.pid, -1);
        assert_true(str_starts(peer.address, "127.0.0.1:") || str_starts(peer.address, "[::1]:"));
        assert_err(listener_open(listener_address(l), NULL, &second, &e), ERR_CONFLICT);
        listener_free(l);
    }
}

static void bad_addresses_are_refused_with_their_text(void **state)
{
    static const char *const bad[] = {"",
                                      "/run/x.sock",
                                      "http://x",
                                      "unix://relative",
                                      "tcp://127.0.0.1",
                                      "tcp://127.0.0.1:70000",
                                      "tcp://::1:80",
                                      "tcp://127.0.0.1:http",
                                      "fd://x",
                                      "fd://0x1"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct listener *l = NULL;

        assert_err(listener_open(bad[i], NULL, &l, &e), ERR_INVALID);
        assert_null(l);
    }
}

static void a_group_that_does_not_exist_is_named(void **state)
{
    cleanup_tmpdir struct tmpdir t = tmpdir_new();
    cleanup_free char *address = str_printf("unix://%s/s", t.path);
    cleanup_strv struct strv names = {0};
    struct err why = ERR_INIT;
    struct listener *l = NULL;

    (void)state;
    assert_int_equal(listener_open(address, "no-such-group", &l, &why), -1);
    assert_int_equal(why.kind, ERR_NOT_FOUND);
    assert_non_null(strstr(why.msg, "group no-such-group not found"));
    assert_ok(fs_list(t.path, &names, &e));
    assert_int_equal(names.n, 0);
}

static void an_inherited_socket_is_taken_over_and_anything_else_refused(void **state)
{
    cleanup_fixture struct fixture f = fixture_new("s");
    struct listener *first = take_ptr(f.l);
    cleanup_free char *address = NULL;
    int file = open("/dev/null", O_RDONLY);

    (void)state;
    assert_err(listener_from_fd(file, &f.l, &e), ERR_IO);
    close(file);
    file = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_err(listener_from_fd(file, &f.l, &e), ERR_INVALID);
    close(file);
    /* The listener's descriptor, copied as systemd would hand it over. */
    for (int fd = 3; fd < 64 && !address; fd++) {
        int listening = 0;
        socklen_t len = sizeof(listening);

        if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) == 0 && listening)
            address = str_printf("fd://%d", dup(fd));
    }
    assert_non_null(address);
    assert_ok(listener_open(address, NULL, &f.l, &e));
    check_exchange(first, NULL);
    listener_free(first); /* removes the name; the inherited one lives on */
}

static void fire_soon(void *c)
{
    time_sleep_ms(30);
    cancel_fire(c);
}

static void accepting_ends_when_cancelled(void **state)
{
    cleanup_fixture struct fixture f = fixture_new("s");
    struct cancel *c = cancel_new();
    struct stream *s = NULL;
    struct thread t;

    (void)state;
    assert_ok(thread_start(&t, "fire", fire_soon, c, &e));
    assert_err(listener_accept(f.l, c, &s, NULL, &e), ERR_CANCELLED);
    thread_join(&t);
    cancel_free(c);
}

static void connecting_to_nobody_is_unavailable(void **state)
{
    struct stream *s = NULL;

    (void)state;
    assert_err(stream_connect("unix:///nonexistent/sock", NULL, &s, &e), ERR_UNAVAILABLE);
    assert_err(stream_connect("npipe:////./pipe/docker_engine", NULL, &s, &e), ERR_UNSUPPORTED);
    assert_err(stream_connect("ftp://x", NULL, &s, &e), ERR_INVALID);
}

static void running_out_of_descriptors_is_passing_trouble(void **state)
{
    cleanup_fixture struct fixture f = fixture_new("s");
    cleanup_stream struct stream *client = NULL, *server = NULL;
    struct rlimit before, none;

    (void)state;
    assert_ok(stream_connect(f.address, NULL, &client, &e));
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_err(listener_accept(f.l, NULL, &server, NULL, &e), ERR_UNAVAILABLE);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_ok(listener_accept(f.l, NULL, &server, NULL, &e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_unix_socket_appears_with_its_mode_and_goes_with_its_listener),
        cmocka_unit_test(a_live_socket_is_in_the_way_and_a_dead_one_is_replaced),
        cmocka_unit_test(a_successors_socket_is_left_alone),
        cmocka_unit_test(something_that_is_no_socket_is_never_replaced),
        cmocka_unit_test(paths_longer_than_a_socket_address_work),
        cmocka_unit_test(tcp_listens_on_a_port_of_the_kernels_choice),
        cmocka_unit_test(bad_addresses_are_refused_with_their_text),
        cmocka_unit_test(a_group_that_does_not_exist_is_named),
        cmocka_unit_test(an_inherited_socket_is_taken_over_and_anything_else_refused),
        cmocka_unit_test(accepting_ends_when_cancelled),
        cmocka_unit_test(connecting_to_nobody_is_unavailable),
        cmocka_unit_test(running_out_of_descriptors_is_passing_trouble),
    };
    return cmocka_run_group_tests_name("base/listener", tests, NULL, NULL);
}
