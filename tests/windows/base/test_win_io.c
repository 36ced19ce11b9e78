#include <fcntl.h>
#include <io.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/unit.h"
#include "tests/windows/tmpdir.h"

#include "base/cancel.h"
#include "base/dirwatch.h"
#include "base/host.h"
#include "base/listener.h"
#include "base/notify.h"
#include "base/stream_fd.h"
#include "base/sync.h"
#include "base/time.h"

static void fire_soon(void *c)
{
    time_sleep_ms(50);
    cancel_fire(c);
}

static void connect_main(void *arg)
{
    struct stream **out = arg;

    (void)!stream_connect(listener_address((struct listener *)*out), NULL, out, ERR_IGNORE);
}

/* A connected pair over whatever the listener is. */
static void make_pair(struct listener *l, struct stream **client, struct stream **server,
                      struct peer *peer)
{
    struct stream *slot = (struct stream *)l; /* in: the listener; out: the client */
    struct thread t;

    assert_ok(thread_start(&t, "connect", connect_main, &slot, &e));
    assert_ok(listener_accept(l, NULL, server, peer, &e));
    thread_join(&t);
    assert_ptr_not_equal(slot, l);
    *client = slot;
}

static void check_stream(const char *address)
{
    enum { MUCH = 32 << 20 };
    cleanup_free char *much = xcalloc(1, MUCH);
    cleanup_stream struct stream *client = NULL, *server = NULL;
    struct cancel *c = cancel_new();
    struct listener *l = NULL;
    struct peer peer;
    struct thread t;
    char buf[100];
    size_t got;

    assert_ok(listener_open(address, NULL, &l, &e));
    make_pair(l, &client, &server, &peer);
    assert_ok(stream_write(client, "hello", 5, NULL, &e));
    assert_ok(stream_read(server, buf, 3, &got, NULL, &e));
    assert_int_equal(got, 3);
    assert_ok(stream_read(server, buf, sizeof(buf), &got, NULL, &e));
    assert_int_equal(got, 2);

    /* A read is given up, and the connection lives on. */
    assert_ok(thread_start(&t, "fire", fire_soon, c, &e));
    assert_err(stream_read(server, buf, sizeof(buf), &got, c, &e), ERR_CANCELLED);
    thread_join(&t);

    /* Half-close: the end in one direction, data in the other. */
    assert_ok(stream_close_write(client, &e));
    assert_ok(stream_read(server, buf, sizeof(buf), &got, NULL, &e));
    assert_int_equal(got, 0);
    assert_ok(stream_write(server, "bye", 3, NULL, &e));
    assert_ok(stream_read(client, buf, sizeof(buf), &got, NULL, &e));
    assert_memory_equal(buf, "bye", 3);
    /* Nobody reads: the buffers fill, and the write is given up. */
    assert_err(stream_write(server, much, MUCH, c, &e), ERR_CANCELLED);
    cancel_free(c);
    listener_free(l);
}

static void a_named_pipe_is_a_stream_with_a_half_close(void **state)
{
    (void)state;
    check_stream("npipe:////./pipe/ballast-unit-test");
}

static void tcp_is_a_stream(void **state)
{
    (void)state;
    check_stream("tcp://127.0.0.1:0");
}

static void accepting_ends_when_cancelled(void **state)
{
    static const char *const addresses[] = {"npipe:////./pipe/ballast-unit-accept",
                                            "tcp://127.0.0.1:0"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
        struct cancel *c = cancel_new();
        struct stream *s = NULL;
        struct listener *l = NULL;
        struct thread t;

        assert_ok(listener_open(addresses[i], NULL, &l, &e));
        assert_ok(thread_start(&t, "fire", fire_soon, c, &e));
        assert_err(listener_accept(l, c, &s, NULL, &e), ERR_CANCELLED);
        thread_join(&t);
        cancel_free(c);
        listener_free(l);
    }
}

static void bad_addresses_are_refused(void **state)
{
    struct listener *l = NULL;
    struct stream *s = NULL;

    (void)state;
    assert_err(listener_open("npipe:////./pipe/", NULL, &l, &e), ERR_INVALID);
    assert_err(listener_open("npipe:///x", NULL, &l, &e), ERR_INVALID);
    assert_err(listener_open("tcp://127.0.0.1", NULL, &l, &e), ERR_INVALID);
    assert_err(stream_connect("unix:///x", NULL, &s, &e), ERR_UNSUPPORTED);
    assert_err(stream_connect("npipe:////./pipe/ballast-nobody", NULL, &s, &e), ERR_UNAVAILABLE);
}

static void a_pipe_of_the_c_library_is_a_stream(void **state)
{
    struct cancel *c = cancel_new();
    cleanup_stream struct stream *in = NULL, *out = NULL;
    struct thread t;
    char buf[16];
    size_t got;
    int fds[2];

    (void)state;
    assert_int_equal(_pipe(fds, 4096, _O_BINARY), 0);
    in = stream_fd_new(fds[0], "pipe");
    out = stream_fd_new(fds[1], "pipe");
    assert_ok(thread_start(&t, "fire", fire_soon, c, &e));
    assert_err(stream_read(in, buf, sizeof(buf), &got, c, &e), ERR_CANCELLED);
    thread_join(&t);
    /* The read that was given up finds these, and the next one gets them. */
    assert_ok(stream_write(out, "hi", 2, NULL, &e));
    assert_ok(stream_read(in, buf, sizeof(buf), &got, NULL, &e));
    assert_int_equal(got, 2);
    stream_free(take_ptr(out));
    assert_ok(stream_read(in, buf, sizeof(buf), &got, NULL, &e));
    assert_int_equal(got, 0);
    cancel_free(c);
}

static void changes_in_a_directory_wake(void **state)
{
    cleanup_tmpdir struct tmpdir t = tmpdir_new();
    cleanup_free char *a = tmpdir_at(&t, "a"), *b = tmpdir_at(&t, "b"), *none = tmpdir_at(&t, "no"),
                      *file = tmpdir_at(&t, "a/x"), *other = tmpdir_at(&t, "b/y");
    struct cancel *c = cancel_new();
    struct dirwatch *w = NULL;
    struct err why = ERR_INIT;

    (void)state;
    assert_ok(fs_mkdir_p(a, 0755, &e));
    assert_ok(fs_mkdir_p(b, 0755, &e));
    assert_ok(dirwatch_open(&w, &e));
    assert_ok(dirwatch_add(w, a, &e));
    assert_ok(dirwatch_add(w, b, &e));
    assert_ok(dirwatch_add(w, b, &e));
    assert_err(dirwatch_add(w, none, &e), ERR_NOT_FOUND);
    assert_int_equal(dirwatch_wait(w, 20, NULL, &why), 0);
    assert_ok(fs_write_atomic(file, "1", 1, 0644, false, &e));
    assert_int_equal(dirwatch_wait(w, 5000, NULL, &why), 1);
    assert_ok(fs_write_atomic(other, "1", 1, 0644, false, &e));
    assert_int_equal(dirwatch_wait(w, 5000, NULL, &why), 1);
    cancel_fire(c);
    while (dirwatch_wait(w, 200, NULL, &why) == 1)
        ;
    assert_int_equal(dirwatch_wait(w, -1, c, &why), -1);
    assert_int_equal(why.kind, ERR_CANCELLED);
    dirwatch_free(w);
    cancel_free(c);
}

static void a_bell_rings_once_and_a_switch_has_children(void **state)
{
    struct notify *n = notify_new();
    struct cancel *top = cancel_new(), *child = cancel_new_child(top);
    struct err why = ERR_INIT;
    char name[100];

    (void)state;
    notify_ring(n);
    notify_ring(n);
    assert_int_equal(notify_wait(n, child, -1, &why), 1);
    assert_int_equal(notify_wait(n, child, time_mono_ms() + 20, &why), 0);
    assert_false(cancel_sleep_ms(child, 5));
    cancel_fire(top);
    assert_true(cancel_sleep_ms(child, 5000));
    assert_int_equal(notify_wait(n, child, -1, &why), -1);
    cancel_free(child);
    cancel_free(top);
    notify_free(n);
    assert_ok(host_name(name, sizeof(name), &e));
    assert_true(*name);
}

static void a_deadline_passes(void **state)
{
    struct mutex m = MUTEX_INIT;
    struct cond c;
    int64_t before = time_mono_ms();

    (void)state;
    cond_init(&c);
    mutex_lock(&m);
    assert_false(cond_wait_until(&c, &m, before + 50));
    mutex_unlock(&m);
    assert_true(time_mono_ms() - before >= 50 && time_mono_ms() - before < 5000);
    cond_destroy(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_named_pipe_is_a_stream_with_a_half_close),
        cmocka_unit_test(tcp_is_a_stream),
        cmocka_unit_test(accepting_ends_when_cancelled),
        cmocka_unit_test(bad_addresses_are_refused),
        cmocka_unit_test(a_pipe_of_the_c_library_is_a_stream),
        cmocka_unit_test(changes_in_a_directory_wake),
        cmocka_unit_test(a_bell_rings_once_and_a_switch_has_children),
        cmocka_unit_test(a_deadline_passes),
    };
    return cmocka_run_group_tests_name("base/win_io", tests, NULL, NULL);
}
