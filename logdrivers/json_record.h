/*
 * json_record: one record of a json-file log, to bytes and back.
 *
 *     {"log":"a line\n","stream":"stdout","time":"2026-11-24T06:15:41.123456789Z"}\n
 *
 * The format is a public contract: tools of third parties read these files.  The escapes are the
 * ones dockerd writes, down to <, > and & as \u003c, \u003e, \u0026 and invalid UTF-8 as \ufffd.  A
 * record whose text does not end in "\n" is a part of a line that goes on in the next record.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "core/log_driver.h"

/* Bytes that a record of a line of `len` bytes may need at most, without its attributes. */
#define JSON_RECORD_MAX(len) (6 * (size_t)(len) + 128)

/*
 * Writes the record to dst, which has room for JSON_RECORD_MAX(line->len) + attrs_len bytes, and
 * returns its size.  attrs is an object's text, or empty; time is RFC 3339 without quotes.
 */
size_t json_record_encode(char *dst, const struct log_line *line, const char *time,
                          const char *attrs, size_t attrs_len);

/*
 * Reads one record; false when it is damaged.  line->bytes points into `text`, which is reused.
 * Keys may come in any order and unknown ones are skipped.
 */
bool json_record_decode(const char *record, size_t len, struct buf *text, struct log_line *line);
