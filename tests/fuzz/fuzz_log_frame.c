/*
 * What ballast-log reads: frames from a shim, addresses from options, a pattern for events of
 * several lines, and a log server's acknowledgement.  The first byte chooses.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "logdrivers/log_address.h"
#include "logdrivers/log_frame.h"
#include "logdrivers/remote/msgpack.h"
#include "logdrivers/remote/multiline.h"
#include "logdrivers/remote_opts.h"
#include "tests/fuzz/fuzz.h"

/* What has passed comes out whole, and goes into a frame again. */
static void frame(const uint8_t *data, size_t size)
{
    char *bytes = malloc(LOG_FRAME_MAX);
    struct log_frame again = {.bytes = bytes};
    struct log_frame_view v;
    struct log_line line;
    size_t sum = 0, lines = 0;

    if (log_frame_parse(data, size, &v, ERR_IGNORE) == 0 && v.kind == LOG_FRAME_LINES) {
        size_t count = v.count;

        while (log_frame_next(&v, &line)) {
            assert(line.bytes >= (const char *)data &&
                   line.bytes + line.len <= (const char *)data + size);
            assert(log_frame_add(&again, &line));
            sum += line.len;
            lines++;
        }
        assert(v.rest_len == 0 && lines == count && sum <= size);
        assert(lines == 0 || again.len == size);
    }
    free(bytes);
}

static void text(const char *s)
{
    struct log_address a = {0};
    struct multiline m = {0};
    struct kvs opts = {0};

    if (log_address_parse(s, &a, ERR_IGNORE) == 0)
        assert(a.scheme && a.host && a.port);
    log_address_release(&a);
    if (fluentd_address_parse(s, &a, ERR_IGNORE) == 0)
        assert(*a.port || *a.path);
    log_address_release(&a);
    /* Only as long as people write them: regcomp() takes its time for nested repetitions. */
    kvs_set(&opts, "awslogs-datetime-format", s);
    if (strlen(s) < 32 && !strpbrk(s, "*+{") && multiline_init(&m, &opts, ERR_IGNORE) == 0) {
        if (m.on)
            (void)multiline_begins(&m, s, strlen(s));
        multiline_release(&m);
    }
    kvs_release(&opts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cleanup_free char *s = NULL;

    if (size == 0)
        return 0;
    if (data[0] == 'f')
        frame(data + 1, size - 1);
    else if (data[0] == 'a')
        (void)msgpack_is_ack((const char *)data + 1, size - 1, "0123456789abcdef");
    else
        text(s = str_ndup((const char *)data + 1, size - 1));
    return 0;
}
