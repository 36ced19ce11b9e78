/*
 * peer: one connection to a log server that may go away at any time.
 *
 * It is made when somebody sends, and dropped at the first error; a message is sent whole, or the
 * next connection gets it from its beginning.  Every call ends after timeout_ms without progress.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"

struct ssl_ctx_st;
struct ssl_st;

struct peer_tls {
    const char *ca_file, *cert_file, *key_file; /* NULL: the system's, none, none */
    const char *server_name;                    /* NULL: the host */
    bool skip_verify;
};

struct peer {
    const char *network; /* "tcp", "udp", "unix", "unixgram" */
    char *host, *port;   /* or */
    char *path;
    int64_t timeout_ms;
    int fd; /* -1: not connected */
    struct ssl_ctx_st *tls;
    struct ssl_st *ssl;
    char *server_name;
    bool skip_verify;
};

#define PEER_TIMEOUT_MS 10000

/* network is a constant.  Either path, or host and port. */
void peer_init(struct peer *p, const char *network, const char *host, const char *port,
               const char *path);
/* From now on connections speak TLS. */
int peer_use_tls(struct peer *p, const struct peer_tls *t, struct err *e) MUST_USE;
void peer_release(struct peer *p);

/* Connected, and not closed by the other side meanwhile. */
int peer_connect(struct peer *p, struct err *e) MUST_USE;
void peer_disconnect(struct peer *p);
/* Connects if need be.  On failure the connection is gone. */
int peer_send(struct peer *p, const void *bytes, size_t n, struct err *e) MUST_USE;
/* At least one byte. */
int peer_receive(struct peer *p, void *bytes, size_t max, size_t *got, struct err *e) MUST_USE;
