/* A create body: decoded, checked, printed, stored; what was stored loads and stores the same. */
#include <stdlib.h>
#include <string.h>

#include "core/container.h"
#include "tests/fuzz/fuzz.h"

static void store(const struct container_spec *s, struct buf *b)
{
    struct jsonw w = JSONW_INIT(b);

    container_spec_store(s, &w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cleanup_json struct json_doc doc = {0}, again = {0};
    cleanup_spec struct container_spec *s = container_spec_new(), *t = container_spec_new(),
                                       *copy = NULL;
    cleanup_buf struct buf a = BUF_INIT(64 << 20), b = BUF_INIT(64 << 20), c = BUF_INIT(64 << 20);
    struct jsonw w = JSONW_INIT(&c);
    struct err e = ERR_INIT;
    struct json root;

    if (json_parse((const char *)data, size, &doc, &e))
        return 0;
    root = json_root(&doc);
    if (container_spec_decode(&root, s, &e))
        return 0;
    if (container_spec_validate(s, &e) && e.kind == ERR_OK)
        abort();
    container_spec_encode_config(s, &w);
    buf_reset(&c);
    w = JSONW_INIT(&c);
    container_spec_encode_host(s, &w);
    store(s, &a);
    if (json_parse(a.data, a.len, &again, &e))
        abort();
    root = json_root(&again);
    if (container_spec_load(&root, t, &e))
        abort();
    copy = container_spec_copy(t);
    store(copy, &b);
    if (a.len != b.len || memcmp(a.data, b.data, a.len) != 0)
        abort();
    return 0;
}
