/* shim_protocol: see shim_protocol.h for the format. */
#include "runtime-linux/shim_protocol.h"

#include <string.h>

#include "base/json.h"

static const uint8_t magic[4] = {'B', 'S', 'H', 'M'};

static void put16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
    put16(p, (uint16_t)(v >> 16));
    put16(p + 2, (uint16_t)v);
}

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)get16(p) << 16 | get16(p + 2);
}

void shim_header_encode(const struct shim_header *h, uint8_t out[SHIM_HEADER])
{
    memcpy(out, magic, sizeof(magic));
    put16(out + 4, h->version);
    put16(out + 6, h->kind);
    put32(out + 8, h->status);
    put32(out + 12, h->length);
}

int shim_header_decode(const uint8_t in[SHIM_HEADER], struct shim_header *out, struct err *e)
{
    if (memcmp(in, magic, sizeof(magic)) != 0)
        return err_set(e, ERR_INVALID, "not a message of the shim's protocol");
    out->version = get16(in + 4);
    out->kind = get16(in + 6);
    out->status = get32(in + 8);
    out->length = get32(in + 12);
    if (out->version != SHIM_VERSION)
        return err_set(e, ERR_INVALID, "version %u of the shim's protocol is unknown",
                       out->version);
    if (out->length > SHIM_PAYLOAD_MAX)
        return err_set(e, ERR_INVALID, "a shim message of %u bytes is too long", out->length);
    return 0;
}

void shim_message(uint16_t kind, uint32_t status, const char *json, size_t len, struct buf *out)
{
    struct shim_header h = {
        .version = SHIM_VERSION, .kind = kind, .status = status, .length = (uint32_t)len};
    uint8_t bytes[SHIM_HEADER];

    shim_header_encode(&h, bytes);
    buf_add(out, bytes, sizeof(bytes));
    buf_add(out, json, len);
}

void shim_failure(uint16_t kind, const struct err *failure, struct buf *out)
{
    cleanup_buf struct buf json = BUF_INIT(8 * ERR_MSG_MAX);
    struct jsonw w = JSONW_INIT(&json);

    jsonw_obj(&w);
    jsonw_ki64(&w, "os_code", failure->os_code);
    jsonw_kstr(&w, "message", failure->msg);
    jsonw_end_obj(&w);
    shim_message(kind, failure->kind ? failure->kind : ERR_INTERNAL, json.data, json.len, out);
}

int shim_failure_decode(const struct shim_header *h, const char *json, size_t len, struct err *e)
{
    cleanup_json struct json_doc doc = {0};
    enum err_kind kind = h->status <= ERR_INTERNAL ? (enum err_kind)h->status : ERR_INTERNAL;
    struct json root;

    if (json_parse(json, len, &doc, e))
        return err_wrap(e, "read the shim's error");
    root = json_root(&doc);
    err_set(e, kind, "%s", json_get_str(&root, "message"));
    e->os_code = (int)json_get_i64(&root, "os_code");
    return -1;
}
