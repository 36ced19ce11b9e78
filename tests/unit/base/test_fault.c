#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/unit.h"

#include "base/fault.h"

#ifdef BALLAST_FAULTS

static void exactly_the_nth_hit_fails(void **state)
{
    (void)state;
    fault_set("test.point", 3, false);
    assert_false(FAULT("test.point"));
    assert_false(FAULT("test.other"));
    assert_false(FAULT("test.point"));
    assert_true(FAULT("test.point"));
    assert_false(FAULT("test.point"));
    assert_int_equal(fault_count("test.point"), 4);
    assert_int_equal(fault_count("test.other"), 1);
    assert_int_equal(fault_count("test.never"), 0);
    fault_set(NULL, 0, false);
    assert_int_equal(fault_count("test.point"), 0);
}

static void a_lasting_fault_stays(void **state)
{
    (void)state;
    fault_set_from("test.point", 2);
    assert_false(FAULT("test.point"));
    assert_true(FAULT("test.point"));
    assert_true(FAULT("test.point"));
    fault_set(NULL, 0, false);
}

/* The child tells what it saw by its exit code: a bit for each of three hits. */
static int outcome_with(const char *environment)
{
    int status, seen = 0;
    pid_t pid = fork();

    if (pid == 0) {
        setenv("BALLAST_FAULT", environment, 1);
        for (int i = 0; i < 3; i++)
            seen |= (int)FAULT("env.point") << i;
        _exit(seen);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void the_environment_sets_points(void **state)
{
    (void)state;
    assert_int_equal(outcome_with(""), 0);
    assert_int_equal(outcome_with("env.point"), 1);
    assert_int_equal(outcome_with("env.point:2"), 2);
    assert_int_equal(outcome_with("x:1,env.point:2+"), 6);
    assert_int_equal(outcome_with("env.point:2:kill"), 128 + SIGKILL);
}

static void a_setting_that_cannot_be_read_stops_the_program(void **state)
{
    (void)state;
    assert_int_equal(outcome_with("env.point:soon"), 128 + SIGABRT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* first: the environment counts only as long as nothing was set by hand */
        cmocka_unit_test(the_environment_sets_points),
        cmocka_unit_test(a_setting_that_cannot_be_read_stops_the_program),
        cmocka_unit_test(exactly_the_nth_hit_fails),
        cmocka_unit_test(a_lasting_fault_stays),
    };
    return cmocka_run_group_tests_name("base/fault", tests, NULL, NULL);
}

#else

static void without_fault_points_nothing_fails(void **state)
{
    (void)state;
    assert_false(FAULT("test.point"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_fault_points_nothing_fails),
    };
    return cmocka_run_group_tests_name("base/fault", tests, NULL, NULL);
}

#endif
