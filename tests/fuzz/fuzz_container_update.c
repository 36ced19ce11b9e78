/* An update body: decoded, checked, made of a container, and taken back; then all is as it was. */
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
    cleanup_spec struct container_spec *s = container_spec_new(), *before = NULL;
    cleanup_buf struct buf a = BUF_INIT(64 << 20), b = BUF_INIT(64 << 20);
    cleanup_update struct container_update u = {0};
    cleanup_json struct json_doc doc = {0};
    struct err e = ERR_INIT;
    struct json root;

    if (json_parse((const char *)data, size, &doc, &e))
        return 0;
    root = json_root(&doc);
    s->memory = s->memory_swap = 64 << 20;
    before = container_spec_copy(s);
    if (container_update_decode(&root, &u, &e) || container_update_check(&u, &e) ||
        container_update_apply(&u, s, &e)) {
        if (e.kind == ERR_OK)
            abort();
        return 0;
    }
    container_update_undo(s, before);
    store(before, &a);
    store(s, &b);
    if (a.len != b.len || memcmp(a.data, b.data, a.len) != 0)
        abort();
    return 0;
}
