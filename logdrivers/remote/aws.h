/*
 * aws: signed calls to an AWS service with a JSON protocol.
 *
 * Credentials are looked for where AWS's tools do: the environment, the shared credentials file,
 * the container endpoint (or the one of awslogs-credentials-endpoint, which is then the only one),
 * the instance's metadata service.  Those that expire are fetched anew in time.
 */
#pragma once

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

struct http;

struct aws_keys {
    char *id, *secret, *token; /* token: NULL unless they are temporary */
    int64_t expires_ns;        /* 0: never */
};
void aws_keys_release(struct aws_keys *k);
#define cleanup_aws_keys CLEANUP(aws_keys_release)

/* env: the agent's.  relative_uri may be NULL. */
int aws_keys_find(struct http *h, const struct kvs *env, const char *relative_uri,
                  struct aws_keys *out, struct err *e) MUST_USE;
/* From the instance's metadata. */
int aws_region_find(struct http *h, const struct kvs *env, struct buf *out, struct err *e) MUST_USE;

struct aws_request {
    const char *region, *service, *host, *target; /* target: X-Amz-Target */
    const char *body;
    size_t len;
    int64_t now_ns;
};
/* Adds Host, Content-Type, X-Amz-Date, X-Amz-Target, the session's token and Authorization
 * (signature version 4 over all of these and whatever `headers` has already; names in lower case).
 */
int aws_sign(const struct aws_request *rq, const struct aws_keys *k, struct kvs *headers,
             struct err *e) MUST_USE;
