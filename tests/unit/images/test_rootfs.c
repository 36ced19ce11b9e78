/* What a container's root would be is told without making it; what images share is counted. */
#include "tests/unit/images/shop.h"

static void describing_a_root_makes_nothing_and_says_what_will_be(void **state)
{
    struct shop s = shop_new("overlay2");
    struct rootfs told, made;
    struct strv ids = {0};
    struct sample sample;

    (void)state;
    shop_stock(&s, &sample, "2", "shop:1");
    assert_ok(images_rootfs_describe(s.im, sample.config_digest, "c1", &told, &e));
    assert_false(fs_exists(told.upper));
    assert_ok(images_rootfs_list(s.im, &ids, &e));
    assert_int_equal(ids.n, 0);
    assert_ok(images_rootfs_ensure(s.im, sample.config_digest, "c1", &made, &e));
    assert_string_equal(told.upper, made.upper);
    assert_string_equal(told.work, made.work);
    assert_int_equal(told.lower.n, made.lower.n);
    rootfs_release(&told);
    rootfs_release(&made);
    /* With a root of its own it needs no image. */
    assert_ok(images_rootfs_describe(s.im, "sha256:none", "c1", &told, &e));
    rootfs_release(&told);
    assert_err(images_rootfs_describe(s.im, "sha256:none", "c2", &told, &e), ERR_NOT_FOUND);
    assert_err(images_rootfs_describe(s.im, sample.config_digest, "../c2", &told, &e), ERR_INVALID);
    strv_release(&ids);
    sample_release(&sample);
    shop_release(&s);
}

static void what_images_have_in_common_is_counted_for_each(void **state)
{
    struct shop s = shop_new("overlay2");
    struct image_list all = {0};
    struct sample one, two;
    int64_t shared[4];

    (void)state;
    shop_stock(&s, &one, "2", "shop:1");
    images_list(s.im, &all);
    images_shared_sizes(s.im, &all, shared);
    assert_int_equal(shared[0], 0);
    image_list_release(&all);
    shop_stock(&s, &two, "3", "shop:2"); /* the same base, another top */
    images_list(s.im, &all);
    assert_int_equal(all.n, 2);
    images_shared_sizes(s.im, &all, shared);
    assert_int_equal(shared[0], shared[1]);
    assert_true(shared[0] > 0 && shared[0] < all.v[0]->size);
    image_list_release(&all);
    sample_release(&one);
    sample_release(&two);
    shop_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(describing_a_root_makes_nothing_and_says_what_will_be),
        cmocka_unit_test(what_images_have_in_common_is_counted_for_each),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
