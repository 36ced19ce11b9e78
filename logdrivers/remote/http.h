/* http: one request at a time over libcurl, on a connection that is kept. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"

struct http;

struct http_setup {
    const char *ca_file;     /* NULL: the system's */
    const char *server_name; /* NULL: the URL's host; what the certificate must be for */
    bool skip_verify;
    int64_t timeout_ms;
};
struct http *http_new(const struct http_setup *setup);
void http_free(struct http *h);

struct http_call {
    const char *method, *url;
    const struct kvs *headers;
    const void *body;
    size_t len;
    bool direct; /* never by a proxy */
};
#define HTTP_REPLY_MAX (256 * 1024)

/* *status is set, and the reply's text in `reply`, whatever the status is; -1: there was none. */
int http_do(struct http *h, const struct http_call *call, long *status, struct buf *reply,
            struct err *e) MUST_USE;
