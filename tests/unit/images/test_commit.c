/* A container's writable layer as an image: what it holds, what it is made of, what a crash leaves.
 */
#include <errno.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/fault.h"
#include "images/diff.h"
#include "tests/unit/images/shop.h"

static const char *const drivers[] = {"overlay2", "vfs"};

/* A container "c1" of the sample, whose files a test changes as the container would. */
struct box {
    struct shop s;
    struct sample sample;
    struct rootfs r;
};

static struct box box_new(const char *driver)
{
    struct box b = {.s = shop_new(driver)};

    shop_stock(&b.s, &b.sample, "2", "shop:1");
    assert_ok(images_rootfs_ensure(b.s.im, b.sample.config_digest, "c1", &b.r, &e));
    return b;
}

static void box_release(struct box *b)
{
    rootfs_release(&b->r);
    sample_release(&b->sample);
    shop_release(&b->s);
}

static void write_file(const struct box *b, const char *name, const char *text)
{
    cleanup_free char *path = path_join(b->r.upper, name), *parent = path_dir(path);

    assert_ok(fs_mkdir_p(parent, 0755, &e));
    assert_ok(fs_write_atomic(path, text, strlen(text), 0644, false, &e));
}

/* What a container does by removing the file. */
static void remove_file(const struct box *b, const char *name)
{
    cleanup_free char *path = path_join(b->r.upper, name), *parent = path_dir(path);

    assert_ok(fs_mkdir_p(parent, 0755, &e));
    if (b->r.overlay)
        assert_int_equal(mknod(path, S_IFCHR, 0), 0);
    else
        assert_int_equal(unlink(path), 0);
}

static int commit(struct box *b, const char *repo, struct image **out, struct err *e)
{
    cleanup_spec struct container_spec *config = container_spec_new();
    const struct image_commit rq = {
        .container_id = "c1",
        .image_id = b->sample.config_digest,
        .repo = repo,
        .comment = "why",
        .author = "me",
        .created_by = "sh -c x",
        .config = config,
        .container_config = config,
    };

    strv_add(&config->cmd, "run");
    config->cmd_set = true;
    return images_commit(b->s.im, &rq, NULL, out, e);
}

static void assert_changes(struct box *b, const char *want)
{
    cleanup_buf struct buf got = BUF_INIT(65536);
    struct tree_changes c;

    assert_ok(images_changes(b->s.im, b->sample.config_digest, "c1", 0, &c, NULL, &e));
    for (size_t i = 0; i < c.n; i++)
        buf_addf(&got, "%s%c%s", i ? " " : "", "MAD"[c.v[i].kind], c.v[i].path);
    assert_string_equal(got.data, want);
    tree_changes_release(&c);
}

static void changes_are_what_the_writable_layer_says(void **state)
{
    (void)state;
    for (size_t d = 0; d < ARRAY_LEN(drivers); d++) {
        struct box b = box_new(drivers[d]);

        assert_changes(&b, "");
        write_file(&b, "new/deep/file", "x");
        remove_file(&b, "etc/two");
        write_file(&b, "etc/hosts", ""); /* where the engine mounts its own */
        write_file(&b, "etc/other", "y");
        assert_changes(&b, d ? "M/etc A/etc/other D/etc/two A/new A/new/deep A/new/deep/file"
                             : "M/etc A/etc/other D/etc/two A/new A/new/deep A/new/deep/file");
        box_release(&b);
    }
}

static void places_of_the_engines_mounts_are_no_change(void **state)
{
    (void)state;
    for (size_t d = 0; d < ARRAY_LEN(drivers); d++) {
        static const char *const there[] = {".dockerenv",  "proc",      "sys",
                                            "dev/console", "etc/hosts", "etc/mtab"};
        struct box b = box_new(drivers[d]);
        struct image *img = NULL;

        for (size_t i = 0; i < ARRAY_LEN(there); i++) {
            cleanup_free char *path = path_join(b.r.upper, there[i]);
            struct stat st;

            assert_int_equal(lstat(path, &st), 0);
        }
        assert_changes(&b, "");
        assert_ok(commit(&b, "same", &img, &e));
        assert_int_equal(img->diff_ids.n, 2);
        assert_true(img->history[2].empty_layer);
        image_unref(img);
        write_file(&b, "etc/hosts", "written before anything was mounted over it");
        assert_changes(&b, "M/etc A/etc/hosts");
        box_release(&b);
    }
}

static void an_opaque_directory_hides_what_was_below(void **state)
{
    struct box b = box_new("overlay2");
    cleanup_free char *etc = path_join(b.r.upper, "etc"), *layer = NULL;
    struct image *img = NULL;
    char value;

    (void)state;
    write_file(&b, "etc/mine", "m");
    if (setxattr(etc, "trusted.overlay.opaque", "y", 1, 0))
        skip();
    assert_changes(&b, "M/etc A/etc/mine");
    assert_ok(commit(&b, "opaque", &img, &e));
    layer = str_printf("%s/layers/overlay2/%s/diff/etc", b.s.root, digest_hex(img->chain_ids.v[2]));
    assert_int_equal(getxattr(layer, "trusted.overlay.opaque", &value, 1), 1);
    image_unref(img);
    box_release(&b);
}

static void a_committed_image_has_its_parents_layers_and_its_own(void **state)
{
    (void)state;
    for (size_t d = 0; d < ARRAY_LEN(drivers); d++) {
        struct box b = box_new(drivers[d]);
        struct image *img = NULL, *again = NULL;
        struct buf saved = TAR_INIT;
        cleanup_strv struct strv loaded = {0};
        struct rootfs r;

        write_file(&b, "new", "n");
        remove_file(&b, "etc/two");
        assert_ok(commit(&b, "mine:v1", &img, &e));
        assert_int_equal(img->diff_ids.n, 3);
        assert_string_equal(img->diff_ids.v[0], b.sample.layer_digests[0]);
        assert_string_equal(img->parent, b.sample.config_digest);
        assert_string_equal(img->repo_tags.v[0], "mine:v1");
        assert_string_equal(img->author, "me");
        assert_string_equal(img->config->cmd.v[0], "run");
        assert_int_equal(img->n_history, 3);
        assert_string_equal(img->history[0].created_by, "a");
        assert_string_equal(img->history[2].created_by, "sh -c x");
        assert_string_equal(img->history[2].comment, "why");
        assert_ok(images_rootfs_ensure(b.s.im, img->id, "c2", &r, &e));
        if (!r.overlay) {
            cleanup_free char *two = path_join(r.upper, "etc/two"), *n = path_join(r.upper, "new");

            assert_true(!fs_exists(two) && fs_exists(n));
        }
        rootfs_release(&r);
        assert_ok(shop_save(&b.s, "mine:v1", &saved, &e));
        shop_reopen(&b.s);
        assert_ok(images_find(b.s.im, "mine:v1", &again, &e));
        assert_string_equal(again->id, img->id);
        assert_ok(shop_load(&b.s, &saved, &loaded, &e));
        assert_string_equal(loaded.v[0], "mine:v1");
        image_unref(again);
        image_unref(img);
        buf_release(&saved);
        box_release(&b);
    }
}

static void the_parent_may_be_gone(void **state)
{
    struct box b = box_new("overlay2");
    struct image_removal gone = {0};
    struct image *img = NULL;

    (void)state;
    write_file(&b, "new", "n");
    assert_ok(images_remove(b.s.im, "shop:1", true, false, NULL, NULL, &gone, &e));
    image_removal_release(&gone);
    assert_ok(commit(&b, "orphan", &img, &e));
    assert_int_equal(img->diff_ids.n, 3);
    assert_string_equal(img->parent, "");
    assert_int_equal(img->n_history, 1);
    image_unref(img);
    box_release(&b);
}

static void a_commit_that_fails_leaves_nothing(void **state)
{
    static const char *const points[] = {"content.create", "content.write", "content.commit",
                                         "layer.write",    "layer.commit",  "images.commit"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(points); i++) {
        struct box b = box_new("overlay2");
        size_t blobs = shop_blobs(&b.s), layers = shop_layers(&b.s);
        struct image *img = NULL;
        struct err e = ERR_INIT;

        write_file(&b, "new", "n");
        fault_set(points[i], 1, false);
        assert_int_equal(commit(&b, "mine", &img, &e), -1);
        assert_int_equal(shop_blobs(&b.s), blobs);
        assert_int_equal(shop_layers(&b.s), layers);
        fault_set(NULL, 0, false);
        assert_ok(commit(&b, "mine", &img, &e));
        image_unref(img);
        box_release(&b);
    }
}

static void names_are_checked(void **state)
{
    static const struct {
        const char *repo, *tag, *ref, *error;
    } rows[] = {
        {"a",   "",    "docker.io/library/a:latest", NULL                },
        {"a",   "b",   "docker.io/library/a:b",      NULL                },
        {"a:b", "c",   "docker.io/library/a:c",      NULL                },
        {"",    "x",   NULL,                         NULL                },
        {"a",   "b c", NULL,                         "invalid tag format"},
        {"a",   ".b",  NULL,                         "invalid tag format"},
        {"A",   "",    NULL,
         "invalid reference format: repository name "
         "(library/A) must be lowercase"                                 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *ref = NULL;
        struct err e = ERR_INIT;

        if (images_commit_name(rows[i].repo, rows[i].tag, &ref, &e))
            assert_string_equal(e.msg, rows[i].error);
        else if (rows[i].ref)
            assert_string_equal(ref, rows[i].ref);
        else
            assert_null(ref);
        free(ref);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_are_what_the_writable_layer_says),
        cmocka_unit_test(places_of_the_engines_mounts_are_no_change),
        cmocka_unit_test(an_opaque_directory_hides_what_was_below),
        cmocka_unit_test(a_committed_image_has_its_parents_layers_and_its_own),
        cmocka_unit_test(the_parent_may_be_gone),
        cmocka_unit_test(a_commit_that_fails_leaves_nothing),
        cmocka_unit_test(names_are_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
