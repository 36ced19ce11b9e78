/*
 * shim_log: from chunks of output to lines of the container's log.
 *
 * Lines end at a newline; longer ones than LOG_LINE_MAX are given to the driver in parts.  Text
 * without its newline waits for it, until the container ends.  A driver that fails costs lines and
 * one warning, never the container.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

struct loop;
struct shim_log;

int shim_log_open(const char *driver, const char *path, const struct kvs *opts,
                  struct shim_log **out, struct err *e) MUST_USE;
struct shim_log_events {
    void (*room)(void *arg); /* shim_log_blocks() has become false again */
    void (*lost)(void *arg, uint64_t lines, const char *why);
    void *arg;
};
/* Who is told of lines that were lost; nobody until then. */
void shim_log_watch(struct shim_log *l, const struct shim_log_events *events);
/* The lines also go elsewhere: see shim_remote.h for `request`. */
int shim_log_deliver(struct shim_log *l, struct loop *loop, const struct json *request,
                     struct err *e) MUST_USE;
/* The container's output is not to be read for now.  l may be NULL. */
bool shim_log_blocks(const struct shim_log *l);
void shim_log_feed(struct shim_log *l, bool from_stderr, const char *bytes, size_t n);
void shim_log_flush(struct shim_log *l); /* the output pauses */
void shim_log_trim(struct shim_log *l);  /* and has done so for a while: gives memory back */
void shim_log_close(struct shim_log *l); /* NULL is fine */
