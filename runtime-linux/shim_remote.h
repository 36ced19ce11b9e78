/*
 * shim_remote: the way from a shim to the program that delivers its log elsewhere.
 *
 * (1) Without a remote driver none of this exists.
 * (2) Lines are gathered into frames (logdrivers/log_frame.h).  A frame that the program does not
 *     take waits here.  In blocking mode the container's output is not read meanwhile, so at most
 *     what was read already waits; in non-blocking mode, what exceeds REMOTE_PENDING_MAX is lost.
 * (3) A program that dies is started again.  What it had been given and not yet reported as dealt
 *     with counts as lost.  While it cannot be started the container waits for
 *     REMOTE_GONE_MS at most, then it is as in non-blocking mode.
 * (4) At the end what waits here is left in the socket for the program to drain, which it does on
 *     its own: the container's exit does not wait for a log server.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "core/log_driver.h"
#include "runtime-linux/loop.h"

#define REMOTE_PENDING_MAX (256 * 1024)
#define REMOTE_GONE_MS     10000

struct shim_remote;

struct shim_remote_sink {
    void (*room)(void *arg); /* it does not block any more */
    void (*lost)(void *arg, uint64_t lines, const char *why);
    void *arg;
};

/*
 * request: {"program": path, "blocking": bool, "config": {...}}, as run_log.c writes it.  Returns
 * when the driver is open, or with its words for why not.
 */
int shim_remote_open(struct loop *l, const struct json *request,
                     const struct shim_remote_sink *sink, struct shim_remote **out,
                     struct err *e) MUST_USE;
void shim_remote_line(struct shim_remote *r, const struct log_line *line);
void shim_remote_flush(struct shim_remote *r);
void shim_remote_trim(struct shim_remote *r);
bool shim_remote_blocks(const struct shim_remote *r);
void shim_remote_close(struct shim_remote *r);
