/*
 * fault: named points where a test can make the world fail.
 *
 *     if (FAULT("state.commit")) return err_set(e, ERR_IO, "injected");
 *
 * Compiled in when BALLAST_FAULTS is defined (dev, asan, tsan); the constant false otherwise.  The
 * environment variable BALLAST_FAULT="state.commit:3" makes the third hit fail;
 * "state.commit:3:kill" ends the process there with SIGKILL.
 */
#pragma once

#include <stdbool.h>

#ifdef BALLAST_FAULTS
bool fault_hit(const char *point);
void fault_set(const char *point, unsigned nth, bool kill); /* for unit tests; NULL clears all */
unsigned fault_count(const char *point);
#define FAULT(point) fault_hit(point)
#else
#define FAULT(point) false
#endif
