/* fd_internal: waiting for a descriptor together with a cancel switch, in one place. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct cancel;

/*
 * Waits until `fd` (-1: nothing but the switch) has one of `events`.  1: it has; 0: timeout_ms (-1:
 * none) passed; -1: cancelled or failed.
 */
int fd_wait(int fd, short events, int64_t timeout_ms, struct cancel *c, struct err *e) MUST_USE;

/* write(2) that answers EPIPE instead of raising SIGPIPE, for pipes, where send() does not work. */
ssize_t fd_write_quietly(int fd, const void *buf, size_t n);

bool fd_is_nonblocking(int fd);
void fd_set_nonblocking(int fd);
