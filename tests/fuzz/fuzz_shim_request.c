/*
 * The shim's protocol, both ways: a request to a shim that has not started anything (so that no
 * request can do harm here), and a reply to the agent.
 */
#include <string.h>

#include "base/json.h"
#include "runtime-linux/shim_internal.h"
#include "tests/fuzz/fuzz.h"

static struct shim shim;

static void request(uint16_t op, const char *payload, size_t len)
{
    struct json_doc doc = {0};
    struct buf reply = BUF_INIT(64 * 1024);
    struct jsonw w = JSONW_INIT(&reply);
    struct conn_stream stream;
    enum conn_next next;
    struct err e = ERR_INIT;
    struct json args;

    if (json_parse(payload, len, &doc, &e))
        return;
    args = json_root(&doc);
    jsonw_obj(&w);
    if (control_run(&shim, op, &args, &w, &next, &stream, &e) && e.kind == ERR_OK)
        __builtin_trap(); /* a failure without an error */
    json_release(&doc);
    buf_release(&reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct shim_header h;
    struct err e = ERR_INIT;

    if (!shim.id) {
        shim.id = (char *)"f";
        shim.exec_dir = (char *)"/nonexistent";
        shim.data_dir = (char *)"/nonexistent";
        shim.first = LAUNCHED_INIT;
        if (loop_open(&shim.loop, &e))
            __builtin_trap();
        supervise_init(&shim, false, true, true);
    }
    if (size < SHIM_HEADER || shim_header_decode(data, &h, &e))
        return 0;
    request(h.kind, (const char *)data + SHIM_HEADER, size - SHIM_HEADER);
    h.status = h.status ? h.status : 1;
    if (!shim_failure_decode(&h, (const char *)data + SHIM_HEADER, size - SHIM_HEADER, &e))
        __builtin_trap();
    return 0;
}
