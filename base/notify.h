/*
 * notify: a bell that one thread waits for and any thread rings.
 *
 * Rings are not counted: however often it rang before the wait, the wait returns once.  A wait also
 * ends when its cancel fires, which a condition variable cannot do.
 */
#pragma once

#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"

struct cancel;
struct notify;

struct notify *notify_new(void);
void notify_ring(struct notify *n);
void notify_free(struct notify *n);
/* 1: it rang; 0: deadline_ms (time_mono_ms() scale, <0: none) passed; -1: ERR_CANCELLED. */
int notify_wait(struct notify *n, struct cancel *c, int64_t deadline_ms, struct err *e) MUST_USE;
