#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/fault.h"
#include "tests/unit/state/state_test.h"

static void a_new_file_is_only_for_its_owner(void **arg)
{
    struct place *p = *arg;
    struct stat sb;

    assert_int_equal(stat(p->path, &sb), 0);
    assert_int_equal(sb.st_mode & 0777, 0600);
    assert_ok(state_check(p->st, &e));
}

static void what_was_written_is_there_after_reopening(void **arg)
{
    struct place *p = *arg;
    cleanup_free char *value = NULL;

    assert_ok(state_meta_put(p->st, "engine-id", "abc", &e));
    place_reopen(p);
    assert_ok(state_meta_get(p->st, "engine-id", &value, &e));
    assert_string_equal(value, "abc");
}

static void a_missing_fact_is_null(void **arg)
{
    struct place *p = *arg;
    char *value = (char *)"x";

    assert_ok(state_meta_get(p->st, "nothing", &value, &e));
    assert_null(value);
}

static void run_sql(const char *path, const char *sql)
{
    sqlite3 *db;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void a_newer_schema_is_refused_and_left_alone(void **arg)
{
    struct place *p = *arg;
    struct err e = ERR_INIT;

    state_close(p->st);
    p->st = NULL;
    run_sql(p->path, "PRAGMA user_version = 99");
    assert_int_equal(state_open(p->path, &p->st, &e), -1);
    assert_int_equal(e.kind, ERR_UNSUPPORTED);
    assert_non_null(strstr(e.msg, p->path));
    assert_non_null(strstr(e.msg, "schema 99"));
    run_sql(p->path, "PRAGMA user_version = 1");
    assert_ok(state_open(p->path, &p->st, &e));
}

static void a_database_of_another_program_is_refused(void **arg)
{
    struct place *p = *arg;
    cleanup_free char *other = path_join(p->dir, "other.db");
    struct state *st = NULL;
    struct err e = ERR_INIT;

    run_sql(other, "CREATE TABLE t (a); INSERT INTO t VALUES (1)");
    assert_int_equal(state_open(other, &st, &e), -1);
    assert_non_null(strstr(e.msg, "another program"));
}

static void an_empty_file_becomes_a_database(void **arg)
{
    struct place *p = *arg;
    cleanup_free char *empty = path_join(p->dir, "empty.db");
    struct state *st = NULL;

    assert_ok(fs_write_atomic(empty, "", 0, 0600, false, &e));
    assert_ok(state_open(empty, &st, &e));
    assert_ok(state_meta_put(st, "k", "v", &e));
    state_close(st);
}

/* Migration from version 0 is what every new file goes through; doing it twice changes nothing. */
static void migrating_a_current_database_changes_nothing(void **arg)
{
    struct place *p = *arg;
    cleanup_free char *value = NULL;

    assert_ok(state_meta_put(p->st, "k", "v", &e));
    place_reopen(p);
    place_reopen(p);
    assert_ok(state_meta_get(p->st, "k", &value, &e));
    assert_string_equal(value, "v");
}

static void a_failed_migration_leaves_an_empty_database(void **arg)
{
#ifdef BALLAST_FAULTS
    struct place *p = *arg;
    cleanup_free char *path = path_join(p->dir, "new.db");
    struct state *st = NULL;

    fault_set("state.commit", 1, false);
    assert_err(state_open(path, &st, &e), ERR_IO);
    fault_set(NULL, 0, false);
    assert_ok(state_open(path, &st, &e));
    assert_ok(state_check(st, &e));
    state_close(st);
#else
    (void)arg;
#endif
}

/* ------------------------------------------------------------ damage */

static void scribble(const char *path, off_t at, size_t n)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    char *junk = xmalloc(n);

    memset(junk, 0xa5, n);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, junk, n, at), n);
    close(fd);
    free(junk);
}

static void expect_damaged(struct place *p)
{
    struct err e = ERR_INIT;
    struct stat before, after;

    assert_int_equal(stat(p->path, &before), 0);
    assert_int_equal(state_open(p->path, &p->st, &e), -1);
    assert_int_equal(e.kind, ERR_IO);
    assert_non_null(strstr(e.msg, p->path));
    assert_non_null(strstr(e.msg, "damaged"));
    assert_non_null(strstr(e.msg, "restore a copy"));
    assert_int_equal(stat(p->path, &after), 0);
    assert_int_equal(before.st_size, after.st_size);
}

static void a_file_that_is_no_database_is_called_damaged(void **arg)
{
    struct place *p = *arg;

    state_close(p->st);
    p->st = NULL;
    scribble(p->path, 0, 100);
    expect_damaged(p);
}

static void a_broken_page_is_found_at_the_start(void **arg)
{
    struct place *p = *arg;
    struct stat sb;

    for (int i = 0; i < 200; i++) {
        cleanup_free char *key = str_printf("key-%03d-%0200d", i, i);

        assert_ok(state_meta_put(p->st, key, key, &e));
    }
    state_close(p->st);
    p->st = NULL;
    assert_int_equal(stat(p->path, &sb), 0);
    for (off_t at = 8192; at < sb.st_size; at += 4096)
        scribble(p->path, at, 64);
    expect_damaged(p);
}

static void a_directory_that_is_missing_is_named(void **arg)
{
    struct place *p = *arg;
    cleanup_free char *path = path_join(p->dir, "nowhere/state.db");
    struct state *st = NULL;
    struct err e = ERR_INIT;

    assert_int_equal(state_open(path, &st, &e), -1);
    assert_non_null(strstr(e.msg, "nowhere"));
}

/* ------------------------------------------------------------ a full disk */

/* In a child with a mount namespace of its own.  0: as it should be, 77: not allowed to mount. */
static int on_a_full_disk(const char *dir)
{
    cleanup_free char *path = path_join(dir, "state.db");
    struct state *st = NULL;
    struct err e = ERR_INIT;
    char *big = xmalloc(40001);
    int i, r;
    cleanup_free char *value = NULL;

    if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("tmpfs", dir, "tmpfs", 0, "size=1m"))
        return 77;
    memset(big, 'x', 40000);
    big[40000] = '\0';
    if (state_open(path, &st, &e) || state_meta_put(st, "first", "1", &e))
        return 1;
    for (i = 0, r = 0; i < 100 && r == 0; i++) {
        cleanup_free char *key = str_printf("key-%d", i);

        r = state_meta_put(st, key, big, &e);
    }
    if (r == 0 || e.kind != ERR_IO || !strstr(e.msg, "disk is full") || !strstr(e.msg, path))
        return 2;
    if (state_meta_get(st, "first", &value, &e) || !str_eq(value, "1"))
        return 3;
    if (mount("tmpfs", dir, "tmpfs", MS_REMOUNT, "size=8m"))
        return 4;
    if (state_meta_put(st, "after", "2", &e) || state_check(st, &e))
        return 5;
    state_close(st);
    free(big);
    return 0;
}

static void a_full_disk_is_an_error_and_loses_nothing(void **arg)
{
    struct place *p = *arg;
    cleanup_free char *dir = path_join(p->dir, "small");
    int status;
    pid_t pid;

    assert_ok(fs_mkdir_p(dir, 0700, &e));
    pid = fork();
    if (pid == 0)
        _exit(on_a_full_disk(dir));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77) {
        assert_null(getenv("BALLAST_TESTS_MUST_RUN"));
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_write_that_the_system_refuses_is_an_error_and_loses_nothing(void **arg)
{
    struct place *p = *arg;
    struct rlimit before, limit;
    char *big = xmalloc(40001);
    int r = 0;
    cleanup_free char *value = NULL;
    struct err e = ERR_INIT;

    memset(big, 'x', 40000);
    big[40000] = '\0';
    assert_ok(state_meta_put(p->st, "first", "1", &e));
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    limit = before;
    limit.rlim_cur = 200000;
    setrlimit(RLIMIT_FSIZE, &limit);
    for (int i = 0; i < 100 && r == 0; i++) {
        cleanup_free char *key = str_printf("key-%d", i);

        r = state_meta_put(p->st, key, big, &e);
    }
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(r, -1);
    assert_int_equal(e.kind, ERR_IO);
    assert_non_null(strstr(e.msg, p->path));
    place_reopen(p);
    assert_ok(state_check(p->st, &e));
    assert_ok(state_meta_get(p->st, "first", &value, &e));
    assert_string_equal(value, "1");
    free(big);
}

static void a_commit_that_fails_changes_nothing(void **arg)
{
#ifdef BALLAST_FAULTS
    struct place *p = *arg;
    cleanup_free char *value = NULL;

    assert_ok(state_meta_put(p->st, "k", "old", &e));
    fault_set("state.commit", 1, false);
    assert_err(state_meta_put(p->st, "k", "new", &e), ERR_IO);
    fault_set(NULL, 0, false);
    assert_ok(state_meta_get(p->st, "k", &value, &e));
    assert_string_equal(value, "old");
    assert_ok(state_meta_put(p->st, "k", "new", &e)); /* the lock was given back */
#else
    (void)arg;
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLACE_TEST(a_new_file_is_only_for_its_owner),
        PLACE_TEST(what_was_written_is_there_after_reopening),
        PLACE_TEST(a_missing_fact_is_null),
        PLACE_TEST(a_newer_schema_is_refused_and_left_alone),
        PLACE_TEST(a_database_of_another_program_is_refused),
        PLACE_TEST(an_empty_file_becomes_a_database),
        PLACE_TEST(migrating_a_current_database_changes_nothing),
        PLACE_TEST(a_failed_migration_leaves_an_empty_database),
        PLACE_TEST(a_file_that_is_no_database_is_called_damaged),
        PLACE_TEST(a_broken_page_is_found_at_the_start),
        PLACE_TEST(a_directory_that_is_missing_is_named),
        PLACE_TEST(a_full_disk_is_an_error_and_loses_nothing),
        PLACE_TEST(a_write_that_the_system_refuses_is_an_error_and_loses_nothing),
        PLACE_TEST(a_commit_that_fails_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
