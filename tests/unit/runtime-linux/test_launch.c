/* What a container looks like from inside, and why it does not start. */
#include "tests/unit/runtime-linux/launch_fixture.h"

static void a_command_runs_and_its_code_and_output_arrive(void **state)
{
    struct fixture f;

    (void)state;
    SKIP_UNLESS_ROOT();
    fixture_init(&f);
    run(&f, "echo out; echo err >&2; exit 3");
    assert_out(&f, "out\nerr\n");
    assert_int_equal(f.code, 3);
    fixture_release(&f);
}

static void it_has_namespaces_a_name_and_a_process_list_of_its_own(void **state)
{
    struct fixture f;

    (void)state;
    SKIP_UNLESS_ROOT();
    fixture_init(&f);
    run(&f, "hostname; echo $$; echo /proc/[0-9]*");
    assert_out(&f, "inside\n1\n/proc/1\n");
    for (size_t i = 0; i < 4; i++) {
        static const char *const kinds[] = {"mnt", "pid", "ipc", "uts"};
        cleanup_free char *script = str_printf("readlink /proc/self/ns/%s", kinds[i]);
        cleanup_free char *path = str_printf("/proc/self/ns/%s", kinds[i]);
        char ours[64] = {0};

        assert_true(readlink(path, ours, sizeof(ours) - 1) > 0);
        run(&f, script);
        assert_null(strstr(f.out.data, ours));
    }
    fixture_release(&f);
}

static void capabilities_are_dockers_and_seccomp_is_on(void **state)
{
    struct fixture f;

    (void)state;
    SKIP_UNLESS_ROOT();
    fixture_init(&f);
    run(&f, "grep -E '^(Cap|Seccomp:|NoNewPrivs)' /proc/self/status");
    assert_out_has(&f, "CapInh:\t0000000000000000\n");
    assert_out_has(&f, "CapPrm:\t00000000a80425fb\n");
    assert_out_has(&f, "CapEff:\t00000000a80425fb\n");
    assert_out_has(&f, "CapBnd:\t00000000a80425fb\n");
    assert_out_has(&f, "CapAmb:\t0000000000000000\n");
    assert_out_has(&f, "NoNewPrivs:\t0\n");
    assert_out_has(&f, "Seccomp:\t2\n");
    fixture_release(&f);
}

static void dropped_and_added_capabilities_count(void **state)
{
    struct fixture f;

    (void)state;
    SKIP_UNLESS_ROOT();
    fixture_init(&f);
    strv_add(&f.s->spec->cap_drop, "ALL");
    strv_add(&f.s->spec->cap_add, "NET_ADMIN");
    f.s->no_new_privileges = true;
    run(&f, "grep -E '^(CapEff|CapBnd|NoNew|Seccomp:)' /proc/self/status");
    assert_out(&f, "CapEff:\t0000000000001000\nCapBnd:\t0000000000001000\nNoNewPrivs:\t1\n"
                   "Seccomp:\t2\n");
    fixture_release(&f);
}

static void the_filter_forbids_namespaces_and_mounts(void **state)
{
    struct fixture f;

    (void)state;
    SKIP_UNLESS_ROOT();
    fixture_init(&f);
    run(&f, "unshare -U true; echo $?; mount -t tmpfs x /tmp; echo $?");
    assert_out_has(&f, "unshare(0x10000000): Operation not permitted\n1\n");
    assert_out_has(&f, "mount: permission denied");
    fixture_release(&f);
}

static void masked_paths_show_nothing_and_readonly_ones_take_nothing(void **state)
{
    struct fixture f;

    (void)state;
    SKIP_UNLESS_ROOT();
    fixture_init(&f);
    run(&f, "cat /proc/kcore /proc/keys /proc/timer_list 2>/dev/null | wc -c; ls -A /sys/firmware "
            "| wc -l;"
            "(echo 1 > /proc/sys/kernel/panic) 2>/dev/null || echo ro;"
            "(echo b > /proc/sysrq-trigger) 2>/dev/null || echo ro;"
            "mkdir /sys/fs/cgroup/x 2>/dev/null || echo ro; touch /sys/x 2>/dev/null || echo ro");
    assert_out(&f, "0\n0\nro\nro\nro\nro\n");
    fixture_release(&f);
}

static void dev_holds_what_the_specification_promises(void **state)
{
    struct fixture f;

    (void)state;
    SKIP_UNLESS_ROOT();
    fixture_init(&f);
    run(&f, "cd /dev; echo $(ls); stat -c '%n %a %t:%T' null zero full random urandom tty;"
            "head -c 3 zero | wc -c; echo x > null && echo written; for i in ptmx fd stdin; do "
            "readlink $i; done");
    assert_out(&f,
               "core fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero\n"
               "null 666 1:3\nzero 666 1:5\nfull 666 1:7\nrandom 666 1:8\nurandom 666 1:9\n"
               "tty 666 5:0\n3\nwritten\npts/ptmx\n/proc/self/fd\n/proc/self/fd/0\n");
    fixture_release(&f);
}

static void a_device_that_is_not_allowed_can_be_made_but_not_opened(void **state)
{
    struct fixture f;

    (void)state;
    SKIP_UNLESS_ROOT();
    fixture_init(&f);
    run(&f, "mknod /tmp/kmsg c 1 11 && head -c 1 /tmp/kmsg 2>&1 || echo refused");
    assert_out_has(&f, "Operation not permitted");
    fixture_release(&f);
}

static void no_descriptor_of_ours_is_inherited(void **state)
{
    struct fixture f;
    int leak = open("/etc/passwd", O_RDONLY); /* without CLOEXEC, on purpose */

    (void)state;
    SKIP_UNLESS_ROOT();
    fixture_init(&f);
    run(&f, "echo $(ls /proc/self/fd)");
    assert_out(&f, "0 1 2 3\n"); /* 3 is ls's own */
    close(leak);
    fixture_release(&f);
}

static void users_and_groups_come_from_the_image(void **state)
{
    static const struct {
        const char *user, *extra, *want;
    } rows[] = {
        {"",          NULL,    "0 0 Groups: 0 /root\n"                },
        {"app",       NULL,    "1000 1000 Groups: 50 1000 /home/app\n"},
        {"1000",      NULL,    "1000 1000 Groups: 50 1000 /home/app\n"},
        {"app:wheel", NULL,    "1000 51 Groups: 51 /home/app\n"       },
        {"1234",      NULL,    "1234 0 Groups: 0 /\n"                 },
        {"1234:4321", NULL,    "1234 4321 Groups: 4321 /\n"           },
        {"1234:4321", "wheel", "1234 4321 Groups: 51 4321 /\n"        },
        {"1234:4321", "77",    "1234 4321 Groups: 77 4321 /\n"        },
    };
    struct fixture f;

    (void)state;
    SKIP_UNLESS_ROOT();
    fixture_init(&f);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        str_set(&f.s->spec->user, rows[i].user);
        strv_release(&f.s->spec->group_add);
        if (rows[i].extra)
            strv_add(&f.s->spec->group_add, rows[i].extra);
        run(&f, "echo $(id -u) $(id -g) $(grep Groups: /proc/self/status) $HOME");
        assert_out(&f, rows[i].want);
    }
    fixture_release(&f);
}

static void another_user_has_no_capabilities(void **state)
{
    struct fixture f;

    (void)state;
    SKIP_UNLESS_ROOT();
    fixture_init(&f);
    str_set(&f.s->spec->user, "app");
    run(&f, "grep -E '^Cap(Eff|Prm|Bnd)' /proc/self/status; echo ok > /dev/stdout");
    assert_out(&f, "CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n"
                   "CapBnd:\t00000000a80425fb\nok\n");
    fixture_release(&f);
}

static void limits_of_the_process_are_set(void **state)
{
    struct fixture f;

    (void)state;
    SKIP_UNLESS_ROOT();
    fixture_init(&f);
    f.s->spec->ulimits = xcalloc(2, sizeof(*f.s->spec->ulimits));
    f.s->spec->ulimits[0] = (struct ulimit){xstrdup("nofile"), 100, 200};
    f.s->spec->ulimits[1] = (struct ulimit){xstrdup("core"), 0, -1};
    f.s->spec->n_ulimits = 2;
    run(&f, "ulimit -S -n; ulimit -H -n; ulimit -S -c; ulimit -H -c");
    assert_out(&f, "100\n200\n0\nunlimited\n");
    fixture_release(&f);
}

static void a_read_only_root_takes_no_file_but_its_tmpfs_does(void **state)
{
    struct fixture f;

    (void)state;
    SKIP_UNLESS_ROOT();
    fixture_init(&f);
    f.s->spec->readonly_rootfs = true;
    add_mount(&f, MOUNT_TMPFS, NULL, "/scratch")->tmpfs_options = xstrdup("size=64k,mode=700");
    run(&f, "touch /x 2>&1; touch /scratch/x && echo ok; stat -c %a /scratch;"
            "dd if=/dev/zero of=/scratch/big bs=1k count=100 2>&1 | grep -c 'No space';"
            "grep ' /scratch ' /proc/mounts");
    assert_out_has(&f, "touch: /x: Read-only file system\nok\n700\n1\n");
    assert_out_has(&f, "nosuid,nodev,noexec");
    fixture_release(&f);
}

static void binds_are_writable_or_not_as_asked(void **state)
{
    struct fixture f;
    cleanup_free char *source = NULL, *sub = NULL;

    (void)state;
    SKIP_UNLESS_ROOT();
    fixture_init(&f);
    source = path_join(f.dir, "source");
    sub = path_join(source, "sub");
    assert_ok(fs_mkdir_p(sub, 0755, &e));
    assert_int_equal(mount("tmpfs", sub, "tmpfs", 0, NULL), 0);
    add_mount(&f, MOUNT_BIND, source, "/rw");
    add_mount(&f, MOUNT_BIND, source, "/ro")->read_only = true;
    run(&f, "touch /rw/a /rw/sub/b && echo ok; touch /ro/c 2>&1; touch /ro/sub/d 2>&1; ls /ro/sub");
    umount2(sub, MNT_DETACH);
    assert_out(&f, "ok\ntouch: /ro/c: Read-only file system\n"
                   "touch: /ro/sub/d: Read-only file system\nb\n");
    fixture_release(&f);
}

static void an_empty_volume_gets_the_images_content_with_owner_and_mode(void **state)
{
    struct fixture f;
    cleanup_free char *volume = NULL, *dir = NULL, *file = NULL;
    struct stat st;

    (void)state;
    SKIP_UNLESS_ROOT();
    fixture_init(&f);
    image_file(&f, "data/sub/file", "content");
    dir = path_join(f.lower, "data");
    file = path_join(dir, "sub/file");
    assert_int_equal(chmod(dir, 0750) | chown(dir, 1000, 50) | chmod(file, 04711), 0);
    volume = path_join(f.dir, "volume");
    assert_ok(fs_mkdir_p(volume, 0755, &e));
    add_mount(&f, MOUNT_VOLUME, volume, "/data")->copy_up = true;
    run(&f, "stat -c '%a %u:%g' /data; stat -c %a /data/sub/file; cat /data/sub/file; echo more > "
            "/data/new");
    assert_out(&f, "750 1000:50\n4711\ncontent");
    run(&f, "ls /data; echo > /data/sub/file");
    assert_out(&f, "new\nsub\n");
    run(&f, "cat /data/sub/file"); /* not filled again */
    assert_out(&f, "\n");
    assert_int_equal(stat(volume, &st), 0);
    assert_int_equal(st.st_uid, 1000);
    fixture_release(&f);
}

static void symlinks_of_the_image_do_not_lead_out(void **state)
{
    struct fixture f;
    cleanup_free char *link = NULL, *victim = NULL, *source = NULL, *etc = NULL;

    (void)state;
    SKIP_UNLESS_ROOT();
    fixture_init(&f);
    victim = path_join(f.dir, "victim");
    source = path_join(f.dir, "source");
    link = path_join(f.lower, "etc/hosts");
    etc = str_printf("../../../../..%s", victim);
    assert_int_equal(symlink(etc, link), 0);
    assert_ok(fs_write_atomic(source, "mine", 4, 0644, false, &e));
    add_mount(&f, MOUNT_BIND, source, "/etc/hosts");
    run(&f, "cat /etc/hosts");
    assert_out(&f, "mine");
    assert_false(fs_exists(victim)); /* made inside the root, not on the host */
    fixture_release(&f);
}

static void proc_is_not_mounted_over_a_symlink(void **state)
{
    struct fixture f;
    cleanup_free char *link = NULL;
    const char *const argv[] = {"true", NULL};

    (void)state;
    SKIP_UNLESS_ROOT();
    fixture_init(&f);
    link = path_join(f.lower, "proc");
    assert_int_equal(symlink("/tmp", link), 0);
    assert_int_equal(run_argv(&f, argv), -1);
    assert_non_null(strstr(f.err.msg, "/proc must be an ordinary directory of the image"));
    fixture_release(&f);
}

static void a_working_directory_is_made_and_entered(void **state)
{
    struct fixture f;

    (void)state;
    SKIP_UNLESS_ROOT();
    fixture_init(&f);
    str_set(&f.s->cwd, "/srv/app");
    run(&f, "pwd");
    assert_out(&f, "/srv/app\n");
    fixture_release(&f);
}

static void what_cannot_be_run_is_said_as_docker_says_it(void **state)
{
    static const struct {
        const char *command, *text;
        int code;
    } rows[] = {
        {"/nope",       "exec: \"/nope\": stat /nope: no such file or directory", 127},
        {"nope",        "exec: \"nope\": executable file not found in $PATH",     127},
        {"/etc",        "exec: \"/etc\": permission denied",                      126},
        {"/etc/passwd", "exec: \"/etc/passwd\": permission denied",               126},
        {"/bad",        "exec /bad: exec format error",                           128},
    };
    struct fixture f;
    cleanup_free char *bad = NULL;

    (void)state;
    SKIP_UNLESS_ROOT();
    fixture_init(&f);
    image_file(&f, "bad", "no program");
    bad = path_join(f.lower, "bad");
    assert_int_equal(chmod(bad, 0755), 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *const argv[] = {rows[i].command, NULL};

        assert_int_equal(run_argv(&f, argv), -1);
        assert_string_equal(f.err.msg, rows[i].text);
        assert_int_equal(launch_exit_code(&f.err), rows[i].code);
    }
    fixture_release(&f);
}

static void unknown_users_are_said_bare(void **state)
{
    static const struct {
        const char *user, *text;
    } rows[] = {
        {"nobody2",   "unable to find user nobody2: no matching entries in passwd file"},
        {"app:crowd", "unable to find group crowd: no matching entries in group file"  },
        {"-1",        "uids and gids must be in range 0-2147483647"                    },
    };
    const char *const argv[] = {"true", NULL};
    struct fixture f;

    (void)state;
    SKIP_UNLESS_ROOT();
    fixture_init(&f);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        str_set(&f.s->spec->user, rows[i].user);
        assert_int_equal(run_argv(&f, argv), -1);
        assert_int_equal(launch_error_wrap(&f.err, false), -1);
        assert_string_equal(f.err.msg, rows[i].text);
    }
    fixture_release(&f);
}

static void a_kernel_parameter_of_the_host_is_refused(void **state)
{
    const char *const argv[] = {"true", NULL};
    struct fixture f;

    (void)state;
    SKIP_UNLESS_ROOT();
    fixture_init(&f);
    kvs_set(&f.s->spec->sysctls, "kernel.shmmax", "12345");
    run(&f, "cat /proc/sys/kernel/shmmax");
    assert_out(&f, "12345\n");
    kvs_set(&f.s->spec->sysctls, "net.ipv4.ip_forward", "1");
    assert_int_equal(run_argv(&f, argv), -1);
    assert_string_equal(f.err.msg,
                        "sysctl \"net.ipv4.ip_forward\" not allowed in host network namespace");
    kvs_del(&f.s->spec->sysctls, "net.ipv4.ip_forward");
    kvs_set(&f.s->spec->sysctls, "kernel.panic", "1");
    assert_int_equal(run_argv(&f, argv), -1);
    assert_string_equal(f.err.msg, "sysctl \"kernel.panic\" is not in a separate kernel namespace");
    fixture_release(&f);
}

static void a_privileged_container_has_what_the_host_has(void **state)
{
    struct fixture f;

    (void)state;
    SKIP_UNLESS_ROOT();
    fixture_init(&f);
    f.s->spec->privileged = true;
    run(&f, "grep Seccomp: /proc/self/status; mount -t tmpfs x /tmp && echo mounted;"
            "stat -c %t:%T /dev/kmsg; mkdir /sys/fs/cgroup/memory/below 2>/dev/null; echo $?");
    assert_out_has(&f, "Seccomp:\t0\nmounted\n1:b\n");
    fixture_release(&f);
}

static void a_terminal_is_the_containers_own(void **state)
{
    struct fixture f;
    struct running r;
    const char *const argv[] = {"sh", "-c",
                                "tty; stty size; echo > /dev/console; ls /dev/pts; exit 7", NULL};

    (void)state;
    SKIP_UNLESS_ROOT();
    fixture_init(&f);
    f.s->spec->tty = true;
    f.s->spec->console_height = 33;
    f.s->spec->console_width = 99;
    set_argv(&f, argv);
    assert_int_equal(start(&f, &r), 0);
    assert_true(r.l.pty_master >= 0);
    drain(r.l.pty_master, &f.out, NULL);
    finish(&f, &r);
    assert_out_has(&f, "/dev/pts/0\r\n33 99\r\n");
    assert_int_equal(f.code, 7);
    fixture_release(&f);
}

static void an_init_reaps_passes_signals_on_and_ends_with_the_commands_code(void **state)
{
    struct fixture f;
    struct running r;
    const char *const argv[] = {
        "sh", "-c", "trap 'echo got; exit 9' TERM; echo $$ $PPID; while :; do sleep 0.1; done",
        NULL};

    (void)state;
    SKIP_UNLESS_ROOT();
    fixture_init(&f);
    f.s->spec->init = true;
    run(&f, "(sleep 0.05 &); exit 4");
    assert_int_equal(f.code, 4);
    buf_reset(&f.out);
    set_argv(&f, argv);
    assert_int_equal(start(&f, &r), 0);
    drain(r.out, &f.out, "\n");
    assert_out(&f, "2 1\n");
    assert_int_equal(kill((pid_t)r.l.pid, SIGTERM), 0);
    finish(&f, &r);
    assert_out(&f, "2 1\ngot\n");
    assert_int_equal(f.code, 9);
    fixture_release(&f);
}

static void a_user_namespace_maps_root_to_somebody_else(void **state)
{
    struct fixture f;

    (void)state;
    SKIP_UNLESS_ROOT();
    fixture_init(&f);
    f.s->userns_remap = true;
    f.s->uid_base = 100000;
    f.s->id_count = 65536;
    run(&f, "id -u; cat /proc/self/uid_map; stat -c '%u %n' /bin/busybox; touch /made && echo ok;"
            "head -c 2 /dev/zero | wc -c; grep -c ' / ' /proc/mounts; hostname");
    assert_out_has(&f, "0\n         0     100000      65536\n0 /bin/busybox\nok\n2\n");
    assert_out_has(&f, "inside\n");
    fixture_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_runs_and_its_code_and_output_arrive),
        cmocka_unit_test(it_has_namespaces_a_name_and_a_process_list_of_its_own),
        cmocka_unit_test(capabilities_are_dockers_and_seccomp_is_on),
        cmocka_unit_test(dropped_and_added_capabilities_count),
        cmocka_unit_test(the_filter_forbids_namespaces_and_mounts),
        cmocka_unit_test(masked_paths_show_nothing_and_readonly_ones_take_nothing),
        cmocka_unit_test(dev_holds_what_the_specification_promises),
        cmocka_unit_test(a_device_that_is_not_allowed_can_be_made_but_not_opened),
        cmocka_unit_test(no_descriptor_of_ours_is_inherited),
        cmocka_unit_test(users_and_groups_come_from_the_image),
        cmocka_unit_test(another_user_has_no_capabilities),
        cmocka_unit_test(limits_of_the_process_are_set),
        cmocka_unit_test(a_read_only_root_takes_no_file_but_its_tmpfs_does),
        cmocka_unit_test(binds_are_writable_or_not_as_asked),
        cmocka_unit_test(an_empty_volume_gets_the_images_content_with_owner_and_mode),
        cmocka_unit_test(symlinks_of_the_image_do_not_lead_out),
        cmocka_unit_test(proc_is_not_mounted_over_a_symlink),
        cmocka_unit_test(a_working_directory_is_made_and_entered),
        cmocka_unit_test(what_cannot_be_run_is_said_as_docker_says_it),
        cmocka_unit_test(unknown_users_are_said_bare),
        cmocka_unit_test(a_kernel_parameter_of_the_host_is_refused),
        cmocka_unit_test(a_privileged_container_has_what_the_host_has),
        cmocka_unit_test(a_terminal_is_the_containers_own),
        cmocka_unit_test(an_init_reaps_passes_signals_on_and_ends_with_the_commands_code),
        cmocka_unit_test(a_user_namespace_maps_root_to_somebody_else),
    };
    return cmocka_run_group_tests_name("runtime-linux/launch", tests, NULL, NULL);
}
