/* time on POSIX: the clocks. */
#include "base/time.h"

#include <errno.h>
#include <time.h>

static int64_t read_clock(clockid_t clock)
{
    struct timespec ts;

    clock_gettime(clock, &ts);
    return (int64_t)ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

int64_t time_mono_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t time_mono_ms(void)
{
    return time_mono_ns() / NS_PER_MS;
}

int64_t time_wall_ns(void)
{
    return read_clock(CLOCK_REALTIME);
}

void time_sleep_ms(int64_t ms)
{
    struct timespec left = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000L};

    while (ms > 0 && nanosleep(&left, &left) && errno == EINTR)
        ;
}
