#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/tmpdir.h"
#include "tests/unit/unit.h"

#include "base/cancel.h"
#include "base/dirwatch.h"
#include "base/sync.h"
#include "base/time.h"

static int wait_ms(struct dirwatch *w, int64_t ms)
{
    struct err e = ERR_INIT;
    int r = dirwatch_wait(w, ms, NULL, &e);

    if (r < 0)
        fail_msg("%s", e.msg);
    return r;
}

static void every_kind_of_change_wakes_and_is_told_once(void **state)
{
    cleanup_tmpdir struct tmpdir t = tmpdir_new();
    cleanup_free char *dir = tmpdir_at(&t, "d"), *file = tmpdir_at(&t, "d/compose.yml"),
                      *other = tmpdir_at(&t, "d/other.yml");
    struct dirwatch *w = NULL;

    (void)state;
    assert_ok(fs_mkdir_p(dir, 0755, &e));
    assert_ok(dirwatch_open(&w, &e));
    assert_ok(dirwatch_add(w, dir, &e));
    assert_ok(dirwatch_add(w, dir, &e));
    assert_int_equal(wait_ms(w, 0), 0);
    assert_ok(fs_write_atomic(file, "a", 1, 0644, false, &e));
    assert_int_equal(wait_ms(w, 5000), 1);
    assert_int_equal(wait_ms(w, 0), 0);
    assert_ok(fs_rewrite(file, "b", 1, 0644, &e));
    assert_int_equal(wait_ms(w, 5000), 1);
    assert_ok(fs_rename(file, other, &e));
    assert_int_equal(wait_ms(w, 5000), 1);
    assert_int_equal(chmod(other, 0600), 0);
    assert_int_equal(wait_ms(w, 5000), 1);
    assert_ok(fs_remove(other, &e));
    assert_int_equal(wait_ms(w, 5000), 1);
    assert_ok(fs_remove_all(dir, &e));
    assert_int_equal(wait_ms(w, 5000), 1);
    assert_err(dirwatch_add(w, dir, &e), ERR_NOT_FOUND);
    dirwatch_free(w);
}

static void several_directories_share_a_watch(void **state)
{
    cleanup_tmpdir struct tmpdir t = tmpdir_new();
    cleanup_free char *a = tmpdir_at(&t, "a"), *b = tmpdir_at(&t, "b"),
                      *in_b = tmpdir_at(&t, "b/x"), *below = tmpdir_at(&t, "a/sub"),
                      *deep = tmpdir_at(&t, "a/sub/x");
    struct dirwatch *w = NULL;

    (void)state;
    assert_ok(fs_mkdir_p(below, 0755, &e));
    assert_ok(fs_mkdir_p(b, 0755, &e));
    assert_ok(dirwatch_open(&w, &e));
    assert_ok(dirwatch_add(w, a, &e));
    assert_ok(dirwatch_add(w, b, &e));
    assert_ok(fs_mkdir_p(in_b, 0755, &e));
    assert_int_equal(wait_ms(w, 5000), 1);
    assert_ok(fs_mkdir_p(deep, 0755, &e)); /* not in a directory that is watched */
    assert_int_equal(wait_ms(w, 20), 0);
    dirwatch_free(w);
}

static void fire_soon(void *c)
{
    time_sleep_ms(30);
    cancel_fire(c);
}

static void waiting_ends_when_cancelled(void **state)
{
    struct cancel *c = cancel_new();
    struct dirwatch *w = NULL;
    struct err why = ERR_INIT;
    struct thread t;

    (void)state;
    assert_ok(dirwatch_open(&w, &e));
    assert_ok(thread_start(&t, "fire", fire_soon, c, &e));
    assert_int_equal(dirwatch_wait(w, -1, c, &why), -1);
    assert_int_equal(why.kind, ERR_CANCELLED);
    thread_join(&t);
    cancel_free(c);
    dirwatch_free(w);
    dirwatch_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_change_wakes_and_is_told_once),
        cmocka_unit_test(several_directories_share_a_watch),
        cmocka_unit_test(waiting_ends_when_cancelled),
    };
    return cmocka_run_group_tests_name("base/dirwatch", tests, NULL, NULL);
}
