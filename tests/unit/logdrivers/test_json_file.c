/* The json-file driver: what one process writes, another reads, whatever happens in between. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/sync.h"
#include "base/time.h"
#include "core/log_driver.h"

struct fixture {
    char dir[64];
    char *path;
    const struct log_driver_ops *ops;
    struct log_writer *w;
    struct kvs opts;
};

static int set_up(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));

    snprintf(f->dir, sizeof(f->dir), "/tmp/ballast-log-XXXXXX");
    if (!mkdtemp(f->dir))
        return -1;
    f->path = str_printf("%s/c-json.log", f->dir);
    f->ops = log_driver_find("json-file");
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    f->ops->close(f->w);
    (void)!fs_remove_all(f->dir, ERR_IGNORE);
    kvs_release(&f->opts);
    free(f->path);
    free(f);
    return 0;
}

static void open_writer(struct fixture *f)
{
    assert_ok(f->ops->open(f->path, &f->opts, &f->w, &e));
}

static void put(struct fixture *f, const char *text, bool err, int64_t ns)
{
    struct log_line line = {.unix_ns = ns, .from_stderr = err, .bytes = text, .len = strlen(text)};

    assert_ok(f->ops->write(f->w, &line, &e));
}

static void put_numbers(struct fixture *f, int from, int to)
{
    for (int i = from; i < to; i++) {
        char text[32];

        snprintf(text, sizeof(text), "line %d", i);
        put(f, text, i % 2, (int64_t)i * NS_PER_SEC);
    }
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

static void expect(struct fixture *f, const struct log_read_opts *o, int from, int to)
{
    struct strv got = {0};

    assert_ok(f->ops->read(f->path, o, NULL, collect, &got, &e));
    assert_int_equal(got.n, to - from);
    for (int i = from; i < to; i++) {
        char text[32];

        snprintf(text, sizeof(text), "line %d", i);
        assert_string_equal(got.v[i - from], text);
    }
    strv_release(&got);
}

static void what_was_flushed_can_be_read(void **state)
{
    struct fixture *f = *state;
    struct log_read_opts o = all_opts();
    struct strv got = {0};

    open_writer(f);
    put_numbers(f, 0, 100);
    assert_ok(f->ops->flush(f->w, &e));
    expect(f, &o, 0, 100);
    o.err = false;
    assert_ok(f->ops->read(f->path, &o, NULL, collect, &got, &e));
    assert_int_equal(got.n, 50);
    assert_string_equal(got.v[1], "line 2");
    strv_release(&got);
}

static void the_tail_is_found_from_the_end(void **state)
{
    struct fixture *f = *state;
    struct log_read_opts o = all_opts();

    open_writer(f);
    put_numbers(f, 0, 5000); /* several blocks of the backward search */
    assert_ok(f->ops->flush(f->w, &e));
    for (int n = 0; n < 5200; n = n * 3 + 1) {
        o.tail = n;
        expect(f, &o, n > 5000 ? 0 : 5000 - n, 5000);
    }
}

static void since_and_until_cut_both_ends(void **state)
{
    struct fixture *f = *state;
    struct log_read_opts o = all_opts();

    open_writer(f);
    put_numbers(f, 0, 100);
    assert_ok(f->ops->flush(f->w, &e));
    o.since_ns = 10 * NS_PER_SEC;
    expect(f, &o, 10, 100);
    o.until_ns = 20 * NS_PER_SEC;
    expect(f, &o, 10, 21);
    o.since_ns = TIME_ZERO;
    expect(f, &o, 0, 21);
}

static void no_log_yet_reads_as_empty(void **state)
{
    struct fixture *f = *state;
    struct log_read_opts o = all_opts();

    expect(f, &o, 0, 0);
    o.tail = 10;
    expect(f, &o, 0, 0);
}

static void rotation_keeps_as_many_files_as_asked_and_the_order(void **state)
{
    struct fixture *f = *state;
    struct log_read_opts o = all_opts();
    struct stat st;
    char *third = str_printf("%s.3", f->path), *second = str_printf("%s.2", f->path);
    struct strv got = {0};

    kvs_set(&f->opts, "max-size", "2k");
    kvs_set(&f->opts, "max-file", "3");
    open_writer(f);
    put_numbers(f, 0, 60); /* about 75 bytes each: three files */
    assert_ok(f->ops->flush(f->w, &e));
    expect(f, &o, 0, 60);
    put_numbers(f, 60, 400);
    assert_ok(f->ops->flush(f->w, &e));
    assert_int_equal(stat(f->path, &st), 0);
    assert_true(st.st_size < 2200);
    assert_int_equal(stat(second, &st), 0);
    assert_true(st.st_size >= 2000 && st.st_size < 2200);
    assert_int_equal(stat(third, &st), -1);
    assert_ok(f->ops->read(f->path, &o, NULL, collect, &got, &e));
    assert_true(got.n > 50 && got.n < 100);
    assert_string_equal(got.v[got.n - 1], "line 399");
    strv_release(&got);
    o.tail = 40; /* across the files */
    expect(f, &o, 360, 400);
    free(second);
    free(third);
}

static void one_file_with_a_limit_begins_anew(void **state)
{
    struct fixture *f = *state;
    struct log_read_opts o = all_opts();
    struct strv got = {0}, names = {0};

    kvs_set(&f->opts, "max-size", "1k");
    open_writer(f);
    put_numbers(f, 0, 100);
    assert_ok(f->ops->flush(f->w, &e));
    assert_ok(f->ops->read(f->path, &o, NULL, collect, &got, &e));
    assert_true(got.n > 0 && got.n <= 15);
    assert_string_equal(got.v[got.n - 1], "line 99");
    assert_ok(fs_list(f->dir, &names, &e));
    assert_int_equal(names.n, 1);
    strv_release(&names);
    strv_release(&got);
}

static void append_raw(struct fixture *f, const char *text)
{
    int fd = open(f->path, O_WRONLY | O_APPEND | O_CREAT, 0600);

    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static void damaged_records_are_skipped(void **state)
{
    struct fixture *f = *state;
    struct log_read_opts o = all_opts();

    open_writer(f);
    put_numbers(f, 0, 1);
    assert_ok(f->ops->flush(f->w, &e));
    append_raw(f, "{\"log\":\"half\n\n\0x\n[]\n");
    put_numbers(f, 1, 2);
    assert_ok(f->ops->flush(f->w, &e));
    append_raw(f, "{\"log\":\"not whole");
    expect(f, &o, 0, 2);
    o.tail = 1;
    expect(f, &o, 1, 2);
}

static void half_a_record_of_a_killed_writer_is_cut_off(void **state)
{
    struct fixture *f = *state;
    struct log_read_opts o = all_opts();
    struct buf text = BUF_INIT(1024 * 1024);

    open_writer(f);
    put_numbers(f, 0, 1);
    f->ops->close(f->w);
    append_raw(f, "{\"log\":\"half");
    open_writer(f);
    put_numbers(f, 1, 2);
    assert_ok(f->ops->flush(f->w, &e));
    expect(f, &o, 0, 2);
    assert_ok(fs_read(f->path, &text, &e));
    assert_null(strstr(text.data, "half"));
    buf_release(&text);
}

static void attributes_are_in_every_record(void **state)
{
    struct fixture *f = *state;
    struct log_read_opts o = all_opts();
    struct buf text = BUF_INIT(1024 * 1024);

    kvs_set(&f->opts, "ballast.attrs", "{\"a\":\"b\"}");
    open_writer(f);
    put_numbers(f, 0, 2);
    assert_ok(f->ops->flush(f->w, &e));
    assert_ok(fs_read(f->path, &text, &e));
    assert_non_null(strstr(text.data, "\"stream\":\"stderr\",\"attrs\":{\"a\":\"b\"},\"time\""));
    expect(f, &o, 0, 2);
    buf_release(&text);
}

/* ------------------------------------------------------------------ following */

struct follower {
    struct fixture *f;
    struct log_read_opts o;
    struct cancel *cancel;
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

    fo->result = fo->f->ops->read(fo->f->path, &fo->o, fo->cancel, count, fo, &fo->e);
}

static void follower_start(struct follower *fo, struct fixture *f)
{
    *fo = (struct follower){.f = f, .o = all_opts(), .cancel = cancel_new()};
    fo->o.follow = true;
    fo->o.ended = has_ended;
    fo->o.ended_arg = fo;
    assert_ok(thread_start(&fo->thread, "follow", follow, fo, &e));
}

static void follower_wait(struct follower *fo, size_t n)
{
    for (int i = 0; i < 2000 && fo->n < n; i++)
        time_sleep_ms(5);
    assert_int_equal(fo->n, n);
}

static void follower_finish(struct follower *fo)
{
    thread_join(&fo->thread);
    cancel_free(fo->cancel);
    strv_release(&fo->got);
}

static void a_follower_sees_each_line_once_across_rotations(void **state)
{
    struct fixture *f = *state;
    struct follower fo;

    kvs_set(&f->opts, "max-size", "3k");
    kvs_set(&f->opts, "max-file", "20");
    follower_start(&fo, f); /* before there is a file */
    open_writer(f);
    for (int i = 0; i < 40; i++) {
        put_numbers(f, i * 20, i * 20 + 20);
        assert_ok(f->ops->flush(f->w, &e));
        if (i % 4 == 0)
            follower_wait(&fo, (size_t)i * 20 + 20);
    }
    fo.ended = true;
    thread_join(&fo.thread);
    fo.thread.started = false;
    assert_int_equal(fo.result, 0);
    assert_int_equal(fo.got.n, 800);
    for (int i = 0; i < 800; i++) {
        char text[32];

        snprintf(text, sizeof(text), "line %d", i);
        assert_string_equal(fo.got.v[i], text);
    }
    follower_finish(&fo);
}

static void a_follower_waits_for_the_end_of_a_record(void **state)
{
    struct fixture *f = *state;
    struct follower fo;

    append_raw(f, "{\"log\":\"in two");
    follower_start(&fo, f);
    time_sleep_ms(30);
    assert_int_equal(fo.n, 0);
    append_raw(f, " parts\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-24T06:15:41Z\"}\n");
    follower_wait(&fo, 1);
    assert_string_equal(fo.got.v[0], "in two parts");
    fo.ended = true;
    follower_finish(&fo);
}

static void a_follower_starts_again_when_the_log_was_emptied(void **state)
{
    struct fixture *f = *state;
    struct follower fo;

    open_writer(f);
    put_numbers(f, 0, 50);
    assert_ok(f->ops->flush(f->w, &e));
    follower_start(&fo, f);
    follower_wait(&fo, 50);
    assert_int_equal(truncate(f->path, 0), 0);
    put_numbers(f, 50, 51);
    assert_ok(f->ops->flush(f->w, &e));
    follower_wait(&fo, 51);
    fo.ended = true;
    follower_finish(&fo);
}

static void a_follower_ends_when_it_is_cancelled(void **state)
{
    struct fixture *f = *state;
    struct follower fo;

    follower_start(&fo, f);
    time_sleep_ms(20);
    cancel_fire(fo.cancel);
    thread_join(&fo.thread);
    fo.thread.started = false;
    assert_int_equal(fo.result, -1);
    assert_int_equal(fo.e.kind, ERR_CANCELLED);
    follower_finish(&fo);
}

static void a_follower_with_an_end_time_ends_then(void **state)
{
    struct fixture *f = *state;
    struct log_read_opts o = all_opts();

    open_writer(f);
    put_numbers(f, 0, 10);
    assert_ok(f->ops->flush(f->w, &e));
    o.follow = true;
    o.until_ns = time_wall_ns() + 50 * NS_PER_MS;
    expect(f, &o, 0, 10);
}

/* ------------------------------------------------------------------ full disk, and speed */

static void a_full_disk_costs_records_and_says_so(void **state)
{
    struct fixture *f = *state;
    struct log_read_opts o = all_opts();
    struct strv got = {0};
    struct err e = ERR_INIT;
    int full = open("/dev/full", O_WRONLY), saved, fd = -1;
    char link[64], target[256];

    open_writer(f);
    put_numbers(f, 0, 1);
    assert_ok(f->ops->flush(f->w, &e));
    for (int i = 3; i < 64; i++) { /* the writer's own descriptor */
        ssize_t n;

        snprintf(link, sizeof(link), "/proc/self/fd/%d", i);
        n = readlink(link, target, sizeof(target) - 1);
        if (n > 0 && (target[n] = '\0', str_eq(target, f->path)))
            fd = i;
    }
    assert_true(fd > 0);
    saved = dup(fd);
    dup2(full, fd);
    put_numbers(f, 1, 4);
    assert_int_equal(f->ops->flush(f->w, &e), -1);
    dup2(saved, fd);
    put_numbers(f, 4, 5);
    assert_ok(f->ops->flush(f->w, &e));
    assert_ok(f->ops->read(f->path, &o, NULL, collect, &got, &e));
    assert_int_equal(got.n, 3);
    assert_string_equal(got.v[1], "line 4");
    assert_string_equal(got.v[2], "[ballast: 3 log records were lost, the disk was full]");
    strv_release(&got);
    close(saved);
    close(full);
}

static void a_burst_is_few_writes(void **state)
{
    struct fixture *f = *state;
    struct log_read_opts o = all_opts();
    struct stat st;

    open_writer(f);
    put_numbers(f, 0, 500);
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_size, 0); /* nothing has left before the flush */
    assert_ok(f->ops->flush(f->w, &e));
    expect(f, &o, 0, 500);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(what_was_flushed_can_be_read),
        T(the_tail_is_found_from_the_end),
        T(since_and_until_cut_both_ends),
        T(no_log_yet_reads_as_empty),
        T(rotation_keeps_as_many_files_as_asked_and_the_order),
        T(one_file_with_a_limit_begins_anew),
        T(damaged_records_are_skipped),
        T(half_a_record_of_a_killed_writer_is_cut_off),
        T(attributes_are_in_every_record),
        T(a_follower_sees_each_line_once_across_rotations),
        T(a_follower_waits_for_the_end_of_a_record),
        T(a_follower_starts_again_when_the_log_was_emptied),
        T(a_follower_ends_when_it_is_cancelled),
        T(a_follower_with_an_end_time_ends_then),
        T(a_full_disk_costs_records_and_says_so),
        T(a_burst_is_few_writes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
