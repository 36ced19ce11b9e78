/*
 * fuzz_json: what json_parse() accepts can be walked and written, and reads back as the same text.
 *
 * Also the other way round: whatever the writer makes of arbitrary bytes is JSON.
 */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "tests/fuzz/fuzz.h"

#define TEXT_MAX (8 * 1024 * 1024)

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* Through every accessor: none may read what it should not, whatever the type. */
static void touch(const struct json *j)
{
    cleanup_free char *s = NULL;
    cleanup_strv struct strv sv = {0};
    cleanup_kvs struct kvs kvs = {0};
    int64_t i;
    double d;
    bool b;

    (void)!json_str(j, &s, ERR_IGNORE);
    (void)!json_i64(j, &i, ERR_IGNORE);
    (void)!json_double(j, &d, ERR_IGNORE);
    (void)!json_bool(j, &b, ERR_IGNORE);
    (void)!json_strv(j, &sv, ERR_IGNORE);
    (void)!json_kvs(j, &kvs, ERR_IGNORE);
    (void)json_get_str(j, "k");
    (void)json_get_i64(j, "k");
}

static void walk(const struct json *j, unsigned depth)
{
    must(depth <= 64);
    touch(j);
    if (json_typeof(j) == JSON_ARRAY)
        for (size_t i = 0; i < json_len(j); i++) {
            struct json item = json_at(j, i);

            walk(&item, depth + 1);
        }
    for (struct json_iter it = json_iter(j); json_next(&it);) {
        must(json_has(j, it.key));
        walk(&it.value, depth + 1);
    }
}

static void text_of(const struct json_doc *doc, struct buf *out)
{
    struct json root = json_root(doc);

    json_text(&root, out);
    must(!out->overflow);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cleanup_json struct json_doc doc = {0}, again = {0}, written = {0};
    cleanup_buf struct buf first = BUF_INIT(TEXT_MAX), second = BUF_INIT(TEXT_MAX),
                           text = BUF_INIT(TEXT_MAX);
    struct jsonw w = JSONW_INIT(&text);
    struct json root;

    jsonw_obj(&w);
    jsonw_key(&w, "k");
    jsonw_strn(&w, (const char *)data, size);
    jsonw_end_obj(&w);
    must(text.overflow || json_parse(text.data, text.len, &written, ERR_IGNORE) == 0);

    if (json_parse((const char *)data, size, &doc, ERR_IGNORE))
        return 0;
    root = json_root(&doc);
    walk(&root, 0);
    text_of(&doc, &first);
    must(json_parse(first.data, first.len, &again, ERR_IGNORE) == 0);
    text_of(&again, &second);
    must(str_eq(first.data, second.data));
    return 0;
}
