/*
 * Several writers and one worker: what was asked for is done and answered, whoever asks for what in
 * between, hangs up, or ends the agent.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/unit/unit.h"

#include "base/cancel.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/sync.h"
#include "base/time.h"
#include "tests/unit/reconciler/engine_fixture.h"

static bool exists(const char *ref)
{
    cleanup_container struct container *c = NULL;

    return containers_find(g, ref, &c, ERR_IGNORE) == 0;
}

static void wait_count(_Atomic int *n, int want)
{
    for (int i = 0; i < 2500 && *n < want; i++)
        time_sleep_ms(2);
    assert_true(*n >= want);
}

/* One call on a thread of its own. */
struct caller {
    const char *id;
    int (*call)(struct caller *c, struct err *e);
    struct cancel *cancel;
    struct thread thread;
    struct err err;
    int r;
};

static int call_start(struct caller *c, struct err *e)
{
    return containers_start(g, c->id, "test", c->cancel, e);
}

static int call_stop(struct caller *c, struct err *e)
{
    return containers_stop(g, c->id, NULL, -1, "test", c->cancel, e);
}

static int call_restart(struct caller *c, struct err *e)
{
    return containers_restart(g, c->id, NULL, -2, "test", c->cancel, e);
}

static void run_caller(void *arg)
{
    struct caller *c = arg;

    c->r = c->call(c, &c->err);
}

static void begin(struct caller *c)
{
    assert_ok(thread_start(&c->thread, "caller", run_caller, c, &e));
}

static int end(struct caller *c)
{
    thread_join(&c->thread);
    return c->r;
}

/* ------------------------------------------------------------ restart */

static void a_restart_keeps_what_is_removed_when_it_ends(void **state)
{
    cleanup_free char *id = create("rm", "sleep", RESTART_NO, true);

    (void)state;
    assert_ok(containers_start(g, id, "test", NULL, &e));
    assert_ok(containers_restart(g, id, NULL, 0, "test", NULL, &e));
    assert_int_equal(status_of(id), STATUS_RUNNING);
    assert_int_equal(world.starts, 2);
}

static void a_restart_whose_caller_hangs_up_is_finished(void **state)
{
    cleanup_free char *id = create("again", "sleep", RESTART_NO, false);
    struct caller c = {.id = id, .call = call_restart, .cancel = cancel_new()};

    (void)state;
    assert_ok(containers_start(g, id, "test", NULL, &e));
    world.hold_stops = true;
    begin(&c);
    time_sleep_ms(30);
    cancel_fire(c.cancel);
    assert_int_equal(end(&c), -1);
    assert_int_equal(c.err.kind, ERR_CANCELLED);
    world.hold_stops = false;
    wait_count(&world.starts, 2);
    wait_status(id, STATUS_RUNNING);
    cancel_free(c.cancel);
}

static void a_restart_that_the_agents_end_cut_in_two_is_finished_by_the_next(void **state)
{
    cleanup_free char *id = create("cut", "sleep", RESTART_NO, false);
    struct caller c = {.id = id, .call = call_restart, .cancel = cancel_new()};

    (void)state;
    assert_ok(containers_start(g, id, "test", NULL, &e));
    world.hold_stops = true;
    begin(&c);
    time_sleep_ms(30);
    cancel_fire(c.cancel);
    (void)end(&c);
    close_engine();
    world.hold_stops = false;
    open_engine();
    wait_count(&world.starts, 2);
    wait_status(id, STATUS_RUNNING);
    cancel_free(c.cancel);
}

static void a_stop_after_a_restart_is_the_last_word(void **state)
{
    cleanup_free char *id = create("last", "sleep", RESTART_NO, false);
    struct caller a = {.id = id, .call = call_restart}, b = {.id = id, .call = call_stop};

    (void)state;
    assert_ok(containers_start(g, id, "test", NULL, &e));
    world.hold_stops = true;
    begin(&a);
    time_sleep_ms(30);
    begin(&b);
    time_sleep_ms(30);
    world.hold_stops = false;
    (void)end(&a);
    assert_int_equal(end(&b), 0);
    assert_int_equal(status_of(id), STATUS_EXITED);
    close_engine();
    open_engine();
    time_sleep_ms(50);
    assert_int_equal(status_of(id), STATUS_EXITED);
}

/* ------------------------------------------------------------ start */

static void two_starts_that_fail_are_both_told(void **state)
{
    cleanup_free char *id = create("both", "/nope", RESTART_NO, false);
    struct caller a = {.id = id, .call = call_start}, b = {.id = id, .call = call_start};

    (void)state;
    world.hold_starts = true;
    begin(&a);
    wait_count(&world.starts, 1);
    begin(&b);
    time_sleep_ms(30);
    world.hold_starts = false;
    assert_int_equal(end(&a), -1);
    assert_int_equal(end(&b), -1);
    assert_int_equal(status_of(id), STATUS_CREATED);
}

static void a_stop_waits_for_the_start_under_way(void **state)
{
    cleanup_free char *id = create("stopped", "sleep", RESTART_NO, false);
    struct caller a = {.id = id, .call = call_start}, b = {.id = id, .call = call_stop};

    (void)state;
    world.hold_starts = true;
    begin(&a);
    wait_count(&world.starts, 1);
    assert_err(containers_remove(g, id, false, false, "test", NULL, &e), ERR_CONFLICT);
    begin(&b);
    time_sleep_ms(30);
    world.hold_starts = false;
    assert_int_equal(end(&a), 0);
    assert_int_equal(end(&b), 0);
    assert_int_equal(status_of(id), STATUS_EXITED);
}

static void a_forced_removal_ends_the_start_under_way(void **state)
{
    cleanup_free char *id = create("forced", "sleep", RESTART_NO, false);
    struct caller a = {.id = id, .call = call_start};

    (void)state;
    world.hold_starts = true;
    begin(&a);
    wait_count(&world.starts, 1);
    world.hold_starts = false;
    assert_ok(containers_remove(g, id, true, false, "test", NULL, &e));
    (void)end(&a);
    assert_err(containers_find(g, id, &(struct container *){NULL}, &e), ERR_NOT_FOUND);
    assert_int_equal(world_leftovers(), 0);
}

static void a_start_that_the_agents_end_cut_short_is_finished_by_the_next(void **state)
{
    cleanup_free char *id = create("later", "sleep", RESTART_NO, false);
    struct caller a = {.id = id, .call = call_start, .cancel = cancel_new()};

    (void)state;
    world.hold_starts = true;
    begin(&a);
    wait_count(&world.starts, 1);
    cancel_fire(a.cancel);
    (void)end(&a);
    close_engine();
    world.hold_starts = false;
    open_engine();
    wait_status(id, STATUS_RUNNING);
    cancel_free(a.cancel);
}

static void what_should_run_is_tried_again_when_a_new_agent_cannot_start_it(void **state)
{
    cleanup_free char *id = create("always", "sleep", RESTART_ALWAYS, false);

    (void)state;
    assert_ok(containers_start(g, id, "test", NULL, &e));
    close_engine();
    world_find(id)->o = (struct container_observed){.phase = CONTAINER_ABSENT};
    world.fail_starts = 3;
    open_engine();
    wait_count(&world.starts, 5);
    wait_status(id, STATUS_RUNNING);
}

/* ------------------------------------------------------------ waits, pauses, removals */

static void a_wait_ends_when_a_restart_is_called_off(void **state)
{
    cleanup_free char *id = create("back", "sleep", RESTART_ALWAYS, false), *error = NULL;
    struct container_wait *w = NULL;
    int code = -1;

    (void)state;
    world.exit_fast = true;
    world.exit_code = 4;
    assert_ok(containers_start(g, id, "test", NULL, &e));
    wait_count(&world.starts, 4); /* its pauses are long by now */
    wait_status(id, STATUS_RESTARTING);
    assert_ok(containers_wait_begin(g, id, WAIT_NOT_RUNNING, &w, &e));
    assert_ok(containers_stop(g, id, NULL, 0, "test", NULL, &e));
    assert_ok(containers_wait_end(w, NULL, &code, &error, &e));
    assert_int_equal(code, 4);
}

static void a_pause_that_fails_is_not_done_later(void **state)
{
    cleanup_free char *id = create("warm", "sleep", RESTART_NO, false);

    (void)state;
    assert_ok(containers_start(g, id, "test", NULL, &e));
    world.fail_freeze = true;
    assert_err(containers_pause(g, id, true, "test", NULL, &e), ERR_INTERNAL);
    world.fail_freeze = false;
    time_sleep_ms(700); /* a worker's first pause between tries is over */
    assert_int_equal(status_of(id), STATUS_RUNNING);
    assert_int_equal(world_find(id)->o.phase, CONTAINER_RUNNING);
}

static void what_ends_while_frozen_comes_back_running(void **state)
{
    cleanup_free char *id = create("cold", "sleep", RESTART_ALWAYS, false);

    (void)state;
    assert_ok(containers_start(g, id, "test", NULL, &e));
    assert_ok(containers_pause(g, id, true, "test", NULL, &e));
    world_exit(id, 1);
    wait_count(&world.starts, 2);
    wait_status(id, STATUS_RUNNING);
}

static void a_forced_removal_is_told_as_an_end_with_its_code(void **state)
{
    static const char *const want[] = {"kill", "die", "destroy"};
    cleanup_free char *id = create("victim", "sleep", RESTART_NO, false), *error = NULL;
    struct container_wait *w = NULL;
    struct event_sub *sub = NULL;
    int code = -1;

    (void)state;
    assert_ok(containers_start(g, id, "test", NULL, &e));
    assert_ok(events_subscribe(g, TIME_ZERO, &sub, &e));
    assert_ok(containers_wait_begin(g, id, WAIT_NEXT_EXIT, &w, &e));
    assert_ok(containers_remove(g, id, true, false, "test", NULL, &e));
    assert_ok(containers_wait_end(w, NULL, &code, &error, &e));
    assert_int_equal(code, 137);
    for (size_t seen = 0; seen < ARRAY_LEN(want);) {
        cleanup_event struct event ev = {0};

        assert_ok(events_next(sub, time_mono_ms() + 5000, NULL, &ev, &e));
        if (strcmp(ev.type, "container") == 0)
            assert_string_equal(ev.action, want[seen++]);
    }
    events_unsubscribe(sub);
}

static void a_name_that_is_taken_leaves_no_volume(void **state)
{
    cleanup_free char *first = create("taken", "sleep", RESTART_NO, false), *other = NULL;
    cleanup_spec struct container_spec *s = container_spec_new();
    struct container_create rq = {.name = "taken", .spec = s, .by = "test"};
    struct strv warnings = {0};
    struct volume_list all = {0};

    (void)first;
    (void)state;
    str_set(&s->image, "base");
    s->mounts = xcalloc(1, sizeof(*s->mounts));
    s->n_mounts = 1;
    s->mounts[0] = (struct mount_spec){.type = MOUNT_VOLUME, .anonymous = true};
    s->mounts[0].source = xstrdup("");
    s->mounts[0].target = xstrdup("/data");
    assert_err(containers_create(g, &rq, &other, &warnings, &e), ERR_CONFLICT);
    volumes_list(g, &all);
    assert_int_equal(all.n, 0);
    volume_list_release(&all);
}

static int call_prune(struct caller *c, struct err *e)
{
    for (int i = 0; i < 300; i++)
        (void)!volumes_remove(g, c->id, true, "test", e);
    return 0;
}

static void a_container_that_was_made_has_its_volumes(void **state)
{
    struct caller pruner = {.id = "data", .call = call_prune};

    (void)state;
    begin(&pruner);
    for (int i = 0; i < 40; i++) {
        cleanup_spec struct container_spec *s = container_spec_new();
        struct container_create rq = {.spec = s, .by = "test"};
        cleanup_free char *id = NULL;
        struct strv warnings = {0};

        str_set(&s->image, "base");
        s->mounts = xcalloc(1, sizeof(*s->mounts));
        s->n_mounts = 1;
        s->mounts[0] = (struct mount_spec){.type = MOUNT_VOLUME};
        s->mounts[0].source = xstrdup("data");
        s->mounts[0].target = xstrdup("/data");
        if (containers_create(g, &rq, &id, &warnings, ERR_IGNORE))
            continue; /* it lost the race too often, and was told */
        assert_ok(containers_start(g, id, "test", NULL, &e));
        assert_ok(containers_remove(g, id, true, false, "test", NULL, &e));
    }
    (void)end(&pruner);
}

/* ------------------------------------------------------------ workers */

static void long_stops_hold_up_nobody_elses_restart(void **state)
{
    struct caller stops[4] = {0};
    char *ids[4];
    cleanup_free char *id = create("crashes", "sleep", RESTART_ALWAYS, false);

    (void)state;
    assert_ok(containers_start(g, id, "test", NULL, &e));
    for (int i = 0; i < 4; i++) {
        cleanup_free char *name = str_printf("slow%d", i);

        ids[i] = create(name, "sleep", RESTART_NO, false);
        assert_ok(containers_start(g, ids[i], "test", NULL, &e));
    }
    world.hold_stops = true;
    for (int i = 0; i < 4; i++) {
        stops[i] = (struct caller){.id = ids[i], .call = call_stop};
        begin(&stops[i]);
    }
    time_sleep_ms(50);
    world_exit(id, 1);
    wait_count(&world.starts, 6);
    wait_status(id, STATUS_RUNNING);
    world.hold_stops = false;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(end(&stops[i]), 0);
        free(ids[i]);
    }
}

/* ------------------------------------------------------------ apps */

static struct app *app_of(const char *first, const char *second)
{
    struct app *a = app_new();
    const char *const commands[] = {first, second};

    str_set(&a->name, "shop");
    str_set(&a->source, "cli");
    str_set(&a->project_dir, "/x");
    a->prune = true;
    a->services = xcalloc(2, sizeof(*a->services));
    for (size_t i = 0; i < 2 && commands[i]; i++) {
        struct app_service *s = &a->services[a->n_services++];

        s->name = str_printf("s%zu", i);
        s->container_name = str_printf("shop-s%zu-1", i);
        s->pull_policy = xstrdup("");
        s->stop_grace_s = -1;
        s->spec = container_spec_new();
        str_set(&s->spec->image, "base");
        strv_add(&s->spec->cmd, commands[i]);
        s->spec->cmd_set = true;
        s->spec->restart = RESTART_ALWAYS;
    }
    app_hash(a);
    return a;
}

static void services_that_cannot_start_are_each_tried_with_pauses(void **state)
{
    int64_t cpu = (int64_t)clock();

    (void)state;
    assert_ok(apps_put(g, app_of("/nope", "/nope"), &e));
    time_sleep_ms(1600);
    assert_true(world.starts <= 6);
    assert_true((int64_t)clock() - cpu < CLOCKS_PER_SEC); /* nothing spins meanwhile */
    wait_count(&world.starts, 6); /* and neither is forgotten over the other */
    assert_err(apps_wait_ready(g, "shop", NULL, 10, &e), ERR_TIMEOUT);
}

static void an_image_that_cannot_be_had_is_asked_for_with_pauses(void **state)
{
    struct app *a = app_of("sleep", "sleep");

    (void)state;
    str_set(&a->services[1].spec->image, "elsewhere");
    app_hash(a);
    assert_ok(apps_put(g, a, &e));
    wait_count(&world.pulls, 1);
    for (int i = 0; i < 20; i++) { /* whatever happens to its other service */
        world_exit("none", 0);
        assert_ok(apps_suspend(g, "shop", false, "test", &e));
        time_sleep_ms(10);
    }
    assert_int_equal(world.pulls, 1);
    wait_status("shop-s0-1", STATUS_RUNNING);
}

static void a_long_pull_holds_up_neither_the_others_nor_the_apps_end(void **state)
{
    struct app *a = app_of("sleep", "sleep");
    struct strv names = {0};

    (void)state;
    str_set(&a->services[0].spec->image, "elsewhere");
    app_hash(a);
    world.hold_pulls = true;
    assert_ok(apps_put(g, a, &e));
    wait_count(&world.pulls, 1);
    for (int i = 0; i < 1000 && !exists("shop-s1-1"); i++)
        time_sleep_ms(2);
    wait_status("shop-s1-1", STATUS_RUNNING);
    assert_ok(apps_remove(g, "shop", "test", &e));
    for (int i = 0; i < 1000; i++) {
        strv_release(&names);
        apps_names(g, &names);
        if (names.n == 0)
            break;
        time_sleep_ms(2);
    }
    assert_int_equal(names.n, 0);
    assert_int_equal(world.pulls, 1);
}

static void a_change_in_place_keeps_what_the_image_gave(void **state)
{
    cleanup_container struct container *before = NULL, *c = NULL;
    struct app *a = app_of("sleep", NULL);

    (void)state;
    assert_ok(apps_put(g, app_of("sleep", NULL), &e));
    assert_ok(apps_wait_ready(g, "shop", NULL, 5000, &e));
    assert_ok(containers_find(g, "shop-s0-1", &before, &e));
    kvs_set(&a->services[0].spec->labels, "mine", "too");
    app_hash(a);
    assert_ok(apps_put(g, a, &e));
    for (int i = 0; i < 1000; i++) {
        container_unref_p(&c);
        c = NULL;
        assert_ok(containers_find(g, "shop-s0-1", &c, &e));
        if (kvs_get(&c->spec->labels, "mine"))
            break;
        time_sleep_ms(2);
    }
    assert_string_equal(c->id, before->id);
    assert_non_null(kvs_get(&c->spec->labels, "mine"));
    assert_non_null(kvs_get(&c->spec->labels, "of-image"));
    assert_string_equal(c->spec->stop_signal, "SIGQUIT");
}

static void an_app_put_back_while_it_goes_is_there_in_the_end(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) {
        struct strv names = {0};

        assert_ok(apps_put(g, app_of("sleep", NULL), &e));
        assert_ok(apps_wait_ready(g, "shop", NULL, 5000, &e));
        assert_ok(apps_remove(g, "shop", "test", &e));
        time_sleep_ms(i / 2);
        assert_ok(apps_put(g, app_of("sleep", NULL), &e));
        assert_ok(apps_wait_ready(g, "shop", NULL, 5000, &e));
        close_engine();
        open_engine();
        apps_names(g, &names);
        assert_int_equal(names.n, 1);
        strv_release(&names);
        assert_ok(apps_wait_ready(g, "shop", NULL, 5000, &e));
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_restart_keeps_what_is_removed_when_it_ends),
        TEST(a_restart_whose_caller_hangs_up_is_finished),
        TEST(a_restart_that_the_agents_end_cut_in_two_is_finished_by_the_next),
        TEST(a_stop_after_a_restart_is_the_last_word),
        TEST(two_starts_that_fail_are_both_told),
        TEST(a_stop_waits_for_the_start_under_way),
        TEST(a_forced_removal_ends_the_start_under_way),
        TEST(a_start_that_the_agents_end_cut_short_is_finished_by_the_next),
        TEST(what_should_run_is_tried_again_when_a_new_agent_cannot_start_it),
        TEST(a_wait_ends_when_a_restart_is_called_off),
        TEST(a_pause_that_fails_is_not_done_later),
        TEST(what_ends_while_frozen_comes_back_running),
        TEST(a_forced_removal_is_told_as_an_end_with_its_code),
        TEST(a_name_that_is_taken_leaves_no_volume),
        TEST(a_container_that_was_made_has_its_volumes),
        TEST(long_stops_hold_up_nobody_elses_restart),
        TEST(services_that_cannot_start_are_each_tried_with_pauses),
        TEST(an_image_that_cannot_be_had_is_asked_for_with_pauses),
        TEST(a_long_pull_holds_up_neither_the_others_nor_the_apps_end),
        TEST(a_change_in_place_keeps_what_the_image_gave),
        TEST(an_app_put_back_while_it_goes_is_there_in_the_end),
    };
    return cmocka_run_group_tests_name("reconciler/goals", tests, NULL, NULL);
}
