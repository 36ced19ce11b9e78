/* pidfile: one agent per data-root, and a file that says which process it is. */
#pragma once

#include "base/err.h"

/* Locks <data_root>/lock until the process ends; a second agent gets ERR_CONFLICT with the other's
 * PID. */
int pidfile_lock_root(const char *data_root, struct err *e) MUST_USE;
int pidfile_write(const char *path, struct err *e) MUST_USE;
