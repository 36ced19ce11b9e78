/* os_internal: what the shared files of base need from the twin folders posix/ and win32/. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The system's text for errno (posix) or GetLastError() (win32), without a full stop. */
void os_error_text(int code, char *out, size_t size);

/*
 * The part of a cancel switch that wakes waiting threads: an eventfd, or an event object.  OS_NONE
 * when the system has no more of them.
 */
#define OS_NONE ((intptr_t)-1)
intptr_t os_switch_open(void);
void os_switch_fire(intptr_t s);
void os_switch_close(intptr_t s);

struct cancel;
intptr_t cancel_os(const struct cancel *c); /* OS_NONE for NULL */
