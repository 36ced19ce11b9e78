/*
 * signal: signal names as docker's clients type them.
 *
 * The numbers are Linux's on x86 and ARM, written out: a name means the same to an agent on any
 * platform, and <signal.h> knows the real-time ones only at run time.
 */
#include <stdlib.h>
#include <string.h>

#include "core/core_internal.h"

#define SIGNAL_MAX 64

/* By number. */
static const char *const names[SIGNAL_MAX + 1] = {
    [1] = "SIGHUP",       [2] = "SIGINT",       [3] = "SIGQUIT",      [4] = "SIGILL",
    [5] = "SIGTRAP",      [6] = "SIGABRT",      [7] = "SIGBUS",       [8] = "SIGFPE",
    [9] = "SIGKILL",      [10] = "SIGUSR1",     [11] = "SIGSEGV",     [12] = "SIGUSR2",
    [13] = "SIGPIPE",     [14] = "SIGALRM",     [15] = "SIGTERM",     [16] = "SIGSTKFLT",
    [17] = "SIGCHLD",     [18] = "SIGCONT",     [19] = "SIGSTOP",     [20] = "SIGTSTP",
    [21] = "SIGTTIN",     [22] = "SIGTTOU",     [23] = "SIGURG",      [24] = "SIGXCPU",
    [25] = "SIGXFSZ",     [26] = "SIGVTALRM",   [27] = "SIGPROF",     [28] = "SIGWINCH",
    [29] = "SIGIO",       [30] = "SIGPWR",      [31] = "SIGSYS",      [34] = "SIGRTMIN",
    [35] = "SIGRTMIN+1",  [36] = "SIGRTMIN+2",  [37] = "SIGRTMIN+3",  [38] = "SIGRTMIN+4",
    [39] = "SIGRTMIN+5",  [40] = "SIGRTMIN+6",  [41] = "SIGRTMIN+7",  [42] = "SIGRTMIN+8",
    [43] = "SIGRTMIN+9",  [44] = "SIGRTMIN+10", [45] = "SIGRTMIN+11", [46] = "SIGRTMIN+12",
    [47] = "SIGRTMIN+13", [48] = "SIGRTMIN+14", [49] = "SIGRTMIN+15", [50] = "SIGRTMAX-14",
    [51] = "SIGRTMAX-13", [52] = "SIGRTMAX-12", [53] = "SIGRTMAX-11", [54] = "SIGRTMAX-10",
    [55] = "SIGRTMAX-9",  [56] = "SIGRTMAX-8",  [57] = "SIGRTMAX-7",  [58] = "SIGRTMAX-6",
    [59] = "SIGRTMAX-5",  [60] = "SIGRTMAX-4",  [61] = "SIGRTMAX-3",  [62] = "SIGRTMAX-2",
    [63] = "SIGRTMAX-1",  [64] = "SIGRTMAX",
};

static const struct {
    const char *name;
    int number;
} other_names[] = {
    {"SIGCLD",  17},
    {"SIGIOT",  6 },
    {"SIGPOLL", 29}
};

const char *signal_name(int sig)
{
    return sig > 0 && sig <= SIGNAL_MAX ? names[sig] : NULL;
}

/* With or without SIG in front. */
static bool same(const char *text, const char *name)
{
    return str_eq_nocase(text, name) || str_eq_nocase(text, name + 3);
}

int signal_parse(const char *s, int *out, struct err *e)
{
    int64_t n;

    if (*s >= '0' && *s <= '9' && parse_i64(s, 1, SIGNAL_MAX, "signal", &n, ERR_IGNORE) == 0) {
        *out = (int)n;
        return 0;
    }
    for (int i = 1; i <= SIGNAL_MAX; i++)
        if (names[i] && same(s, names[i])) {
            *out = i;
            return 0;
        }
    for (size_t i = 0; i < ARRAY_LEN(other_names); i++)
        if (same(s, other_names[i].name)) {
            *out = other_names[i].number;
            return 0;
        }
    return err_set(e, ERR_INVALID, "invalid signal: %.60s", s);
}
