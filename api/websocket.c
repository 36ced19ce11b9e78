/* websocket: see websocket.h. */
#include "api/websocket.h"

#include <openssl/evp.h>
#include <string.h>

#include "api/conn.h"
#include "api/request.h"
#include "base/cancel.h"
#include "base/http.h"
#include "base/mem.h"
#include "base/stream.h"
#include "base/sync.h"

#define GUID       "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define KEY_LEN    24
#define READ_CHUNK 16384

enum { OP_MORE = 0, OP_TEXT = 1, OP_BINARY = 2, OP_CLOSE = 8, OP_PING = 9, OP_PONG = 10 };

/* ------------------------------------------------------------------ frames */

static bool is_control(uint8_t opcode)
{
    return opcode & 8;
}

static size_t head_size(const struct ws_parser *p)
{
    size_t len = 2 + 4; /* with the mask, which a client must use */

    if (p->head_len < 2)
        return 2;
    switch (p->head[1] & 0x7f) {
    case 126:
        return len + 2;
    case 127:
        return len + 8;
    default:
        return len;
    }
}

/* Its first two bytes tell enough. */
static int check_head(const struct ws_parser *p, struct err *e)
{
    uint8_t opcode = p->head[0] & 0x0f;
    bool fin = p->head[0] & 0x80;

    if (p->head[0] & 0x70)
        return err_set(e, ERR_INVALID, "websocket: reserved bits are set");
    if (!(p->head[1] & 0x80))
        return err_set(e, ERR_INVALID, "websocket: a client's frame is not masked");
    if (is_control(opcode)) {
        if (opcode > OP_PONG || !fin || (p->head[1] & 0x7f) > WS_CONTROL_MAX)
            return err_set(e, ERR_INVALID, "websocket: bad control frame");
        return 0;
    }
    if (opcode > OP_BINARY || (opcode == OP_MORE) != p->in_message)
        return err_set(e, ERR_INVALID, "websocket: unexpected frame of type %u", opcode);
    return 0;
}

/* The head is whole. */
static int begin_payload(struct ws_parser *p, struct err *e)
{
    uint8_t opcode = p->head[0] & 0x0f;
    bool fin = p->head[0] & 0x80;
    size_t bytes = head_size(p) - 2 - 4;

    p->left = bytes ? 0 : p->head[1] & 0x7f;
    for (size_t i = 0; i < bytes; i++)
        p->left = p->left << 8 | p->head[2 + i];
    if (p->left >> 63)
        return err_set(e, ERR_INVALID, "websocket: frame too long");
    p->opcode = opcode;
    p->mask_at = 0;
    p->control_len = 0;
    p->in_payload = true;
    if (!is_control(opcode))
        p->in_message = !fin;
    return 0;
}

static void end_frame(struct ws_parser *p)
{
    p->in_payload = false;
    p->head_len = 0;
}

static void unmask(struct ws_parser *p, uint8_t *bytes, size_t n)
{
    const uint8_t *mask = p->head + head_size(p) - 4;

    for (size_t i = 0; i < n; i++)
        bytes[i] ^= mask[p->mask_at++ & 3];
}

static void take_control(struct ws_parser *p, const uint8_t *bytes, size_t n, struct ws_piece *out)
{
    static const enum ws_kind kinds[] = {
        [OP_CLOSE - 8] = WS_CLOSE, [OP_PING - 8] = WS_PING, [OP_PONG - 8] = WS_PONG};

    memcpy(p->control + p->control_len, bytes, n);
    p->control_len += n;
    if (p->left)
        return;
    *out = (struct ws_piece){kinds[p->opcode - 8], p->control, p->control_len};
    end_frame(p);
}

int ws_parse(struct ws_parser *p, uint8_t *bytes, size_t n, size_t *used, struct ws_piece *out,
             struct err *e)
{
    size_t at = 0, take;

    *out = (struct ws_piece){.kind = WS_NOTHING};
    while (!p->in_payload && at < n) {
        p->head[p->head_len++] = bytes[at++];
        if (p->head_len == 2 && check_head(p, e))
            return -1;
        if (p->head_len == head_size(p) && begin_payload(p, e))
            return -1;
    }
    *used = at;
    if (!p->in_payload)
        return 0;
    take = p->left < n - at ? (size_t)p->left : n - at;
    unmask(p, bytes + at, take);
    p->left -= take;
    *used = at + take;
    if (is_control(p->opcode)) {
        take_control(p, bytes + at, take, out);
        return 0;
    }
    if (take)
        *out = (struct ws_piece){WS_DATA, bytes + at, take};
    if (p->left == 0)
        end_frame(p);
    return 0;
}

/* ------------------------------------------------------------------ handshake */

void ws_accept(const char *key, char out[32])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    char text[KEY_LEN + sizeof(GUID)];
    unsigned len = 0;
    int n = snprintf(text, sizeof(text), "%.*s%s", KEY_LEN, key, GUID);

    EVP_Digest(text, (size_t)n, digest, &len, EVP_sha1(), NULL);
    EVP_EncodeBlock((unsigned char *)out, digest, (int)len);
}

int ws_begin(struct request *rq, struct err *e)
{
    const char *key = http_header(rq->head, "Sec-WebSocket-Key");
    const char *version = http_header(rq->head, "Sec-WebSocket-Version");
    cleanup_buf struct buf out = BUF_INIT(1024);
    char accept[32];

    if (!http_header_has(rq->head, "Upgrade", "websocket") ||
        !http_header_has(rq->head, "Connection", "upgrade") || !key || strlen(key) != KEY_LEN)
        return err_set(e, ERR_INVALID, "this is not the handshake of a websocket");
    if (!version || strcmp(version, "13") != 0)
        return err_set(e, ERR_INVALID, "websocket version %.20s is not 13", version ? version : "");
    rq->res.hijacked = rq->res.sent = rq->res.ended = rq->res.close = true;
    conn_ends_at_close(rq->conn);
    ws_accept(key, accept);
    http_start_response(&out, 101, "Switching Protocols");
    http_add_header(&out, "Upgrade", "websocket");
    http_add_header(&out, "Connection", "Upgrade");
    http_add_header(&out, "Sec-WebSocket-Accept", accept);
    http_end_head(&out);
    return stream_write(rq->conn->io, out.data, out.len, rq->cancel, e);
}

/* ------------------------------------------------------------------ stream */

struct ws_stream {
    struct stream base; /* must be first */
    struct http_reader *in;
    struct stream *io;
    struct cancel *closing; /* of the server */
    struct ws_parser parser;
    uint8_t buf[READ_CHUNK];
    size_t at, end;
    bool over;
    struct mutex lock; /* frames go out whole: answers to pings come from the reading thread */
    bool closed GUARDED_BY(lock);
};

static int send_frame(struct ws_stream *s, uint8_t opcode, const void *bytes, size_t n,
                      struct cancel *c, struct err *e)
{
    cleanup_buf struct buf out = BUF_INIT(n + 16);
    uint8_t head[10] = {0x80 | opcode};
    size_t len = 2;
    int r = 0;

    if (n < 126) {
        head[1] = (uint8_t)n;
    } else if (n <= UINT16_MAX) {
        head[1] = 126;
        len = 4;
    } else {
        head[1] = 127;
        len = 10;
    }
    for (size_t i = 2; i < len; i++)
        head[i] = (uint8_t)((uint64_t)n >> 8 * (len - 1 - i));
    buf_add(&out, (const char *)head, len);
    buf_add(&out, bytes, n);
    mutex_lock(&s->lock);
    if (!s->closed)
        r = stream_write(s->io, out.data, out.len, c, e);
    s->closed = s->closed || opcode == OP_CLOSE;
    mutex_unlock(&s->lock);
    return r;
}

static int say_close(struct ws_stream *s, unsigned code, struct cancel *c, struct err *e)
{
    uint8_t text[2] = {(uint8_t)(code >> 8), (uint8_t)code};

    return send_frame(s, OP_CLOSE, text, sizeof(text), c, e);
}

/* One piece of what has been read; *got > 0: there was data. */
static int take_piece(struct ws_stream *s, void *buf, size_t n, size_t *got, struct cancel *c,
                      struct err *e)
{
    struct ws_piece piece;
    size_t used, room = s->end - s->at < n ? s->end - s->at : n;

    if (ws_parse(&s->parser, s->buf + s->at, room, &used, &piece, e)) {
        (void)say_close(s, 1002, c, ERR_IGNORE);
        s->over = true;
        return -1;
    }
    s->at += used;
    switch (piece.kind) {
    case WS_DATA:
        memcpy(buf, piece.bytes, piece.len);
        *got = piece.len;
        return 0;
    case WS_PING:
        return send_frame(s, OP_PONG, piece.bytes, piece.len, c, e);
    case WS_CLOSE:
        s->over = true;
        return say_close(s, 1000, c, e);
    case WS_PONG:
    case WS_NOTHING:
        return 0;
    }
    return 0;
}

static int ws_read(struct stream *base, void *buf, size_t n, size_t *got, struct cancel *c,
                   struct err *e)
{
    struct ws_stream *s = (struct ws_stream *)base;

    *got = 0;
    while (!s->over && *got == 0) {
        if (s->at == s->end) {
            s->at = s->end = 0;
            s->in->cancel = c;
            if (http_reader_read(s->in, s->buf, sizeof(s->buf), &s->end, e))
                return -1;
            if (s->end == 0)
                break;
        }
        if (take_piece(s, buf, n, got, c, e))
            return -1;
    }
    return 0;
}

static int ws_write(struct stream *base, const void *buf, size_t n, struct cancel *c, struct err *e)
{
    return send_frame((struct ws_stream *)base, OP_BINARY, buf, n, c, e);
}

static int ws_close_write(struct stream *base, struct err *e)
{
    struct ws_stream *s = (struct ws_stream *)base;

    /* Who reads nothing any more may be owed so much that it does not fit. */
    (void)say_close(s, 1000, s->closing, ERR_IGNORE);
    return stream_close_write(s->io, e);
}

static int ws_wait_gone(struct stream *base, struct cancel *c, struct err *e)
{
    return stream_wait_gone(((struct ws_stream *)base)->io, c, e);
}

static void ws_free(struct stream *base)
{
    struct ws_stream *s = (struct ws_stream *)base;

    mutex_destroy(&s->lock);
    free(s);
}

static const struct stream_ops ops = {.read = ws_read,
                                      .write = ws_write,
                                      .close_write = ws_close_write,
                                      .free = ws_free,
                                      .wait_gone = ws_wait_gone};

struct stream *ws_stream_new(struct http_reader *in, struct stream *io, struct cancel *closing)
{
    struct ws_stream *s = xcalloc(1, sizeof(*s));

    s->base = (struct stream){.ops = &ops, .name = "websocket"};
    s->in = in;
    s->io = io;
    s->closing = closing;
    mutex_init(&s->lock);
    return &s->base;
}
