/*
 * websocket: the server's side of RFC 6455, as a stream.
 *
 * What is read from it is the payload of the client's messages, one after the other; what is
 * written goes out as binary messages.  Pings are answered, a close is answered and is the end of
 * the stream.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct cancel;
struct http_reader;
struct request;
struct stream;

#define WS_CONTROL_MAX 125

enum ws_kind { WS_NOTHING, WS_DATA, WS_PING, WS_PONG, WS_CLOSE };

/* The client's frames, byte by byte if need be; the payload stays where it is, unmasked. */
struct ws_parser {
    uint8_t head[14];
    size_t head_len;
    uint64_t left; /* of the payload */
    bool in_payload, in_message;
    uint8_t opcode;
    unsigned mask_at;
    uint8_t control[WS_CONTROL_MAX];
    size_t control_len;
};
struct ws_piece {
    enum ws_kind kind;
    const uint8_t *bytes; /* DATA: within what was given; else within the parser */
    size_t len;
};
/* Takes *used of n bytes, and says what they were; ERR_INVALID for what no client may send. */
int ws_parse(struct ws_parser *p, uint8_t *bytes, size_t n, size_t *used, struct ws_piece *out,
             struct err *e) MUST_USE;

/* "Sec-WebSocket-Accept" for a key. */
void ws_accept(const char *key, char out[32]);
/* Answers the handshake, or says what is wrong with it. */
int ws_begin(struct request *rq, struct err *e) MUST_USE;
/* in, io: the connection's, borrowed.  closing: the server's; the last frame waits no longer. */
struct stream *ws_stream_new(struct http_reader *in, struct stream *io, struct cancel *closing);
