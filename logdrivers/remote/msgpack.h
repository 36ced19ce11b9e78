/* msgpack: the few forms that fluentd's forward protocol needs, written; and its answer, read. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

void msgpack_array(struct buf *b, unsigned n); /* at most 15 elements follow */
void msgpack_map(struct buf *b, size_t n);     /* n pairs follow */
void msgpack_str(struct buf *b, const char *s, size_t n);
void msgpack_i64(struct buf *b, int64_t v);
/* fluentd's EventTime: seconds and nanoseconds. */
void msgpack_event_time(struct buf *b, int64_t unix_ns);

/* {"ack": id} -> 1 when it is this one, 0 when more bytes are needed, -1 when it is anything else.
 */
int msgpack_is_ack(const char *bytes, size_t len, const char *id);
