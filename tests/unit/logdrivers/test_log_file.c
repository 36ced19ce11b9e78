/* What all drivers that write files promise: rotation, compression, readers that come along. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/fault.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/sync.h"
#include "base/time.h"
#include "logdrivers/local.h"
#include "logdrivers/log_file.h"

static const struct log_codec *const codecs[] = {&json_codec, &local_codec};

struct fixture {
    char dir[64];
    char *path;
    const struct log_codec *codec;
    struct log_file_opts opts;
    struct log_writer *w;
};

static void fixture_begin(struct fixture *f, const struct log_codec *codec, int64_t max_size,
                          int64_t max_files)
{
    *f = (struct fixture){
        .codec = codec, .opts = {.max_size = max_size, .max_files = max_files}
    };
    snprintf(f->dir, sizeof(f->dir), "/tmp/ballast-log-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    f->path = str_printf("%s/c.log", f->dir);
    assert_ok(log_file_open(codec, f->path, &f->opts, &f->w, &e));
}

static void fixture_end(struct fixture *f)
{
    log_file_close(f->w);
    assert_ok(fs_remove_all(f->dir, &e));
    free(f->path);
}

static void put(struct fixture *f, int from, int to)
{
    for (int i = from; i < to; i++) {
        char text[32];
        struct log_line line = {
            .unix_ns = (int64_t)(i + 1) * NS_PER_SEC, .from_stderr = i % 2, .bytes = text};

        line.len = (size_t)snprintf(text, sizeof(text), "line %d", i);
        assert_ok(log_file_write(f->w, &line, &e));
    }
}

static void flush(struct fixture *f)
{
    assert_ok(log_file_flush(f->w, &e));
}

static int collect(void *arg, const struct log_line *line, struct err *e)
{
    (void)e;
    strv_take(arg, str_ndup(line->bytes, line->len));
    return 0;
}

static struct log_read_opts all_opts(void)
{
    return (struct log_read_opts){
        .since_ns = TIME_ZERO, .until_ns = TIME_ZERO, .tail = -1, .out = true, .err = true};
}

static void expect_lines(const struct strv *got, int from, int to)
{
    for (int i = from; i < to && (size_t)(i - from) < got->n; i++) {
        char text[32];

        snprintf(text, sizeof(text), "line %d", i);
        assert_string_equal(got->v[i - from], text);
    }
    assert_int_equal(got->n, to - from);
}

static void expect(struct fixture *f, const struct log_read_opts *o, int from, int to)
{
    cleanup_strv struct strv got = {0};

    assert_ok(log_file_read(f->codec, f->path, o, NULL, collect, &got, &e));
    expect_lines(&got, from, to);
}

static bool has(struct fixture *f, const char *suffix)
{
    cleanup_free char *name = str_printf("%s%s", f->path, suffix);

    return access(name, F_OK) == 0;
}

/* ------------------------------------------------------------------ compressed old files */

static void old_files_are_compressed_and_read_like_others(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(codecs); i++) {
        struct log_read_opts o = all_opts();
        struct fixture f;

        fixture_begin(&f, codecs[i], 2000, 20);
        put(&f, 0, 150);
        flush(&f);
        assert_true(has(&f, ".1") && has(&f, ".2"));
        assert_ok(log_compress(f.path, &e));
        assert_true(has(&f, ".1.gz") && has(&f, ".2.gz"));
        assert_false(has(&f, ".1") || has(&f, ".2") || has(&f, LOG_GZ_WORK));
        expect(&f, &o, 0, 150);
        put(&f, 150, 300); /* plain ones in front of compressed ones */
        flush(&f);
        expect(&f, &o, 0, 300);
        for (int n = 0; n < 300; n = 2 * n + 1) {
            o.tail = n;
            expect(&f, &o, 300 - n, 300);
        }
        o.tail = -1;
        o.since_ns = 100 * NS_PER_SEC;
        o.until_ns = 200 * NS_PER_SEC;
        expect(&f, &o, 99, 200);
        fixture_end(&f);
    }
}

static void compressed_files_are_rotated_away_too(void **state)
{
    struct fixture f;
    cleanup_strv struct strv names = {0};

    (void)state;
    fixture_begin(&f, &local_codec, 1000, 3);
    for (int i = 0; i < 20; i++) {
        put(&f, i * 50, i * 50 + 50);
        flush(&f);
        assert_ok(log_compress(f.path, &e));
    }
    assert_ok(fs_list(f.dir, &names, &e));
    assert_int_equal(names.n, 3);
    assert_string_equal(names.v[1], "c.log.1.gz");
    assert_string_equal(names.v[2], "c.log.2.gz");
    fixture_end(&f);
}

static void two_compressors_do_not_meet(void **state)
{
    struct fixture f;
    struct log_read_opts o = all_opts();
    cleanup_free char *work = NULL;
    cleanup_fd int fd = -1;

    (void)state;
    fixture_begin(&f, &json_codec, 1000, 5);
    put(&f, 0, 40);
    flush(&f);
    work = str_printf("%s" LOG_GZ_WORK, f.path);
    assert_ok(fs_write_atomic(work, "x", 1, 0600, false, &e));
    fd = open(work, O_RDONLY | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_ok(log_compress(f.path, &e)); /* another one is at it */
    assert_true(has(&f, ".1"));
    fd_close(fd);
    fd = -1;
    assert_ok(log_compress(f.path, &e));
    assert_false(has(&f, ".1"));
    expect(&f, &o, 0, 40);
    fixture_end(&f);
}

static void a_damaged_archive_costs_its_own_lines_only(void **state)
{
    struct fixture f;
    struct log_read_opts o = all_opts();
    cleanup_strv struct strv got = {0};
    cleanup_free char *gz = NULL;
    struct stat st;

    (void)state;
    fixture_begin(&f, &json_codec, 2000, 5);
    put(&f, 0, 50);
    flush(&f);
    assert_ok(log_compress(f.path, &e));
    gz = str_printf("%s.1.gz", f.path);
    assert_int_equal(stat(gz, &st), 0);
    assert_int_equal(truncate(gz, st.st_size / 2), 0);
    assert_ok(log_file_read(f.codec, f.path, &o, NULL, collect, &got, &e));
    assert_true(got.n > 0 && got.n < 50);
    assert_string_equal(got.v[got.n - 1], "line 49");
    fixture_end(&f);
}

/* ------------------------------------------------------------------ followers */

struct follower {
    struct fixture *f;
    struct log_read_opts o;
    struct strv got;
    struct err e;
    int result;
    _Atomic size_t n;
    _Atomic bool ended;
    struct thread thread;
};

static int count(void *arg, const struct log_line *line, struct err *e)
{
    struct follower *fo = arg;

    collect(&fo->got, line, e);
    fo->n++;
    return 0;
}

static bool has_ended(void *arg)
{
    return ((struct follower *)arg)->ended;
}

static void follow(void *arg)
{
    struct follower *fo = arg;

    fo->result = log_file_read(fo->f->codec, fo->f->path, &fo->o, NULL, count, fo, &fo->e);
}

static void follower_start(struct follower *fo, struct fixture *f)
{
    *fo = (struct follower){.f = f, .o = all_opts()};
    fo->o.follow = true;
    fo->o.ended = has_ended;
    fo->o.ended_arg = fo;
    assert_ok(thread_start(&fo->thread, "follow", follow, fo, &e));
}

static void follower_expect(struct follower *fo, int to)
{
    fo->ended = true;
    thread_join(&fo->thread);
    assert_int_equal(fo->result, 0);
    expect_lines(&fo->got, 0, to);
    strv_release(&fo->got);
}

static int64_t inode_of(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 ? (int64_t)st.st_ino : -1;
}

#define BEHIND_MAX 10000 /* lines: well within LOG_FILE_SPARE */

/* Writes as a container does that prints as fast as it can; but a machine that does not let the
 * follower run at all would go beyond what log_file.h (3) promises. */
static int write_through_rotations(struct fixture *f, const struct follower *fo, int rotations,
                                   bool compress)
{
    int lines = 10;

    put(f, 0, lines);
    flush(f);
    for (int i = 0; i < 2000 && fo->n == 0; i++)
        time_sleep_ms(5);
    while (rotations > 0) {
        int64_t before = inode_of(f->path);

        while ((size_t)lines > fo->n + BEHIND_MAX)
            time_sleep_ms(1);
        put(f, lines, lines + 10);
        lines += 10;
        flush(f);
        if (inode_of(f->path) == before)
            continue;
        rotations--;
        if (compress)
            assert_ok(log_compress(f->path, &e));
    }
    return lines;
}

static void a_follower_sees_every_line_through_a_hundred_rotations(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(codecs); i++)
        for (int files = 1; files <= 3; files++) {
            struct fixture f;
            struct follower fo;
            int lines;

            fixture_begin(&f, codecs[i], 20000, files);
            follower_start(&fo, &f);
            lines = write_through_rotations(&f, &fo, 100, files > 1);
            follower_expect(&fo, lines);
            fixture_end(&f);
        }
}

/* The writer does not drop a second file under a reader, but nor does it wait for it for ever. */
/* The size that the current file has when it is rotated. */
static int64_t write_until_rotated(struct fixture *f, int *lines)
{
    int64_t first = inode_of(f->path);
    struct stat st;

    do {
        assert_int_equal(stat(f->path, &st), 0);
        put(f, *lines, *lines + 10);
        flush(f);
        *lines += 10;
    } while (inode_of(f->path) == first);
    return st.st_size;
}

static void a_slow_reader_puts_rotations_off_up_to_a_limit(void **state)
{
    struct fixture f;
    struct log_source reader;
    int64_t size;
    int lines = 0;

    (void)state;
    fixture_begin(&f, &json_codec, 1000, 1);
    put(&f, 0, 1);
    flush(&f);
    assert_int_equal(log_source_open(f.path, 0, &reader), 0);
    size = write_until_rotated(&f, &lines); /* dropped: the reader has it open */
    assert_true(size < 2000);
    size = write_until_rotated(&f, &lines);
    assert_true(size >= LOG_FILE_SPARE && size < LOG_FILE_SPARE + 4000);
    log_source_close(&reader);
    flush(&f); /* with nothing to write: what was held is let go */
    size = write_until_rotated(&f, &lines);
    assert_true(size < 2000);
    fixture_end(&f);
}

static void a_rotation_does_not_wait_for_who_has_the_names(void **state)
{
    struct fixture f;
    struct log_read_opts o = all_opts();
    int names;

    (void)state;
    fixture_begin(&f, &json_codec, 1000, 3);
    names = log_file_lock_names(f.path, true);
    assert_true(names >= 0);
    put(&f, 0, 60);
    flush(&f);
    assert_false(has(&f, ".1"));
    close(names);
    put(&f, 60, 90);
    flush(&f);
    assert_true(has(&f, ".1"));
    expect(&f, &o, 0, 90);
    fixture_end(&f);
}

/* ------------------------------------------------------------------ faults */

static void a_failed_write_costs_whole_lines_which_are_counted(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(codecs); i++) {
        struct log_read_opts o = all_opts();
        cleanup_strv struct strv got = {0};
        struct fixture f;
        struct err e = ERR_INIT;

        fixture_begin(&f, codecs[i], -1, 1);
        put(&f, 0, 10);
        flush(&f);
        put(&f, 10, 14);
        fault_set("log.write_part", 1, false); /* as a disk fills up: half of it is written, */
        fault_set("log.write", 2, false);      /* then nothing */
        assert_int_equal(log_file_flush(f.w, &e), -1);
        assert_non_null(strstr(e.msg, "No space left on device"));
        assert_int_equal(log_file_lost(f.w), 4);
        assert_int_equal(log_file_lost(f.w), 0);
        fault_set(NULL, 0, false);
        put(&f, 14, 15);
        flush(&f);
        assert_ok(log_file_read(f.codec, f.path, &o, NULL, collect, &got, &e));
        assert_int_equal(got.n, 12);
        assert_string_equal(got.v[9], "line 9");
        assert_string_equal(got.v[10], "line 14");
        assert_string_equal(got.v[11], "[ballast: 4 log records were lost, the disk was full]");
        fixture_end(&f);
    }
}

static void a_failed_rotation_goes_on_with_the_file_there_is(void **state)
{
    static const char *const points[] = {"log.open", "log.rename"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(points); i++) {
        struct log_read_opts o = all_opts();
        struct fixture f;
        struct err e = ERR_INIT;

        fixture_begin(&f, &json_codec, 1000, 4);
        fault_set_from(points[i], 1);
        for (int n = 0; n < 50; n++) { /* it may say so, and must keep the line */
            char text[32];
            struct log_line line = {.unix_ns = (n + 1) * NS_PER_SEC, .bytes = text};

            line.len = (size_t)snprintf(text, sizeof(text), "line %d", n);
            (void)!log_file_write(f.w, &line, &e);
        }
        fault_set(NULL, 0, false);
        flush(&f);
        expect(&f, &o, 0, 50);
        put(&f, 50, 60);
        flush(&f);
        expect(&f, &o, 0, 60);
        assert_true(has(&f, ".1"));
        assert_int_equal(log_file_lost(f.w), 0);
        fixture_end(&f);
    }
}

static void a_failed_read_is_told(void **state)
{
    struct log_read_opts o = all_opts();
    cleanup_strv struct strv got = {0};
    struct fixture f;
    struct err e = ERR_INIT;

    (void)state;
    fixture_begin(&f, &json_codec, -1, 1);
    put(&f, 0, 5);
    flush(&f);
    fault_set("log.read", 1, false);
    assert_int_equal(log_file_read(f.codec, f.path, &o, NULL, collect, &got, &e), -1);
    fault_set(NULL, 0, false);
    assert_non_null(strstr(e.msg, "Input/output error"));
    fixture_end(&f);
}

static void a_compressor_that_fails_leaves_the_file_as_it_was(void **state)
{
    struct fixture f;
    struct log_read_opts o = all_opts();
    cleanup_free char *gz = NULL;
    struct err e = ERR_INIT;

    (void)state;
    fixture_begin(&f, &json_codec, 1000, 4);
    put(&f, 0, 20);
    flush(&f);
    gz = str_printf("%s.1.gz", f.path);
    assert_ok(fs_mkdir_p(gz, 0700, &e)); /* it cannot be put there */
    assert_int_equal(log_compress(f.path, &e), -1);
    assert_true(has(&f, ".1"));
    assert_false(has(&f, LOG_GZ_WORK));
    expect(&f, &o, 0, 20);
    fixture_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(old_files_are_compressed_and_read_like_others),
        cmocka_unit_test(compressed_files_are_rotated_away_too),
        cmocka_unit_test(two_compressors_do_not_meet),
        cmocka_unit_test(a_damaged_archive_costs_its_own_lines_only),
        cmocka_unit_test(a_follower_sees_every_line_through_a_hundred_rotations),
        cmocka_unit_test(a_slow_reader_puts_rotations_off_up_to_a_limit),
        cmocka_unit_test(a_rotation_does_not_wait_for_who_has_the_names),
        cmocka_unit_test(a_failed_write_costs_whole_lines_which_are_counted),
        cmocka_unit_test(a_failed_rotation_goes_on_with_the_file_there_is),
        cmocka_unit_test(a_failed_read_is_told),
        cmocka_unit_test(a_compressor_that_fails_leaves_the_file_as_it_was),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
