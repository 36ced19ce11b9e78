/* Records of the driver local: dockerd's bytes, both ways, and what is between them when damaged.
 */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "logdrivers/log_file.h"

/* What dockerd 28.5.2 wrote for `echo err >&2` and, on stdout, for text without a newline. */
static const char by_dockerd[] =
    "\x00\x00\x00\x17\x0a\x06"
    "stderr\x10\xff\xed\xe1\xdd\x96\xa9\xbd\xf5\x18\x1a\x03"
    "err\x00\x00\x00\x17"
    "\x00\x00\x00\x60\x0a\x06"
    "stdout\x10\xb3\x8c\xb9\xfc\x96\xa9\xbd\xf5\x18\x1a\x04"
    "tail\x20\x01\x2a\x44\x12\x40"
    "9f04c455cd24f1ef676c89a1310a082e53f7feea52ced0fb8d80f40eca59ca47\x18\x01\x00\x00\x00\x60";

static const int64_t by_dockerd_ns = 1795517097149232895;

static size_t encode(struct log_encoder *en, char *dst, const char *text, bool partial, bool err)
{
    struct log_line line = {.unix_ns = by_dockerd_ns,
                            .from_stderr = err,
                            .partial = partial,
                            .bytes = text,
                            .len = strlen(text)};
    size_t n = local_codec.encode(en, dst, &line);

    assert_true(n <= local_codec.room(line.len));
    return n;
}

static void dockerds_records_are_read(void **state)
{
    struct log_decoder d = LOG_DECODER_INIT;
    struct log_line line;
    bool ok;
    size_t n;

    (void)state;
    n = local_codec.next(&d, by_dockerd, sizeof(by_dockerd) - 1, &ok, &line);
    assert_int_equal(n, 31);
    assert_true(ok && line.from_stderr && !line.partial);
    assert_int_equal(line.len, 3);
    assert_memory_equal(line.bytes, "err", 3);
    assert_int_equal(line.unix_ns, by_dockerd_ns);
    assert_int_equal(local_codec.next(&d, by_dockerd + n, sizeof(by_dockerd) - 1 - n, &ok, &line),
                     104);
    assert_true(ok && !line.from_stderr && line.partial);
    assert_memory_equal(line.bytes, "tail", 4);
}

static void ours_are_byte_for_byte_dockerds(void **state)
{
    struct log_encoder en = {.time_ns = TIME_ZERO};
    char got[256];

    (void)state;
    assert_int_equal(encode(&en, got, "err", false, true), 31);
    assert_memory_equal(got, by_dockerd, 31);
    /* Of a part the ID is random, and the time another. */
    assert_int_equal(encode(&en, got, "tail", true, false), 104);
    assert_memory_equal(got, by_dockerd + 31, 13);
    assert_memory_equal(got + 22, by_dockerd + 31 + 22, 12);
    assert_memory_equal(got + 98, by_dockerd + 31 + 98, 6);
}

static void parts_of_a_line_are_counted_and_the_last_one_ends_it(void **state)
{
    struct log_encoder en = {.time_ns = TIME_ZERO};
    struct log_decoder d = LOG_DECODER_INIT;
    static const bool partial[] = {true, true, false, false};
    char record[256], id[2][64];

    (void)state;
    for (int i = 0; i < 4; i++) {
        size_t n = encode(&en, record, "x", partial[i], false);
        struct log_line line;
        const char *at;
        bool ok;

        assert_int_equal(local_codec.next(&d, record, n, &ok, &line), n);
        assert_true(ok && line.partial == partial[i]);
        at = memmem(record, n, "\x12\x40", 2);
        assert_true((at != NULL) == (i < 3)); /* the fourth is a line of its own */
        if (!at)
            continue;
        memcpy(id[i > 0], at + 2, 64);
        assert_memory_equal(id[0], id[i > 0], 64);
        assert_int_equal(at[67], i + 1); /* the ordinal */
    }
}

static void records_behind_damage_are_found(void **state)
{
    static const struct {
        size_t from, len;
    } holes[] = {
        {0,  1 },
        {0,  31},
        {3,  9 },
        {20, 11},
        {27, 4 },
        {5,  40},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(holes); i++) {
        struct log_decoder d = LOG_DECODER_INIT;
        char bytes[512];
        size_t n = 0, lines = 0, used;
        struct log_line line;
        bool ok;

        memcpy(bytes, by_dockerd, holes[i].from);
        n = holes[i].from;
        memcpy(bytes + n, by_dockerd + holes[i].from + holes[i].len,
               sizeof(by_dockerd) - 1 - holes[i].from - holes[i].len);
        n += sizeof(by_dockerd) - 1 - holes[i].from - holes[i].len;
        memcpy(bytes + n, by_dockerd, sizeof(by_dockerd) - 1);
        n += sizeof(by_dockerd) - 1;
        for (size_t at = 0; at < n; at += used) {
            used = local_codec.next(&d, bytes + at, n - at, &ok, &line);
            assert_true(used > 0);
            lines += ok;
        }
        assert_true(lines >= 2);
    }
}

static void half_a_record_at_the_end_is_cut_off(void **state)
{
    char name[] = "/tmp/ballast-local-XXXXXX";
    cleanup_fd int fd = mkstemp(name);
    int64_t end, want;

    (void)state;
    assert_true(fd >= 0 && unlink(name) == 0);
    for (size_t half = 0; half < 104; half += 7) {
        size_t n = 31 + half;

        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(pwrite(fd, by_dockerd, n, 0), (ssize_t)n);
        assert_int_equal(local_codec.whole(fd, (int64_t)n, &end), 0);
        assert_int_equal(end, 31);
    }
    assert_int_equal(pwrite(fd, by_dockerd, sizeof(by_dockerd) - 1, 0), 135);
    assert_int_equal(local_codec.whole(fd, 135, &end), 0);
    assert_int_equal(end, 135);
    assert_int_equal(local_codec.whole(fd, 3, &end), 0);
    assert_int_equal(end, 0);
    want = 1;
    assert_int_equal(local_codec.tail(fd, 135, &want), 31);
    assert_int_equal(want, 0);
    want = 5;
    assert_int_equal(local_codec.tail(fd, 135, &want), 0);
    assert_int_equal(want, 3);
    want = 5; /* from inside a record it cannot be told, and nothing is counted */
    assert_int_equal(local_codec.tail(fd, 100, &want), -1);
    assert_int_equal(want, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dockerds_records_are_read),
        cmocka_unit_test(ours_are_byte_for_byte_dockerds),
        cmocka_unit_test(parts_of_a_line_are_counted_and_the_last_one_ends_it),
        cmocka_unit_test(records_behind_damage_are_found),
        cmocka_unit_test(half_a_record_at_the_end_is_cut_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
