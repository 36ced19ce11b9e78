/* The small parts of a shim: its protocol's bytes, its lock, its exit record, its way to lines. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/time.h"
#include "core/log_driver.h"
#include "runtime-linux/exit_record.h"
#include "runtime-linux/shim_lock.h"
#include "runtime-linux/shim_log.h"
#include "runtime-linux/shim_protocol.h"

static int make_dir(void **state)
{
    char *dir = xstrdup("/tmp/ballast-shim-XXXXXX");

    *state = dir;
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    (void)!fs_remove_all(*state, ERR_IGNORE);
    free(*state);
    return 0;
}

static void a_header_comes_back_as_it_was(void **state)
{
    const struct shim_header h = {SHIM_VERSION, SHIM_EXEC, 7, 123456};
    struct shim_header back;
    uint8_t bytes[SHIM_HEADER];

    (void)state;
    shim_header_encode(&h, bytes);
    assert_memory_equal(bytes, "BSHM\0\1", 6);
    assert_ok(shim_header_decode(bytes, &back, &e));
    assert_memory_equal(&h, &back, sizeof(h));
}

static void foreign_and_oversized_messages_are_refused(void **state)
{
    struct shim_header h = {SHIM_VERSION, SHIM_EXEC, 0, SHIM_PAYLOAD_MAX + 1};
    uint8_t bytes[SHIM_HEADER] = "GET / HTTP/1.1";
    struct shim_header back;

    (void)state;
    assert_err(shim_header_decode(bytes, &back, &e), ERR_INVALID);
    shim_header_encode(&h, bytes);
    assert_err(shim_header_decode(bytes, &back, &e), ERR_INVALID);
    h = (struct shim_header){SHIM_VERSION + 1, SHIM_EXEC, 0, 0};
    shim_header_encode(&h, bytes);
    assert_err(shim_header_decode(bytes, &back, &e), ERR_INVALID);
}

static void an_error_travels_word_for_word(void **state)
{
    struct buf out = BUF_INIT(64 * 1024);
    struct err in = {.kind = ERR_NOT_FOUND, .os_code = ENOENT}, back = ERR_INIT;
    struct shim_header h;

    (void)state;
    snprintf(in.msg, sizeof(in.msg), "exec: \"x\\y\": executable \"file\" not found\n in $PATH");
    shim_failure(SHIM_START, &in, &out);
    assert_ok(shim_header_decode((const uint8_t *)out.data, &h, &e));
    assert_int_equal(h.length, out.len - SHIM_HEADER);
    assert_int_equal(shim_failure_decode(&h, out.data + SHIM_HEADER, h.length, &back), -1);
    assert_int_equal(back.kind, in.kind);
    assert_int_equal(back.os_code, in.os_code);
    assert_string_equal(back.msg, in.msg);
    buf_release(&out);
}

static void an_exit_record_is_there_whole_or_not_at_all(void **state)
{
    const struct exit_record r = {
        .exit_code = 137, .oom_killed = true, .started_ns = 1795500000123456789, .finished_ns = 2};
    struct exit_record back;

    assert_err(exit_record_read(*state, &back, &e), ERR_NOT_FOUND);
    assert_ok(exit_record_write(*state, &r, true, &e));
    assert_ok(exit_record_read(*state, &back, &e));
    assert_int_equal(back.exit_code, 137);
    assert_true(back.oom_killed);
    assert_true(back.started_ns == r.started_ns && back.finished_ns == 2);
    assert_ok(exit_record_remove(*state, &e));
    assert_ok(exit_record_remove(*state, &e));
    assert_err(exit_record_read(*state, &back, &e), ERR_NOT_FOUND);
}

static void a_damaged_exit_record_is_told_from_none(void **state)
{
    const struct exit_record r = {.exit_code = 1};
    struct exit_record back;
    char *path = path_join(*state, "exit.json");

    assert_ok(exit_record_write(*state, &r, false, &e));
    assert_ok(fs_write_atomic(path, "", 0, 0600, false, &e)); /* what a power cut may leave */
    assert_err(exit_record_read(*state, &back, &e), ERR_INVALID);
    assert_true(exit_record_time(*state) > 0);
    assert_true(exit_record_time(*state) == exit_record_time(*state));
    assert_ok(exit_record_remove(*state, &e));
    free(path);
}

static void the_lock_has_one_holder_and_can_be_asked_about(void **state)
{
    int dir = open(*state, O_RDONLY | O_DIRECTORY), first = -1, second = -1;

    assert_false(shim_lock_held(dir));
    assert_int_equal(shim_lock_take(dir, &first), 0);
    assert_true(shim_lock_held(dir));
    assert_int_equal(shim_lock_take(dir, &second), EAGAIN);
    close(first);
    assert_false(shim_lock_held(dir));
    close(dir);
}

/* ------------------------------------------------------------------ lines */

struct joined {
    struct buf out[2];
    size_t longest;
    unsigned lines;
};

static int join(void *arg, const struct log_line *line, struct err *e)
{
    struct joined *j = arg;

    (void)e;
    buf_add(&j->out[line->from_stderr], line->bytes, line->len);
    if (!line->partial)
        buf_add(&j->out[line->from_stderr], "\n", 1);
    if (line->len > j->longest)
        j->longest = line->len;
    j->lines++;
    return 0;
}

static void read_back(const char *path, struct joined *j)
{
    const struct log_read_opts o = {
        .since_ns = TIME_ZERO, .until_ns = TIME_ZERO, .tail = -1, .out = true, .err = true};

    *j = (struct joined){
        .out = {BUF_INIT(64 * 1024 * 1024), BUF_INIT(64 * 1024 * 1024)}
    };
    assert_ok(log_driver_find("json-file")->read(path, &o, NULL, join, j, &e));
}

/* Any text, cut anywhere, comes back as it was. */
static void chunks_become_lines_and_lines_the_same_text(void **state)
{
    char *path = path_join(*state, "x.log");
    struct kvs opts = {0};

    srand(11);
    for (int round = 0; round < 20; round++) {
        struct buf in[2] = {BUF_INIT(64 * 1024 * 1024), BUF_INIT(64 * 1024 * 1024)};
        struct shim_log *l = NULL;
        struct joined j;

        assert_ok(shim_log_open("json-file", path, &opts, &l, &e));
        for (int chunk = 0; chunk < 200; chunk++) {
            static char bytes[40000];
            size_t n = (size_t)(rand() % (chunk % 10 ? 300 : (int)sizeof(bytes)));
            int newline_every = round % 4 == 0 ? 100000 : 1 + rand() % 400;

            for (size_t i = 0; i < n; i++)
                bytes[i] = rand() % newline_every == 0 ? '\n' : (char)('a' + i % 26);
            buf_add(&in[chunk % 2], bytes, n);
            shim_log_feed(l, chunk % 2, bytes, n);
            if (chunk % 50 == 0)
                shim_log_flush(l);
            if (chunk % 70 == 0)
                shim_log_trim(l);
        }
        shim_log_close(l);
        read_back(path, &j);
        for (int s = 0; s < 2; s++) {
            assert_int_equal(j.out[s].len, in[s].len);
            assert_memory_equal(j.out[s].data, in[s].data, in[s].len);
            buf_release(&j.out[s]);
            buf_release(&in[s]);
        }
        assert_true(j.longest <= LOG_LINE_MAX);
        assert_int_equal(unlink(path), 0);
    }
    free(path);
}

static void a_prompt_without_newline_is_one_partial_record(void **state)
{
    char *path = path_join(*state, "x.log");
    struct kvs opts = {0};
    struct shim_log *l = NULL;
    struct joined j;

    assert_ok(shim_log_open("json-file", path, &opts, &l, &e));
    shim_log_feed(l, false, "pro", 3);
    shim_log_feed(l, false, "mpt> ", 5);
    shim_log_close(l);
    read_back(path, &j);
    assert_int_equal(j.lines, 1);
    assert_string_equal(j.out[0].data, "prompt> ");
    buf_release(&j.out[0]);
    buf_release(&j.out[1]);
    free(path);
}

static void an_unknown_driver_is_named(void **state)
{
    struct kvs opts = {0};
    struct shim_log *l = NULL;
    struct err e = ERR_INIT;

    (void)state;
    assert_int_equal(shim_log_open("gcplogs", "/x", &opts, &l, &e), -1);
    assert_string_equal(e.msg, "logger: no log driver named 'gcplogs' is registered");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, make_dir, remove_dir)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_comes_back_as_it_was),
        cmocka_unit_test(foreign_and_oversized_messages_are_refused),
        cmocka_unit_test(an_error_travels_word_for_word),
        T(an_exit_record_is_there_whole_or_not_at_all),
        T(a_damaged_exit_record_is_told_from_none),
        T(the_lock_has_one_holder_and_can_be_asked_about),
        T(chunks_become_lines_and_lines_the_same_text),
        T(a_prompt_without_newline_is_one_partial_record),
        cmocka_unit_test(an_unknown_driver_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
