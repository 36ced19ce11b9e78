/* Files of containers, as far as the engine decides: who waits for whom, and what a cut leaves. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/sync.h"
#include "reconciler/container_files.h"
#include "tests/unit/reconciler/engine_fixture.h"

/* The files that every container of the machine in memory has. */
static int with_files(void **state)
{
    if (setup(state))
        return -1;
    world.files = str_printf("%s/files", root);
    return mkdir(world.files, 0755);
}

static int without_files(void **state)
{
    free((char *)world.files);
    world.files = NULL;
    return teardown(state);
}

/* A body that comes when it is let. */
struct body {
    _Atomic bool begun, go_on;
};

static int slow_read(void *arg, void *buf, size_t n, size_t *got, struct err *e)
{
    struct body *b = arg;

    (void)buf;
    (void)n;
    (void)e;
    b->begun = true;
    while (!b->go_on)
        time_sleep_ms(1);
    *got = 0;
    return 0;
}

struct upload {
    const char *id;
    struct cancel *cancel;
    struct body body;
    struct thread thread;
    int r;
};

static void run_upload(void *arg)
{
    struct upload *u = arg;
    const struct files_source in = {.read = slow_read, .arg = &u->body};

    u->r = containers_extract(g, u->id, "/", &in, "test", ERR_IGNORE);
}

static void run_start(void *arg)
{
    struct upload *u = arg;

    u->r = containers_start(g, u->id, "test", u->cancel, ERR_IGNORE);
}

static void a_start_waits_for_whoever_writes_into_the_container(void **state)
{
    cleanup_free char *id = create("web", "sleep", RESTART_NO, false);
    struct upload u = {.id = id}, start = {.id = id};

    (void)state;
    assert_ok(thread_start(&u.thread, "upload", run_upload, &u, &e));
    while (!u.body.begun)
        time_sleep_ms(1);
    assert_ok(thread_start(&start.thread, "start", run_start, &start, &e));
    time_sleep_ms(20);
    assert_int_equal(world.starts, 0);
    u.body.go_on = true;
    thread_join(&u.thread);
    thread_join(&start.thread);
    assert_int_equal(u.r, 0);
    assert_int_equal(start.r, 0);
    assert_int_equal(world.starts, 1);
}

static void an_engine_that_ends_does_not_wait_for_a_start_that_waits(void **state)
{
    cleanup_free char *id = create("web", "sleep", RESTART_NO, false);
    struct upload u = {.id = id}, start = {.id = id, .cancel = cancel_new()};

    (void)state;
    assert_ok(thread_start(&u.thread, "upload", run_upload, &u, &e));
    while (!u.body.begun)
        time_sleep_ms(1);
    assert_ok(thread_start(&start.thread, "start", run_start, &start, &e));
    engine_stop(g); /* its workers end */
    cancel_fire(start.cancel);
    thread_join(&start.thread);
    assert_int_equal(world.starts, 0);
    u.body.go_on = true;
    thread_join(&u.thread);
    cancel_free(start.cancel);
}

static void what_is_not_there_is_told_in_dockers_words(void **state)
{
    cleanup_free char *id = create("web", "sleep", RESTART_NO, false);
    struct tree_stat st;
    struct err e = ERR_INIT;

    (void)state;
    assert_non_null(id);
    assert_int_equal(containers_stat_path(g, "web", "a/b", &st, &e), -1);
    assert_int_equal(e.kind, ERR_NOT_FOUND);
    assert_string_equal(e.msg, "Could not find the file a/b in container web");
    assert_int_equal(containers_stat_path(g, "none", "/", &st, &e), -1);
    assert_string_equal(e.msg, "No such container: none");
}

/* ------------------------------------------------------------ commit */

static enum container_status seen;

static void look(const char *id)
{
    seen = status_of(id);
}

static int commit(const char *id, bool pause, struct err *e)
{
    struct container_commit rq = {.container = id, .pause = pause, .by = "test"};
    char *image = NULL;
    int r = containers_commit(g, &rq, NULL, &image, e);

    free(image);
    return r;
}

static void a_commit_pauses_a_running_container_and_lets_it_go_on(void **state)
{
    cleanup_free char *id = create("cut", "sleep", RESTART_NO, false);

    (void)state;
    world.at_commit = look;
    assert_ok(commit(id, true, &e));
    assert_int_equal(seen, STATUS_CREATED);
    assert_ok(containers_start(g, id, "test", NULL, &e));
    assert_ok(commit(id, true, &e));
    assert_int_equal(seen, STATUS_PAUSED);
    assert_int_equal(status_of(id), STATUS_RUNNING);
    assert_ok(commit(id, false, &e));
    assert_int_equal(seen, STATUS_RUNNING);
    assert_ok(containers_pause(g, id, true, "test", NULL, &e));
    assert_ok(commit(id, true, &e));
    assert_int_equal(status_of(id), STATUS_PAUSED); /* not ours to end */
    world.at_commit = NULL;
}

static void a_commit_that_fails_lets_the_container_go_on(void **state)
{
    cleanup_free char *id = create("cut", "sleep", RESTART_NO, false);

    (void)state;
    assert_ok(containers_start(g, id, "test", NULL, &e));
    for (int i = 1; i < 4; i++) {
        struct err e = ERR_INIT;

        world.fail_at = world.calls + i;
        (void)!commit(id, true, &e);
        world.fail_at = 0;
        wait_status(id, STATUS_RUNNING);
    }
    world.fail_freeze = true;
    assert_ok(commit(id, true, &e)); /* without a pause, as dockerd does */
    world.fail_freeze = false;
}

static void after_a_kill_within_a_commit_the_container_goes_on(void **state)
{
    cleanup_free char *id = create("cut", "sleep", RESTART_NO, false);
    cleanup_free char *key = str_printf("commit/%s", id);

    (void)state;
    assert_ok(containers_start(g, id, "test", NULL, &e));
    assert_ok(state_intent_put(st, key, "commit", &e));
    assert_ok(containers_pause(g, id, true, "test", NULL, &e));
    close_engine();
    open_engine();
    wait_status(id, STATUS_RUNNING);
    close_engine();
    open_engine();
    assert_ok(containers_pause(g, id, true, "test", NULL, &e)); /* on purpose, this time */
    close_engine();
    open_engine();
    assert_int_equal(status_of(id), STATUS_PAUSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_start_waits_for_whoever_writes_into_the_container,
                                        with_files, without_files),
        cmocka_unit_test_setup_teardown(an_engine_that_ends_does_not_wait_for_a_start_that_waits,
                                        with_files, without_files),
        cmocka_unit_test_setup_teardown(what_is_not_there_is_told_in_dockers_words, with_files,
                                        without_files),
        cmocka_unit_test_setup_teardown(a_commit_pauses_a_running_container_and_lets_it_go_on,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_commit_that_fails_lets_the_container_go_on, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(after_a_kill_within_a_commit_the_container_goes_on, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
