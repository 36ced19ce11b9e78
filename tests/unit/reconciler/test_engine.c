/* The engine against a machine in memory: outcomes, orders, failures at every call, and crashes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/unit.h"

#include "base/fs.h"
#include "base/mem.h"
#include "base/notify.h"
#include "base/time.h"
#include "tests/unit/reconciler/engine_fixture.h"

static void wait_gone(const char *id)
{
    cleanup_container struct container *c = NULL;

    for (int i = 0; i < 2000; i++) {
        container_unref_p(&c);
        c = NULL;
        if (containers_find(g, id, &c, ERR_IGNORE))
            return;
        time_sleep_ms(2);
    }
    fail_msg("%s is still there", id);
}

/* ------------------------------------------------------------ life */

static void a_container_starts_stops_and_goes(void **state)
{
    cleanup_free char *id = create("one", "sleep", RESTART_NO, false);

    (void)state;
    assert_int_equal(status_of(id), STATUS_CREATED);
    assert_ok(containers_start(g, id, "test", NULL, &e));
    assert_int_equal(status_of(id), STATUS_RUNNING);
    assert_err(containers_start(g, id, "test", NULL, &e), ERR_NOT_MODIFIED);
    assert_err(containers_remove(g, id, false, false, "test", NULL, &e), ERR_CONFLICT);
    assert_ok(containers_stop(g, "one", NULL, -2, "test", NULL, &e));
    assert_int_equal(status_of(id), STATUS_EXITED);
    assert_err(containers_stop(g, id, NULL, -2, "test", NULL, &e), ERR_NOT_MODIFIED);
    assert_int_equal(world_leftovers(), 0);
    assert_ok(containers_remove(g, id, false, false, "test", NULL, &e));
    assert_err(containers_find(g, id, &(struct container *){NULL}, &e), ERR_NOT_FOUND);
}

static void the_caller_of_a_start_gets_its_error_word_for_word(void **state)
{
    cleanup_free char *id = create("bad", "/nope", RESTART_NO, false);
    cleanup_container struct container *c = NULL;
    struct err e = ERR_INIT;

    (void)state;
    assert_int_equal(containers_start(g, id, "test", NULL, &e), -1);
    assert_string_equal(e.msg, "exec: \"/nope\": stat /nope: no such file or directory");
    assert_int_equal(containers_find(g, id, &c, &e), 0);
    assert_int_equal(c->state.status, STATUS_CREATED);
    assert_int_equal(c->state.exit_code, 127);
    assert_int_equal(world_leftovers(), 0);
}

static void a_failed_start_of_an_auto_removed_container_removes_it(void **state)
{
    cleanup_free char *id = create("gone", "/nope", RESTART_NO, true);

    (void)state;
    assert_err(containers_start(g, id, "test", NULL, &e), ERR_INVALID);
    wait_gone(id);
}

static void an_exit_is_recorded_and_wakes_who_waits(void **state)
{
    cleanup_free char *id = create("exits", "sleep", RESTART_NO, false), *error = NULL;
    struct container_wait *w = NULL;
    int code = -1;

    (void)state;
    assert_ok(containers_wait_begin(g, id, WAIT_NEXT_EXIT, &w, &e));
    assert_ok(containers_start(g, id, "test", NULL, &e));
    world_exit(id, 42);
    assert_ok(containers_wait_end(w, NULL, &code, &error, &e));
    assert_int_equal(code, 42);
    wait_status(id, STATUS_EXITED);
}

static void a_process_that_ends_at_once_still_started(void **state)
{
    cleanup_free char *id = create("quick", "true", RESTART_NO, false);

    (void)state;
    world.exit_fast = true;
    world.exit_code = 3;
    assert_ok(containers_start(g, id, "test", NULL, &e));
    wait_status(id, STATUS_EXITED);
    assert_int_equal(world_leftovers(), 0);
}

static void the_restart_policy_brings_it_back_until_its_limit(void **state)
{
    cleanup_spec struct container_spec *s = container_spec_new();
    struct container_create rq = {.name = "twice", .spec = s, .by = "test"};
    cleanup_container struct container *c = NULL;
    cleanup_free char *id = NULL;
    struct strv warnings = {0};

    (void)state;
    str_set(&s->image, "base");
    s->restart = RESTART_ON_FAILURE;
    s->restart_max = 2;
    world.exit_fast = true;
    world.exit_code = 1;
    assert_ok(containers_create(g, &rq, &id, &warnings, &e));
    assert_ok(containers_start(g, id, "test", NULL, &e));
    wait_status(id, STATUS_EXITED);
    assert_ok(containers_find(g, id, &c, &e));
    assert_int_equal(c->state.restart_count, 2);
}

static void a_manual_stop_outranks_the_policy(void **state)
{
    cleanup_free char *id = create("always", "sleep", RESTART_ALWAYS, false);

    (void)state;
    assert_ok(containers_start(g, id, "test", NULL, &e));
    assert_ok(containers_stop(g, id, NULL, 0, "test", NULL, &e));
    time_sleep_ms(250);
    assert_int_equal(status_of(id), STATUS_EXITED);
}

/* Fail at every change of the world in turn: the caller is told, nothing is left, and again works.
 */
static void a_start_that_fails_anywhere_leaves_nothing(void **state)
{
    (void)state;
    for (int point = 1; point <= 6; point++) {
        cleanup_free char *name = str_printf("point%d", point);
        cleanup_free char *id = create(name, "sleep", RESTART_NO, false);
        struct err e = ERR_INIT;

        world.calls = 0;
        world.fail_at = point;
        if (containers_start(g, id, "test", NULL, &e))
            assert_non_null(strstr(e.msg, "disk on fire"));
        world.fail_at = 0;
        for (int i = 0; i < 500 && status_of(id) != STATUS_RUNNING && world_leftovers(); i++)
            time_sleep_ms(10);
        if (status_of(id) != STATUS_RUNNING) {
            assert_int_equal(world_leftovers(), 0);
            assert_ok(containers_start(g, id, "test", NULL, &e));
        }
        assert_int_equal(status_of(id), STATUS_RUNNING);
        assert_ok(containers_remove(g, id, true, false, "test", NULL, &e));
    }
}

static void a_new_agent_finds_what_the_old_one_left(void **state)
{
    cleanup_free char *runs = create("runs", "sleep", RESTART_NO, false);
    cleanup_free char *ended = create("ended", "sleep", RESTART_NO, false);
    cleanup_container struct container *c = NULL;

    (void)state;
    assert_ok(containers_start(g, runs, "test", NULL, &e));
    assert_ok(containers_start(g, ended, "test", NULL, &e));
    close_engine();
    world_find(ended)->o.phase = CONTAINER_EXITED;
    world_find(ended)->o.exit_code = 7;
    world_find(ended)->o.finished_ns = time_wall_ns();
    open_engine();
    wait_status(ended, STATUS_EXITED);
    assert_int_equal(status_of(runs), STATUS_RUNNING);
    assert_ok(containers_find(g, ended, &c, &e));
    assert_int_equal(c->state.exit_code, 7);
}

static void events_come_in_order(void **state)
{
    static const char *const want[] = {"create", "start", "die", "destroy"};
    cleanup_free char *id = NULL;
    struct event_sub *sub = NULL;
    size_t seen = 0;

    (void)state;
    assert_ok(events_subscribe(g, TIME_ZERO, &sub, &e));
    id = create("ev", "sleep", RESTART_NO, true);
    assert_ok(containers_start(g, id, "test", NULL, &e));
    world_exit(id, 0);
    wait_gone(id);
    while (seen < 4) {
        cleanup_event struct event ev = {0};

        assert_ok(events_next(sub, time_mono_ms() + 5000, NULL, &ev, &e));
        if (strcmp(ev.type, "container") == 0)
            assert_string_equal(ev.action, want[seen++]);
    }
    events_unsubscribe(sub);
}

/* ------------------------------------------------------------ apps */

static struct app *app_of(const char *command)
{
    struct app *a = app_new();
    struct app_service *s;

    str_set(&a->name, "shop");
    str_set(&a->source, "directory:t");
    str_set(&a->project_dir, "/x");
    a->prune = true;
    a->services = s = xcalloc(1, sizeof(*s));
    a->n_services = 1;
    s->name = xstrdup("web");
    s->container_name = xstrdup("shop-web-1");
    s->pull_policy = xstrdup("");
    s->stop_grace_s = -1;
    s->spec = container_spec_new();
    str_set(&s->spec->image, "base");
    strv_add(&s->spec->cmd, command);
    s->spec->cmd_set = true;
    s->spec->restart = RESTART_ALWAYS;
    app_hash(a);
    return a;
}

static void an_app_is_made_kept_and_changed(void **state)
{
    cleanup_container struct container *c = NULL, *again = NULL, *changed = NULL;

    (void)state;
    assert_ok(apps_put(g, app_of("sleep"), &e));
    assert_ok(apps_wait_ready(g, "shop", NULL, 5000, &e));
    assert_ok(containers_find(g, "shop-web-1", &c, &e));
    assert_string_equal(c->app, "shop");

    assert_ok(containers_remove(g, c->id, true, false, "test", NULL, &e));
    for (int i = 0; i < 1000 && containers_find(g, "shop-web-1", &again, ERR_IGNORE); i++)
        time_sleep_ms(5);
    assert_non_null(again);
    assert_string_not_equal(again->id, c->id);
    assert_ok(apps_wait_ready(g, "shop", NULL, 5000, &e));

    assert_ok(apps_put(g, app_of("other"), &e));
    assert_ok(apps_wait_ready(g, "shop", NULL, 5000, &e));
    assert_ok(containers_find(g, "shop-web-1", &changed, &e));
    assert_string_equal(changed->spec->cmd.v[0], "other");
    assert_ok(apps_remove(g, "shop", "test", &e));
    wait_gone("shop-web-1");
}

static void a_broken_file_keeps_the_old_state(void **state)
{
    cleanup_buf struct buf text = BUF_INIT(1 << 20);
    cleanup_container struct container *c = NULL;
    struct jsonw w = JSONW_INIT(&text);

    (void)state;
    assert_ok(apps_put(g, app_of("sleep"), &e));
    assert_ok(apps_wait_ready(g, "shop", NULL, 5000, &e));
    assert_ok(apps_put_error(g, "shop", "directory:t", "shop.yaml:3:5: no", &e));
    assert_ok(apps_status(g, "shop", &w, &e));
    assert_non_null(strstr(text.data, "shop.yaml:3:5: no"));
    assert_ok(containers_find(g, "shop-web-1", &c, &e));
    assert_int_equal(c->state.status, STATUS_RUNNING);
}

static void two_sources_cannot_have_one_name(void **state)
{
    struct app *second = app_of("sleep");

    (void)state;
    assert_ok(apps_put(g, app_of("sleep"), &e));
    str_set(&second->source, "cli");
    assert_err(apps_put(g, second, &e), ERR_CONFLICT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_container_starts_stops_and_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(the_caller_of_a_start_gets_its_error_word_for_word, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_failed_start_of_an_auto_removed_container_removes_it,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(an_exit_is_recorded_and_wakes_who_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(a_process_that_ends_at_once_still_started, setup, teardown),
        cmocka_unit_test_setup_teardown(the_restart_policy_brings_it_back_until_its_limit, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_manual_stop_outranks_the_policy, setup, teardown),
        cmocka_unit_test_setup_teardown(a_start_that_fails_anywhere_leaves_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_new_agent_finds_what_the_old_one_left, setup, teardown),
        cmocka_unit_test_setup_teardown(events_come_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(an_app_is_made_kept_and_changed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_broken_file_keeps_the_old_state, setup, teardown),
        cmocka_unit_test_setup_teardown(two_sources_cannot_have_one_name, setup, teardown),
    };
    return cmocka_run_group_tests_name("reconciler/engine", tests, NULL, NULL);
}
