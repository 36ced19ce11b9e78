/* time on Windows: the clocks. */
#include "base/time.h"

#include <windows.h>

/* From 1601, in units of 100 ns, to 1970. */
#define EPOCH_100NS 116444736000000000LL

int64_t time_mono_ns(void)
{
    LARGE_INTEGER now, hz;

    QueryPerformanceFrequency(&hz);
    QueryPerformanceCounter(&now);
    return now.QuadPart / hz.QuadPart * NS_PER_SEC +
           now.QuadPart % hz.QuadPart * NS_PER_SEC / hz.QuadPart;
}

int64_t time_mono_ms(void)
{
    return time_mono_ns() / NS_PER_MS;
}

int64_t time_wall_ns(void)
{
    FILETIME ft;

    GetSystemTimePreciseAsFileTime(&ft);
    return ((int64_t)((uint64_t)ft.dwHighDateTime << 32 | ft.dwLowDateTime) - EPOCH_100NS) * 100;
}

void time_sleep_ms(int64_t ms)
{
    for (; ms > INT32_MAX; ms -= INT32_MAX)
        Sleep(INT32_MAX);
    if (ms > 0)
        Sleep((DWORD)ms);
}
