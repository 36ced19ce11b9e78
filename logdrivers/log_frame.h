/*
 * log_frame: what a shim and its ballast-log say to each other.
 *
 * They share a socket pair of type SOCK_SEQPACKET, so that a message is there whole or not at all,
 * and the end of one side is seen by the other.  Both run on one machine: numbers are in its order.
 *
 *     version u8 | kind u8 | stream u8 | 0 u8 | count u32 | number u64 | ...
 *
 *     LINES   shim to program.  number: the time of all its lines, ns since 1970.  count: how many.
 *             Then for each line  u16 (bit 15: the line goes on in the next one; the rest: length)
 *             and its bytes.
 *     READY   program to shim: the driver is open.
 *     FAILED  program to shim: it is not; the rest is why.
 *     STATUS  program to shim.  number: lines dealt with since it began, the lost ones included;
 *             then u64 lost, and why the last of them were.
 *
 * The program may be newer than the shim, so a kind that is not known is ignored, and a version
 * that is not known is an error.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "core/log_driver.h"

#define LOG_FRAME_VERSION 1
#define LOG_FRAME_HEAD    16
#define LOG_FRAME_MAX     (32 * 1024) /* below what a socket takes at once, everywhere */
#define LOG_FRAME_FDS     3           /* the program's end of the pair; its configuration is on 4 */
#define LOG_CONFIG_FD     4

enum log_frame_kind { LOG_FRAME_LINES = 1, LOG_FRAME_READY, LOG_FRAME_FAILED, LOG_FRAME_STATUS };

/* Writing: a frame that is being filled, in LOG_FRAME_MAX bytes of the caller's. */
struct log_frame {
    char *bytes;
    size_t len; /* 0: not begun */
};

/* false: the line needs a frame of its own, as it has another time or stream, or no room. */
bool log_frame_add(struct log_frame *f, const struct log_line *line);
uint32_t log_frame_count(const void *bytes, size_t len);

/* A message without lines; text may be NULL, lost is written for STATUS only.  Returns its size. */
size_t log_frame_tell(char out[LOG_FRAME_MAX], enum log_frame_kind kind, uint64_t handled,
                      uint64_t lost, const char *text);

/* Reading. */
struct log_frame_view {
    enum log_frame_kind kind;
    bool from_stderr;
    uint32_t count;
    uint64_t number, lost;
    const char *rest;
    size_t rest_len;
};
/* Looks at all of it: what has passed can be iterated without further checks. */
int log_frame_parse(const void *bytes, size_t len, struct log_frame_view *out,
                    struct err *e) MUST_USE;
/* The next line of LINES; false after the last one. */
bool log_frame_next(struct log_frame_view *v, struct log_line *line);
