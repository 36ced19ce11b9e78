/*
 * registry_auth: credentials, challenges and tokens.
 *
 * Credentials come as X-Registry-Auth: base64url of {username, password, auth, identitytoken,
 * registrytoken}; one that cannot be read counts as none, as with dockerd.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"
#include "images/fetch.h"

struct credentials {
    char *username, *password, *identity_token, *registry_token; /* NULL: none */
};
void credentials_decode(const char *header, struct credentials *out); /* header may be NULL */
void credentials_release(struct credentials *c);
bool credentials_empty(const struct credentials *c);

struct challenge {
    char *scheme;      /* lower case: "bearer", "basic" */
    struct kvs params; /* realm, service, scope, error */
};
/* One WWW-Authenticate header; false when it is none that we know. */
bool challenge_parse(const char *header, struct challenge *out);
void challenge_release(struct challenge *c);

/* "Basic ..." of user and password. */
char *basic_authorization(const struct credentials *c);
/* Asks the token server of a bearer challenge; *out is "Bearer ...". */
int token_authorization(struct fetch *f, const struct challenge *ch, const struct credentials *c,
                        const char *scope, bool insecure, char **out, struct err *e) MUST_USE;

char *base64_encode(const void *bytes, size_t n);
/* Standard and URL alphabets, padded or not; NULL when it is neither. */
char *base64_decode(const char *text, size_t *n);
