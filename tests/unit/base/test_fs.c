#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/tmpdir.h"
#include "tests/unit/unit.h"

#include "base/fault.h"

static void write_text(const char *path, const char *text)
{
    assert_ok(fs_write_atomic(path, text, strlen(text), 0644, false, &e));
}

static void assert_text(const char *path, const char *want)
{
    cleanup_buf struct buf b = BUF_INIT(4096);

    assert_ok(fs_read(path, &b, &e));
    assert_string_equal(b.data, want);
}

static void a_file_is_replaced_whole_with_the_mode_asked_for(void **state)
{
    cleanup_tmpdir struct tmpdir t = tmpdir_new();
    cleanup_free char *path = tmpdir_at(&t, "file");
    cleanup_strv struct strv names = {0};
    struct stat st;

    (void)state;
    write_text(path, "old and long");
    assert_ok(fs_write_atomic(path, "new", 3, 0666, true, &e));
    assert_text(path, "new");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0666); /* whatever the umask */
    assert_ok(fs_list(t.path, &names, &e));
    assert_int_equal(names.n, 1);
}

#ifdef BALLAST_FAULTS
static void a_failed_write_leaves_the_old_file_and_nothing_else(void **state)
{
    static const char *const points[] = {"fs.write", "fs.rename"};
    cleanup_tmpdir struct tmpdir t = tmpdir_new();
    cleanup_free char *path = tmpdir_at(&t, "file");

    (void)state;
    write_text(path, "old");
    for (size_t i = 0; i < ARRAY_LEN(points); i++) {
        cleanup_strv struct strv names = {0};

        fault_set(points[i], 1, false);
        assert_err(fs_write_atomic(path, "new", 3, 0600, true, &e), ERR_IO);
        fault_set(NULL, 0, false);
        assert_text(path, "old");
        assert_ok(fs_list(t.path, &names, &e));
        assert_int_equal(names.n, 1);
    }
}
#endif

static void rewriting_keeps_the_inode(void **state)
{
    cleanup_tmpdir struct tmpdir t = tmpdir_new();
    cleanup_free char *path = tmpdir_at(&t, "hosts");
    struct stat before, after;

    (void)state;
    write_text(path, "a long first version");
    assert_int_equal(stat(path, &before), 0);
    assert_ok(fs_rewrite(path, "short", 5, 0644, &e));
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_text(path, "short");
}

static void what_is_missing_is_not_found_and_what_is_too_big_is_invalid(void **state)
{
    cleanup_tmpdir struct tmpdir t = tmpdir_new();
    cleanup_free char *path = tmpdir_at(&t, "file");
    cleanup_buf struct buf small = BUF_INIT(3);
    cleanup_strv struct strv names = {0};
    int64_t size;

    (void)state;
    assert_err(fs_read(path, &small, &e), ERR_NOT_FOUND);
    assert_err(fs_list(path, &names, &e), ERR_NOT_FOUND);
    assert_err(fs_tree_size(path, &size, &e), ERR_NOT_FOUND);
    assert_err(fs_rename(path, path, &e), ERR_NOT_FOUND);
    assert_ok(fs_remove(path, &e));
    assert_ok(fs_remove_all(path, &e));
    write_text(path, "1234");
    assert_err(fs_read(path, &small, &e), ERR_INVALID);
    assert_err(fs_list(path, &names, &e), ERR_IO);
    assert_err(fs_write_atomic("/nonexistent/x", "", 0, 0600, false, &e), ERR_NOT_FOUND);
}

static void directories_are_made_with_their_parents(void **state)
{
    cleanup_tmpdir struct tmpdir t = tmpdir_new();
    cleanup_free char *deep = tmpdir_at(&t, "a/b/c"), *file = tmpdir_at(&t, "file"),
                      *below = tmpdir_at(&t, "file/x");

    (void)state;
    assert_ok(fs_mkdir_p(deep, 0700, &e));
    assert_ok(fs_mkdir_p(deep, 0700, &e));
    assert_true(fs_is_dir(deep));
    write_text(file, "");
    assert_err(fs_mkdir_p(file, 0700, &e), ERR_IO);
    assert_err(fs_mkdir_p(below, 0700, &e), ERR_IO);
    assert_true(fs_exists(file));
    assert_false(fs_is_dir(file));
}

static void removing_a_tree_does_not_follow_links_out_of_it(void **state)
{
    cleanup_tmpdir struct tmpdir t = tmpdir_new();
    cleanup_free char *tree = tmpdir_at(&t, "tree"), *sub = tmpdir_at(&t, "tree/a/b"),
                      *link = tmpdir_at(&t, "tree/a/out"), *kept = tmpdir_at(&t, "kept"),
                      *inside = tmpdir_at(&t, "kept/file"), *top = tmpdir_at(&t, "toplink");

    (void)state;
    assert_ok(fs_mkdir_p(sub, 0755, &e));
    assert_ok(fs_mkdir_p(kept, 0755, &e));
    write_text(inside, "precious");
    assert_int_equal(symlink(kept, link), 0);
    assert_int_equal(symlink(kept, top), 0);
    assert_ok(fs_remove_all(tree, &e));
    assert_false(fs_exists(tree));
    assert_ok(fs_remove_all(top, &e));
    assert_false(fs_exists(top));
    assert_text(inside, "precious");
}

static void a_link_is_known_by_its_text_in_a_directory_that_is_none(void **state)
{
    cleanup_tmpdir struct tmpdir t = tmpdir_new();
    cleanup_free char *dir = tmpdir_at(&t, "etc"), *link = tmpdir_at(&t, "etc/mtab"),
                      *other = tmpdir_at(&t, "other");

    (void)state;
    assert_ok(fs_mkdir_p(dir, 0755, &e));
    assert_int_equal(symlink("/proc/mounts", link), 0);
    assert_int_equal(symlink(dir, other), 0);
    assert_true(fs_has_link(dir, "mtab", "/proc/mounts"));
    assert_false(fs_has_link(dir, "mtab", "/proc/mount"));
    assert_false(fs_has_link(dir, "mtab", "/proc/mounts/"));
    assert_false(fs_has_link(dir, "fstab", "/proc/mounts"));
    assert_false(fs_has_link(other, "mtab", "/proc/mounts"));
}

static void the_root_is_never_removed(void **state)
{
    (void)state;
    assert_err(fs_remove_all("/", &e), ERR_INVALID);
    assert_err(fs_remove_all("/tmp/..", &e), ERR_INVALID);
    assert_err(fs_remove_all("", &e), ERR_INVALID);
    assert_err(fs_remove_all(".", &e), ERR_INVALID);
    assert_err(fs_remove_all("../..", &e), ERR_INVALID);
}

/* Deeper than the walk's own limit, than PATH_MAX and than the number of descriptors. */
static void a_tree_of_any_depth_is_removed(void **state)
{
    enum { DEPTH = 3000 };
    cleanup_tmpdir struct tmpdir t = tmpdir_new();
    cleanup_free char *tree = tmpdir_at(&t, "tree");
    cleanup_fd int at = -1;

    (void)state;
    assert_ok(fs_mkdir_p(tree, 0755, &e));
    at = open(tree, O_PATH | O_DIRECTORY);
    for (int i = 0; i < DEPTH; i++) {
        int next;

        assert_int_equal(mkdirat(at, "d", 0755), 0);
        if (i % 100 == 0)
            assert_int_equal(mkdirat(at, "side", 0755), 0);
        next = openat(at, "d", O_PATH | O_DIRECTORY);
        assert_true(next >= 0);
        close(at);
        at = next;
    }
    assert_ok(fs_remove_all(tree, &e));
    assert_false(fs_exists(tree));
}

static void sizes_count_each_file_once(void **state)
{
    cleanup_tmpdir struct tmpdir t = tmpdir_new();
    cleanup_free char *dir = tmpdir_at(&t, "d"), *a = tmpdir_at(&t, "d/a"), *b = tmpdir_at(&t, "b"),
                      *c = tmpdir_at(&t, "d/link");
    int64_t size;

    (void)state;
    assert_ok(fs_mkdir_p(dir, 0755, &e));
    write_text(a, "12345");
    assert_int_equal(link(a, b), 0);
    assert_int_equal(symlink("/etc", c), 0);
    assert_ok(fs_tree_size(t.path, &size, &e));
    assert_int_equal(size, 5 + strlen("/etc"));
}

static void lists_are_sorted_and_without_dots(void **state)
{
    cleanup_tmpdir struct tmpdir t = tmpdir_new();
    cleanup_strv struct strv names = {0};
    static const char *const files[] = {"b", ".hidden", "a", "c"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        cleanup_free char *path = tmpdir_at(&t, files[i]);

        write_text(path, "");
    }
    assert_ok(fs_list(t.path, &names, &e));
    assert_int_equal(names.n, 4);
    assert_string_equal(names.v[0], ".hidden");
    assert_string_equal(names.v[3], "c");
}

static void paths_are_cleaned_by_text(void **state)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"",           "."      },
        {"/",          "/"      },
        {"//",         "/"      },
        {"/a/../b",    "/b"     },
        {"/../a",      "/a"     },
        {"/..",        "/"      },
        {"a//b/./c/",  "a/b/c"  },
        {"a/..",       "."      },
        {"../a/../..", "../.."  },
        {"./..a/b..",  "..a/b.."},
        {"a/../../b",  "../b"   },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        cleanup_free char *out = path_clean(cases[i].in);

        assert_string_equal(out, cases[i].out);
    }
}

static void paths_are_joined_and_taken_apart(void **state)
{
    cleanup_free char *a = path_join("/a/", "/b"), *b = path_join("", "b"), *c = path_join("a", ""),
                      *d = path_join("/a", "../../b"), *dir = path_dir("/a/b"),
                      *top = path_dir("/a"), *here = path_dir("a");

    (void)state;
    assert_string_equal(a, "/a/b");
    assert_string_equal(b, "b");
    assert_string_equal(c, "a");
    assert_string_equal(d, "/b");
    assert_string_equal(dir, "/a");
    assert_string_equal(top, "/");
    assert_string_equal(here, ".");
    assert_string_equal(path_base("/a/b"), "b");
    assert_string_equal(path_base("b"), "b");
    assert_true(path_is_abs("/a"));
    assert_false(path_is_abs("a"));
}

struct rooted {
    struct tmpdir t;
    int root;
};

/* <tmp>/root with etc/passwd, links of every kind; <tmp>/secret beside it. */
static struct rooted rooted_new(void)
{
    struct rooted r = {.t = tmpdir_new(), .root = -1};
    cleanup_free char *etc = tmpdir_at(&r.t, "root/etc"), *root = tmpdir_at(&r.t, "root"),
                      *secret = tmpdir_at(&r.t, "secret"),
                      *passwd = tmpdir_at(&r.t, "root/etc/passwd");

    assert_ok(fs_mkdir_p(etc, 0755, &e));
    write_text(passwd, "inside");
    write_text(secret, "secret");
    r.root = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(symlinkat("/etc/passwd", r.root, "abs"), 0);
    assert_int_equal(symlinkat("../../../../../../secret", r.root, "up"), 0);
    assert_int_equal(symlinkat("etc", r.root, "dirlink"), 0);
    assert_int_equal(symlinkat("/dirlink/../abs", r.root, "chain"), 0);
    assert_int_equal(symlinkat("loop", r.root, "loop"), 0);
    assert_int_equal(symlinkat("/etc/new", r.root, "dangling"), 0);
    return r;
}

static void rooted_release(struct rooted *r)
{
    fd_close(r->root);
    tmpdir_release(&r->t);
}

static void assert_opens(const struct rooted *r, const char *path)
{
    struct err e = ERR_INIT;
    cleanup_fd int fd = fs_open_in_root(r->root, path, O_RDONLY, 0, &e);
    char text[16] = "";

    if (fd < 0)
        fail_msg("%s", e.msg);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(read(fd, text, sizeof(text) - 1), 6);
    assert_string_equal(text, "inside");
}

static void assert_refused(const struct rooted *r, const char *path, int flags, int code)
{
    struct err e = ERR_INIT;
    cleanup_fd int fd = fs_open_in_root(r->root, path, flags, 0600, &e);

    assert_int_equal(fd, -1);
    assert_int_equal(e.os_code, code);
}

static void check_paths_in_root(void)
{
    CLEANUP(rooted_release) struct rooted r = rooted_new();
    cleanup_free char *created = tmpdir_at(&r.t, "root/etc/new"),
                      *direct = tmpdir_at(&r.t, "root/made");
    static const char *const good[] = {"etc/passwd",
                                       "/etc/passwd",
                                       "abs",
                                       "chain",
                                       "dirlink/passwd",
                                       "../../etc/passwd",
                                       "etc/../etc/./passwd",
                                       "dirlink/../dirlink//passwd"};
    struct err e = ERR_INIT;
    int fd;

    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_opens(&r, good[i]);
    assert_refused(&r, "up", O_RDONLY, ENOENT); /* its own root has no "secret" */
    assert_refused(&r, "loop", O_RDONLY, ELOOP);
    assert_refused(&r, "abs", O_RDONLY | O_NOFOLLOW, ELOOP);
    assert_refused(&r, "etc/passwd/x", O_RDONLY, ENOTDIR);
    assert_refused(&r, "none/x", O_RDONLY, ENOENT);
    assert_refused(&r, "etc/passwd", O_RDONLY | O_DIRECTORY, ENOTDIR);
    assert_refused(&r, "etc/passwd", O_WRONLY | O_CREAT | O_EXCL, EEXIST);
    assert_refused(&r, "dangling", O_WRONLY | O_CREAT | O_EXCL, EEXIST);
    fd = fs_open_in_root(r.root, "/", O_RDONLY | O_DIRECTORY, 0, &e);
    assert_true(fd >= 0);
    fd_close(fd);
    fd = fs_open_in_root(r.root, "etc/..", O_RDONLY | O_DIRECTORY, 0, &e);
    assert_true(fd >= 0);
    fd_close(fd);
    fd = fs_open_in_root(r.root, "made", O_WRONLY | O_CREAT, 0600, &e);
    assert_true(fd >= 0);
    fd_close(fd);
    assert_true(fs_exists(direct));
    fd = fs_open_in_root(r.root, "dangling", O_WRONLY | O_CREAT, 0600, &e);
    assert_true(fd >= 0);
    fd_close(fd);
    assert_true(fs_exists(created));
}

static void nothing_leads_out_of_a_root(void **state)
{
    (void)state;
    check_paths_in_root();
}

#ifdef BALLAST_FAULTS
static void nothing_leads_out_of_a_root_without_openat2(void **state)
{
    (void)state;
    fault_set_from("fs.openat2", 1);
    check_paths_in_root();
    fault_set(NULL, 0, false);
}

static void a_tree_is_removed_without_openat2(void **state)
{
    fault_set_from("fs.openat2", 1);
    removing_a_tree_does_not_follow_links_out_of_it(state);
    a_tree_of_any_depth_is_removed(state);
    fault_set(NULL, 0, false);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_replaced_whole_with_the_mode_asked_for),
        cmocka_unit_test(rewriting_keeps_the_inode),
        cmocka_unit_test(what_is_missing_is_not_found_and_what_is_too_big_is_invalid),
        cmocka_unit_test(directories_are_made_with_their_parents),
        cmocka_unit_test(removing_a_tree_does_not_follow_links_out_of_it),
        cmocka_unit_test(a_link_is_known_by_its_text_in_a_directory_that_is_none),
        cmocka_unit_test(the_root_is_never_removed),
        cmocka_unit_test(a_tree_of_any_depth_is_removed),
        cmocka_unit_test(sizes_count_each_file_once),
        cmocka_unit_test(lists_are_sorted_and_without_dots),
        cmocka_unit_test(paths_are_cleaned_by_text),
        cmocka_unit_test(paths_are_joined_and_taken_apart),
        cmocka_unit_test(nothing_leads_out_of_a_root),
#ifdef BALLAST_FAULTS
        cmocka_unit_test(a_failed_write_leaves_the_old_file_and_nothing_else),
        cmocka_unit_test(nothing_leads_out_of_a_root_without_openat2),
        cmocka_unit_test(a_tree_is_removed_without_openat2),
#endif
    };
    return cmocka_run_group_tests_name("base/fs", tests, NULL, NULL);
}
