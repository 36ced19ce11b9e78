#include <stdio.h>
#include <string.h>

#include "tests/unit/unit.h"
#include "tests/windows/tmpdir.h"

static void assert_text(const char *path, const char *want)
{
    cleanup_buf struct buf b = BUF_INIT(4096);

    assert_ok(fs_read(path, &b, &e));
    assert_string_equal(b.data, want);
}

static void a_file_is_replaced_whole(void **state)
{
    cleanup_tmpdir struct tmpdir t = tmpdir_new();
    cleanup_free char *path = tmpdir_at(&t, "f\xc3\xbcr.txt"); /* a name beyond ASCII */
    cleanup_strv struct strv names = {0};

    (void)state;
    assert_ok(fs_write_atomic(path, "old and long", 12, 0600, true, &e));
    assert_ok(fs_write_atomic(path, "new", 3, 0644, false, &e));
    assert_text(path, "new");
    assert_ok(fs_rewrite(path, "x", 1, 0644, &e));
    assert_text(path, "x");
    assert_ok(fs_list(t.path, &names, &e));
    assert_int_equal(names.n, 1);
    assert_string_equal(names.v[0], "f\xc3\xbcr.txt");
}

static void what_is_missing_is_not_found(void **state)
{
    cleanup_tmpdir struct tmpdir t = tmpdir_new();
    cleanup_free char *path = tmpdir_at(&t, "none"), *below = tmpdir_at(&t, "none/x"), *real = NULL;
    cleanup_buf struct buf b = BUF_INIT(4096);
    cleanup_strv struct strv names = {0};
    int64_t size;

    (void)state;
    assert_err(fs_read(path, &b, &e), ERR_NOT_FOUND);
    assert_err(fs_read(below, &b, &e), ERR_NOT_FOUND);
    assert_err(fs_list(path, &names, &e), ERR_NOT_FOUND);
    assert_err(fs_tree_size(path, &size, &e), ERR_NOT_FOUND);
    assert_err(fs_rename(path, below, &e), ERR_NOT_FOUND);
    assert_err(fs_real_path(path, &real, &e), ERR_NOT_FOUND);
    assert_ok(fs_remove(path, &e));
    assert_ok(fs_remove_all(path, &e));
}

/* Far beyond the 260 characters of the old limit. */
static void deep_trees_are_made_measured_and_removed(void **state)
{
    cleanup_tmpdir struct tmpdir t = tmpdir_new();
    cleanup_free char *top = tmpdir_at(&t, "top"), *deep = xstrdup(top), *file = NULL;
    int64_t size;

    (void)state;
    for (int i = 0; i < 40; i++) {
        char *next = str_printf("%s/a-rather-long-name-of-a-directory", deep);

        free(deep);
        deep = next;
    }
    assert_ok(fs_mkdir_p(deep, 0755, &e));
    assert_ok(fs_mkdir_p(deep, 0755, &e));
    file = str_printf("%s/file", deep);
    assert_ok(fs_write_atomic(file, "12345", 5, 0644, false, &e));
    assert_true(fs_is_dir(deep));
    assert_false(fs_is_dir(file));
    assert_ok(fs_tree_size(top, &size, &e));
    assert_int_equal(size, 5);
    assert_ok(fs_remove_all(top, &e));
    assert_false(fs_exists(top));
}

static void drives_are_never_removed(void **state)
{
    (void)state;
    assert_err(fs_remove_all("C:/", &e), ERR_INVALID);
    assert_err(fs_remove_all("C:\\", &e), ERR_INVALID);
    assert_err(fs_remove_all("C:/x/..", &e), ERR_INVALID);
    assert_err(fs_remove_all("", &e), ERR_INVALID);
}

static void a_real_path_has_slashes_and_no_prefix(void **state)
{
    cleanup_tmpdir struct tmpdir t = tmpdir_new();
    cleanup_free char *dots = tmpdir_at(&t, "x/.."), *real = NULL, *again = NULL;

    (void)state;
    assert_ok(fs_real_path(dots, &real, &e));
    assert_null(strchr(real, '\\'));
    assert_true(path_is_abs(real));
    assert_ok(fs_real_path(real, &again, &e));
    assert_string_equal(real, again);
}

static void the_disk_has_room(void **state)
{
    cleanup_tmpdir struct tmpdir t = tmpdir_new();
    int64_t free_bytes = 0, total = 0;

    (void)state;
    assert_ok(fs_disk_free(t.path, &free_bytes, &total, &e));
    assert_true(free_bytes > 0 && total >= free_bytes);
    assert_true(path_is_abs("C:/x"));
    assert_false(path_is_abs("x/C:"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_replaced_whole),
        cmocka_unit_test(what_is_missing_is_not_found),
        cmocka_unit_test(deep_trees_are_made_measured_and_removed),
        cmocka_unit_test(drives_are_never_removed),
        cmocka_unit_test(a_real_path_has_slashes_and_no_prefix),
        cmocka_unit_test(the_disk_has_room),
    };
    return cmocka_run_group_tests_name("base/win_fs", tests, NULL, NULL);
}
