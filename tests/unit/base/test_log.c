#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/unit.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/sync.h"

static FILE *captured;
static int real_stderr;

static void capture_begin(void)
{
    fflush(stderr);
    captured = tmpfile();
    real_stderr = dup(2);
    dup2(fileno(captured), 2);
}

static void capture_end(struct buf *out)
{
    char chunk[4096];
    size_t n;

    fflush(stderr);
    dup2(real_stderr, 2);
    close(real_stderr);
    rewind(captured);
    while ((n = fread(chunk, 1, sizeof(chunk), captured)) > 0)
        buf_add(out, chunk, n);
    fclose(captured);
}

static void a_text_line_is_logfmt_as_dockerd_writes_it(void **state)
{
    cleanup_buf struct buf out = BUF_INIT(1 << 20);

    (void)state;
    log_setup(LOG_INFO, LOG_TEXT);
    capture_begin();
    log_info("container started", "id=%s pid=%d why=%s", "abc", 7, log_quote("a \"b\"\n"));
    log_warn("plain", NULL);
    log_debug("too quiet to be seen", "x=%d", 1);
    capture_end(&out);
    assert_true(str_starts(out.data, "time=\"2"));
    assert_non_null(strstr(out.data, "Z\" level=info msg=\"container started\" id=abc pid=7 "
                                     "why=\"a \\\"b\\\"\\n\"\n"));
    assert_non_null(strstr(out.data, "Z\" level=warning msg=plain\n"));
    assert_null(strstr(out.data, "quiet"));
}

static void a_json_line_holds_the_same_pairs(void **state)
{
    cleanup_buf struct buf out = BUF_INIT(1 << 20);
    cleanup_json struct json_doc doc = {0};
    struct json root;

    (void)state;
    log_setup(LOG_DEBUG, LOG_JSON);
    capture_begin();
    log_debug("said", "a=1 empty= b=%s c=%s", log_quote("x \"y\"\t\x01\xc3\xa9"), log_quote(""));
    capture_end(&out);
    log_setup(LOG_INFO, LOG_TEXT);
    assert_ok(json_parse(out.data, out.len, &doc, &e));
    root = json_root(&doc);
    assert_string_equal(json_get_str(&root, "level"), "debug");
    assert_string_equal(json_get_str(&root, "msg"), "said");
    assert_string_equal(json_get_str(&root, "a"), "1");
    assert_string_equal(json_get_str(&root, "b"), "x \"y\"\t\x01\xc3\xa9");
    assert_true(json_has(&root, "c"));
    assert_true(json_has(&root, "empty"));
    assert_int_equal(json_len(&root), 7);
}

static void a_value_cannot_forge_another_line_or_pair(void **state)
{
    cleanup_buf struct buf out = BUF_INIT(1 << 20);
    cleanup_strv struct strv lines = {0};

    (void)state;
    capture_begin();
    log_error("bad name", "name=%s", log_quote("x\ntime=\"now\" level=info msg=forged"));
    log_error("key", "name=%s", log_quote("a=b"));
    capture_end(&out);
    strv_split(&lines, out.data, '\n');
    assert_int_equal(lines.n, 3);
    assert_non_null(strstr(lines.v[0], "name=\"x\\ntime="));
    assert_non_null(strstr(lines.v[1], "name=\"a=b\""));
}

static void what_is_too_long_is_cut(void **state)
{
    cleanup_buf struct buf out = BUF_INIT(1 << 20);
    cleanup_free char *huge = xmalloc(100001);

    (void)state;
    memset(huge, 'y', 100000);
    huge[100000] = '\0';
    capture_begin();
    log_info("huge", "v=%s", huge);
    huge[50] = ' ';
    log_info("huge", "v=%s", log_quote(huge));
    capture_end(&out);
    assert_true(out.len > 1000 && out.len < 40000);
    assert_non_null(strstr(out.data, "...\"\n"));
    assert_int_equal(out.data[out.len - 1], '\n');
}

static void write_many(void *arg)
{
    for (int i = 0; i < 200; i++)
        log_info("line", "thread=%s text=%s", (const char *)arg, log_quote("with spaces in it"));
}

static void lines_of_different_threads_do_not_mix(void **state)
{
    static const char *const names[] = {"a", "b", "c", "d"};
    cleanup_buf struct buf out = BUF_INIT(1 << 20);
    cleanup_strv struct strv lines = {0};
    struct thread t[4];

    (void)state;
    capture_begin();
    for (int i = 0; i < 4; i++)
        assert_ok(thread_start(&t[i], "writer", write_many, (void *)names[i], &e));
    for (int i = 0; i < 4; i++)
        thread_join(&t[i]);
    capture_end(&out);
    strv_split(&lines, out.data, '\n');
    assert_int_equal(lines.n, 801);
    for (size_t i = 0; i < 800; i++) {
        assert_true(str_starts(lines.v[i], "time=\""));
        assert_true(str_ends(lines.v[i], " text=\"with spaces in it\""));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_line_is_logfmt_as_dockerd_writes_it),
        cmocka_unit_test(a_json_line_holds_the_same_pairs),
        cmocka_unit_test(a_value_cannot_forge_another_line_or_pair),
        cmocka_unit_test(what_is_too_long_is_cut),
        cmocka_unit_test(lines_of_different_threads_do_not_mix),
    };
    return cmocka_run_group_tests_name("base/log", tests, NULL, NULL);
}
