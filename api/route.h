/*
 * route: which function answers which request.
 *
 * The table in routes.c is the whole HTTP surface of the engine, one line each, in the order of the
 * API reference.  A pattern is literal but for `{name}`, which matches one character or more and
 * may hold slashes, because image names do: "/images/{name}/json".  When several patterns match,
 * the one with more literal text wins, so the order of the table does not matter.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define ROUTE_MAX_ARGS 2

struct request; /* api/request.h */

struct route_args {
    size_t n;
    struct {
        const char *at;
        size_t len;
    } arg[ROUTE_MAX_ARGS];
};

/* 0: answered, or nothing to say (an empty 200); -1: *e is the answer. */
typedef int route_fn(struct request *rq, struct err *e);

struct route {
    const char *method;
    const char *pattern;
    route_fn *handle; /* NULL: not implemented yet */
};

/* NULL with ERR_NOT_FOUND when nothing matches. */
const struct route *route_find(const struct route *table, size_t n, const char *method,
                               const char *path, struct route_args *args, struct err *e);

/*
 * Cuts "/v1.44" off the front of a path: *version is "1.44", copied to buf, or "" when there is
 * none, and the return value is the rest.
 */
#define ROUTE_VERSION_MAX 32
const char *route_version(const char *path, char version[ROUTE_VERSION_MAX]);

extern const struct route routes[];
extern const size_t n_routes;
