/*
 * Records of the driver `local`: whatever is in a file, its reader ends, stays inside, and finds
 * the records behind what is damaged; and what the writer makes of a line comes back as it was.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "logdrivers/log_file.h"
#include "tests/fuzz/fuzz.h"

#define LINE_MAX_HERE 1024

static void check_any(const char *data, size_t size)
{
    struct log_decoder d = LOG_DECODER_INIT;
    struct log_line line;
    size_t at = 0, used;
    bool ok;

    while ((used = local_codec.next(&d, data + at, size - at, &ok, &line)) > 0) {
        assert(used <= size - at);
        if (ok && line.len > 0)
            assert(line.bytes >= data + at && line.bytes + line.len <= data + at + used);
        at += used;
    }
    buf_release(&d.text);
}

static void check_round_trip(const char *bytes, size_t len)
{
    struct log_line line = {.unix_ns = 7, .bytes = bytes, .len = len, .partial = len % 3 == 0};
    struct log_line back;
    struct log_encoder en = {.time_ns = TIME_ZERO};
    struct log_decoder d = LOG_DECODER_INIT;
    char *record = malloc(len + local_codec.room(len));
    size_t n, at = 0, used;
    bool ok = false;

    memcpy(record, bytes, len); /* damage before it */
    n = local_codec.encode(&en, record + len, &line);
    assert(n <= local_codec.room(len));
    assert(local_codec.next(&d, record + len, n, &ok, &back) == n && ok);
    assert(back.len == len && memcmp(back.bytes, bytes, len) == 0);
    assert(back.partial == line.partial && back.unix_ns == 7);
    while ((used = local_codec.next(&d, record + at, len + n - at, &ok, &back)) > 0)
        at += used;
    assert(at <= len + n);
    free(record);
}

static void check_backwards(const char *data, size_t size)
{
    char name[] = "/tmp/fuzz-local-XXXXXX";
    int fd = mkstemp(name);
    int64_t end, want = 3;

    assert(fd >= 0 && unlink(name) == 0);
    assert(write(fd, data, size) == (ssize_t)size);
    assert(local_codec.whole(fd, (int64_t)size, &end) == 0 && end >= 0 && end <= (int64_t)size);
    assert(local_codec.tail(fd, (int64_t)size, &want) <= (int64_t)size);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_any((const char *)data, size);
    if (size <= LINE_MAX_HERE) {
        check_round_trip((const char *)data, size);
        check_backwards((const char *)data, size);
    }
    return 0;
}
