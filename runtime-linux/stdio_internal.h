/* stdio_internal: what stdio.c (the process's side) and stdio_client.c (the clients' side) share.
 */
#pragma once

#include "runtime-linux/stdio.h"

#define STDIO_CHUNK (64 * 1024)

/* A chunk with room for its frame header in front, so that a frame leaves with one send(). */
extern char stdio_frame[FRAME_HEADER + STDIO_CHUNK];

/* One frame to everybody who wants this kind; its payload is in stdio_frame. */
void clients_send(struct stdio *io, enum frame_kind kind, size_t n);
/* Does a client of this stream have bytes pending? */
bool clients_block(const struct stdio *io, enum frame_kind kind);
/* What they wait for has changed. */
void clients_update(struct stdio *io);
void clients_end(struct stdio *io, const int *exit_code);
void clients_free(struct stdio *io);

/* Client to process.  The bytes are taken in any case. */
void stdio_feed(struct stdio *io, const char *bytes, size_t n);
void stdio_feed_end(struct stdio *io);
/* A client's pending bytes have changed. */
void stdio_update(struct stdio *io);
