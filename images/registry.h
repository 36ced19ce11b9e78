/*
 * registry: the distribution protocol, as far as reading goes.
 *
 * A session is one repository of one registry; its threads share the scheme and the authorisation
 * that the first answer led to, each with its own connection.  Errors are in dockerd's words.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "images/fetch.h"
#include "images/reference.h"

struct cancel;
struct registry;
struct registry_conn;

struct registry_config {
    const struct reference *ref; /* domain, path; whole for messages */
    const char *auth;            /* X-Registry-Auth, may be NULL */
    bool insecure;               /* http is fine, certificates are not checked */
    const char *user_agent;
    struct cancel *c;
};
/* Loopback, and what the configuration names ("host", "host:port", "10.0.0.0/8"). */
bool registry_insecure(const char *domain, const struct strv *insecure);

struct registry *registry_new(const struct registry_config *cfg);
void registry_free(struct registry *r);
struct registry_conn *registry_connect(struct registry *r);
void registry_disconnect(struct registry_conn *c);

/*
 * The manifest of a tag or digest; a digest is proved.  *digest is that of the bytes; out NULL asks
 * for nothing but what the registry calls its digest (*digest NULL when it does not say).
 */
int registry_manifest(struct registry_conn *c, const char *tag_or_digest, struct buf *out,
                      char **content_type, char **digest, struct err *e) MUST_USE;
/* A blob's bytes, by registry_read(); a broken connection is resumed where it broke. */
int registry_blob(struct registry_conn *c, const char *digest, int64_t size,
                  struct err *e) MUST_USE;
int registry_read(void *conn, void *buf, size_t n, size_t *got, struct err *e) MUST_USE;
