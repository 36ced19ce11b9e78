/*
 * A container's life over several processes: what brings it back and how often, what counts as
 * asked for, and how it is told afterwards.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/unit/unit.h"

#include "base/fs.h"
#include "base/mem.h"
#include "base/sync.h"
#include "base/time.h"
#include "tests/unit/reconciler/engine_fixture.h"

static char *make(const char *name, enum restart_policy restart, int64_t attempts,
                  int64_t window_ns, const char *stop_signal)
{
    cleanup_spec struct container_spec *s = container_spec_new();
    struct container_create rq = {.name = name, .spec = s, .by = "api uid=7 pid=1"};
    struct strv warnings = {0};
    char *id = NULL;

    str_set(&s->image, "base");
    s->restart = restart;
    s->restart_attempts = attempts;
    s->restart_window_ns = window_ns;
    if (stop_signal)
        str_set(&s->stop_signal, stop_signal);
    assert_ok(containers_create(g, &rq, &id, &warnings, &e));
    strv_release(&warnings);
    return id;
}

static struct container *now(const char *id)
{
    struct container *c = NULL;

    assert_ok(containers_find(g, id, &c, &e));
    return c;
}

static int64_t restarts(const char *id)
{
    cleanup_container struct container *c = now(id);

    return c->state.restart_count;
}

/* ------------------------------------------------------------ how often */

static void a_policy_of_any_end_stops_at_its_maximum(void **state)
{
    cleanup_free char *id = make("any", RESTART_ALWAYS, 2, 0, NULL);

    (void)state;
    world.exit_fast = true;
    assert_ok(containers_start(g, id, "test", NULL, &e));
    wait_status(id, STATUS_EXITED);
    assert_int_equal(restarts(id), 2);
}

static void a_restart_that_lasts_as_long_as_the_window_is_not_counted(void **state)
{
    cleanup_free char *id = make("lasts", RESTART_ALWAYS, 1, 1, NULL);

    (void)state;
    assert_ok(containers_start(g, id, "test", NULL, &e));
    for (int i = 1; i <= 3; i++) {
        time_sleep_ms(2); /* longer than the window of a nanosecond */
        world_exit(id, 1);
        for (int k = 0; k < 2500 && world.starts <= i; k++)
            time_sleep_ms(2);
        wait_status(id, STATUS_RUNNING);
        assert_int_equal(restarts(id), i);
    }
}

static void a_start_by_hand_counts_from_nothing(void **state)
{
    cleanup_free char *id = make("anew", RESTART_ALWAYS, 1, 0, NULL);

    (void)state;
    world.exit_fast = true;
    assert_ok(containers_start(g, id, "test", NULL, &e));
    wait_status(id, STATUS_EXITED);
    assert_int_equal(restarts(id), 1);
    world.exit_fast = false;
    assert_ok(containers_start(g, id, "test", NULL, &e));
    assert_int_equal(restarts(id), 0);
    world_exit(id, 1);
    for (int k = 0; k < 2500 && world.starts < 4; k++)
        time_sleep_ms(2);
    wait_status(id, STATUS_RUNNING);
    assert_int_equal(restarts(id), 1);
}

static void the_counts_survive_the_agent(void **state)
{
    cleanup_free char *id = make("kept", RESTART_ALWAYS, 2, 0, NULL);

    (void)state;
    world.exit_fast = true;
    assert_ok(containers_start(g, id, "test", NULL, &e));
    wait_status(id, STATUS_EXITED);
    close_engine();
    open_engine();
    assert_int_equal(restarts(id), 2);
    assert_int_equal(status_of(id), STATUS_EXITED);
}

/* ------------------------------------------------------------ asked for */

static void an_end_by_any_signal_of_kill_is_not_undone(void **state)
{
    cleanup_free char *id = make("term", RESTART_ALWAYS, 0, 0, "TERM");
    cleanup_container struct container *c = NULL;

    (void)state;
    assert_ok(containers_start(g, id, "test", NULL, &e));
    assert_ok(containers_kill(g, id, "TERM", "test", &e));
    world_exit(id, 143);
    wait_status(id, STATUS_EXITED);
    time_sleep_ms(150); /* the first pause of the policy is 100 */
    c = now(id);
    assert_int_equal(c->state.status, STATUS_EXITED);
    assert_true(c->state.manually_stopped);
}

static void with_a_stop_signal_of_its_own_another_signal_is_a_message(void **state)
{
    cleanup_free char *id = make("hup", RESTART_ALWAYS, 0, 0, "SIGQUIT");

    (void)state;
    assert_ok(containers_start(g, id, "test", NULL, &e));
    assert_ok(containers_kill(g, id, "TERM", "test", &e));
    world_exit(id, 1);
    for (int k = 0; k < 2500 && world.starts < 2; k++)
        time_sleep_ms(2);
    wait_status(id, STATUS_RUNNING);
}

static void between_two_lives_start_is_done_already_and_kill_calls_it_off(void **state)
{
    cleanup_free char *id = make("between", RESTART_ALWAYS, 0, 0, NULL);

    (void)state;
    world.exit_fast = true;
    assert_ok(containers_start(g, id, "test", NULL, &e));
    for (int k = 0; k < 2500 && restarts(id) < 4; k++) /* 800 ms until the next start */
        time_sleep_ms(2);
    wait_status(id, STATUS_RESTARTING);
    assert_err(containers_start(g, id, "test", NULL, &e), ERR_NOT_MODIFIED);
    assert_ok(containers_kill(g, id, "KILL", "test", &e));
    assert_int_equal(status_of(id), STATUS_EXITED);
    assert_err(containers_kill(g, id, "KILL", "test", &e), ERR_CONFLICT);
}

/* ------------------------------------------------------------ out of memory */

static int count_event(void *arg, const struct event *ev, struct err *e)
{
    struct buf *b = arg;

    (void)e;
    buf_addf(b, "%s ", ev->action);
    return 0;
}

static void expect_events(const char *id, const char *want)
{
    cleanup_buf struct buf b = BUF_INIT(64 * 1024);

    assert_ok(state_event_each(st, TIME_ZERO, TIME_ZERO, id, count_event, &b, &e));
    assert_string_equal(b.data, want);
}

static void each_time_out_of_memory_is_told_once_and_before_the_end(void **state)
{
    cleanup_free char *id = make("hog", RESTART_NO, 0, 0, NULL);
    cleanup_container struct container *alive = NULL, *ended = NULL;
    struct world_container *w;

    (void)state;
    assert_ok(containers_start(g, id, "test", NULL, &e));
    w = world_find(id);
    w->o.ooms = 1;
    w->o.oom_killed = true;
    assert_ok(containers_pause(g, id, true, "test", NULL, &e));
    expect_events(id, "create start oom pause ");
    close_engine(); /* the next agent knows what was told */
    open_engine();
    assert_ok(containers_pause(g, id, false, "test", NULL, &e));
    alive = now(id);
    assert_true(alive->state.oom_killed);
    expect_events(id, "create start oom pause unpause ");
    w->o.ooms = 2;
    world_exit(id, 137);
    wait_status(id, STATUS_EXITED);
    w->o.ooms = 0;
    w->o.oom_killed = false;
    assert_ok(containers_start(g, id, "test", NULL, &e)); /* after all events of the end */
    expect_events(id, "create start oom pause unpause oom die start ");
    ended = now(id);
    assert_false(ended->state.oom_killed);
}

/* ------------------------------------------------------------ update */

static int update(const char *id, const char *body, struct err *e)
{
    cleanup_update struct container_update u = {0};
    cleanup_json struct json_doc doc = {0};
    cleanup_strv struct strv warnings = {0};
    struct json root;

    assert_int_equal(json_parse(body, strlen(body), &doc, e), 0);
    root = json_root(&doc);
    assert_int_equal(container_update_decode(&root, &u, e), 0);
    return containers_update(g, id, &u, &warnings, "test", NULL, e);
}

static int64_t memory_of(const char *id)
{
    cleanup_container struct container *c = now(id);

    return c->spec->memory;
}

static void an_update_reaches_the_kernel_or_changes_nothing(void **state)
{
    cleanup_free char *id = make("limits", RESTART_NO, 0, 0, NULL);
    struct world_container *w;

    (void)state;
    assert_ok(update(id, "{\"Memory\":10000000}", &e));
    assert_int_equal(memory_of(id), 10000000);
    assert_ok(containers_start(g, id, "test", NULL, &e));
    w = world_find(id);
    assert_int_equal(w->memory, 10000000);
    assert_ok(update(id, "{\"Memory\":20000000}", &e));
    assert_int_equal(w->memory, 20000000);
    world.memory_used = 15000000;
    assert_err(update(id, "{\"Memory\":12000000}", &e), ERR_IO);
    assert_int_equal(memory_of(id), 20000000);
    close_engine();
    open_engine();
    assert_int_equal(memory_of(id), 20000000);
    expect_events(id, "create update start update ");
}

static _Atomic bool poking;

static void poke(void *arg)
{
    while (poking)
        world_poke(arg);
}

/* A look that began before the update neither writes what was before it nor takes it for done. */
static void an_update_in_the_middle_of_a_look_reaches_the_kernel(void **state)
{
    cleanup_free char *id = make("busy", RESTART_NO, 0, 0, NULL);
    struct thread poker;

    (void)state;
    assert_ok(containers_start(g, id, "test", NULL, &e));
    poking = true;
    assert_ok(thread_start(&poker, "poker", poke, id, &e));
    for (int i = 1; i <= 100; i++) {
        cleanup_free char *body = str_printf("{\"Memory\":%d}", 10000000 * (1 + i % 2));

        assert_ok(update(id, body, &e));
        assert_int_equal(world_find(id)->memory, 10000000 * (1 + i % 2));
        world.memory_used = 8000000;
        assert_err(update(id, "{\"Memory\":7000000}", &e), ERR_IO);
        world.memory_used = 0;
    }
    poking = false;
    thread_join(&poker);
}

static void a_policy_that_was_updated_decides_the_next_end(void **state)
{
    cleanup_free char *id = make("policy", RESTART_NO, 0, 0, NULL);

    (void)state;
    assert_ok(containers_start(g, id, "test", NULL, &e));
    assert_ok(update(id, "{\"RestartPolicy\":{\"Name\":\"always\"}}", &e));
    world_exit(id, 0);
    for (int k = 0; k < 2500 && world.starts < 2; k++)
        time_sleep_ms(2);
    wait_status(id, STATUS_RUNNING);
    assert_ok(update(id, "{\"RestartPolicy\":{\"Name\":\"no\"}}", &e));
    world_exit(id, 0);
    wait_status(id, STATUS_EXITED);
}

/* ------------------------------------------------------------ health */

static char *make_probed(const char *name, const char *on_unhealthy)
{
    cleanup_spec struct container_spec *s = container_spec_new();
    struct container_create rq = {.name = name, .spec = s, .by = "test"};
    struct strv warnings = {0};
    char *id = NULL;

    str_set(&s->image, "base");
    s->health.set = true;
    strv_add(&s->health.test, "CMD");
    strv_add(&s->health.test, "/nope");
    s->health.interval_ns = NS_PER_MS;
    s->health.retries = 1;
    if (on_unhealthy)
        kvs_set(&s->labels, "ballast.on-unhealthy", on_unhealthy);
    assert_ok(containers_create(g, &rq, &id, &warnings, &e));
    strv_release(&warnings);
    return id;
}

static void an_unhealthy_container_is_restarted_when_its_label_says_so(void **state)
{
    cleanup_free char *id = make_probed("sick", "restart");

    (void)state;
    assert_ok(containers_start(g, id, "test", NULL, &e));
    for (int k = 0; k < 2500 && restarts(id) < 2; k++)
        time_sleep_ms(2);
    assert_true(restarts(id) >= 2);
}

static void a_container_may_go_while_it_is_probed(void **state)
{
    (void)state;
    for (int i = 0; i < 40; i++) {
        cleanup_free char *id = make_probed("going", NULL);
        int before = world.execs;

        assert_ok(containers_start(g, id, "test", NULL, &e));
        for (int k = 0; k < 2500 && world.execs == before; k++)
            time_sleep_ms(1);
        assert_true(world.execs > before);
        assert_ok(containers_remove(g, id, true, false, "test", NULL, &e));
    }
}

/* ------------------------------------------------------------ told */

/* The two sentences and the lines, as `ballast explain` has them. */
static char *explained(const char *id)
{
    cleanup_explanation struct explanation x = {0};
    cleanup_buf struct buf b = BUF_INIT(1024 * 1024);

    assert_ok(containers_explain(g, id, &x, &e));
    buf_addf(&b, "%s. %s.\n", x.state, x.next);
    for (size_t i = 0; i < x.n; i++)
        buf_addf(&b, "%lld %s\n", (long long)x.lines[i].count, x.lines[i].text);
    return buf_take(&b);
}

#define TELLS(text, what) assert_non_null(strstr(text, what))

static void a_restart_loop_is_one_line_and_its_reason_is_told(void **state)
{
    cleanup_free char *id = make("loop", RESTART_ON_FAILURE, 3, 0, NULL);
    cleanup_free char *text = NULL;

    (void)state;
    world.exit_fast = true;
    world.exit_code = 7;
    assert_ok(containers_start(g, id, "api uid=7 pid=1", NULL, &e));
    wait_status(id, STATUS_EXITED);
    text = explained(id);
    TELLS(text, "its restart policy (on-failure) has given up after 3 restarts in a row.");
    TELLS(text, "1 created by uid 7\n1 started by uid 7\n"
                "3 restarted by its restart policy: exit code 7\n"
                "1 ended after 0 s: exit code 7\n");
}

static void who_holds_a_container_is_told(void **state)
{
    cleanup_free char *id = make("held", RESTART_ALWAYS, 0, 0, NULL);
    cleanup_free char *text = NULL;

    (void)state;
    assert_ok(containers_start(g, id, "api uid=7 pid=1", NULL, &e));
    assert_ok(containers_stop(g, id, NULL, -1, "api uid=1000 pid=9", NULL, &e));
    text = explained(id);
    TELLS(text, "it is held by `docker stop` of uid 1000; exit code ");
    TELLS(text, "it stays down until it is started, or the machine boots.");
}

static void why_a_running_container_was_restarted_is_told(void **state)
{
    cleanup_free char *id = make("back", RESTART_ALWAYS, 0, 0, NULL);
    cleanup_free char *text = NULL;
    struct world_container *w;

    (void)state;
    assert_ok(containers_start(g, id, "test", NULL, &e));
    w = world_find(id);
    w->o.oom_killed = true;
    w->o.ooms = 1;
    world_exit(id, 137);
    for (int k = 0; k < 2500 && world.starts < 2; k++)
        time_sleep_ms(2);
    wait_status(id, STATUS_RUNNING);
    text = explained(id);
    TELLS(text, "; it was restarted at ");
    TELLS(text, ": exit code 137 (killed: SIGKILL), out of memory. ");
}

static void the_state_of_what_was_never_started_is_told(void **state)
{
    cleanup_free char *id = make("idle", RESTART_NO, 0, 0, NULL);
    cleanup_free char *fresh = explained(id), *failed = NULL;
    struct explanation none = {0};

    (void)state;
    TELLS(fresh, "it was created and has never been started");
    world.fail_starts = 1;
    assert_err(containers_start(g, id, "test", NULL, &e), ERR_IO);
    failed = explained(id);
    TELLS(failed, "it could not be started: ");
    assert_err(containers_explain(g, "nobody", &none, &e), ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(a_policy_of_any_end_stops_at_its_maximum),
        T(a_restart_that_lasts_as_long_as_the_window_is_not_counted),
        T(a_start_by_hand_counts_from_nothing),
        T(the_counts_survive_the_agent),
        T(an_end_by_any_signal_of_kill_is_not_undone),
        T(with_a_stop_signal_of_its_own_another_signal_is_a_message),
        T(each_time_out_of_memory_is_told_once_and_before_the_end),
        T(between_two_lives_start_is_done_already_and_kill_calls_it_off),
        T(an_update_reaches_the_kernel_or_changes_nothing),
        T(an_update_in_the_middle_of_a_look_reaches_the_kernel),
        T(a_policy_that_was_updated_decides_the_next_end),
        T(an_unhealthy_container_is_restarted_when_its_label_says_so),
        T(a_container_may_go_while_it_is_probed),
        T(a_restart_loop_is_one_line_and_its_reason_is_told),
        T(who_holds_a_container_is_told),
        T(why_a_running_container_was_restarted_is_told),
        T(the_state_of_what_was_never_started_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
