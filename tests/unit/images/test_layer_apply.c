#include "images/layer_apply.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/fault.h"
#include "base/process.h"
#include "tests/unit/images/make_tar.h"
#include "tests/unit/tmpdir.h"
#include "tests/unit/unit.h"

/* <tmp>/root is where layers go; <tmp>/outside/secret must never change. */
struct place {
    struct tmpdir dir;
    char *root, *secret;
};

static struct place place_new(void)
{
    struct place p = {.dir = tmpdir_new()};
    cleanup_free char *outside = tmpdir_at(&p.dir, "outside");

    p.root = tmpdir_at(&p.dir, "root");
    p.secret = tmpdir_at(&p.dir, "outside/secret");
    assert_ok(fs_mkdir_p(p.root, 0755, &e));
    assert_ok(fs_mkdir_p(outside, 0755, &e));
    assert_ok(fs_write_atomic(p.secret, "secret", 6, 0600, false, &e));
    return p;
}

static void place_release(struct place *p)
{
    free(p->root);
    free(p->secret);
    tmpdir_release(&p->dir);
}

static void assert_outside_is_untouched(const struct place *p, const char *what)
{
    cleanup_strv struct strv top = {0}, outside = {0};
    cleanup_free char *dir = tmpdir_at(&p->dir, "outside");
    struct buf text = TAR_INIT;
    struct stat st;

    assert_ok(fs_list(p->dir.path, &top, &e));
    assert_ok(fs_list(dir, &outside, &e));
    assert_ok(fs_read(p->secret, &text, &e));
    assert_int_equal(stat(p->secret, &st), 0);
    if (top.n != 2 || outside.n != 1 || !str_eq(text.data, "secret") ||
        (st.st_mode & 07777) != 0600 || st.st_nlink != 1 || st.st_uid != geteuid())
        fail_msg("%s: something outside of the layer has changed", what);
    buf_release(&text);
}

static int apply(const struct place *p, const struct buf *tar, enum whiteout_form form,
                 int64_t *size, struct err *e)
{
    struct mem_reader r = {tar->data, tar->len, 0};
    int fd = open(p->root, O_RDONLY | O_DIRECTORY);
    int rc;

    assert_true(fd >= 0);
    rc = layer_apply(fd, mem_read_fn, &r, form, size, e);
    close(fd);
    return rc;
}

static bool look(const struct place *p, const char *name, struct stat *st)
{
    cleanup_free char *path = path_join(p->root, name);

    return lstat(path, st) == 0;
}

static bool exists(const struct place *p, const char *name)
{
    struct stat st;

    return look(p, name, &st);
}

static void assert_file(const struct place *p, const char *name, const char *want)
{
    cleanup_free char *path = path_join(p->root, name);
    struct buf text = TAR_INIT;

    assert_ok(fs_read(path, &text, &e));
    assert_string_equal(text.data, want);
    buf_release(&text);
}

/* ---- what must not be possible */

#define CASE_ENTRIES 6
struct hostile {
    const char *what;
    bool refused; /* else: it is taken, and stays inside */
    struct tar_spec entries[CASE_ENTRIES];
};

static const struct hostile corpus[] = {
    {"dotdot",                                    true,  {{.name = "../evil", .data = "x"}}                                                        },
    {"dotdot in the middle",                      true,  {{.name = "a/../../evil", .data = "x"}}                                                   },
    {"dotdot to the secret",                      true,  {{.name = "../outside/secret", .data = "x"}}                                              },
    {"dotdot that stays inside",                  false, {{.name = "a/../b", .data = "x"}}                                                         },
    {"dotdot directory",                          true,  {{.name = "../evil/"}}                                                                    },
    {"only dotdot",                               true,  {{.name = ".."}}                                                                          },
    {"only dotdot, directory",                    true,  {{.name = "../"}}                                                                         },
    {"absolute",                                  false, {{.name = "/tmp/ballast-evil", .data = "x"}}                                              },
    {"absolute with dotdot",                      true,  {{.name = "/../evil", .data = "x"}}                                                       },
    {"many slashes",                              false, {{.name = "////a////b", .data = "x"}}                                                     },
    {"dots",                                      false, {{.name = "./././a", .data = "x"}}                                                        },
    {"the root as a file",                        true,  {{.name = "./", .type = '0', .data = "x"}}                                                },
    {"the root as a link",                        true,  {{.name = ".", .type = '2', .link = "/"}}                                                 },
    {"an empty name",                             true,  {{.name = "", .type = '0', .data = "x"}}                                                  },
    {"link out, file through it",
     false,                                              {{.name = "l", .type = '2', .link = "../outside"}, {.name = "l/secret", .data = "x"}}     },
    {"absolute link out, file through it",
     false,                                              {{.name = "l", .type = '2', .link = "/var/tmp"}, {.name = "l/ballast-evil", .data = "x"}} },
    {"link out, directory through it",
     false,                                              {{.name = "l", .type = '2', .link = "../outside"}, {.name = "l/evil/"}}                   },
    {"link to dotdot chain",
     false,                                              {{.name = "a/b/"},
      {.name = "a/b/l", .type = '2', .link = "../../../../../../../.."},
      {.name = "a/b/l/evil", .data = "x"}}                                                                                              },
    {"link to a link out",
     false,                                              {{.name = "a", .type = '2', .link = "b"},
      {.name = "b", .type = '2', .link = "/../outside"},
      {.name = "a/evil", .data = "x"}}                                                                                                  },
    {"links in a circle",
     true,                                               {{.name = "a", .type = '2', .link = "b"},
      {.name = "b", .type = '2', .link = "a"},
      {.name = "a/x", .data = "x"}}                                                                                                      },
    {"a link to itself",
     true,                                               {{.name = "a", .type = '2', .link = "a"}, {.name = "a/x", .data = "x"}}                   },
    {"link replaced while it is used",
     false,                                              {{.name = "d/"},
      {.name = "d/x", .data = "1"},
      {.name = "d", .type = '2', .link = "../outside"},
      {.name = "d/secret", .data = "x"}}                                                                                                },
    {"file over a link to the secret",
     false,                                              {{.name = "s", .type = '2', .link = "../outside/secret"}, {.name = "s", .data = "x"}}     },
    {"directory over a link out",
     false,                                              {{.name = "s", .type = '2', .link = "../outside"},
      {.name = "s/", .mode = 0777, .mtime = 1},
      {.name = "s/secret", .data = "x"}}                                                                                                },
    {"hard link to the secret by dotdot",
     true,                                               {{.name = "h", .type = '1', .link = "../outside/secret"}}                                 },
    {"hard link to an absolute path",             true,  {{.name = "h", .type = '1', .link = "/etc/passwd"}}                                       },
    {"hard link through a link out",
     true,                                               {{.name = "l", .type = '2', .link = "../outside"},
      {.name = "h", .type = '1', .link = "l/secret"}}                                                                                    },
    {"hard link to a link, then written through",
     false,                                              {{.name = "l", .type = '2', .link = "../outside/secret"},
      {.name = "h", .type = '1', .link = "l"},
      {.name = "h", .data = "x"}}                                                                                                       },
    {"hard link to a directory",                  true,  {{.name = "d/"}, {.name = "h", .type = '1', .link = "d"}}                                 },
    {"hard link to the root",                     true,  {{.name = "h", .type = '1', .link = "."}}                                                 },
    {"hard link to nothing",                      true,  {{.name = "h", .type = '1', .link = ""}}                                                  },
    {"hard link to what is not there",            true,  {{.name = "h", .type = '1', .link = "none"}}                                              },
    {"hard link to itself",
     true,                                               {{.name = "h", .data = "x"}, {.name = "h", .type = '1', .link = "h"}}                     },
    {"whiteout of dotdot",                        true,  {{.name = "a/.wh..."}}                                                                    },
    {"whiteout of dot",                           true,  {{.name = "a/.wh.."}}                                                                     },
    {"whiteout of nothing",                       true,  {{.name = "a/.wh."}}                                                                      },
    {"whiteout through dotdot",                   true,  {{.name = "../.wh.outside"}}                                                              },
    {"whiteout through a link out",
     false,                                              {{.name = "l", .type = '2', .link = "../outside"}, {.name = "l/.wh.secret"}}              },
    {"opaque through a link out",
     false,                                              {{.name = "l", .type = '2', .link = "../outside"}, {.name = "l/.wh..wh..opq"}}            },
    {"opaque through dotdot",                     true,  {{.name = "../outside/.wh..wh..opq"}}                                                     },
    {"whiteout of a link out, then a file",
     false,                                              {{.name = "l", .type = '2', .link = "../outside"},
      {.name = ".wh.l"},
      {.name = "l/secret", .data = "x"}}                                                                                                },
    {"aufs leftovers",                            false, {{.name = ".wh..wh.plnk/"}, {.name = ".wh..wh.aufs", .data = ""}}                         },
    {"owner above 2^31",                          true,  {{.name = "x", .pax = "uid=2147483648\n"}}                                                },
    {"group above 2^31",                          true,  {{.name = "x", .pax = "gid=4294967295\n"}}                                                },
    {"owner below zero",                          true,  {{.name = "x", .pax = "uid=-1\n"}}                                                        },
    {"device number out of range",                true,  {{.name = "n", .type = '3', .dev_major = 4096}}                                           },
    {"a file as a directory",                     true,  {{.name = "f", .data = "x"}, {.name = "f/x", .data = "x"}}                                },
    {"a device as a directory",
     true,                                               {{.name = "n", .type = '3', .dev_major = 1, .dev_minor = 3}, {.name = "n/x", .data = "x"}}},
    {"a fifo, then a file over it",
     false,                                              {{.name = "p", .type = '6'}, {.name = "p", .data = "x"}}                                  },
    {"overlay attributes",
     false,                                              {{.name = "d/",
       .pax = "SCHILY.xattr.trusted.overlay.redirect=/outside\n"
              "SCHILY.xattr.trusted.overlay.opaque=y\n"
              "SCHILY.xattr.user.overlay.metacopy=\n"}}                                                                                 },
    {"an attribute of no name space",             false, {{.name = "x", .pax = "SCHILY.xattr.evil=1\n"}}                                           },
    {"bad UTF-8 in a name",                       false, {{.name = "a\xff\xfe/b\xc0\x80", .data = "x"}}                                            },
    {"control characters in a name",              false, {{.name = "a\n\x1b[31m", .data = "x"}}                                                    },
    {"file, directory, link, file of one name",
     false,                                              {{.name = "x", .data = "1"},
      {.name = "x/"},
      {.name = "x/y", .data = "2"},
      {.name = "x", .type = '2', .link = "z"},
      {.name = "x", .data = "3"}}                                                                                                       },
    {"size without data",                         true,  {{.name = "x", .claim_size = 1000000}}                                                    },
    {"a directory that claims a size",
     false,                                              {{.name = "d/", .claim_size = 512}, {.name = "e", .data = "x"}}                           },
    {"setuid outside by way of a link",
     false,                                              {{.name = "l", .type = '2', .link = "../outside/secret", .mode = 06777, .uid = 5}}        },
    {"attributes of a link out",
     false,                                              {{.name = "l",
       .type = '2',
       .link = "../outside/secret",
       .pax = "SCHILY.xattr.trusted.evil=1\nmtime=1\n"}}                                                                                },
    {"sparse to the end of the world",
     true,                                               {{.name = "x",
       .data = "1",
       .pax = "GNU.sparse.size=9000000000000000000\n"
              "GNU.sparse.map=8999999999999999990,1\n"}}                                                                                 },
};

static void nothing_hostile_reaches_outside(void **state)
{
    (void)state;
    for (size_t form = 0; form < 2; form++)
        for (size_t i = 0; i < ARRAY_LEN(corpus); i++) {
            const struct hostile *h = &corpus[i];
            struct place p = place_new();
            struct buf tar = TAR_INIT;
            struct err e = ERR_INIT;
            int rc;

            for (size_t k = 0; k < CASE_ENTRIES && h->entries[k].name; k++)
                tar_add(&tar, h->entries[k]);
            tar_end(&tar);
            rc = apply(&p, &tar, form ? WHITEOUT_FLAT : WHITEOUT_OVERLAY, NULL, &e);
            if (h->refused && rc == 0)
                fail_msg("%s: was taken", h->what);
            if (!h->refused && rc != 0)
                fail_msg("%s: %s", h->what, e.msg);
            assert_outside_is_untouched(&p, h->what);
            assert_false(fs_exists("/tmp/ballast-evil") || fs_exists("/var/tmp/ballast-evil"));
            buf_release(&tar);
            place_release(&p);
        }
}

static void names_that_are_too_long_are_refused(void **state)
{
    struct place p = place_new();
    struct buf tar = TAR_INIT, pax = BUF_INIT(1 << 20);

    (void)state;
    buf_addf(&pax, "path=");
    for (int i = 0; i < 3000; i++)
        buf_add(&pax, "d/", 2);
    buf_addf(&pax, "x\n");
    tar_add(&tar, (struct tar_spec){.name = "x", .pax = pax.data});
    tar_end(&tar);
    assert_err(apply(&p, &tar, WHITEOUT_OVERLAY, NULL, &e), ERR_INVALID);
    buf_release(&pax);
    buf_release(&tar);
    place_release(&p);
}

/* Links make paths deeper than any name is: d1/.../d1000/l -> back to a deep place, and so on. */
static void depth_has_an_end_even_with_links(void **state)
{
    struct place p = place_new();
    struct buf tar = TAR_INIT, deep = BUF_INIT(1 << 20);

    (void)state;
    for (int i = 0; i < 1000; i++)
        buf_add(&deep, "d/", 2);
    for (int i = 0; i < 4; i++) {
        cleanup_free char *dir = str_printf("path=%s%s\n", i ? "l/" : "", deep.data);
        cleanup_free char *link = str_printf("linkpath=%s%s\n", i ? "l/" : "", deep.data);

        tar_add(&tar, (struct tar_spec){.name = "x/", .pax = dir});
        tar_add(&tar, (struct tar_spec){.name = i % 2 ? "k" : "l", .type = '2', .pax = link});
    }
    tar_end(&tar);
    assert_err(apply(&p, &tar, WHITEOUT_OVERLAY, NULL, &e), ERR_INVALID);
    buf_release(&deep);
    buf_release(&tar);
    place_release(&p);
}

/* ---- what must be right */

static void attributes_are_kept(void **state)
{
    struct place p = place_new();
    struct buf tar = TAR_INIT;
    struct stat st;
    char value[64];
    int64_t size;

    (void)state;
    tar_add(&tar, (struct tar_spec){.name = "./", .mode = 0711, .uid = 3, .mtime = 50});
    tar_add(&tar, (struct tar_spec){.name = "d/", .mode = 02750, .uid = 1, .gid = 2, .mtime = 100});
    tar_add(&tar, (struct tar_spec){.name = "d/f",
                                    .mode = 06755,
                                    .uid = 1000,
                                    .gid = 1001,
                                    .data = "12345",
                                    .pax = "mtime=1234567890.123456789\n"
                                           "SCHILY.xattr.trusted.t=v\n"});
    tar_add(&tar, (struct tar_spec){
                      .name = "d/l", .type = '2', .link = "/any/where", .uid = 7, .mtime = 9});
    tar_add(&tar, (struct tar_spec){.name = "d/h", .type = '1', .link = "d/f"});
    tar_add(&tar, (struct tar_spec){.name = "null",
                                    .type = '3',
                                    .mode = 0666,
                                    .dev_major = 1,
                                    .dev_minor = 3,
                                    .mtime = 77});
    tar_add(&tar, (struct tar_spec){.name = "fifo", .type = '6', .mode = 0600});
    tar_add(&tar, (struct tar_spec){.name = "a/b/c", .data = "implied"});
    tar_end(&tar);
    assert_ok(apply(&p, &tar, WHITEOUT_OVERLAY, &size, &e));
    assert_int_equal(size, 12 + strlen("/any/where"));
    assert_true(look(&p, "d/f", &st));
    assert_int_equal(st.st_mode, S_IFREG | 06755);
    assert_int_equal(st.st_uid, 1000);
    assert_int_equal(st.st_gid, 1001);
    assert_int_equal(st.st_nlink, 2);
    assert_int_equal(st.st_mtim.tv_sec, 1234567890);
    assert_int_equal(st.st_mtim.tv_nsec, 123456789);
    cleanup_free char *f = path_join(p.root, "d/f");
    assert_int_equal(getxattr(f, "trusted.t", value, sizeof(value)), 1);
    assert_true(look(&p, "d", &st));
    assert_int_equal(st.st_mode, S_IFDIR | 02750);
    assert_int_equal(st.st_mtim.tv_sec, 100);
    assert_true(look(&p, "d/l", &st));
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(st.st_uid, 7);
    assert_int_equal(st.st_mtim.tv_sec, 9);
    assert_true(look(&p, "null", &st));
    assert_int_equal(st.st_mode, S_IFCHR | 0666);
    assert_int_equal(st.st_rdev, makedev(1, 3));
    assert_true(look(&p, "fifo", &st));
    assert_true(S_ISFIFO(st.st_mode));
    assert_true(look(&p, "a/b", &st));
    assert_int_equal(st.st_mode, S_IFDIR | 0755);
    assert_true(look(&p, ".", &st));
    assert_int_equal(st.st_mode, S_IFDIR | 0711);
    assert_int_equal(st.st_mtim.tv_sec, 50);
    buf_release(&tar);
    place_release(&p);
}

static void file_capabilities_survive_the_change_of_owner(void **state)
{
    struct place p = place_new();
    struct buf tar = TAR_INIT;
    struct buf pax = BUF_INIT(4096);
    struct vfs_cap_data cap = {.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE,
                               .data[0].permitted = 1 << CAP_NET_RAW};
    char digits[8], value[64];
    size_t n = strlen(" SCHILY.xattr.security.capability=") + XATTR_CAPS_SZ_2 + 1;

    (void)state;
    snprintf(digits, sizeof(digits), "%zu", n + 2);
    buf_addf(&pax, "%s SCHILY.xattr.security.capability=", digits);
    buf_add(&pax, &cap, XATTR_CAPS_SZ_2);
    buf_add(&pax, "\n", 1);
    tar_add(&tar, (struct tar_spec){.name = "p", .type = 'x', .data = pax.data, .len = pax.len});
    tar_add(&tar, (struct tar_spec){.name = "ping", .mode = 0755, .uid = 5, .gid = 5, .data = "x"});
    tar_end(&tar);
    assert_ok(apply(&p, &tar, WHITEOUT_OVERLAY, NULL, &e));
    cleanup_free char *path = path_join(p.root, "ping");
    assert_int_equal(getxattr(path, "security.capability", value, sizeof(value)), XATTR_CAPS_SZ_2);
    buf_release(&pax);
    buf_release(&tar);
    place_release(&p);
}

static bool is_whiteout(const struct place *p, const char *name)
{
    struct stat st;

    return look(p, name, &st) && S_ISCHR(st.st_mode) && st.st_rdev == 0;
}

static bool is_opaque(const struct place *p, const char *name)
{
    cleanup_free char *path = path_join(p->root, name);
    char v[8] = "";

    return lgetxattr(path, "trusted.overlay.opaque", v, sizeof(v)) == 1 && v[0] == 'y';
}

static void whiteouts_take_the_form_of_overlayfs(void **state)
{
    struct place p = place_new();
    struct buf tar = TAR_INIT;

    (void)state;
    tar_add(&tar, (struct tar_spec){.name = "etc/"});
    tar_add(&tar, (struct tar_spec){.name = "etc/.wh.gone"});
    tar_add(&tar, (struct tar_spec){.name = "o/.wh..wh..opq"});
    tar_add(&tar, (struct tar_spec){.name = "o/kept", .data = "k"});
    tar_add(&tar, (struct tar_spec){.name = ".wh.first"}); /* then made anew as a directory */
    tar_add(&tar, (struct tar_spec){.name = "first/"});
    tar_add(&tar, (struct tar_spec){.name = "first/x", .data = "1"});
    tar_add(&tar, (struct tar_spec){.name = "second/"}); /* the other way round */
    tar_add(&tar, (struct tar_spec){.name = "second/x", .data = "2"});
    tar_add(&tar, (struct tar_spec){.name = ".wh.second"});
    tar_add(&tar, (struct tar_spec){.name = ".wh.file"});
    tar_add(&tar, (struct tar_spec){.name = "file", .data = "new"});
    tar_add(&tar, (struct tar_spec){.name = "file2", .data = "new"});
    tar_add(&tar, (struct tar_spec){.name = ".wh.file2"});
    tar_end(&tar);
    assert_ok(apply(&p, &tar, WHITEOUT_OVERLAY, NULL, &e));
    assert_true(is_whiteout(&p, "etc/gone"));
    assert_false(exists(&p, "etc/.wh.gone"));
    assert_true(is_opaque(&p, "o"));
    assert_false(is_opaque(&p, "etc"));
    assert_file(&p, "o/kept", "k");
    assert_true(is_opaque(&p, "first"));
    assert_file(&p, "first/x", "1");
    assert_true(is_opaque(&p, "second"));
    assert_file(&p, "second/x", "2");
    assert_file(&p, "file", "new");
    assert_file(&p, "file2", "new");
    buf_release(&tar);
    place_release(&p);
}

static void whiteouts_delete_in_a_flat_tree_but_spare_their_own_layer(void **state)
{
    struct place p = place_new();
    struct buf low = TAR_INIT, top = TAR_INIT;

    (void)state;
    tar_add(&low, (struct tar_spec){.name = "gone", .data = "x"});
    tar_add(&low, (struct tar_spec){.name = "dir/sub/old", .data = "x"});
    tar_add(&low, (struct tar_spec){.name = "dir/old", .data = "x"});
    tar_add(&low, (struct tar_spec){.name = "tree/a/b/c", .data = "x"});
    tar_add(&low, (struct tar_spec){.name = "both/old", .data = "x"});
    tar_end(&low);
    assert_ok(apply(&p, &low, WHITEOUT_FLAT, NULL, &e));
    tar_add(&top, (struct tar_spec){.name = ".wh.gone"});
    tar_add(&top, (struct tar_spec){.name = "dir/sub/new", .data = "n"});
    tar_add(&top, (struct tar_spec){.name = "dir/.wh..wh..opq"});
    tar_add(&top, (struct tar_spec){.name = ".wh.tree"});
    tar_add(&top, (struct tar_spec){.name = "both/new", .data = "n"});
    tar_add(&top, (struct tar_spec){.name = ".wh.both"});
    tar_add(&top, (struct tar_spec){.name = ".wh.never-there"});
    tar_end(&top);
    assert_ok(apply(&p, &top, WHITEOUT_FLAT, NULL, &e));
    assert_false(exists(&p, "gone"));
    assert_file(&p, "dir/sub/new", "n");
    assert_false(exists(&p, "dir/sub/old"));
    assert_false(exists(&p, "dir/old"));
    assert_false(exists(&p, "tree"));
    assert_file(&p, "both/new", "n");
    assert_false(exists(&p, "both/old"));
    buf_release(&low);
    buf_release(&top);
    place_release(&p);
}

static void links_on_the_way_are_followed_inside_the_root(void **state)
{
    struct place p = place_new();
    struct buf tar = TAR_INIT;

    (void)state;
    tar_add(&tar, (struct tar_spec){.name = "usr/lib/"});
    tar_add(&tar, (struct tar_spec){.name = "lib", .type = '2', .link = "usr/lib"});
    tar_add(&tar, (struct tar_spec){.name = "lib/one", .data = "1"});
    tar_add(&tar, (struct tar_spec){.name = "abs", .type = '2', .link = "/usr/../usr/lib/."});
    tar_add(&tar, (struct tar_spec){.name = "abs/two", .data = "2"});
    tar_add(&tar, (struct tar_spec){.name = "usr/up", .type = '2', .link = "lib/../.."});
    tar_add(&tar, (struct tar_spec){.name = "usr/up/three", .data = "3"});
    tar_end(&tar);
    assert_ok(apply(&p, &tar, WHITEOUT_OVERLAY, NULL, &e));
    assert_file(&p, "usr/lib/one", "1");
    assert_file(&p, "usr/lib/two", "2");
    assert_file(&p, "three", "3");
    buf_release(&tar);
    place_release(&p);
}

static void sparse_files_keep_their_holes_and_their_bytes(void **state)
{
    struct place p = place_new();
    struct buf tar = TAR_INIT;
    struct stat st;

    (void)state;
    tar_add(&tar, (struct tar_spec){.name = "s",
                                    .data = "abcdef",
                                    .pax = "GNU.sparse.size=10000000\n"
                                           "GNU.sparse.map=0,3,9000000,3\n"});
    tar_end(&tar);
    assert_ok(apply(&p, &tar, WHITEOUT_OVERLAY, NULL, &e));
    assert_true(look(&p, "s", &st));
    assert_int_equal(st.st_size, 10000000);
    assert_true(st.st_blocks * 512 < 100000);
    cleanup_free char *path = path_join(p.root, "s");
    FILE *f = fopen(path, "r");
    char b[4] = "";
    fseek(f, 9000000, SEEK_SET);
    assert_int_equal(fread(b, 1, 3, f), 3);
    assert_string_equal(b, "def");
    fclose(f);
    buf_release(&tar);
    place_release(&p);
}

static void a_tree_made_by_gnu_tar_comes_out_the_same(void **state)
{
    struct place p = place_new();
    struct buf tar = TAR_INIT, want = TAR_INIT, have = TAR_INIT;
    const char *pack[] = {"tar",          "-C", "/usr/share/doc", "--sort=name",
                          "--format=pax", "-c", "libc6",          NULL};
    cleanup_free char *list = str_printf("cd \"$1\" && find libc6 -printf '%%p %%y %%m %%U:%%G %%s "
                                         "%%T@ %%l\\n' | sort | sed 's/ d \\(.*\\) [0-9]* "
                                         "\\([0-9]*\\)/ d \\1 \\2/'");
    const char *a[] = {"sh", "-c", list, "sh", "/usr/share/doc", NULL};
    const char *b[] = {"sh", "-c", list, "sh", p.root, NULL};
    int code;

    (void)state;
    if (!fs_is_dir("/usr/share/doc/libc6"))
        skip();
    assert_ok(process_run(pack, NULL, 0, &tar, NULL, NULL, &code, &e));
    assert_ok(apply(&p, &tar, WHITEOUT_OVERLAY, NULL, &e));
    assert_ok(process_run(a, NULL, 0, &want, NULL, NULL, &code, &e));
    assert_ok(process_run(b, NULL, 0, &have, NULL, NULL, &code, &e));
    assert_true(want.len > 50);
    assert_string_equal(want.data, have.data);
    buf_release(&tar);
    buf_release(&want);
    buf_release(&have);
    place_release(&p);
}

static void a_full_disk_is_an_error_that_names_the_entry(void **state)
{
    struct place p = place_new();
    struct buf tar = TAR_INIT;
    struct err e = ERR_INIT;

    (void)state;
#ifdef BALLAST_FAULTS
    tar_add(&tar, (struct tar_spec){.name = "dir/file", .data = "x"});
    tar_end(&tar);
    fault_set("layer.write", 1, false);
    assert_int_equal(apply(&p, &tar, WHITEOUT_OVERLAY, NULL, &e), -1);
    fault_set(NULL, 0, false);
    assert_int_equal(e.kind, ERR_IO);
    assert_int_equal(e.os_code, ENOSPC);
    assert_non_null(strstr(e.msg, "dir/file"));
#else
    (void)e;
#endif
    buf_release(&tar);
    place_release(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_hostile_reaches_outside),
        cmocka_unit_test(names_that_are_too_long_are_refused),
        cmocka_unit_test(depth_has_an_end_even_with_links),
        cmocka_unit_test(attributes_are_kept),
        cmocka_unit_test(file_capabilities_survive_the_change_of_owner),
        cmocka_unit_test(whiteouts_take_the_form_of_overlayfs),
        cmocka_unit_test(whiteouts_delete_in_a_flat_tree_but_spare_their_own_layer),
        cmocka_unit_test(links_on_the_way_are_followed_inside_the_root),
        cmocka_unit_test(sparse_files_keep_their_holes_and_their_bytes),
        cmocka_unit_test(a_tree_made_by_gnu_tar_comes_out_the_same),
        cmocka_unit_test(a_full_disk_is_an_error_that_names_the_entry),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
