/*
 * fetch: an HTTP request whose body is pulled, piece by piece, by who wants it.
 *
 * libcurl pushes; here it is turned round, so that a download, its verification and its extraction
 * are one loop in one thread without a buffer that grows.  Connections are kept between requests.
 * libcurl and its TLS are set up by the first request ever made: an agent that never pulls does not
 * pay for them.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct cancel;
struct fetch;

struct fetch_request {
    const char *method; /* "GET", "HEAD", "POST" */
    const char *url;
    const struct strv *headers; /* "Name: value" */
    const char *body;           /* of a POST, a form */
    int64_t offset;             /* of the body to begin at, 0: all of it */
    bool insecure;              /* certificates are not checked */
};

struct fetch_response {
    long status;
    char *content_type, *digest; /* Docker-Content-Digest; NULL: not there */
    struct strv challenges;      /* WWW-Authenticate */
    int64_t length;              /* -1: not said */
};

/* c may be NULL; it ends every wait. */
struct fetch *fetch_new(const char *user_agent, struct cancel *c);
void fetch_free(struct fetch *f);
/* Returns when the headers of the final answer are there.  The error is in Go's words. */
int fetch_start(struct fetch *f, const struct fetch_request *rq, struct err *e) MUST_USE;
const struct fetch_response *fetch_head(const struct fetch *f);
/* A read_fn.  A body that ends before its length is an error. */
int fetch_read(void *f, void *buf, size_t n, size_t *got, struct err *e) MUST_USE;
/* True when the last error was one of the connection, so that trying again makes sense. */
bool fetch_can_retry(const struct fetch *f);
