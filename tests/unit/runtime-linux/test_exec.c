/* A second process in a running container, and what the engine can do to all of them. */
#include <sched.h>
#include <sys/prctl.h>

#include "tests/unit/runtime-linux/launch_fixture.h"

static const char *const sleeper[] = {"sh", "-c", "echo up; while :; do sleep 1; done", NULL};

static void start_sleeper(struct fixture *f, struct running *r)
{
    fixture_init(f);
    set_argv(f, sleeper);
    if (start(f, r))
        fail_msg("could not start: %s", f->err.msg);
    drain(r->out, &f->out, "up\n");
}

static void stop(struct fixture *f, struct running *r)
{
    buf_reset(&f->out);
    assert_ok(cgroup_kill(r->l.cgroup, &e));
    finish(f, r);
    fixture_release(f);
}

static void an_execd_process_is_in_the_containers_namespaces_and_cgroup(void **state)
{
    const char *const argv[] = {
        "sh", "-c",
        "hostname; readlink /proc/1/exe; cat /proc/self/cgroup; echo $(ls /proc/self/fd)", NULL};
    struct launch_exec_spec x = {0};
    struct fixture f;
    struct running r;

    (void)state;
    SKIP_UNLESS_ROOT();
    start_sleeper(&f, &r);
    assert_int_equal(run_exec(&f, &r, &x, argv), 0);
    assert_out_has(&f, "inside\n/bin/busybox\n");
    assert_null(strstr(f.out.data, "ballast")); /* the cgroup namespace's root is its own cgroup */
    assert_null(strstr(f.out.data, "/.."));
    assert_out_has(&f, "\n0 1 2 3\n");
    stop(&f, &r);
}

static void it_has_the_containers_restrictions_unless_privileged(void **state)
{
    const char *const argv[] = {"grep", "-E", "^(CapEff|Seccomp:)", "/proc/self/status", NULL};
    struct launch_exec_spec x = {0};
    struct fixture f;
    struct running r;

    (void)state;
    SKIP_UNLESS_ROOT();
    start_sleeper(&f, &r);
    assert_int_equal(run_exec(&f, &r, &x, argv), 0);
    assert_out(&f, "CapEff:\t00000000a80425fb\nSeccomp:\t2\n");
    x.privileged = true;
    assert_int_equal(run_exec(&f, &r, &x, argv), 0);
    assert_out_has(&f, "Seccomp:\t0\n");
    assert_null(strstr(f.out.data, "00000000a80425fb"));
    stop(&f, &r);
}

static void user_directory_and_terminal_are_the_requests(void **state)
{
    const char *const argv[] = {"sh", "-c", "id -u; pwd; echo $HOME", NULL};
    const char *const terminal[] = {"sh", "-c", "tty; stty size", NULL};
    struct launch_exec_spec x = {.user = "app", .cwd = "/tmp"};
    struct fixture f;
    struct running r;

    (void)state;
    SKIP_UNLESS_ROOT();
    start_sleeper(&f, &r);
    assert_int_equal(run_exec(&f, &r, &x, argv), 0);
    assert_out(&f, "1000\n/tmp\n/home/app\n");
    x = (struct launch_exec_spec){.terminal = true, .console_height = 20, .console_width = 70};
    assert_int_equal(run_exec(&f, &r, &x, terminal), 0);
    assert_out(&f, "/dev/pts/0\r\n20 70\r\n");
    stop(&f, &r);
}

static void its_errors_are_runcs(void **state)
{
    static const struct {
        const char *command, *user, *cwd, *text;
        int code;
    } rows[] = {
        {"nope",  NULL, NULL,   "exec: \"nope\": executable file not found in $PATH",        127},
        {"/nope", NULL, NULL,   "exec: \"/nope\": stat /nope: no such file or directory",    127},
        {"/tmp",  NULL, NULL,   "exec: \"/tmp\": permission denied",                         126},
        {"true",  "x",  NULL,   "unable to find user x: no matching entries in passwd file", 128},
        {"true",  NULL, "/nix",
         "chdir to cwd (\"/nix\") set in config.json failed: "
         "no such file or directory",                                                        128},
    };
    struct fixture f;
    struct running r;

    (void)state;
    SKIP_UNLESS_ROOT();
    start_sleeper(&f, &r);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *const argv[] = {rows[i].command, NULL};
        struct launch_exec_spec x = {.user = rows[i].user, .cwd = rows[i].cwd};

        assert_int_equal(run_exec(&f, &r, &x, argv), -1);
        assert_string_equal(f.err.msg, rows[i].text);
        assert_int_equal(launch_exit_code(&f.err), rows[i].code);
    }
    stop(&f, &r);
}

static void a_user_namespace_can_be_entered(void **state)
{
    const char *const argv[] = {"sh", "-c", "id -u; cat /proc/self/uid_map; ps | grep -c sleep",
                                NULL};
    struct launch_exec_spec x = {0};
    struct fixture f;
    struct running r;

    (void)state;
    SKIP_UNLESS_ROOT();
    fixture_init(&f);
    f.s->userns_remap = true;
    f.s->uid_base = 200000;
    f.s->id_count = 65536;
    set_argv(&f, sleeper);
    assert_int_equal(start(&f, &r), 0);
    drain(r.out, &f.out, "up\n");
    if (run_exec(&f, &r, &x, argv))
        fail_msg("%s", f.err.msg);
    assert_out_has(&f, "0\n         0     200000      65536\n");
    stop(&f, &r);
}

static void a_container_that_is_gone_cannot_be_entered(void **state)
{
    const char *const argv[] = {"true", NULL};
    struct launch_exec_spec x = {0};
    struct fixture f;
    struct running r;

    (void)state;
    SKIP_UNLESS_ROOT();
    start_sleeper(&f, &r);
    assert_ok(cgroup_kill(r.l.cgroup, &e));
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)r.l.pid, &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(run_exec(&f, &r, &x, argv), -1);
    finish(&f, &r);
    fixture_release(&f);
}

static void all_pids_are_listed_frozen_and_killed(void **state)
{
    const char *const busy[] = {
        "sh", "-c", "while :; do echo x; sleep 0.01; done & while :; do sleep 1; done", NULL};
    struct fixture f;
    struct running r;
    int64_t *pids = NULL;
    size_t n = 0, before;

    (void)state;
    SKIP_UNLESS_ROOT();
    fixture_init(&f);
    set_argv(&f, busy);
    assert_int_equal(start(&f, &r), 0);
    drain(r.out, &f.out, "x\nx\n");
    assert_ok(cgroup_pids(r.l.cgroup, &pids, &n, &e));
    assert_true(n >= 2);
    free(pids);
    assert_ok(cgroup_freeze(r.l.cgroup, true, &e));
    assert_true(cgroup_is_frozen(r.l.cgroup));
    fcntl(r.out, F_SETFL, O_NONBLOCK);
    drain(r.out, &f.out, NULL);
    before = f.out.len;
    time_sleep_ms(60);
    drain(r.out, &f.out, NULL);
    assert_int_equal(f.out.len, before);
    assert_ok(cgroup_freeze(r.l.cgroup, false, &e));
    assert_false(cgroup_is_frozen(r.l.cgroup));
    assert_ok(cgroup_freeze(r.l.cgroup, true, &e));
    fcntl(r.out, F_SETFL, 0);
    stop(&f, &r); /* a frozen one can be killed */
}

static void limits_are_written_and_can_be_changed(void **state)
{
    struct fixture f;
    struct running r;
    struct oci_resources res;
    cleanup_free char *dir = NULL;
    cleanup_buf struct buf text = BUF_INIT(100);
    const char update[] =
        "{\"memory\":{\"limit\":134217728,\"swap\":134217728},\"pids\":{\"limit\":7}}";

    (void)state;
    SKIP_UNLESS_ROOT();
    if (!fs_is_dir("/sys/fs/cgroup/memory")) {
        print_message("skipped: needs cgroup v1\n");
        skip();
    }
    fixture_init(&f);
    f.s->spec->memory = 64 << 20;
    f.s->spec->cpu_shares = 512;
    f.s->spec->nano_cpus = 500000000;
    f.s->spec->pids_limit = 50;
    str_set(&f.s->spec->cpuset_cpus, "0");
    set_argv(&f, sleeper);
    if (start(&f, &r))
        fail_msg("%s", f.err.msg);
    static const struct {
        const char *file, *want;
    } rows[] = {
        {"memory/%s/memory.limit_in_bytes",       "67108864\n" },
        {"memory/%s/memory.memsw.limit_in_bytes", "134217728\n"},
        {"cpu/%s/cpu.shares",                     "512\n"      },
        {"cpu/%s/cpu.cfs_quota_us",               "50000\n"    },
        {"pids/%s/pids.max",                      "50\n"       },
        {"cpuset/%s/cpuset.cpus",                 "0\n"        },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cleanup_strv struct strv parts = {0};
        cleanup_free char *path = NULL;

        strv_split(&parts, rows[i].file, '%');
        path = str_printf("/sys/fs/cgroup/%s%s%s", parts.v[0], f.s->cgroup, parts.v[1] + 1);
        buf_reset(&text);
        assert_ok(fs_read(path, &text, &e));
        assert_string_equal(text.data, rows[i].want);
    }
    assert_ok(oci_resources_parse(update, strlen(update), &res, &e));
    assert_ok(cgroup_apply(r.l.cgroup, &res, &e));
    oci_resources_release(&res);
    dir = str_printf("/sys/fs/cgroup/pids%s/pids.max", f.s->cgroup);
    buf_reset(&text);
    assert_ok(fs_read(dir, &text, &e));
    assert_string_equal(text.data, "7\n");
    stop(&f, &r);
}

static void memory_beyond_the_limit_is_an_oom_kill_that_is_counted(void **state)
{
    struct fixture f;
    struct running r;
    const char *const argv[] = {"dd", "if=/dev/zero", "of=/dev/null", "bs=100M", "count=1", NULL};

    (void)state;
    SKIP_UNLESS_ROOT();
    SKIP_UNLESS_CONTROLLER("memory");
    fixture_init(&f);
    f.s->spec->memory = 16 << 20;
    f.s->spec->memory_swap = 16 << 20;
    set_argv(&f, argv);
    if (start(&f, &r))
        fail_msg("%s", f.err.msg);
    drain(r.out, &f.out, NULL);
    f.code = reap(r.l.pid);
    r.l.pid = -1;
    assert_int_equal(f.code, 137);
    assert_true(cgroup_oom_kills(r.l.cgroup) > 0);
    finish(&f, &r);
    fixture_release(&f);
}

static void a_fork_bomb_meets_the_pids_limit(void **state)
{
    struct fixture f;

    (void)state;
    SKIP_UNLESS_ROOT();
    SKIP_UNLESS_CONTROLLER("pids");
    fixture_init(&f);
    f.s->spec->pids_limit = 10;
    run(&f, "i=0; while [ $i -lt 30 ]; do sleep 5 & i=$((i+1)); done 2>&1; echo survived");
    assert_out_has(&f, "can't fork");
    fixture_release(&f);
}

static void a_group_with_processes_is_removed_all_the_same(void **state)
{
    struct fixture f;
    struct running r;
    const char *const argv[] = {"sh", "-c", "sleep 100 & sleep 100 & sleep 100", NULL};

    (void)state;
    SKIP_UNLESS_ROOT();
    fixture_init(&f);
    set_argv(&f, argv);
    assert_int_equal(start(&f, &r), 0);
    assert_ok(cgroup_remove(r.l.cgroup, &e));
    cgroup_free(r.l.cgroup);
    r.l.cgroup = NULL;
    finish(&f, &r);
    fixture_release(&f);
}

static void mounts_and_descriptors_of_the_launcher_are_as_before(void **state)
{
    struct fixture f;
    struct buf before = BUF_INIT(1 << 20), after = BUF_INIT(1 << 20);
    const char *const bad[] = {"/nope", NULL};
    int first = open("/", O_RDONLY | O_CLOEXEC), last;

    (void)state;
    SKIP_UNLESS_ROOT();
    close(first);
    assert_ok(fs_read("/proc/self/mountinfo", &before, &e));
    fixture_init(&f);
    for (int i = 0; i < 5; i++) {
        run(&f, "true");
        assert_int_equal(run_argv(&f, bad), -1);
    }
    fixture_release(&f);
    assert_ok(fs_read("/proc/self/mountinfo", &after, &e));
    assert_string_equal(before.data, after.data);
    last = open("/", O_RDONLY | O_CLOEXEC);
    assert_int_equal(last, first);
    close(last);
    buf_release(&before);
    buf_release(&after);
}

static void another_containers_ipc_and_pid_namespaces_can_be_joined(void **state)
{
    struct fixture f, g;
    struct running r;

    (void)state;
    SKIP_UNLESS_ROOT();
    fixture_init(&f);
    {
        const char *const argv[] = {
            "sh", "-c", "echo shared > /dev/shm/file; echo up; while :; do sleep 1; done", NULL};

        set_argv(&f, argv);
        if (start(&f, &r))
            fail_msg("%s", f.err.msg);
        drain(r.out, &f.out, "up\n");
    }
    fixture_init(&g);
    g.s->ipc_path = str_printf("/proc/%lld/ns/ipc", (long long)r.l.pid);
    g.s->pid_path = str_printf("/proc/%lld/ns/pid", (long long)r.l.pid);
    run(&g, "cat /dev/shm/file; head -c 2 /proc/1/cmdline; echo; [ $$ != 1 ] && echo second");
    assert_out(&g, "shared\nsh\nsecond\n");
    fixture_release(&g);
    stop(&f, &r);
}

/* A process that holds a network namespace. */
static pid_t hold_netns(void)
{
    int pipes[2];
    char byte;
    pid_t pid;

    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails does not come to its end */
        if (unshare(CLONE_NEWNET) == 0)
            (void)!write(pipes[1], "x", 1);
        for (;;)
            pause();
    }
    assert_int_equal(read(pipes[0], &byte, 1), 1);
    close(pipes[0]);
    close(pipes[1]);
    return pid;
}

static void a_network_namespace_that_was_made_before_is_joined(void **state)
{
    struct fixture f;
    cleanup_free char *path = NULL;
    char theirs[64] = {0}, ours[64] = {0}, now[64] = {0};
    pid_t holder;

    (void)state;
    SKIP_UNLESS_ROOT();
    assert_true(readlink("/proc/self/ns/net", ours, sizeof(ours) - 1) > 0);
    holder = hold_netns();
    path = str_printf("/proc/%d/ns/net", (int)holder);
    assert_true(readlink(path, theirs, sizeof(theirs) - 1) > 0);
    for (int remap = 0; remap < 2; remap++) {
        fixture_init(&f);
        f.s->netns_path = xstrdup(path);
        f.s->userns_remap = remap;
        f.s->uid_base = 100000;
        f.s->id_count = 65536;
        run(&f, "readlink /proc/self/ns/net; cat /proc/sys/net/ipv4/ip_unprivileged_port_start;"
                "ls /sys/class/net");
        assert_out_has(&f, theirs);
        assert_out_has(&f, "\n0\nlo\n");
        fixture_release(&f);
    }
    assert_true(readlink("/proc/self/ns/net", now, sizeof(now) - 1) > 0);
    assert_string_equal(ours, now); /* the launcher went back */
    kill(holder, SIGKILL);
    waitpid(holder, NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_execd_process_is_in_the_containers_namespaces_and_cgroup),
        cmocka_unit_test(it_has_the_containers_restrictions_unless_privileged),
        cmocka_unit_test(user_directory_and_terminal_are_the_requests),
        cmocka_unit_test(its_errors_are_runcs),
        cmocka_unit_test(a_user_namespace_can_be_entered),
        cmocka_unit_test(a_container_that_is_gone_cannot_be_entered),
        cmocka_unit_test(all_pids_are_listed_frozen_and_killed),
        cmocka_unit_test(limits_are_written_and_can_be_changed),
        cmocka_unit_test(memory_beyond_the_limit_is_an_oom_kill_that_is_counted),
        cmocka_unit_test(a_fork_bomb_meets_the_pids_limit),
        cmocka_unit_test(a_group_with_processes_is_removed_all_the_same),
        cmocka_unit_test(another_containers_ipc_and_pid_namespaces_can_be_joined),
        cmocka_unit_test(a_network_namespace_that_was_made_before_is_joined),
        cmocka_unit_test(mounts_and_descriptors_of_the_launcher_are_as_before),
    };
    return cmocka_run_group_tests_name("runtime-linux/exec", tests, NULL, NULL);
}
