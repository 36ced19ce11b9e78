/*
 * Records of a json-file log: damaged ones must not crash the reader, and whatever bytes a
 * container prints must come back from what the writer makes of them (invalid UTF-8 as U+FFFD).
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "logdrivers/json_record.h"
#include "tests/fuzz/fuzz.h"

static void check_round_trip(const char *bytes, size_t len)
{
    struct log_line line = {.bytes = bytes, .len = len, .partial = len % 2}, back, again;
    struct buf text = BUF_INIT(8 * LOG_LINE_MAX), text2 = BUF_INIT(8 * LOG_LINE_MAX);
    char *record = malloc(JSON_RECORD_MAX(len)), *second;
    size_t n = json_record_encode(record, &line, "2026-11-24T06:15:41.5Z", "", 0), n2;

    assert(n <= JSON_RECORD_MAX(len));
    assert(memchr(record, '\n', n) == record + n - 1);
    assert(json_record_decode(record, n, &text, &back));
    /* A part of a line may end in a newline of its own only if the container's line does. */
    if (!(line.partial && len > 0 && bytes[len - 1] == '\n'))
        assert(back.partial == line.partial);
    second = malloc(JSON_RECORD_MAX(back.len));
    n2 = json_record_encode(second, &back, "2026-11-24T06:15:41.5Z", "", 0);
    assert(json_record_decode(second, n2, &text2, &again));
    assert(again.len == back.len && memcmp(again.bytes, back.bytes, back.len) == 0);
    buf_release(&text);
    buf_release(&text2);
    free(record);
    free(second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf text = BUF_INIT(1024 * 1024);
    struct log_line line;

    if (json_record_decode((const char *)data, size, &text, &line))
        assert(line.len <= size);
    buf_release(&text);
    if (size <= LOG_LINE_MAX)
        check_round_trip((const char *)data, size);
    return 0;
}
