#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/unit.h"

#include "base/cancel.h"
#include "base/stream_fd.h"
#include "base/sync.h"
#include "base/time.h"

static void firing_twice_is_the_same_as_firing_once(void **state)
{
    struct cancel *c = cancel_new();
    struct pollfd p = {.fd = cancel_fd(c), .events = POLLIN};

    (void)state;
    assert_false(cancel_fired(c));
    assert_false(cancel_fired(NULL));
    assert_int_equal(poll(&p, 1, 0), 0);
    cancel_fire(c);
    cancel_fire(c);
    assert_true(cancel_fired(c));
    assert_int_equal(poll(&p, 1, 0), 1);
    cancel_free(c);
    cancel_free(NULL);
}

static void children_fire_with_their_parent_and_not_the_other_way(void **state)
{
    struct cancel *top = cancel_new(), *a = cancel_new_child(top), *b = cancel_new_child(top),
                  *aa = cancel_new_child(a), *gone = cancel_new_child(top), *late;

    (void)state;
    cancel_free(gone);
    cancel_fire(a);
    assert_true(cancel_fired(aa));
    assert_false(cancel_fired(b));
    assert_false(cancel_fired(top));
    cancel_fire(top);
    assert_true(cancel_fired(b));
    late = cancel_new_child(top);
    assert_true(cancel_fired(late));
    cancel_free(late);
    cancel_free(aa);
    cancel_free(b);
    cancel_free(a);
    cancel_free(top);
}

static void fire_soon(void *c)
{
    time_sleep_ms(30);
    cancel_fire(c);
}

static void a_sleep_is_cut_short(void **state)
{
    struct cancel *c = cancel_new();
    int64_t before = time_mono_ms();
    struct thread t;

    (void)state;
    assert_false(cancel_sleep_ms(c, 1));
    assert_false(cancel_sleep_ms(NULL, 1));
    assert_ok(thread_start(&t, "fire", fire_soon, c, &e));
    assert_true(cancel_sleep_ms(c, 20000));
    assert_true(time_mono_ms() - before < 10000);
    thread_join(&t);
    cancel_free(c);
}

static void a_switch_without_a_descriptor_still_works(void **state)
{
    cleanup_stream struct stream *a = NULL, *b = NULL;
    struct rlimit before, none;
    struct cancel *c;
    struct thread t;
    char byte;
    size_t got;
    int fds[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    a = stream_fd_new(fds[0], "unix");
    b = stream_fd_new(fds[1], "unix");
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    c = cancel_new();
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(cancel_fd(c), -1);
    assert_ok(thread_start(&t, "fire", fire_soon, c, &e));
    assert_err(stream_read(a, &byte, 1, &got, c, &e), ERR_CANCELLED);
    thread_join(&t);
    cancel_free(c);
}

static void family_life(void *top)
{
    for (int i = 0; i < 500; i++) {
        struct cancel *c = cancel_new_child(top);

        (void)cancel_sleep_ms(c, 0);
        cancel_free(c);
    }
}

static void families_grow_and_shrink_in_many_threads(void **state)
{
    struct cancel *top = cancel_new();
    struct thread t[4];

    (void)state;
    for (int i = 0; i < 4; i++)
        assert_ok(thread_start(&t[i], "family", family_life, top, &e));
    time_sleep_ms(2);
    cancel_fire(top);
    for (int i = 0; i < 4; i++)
        thread_join(&t[i]);
    cancel_free(top);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(firing_twice_is_the_same_as_firing_once),
        cmocka_unit_test(children_fire_with_their_parent_and_not_the_other_way),
        cmocka_unit_test(a_sleep_is_cut_short),
        cmocka_unit_test(a_switch_without_a_descriptor_still_works),
        cmocka_unit_test(families_grow_and_shrink_in_many_threads),
    };
    return cmocka_run_group_tests_name("base/cancel", tests, NULL, NULL);
}
