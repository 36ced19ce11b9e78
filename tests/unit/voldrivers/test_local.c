/* The contract of volume drivers, kept by "local": in a mount namespace of this program's own. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/vol_driver.h"
#include "tests/unit/unit.h"
#include "voldrivers/mount_options.h"

static char root[64];
static const struct vol_env env = {.data_root = root};
static const char *missing;

static const struct vol_driver_ops *local(void)
{
    const struct vol_driver_ops *d = vol_driver_find(&env, "local", false, ERR_IGNORE);

    assert_non_null(d);
    return d;
}

static struct volume *volume_make(const char *name, const char *type, const char *device,
                                  const char *o)
{
    struct volume *v = volume_new();

    str_set(&v->name, name);
    if (type)
        kvs_set(&v->options, "type", type);
    if (device)
        kvs_set(&v->options, "device", device);
    if (o)
        kvs_set(&v->options, "o", o);
    return v;
}

static int mount_it(const struct volume *v, struct err *e)
{
    cleanup_free char *path = NULL;

    return local()->ensure_mounted(&env, v, "user", &path, e);
}

static char *in_root(const char *path)
{
    return path_join(root, path);
}

static void write_file(const char *path)
{
    assert_ok(fs_write_atomic(path, "x", 1, 0644, false, &e));
}

static int enter(void **state)
{
    const char *must = getenv("BALLAST_TESTS_MUST_RUN");

    (void)state;
    if (geteuid() != 0)
        missing = "needs root";
    else if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        missing = "cannot make a mount namespace";
    if (missing && must && strstr(must, "root"))
        fail_msg("%s", missing);
    snprintf(root, sizeof(root), "/tmp/ballast-vol-test.%d", (int)getpid());
    assert_ok(fs_mkdir_p(root, 0755, &e));
    if (missing)
        print_message("mounts skipped: %s\n", missing);
    else
        assert_int_equal(mount("tmpfs", root, "tmpfs", 0, NULL), 0);
    return 0;
}

static int leave(void **state)
{
    (void)state;
    if (!missing)
        umount2(root, MNT_DETACH);
    assert_ok(fs_remove_all(root, &e));
    return 0;
}

#define ROOT_OR_SKIP() \
    do {               \
        if (missing)   \
            skip();    \
    } while (0)

static void options_are_checked_in_dockers_words(void **state)
{
    static const struct {
        const char *k1, *v1, *k2, *v2, *text;
    } rows[] = {
        {"foo",    "bar",   NULL,     NULL,    "invalid option: \"foo\""                  },
        {"o",      "bind",  NULL,     NULL,    "missing required option: \"device\""      },
        {"type",   "none",  NULL,     NULL,    "missing required option: \"device\""      },
        {"type",   "",      NULL,     NULL,    "missing required option: \"device\""      },
        {"device", "/tmp",  NULL,     NULL,    "missing required option: \"type\""        },
        {"size",   "foo",   NULL,     NULL,    "invalid size: 'foo'"                      },
        {"size",   "10m",   NULL,     NULL,    "quota size requested but no quota support"},
        {"type",   "tmpfs", "device", "tmpfs", NULL                                       },
        {"type",   "",      "device", "tmpfs", NULL                                       },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct volume *v = volume_make("vv", NULL, NULL, NULL);
        struct err e = ERR_INIT;

        kvs_set(&v->options, rows[i].k1, rows[i].v1);
        if (rows[i].k2)
            kvs_set(&v->options, rows[i].k2, rows[i].v2);
        assert_int_equal(local()->check(&env, v, &e), rows[i].text ? -1 : 0);
        assert_string_equal(e.msg, rows[i].text ? rows[i].text : "");
        volume_unref(v);
    }
    assert_null(vol_driver_find(&env, "nope", false, ERR_IGNORE));
}

static void a_volume_is_a_directory_until_it_is_removed(void **state)
{
    struct volume *v = volume_make("data", NULL, NULL, NULL);
    cleanup_free char *expect = in_root("volumes/data/_data");
    cleanup_free char *file = in_root("volumes/data/_data/file");
    struct stat st;

    (void)state;
    assert_ok(local()->ensure(&env, v, &e));
    assert_string_equal(v->mountpoint, expect);
    assert_int_equal(stat(expect, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0755);
    /* What a container made of it stays. */
    assert_int_equal(chmod(expect, 01777), 0);
    write_file(file);
    assert_ok(local()->ensure(&env, v, &e));
    assert_ok(mount_it(v, &e));
    assert_ok(local()->ensure_unmounted(&env, v, "user", true, &e));
    assert_int_equal(stat(expect, &st), 0);
    assert_int_equal(st.st_mode & 07777, 01777);
    assert_true(fs_exists(file));
    assert_ok(local()->remove(&env, v, &e));
    assert_ok(local()->remove(&env, v, &e));
    assert_false(fs_exists(expect));
    volume_unref(v);
}

static void a_name_cannot_leave_the_root(void **state)
{
    static const char *const names[] = {"..", "../x", "a/b", "", ".", "/etc"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct volume *v = volume_make(names[i], NULL, NULL, NULL);

        assert_err(local()->ensure(&env, v, &e), ERR_INVALID);
        assert_err(local()->remove(&env, v, &e), ERR_INVALID);
        volume_unref(v);
    }
}

static void links_in_a_volume_lead_nowhere_when_it_is_removed(void **state)
{
    struct volume *v = volume_make("links", NULL, NULL, NULL);
    cleanup_free char *outside = in_root("outside");
    cleanup_free char *precious = in_root("outside/precious");
    cleanup_free char *link = in_root("volumes/links/_data/link");
    cleanup_free char *data = in_root("volumes/links/_data");
    cleanup_free char *dir = in_root("volumes/links");

    (void)state;
    assert_ok(fs_mkdir_p(outside, 0755, &e));
    write_file(precious);
    assert_ok(local()->ensure(&env, v, &e));
    assert_int_equal(symlink(outside, link), 0);
    assert_ok(local()->remove(&env, v, &e));
    assert_true(fs_exists(precious));
    /* _data, or the volume's directory itself, turned into a link. */
    assert_ok(local()->ensure(&env, v, &e));
    assert_int_equal(rmdir(data), 0);
    assert_int_equal(symlink(outside, data), 0);
    assert_err(local()->ensure(&env, v, &e), ERR_CONFLICT);
    (void)local()->remove(&env, v, ERR_IGNORE);
    assert_true(fs_exists(precious));
    (void)unlink(data);
    (void)rmdir(dir);
    assert_int_equal(symlink(outside, dir), 0);
    assert_err(local()->ensure(&env, v, &e), ERR_CONFLICT);
    (void)local()->remove(&env, v, ERR_IGNORE);
    assert_true(fs_exists(precious));
    (void)unlink(dir);
    volume_unref(v);
}

static int count_mounts(const char *path)
{
    FILE *f = fopen("/proc/self/mountinfo", "re");
    char line[1024], here[512];
    int n = 0;

    assert_non_null(f);
    while (fgets(line, sizeof(line), f))
        if (sscanf(line, "%*s %*s %*s %*s %511s", here) == 1 && str_eq(here, path))
            n++;
    fclose(f);
    return n;
}

static void a_tmpfs_volume_is_mounted_once_while_in_use(void **state)
{
    struct volume *v = volume_make("ram", "tmpfs", "tmpfs", "size=1m,nosuid,uid=1000");
    struct stat st;

    (void)state;
    ROOT_OR_SKIP();
    assert_ok(local()->ensure(&env, v, &e));
    assert_int_equal(count_mounts(v->mountpoint), 0);
    assert_ok(mount_it(v, &e));
    assert_ok(mount_it(v, &e));
    assert_ok(local()->ensure(&env, v, &e));
    assert_int_equal(count_mounts(v->mountpoint), 1);
    assert_int_equal(stat(v->mountpoint, &st), 0);
    assert_int_equal(st.st_uid, 1000);
    assert_err(local()->remove(&env, v, &e), ERR_CONFLICT);
    assert_ok(local()->ensure_unmounted(&env, v, "user", true, &e));
    assert_ok(local()->ensure_unmounted(&env, v, "user", true, &e));
    assert_int_equal(count_mounts(v->mountpoint), 0);
    assert_ok(local()->remove(&env, v, &e));
    assert_ok(local()->ensure_unmounted(&env, v, "user", true, &e));
    volume_unref(v);
}

static void a_bind_volume_shows_a_host_directory_and_never_deletes_it(void **state)
{
    cleanup_free char *host = in_root("host");
    cleanup_free char *file = in_root("host/file");
    struct volume *v = volume_make("bound", "none", host, "bind,ro");

    (void)state;
    ROOT_OR_SKIP();
    assert_ok(fs_mkdir_p(host, 0755, &e));
    write_file(file);
    assert_ok(local()->ensure(&env, v, &e));
    assert_ok(mount_it(v, &e));
    cleanup_free char *seen = path_join(v->mountpoint, "file");
    assert_true(fs_exists(seen));
    assert_int_equal(open(seen, O_WRONLY | O_CLOEXEC), -1);
    assert_int_equal(errno, EROFS);
    assert_err(local()->remove(&env, v, &e), ERR_CONFLICT);
    assert_true(fs_exists(file));
    assert_ok(local()->ensure_unmounted(&env, v, "user", true, &e));
    assert_ok(local()->remove(&env, v, &e));
    assert_true(fs_exists(file));
    volume_unref(v);
}

static void a_mount_that_fails_says_what_and_why_in_dockers_words(void **state)
{
    struct volume *v = volume_make("bad", "none", "/nonexistent", "bind,password=secret");
    struct err e = ERR_INIT;
    char expect[512];

    (void)state;
    ROOT_OR_SKIP();
    assert_int_equal(local()->ensure(&env, v, &e), 0);
    assert_int_equal(mount_it(v, &e), -1);
    snprintf(expect, sizeof(expect),
             "error while mounting volume '%s': failed to mount local volume: mount "
             "/nonexistent:%s, flags: 0x1000, data: password=********: no such file or directory",
             v->mountpoint, v->mountpoint);
    assert_string_equal(e.msg, expect);
    assert_int_equal(local()->remove(&env, v, &e), 0);
    volume_unref(v);
}

static void an_administrators_mount_is_left_alone(void **state)
{
    struct volume *v = volume_make("adm", NULL, NULL, NULL);

    (void)state;
    ROOT_OR_SKIP();
    assert_ok(local()->ensure(&env, v, &e));
    assert_int_equal(mount("tmpfs", v->mountpoint, "tmpfs", 0, NULL), 0);
    assert_ok(mount_it(v, &e));
    assert_ok(local()->ensure_unmounted(&env, v, "user", true, &e));
    assert_int_equal(count_mounts(v->mountpoint), 1);
    assert_err(local()->remove(&env, v, &e), ERR_CONFLICT);
    umount2(v->mountpoint, MNT_DETACH);
    assert_ok(local()->remove(&env, v, &e));
    volume_unref(v);
}

static void options_become_flags_and_the_rest_is_the_file_systems(void **state)
{
    cleanup_mount_options struct mount_options o;

    (void)state;
    mount_options_parse("ro,nosuid,rw,,addr=server,nfsvers=4,rbind", &o);
    assert_int_equal(o.flags, MS_NOSUID | MS_BIND | MS_REC);
    assert_int_equal(o.data.n, 2);
    assert_string_equal(mount_options_addr(&o), "server");
    mount_options_set_addr(&o, "10.0.0.1");
    assert_string_equal(o.data.v[0], "addr=10.0.0.1");
    assert_string_equal(o.data.v[1], "nfsvers=4");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_are_checked_in_dockers_words),
        cmocka_unit_test(a_volume_is_a_directory_until_it_is_removed),
        cmocka_unit_test(a_name_cannot_leave_the_root),
        cmocka_unit_test(links_in_a_volume_lead_nowhere_when_it_is_removed),
        cmocka_unit_test(a_tmpfs_volume_is_mounted_once_while_in_use),
        cmocka_unit_test(a_bind_volume_shows_a_host_directory_and_never_deletes_it),
        cmocka_unit_test(a_mount_that_fails_says_what_and_why_in_dockers_words),
        cmocka_unit_test(an_administrators_mount_is_left_alone),
        cmocka_unit_test(options_become_flags_and_the_rest_is_the_file_systems),
    };

    return cmocka_run_group_tests(tests, enter, leave);
}
