/*
 * fluentd: the forward protocol in message mode, [tag, time, record, option].
 *
 * The record's fields are dockerd's.  With fluentd-request-ack the option has a chunk ID, and a
 * line is delivered when the peer has said so.  fluentd-async: nobody waits for the peer, and
 * fluentd-buffer-limit is how many lines wait for it at most.  See
 * https://github.com/fluent/fluentd/wiki/Forward-Protocol-Specification-v1.
 */
#include <string.h>

#include "base/buf.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/time.h"
#include "core/log_driver.h"
#include "logdrivers/log_address.h"
#include "logdrivers/remote/msgpack.h"
#include "logdrivers/remote/peer.h"
#include "logdrivers/remote/remote.h"
#include "logdrivers/remote_opts.h"

#define RECORD_MAX    (1024 * 1024)
#define RETRY_WAIT_MS 1000
#define RETRY_MAX_MS  60000
#define BUFFER_LIMIT  (1024 * 1024)      /* lines */
#define BUFFER_BYTES  (64 * 1024 * 1024) /* and in any case no more than this */

struct remote {
    struct peer peer;
    char *tag;
    struct kvs fixed; /* fields that all records have */
    bool async, precise, ack;
    int64_t retry_wait_ms, max_retries, buffer_limit;
    int64_t reconnect_ms, connected_ms; /* 0: a connection is kept as long as it lasts */
    struct buf out;
};

static void add_pair(struct buf *b, const char *key, const char *value, size_t len)
{
    msgpack_str(b, key, strlen(key));
    msgpack_str(b, value, len);
}

static void add_text(struct buf *b, const char *key, const char *value)
{
    add_pair(b, key, value, strlen(value));
}

static void add_piece(struct buf *b, const struct remote_line *l)
{
    char ordinal[16];

    (void)!snprintf(ordinal, sizeof(ordinal), "%u", l->ordinal);
    add_text(b, "partial_message", "true");
    add_text(b, "partial_id", l->piece_id);
    add_text(b, "partial_ordinal", ordinal);
    add_text(b, "partial_last", l->last ? "true" : "false");
}

static void format(struct remote *r, const struct remote_line *l, const char *chunk)
{
    struct buf *b = &r->out;

    buf_reset(b);
    msgpack_array(b, 4);
    msgpack_str(b, r->tag, strlen(r->tag));
    if (r->precise)
        msgpack_event_time(b, l->unix_ns);
    else
        msgpack_i64(b, l->unix_ns / NS_PER_SEC);
    msgpack_map(b, r->fixed.n + 2 + (l->piece ? 4 : 0));
    for (size_t i = 0; i < r->fixed.n; i++)
        add_text(b, r->fixed.v[i].k, r->fixed.v[i].v);
    add_text(b, "source", l->from_stderr ? "stderr" : "stdout");
    add_pair(b, "log", l->bytes, l->len);
    if (l->piece)
        add_piece(b, l);
    msgpack_map(b, *chunk ? 1 : 0);
    if (*chunk)
        add_text(b, "chunk", chunk);
}

static int wait_for_ack(struct remote *r, const char *chunk, struct err *e)
{
    char bytes[128];
    size_t len = 0, got;
    int is = 0;

    while (is == 0) {
        if (len == sizeof(bytes))
            is = -1;
        else if (peer_receive(&r->peer, bytes + len, sizeof(bytes) - len, &got, e))
            return -1;
        else
            is = msgpack_is_ack(bytes, len += got, chunk);
    }
    if (is > 0)
        return 0;
    peer_disconnect(&r->peer);
    return err_set(e, ERR_UNAVAILABLE, "fluentd: the answer is no acknowledgement of the message");
}

static int fluentd_write(struct remote *r, const struct remote_line *line, struct err *e)
{
    char chunk[ID_LEN + 1] = "";
    bool fresh;

    if (r->ack) {
        id_new(chunk);
        chunk[32] = '\0';
    }
    format(r, line, chunk);
    if (buf_check(&r->out, "a fluentd record", e)) {
        e->kind = ERR_INVALID;
        return -1;
    }
    if (r->reconnect_ms && time_mono_ms() - r->connected_ms > r->reconnect_ms)
        peer_disconnect(&r->peer); /* the name may lead elsewhere by now */
    fresh = r->peer.fd < 0;
    if (peer_connect(&r->peer, e))
        return -1;
    if (fresh)
        r->connected_ms = time_mono_ms();
    return peer_send(&r->peer, r->out.data, r->out.len, e) || (r->ack && wait_for_ack(r, chunk, e))
               ? -1
               : 0;
}

static void fluentd_close(struct remote *r)
{
    peer_release(&r->peer);
    free(r->tag);
    kvs_release(&r->fixed);
    buf_release(&r->out);
    free(r);
}

static int64_t duration_ms(const struct remote_config *cfg, const char *key, int64_t fallback_ms)
{
    const char *text = kvs_get(&cfg->opts, key);
    int64_t ns;

    return str_empty(text) || parse_duration(text, key, &ns, ERR_IGNORE) ? fallback_ms
                                                                         : ns / NS_PER_MS;
}

static void read_opts(struct remote *r, const struct remote_config *cfg)
{
    const char *limit = kvs_get(&cfg->opts, "fluentd-buffer-limit");
    int64_t write_ms = duration_ms(cfg, "fluentd-write-timeout", 0);

    r->async = remote_bool(cfg, "fluentd-async", false);
    r->precise = remote_bool(cfg, "fluentd-sub-second-precision", false);
    r->ack = remote_bool(cfg, "fluentd-request-ack", false);
    r->retry_wait_ms = duration_ms(cfg, "fluentd-retry-wait", RETRY_WAIT_MS);
    r->max_retries = remote_i64(cfg, "fluentd-max-retries", INT32_MAX);
    if (r->max_retries > INT32_MAX) /* for ever, too; a time is made of it */
        r->max_retries = INT32_MAX;
    r->reconnect_ms = duration_ms(cfg, "fluentd-async-reconnect-interval", 0);
    if (str_empty(limit) || parse_size(limit, "", &r->buffer_limit, ERR_IGNORE) ||
        r->buffer_limit <= 0)
        r->buffer_limit = BUFFER_LIMIT;
    if (write_ms > 0)
        r->peer.timeout_ms = write_ms;
}

static void add_fixed(struct remote *r, const struct remote_config *cfg)
{
    cleanup_free char *name = str_printf("/%s", cfg->name); /* as dockerd writes it here */

    kvs_set(&r->fixed, "container_id", cfg->id);
    kvs_set(&r->fixed, "container_name", name);
    for (size_t i = 0; i < cfg->attrs.n; i++)
        kvs_set(&r->fixed, cfg->attrs.v[i].k, cfg->attrs.v[i].v);
}

static int fluentd_open(const struct remote_config *cfg, struct remote **out, struct err *e)
{
    cleanup_log_address struct log_address a = {0};
    struct remote *r = xcalloc(1, sizeof(*r));
    const struct peer_tls tls = {0};
    bool local;

    r->peer.fd = -1;
    r->out = BUF_INIT(RECORD_MAX);
    r->tag = xstrdup(cfg->tag);
    add_fixed(r, cfg);
    if (fluentd_address_parse(kvs_get(&cfg->opts, "fluentd-address"), &a, e)) {
        fluentd_close(r);
        return -1;
    }
    local = str_eq(a.scheme, "unix");
    peer_init(&r->peer, local ? "unix" : "tcp", a.host, a.port, local ? a.path : NULL);
    read_opts(r, cfg);
    if ((str_eq(a.scheme, "tls") && peer_use_tls(&r->peer, &tls, e)) ||
        (!r->async && !cfg->again && peer_connect(&r->peer, e))) {
        fluentd_close(r);
        return -1;
    }
    r->connected_ms = time_mono_ms();
    *out = r;
    return 0;
}

static struct remote_patience fluentd_patience(const struct remote *r)
{
    struct remote_patience p = {.first_ms = r->retry_wait_ms, .longest_ms = RETRY_MAX_MS};

    if (p.first_ms < 1)
        p.first_ms = 1;
    for (int64_t i = 0, wait = p.first_ms; i < r->max_retries; i++) {
        if (wait >= RETRY_MAX_MS) { /* the rest of the way in equal steps */
            p.total_ms += (r->max_retries - i) * RETRY_MAX_MS;
            break;
        }
        p.total_ms += wait;
        wait *= 2;
    }
    return p;
}

static void fluentd_limits(const struct remote *r, struct remote_limits *l)
{
    if (r->async)
        *l =
            (struct remote_limits){.max_bytes = BUFFER_BYTES, .max_lines = (size_t)r->buffer_limit};
}

const struct remote_ops remote_fluentd = {
    .name = "fluentd",
    .open = fluentd_open,
    .write = fluentd_write,
    .close = fluentd_close,
    .patience = fluentd_patience,
    .limits = fluentd_limits,
};
