#include <signal.h>

#include "core/container.h"
#include "tests/unit/unit.h"

static void signals_are_read_by_name_and_number(void **state)
{
    static const struct {
        const char *text;
        int sig;
    } cases[] = {
        {"TERM",       SIGTERM },
        {"SIGTERM",    SIGTERM },
        {"sigterm",    SIGTERM },
        {"15",         SIGTERM },
        {"KILL",       SIGKILL },
        {"Cld",        SIGCHLD },
        {"IOT",        SIGABRT },
        {"POLL",       SIGIO   },
        {"SIGRTMIN+3", 37      },
        {"rtmax-1",    63      },
        {"64",         64      },
        {"WINCH",      SIGWINCH},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int sig;

        assert_ok(signal_parse(cases[i].text, &sig, &e));
        assert_int_equal(sig, cases[i].sig);
    }
}

static void what_is_no_signal_is_refused(void **state)
{
    static const char *const bad[] = {"", "0", "65", "-1", "FOO", "SIG", "RTMIN+16", "15x", " 15"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        int sig;

        assert_err(signal_parse(bad[i], &sig, &e), ERR_INVALID);
    }
}

static void every_name_reads_back_as_its_number(void **state)
{
    (void)state;
    for (int i = 1; i <= 64; i++) {
        int sig;

        if (!signal_name(i))
            continue;
        assert_ok(signal_parse(signal_name(i), &sig, &e));
        assert_int_equal(sig, i);
    }
    assert_string_equal(signal_name(SIGTERM), "SIGTERM");
    assert_null(signal_name(0));
    assert_null(signal_name(32));
    assert_null(signal_name(65));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signals_are_read_by_name_and_number),
        cmocka_unit_test(what_is_no_signal_is_refused),
        cmocka_unit_test(every_name_reads_back_as_its_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
