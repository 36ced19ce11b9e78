/*
 * time: two clocks and the texts of one of them.
 *
 * Intervals are measured on the monotonic clock, in milliseconds; what people read is wall time, in
 * nanoseconds since 1970 UTC.  The two are never mixed.  RFC 3339 with nanoseconds, as Go prints it
 * (trailing zeros cut; "0001-01-01T00:00:00Z" for the zero time, which is INT64_MIN here:
 * TIME_ZERO).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"

#define TIME_ZERO     INT64_MIN
#define TIME_TEXT_MAX 40
#define NS_PER_SEC    1000000000LL
#define NS_PER_MS     1000000LL

int64_t time_mono_ms(void);
int64_t time_mono_ns(void);
int64_t time_wall_ns(void);
void time_sleep_ms(int64_t ms); /* for tests and back-off in helpers; the agent waits on cancel */

void time_format(int64_t wall_ns, char out[TIME_TEXT_MAX]);       /* zeros cut */
void time_format_fixed(int64_t wall_ns, char out[TIME_TEXT_MAX]); /* always 9 digits */
int time_parse(const char *s, int64_t *wall_ns, struct err *e) MUST_USE;
/* A duration in the words of docker's lists: "Less than a second", "About a minute", "3 hours". */
void time_human(int64_t ns, char *out, size_t size);
