#include "tests/unit/state/state_test.h"

static struct app_record record(void)
{
    return (struct app_record){.name = xstrdup("shop"),
                               .source = xstrdup("directory:apps"),
                               .observed_revision = xstrdup("r1"),
                               .applied_revision = xstrdup(""),
                               .suspended = true,
                               .conditions = xstrdup("{}")};
}

static int keep_app(void *arg, const struct app_record *r, struct err *e)
{
    (void)e;
    assert_string_equal(r->name, "shop");
    assert_string_equal(r->source, "directory:apps");
    assert_string_equal(r->observed_revision, "r1");
    assert_string_equal(r->applied_revision, "");
    assert_true(r->suspended);
    assert_false(r->absent);
    assert_string_equal(r->conditions, "{}");
    ++*(int *)arg;
    return 0;
}

static void an_app_comes_back_whole(void **arg)
{
    struct place *p = *arg;
    struct app_record r = record();
    int n = 0;

    assert_ok(state_app_put(p->st, &r, &e));
    assert_ok(state_app_put(p->st, &r, &e));
    place_reopen(p);
    assert_ok(state_app_each(p->st, keep_app, &n, &e));
    assert_int_equal(n, 1);
    app_record_release(&r);
}

static void put_revision(struct state *st, const char *revision, enum app_revision_state s)
{
    cleanup_app struct app *a = app_new();

    str_set(&a->name, "shop");
    str_set(&a->revision, revision);
    strv_add(&a->files, "/a/compose.yaml");
    a->services = xcalloc(1, sizeof(*a->services));
    a->n_services = 1;
    a->services[0].name = xstrdup("web");
    a->services[0].spec = container_spec_new();
    str_set(&a->services[0].spec->image, "nginx");
    assert_ok(state_revision_put(st, a, s, &e));
}

static void a_revision_comes_back_whole(void **arg)
{
    struct place *p = *arg;
    cleanup_app struct app *a = NULL, *none = (struct app *)1;

    put_revision(p->st, "r1", REVISION_NEW);
    place_reopen(p);
    assert_ok(state_revision_get(p->st, "shop", "r1", &a, &e));
    assert_string_equal(a->name, "shop");
    assert_string_equal(a->files.v[0], "/a/compose.yaml");
    assert_string_equal(a->services[0].spec->image, "nginx");
    assert_ok(state_revision_get(p->st, "shop", "r2", &none, &e));
    assert_null(none);
}

struct seen {
    char text[1000];
    int n;
};

static int see(void *arg, const char *revision, enum app_revision_state s, int64_t created_ns,
               struct err *e)
{
    struct seen *seen = arg;
    size_t at = strlen(seen->text);

    (void)e;
    assert_true(created_ns > 0);
    snprintf(seen->text + at, sizeof(seen->text) - at, "%s:%d ", revision, s);
    seen->n++;
    return 0;
}

static void revisions_are_told_newest_first_with_their_state(void **arg)
{
    struct place *p = *arg;
    struct seen seen = {0};

    put_revision(p->st, "r1", REVISION_NEW);
    put_revision(p->st, "r2", REVISION_NEW);
    put_revision(p->st, "r1", REVISION_GOOD);
    assert_ok(state_revision_each(p->st, "shop", see, &seen, &e));
    assert_string_equal(seen.text, "r2:0 r1:2 ");
}

static void old_revisions_go_but_not_the_ones_in_use(void **arg)
{
    struct place *p = *arg;
    struct app_record r = record();
    struct seen seen = {0};

    put_revision(p->st, "r1", REVISION_GOOD);
    assert_ok(state_app_put(p->st, &r, &e));
    for (int i = 2; i < 40; i++) {
        cleanup_free char *revision = str_printf("r%d", i);

        put_revision(p->st, revision, REVISION_NEW);
    }
    assert_ok(state_revision_each(p->st, "shop", see, &seen, &e));
    assert_int_equal(seen.n, 17);
    assert_non_null(strstr(seen.text, "r1:2 "));
    assert_non_null(strstr(seen.text, "r24:"));
    assert_null(strstr(seen.text, "r23:"));
    app_record_release(&r);
}

static void a_deleted_app_takes_its_revisions_along(void **arg)
{
    struct place *p = *arg;
    struct app_record r = record();
    struct seen seen = {0};
    int n = 0;

    assert_ok(state_app_put(p->st, &r, &e));
    put_revision(p->st, "r1", REVISION_GOOD);
    assert_ok(state_app_delete(p->st, "shop", &e));
    assert_ok(state_app_each(p->st, keep_app, &n, &e));
    assert_ok(state_revision_each(p->st, "shop", see, &seen, &e));
    assert_int_equal(n + seen.n, 0);
    app_record_release(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLACE_TEST(an_app_comes_back_whole),
        PLACE_TEST(a_revision_comes_back_whole),
        PLACE_TEST(revisions_are_told_newest_first_with_their_state),
        PLACE_TEST(old_revisions_go_but_not_the_ones_in_use),
        PLACE_TEST(a_deleted_app_takes_its_revisions_along),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
