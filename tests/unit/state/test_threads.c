/* Calls come from any thread: API connections, workers, the supervisor. */
#include "base/sync.h"
#include "tests/unit/state/state_test.h"

#define THREADS 6
#define PUTS    150

struct worker {
    struct state *st;
    struct thread thread;
    int number, failures;
};

static void work(void *arg)
{
    struct worker *w = arg;

    for (int i = 0; i < PUTS; i++) {
        cleanup_container struct container *c = container_new();
        cleanup_event struct event ev;
        cleanup_free char *value = NULL;
        struct err e = ERR_INIT;

        free(c->id);
        c->id = str_printf("id-%d-%d", w->number, i);
        str_set(&c->name, c->id);
        event_init(&ev, "container", "create", c->id);
        w->failures += state_container_put(w->st, c, i % 32 == 0, &e) != 0;
        w->failures += state_event_add(w->st, &ev, &e) != 0;
        w->failures += state_meta_put(w->st, "last", c->id, &e) != 0;
        w->failures += state_meta_get(w->st, "last", &value, &e) != 0 || !value;
        if (i % 2)
            w->failures += state_container_delete(w->st, c->id, &e) != 0;
    }
}

static int count(void *arg, struct container *c, struct err *e)
{
    (void)e;
    ++*(int *)arg;
    container_unref(c);
    return 0;
}

static int count_event(void *arg, const struct event *ev, struct err *e)
{
    int *n = arg;

    (void)e;
    assert_int_equal(ev->seq, ++*n);
    return 0;
}

static void threads_do_not_disturb_each_other(void **arg)
{
    struct place *p = *arg;
    struct worker workers[THREADS];
    int left = 0, events = 0;

    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.st = p->st, .number = i};
        assert_ok(thread_start(&workers[i].thread, "writer", work, &workers[i], &e));
    }
    for (int i = 0; i < THREADS; i++) {
        thread_join(&workers[i].thread);
        assert_int_equal(workers[i].failures, 0);
    }
    assert_ok(state_container_each(p->st, count, &left, &e));
    assert_int_equal(left, THREADS * PUTS / 2);
    assert_ok(state_event_each(p->st, TIME_ZERO, TIME_ZERO, NULL, count_event, &events, &e));
    assert_int_equal(events, THREADS * PUTS);
    assert_ok(state_check(p->st, &e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLACE_TEST(threads_do_not_disturb_each_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
