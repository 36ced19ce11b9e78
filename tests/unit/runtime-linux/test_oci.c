/* config.json read and written, names of users and capabilities: nothing here needs root. */
#include <fcntl.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/unit.h"

#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "core/runtime.h"
#include "runtime-linux/caps.h"
#include "runtime-linux/exe_guard.h"
#include "runtime-linux/mount_options.h"
#include "runtime-linux/oci.h"
#include "runtime-linux/oci_write.h"
#include "runtime-linux/user.h"

#define MINIMAL "\"root\":{\"path\":\"r\"},\"linux\":{\"namespaces\":[{\"type\":\"mount\"}]}"

static void wrong_types_name_their_place(void **state)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"{\"process\":{\"args\":5}}",                                              "process.args"          },
        {"{\"process\":{\"rlimits\":[{\"type\":\"RLIMIT_CORE\",\"soft\":\"x\"}]}}",
         "process.rlimits[0].soft"                                                                          },
        {"{\"process\":{\"cwd\":\"relative\"}}",                                    "process.cwd"           },
        {"{\"mounts\":[{\"destination\":\"/a\",\"options\":\"ro\"}]}",              "mounts[0].options"     },
        {"{\"linux\":{\"resources\":{\"memory\":{\"limit\":true}}}}",               "linux.resources.memory"},
        {"{\"linux\":{\"namespaces\":[{\"type\":\"soul\"}]}}",                      "unknown namespace type"},
        {"{\"hooks\":{\"prestart\":[{}]}}",                                         "hooks"                 },
        {"{\"process\":{\"capabilities\":{\"bounding\":[\"CAP_X\"]}}}",             "unknown capability"    },
        {"{\"root\":{\"path\":\"r\"}}",                                             "mount namespace"       },
        {"[]",                                                                      "must be an object"     },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct oci_config *cfg = NULL;
        struct err err = ERR_INIT;

        assert_int_equal(oci_config_parse(rows[i].text, strlen(rows[i].text), "/b", &cfg, &err),
                         -1);
        if (!strstr(err.msg, rows[i].want))
            fail_msg("\"%s\" lacks \"%s\"", err.msg, rows[i].want);
    }
}

static void unknown_keys_are_ignored_and_paths_start_at_the_bundle(void **state)
{
    static const char text[] = "{\"x\":{\"y\":[1]}," MINIMAL "}";
    struct oci_config *cfg = NULL;

    (void)state;
    assert_ok(oci_config_parse(text, strlen(text), "/b", &cfg, &e));
    assert_string_equal(cfg->root, "/b/r");
    assert_string_equal(cfg->process.cwd, "/");
    assert_int_equal(cfg->resources.pids_limit, OCI_UNSET);
    oci_config_free(cfg);
}

static void what_is_written_is_read_back(void **state)
{
    struct run_spec *s = run_spec_new();
    cleanup_buf struct buf json = BUF_INIT(1 << 20);
    struct oci_config *cfg = NULL;

    (void)state;
    s->spec = container_spec_new();
    s->rootfs.overlay = true;
    strv_add(&s->rootfs.lower, "/lower");
    s->rootfs.upper = xstrdup("/upper");
    s->rootfs.work = xstrdup("/work");
    strv_add(&s->argv, "sh");
    s->hostname = xstrdup("name");
    s->netns_path = xstrdup("/run/netns/x");
    s->cgroup = xstrdup("/ballast/x");
    str_set(&s->spec->user, "app:wheel");
    strv_add(&s->spec->group_add, "77");
    s->spec->memory = 1 << 26;
    s->spec->nano_cpus = 1500000000;
    s->spec->pids_limit = -1;
    s->spec->init = true;
    s->n_mounts = 1;
    s->mounts = xcalloc(1, sizeof(*s->mounts));
    s->mounts[0] = (struct run_mount){.type = MOUNT_VOLUME,
                                      .source = xstrdup("/v"),
                                      .target = xstrdup("/data"),
                                      .copy_up = true,
                                      .read_only = true};
    assert_ok(oci_write(s, &json, &e));
    assert_ok(oci_config_parse(json.data, json.len, "/b", &cfg, &e));
    assert_true(cfg->overlay && cfg->init);
    assert_string_equal(cfg->upper, "/upper");
    assert_string_equal(cfg->process.user_text, "app:wheel");
    assert_string_equal(cfg->process.group_texts.v[0], "77");
    assert_string_equal(cfg->ns[OCI_NS_NET].path, "/run/netns/x");
    assert_true(cfg->ns[OCI_NS_PID].wanted && !cfg->ns[OCI_NS_USER].wanted);
    assert_int_equal(cfg->resources.memory_limit, 1 << 26);
    assert_int_equal(cfg->resources.cpu_quota, 150000);
    assert_int_equal(cfg->resources.pids_limit, -1);
    assert_true(cfg->mounts[cfg->n_mounts - 1].copy_up);
    assert_true(strv_has(&cfg->mounts[cfg->n_mounts - 1].options, "rro"));
    assert_non_null(cfg->seccomp);
    oci_config_free(cfg);
    run_spec_free(s);
}

static void capabilities_compose_as_in_moby(void **state)
{
    static const struct {
        const char *add, *drop;
        bool privileged;
        uint64_t want;
    } rows[] = {
        {NULL,            NULL,        false, 0xa80425fb                            },
        {"NET_ADMIN",     "CAP_MKNOD", false, (0xa80425fb | 1 << 12) & ~(1ULL << 27)},
        {"cap_net_admin", "all",       false, 1 << 12                               },
    };
    const uint64_t have = caps_bounding();
    uint64_t got = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cleanup_strv struct strv add = {0}, drop = {0};

        if (rows[i].add)
            strv_add(&add, rows[i].add);
        if (rows[i].drop)
            strv_add(&drop, rows[i].drop);
        assert_ok(caps_compose(&add, &drop, rows[i].privileged, &got, &e));
        assert_true(got == (rows[i].want & have));
    }
    {
        cleanup_strv struct strv add = {0}, none = {0};

        assert_ok(caps_compose(&none, &none, true, &got, &e));
        assert_true(got == have);
        strv_add(&add, "ALL");
        assert_ok(caps_compose(&add, &none, false, &got, &e));
        assert_true(got == have);
        strv_add(&add, "FLY");
        assert_err(caps_compose(&add, &none, false, &got, &e), ERR_INVALID);
    }
}

static void mount_options_are_sorted(void **state)
{
    static const char *const words[] = {"rbind", "rro",     "nosuid",  "noexec",
                                        "exec",  "size=5m", "noatime", "rslave"};
    struct mount_options o;
    struct strv list = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        strv_add(&list, words[i]);
    mount_options_parse(&list, &o);
    assert_true(o.bind && o.recursive && o.propagation_recursive);
    assert_int_equal(o.rec_set, 1);        /* MOUNT_ATTR_RDONLY */
    assert_int_equal(o.set, 0x2 | 0x10);   /* NOSUID, NOATIME */
    assert_int_equal(o.clear, 0x8 | 0x70); /* NOEXEC again, _ATIME */
    assert_int_equal(o.data.n, 1);
    mount_options_release(&o);
    strv_release(&list);
}

static void odd_lines_in_passwd_harm_nobody(void **state)
{
    char dir[] = "/var/tmp/ballast-user-XXXXXX";
    struct user u = {0};
    int root;

    (void)state;
    assert_non_null(mkdtemp(dir));
    root = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(mkdirat(root, "etc", 0755), 0);
    {
        cleanup_free char *passwd = path_join(dir, "etc/passwd");
        cleanup_free char *group = path_join(dir, "etc/group");
        const char text[] = "# comment\n\nbroken\nbad:x:notanumber:1\nhuge:x:99999999999:1\n"
                            "ok:x:7:8:gecos:/home/ok:/bin/sh";

        assert_ok(fs_write_atomic(passwd, text, strlen(text), 0644, false, &e));
        assert_int_equal(symlink("../../../../../../nope", group), 0);
    }
    assert_ok(user_resolve(root, "ok", NULL, &u, &e));
    assert_int_equal(u.uid, 7);
    assert_int_equal(u.gid, 8);
    assert_string_equal(u.home, "/home/ok");
    user_release(&u);
    assert_err(user_resolve(root, "bad", NULL, &u, &e), ERR_NOT_FOUND);
    assert_err(user_resolve(root, "huge", NULL, &u, &e), ERR_NOT_FOUND);
    assert_err(user_resolve(root, "2147483648", NULL, &u, &e), ERR_INVALID);
    close(root);
    assert_ok(fs_remove_all(dir, &e));
}

/* A container may put anything there, and somebody on the host reads it. */
static void a_passwd_without_end_is_not_read_and_no_device_is_opened(void **state)
{
    char dir[] = "/var/tmp/ballast-user-XXXXXX";
    struct user u = {0};
    int root, fd;

    (void)state;
    assert_non_null(mkdtemp(dir));
    root = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(mkdirat(root, "etc", 0755), 0);
    fd = openat(root, "etc/passwd", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_int_equal(ftruncate(fd, 1LL << 40), 0);
    close(fd);
    assert_int_equal(user_resolve(root, "0", NULL, &u, ERR_IGNORE), -1);
    assert_int_equal(unlinkat(root, "etc/passwd", 0), 0);
    assert_int_equal(symlinkat("/zero", root, "etc/passwd"), 0);
    if (mknodat(root, "zero", S_IFCHR | 0644, makedev(1, 5)) == 0) {
        assert_ok(user_resolve(root, "0", NULL, &u, &e));
        user_release(&u);
        assert_err(user_resolve(root, "who", NULL, &u, &e), ERR_NOT_FOUND);
    }
    close(root);
    assert_ok(fs_remove_all(dir, &e));
}

/* A guarded program cannot be opened for writing through /proc, even by root. */
static void a_guarded_binary_is_not_writable(void **state)
{
    char path[] = "/var/tmp/ballast-guard-XXXXXX", by_fd[64];
    cleanup_buf struct buf bytes = BUF_INIT(8 << 20);
    int fd, again;

    (void)state;
    fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    assert_ok(fs_read("/bin/true", &bytes, &e));
    assert_ok(fs_write_atomic(path, bytes.data, bytes.len, 0755, false, &e));
    {
        struct err err = ERR_INIT;

        fd = exe_guard_open(path, &err);
        if (fd < 0)
            fail_msg("%s", err.msg);
    }
    (void)snprintf(by_fd, sizeof(by_fd), "/proc/self/fd/%d", fd);
    again = open(by_fd, O_RDWR | O_CLOEXEC);
    if (again >= 0) { /* a memory file opens, and takes nothing */
        assert_int_equal(write(again, "x", 1), -1);
        close(again);
    }
    pid_t pid = fork();
    if (pid == 0) {
        execl(by_fd, "true", (char *)NULL);
        _exit(99);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    close(fd);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_types_name_their_place),
        cmocka_unit_test(unknown_keys_are_ignored_and_paths_start_at_the_bundle),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(capabilities_compose_as_in_moby),
        cmocka_unit_test(mount_options_are_sorted),
        cmocka_unit_test(odd_lines_in_passwd_harm_nobody),
        cmocka_unit_test(a_passwd_without_end_is_not_read_and_no_device_is_opened),
        cmocka_unit_test(a_guarded_binary_is_not_writable),
    };
    return cmocka_run_group_tests_name("runtime-linux/oci", tests, NULL, NULL);
}
