/*
 * exe_guard: a container must not be able to write to the runtime through /proc/PID/exe.
 *
 * A process of ours that enters a container shows its own binary there.  So it runs from a private,
 * detached, read-only clone of its mount (the pages stay shared with every other instance), or,
 * before Linux 5.12, from a sealed memory file.
 */
#pragma once

#include "base/compiler.h"
#include "base/err.h"

/* First thing in main(): returns 0 when the program runs guarded, otherwise executes itself anew.
 */
int exe_guard(char *const argv[], struct err *e) MUST_USE;
/* A descriptor to be executed as /proc/self/fd/N: whoever starts it so saves the second exec. */
int exe_guard_open(const char *path, struct err *e) MUST_USE;
