#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/tmpdir.h"
#include "tests/unit/unit.h"

#include "base/cancel.h"
#include "base/fault.h"
#include "base/process.h"
#include "base/sync.h"
#include "base/time.h"

#define SH(script)                            \
    (const char *const[])                     \
    {                                         \
        "/bin/sh", "-c", script, (char *)NULL \
    }

static int run(const char *const *argv, const char *in, struct buf *out, struct buf *err_out)
{
    int code = -1;

    assert_ok(process_run(argv, in, in ? strlen(in) : 0, out, err_out, NULL, &code, &e));
    return code;
}

static void output_error_output_and_exit_code_come_back(void **state)
{
    cleanup_buf struct buf out = BUF_INIT(4096), err = BUF_INIT(4096);

    (void)state;
    assert_int_equal(run(SH("cat; echo no >&2; exit 7"), "hello", &out, &err), 7);
    assert_string_equal(out.data, "hello");
    assert_string_equal(err.data, "no\n");
    assert_int_equal(run(SH("kill -9 $$"), NULL, NULL, NULL), 137);
}

static void input_and_output_larger_than_a_pipe_do_not_deadlock(void **state)
{
    enum { SIZE = 1 << 20 };
    cleanup_free char *in = xmalloc(SIZE + 1);
    cleanup_buf struct buf out = BUF_INIT(SIZE);

    (void)state;
    memset(in, 'x', SIZE);
    in[SIZE] = '\0';
    assert_int_equal(run(SH("cat"), in, &out, NULL), 0);
    assert_int_equal(out.len, SIZE);
    /* One that never reads: neither SIGPIPE nor an error. */
    assert_int_equal(run(SH("exit 3"), in, &out, NULL), 3);
}

static void output_beyond_the_buffer_is_an_overflow_and_not_a_hang(void **state)
{
    cleanup_buf struct buf out = BUF_INIT(10);

    (void)state;
    assert_int_equal(run(SH("dd if=/dev/zero bs=1000 count=1000 2>/dev/null"), NULL, &out, NULL),
                     0);
    assert_true(out.overflow);
}

static void a_program_that_is_not_there_is_named(void **state)
{
    static const char *const argv[] = {"ballast-no-such-program", NULL};
    struct err e = ERR_INIT;
    int code;

    (void)state;
    assert_int_equal(process_run(argv, NULL, 0, NULL, NULL, NULL, &code, &e), -1);
    assert_int_equal(e.kind, ERR_NOT_FOUND);
    assert_non_null(strstr(e.msg, "start ballast-no-such-program: No such file"));
}

static void fire_soon(void *c)
{
    time_sleep_ms(50);
    cancel_fire(c);
}

static void a_run_is_killed_when_cancelled(void **state)
{
    struct cancel *c = cancel_new();
    int64_t before = time_mono_ms();
    struct thread t;
    int code;

    (void)state;
    assert_ok(thread_start(&t, "fire", fire_soon, c, &e));
    assert_err(process_run(SH("sleep 30"), NULL, 0, NULL, NULL, c, &code, &e), ERR_CANCELLED);
    assert_true(time_mono_ms() - before < 5000);
    thread_join(&t);
    cancel_free(c);
}

/* A daemon that a helper leaves behind holds the pipes; the helper has ended all the same. */
static void a_grandchild_that_keeps_the_pipes_is_not_waited_for(void **state)
{
    cleanup_buf struct buf out = BUF_INIT(4096);
    int64_t before = time_mono_ms();

    (void)state;
    assert_int_equal(run(SH("sleep 3 & echo started"), NULL, &out, NULL), 0);
    assert_string_equal(out.data, "started\n");
    assert_true(time_mono_ms() - before < 2500);
}

static void only_the_named_descriptors_reach_the_child(void **state)
{
    cleanup_buf struct buf out = BUF_INIT(4096);
    int leaked = open("/dev/null", O_RDONLY), high;

    (void)state;
    assert_true(leaked >= 0); /* deliberately without O_CLOEXEC */
    high = fcntl(leaked, F_DUPFD, 300);
    assert_true(high >= 300);
    assert_int_equal(
        run(SH("for fd in /proc/self/fd/*; do echo ${fd##*/}; done"), NULL, &out, NULL), 0);
    /* the shell's own directory stream is 3 */
    assert_true(strcmp(out.data, "0\n1\n2\n") == 0 || strcmp(out.data, "0\n1\n2\n3\n") == 0);
    close(leaked);
    close(high);
}

static void descriptors_may_swap_places(void **state)
{
    cleanup_tmpdir struct tmpdir t = tmpdir_new();
    cleanup_free char *a = tmpdir_at(&t, "a"), *b = tmpdir_at(&t, "b");
    cleanup_buf struct buf text = BUF_INIT(100);
    int fa = open(a, O_RDWR | O_CREAT | O_CLOEXEC, 0600),
        fb = open(b, O_RDWR | O_CREAT | O_CLOEXEC, 0600), code;
    char script[100];
    const char *const argv[] = {"/bin/sh", "-c", script, NULL};
    const struct process_fd fds[] = {
        {fa, fb},
        {fb, fa},
        {fa, 9 },
    };
    struct process p;

    (void)state;
    snprintf(script, sizeof(script), "echo to-a >&%d; echo to-b >&%d; echo nine >&9", fb, fa);
    assert_ok(process_spawn(&(struct process_opts){.argv = argv, .fds = fds, .n_fds = 3}, &p, &e));
    assert_ok(process_wait(&p, NULL, &code, &e));
    assert_int_equal(code, 0);
    assert_ok(fs_read(a, &text, &e));
    assert_string_equal(text.data, "to-a\nnine\n");
    buf_reset(&text);
    assert_ok(fs_read(b, &text, &e));
    assert_string_equal(text.data, "to-b\n");
    close(fa);
    close(fb);
}

static void a_child_starts_with_clean_signals_its_own_session_and_directory(void **state)
{
    static const char *const script = "cd() { :; }; grep -E '^Sig(Blk|Ign)' /proc/self/status; "
                                      "pwd; ps -o sid= -p $$ | tr -d ' '; "
                                      "echo $$; echo $GREETING";
    const char *const argv[] = {"sh", "-c", script, NULL};
    const char *const envp[] = {"PATH=/usr/bin:/bin", "GREETING=hi", NULL};
    cleanup_tmpdir struct tmpdir t = tmpdir_new();
    cleanup_free char *path = tmpdir_at(&t, "out");
    cleanup_buf struct buf text = BUF_INIT(1000);
    cleanup_strv struct strv lines = {0};
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600), code;
    const struct process_fd fds[] = {
        {fd, 1}
    };
    struct process_opts opts = {
        .argv = argv, .envp = envp, .fds = fds, .n_fds = 1, .new_session = true, .cwd = t.path};
    struct process p;
    sigset_t usr1, before;

    (void)state;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &usr1, &before);
    signal(SIGUSR2, SIG_IGN);
    assert_ok(process_spawn(&opts, &p, &e));
    assert_ok(process_wait(&p, NULL, &code, &e));
    signal(SIGUSR2, SIG_DFL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(fd);
    assert_ok(fs_read(path, &text, &e));
    strv_split(&lines, text.data, '\n');
    assert_string_equal(lines.v[0], "SigBlk:\t0000000000000000");
    assert_true(str_starts(lines.v[1], "SigIgn:\t"));
    /* glibc leaves its own two, 32 and 33, ignored. */
    assert_int_equal(strtoull(lines.v[1] + strlen("SigIgn:\t"), NULL, 16) & 0x7fffffff, 0);
    assert_string_equal(lines.v[2], t.path);
    assert_string_equal(lines.v[3], lines.v[4]);
    assert_string_equal(lines.v[5], "hi");
}

static void waiting_can_be_cancelled_and_taken_up_again(void **state)
{
    struct cancel *c = cancel_new();
    struct process p;
    int code;

    (void)state;
    assert_ok(process_spawn(&(struct process_opts){.argv = SH("sleep 30")}, &p, &e));
    cancel_fire(c);
    assert_err(process_wait(&p, c, &code, &e), ERR_CANCELLED);
    process_kill(&p);
    assert_ok(process_wait(&p, NULL, &code, &e));
    assert_int_equal(code, 128 + SIGKILL);
    assert_err(process_wait(&p, NULL, &code, &e), ERR_IO); /* there is nothing left to wait for */
    cancel_free(c);
}

#ifdef BALLAST_FAULTS
static void a_kernel_without_pidfds_will_do(void **state)
{
    fault_set_from("process.pidfd", 1);
    output_error_output_and_exit_code_come_back(state);
    input_and_output_larger_than_a_pipe_do_not_deadlock(state);
    a_run_is_killed_when_cancelled(state);
    waiting_can_be_cancelled_and_taken_up_again(state);
    fault_set(NULL, 0, false);
}
#endif

static void run_many(void *arg)
{
    for (int i = 0; i < 20; i++) {
        cleanup_buf struct buf out = BUF_INIT(100);
        struct err e = ERR_INIT;
        int code = -1;

        if (process_run(SH("cat"), "x", 1, &out, NULL, NULL, &code, &e) || code || out.len != 1)
            *(int *)arg += 1;
    }
}

static void threads_run_programs_side_by_side(void **state)
{
    struct thread t[4];
    int failed[4] = {0};

    (void)state;
    for (int i = 0; i < 4; i++)
        assert_ok(thread_start(&t[i], "runner", run_many, &failed[i], &e));
    for (int i = 0; i < 4; i++) {
        thread_join(&t[i]);
        assert_int_equal(failed[i], 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(output_error_output_and_exit_code_come_back),
        cmocka_unit_test(input_and_output_larger_than_a_pipe_do_not_deadlock),
        cmocka_unit_test(output_beyond_the_buffer_is_an_overflow_and_not_a_hang),
        cmocka_unit_test(a_program_that_is_not_there_is_named),
        cmocka_unit_test(a_run_is_killed_when_cancelled),
        cmocka_unit_test(a_grandchild_that_keeps_the_pipes_is_not_waited_for),
        cmocka_unit_test(only_the_named_descriptors_reach_the_child),
        cmocka_unit_test(descriptors_may_swap_places),
        cmocka_unit_test(a_child_starts_with_clean_signals_its_own_session_and_directory),
        cmocka_unit_test(waiting_can_be_cancelled_and_taken_up_again),
#ifdef BALLAST_FAULTS
        cmocka_unit_test(a_kernel_without_pidfds_will_do),
#endif
        cmocka_unit_test(threads_run_programs_side_by_side),
    };
    return cmocka_run_group_tests_name("base/process", tests, NULL, NULL);
}
