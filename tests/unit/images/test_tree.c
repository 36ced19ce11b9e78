/* Trees as tars and back, paths, and differences; with somebody who exchanges things meanwhile. */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>

#include "base/cancel.h"
#include "base/fault.h"
#include "base/sync.h"
#include "images/diff.h"
#include "images/layer_apply.h"
#include "images/tree_path.h"
#include "images/tree_tar.h"
#include "tests/unit/images/make_tar.h"
#include "tests/unit/tmpdir.h"
#include "tests/unit/unit.h"

static struct tmpdir dir;
static char *root;
static int root_fd;

static int begin(void **state)
{
    (void)state;
    dir = tmpdir_new();
    root = tmpdir_at(&dir, "root");
    if (mkdir(root, 0755))
        return -1;
    root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return root_fd < 0;
}

static int end(void **state)
{
    (void)state;
    close(root_fd);
    free(root);
    tmpdir_release(&dir);
    return 0;
}

static void make_dir(const char *name)
{
    assert_int_equal(mkdirat(root_fd, name, 0755), 0);
}

static void put_file(const char *name, const char *text)
{
    cleanup_fd int fd = openat(root_fd, name, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0644);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

/* ------------------------------------------------------------ as a tar */

static int to_buf(void *arg, const void *bytes, size_t n, struct err *e)
{
    (void)e;
    buf_add(arg, bytes, n);
    return 0;
}

struct listing {
    struct strv names; /* of directories with a slash; "a -> b" links, "a == b" hard links */
    struct buf tar;
};

static void list(struct listing *l, const struct tree_tar_opts *o, const char *base,
                 const char *name)
{
    struct tree_tar_opts opts = *o;
    cleanup_tree_tar struct tree_tar *t = NULL;
    struct mem_reader m;
    cleanup_tar_reader struct tar_reader *r = NULL;
    const struct tar_entry *entry;

    *l = (struct listing){.tar = TAR_INIT};
    opts.write = to_buf;
    opts.arg = &l->tar;
    t = tree_tar_new(&opts);
    if (base)
        assert_ok(tree_tar_add(t, root_fd, base, name, &e));
    else
        assert_ok(tree_tar_add_below(t, root_fd, &e));
    assert_ok(tree_tar_end(t, &e));
    m = (struct mem_reader){l->tar.data, l->tar.len, 0};
    r = tar_reader_new(mem_read_fn, &m);
    for (;;) {
        assert_ok(tar_next(r, &entry, &e));
        if (!entry)
            return;
        strv_addf(&l->names, "%s%s%s", entry->name,
                  entry->type == TAR_SYMLINK    ? " -> "
                  : entry->type == TAR_HARDLINK ? " == "
                                                : "",
                  entry->link);
    }
}

static void listing_release(struct listing *l)
{
    strv_release(&l->names);
    buf_release(&l->tar);
}

static void assert_names(const struct listing *l, const char *want)
{
    cleanup_free char *got = str_join((const char *const *)l->names.v, l->names.n, " ");

    assert_string_equal(got, want);
}

static void make_socket(const char *name)
{
    cleanup_free char *path = path_join(root, name);
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    cleanup_fd int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    str_copy(at.sun_path, sizeof(at.sun_path), path);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
}

static void a_tree_of_all_kinds_becomes_a_tar_and_nothing_blocks(void **state)
{
    static const struct tree_tar_opts plain = {0};
    struct listing l;

    (void)state;
    make_dir("d");
    make_dir("d/sub");
    put_file("d/sub/b", "bb");
    put_file("d/a", "aa");
    assert_int_equal(linkat(root_fd, "d/a", root_fd, "d/hard", 0), 0);
    assert_int_equal(symlinkat("../../..", root_fd, "d/up"), 0);
    assert_int_equal(mkfifoat(root_fd, "d/pipe", 0600), 0); /* nobody writes into it */
    assert_int_equal(mknodat(root_fd, "d/null", S_IFCHR | 0600, makedev(1, 3)), 0);
    make_socket("d/socket");
    list(&l, &plain, "d", "name");
    assert_names(&l, "name/ name/a name/hard == name/a name/null name/pipe name/sub/ name/sub/b "
                     "name/up -> ../../..");
    listing_release(&l);
    list(&l, &plain, "d", "/");
    assert_names(&l, "/ /a /hard == /a /null /pipe /sub/ /sub/b /up -> ../../..");
    listing_release(&l);
    list(&l, &plain, NULL, NULL);
    assert_string_equal(l.names.v[0], "d/");
    listing_release(&l);
    list(&l, &plain, "d/up", "up");
    assert_names(&l, "up -> ../../..");
    listing_release(&l);
}

static void owners_attributes_and_long_names_survive_the_way_there_and_back(void **state)
{
    static const struct tree_tar_opts plain = {0};
    const struct tar_apply_opts back = {.where = "/"};
    cleanup_free char *out = tmpdir_at(&dir, "out"), *deep = NULL, *name = xmalloc(251);
    struct listing l;
    struct mem_reader m;
    struct stat st;
    char value[8];
    int fd;

    (void)state;
    memset(name, 'n', 250);
    name[250] = '\0';
    make_dir("d");
    put_file("d/f", "x");
    assert_int_equal(fchownat(root_fd, "d/f", 3000000, 7, 0), 0);
    assert_int_equal(fchmodat(root_fd, "d/f", 06755, 0), 0);
    deep = str_printf("d/%s", name);
    put_file(deep, "deep");
    free(deep);
    deep = str_printf("%s/d/f", root);
    assert_int_equal(setxattr(deep, "user.zero", "a\0b", 3, 0), 0);
    list(&l, &plain, NULL, NULL);
    assert_int_equal(mkdir(out, 0755), 0);
    fd = open(out, O_PATH | O_DIRECTORY | O_CLOEXEC);
    m = (struct mem_reader){l.tar.data, l.tar.len, 0};
    assert_ok(tar_apply(fd, mem_read_fn, &m, &back, &e));
    assert_int_equal(fstatat(fd, "d/f", &st, 0), 0);
    assert_int_equal(st.st_uid, 3000000);
    assert_int_equal(st.st_gid, 7);
    assert_int_equal(st.st_mode & 07777, 06755);
    free(deep);
    deep = str_printf("%s/d/f", out);
    assert_int_equal(getxattr(deep, "user.zero", value, sizeof(value)), 3);
    free(deep);
    deep = str_printf("d/%s", name);
    assert_int_equal(fstatat(fd, deep, &st, 0), 0);
    close(fd);
    listing_release(&l);
}

static void the_upper_directory_of_an_overlay_becomes_a_layer(void **state)
{
    static const struct tree_tar_opts layer = {.layer = true};
    cleanup_free char *path = NULL;
    struct listing l;

    (void)state;
    make_dir("d");
    make_dir("d/opaque");
    path = path_join(root, "d/opaque");
    if (setxattr(path, "trusted.overlay.opaque", "y", 1, 0))
        skip();
    assert_int_equal(mknodat(root_fd, "d/gone", S_IFCHR, 0), 0);
    list(&l, &layer, NULL, NULL);
    assert_names(&l, "d/ d/.wh.gone d/opaque/ d/opaque/.wh..wh..opq");
    listing_release(&l);
}

static void too_many_levels_are_an_error_and_not_the_end(void **state)
{
    struct tree_tar_opts o = {.write = to_buf};
    struct buf tar = TAR_INIT;
    struct err e = ERR_INIT;
    struct tree_tar *t;
    int at = fcntl(root_fd, F_DUPFD_CLOEXEC, 0);

    (void)state;
    for (int i = 0; i < TREE_DEPTH_MAX + 10; i++) {
        int next;

        assert_int_equal(mkdirat(at, "x", 0755), 0);
        next = openat(at, "x", O_PATH | O_CLOEXEC);
        close(at);
        at = next;
    }
    close(at);
    o.arg = &tar;
    t = tree_tar_new(&o);
    assert_int_equal(tree_tar_add_below(t, root_fd, &e), -1);
    assert_non_null(strstr(e.msg, "levels"));
    tree_tar_free(t);
    buf_release(&tar);
}

/* ------------------------------------------------------------ paths */

static void modes_are_those_of_go(void **state)
{
    (void)state;
    assert_int_equal(tree_mode_go(S_IFDIR | 01777), 1U << 31 | 1U << 20 | 0777);
    assert_int_equal(tree_mode_go(S_IFREG | 06755), 1U << 23 | 1U << 22 | 0755);
    assert_int_equal(tree_mode_go(S_IFCHR | 0600), 1U << 26 | 1U << 21 | 0600);
    assert_int_equal(tree_mode_go(S_IFBLK | 0600), 1U << 26 | 0600);
    assert_int_equal(tree_mode_go(S_IFSOCK | 0600), 1U << 24 | 0600);
}

static void a_path_becomes_absolute_and_keeps_its_end(void **state)
{
    static const char *const rows[][2] = {
        {"a",          "/a"  },
        {"/a/",        "/a/" },
        {"/a/.",       "/a/."},
        {"..//a/../b", "/b"  },
        {".",          "/."  },
        {"/",          "/"   },
        {"/a/..",      "/"   },
        {"a/./",       "/a/" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cleanup_free char *abs = tree_path_absolute(rows[i][0]);

        assert_string_equal(abs, rows[i][1]);
    }
}

static void paths_stay_below_the_root_with_and_without_openat2(void **state)
{
    static const char *const out[] = {"/abs/secret", "/rel/secret", "/../secret", "/magic/secret"};

    (void)state;
    for (int round = 0; round < 2; round++) {
        cleanup_free char *secret = tmpdir_at(&dir, "secret");
        struct tree_stat st;

        if (round)
            fault_set_from("fs.openat2", 1);
        else {
            cleanup_free char *abs = xstrdup(dir.path);

            assert_ok(fs_write_atomic(secret, "s", 1, 0600, false, &e));
            assert_int_equal(symlinkat(abs, root_fd, "abs"), 0);
            assert_int_equal(symlinkat("../..", root_fd, "rel"), 0);
            assert_int_equal(symlinkat("/proc/self/root", root_fd, "magic"), 0);
            make_dir("real");
            put_file("real/f", "text");
            assert_int_equal(symlinkat("/real", root_fd, "link"), 0);
        }
        for (size_t i = 0; i < ARRAY_LEN(out); i++) {
            struct err e = ERR_INIT;

            assert_int_equal(tree_path_stat(root_fd, out[i], &st, &e), -1);
            assert_int_equal(e.kind, ERR_NOT_FOUND);
        }
        assert_ok(tree_path_stat(root_fd, "/link", &st, &e));
        assert_string_equal(st.link_target, "/real");
        tree_stat_release(&st);
        assert_ok(tree_path_stat(root_fd, "/link/", &st, &e));
        assert_true(st.mode & 1U << 31);
        assert_string_equal(st.name, "link");
        tree_stat_release(&st);
        assert_ok(tree_path_stat(root_fd, "link/f", &st, &e));
        assert_int_equal(st.size, 4);
        tree_stat_release(&st);
        fault_set(NULL, 0, false);
    }
}

static void the_kernels_file_systems_are_not_the_containers_files(void **state)
{
    cleanup_fd int host = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct tree_stat st;
    struct err e = ERR_INIT;

    (void)state;
    if (access("/proc/version", F_OK))
        skip();
    assert_int_equal(tree_path_stat(host, "/proc/version", &st, &e), -1);
    assert_int_equal(e.kind, ERR_NOT_FOUND);
    /* It was a file of the container when it was looked at. */
    {
        const struct tree_stat was = {.name = (char *)"version", .link_target = (char *)""};
        struct buf out = BUF_INIT(1 << 20);
        const struct tree_tar_opts o = {.write = to_buf, .arg = &out};
        struct tree_tar *t = tree_tar_new(&o);

        assert_int_equal(tree_path_pack(t, host, "/proc/version", &was, &e), -1);
        assert_int_equal(e.kind, ERR_NOT_FOUND);
        assert_true(tree_tar_empty(t));
        tree_tar_free(t);
        buf_release(&out);
    }
}

/* ------------------------------------------------------------ into a directory */

static int apply(const struct buf *tar, const struct tar_apply_opts *o, struct err *e)
{
    struct mem_reader m = {tar->data, tar->len, 0};

    return tar_apply(root_fd, mem_read_fn, &m, o, e);
}

static void kinds_are_kept_when_asked(void **state)
{
    const struct tar_apply_opts keep = {.where = "/x", .keep_kinds = true}, free_ = {.where = "/x"};
    struct buf file = TAR_INIT, tree = TAR_INIT;
    struct err e = ERR_INIT;
    struct stat st;

    (void)state;
    tar_add(&file, (struct tar_spec){.name = "d", .data = "file"});
    tar_end(&file);
    tar_add(&tree, (struct tar_spec){.name = "f/"});
    tar_end(&tree);
    make_dir("d");
    put_file("d/in", "in");
    put_file("f", "f");
    assert_int_equal(apply(&file, &keep, &e), -1);
    assert_string_equal(e.msg, "cannot overwrite directory \"d\" with non-directory \"/x\"");
    assert_int_equal(apply(&tree, &keep, &e), -1);
    assert_string_equal(e.msg, "cannot overwrite non-directory \"f\" with directory \"/x\"");
    assert_ok(apply(&file, &free_, &e));
    assert_ok(apply(&tree, &free_, &e));
    assert_int_equal(fstatat(root_fd, "d", &st, 0), 0);
    assert_true(S_ISREG(st.st_mode));
    buf_release(&file);
    buf_release(&tree);
}

static void all_belongs_to_one_user_when_asked_and_the_directory_stays_as_it_is(void **state)
{
    const struct tar_apply_opts o = {.where = "/", .own = true, .uid = 5, .gid = 6, .id_base = 100};
    struct buf tar = TAR_INIT;
    struct stat st;

    (void)state;
    tar_add(&tar, (struct tar_spec){.name = "./", .mode = 0700, .uid = 9});
    tar_add(&tar, (struct tar_spec){.name = "./.wh.x", .data = "", .uid = 1});
    tar_end(&tar);
    assert_ok(apply(&tar, &o, &e));
    assert_int_equal(fstatat(root_fd, ".wh.x", &st, 0), 0);
    assert_int_equal(st.st_uid, 105);
    assert_int_equal(st.st_gid, 106);
    assert_int_equal(fstat(root_fd, &st), 0);
    assert_int_equal(st.st_uid, geteuid());
    assert_int_equal(st.st_mode & 07777, 0755);
    buf_release(&tar);
}

/* Nobody in the container's user namespace could use what the host's root owns there. */
static void directories_on_the_way_belong_to_the_containers_root(void **state)
{
    const struct tar_apply_opts o = {.where = "/", .id_base = 100};
    struct buf tar = TAR_INIT;
    struct stat st;

    (void)state;
    make_dir("there");
    tar_add(&tar, (struct tar_spec){.name = "there/a/b/file", .data = "x", .uid = 1});
    tar_end(&tar);
    assert_ok(apply(&tar, &o, &e));
    assert_int_equal(fstatat(root_fd, "there/a/b", &st, 0), 0);
    assert_int_equal(st.st_uid, 100);
    assert_int_equal(st.st_gid, 100);
    assert_int_equal(fstatat(root_fd, "there/a", &st, 0), 0);
    assert_int_equal(st.st_uid, 100);
    assert_int_equal(fstatat(root_fd, "there", &st, 0), 0);
    assert_int_equal(st.st_uid, geteuid());
    buf_release(&tar);
}

/* Exchanges what is made for links that lead out, as fast as it can. */
struct exchanger {
    struct thread thread;
    _Atomic bool stop;
};

static void exchange(void *arg)
{
    struct exchanger *x = arg;

    while (!x->stop) {
        cleanup_fd int d = openat(root_fd, "d", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        (void)syscall(SYS_renameat2, root_fd, "d", root_fd, "out", 2 /* RENAME_EXCHANGE */);
        (void)syscall(SYS_renameat2, d, "e", root_fd, "out2", 2);
        (void)syscall(SYS_renameat2, d, "f", root_fd, "out3", 2);
    }
}

static void what_is_exchanged_meanwhile_does_not_lead_out(void **state)
{
    const struct tar_apply_opts o = {.where = "/"};
    cleanup_free char *outside = tmpdir_at(&dir, "outside"), *secret = NULL, *sub = NULL;
    struct exchanger x = {0};
    struct buf tar = TAR_INIT, read = BUF_INIT(64 << 20);
    struct tree_tar_opts to = {.write = to_buf, .arg = &read};
    struct stat st, before;

    (void)state;
    secret = path_join(outside, "f");
    sub = path_join(outside, "e");
    assert_ok(fs_mkdir_p(sub, 0700, &e));
    assert_ok(fs_write_atomic(secret, "SECRET", 6, 0600, false, &e));
    assert_int_equal(stat(secret, &before), 0);
    make_dir("d");
    for (int i = 0; i < 3; i++) {
        static const char *const names[] = {"out", "out2", "out3"};

        assert_int_equal(symlinkat(i == 2 ? secret : outside, root_fd, names[i]), 0);
    }
    tar_add(&tar, (struct tar_spec){.name = "d/", .mode = 0777, .uid = 1});
    tar_add(&tar, (struct tar_spec){.name = "d/e/", .mode = 0777, .uid = 1});
    tar_add(&tar, (struct tar_spec){.name = "d/f", .data = "NEW", .mode = 04777, .uid = 1});
    tar_add(&tar, (struct tar_spec){.name = "d/e/f", .data = "NEW", .mode = 04777, .uid = 1});
    tar_add(&tar, (struct tar_spec){.name = "d/h", .type = '1', .link = "d/f"});
    tar_end(&tar);
    assert_ok(thread_start(&x.thread, "exchange", exchange, &x, &e));
    for (int i = 0; i < 500; i++) {
        struct tree_tar *t = tree_tar_new(&to);
        struct err why = ERR_INIT;

        (void)!apply(&tar, &o, &why); /* it may fail; it must not lead out */
        (void)!tree_tar_add_below(t, root_fd, &why);
        tree_tar_free(t);
        assert_null(memmem(read.data, read.len, "SECRET", 6));
        buf_reset(&read);
    }
    x.stop = true;
    thread_join(&x.thread);
    assert_int_equal(stat(secret, &st), 0);
    assert_int_equal(st.st_mode, before.st_mode);
    assert_int_equal(st.st_uid, before.st_uid);
    assert_int_equal(st.st_nlink, 1);
    assert_int_equal(st.st_size, 6);
    assert_int_equal(stat(sub, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(st.st_uid, geteuid());
    buf_release(&tar);
    buf_release(&read);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_tree_of_all_kinds_becomes_a_tar_and_nothing_blocks, begin,
                                        end),
        cmocka_unit_test_setup_teardown(
            owners_attributes_and_long_names_survive_the_way_there_and_back, begin, end),
        cmocka_unit_test_setup_teardown(the_upper_directory_of_an_overlay_becomes_a_layer, begin,
                                        end),
        cmocka_unit_test_setup_teardown(too_many_levels_are_an_error_and_not_the_end, begin, end),
        cmocka_unit_test(modes_are_those_of_go),
        cmocka_unit_test(a_path_becomes_absolute_and_keeps_its_end),
        cmocka_unit_test_setup_teardown(paths_stay_below_the_root_with_and_without_openat2, begin,
                                        end),
        cmocka_unit_test(the_kernels_file_systems_are_not_the_containers_files),
        cmocka_unit_test_setup_teardown(kinds_are_kept_when_asked, begin, end),
        cmocka_unit_test_setup_teardown(
            all_belongs_to_one_user_when_asked_and_the_directory_stays_as_it_is, begin, end),
        cmocka_unit_test_setup_teardown(directories_on_the_way_belong_to_the_containers_root, begin,
                                        end),
        cmocka_unit_test_setup_teardown(what_is_exchanged_meanwhile_does_not_lead_out, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
