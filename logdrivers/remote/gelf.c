/*
 * gelf: Graylog's extended log format 1.1, over UDP or TCP.
 *
 * UDP: compressed with gzip (the default), zlib or not at all, and cut into chunks of at most
 * CHUNK_BYTES, 128 of them: 0x1e 0x0f, message ID (8 bytes), number, count.  TCP: not compressed,
 * ended by a NUL.  The fields are dockerd's.
 */
#include <string.h>
#include <zlib.h>

#include "base/buf.h"
#include "base/id.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/time.h"
#include "core/log_driver.h"
#include "logdrivers/log_address.h"
#include "logdrivers/remote/peer.h"
#include "logdrivers/remote/remote.h"

#define CHUNK_BYTES 1420 /* with its head: no fragments on the usual networks */
#define CHUNK_HEAD  12
#define CHUNKS_MAX  128
#define MESSAGE_MAX (1024 * 1024)

#define LEVEL_ERR   3
#define LEVEL_INFO  6

enum compression { GZIP, ZLIB, NONE };

struct remote {
    struct peer peer;
    bool udp;
    enum compression compression;
    int level;
    int64_t reconnects, delay_ms; /* TCP */
    char *host;
    struct buf extra; /* what is the same for all lines: ,"_x":"y"... */
    struct buf message, packed;
};

static void add_extra(struct buf *b, const char *key, const char *value)
{
    struct jsonw w = JSONW_INIT(b);

    buf_add(b, ",", 1);
    jsonw_str(&w, key);
    w = JSONW_INIT(b);
    buf_add(b, ":", 1);
    jsonw_str(&w, value);
}

static void add_extras(struct remote *r, const struct remote_config *cfg)
{
    cleanup_kvs struct kvs fields = {0};

    kvs_set(&fields, "_command", cfg->command);
    kvs_set(&fields, "_container_id", cfg->id);
    kvs_set(&fields, "_container_name", cfg->name);
    kvs_set(&fields, "_created", cfg->created);
    kvs_set(&fields, "_image_id", cfg->image_id);
    kvs_set(&fields, "_image_name", cfg->image_name);
    kvs_set(&fields, "_tag", cfg->tag);
    for (size_t i = 0; i < cfg->attrs.n; i++) {
        const char *key = cfg->attrs.v[i].k;
        cleanup_free char *name = *key == '_' ? xstrdup(key) : str_printf("_%s", key);

        kvs_set(&fields, name, cfg->attrs.v[i].v);
    }
    for (size_t i = 0; i < fields.n; i++)
        add_extra(&r->extra, fields.v[i].k, fields.v[i].v);
}

static void format(struct remote *r, const struct remote_line *l)
{
    struct jsonw w = JSONW_INIT(&r->message);
    int64_t ms = l->unix_ns / NS_PER_MS;

    buf_reset(&r->message);
    buf_addf(&r->message, "{\"version\":\"1.1\",\"host\":");
    jsonw_str(&w, r->host);
    buf_addf(&r->message, ",\"short_message\":");
    w = JSONW_INIT(&r->message);
    jsonw_strn(&w, l->bytes, l->len);
    buf_addf(&r->message, ",\"timestamp\":%lld.%03d,\"level\":%d", (long long)(ms / 1000),
             (int)(ms % 1000), l->from_stderr ? LEVEL_ERR : LEVEL_INFO);
    buf_add(&r->message, r->extra.data, r->extra.len);
    buf_add(&r->message, "}", 1);
}

/* ------------------------------------------------------------------ UDP */

static int compress_message(struct remote *r, struct err *e)
{
    z_stream z = {.next_in = (Bytef *)r->message.data, .avail_in = (uInt)r->message.len};
    uLong bound;
    int code;

    if (deflateInit2(&z, r->level, Z_DEFLATED, r->compression == GZIP ? 15 + 16 : 15, 8,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        return err_set(e, ERR_INTERNAL, "gelf: compression cannot be set up");
    bound = deflateBound(&z, z.avail_in);
    {
        cleanup_free Bytef *out = xmalloc(bound);

        z.next_out = out;
        z.avail_out = (uInt)bound;
        code = deflate(&z, Z_FINISH);
        buf_reset(&r->packed);
        buf_add(&r->packed, out, z.total_out);
    }
    deflateEnd(&z);
    return code == Z_STREAM_END ? 0 : err_set(e, ERR_INTERNAL, "gelf: compression failed");
}

static int send_chunks(struct remote *r, const struct buf *b, struct err *e)
{
    const size_t room = CHUNK_BYTES - CHUNK_HEAD, count = (b->len + room - 1) / room;
    unsigned char chunk[CHUNK_BYTES] = {0x1e, 0x0f};

    if (b->len <= CHUNK_BYTES)
        return peer_send(&r->peer, b->data, b->len, e);
    if (count > CHUNKS_MAX)
        return err_set(e, ERR_INVALID, "gelf: a message of %zu bytes needs more than %d chunks",
                       b->len, CHUNKS_MAX);
    random_bytes(chunk + 2, 8);
    chunk[11] = (unsigned char)count;
    for (size_t i = 0; i < count; i++) {
        size_t n = b->len - i * room < room ? b->len - i * room : room;

        chunk[10] = (unsigned char)i;
        memcpy(chunk + CHUNK_HEAD, b->data + i * room, n);
        if (peer_send(&r->peer, chunk, CHUNK_HEAD + n, e))
            return -1;
    }
    return 0;
}

/* ------------------------------------------------------------------ the driver */

static void gelf_close(struct remote *r)
{
    peer_release(&r->peer);
    free(r->host);
    buf_release(&r->extra);
    buf_release(&r->message);
    buf_release(&r->packed);
    free(r);
}

static int set_up(struct remote *r, const struct remote_config *cfg, struct err *e)
{
    const char *type = kvs_get(&cfg->opts, "gelf-compression-type");
    cleanup_log_address struct log_address a = {0};

    if (log_address_parse(kvs_get(&cfg->opts, "gelf-address"), &a, e))
        return -1;
    r->udp = str_eq(a.scheme, "udp");
    peer_init(&r->peer, r->udp ? "udp" : "tcp", a.host, a.port, NULL);
    r->compression = str_eq(type, "none") ? NONE : str_eq(type, "zlib") ? ZLIB : GZIP;
    r->level = (int)remote_i64(cfg, "gelf-compression-level", Z_BEST_SPEED);
    r->reconnects = remote_i64(cfg, "gelf-tcp-max-reconnect", 3);
    r->delay_ms = remote_i64(cfg, "gelf-tcp-reconnect-delay", 1) * 1000;
    if (peer_connect(&r->peer, e) == 0 || cfg->again)
        return 0;
    return err_wrap(e, "gelf: cannot connect to GELF endpoint: %s:%s", a.host, a.port);
}

static int gelf_open(const struct remote_config *cfg, struct remote **out, struct err *e)
{
    struct remote *r = xcalloc(1, sizeof(*r));

    r->peer.fd = -1;
    r->host = xstrdup(cfg->host);
    r->extra = BUF_INIT(MESSAGE_MAX / 2);
    r->message = BUF_INIT(MESSAGE_MAX);
    r->packed = BUF_INIT(MESSAGE_MAX * 2);
    add_extras(r, cfg);
    if (buf_check(&r->extra, "gelf fields", e) || set_up(r, cfg, e)) {
        gelf_close(r);
        return -1;
    }
    *out = r;
    return 0;
}

static int gelf_write(struct remote *r, const struct remote_line *line, struct err *e)
{
    if (line->len == 0)
        return 0; /* short_message may not be empty */
    format(r, line);
    if (buf_check(&r->message, "a gelf message", e)) {
        e->kind = ERR_INVALID;
        return -1;
    }
    if (!r->udp) /* the NUL behind the text is the end of the message */
        return peer_send(&r->peer, r->message.data, r->message.len + 1, e);
    if (r->compression == NONE)
        return send_chunks(r, &r->message, e);
    return compress_message(r, e) || send_chunks(r, &r->packed, e) ? -1 : 0;
}

/* The user says how often and how long between two tries. */
static struct remote_patience gelf_patience(const struct remote *r)
{
    int64_t delay = r->delay_ms > 0 ? r->delay_ms : 1;

    return (struct remote_patience){delay, delay, r->udp ? 0 : delay * r->reconnects};
}

const struct remote_ops remote_gelf = {
    .name = "gelf",
    .open = gelf_open,
    .write = gelf_write,
    .close = gelf_close,
    .patience = gelf_patience,
};
