/*
 * fault: named points where a test can make the world fail.
 *
 *     if (FAULT("state.commit")) return err_set(e, ERR_IO, "injected");
 *
 * Compiled in when BALLAST_FAULTS is defined (dev, asan, tsan); the constant false otherwise.  The
 * environment variable BALLAST_FAULT="state.commit:3" makes the third hit fail,
 * "state.commit:3+" that one and every later one (a missing feature: "fs.openat2:1+");
 * "state.commit:3:kill" ends the process there with SIGKILL.  Several are separated by commas.
 */
#pragma once

#include <stdbool.h>

#ifdef BALLAST_FAULTS
bool fault_hit(const char *point);
void fault_set(const char *point, unsigned nth, bool kill); /* for unit tests; NULL clears all */
void fault_set_from(const char *point, unsigned nth);       /* this hit and all that follow */
unsigned fault_count(const char *point);                    /* hits since it was set, or ever */
#define FAULT(point) fault_hit(point)
#else
#define FAULT(point) false
#endif
