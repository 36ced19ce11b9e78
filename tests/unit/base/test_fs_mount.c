/* What fs does about mounts: a program of its own, because it leaves its mount namespace. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "tests/unit/tmpdir.h"
#include "tests/unit/unit.h"

static bool have_mounts(void)
{
    return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

static void removing_a_tree_spares_what_is_mounted_in_it(void **state)
{
    cleanup_tmpdir struct tmpdir t = tmpdir_new();
    cleanup_free char *tree = tmpdir_at(&t, "tree"), *point = tmpdir_at(&t, "tree/sub/volume"),
                      *volume = tmpdir_at(&t, "volume"), *file = tmpdir_at(&t, "volume/data"),
                      *bound = tmpdir_at(&t, "tree/etc-hosts");
    const char *must_run = getenv("BALLAST_TESTS_MUST_RUN");

    (void)state;
    if (!have_mounts()) {
        assert_false(must_run && strstr(must_run, "mount"));
        skip();
    }
    assert_ok(fs_mkdir_p(point, 0755, &e));
    assert_ok(fs_mkdir_p(volume, 0755, &e));
    assert_ok(fs_write_atomic(file, "precious", 8, 0644, false, &e));
    assert_ok(fs_write_atomic(bound, "", 0, 0644, false, &e));
    /* The same file system: only the mount tells them apart. */
    assert_int_equal(mount(volume, point, NULL, MS_BIND, NULL), 0);
    assert_int_equal(mount(file, bound, NULL, MS_BIND, NULL), 0);
    assert_err(fs_remove_all(tree, &e), ERR_CONFLICT);
    assert_err(fs_remove_all(point, &e), ERR_CONFLICT);
    assert_true(fs_exists(file));

    assert_int_equal(umount2(bound, MNT_DETACH), 0);
    assert_err(fs_remove_all(tree, &e), ERR_CONFLICT);
    assert_true(fs_exists(file));
    assert_int_equal(umount2(point, MNT_DETACH), 0);
    assert_ok(fs_remove_all(tree, &e));
    assert_true(fs_exists(file));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(removing_a_tree_spares_what_is_mounted_in_it),
    };
    return cmocka_run_group_tests_name("base/fs_mount", tests, NULL, NULL);
}
