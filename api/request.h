/*
 * request: one request, as a handler sees it, and the reading of what it carries in Docker's way.
 *
 * Everything here lives as long as the handler runs.  Query values are decoded; values of a
 * form-encoded body come before those of the URL.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/response.h"
#include "api/route.h"
#include "api/version.h"
#include "base/buf.h"
#include "base/http.h"
#include "base/json.h"
#include "base/str.h"
#include "base/sync.h"

struct api;
struct api_config;
struct cancel;
struct conn;
struct engine;

#define REQUEST_JSON_MAX (8 << 20)

struct query {
    char *text; /* decoded; what the pairs point into */
    struct query_pair {
        const char *key, *value;
    } * v;
    size_t n;
};

struct request {
    const struct api_config *cfg;
    struct engine *engine;
    struct conn *conn;
    const struct http_head *head;
    int version; /* minor number */
    char *path;  /* decoded, with the version prefix */
    char *arg[ROUTE_MAX_ARGS];
    struct query query, form;
    struct http_body body;
    struct response res;
    /* Fires when the agent closes, and, while request_watch() is on, when the client goes away. */
    struct cancel *cancel;
    char by[96]; /* "api uid=0 pid=17" */
    struct watch *watch;
};

/* Splits the target into path and query, which the request owns. */
int request_init(struct request *rq, const struct http_head *head, struct err *e) MUST_USE;
int request_read_form(struct request *rq, struct err *e) MUST_USE;
void request_release(struct request *rq);
int request_set_args(struct request *rq, const struct route_args *args);

static inline bool request_shape(const struct request *rq, enum shape s)
{
    return shape_holds(rq->version, s);
}

int query_parse(const char *text, size_t len, struct query *out, struct err *e) MUST_USE;
void query_release(struct query *q);

/* The first value of a key, or NULL; query_str() gives "" instead. */
const char *query_get(const struct request *rq, const char *key);
const char *query_str(const struct request *rq, const char *key);
void query_all(const struct request *rq, const char *key, struct strv *out);
/* "", 0, no, false, none are false, anything else is true; a missing key is `missing`. */
bool query_bool(const struct request *rq, const char *key, bool missing);
bool docker_bool(const char *text);
/* Missing or empty leaves *out alone; a bad number fails in Go's words with status 500. */
int query_int(const struct request *rq, const char *key, int64_t *out, struct err *e) MUST_USE;
/* "sec[.nanosec]", as since= and until= have it; missing or "" leaves *out alone. */
int query_time(const struct request *rq, const char *key, int64_t *out, struct err *e) MUST_USE;
int parse_unix_time(const char *text, int64_t *out, struct err *e) MUST_USE;

/*
 * The body as JSON.  Without a body: `required` fails as Go's decoder at EOF does; else out->root
 * stays NULL, which reads as an object without keys.
 */
int request_json(struct request *rq, bool required, struct json_doc *out, struct err *e) MUST_USE;
/* Does the client ask for a raw connection with "Upgrade: tcp"? */
bool request_upgrades(const struct request *rq);

/*
 * Fires rq->cancel when the client hangs up, from here to the end of the handler.  For handlers
 * that stream or wait and whose work ends with the client: pull, logs, events, wait.  The body must
 * have been read.
 */
int request_watch(struct request *rq, struct err *e) MUST_USE;
void request_unwatch(struct request *rq);
