#include <signal.h>
#include <string.h>
#include <sys/prctl.h>

#include "tests/unit/unit.h"

#include "base/mem.h"
#include "base/sync.h"
#include "base/time.h"

struct box {
    struct mutex lock;
    struct cond changed;
    int value;
    char name[16];
    bool signals_blocked;
};

static void box_init(struct box *b)
{
    *b = (struct box){0};
    mutex_init(&b->lock);
    cond_init(&b->changed);
}

static void box_destroy(struct box *b)
{
    cond_destroy(&b->changed);
    mutex_destroy(&b->lock);
}

static void set_one(void *arg)
{
    struct box *b = arg;
    sigset_t mask;

    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    mutex_lock(&b->lock);
    prctl(PR_GET_NAME, b->name);
    b->signals_blocked = sigismember(&mask, SIGTERM) && sigismember(&mask, SIGPIPE);
    b->value = 1;
    cond_broadcast(&b->changed);
    mutex_unlock(&b->lock);
}

static void a_thread_has_its_name_and_takes_no_signals(void **state)
{
    struct thread t = {0};
    struct box b;
    sigset_t mask;

    (void)state;
    box_init(&b);
    thread_join(&t); /* never started: nothing happens */
    assert_ok(thread_start(&t, "a-rather-long-name", set_one, &b, &e));
    thread_join(&t);
    thread_join(&t);
    assert_string_equal(b.name, "a-rather-long-n");
    assert_true(b.signals_blocked);
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    assert_false(sigismember(&mask, SIGTERM));
    box_destroy(&b);
}

static void a_wait_ends_with_the_signal_or_with_the_deadline(void **state)
{
    struct box b;
    int64_t before = time_mono_ms();

    (void)state;
    box_init(&b);
    mutex_lock(&b.lock);
    assert_false(cond_wait_until(&b.changed, &b.lock, before + 30));
    assert_true(time_mono_ms() - before >= 29);
    assert_false(cond_wait_until(&b.changed, &b.lock, -5)); /* long past */
    assert_ok(thread_start_detached("setter", set_one, &b, &e));
    while (b.value == 0)
        assert_true(cond_wait_until(&b.changed, &b.lock, time_mono_ms() + 10000));
    mutex_unlock(&b.lock);
    box_destroy(&b);
}

static void add_many(void *arg)
{
    struct box *b = arg;

    for (int i = 0; i < 10000; i++) {
        mutex_lock(&b->lock);
        b->value++;
        mutex_unlock(&b->lock);
    }
}

static void a_mutex_excludes(void **state)
{
    struct thread t[4];
    struct box b;

    (void)state;
    box_init(&b);
    for (int i = 0; i < 4; i++)
        assert_ok(thread_start(&t[i], "adder", add_many, &b, &e));
    for (int i = 0; i < 4; i++)
        thread_join(&t[i]);
    assert_int_equal(b.value, 40000);
    box_destroy(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_has_its_name_and_takes_no_signals),
        cmocka_unit_test(a_wait_ends_with_the_signal_or_with_the_deadline),
        cmocka_unit_test(a_mutex_excludes),
    };
    return cmocka_run_group_tests_name("base/sync", tests, NULL, NULL);
}
