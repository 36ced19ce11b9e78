/* Frames and detach keys: bytes that arrive in any pieces. */
#include "api/frames.h"

#include <string.h>

#include "api/detach_keys.h"
#include "tests/unit/mem_stream.h"
#include "tests/unit/unit.h"

static void frames_are_cut_from_any_pieces(void **state)
{
    cleanup_buf struct buf in = BUF_INIT(1 << 20);

    (void)state;
    frame_add(&in, FRAME_STDOUT, "hello", 5);
    frame_add(&in, FRAME_STDERR, "", 0);
    frame_add(&in, FRAME_EXIT, "\0\0\0\7", 4);
    for (size_t piece = 0; piece < 30; piece++) {
        struct frame_reader r;
        struct mem_stream m;
        struct frame f;
        bool got;

        mem_stream_init(&m, in.data, in.len, piece);
        frame_reader_init(&r, &m.base);
        assert_ok(frame_read(&r, NULL, &f, &got, &e));
        assert_true(got && f.kind == FRAME_STDOUT && f.len == 5);
        assert_memory_equal(f.payload, "hello", 5);
        assert_ok(frame_read(&r, NULL, &f, &got, &e));
        assert_true(got && f.kind == FRAME_STDERR && f.len == 0);
        assert_ok(frame_read(&r, NULL, &f, &got, &e));
        assert_true(got && f.kind == FRAME_EXIT);
        assert_int_equal(frame_exit_code(&f), 7);
        assert_ok(frame_read(&r, NULL, &f, &got, &e));
        assert_false(got);
        frame_reader_release(&r);
        stream_free(&m.base);
    }
}

static void the_longest_frame_fits_and_a_longer_one_is_an_error(void **state)
{
    cleanup_buf struct buf in = BUF_INIT(1 << 20);
    static char big[FRAME_MAX + 1];
    struct frame_reader r;
    struct mem_stream m;
    struct frame f;
    bool got;

    (void)state;
    frame_add(&in, FRAME_STDOUT, big, FRAME_MAX);
    frame_add(&in, FRAME_STDOUT, big, FRAME_MAX + 1);
    mem_stream_init(&m, in.data, in.len, 1000);
    frame_reader_init(&r, &m.base);
    assert_ok(frame_read(&r, NULL, &f, &got, &e));
    assert_int_equal(f.len, FRAME_MAX);
    assert_err(frame_read(&r, NULL, &f, &got, &e), ERR_IO);
    frame_reader_release(&r);
    stream_free(&m.base);
}

static void a_stream_that_ends_in_a_frame_is_an_error(void **state)
{
    struct frame_reader r;
    struct mem_stream m;
    struct frame f;
    bool got;

    (void)state;
    mem_stream_init(&m, "\1\0\0\0\0\0\0\5hel", 11, 0);
    frame_reader_init(&r, &m.base);
    assert_err(frame_read(&r, NULL, &f, &got, &e), ERR_IO);
    frame_reader_release(&r);
    stream_free(&m.base);
}

static void detach_keys_are_read_as_docker_reads_them(void **state)
{
    static const struct {
        const char *text;
        bool ok;
        const char *keys;
    } rows[] = {
        {"",              true,  "\x10\x11"},
        {"ctrl-p,ctrl-q", true,  "\x10\x11"},
        {"a",             true,  "a"       },
        {"a,b,ctrl-[",    true,  "ab\x1b"  },
        {"ctrl-_",        true,  "\x1f"    },
        {"zzz",           false, NULL      },
        {"ctrl-1",        false, NULL      },
        {"ctrl-",         false, NULL      },
        {"a,,b",          false, NULL      },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct detach_keys k;

        assert_int_equal(detach_keys_parse(rows[i].text, &k), rows[i].ok);
        if (!rows[i].ok)
            continue;
        assert_int_equal(k.n, strlen(rows[i].keys));
        assert_memory_equal(k.key, rows[i].keys, k.n);
    }
}

static const struct {
    const char *keys, *typed, *passed;
    bool detached;
} typing[] = {
    {"a,b",     "xyz",    "xyz", false},
    {"a,b",     "xab",    "x",   true },
    {"a,b",     "aab",    "a",   true },
    {"a,b",     "axab",   "ax",  true },
    {"a,b",     "xa",     "x",   false},
    {"a,a,b",   "aaab",   "a",   true },
    {"a,b,a,c", "ababac", "ab",  true },
    {"q",       "hiq!",   "hi",  true },
};

static void keys_are_held_back_until_it_is_clear(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(typing); i++)
        for (size_t piece = 1; piece < 5; piece++) {
            cleanup_buf struct buf out = BUF_INIT(100);
            size_t n = strlen(typing[i].typed);
            bool detached = false;
            struct detach_keys k;

            assert_true(detach_keys_parse(typing[i].keys, &k));
            for (size_t at = 0; at < n && !detached; at += piece)
                detached = detach_keys_filter(&k, (const unsigned char *)typing[i].typed + at,
                                              n - at < piece ? n - at : piece, &out);
            assert_int_equal(detached, typing[i].detached);
            assert_string_equal(out.data, typing[i].passed);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_are_cut_from_any_pieces),
        cmocka_unit_test(the_longest_frame_fits_and_a_longer_one_is_an_error),
        cmocka_unit_test(a_stream_that_ends_in_a_frame_is_an_error),
        cmocka_unit_test(detach_keys_are_read_as_docker_reads_them),
        cmocka_unit_test(keys_are_held_back_until_it_is_clear),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
