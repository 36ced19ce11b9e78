/*
 * Records of a json-file log: damaged ones must not crash the reader, and whatever bytes a
 * container prints must come back from what the writer makes of them (invalid UTF-8 as U+FFFD).
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "logdrivers/log_file.h"
#include "tests/fuzz/fuzz.h"

static void decode(struct log_decoder *d, const char *record, size_t n, struct log_line *line)
{
    bool ok;

    assert(json_codec.next(d, record, n, &ok, line) == n && ok);
}

static void check_round_trip(const char *bytes, size_t len)
{
    struct log_line line = {.bytes = bytes, .len = len, .partial = len % 2}, back, again;
    struct log_encoder en = {.time_ns = TIME_ZERO};
    struct log_decoder d = LOG_DECODER_INIT, d2 = LOG_DECODER_INIT;
    char *record = malloc(json_codec.room(len)), *second;
    size_t n = json_codec.encode(&en, record, &line), n2;

    assert(n <= json_codec.room(len));
    assert(memchr(record, '\n', n) == record + n - 1);
    decode(&d, record, n, &back);
    /* A part of a line may end in a newline of its own only if the container's line does. */
    if (!(line.partial && len > 0 && bytes[len - 1] == '\n'))
        assert(back.partial == line.partial);
    second = malloc(json_codec.room(back.len));
    n2 = json_codec.encode(&en, second, &back);
    decode(&d2, second, n2, &again);
    assert(again.len == back.len && memcmp(again.bytes, back.bytes, back.len) == 0);
    buf_release(&d.text);
    buf_release(&d2.text);
    free(record);
    free(second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct log_decoder d = LOG_DECODER_INIT;
    struct log_line line;
    size_t at = 0, used;
    bool ok;

    while ((used = json_codec.next(&d, (const char *)data + at, size - at, &ok, &line)) > 0) {
        assert(used <= size - at);
        if (ok)
            assert(line.len <= used && line.attrs_len <= used);
        at += used;
    }
    buf_release(&d.text);
    if (size <= LOG_LINE_MAX)
        check_round_trip((const char *)data, size);
    return 0;
}
