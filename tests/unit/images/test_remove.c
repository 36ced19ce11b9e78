/* Docker's rules of untag and delete. */
#include "tests/unit/images/shop.h"

struct users {
    const char *image, *container;
    bool running;
};

static char *in_use(void *arg, const char *id, bool *running)
{
    const struct users *u = arg;

    *running = u->running;
    return str_eq(u->image, id) ? xstrdup(u->container) : NULL;
}

/* "U name, D sha256:12..." in one line, to compare with. */
static char *report_text(const struct image_removal *r)
{
    cleanup_buf struct buf b = BUF_INIT(65536);

    for (size_t i = 0; i < r->n; i++)
        buf_addf(&b, "%s%s %s", i ? ", " : "", r->v[i].deleted ? "D" : "U", r->v[i].what);
    return buf_take(&b);
}

static void assert_removes(struct shop *s, const char *ref, bool force, const char *want)
{
    struct image_removal r;

    assert_ok(images_remove(s->im, ref, force, false, NULL, NULL, &r, &e));
    cleanup_free char *text = report_text(&r);
    assert_string_equal(text, want);
    image_removal_release(&r);
}

static void assert_conflict(struct shop *s, const char *ref, bool force, struct users *u,
                            const char *want)
{
    struct image_removal r;
    struct err e = ERR_INIT;

    assert_int_equal(images_remove(s->im, ref, force, false, in_use, u, &r, &e), -1);
    assert_int_equal(e.kind, ERR_CONFLICT);
    assert_string_equal(e.msg, want);
}

static void the_last_tag_takes_the_image_with_it(void **state)
{
    struct shop s = shop_new(NULL);
    struct sample one, two;
    char chain[DIGEST_TEXT_MAX];

    (void)state;
    shop_stock(&s, &one, "one", "shop:1");
    shop_stock(&s, &two, "two", "shop:2");
    assert_ok(images_tag(s.im, "shop:1", "other", "9", &e));
    assert_removes(&s, "other:9", false, "U other:9");
    cleanup_free char *both = str_printf("%s %s", one.layer_digests[0], one.layer_digests[1]);
    digest_of(both, strlen(both), chain);
    /* The lower layer is the other image's as well. */
    cleanup_free char *want = str_printf("U shop:1, D %s, D %s", one.config_digest, chain);
    assert_removes(&s, "shop:1", false, want);
    assert_int_equal(shop_layers(&s), 2);
    assert_int_equal(shop_blobs(&s), 4);
    struct image_removal r;
    assert_err(images_remove(s.im, "shop:1", false, false, NULL, NULL, &r, &e), ERR_NOT_FOUND);
    shop_reopen(&s);
    assert_err(images_remove(s.im, "shop:1", false, false, NULL, NULL, &r, &e), ERR_NOT_FOUND);
    assert_ok(images_remove(s.im, two.config_digest, false, false, NULL, NULL, &r, &e));
    assert_int_equal(r.n, 4);
    image_removal_release(&r);
    assert_int_equal(shop_layers(&s), 0);
    assert_int_equal(shop_blobs(&s), 0);
    sample_release(&one);
    sample_release(&two);
    shop_release(&s);
}

static void a_container_holds_its_image(void **state)
{
    struct shop s = shop_new(NULL);
    struct sample one;
    struct users u = {.container = "abcdefabcdefabcdef"};
    char short_id[13];

    (void)state;
    shop_stock(&s, &one, "one", "shop:1");
    u.image = one.config_digest;
    str_copy(short_id, sizeof(short_id), digest_hex(one.config_digest));
    cleanup_free char *by_name = str_printf(
        "conflict: unable to remove repository reference \"shop:1\" (must force) - container "
        "abcdefabcdef is using its referenced image %s",
        short_id);
    assert_conflict(&s, "shop:1", false, &u, by_name);
    cleanup_free char *stopped = str_printf("conflict: unable to delete %s (must be forced) - "
                                            "image is being used by stopped container abcdefabcdef",
                                            short_id);
    assert_conflict(&s, one.config_digest, false, &u, stopped);
    u.running = true;
    cleanup_free char *running = str_printf("conflict: unable to delete %s (cannot be forced) - "
                                            "image is being used by running container abcdefabcdef",
                                            short_id);
    assert_conflict(&s, short_id, true, &u, running);
    assert_conflict(&s, one.config_digest, false, &u, running);
    /* By name and with force the name goes, the image stays. */
    struct image_removal r;
    assert_ok(images_remove(s.im, "shop:1", true, false, in_use, &u, &r, &e));
    cleanup_free char *text = report_text(&r);
    assert_string_equal(text, "U shop:1");
    image_removal_release(&r);
    struct image *img;
    assert_ok(images_find(s.im, one.config_digest, &img, &e));
    image_unref(img);
    sample_release(&one);
    shop_release(&s);
}

static void a_forced_removal_leaves_the_stopped_container_its_layers(void **state)
{
    struct shop s = shop_new("overlay2");
    struct sample one;
    struct users u = {.container = "c1"};
    struct image_removal r;
    struct rootfs root;

    (void)state;
    shop_stock(&s, &one, "one", "shop:1");
    u.image = one.config_digest;
    assert_ok(images_rootfs_ensure(s.im, one.config_digest, "c1", &root, &e));
    rootfs_release(&root);
    assert_ok(images_remove(s.im, "shop:1", true, false, in_use, &u, &r, &e));
    image_removal_release(&r);
    assert_int_equal(shop_layers(&s), 2);
    shop_reopen(&s); /* the database knows no image now, and the layers are needed all the same */
    assert_int_equal(shop_layers(&s), 2);
    assert_ok(images_rootfs_ensure(s.im, one.config_digest, "c1", &root, &e));
    rootfs_release(&root);
    assert_ok(images_rootfs_remove(s.im, "c1", &e));
    assert_int_equal(shop_layers(&s), 0);
    sample_release(&one);
    shop_release(&s);
}

static void an_id_with_names_in_two_repositories_must_be_forced(void **state)
{
    struct shop s = shop_new(NULL);
    struct sample one;
    struct users u = {.image = "none"};

    (void)state;
    shop_stock(&s, &one, "one", "shop:1");
    assert_ok(images_tag(s.im, "shop:1", "other", "1", &e));
    cleanup_free char *want =
        str_printf("conflict: unable to delete %.12s (must be forced) - image is referenced in "
                   "multiple repositories",
                   digest_hex(one.config_digest));
    assert_conflict(&s, one.config_digest, false, &u, want);
    struct image_removal r;
    assert_ok(images_remove(s.im, one.config_digest, true, false, NULL, NULL, &r, &e));
    assert_string_equal(r.v[0].what, "other:1");
    assert_string_equal(r.v[1].what, "shop:1");
    assert_true(r.v[2].deleted);
    assert_string_equal(r.image_id, one.config_digest);
    image_removal_release(&r);
    assert_int_equal(shop_blobs(&s), 0);
    sample_release(&one);
    shop_release(&s);
}

static void an_image_with_children_stays_and_its_parent_follows_the_last_child(void **state)
{
    struct shop s = shop_new(NULL);
    struct sample one, two;
    struct users u = {.image = "none"};

    (void)state;
    shop_stock(&s, &one, "one", "shop:1");
    shop_stock(&s, &two, "two", "shop:2");
    /* What a build records. */
    shop_close(&s);
    assert_ok(state_open(s.db, &s.st, &e));
    struct image_record rec = {.id = two.config_digest,
                               .parent = one.config_digest,
                               .manifest_digest = two.manifest_digest,
                               .manifest_media_type = (char[]){"x"},
                               .size = 1};
    assert_ok(state_image_put(s.st, &rec, &e));
    state_close(s.st);
    assert_ok(shop_try_open(&s, NULL, &e));
    cleanup_free char *want = str_printf("conflict: unable to delete %.12s (cannot be forced) - "
                                         "image has dependent child images",
                                         digest_hex(one.config_digest));
    assert_conflict(&s, one.config_digest, true, &u, want);
    assert_removes(&s, "shop:1", false, "U shop:1");
    struct image_removal r;
    assert_ok(images_remove(s.im, "shop:2", false, false, NULL, NULL, &r, &e));
    size_t deleted = 0;
    for (size_t i = 0; i < r.n; i++)
        deleted += r.v[i].deleted && (str_eq(r.v[i].what, one.config_digest) ||
                                      str_eq(r.v[i].what, two.config_digest));
    assert_int_equal(deleted, 2);
    image_removal_release(&r);
    sample_release(&one);
    sample_release(&two);
    shop_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_tag_takes_the_image_with_it),
        cmocka_unit_test(a_container_holds_its_image),
        cmocka_unit_test(a_forced_removal_leaves_the_stopped_container_its_layers),
        cmocka_unit_test(an_id_with_names_in_two_repositories_must_be_forced),
        cmocka_unit_test(an_image_with_children_stays_and_its_parent_follows_the_last_child),
    };

    setenv("TMPDIR", "/dev/shm", 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
