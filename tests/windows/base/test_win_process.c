/* The program starts itself as the child: argv[1] says what to do. */
#include <fcntl.h>
#include <io.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/unit.h"

#include "base/buf.h"
#include "base/cancel.h"
#include "base/mem.h"
#include "base/process.h"
#include "base/str.h"
#include "base/sync.h"
#include "base/time.h"

static const char *self;

static int child_main(int argc, char **argv)
{
    char chunk[4096];
    int n;

    _setmode(0, _O_BINARY);
    _setmode(1, _O_BINARY);
    if (str_eq(argv[1], "cat"))
        while ((n = _read(0, chunk, sizeof(chunk))) > 0)
            _write(1, chunk, (unsigned)n);
    if (str_eq(argv[1], "args"))
        for (int i = 2; i < argc; i++)
            printf("[%s]", argv[i]);
    if (str_eq(argv[1], "env"))
        printf("%s", getenv("GREETING"));
    if (str_eq(argv[1], "sleep"))
        time_sleep_ms(30000);
    fprintf(stderr, "done");
    return 7;
}

static void output_error_output_and_exit_code_come_back(void **state)
{
    enum { SIZE = 200000 };
    const char *const argv[] = {self, "cat", NULL};
    cleanup_free char *in = xmalloc(SIZE);
    cleanup_buf struct buf out = BUF_INIT(SIZE), err = BUF_INIT(100);
    int code;

    (void)state;
    memset(in, 'x', SIZE);
    assert_ok(process_run(argv, in, SIZE, &out, &err, NULL, &code, &e));
    assert_int_equal(code, 7);
    assert_int_equal(out.len, SIZE);
    assert_string_equal(err.data, "done");
    assert_ok(process_run(argv, NULL, 0, NULL, NULL, NULL, &code, &e)); /* NUL for all three */
    assert_int_equal(code, 7);
}

static void arguments_arrive_as_they_were(void **state)
{
    const char *const argv[] = {self,           "args",      "",        "a b",
                                "q\"q",         "\\",        "a\\ b\\", "\\\"",
                                "x\\\\\"y z\\", "tab\there", "plain",   NULL};
    cleanup_buf struct buf out = BUF_INIT(1000);
    int code;

    (void)state;
    assert_ok(process_run(argv, NULL, 0, &out, NULL, NULL, &code, &e));
    assert_string_equal(out.data,
                        "[][a b][q\"q][\\][a\\ b\\][\\\"][x\\\\\"y z\\][tab\there][plain]");
}

static void a_program_that_is_not_there_is_named(void **state)
{
    const char *const argv[] = {"ballast-no-such-program", NULL};
    struct err why = ERR_INIT;
    int code;

    (void)state;
    assert_int_equal(process_run(argv, NULL, 0, NULL, NULL, NULL, &code, &why), -1);
    assert_int_equal(why.kind, ERR_NOT_FOUND);
    assert_non_null(strstr(why.msg, "start ballast-no-such-program"));
}

static void fire_soon(void *c)
{
    time_sleep_ms(100);
    cancel_fire(c);
}

static void a_run_is_killed_when_cancelled(void **state)
{
    const char *const argv[] = {self, "sleep", NULL};
    struct cancel *c = cancel_new();
    int64_t before = time_mono_ms();
    struct thread t;
    int code;

    (void)state;
    assert_ok(thread_start(&t, "fire", fire_soon, c, &e));
    assert_err(process_run(argv, NULL, 0, NULL, NULL, c, &code, &e), ERR_CANCELLED);
    thread_join(&t);
    assert_true(time_mono_ms() - before < 15000);
    cancel_free(c);
}

static void a_child_gets_its_environment_and_can_be_killed(void **state)
{
    const char *const show[] = {self, "env", NULL}, *const sleep[] = {self, "sleep", NULL};
    const char *const envp[] = {"ZZZ=1", "GREETING=hi there", NULL};
    struct process p;
    char text[32] = "";
    int fds[2], code;

    (void)state;
    assert_int_equal(_pipe(fds, 4096, _O_BINARY | _O_NOINHERIT), 0);
    const struct process_fd out[] = {
        {fds[1], 1}
    };
    assert_ok(process_spawn(
        &(struct process_opts){.argv = show, .envp = envp, .fds = out, .n_fds = 1}, &p, &e));
    _close(fds[1]);
    assert_ok(process_wait(&p, NULL, &code, &e));
    assert_int_equal(code, 7);
    assert_true(_read(fds[0], text, sizeof(text) - 1) > 0);
    assert_string_equal(text, "hi there");
    assert_int_equal(_read(fds[0], text, sizeof(text)), 0); /* no other copy of the pipe is left */
    _close(fds[0]);

    assert_ok(process_spawn(&(struct process_opts){.argv = sleep, .new_session = true}, &p, &e));
    process_kill(&p);
    assert_ok(process_wait(&p, NULL, &code, &e));
    assert_int_equal(code, 137);
    assert_err(process_wait(&p, NULL, &code, &e), ERR_IO);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(output_error_output_and_exit_code_come_back),
        cmocka_unit_test(arguments_arrive_as_they_were),
        cmocka_unit_test(a_program_that_is_not_there_is_named),
        cmocka_unit_test(a_run_is_killed_when_cancelled),
        cmocka_unit_test(a_child_gets_its_environment_and_can_be_killed),
    };

    if (argc > 1)
        return child_main(argc, argv);
    self = argv[0];
    return cmocka_run_group_tests_name("base/win_process", tests, NULL, NULL);
}
