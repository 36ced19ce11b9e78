#include "tests/unit/state/state_test.h"

static int see_image(void *arg, const struct image_record *r, struct err *e)
{
    (void)e;
    assert_string_equal(r->id, "sha256:aa");
    assert_string_equal(r->parent, "");
    assert_int_equal(r->created_ns, 5);
    assert_string_equal(r->manifest_digest, "sha256:bb");
    assert_int_equal(r->manifest_size, 500);
    assert_int_equal(r->size, INT64_MAX);
    assert_int_equal(r->layer_blobs.n, 2);
    assert_string_equal(r->layer_blobs.v[1], "sha256:dd");
    ++*(int *)arg;
    return 0;
}

static void an_image_comes_back_whole(void **arg)
{
    struct place *p = *arg;
    struct image_record r = {.id = xstrdup("sha256:aa"),
                             .created_ns = 5,
                             .manifest_digest = xstrdup("sha256:bb"),
                             .manifest_size = 500,
                             .size = INT64_MAX};
    int n = 0;

    strv_add(&r.layer_blobs, "sha256:cc");
    strv_add(&r.layer_blobs, "sha256:dd");
    assert_ok(state_image_put(p->st, &r, &e));
    assert_ok(state_image_put(p->st, &r, &e));
    place_reopen(p);
    assert_ok(state_image_each(p->st, see_image, &n, &e));
    assert_int_equal(n, 1);
    assert_ok(state_image_delete(p->st, "sha256:aa", &e));
    assert_ok(state_image_each(p->st, see_image, &n, &e));
    assert_int_equal(n, 1);
    image_record_release(&r);
}

static int see_ref(void *arg, const char *ref, const char *id, int64_t tagged_ns, struct err *e)
{
    struct strv *lines = arg;

    (void)e;
    strv_addf(lines, "%s %s %lld", ref, id, (long long)tagged_ns);
    return 0;
}

static void a_name_can_be_moved_to_another_image(void **arg)
{
    struct place *p = *arg;
    cleanup_strv struct strv lines = {0};

    assert_ok(state_image_ref_put(p->st, "docker.io/library/b:latest", "sha256:1", 1, &e));
    assert_ok(state_image_ref_put(p->st, "docker.io/library/a:latest", "sha256:1", 2, &e));
    assert_ok(state_image_ref_put(p->st, "docker.io/library/b:latest", "sha256:2", 3, &e));
    assert_ok(state_image_ref_each(p->st, see_ref, &lines, &e));
    assert_int_equal(lines.n, 2);
    assert_string_equal(lines.v[0], "docker.io/library/a:latest sha256:1 2");
    assert_string_equal(lines.v[1], "docker.io/library/b:latest sha256:2 3");
    assert_ok(state_image_ref_delete(p->st, "docker.io/library/a:latest", &e));
    strv_release(&lines);
    assert_ok(state_image_ref_each(p->st, see_ref, &lines, &e));
    assert_int_equal(lines.n, 1);
}

static int see_layer(void *arg, const struct layer_record *r, struct err *e)
{
    struct strv *lines = arg;

    (void)e;
    strv_addf(lines, "%s %s %s %lld", r->chain_id, r->diff_id, r->blob, (long long)r->size);
    return 0;
}

static void a_layer_comes_back_whole(void **arg)
{
    struct place *p = *arg;
    cleanup_strv struct strv lines = {0};
    struct layer_record r = {
        .chain_id = xstrdup("sha256:1"), .diff_id = xstrdup("sha256:2"), .size = 10};

    assert_ok(state_layer_put(p->st, &r, &e));
    assert_ok(state_layer_put(p->st, &r, &e));
    place_reopen(p);
    assert_ok(state_layer_each(p->st, see_layer, &lines, &e));
    assert_int_equal(lines.n, 1);
    assert_string_equal(lines.v[0], "sha256:1 sha256:2  10");
    assert_ok(state_layer_delete(p->st, "sha256:1", &e));
    strv_release(&lines);
    assert_ok(state_layer_each(p->st, see_layer, &lines, &e));
    assert_int_equal(lines.n, 0);
    layer_record_release(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLACE_TEST(an_image_comes_back_whole),
        PLACE_TEST(a_name_can_be_moved_to_another_image),
        PLACE_TEST(a_layer_comes_back_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
