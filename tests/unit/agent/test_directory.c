/*
 * The directory source against an engine in memory: what files come, change, break and go, and what
 * becomes of their apps.  Every step is followed by a rescan by hand, so nothing here waits for
 * inotify but the tests that say so.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/unit.h"

#include "agent/sources/directory.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/time.h"
#include "tests/unit/reconciler/fake_world.h"

#define WEB "services: {web: {image: base, command: [\"%s\"], restart: always}}\n"

static char root[64];
static struct state *st;
static struct engine *g;
static struct directory_source *source;

static char *at(const char *name)
{
    return str_printf("%s/apps/%s", root, name);
}

static void open_source(bool allow_empty)
{
    cleanup_free char *dir = at(""), *db = str_printf("%s/state.db", root);
    struct engine_config cfg = {
        .data_root = root,
        .exec_root = root,
        .net = {.instance = "t", .default_bridge = "t0", .exec_root = root},
        .cgroup_parent = "/t",
        .workers = 2
    };
    struct directory_opts o = {.name = "t", .path = dir, .allow_empty = allow_empty};

    assert_ok(state_open(db, &st, &e));
    assert_ok(engine_open(&cfg, st, NULL, world_runtime(), &g, &e));
    assert_ok(engine_start(g, &e));
    assert_ok(directory_source_start(&o, g, &source, &e));
}

static void close_source(void)
{
    directory_source_stop(source);
    engine_close(g);
    state_close(st);
}

static int setup(void **state)
{
    cleanup_free char *dir = NULL;

    (void)state;
    snprintf(root, sizeof(root), "/tmp/ballast-source-XXXXXX");
    if (!mkdtemp(root))
        return -1;
    dir = at("");
    world_reset();
    if (fs_mkdir_p(dir, 0755, ERR_IGNORE))
        return -1;
    open_source(false);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    close_source();
    return fs_remove_all(root, ERR_IGNORE);
}

/* ------------------------------------------------------------ what is done to the directory */

static void put(const char *name, const char *text)
{
    cleanup_free char *path = at(name), *dir = path_dir(path);
    FILE *f;

    assert_ok(fs_mkdir_p(dir, 0755, &e));
    f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void put_web(const char *name, const char *command)
{
    cleanup_free char *text = str_printf(WEB, command);

    put(name, text);
}

static void drop(const char *name)
{
    cleanup_free char *path = at(name);

    assert_ok(fs_remove_all(path, &e));
}

static void move(const char *from, const char *to)
{
    cleanup_free char *a = at(from), *b = at(to);

    assert_int_equal(rename(a, b), 0);
}

static void look(void)
{
    directory_source_rescan(source);
}

/* ------------------------------------------------------------ what has become of it */

static char *status_of(const char *app)
{
    cleanup_buf struct buf text = BUF_INIT(1 << 20);
    struct jsonw w = JSONW_INIT(&text);

    if (apps_status(g, app, &w, ERR_IGNORE))
        return xstrdup("gone");
    return xstrdup(text.data);
}

static void assert_says(const char *app, const char *word)
{
    cleanup_free char *status = status_of(app);

    if (!strstr(status, word))
        fail_msg("%s does not say %s: %s", app, word, status);
}

static char *command_of(const char *container)
{
    cleanup_container struct container *c = NULL;

    if (containers_find(g, container, &c, ERR_IGNORE) || c->state.status != STATUS_RUNNING)
        return xstrdup("");
    return xstrdup(c->spec->cmd.v[0]);
}

static void assert_runs(const char *container, const char *command)
{
    for (int i = 0; i < 2000; i++) {
        cleanup_free char *now = command_of(container);

        if (strcmp(now, command) == 0)
            return;
        time_sleep_ms(2);
    }
    fail_msg("%s does not run %s", container, command);
}

static void assert_gone(const char *app)
{
    for (int i = 0; i < 2000; i++) {
        cleanup_free char *status = status_of(app);

        if (strcmp(status, "gone") == 0)
            return;
        time_sleep_ms(2);
    }
    fail_msg("%s is still there", app);
}

/* ------------------------------------------------------------ the tests */

static void a_new_project_a_change_and_its_end_are_followed(void **state)
{
    (void)state;
    put_web("keep/compose.yaml", "a");
    put_web("shop/compose.yaml", "one");
    look();
    assert_runs("shop-web-1", "one");
    put_web("shop/compose.yaml", "two");
    look();
    assert_runs("shop-web-1", "two");
    drop("shop");
    look();
    assert_gone("shop");
    assert_runs("keep-web-1", "a");
}

static void a_file_by_itself_is_a_project(void **state)
{
    (void)state;
    put_web("keep.yaml", "a");
    put_web("shop.yaml", "one");
    put_web(".hidden.yaml", "no");
    put_web("shop.yaml~", "no");
    look();
    assert_runs("shop-web-1", "one");
    drop("shop.yaml");
    look();
    assert_gone("shop");
}

static void a_broken_file_keeps_its_app_and_says_where(void **state)
{
    (void)state;
    put_web("shop/compose.yaml", "one");
    look();
    assert_runs("shop-web-1", "one");
    put("shop/compose.yaml", "services:\n  web: {imagee: base}\n");
    look();
    assert_says("shop", "InvalidFile");
    assert_says("shop", "compose.yaml:2");
    assert_runs("shop-web-1", "one");
    put_web("shop/compose.yaml", "two");
    look();
    assert_runs("shop-web-1", "two");
}

static void a_file_that_broke_while_the_agent_was_away_keeps_its_app(void **state)
{
    (void)state;
    put("shop.yaml", "name: store\nservices: {web: {image: base, command: [one]}}\n");
    put_web("keep.yaml", "a");
    look();
    assert_runs("store-web-1", "one");
    close_source();
    put("shop.yaml", "name: store\nservices: {web: {imagee: base}}\n");
    open_source(false);
    look();
    assert_says("store", "InvalidFile");
    assert_runs("store-web-1", "one");
    assert_gone("shop");
}

static void a_broken_newcomer_harms_nobody_of_its_name(void **state)
{
    (void)state;
    put_web("web/compose.yaml", "one");
    look();
    assert_runs("web-web-1", "one");
    put("web.yaml", "services: [\n");
    look();
    look();
    assert_says("web", "\"ready\":true");
    put_web("web/compose.yaml", "two");
    look();
    assert_runs("web-web-1", "two");
}

static void an_empty_directory_removes_nothing(void **state)
{
    (void)state;
    put_web("shop/compose.yaml", "one");
    look();
    assert_runs("shop-web-1", "one");
    drop("shop");
    look();
    time_sleep_ms(50);
    assert_runs("shop-web-1", "one");
}

static void an_empty_directory_removes_everything_when_that_is_allowed(void **state)
{
    (void)state;
    put_web("shop/compose.yaml", "one");
    look();
    assert_runs("shop-web-1", "one");
    close_source();
    drop("shop");
    open_source(true);
    assert_gone("shop");
}

static void a_directory_that_is_not_there_removes_nothing(void **state)
{
    cleanup_free char *here = str_printf("%s/apps", root), *away = str_printf("%s/away", root);

    (void)state;
    put_web("shop/compose.yaml", "one");
    put_web("keep/compose.yaml", "a");
    look();
    assert_runs("shop-web-1", "one");
    assert_int_equal(rename(here, away), 0);
    look();
    time_sleep_ms(50);
    assert_runs("shop-web-1", "one");
    assert_runs("keep-web-1", "a");
    assert_int_equal(rename(away, here), 0);
    put_web("shop/compose.yaml", "two");
    look();
    assert_runs("shop-web-1", "two");
}

static void of_two_projects_with_one_name_the_first_has_it(void **state)
{
    (void)state;
    put("a.yaml", "name: same\nservices: {web: {image: base, command: [one]}}\n");
    put("b.yaml", "name: same\nservices: {web: {image: base, command: [two]}}\n");
    look();
    assert_runs("same-web-1", "one");
    look();
    time_sleep_ms(50);
    assert_runs("same-web-1", "one");
    drop("a.yaml");
    look();
    assert_runs("same-web-1", "two");
}

static void a_renamed_project_is_another_one(void **state)
{
    (void)state;
    put_web("shop/compose.yaml", "one");
    look();
    assert_runs("shop-web-1", "one");
    move("shop", "store");
    look();
    assert_gone("shop");
    assert_runs("store-web-1", "one");
}

static void a_renamed_project_with_a_name_of_its_own_stays(void **state)
{
    cleanup_container struct container *before = NULL, *after = NULL;

    (void)state;
    put("shop/compose.yaml", "name: own\nservices: {web: {image: base, command: [one]}}\n");
    look();
    assert_runs("own-web-1", "one");
    assert_ok(containers_find(g, "own-web-1", &before, &e));
    move("shop", "store");
    look();
    time_sleep_ms(50);
    assert_runs("own-web-1", "one");
    assert_ok(containers_find(g, "own-web-1", &after, &e));
    assert_string_equal(after->id, before->id);
}

static void an_editors_save_is_seen_by_itself(void **state)
{
    (void)state;
    put_web("shop/compose.yaml", "one");
    assert_runs("shop-web-1", "one"); /* nobody looked: it was noticed */
    put_web("shop/.compose.yaml.swp", "two");
    move("shop/.compose.yaml.swp", "shop/compose.yaml");
    assert_runs("shop-web-1", "two");
}

static void a_directory_that_is_never_quiet_is_read_all_the_same(void **state)
{
    bool seen = false;

    (void)state;
    put_web("shop/compose.yaml", "one");
    look();
    assert_runs("shop-web-1", "one");
    put_web("shop/compose.yaml", "two");
    for (int i = 0; i < 120 && !seen; i++) { /* 6 s, without a pause that is long enough */
        cleanup_free char *now = command_of("shop-web-1");

        seen = strcmp(now, "two") == 0;
        put("shop/log", "noise\n");
        time_sleep_ms(50);
    }
    assert_true(seen);
}

static void a_linked_project_is_kept_while_its_link_leads_nowhere(void **state)
{
    cleanup_free char *link = at("shop"), *real = str_printf("%s/elsewhere", root),
                      *away = str_printf("%s/unmounted", root);

    (void)state;
    put_web("../elsewhere/compose.yaml", "one");
    put_web("keep/compose.yaml", "a");
    assert_int_equal(symlink(real, link), 0);
    look();
    assert_runs("shop-web-1", "one");
    assert_int_equal(rename(real, away), 0);
    look();
    time_sleep_ms(50);
    assert_says("shop", "InvalidFile");
    assert_runs("shop-web-1", "one");
    assert_int_equal(rename(away, real), 0);
    look();
    assert_says("shop", "\"ready\":true");
    assert_int_equal(unlink(link), 0);
    look();
    assert_gone("shop");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_project_a_change_and_its_end_are_followed),
        TEST(a_file_by_itself_is_a_project),
        TEST(a_broken_file_keeps_its_app_and_says_where),
        TEST(a_file_that_broke_while_the_agent_was_away_keeps_its_app),
        TEST(a_broken_newcomer_harms_nobody_of_its_name),
        TEST(an_empty_directory_removes_nothing),
        TEST(an_empty_directory_removes_everything_when_that_is_allowed),
        TEST(a_directory_that_is_not_there_removes_nothing),
        TEST(of_two_projects_with_one_name_the_first_has_it),
        TEST(a_renamed_project_is_another_one),
        TEST(a_renamed_project_with_a_name_of_its_own_stays),
        TEST(an_editors_save_is_seen_by_itself),
        TEST(a_directory_that_is_never_quiet_is_read_all_the_same),
        TEST(a_linked_project_is_kept_while_its_link_leads_nowhere),
    };
    return cmocka_run_group_tests_name("agent/directory", tests, NULL, NULL);
}
