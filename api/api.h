/*
 * api: the Docker Engine REST API (1.24 to 1.51) and our own calls under /ballast, over an HTTP/1.1
 * server of our own.
 *
 * One thread per connection.  routes.c is the whole surface, one row per operation.  Handlers
 * decode, call reconciler/engine.h, and encode; shapes that depend on the version are in version.c.
 */
#pragma once

#include "base/err.h"
#include "base/listener.h"
#include "base/str.h"

struct api;
struct app;
struct cancel;
struct engine;

struct api_config {
    int max_connections; /* 0: 1000 */
    const char *root_dir;
    bool debug, experimental;
    struct strv labels; /* of the host: "k=v" */
    struct strv insecure_registries, registry_mirrors;
    /* re-reads the sources now; NULL when there are none */
    void (*rescan)(void *arg);
    void *rescan_arg;
    /* lines "feature\tstate\twhat is off" of the whole host */
    void (*doctor)(void *arg, struct strv *lines);
    void *doctor_arg;
    /* Compose files -> model, for /ballast/plan and /ballast/apply: agent/ wires compose_load()
     * here. */
    int (*compose)(void *arg, const char *name, const char *project_dir, const struct strv *files,
                   const struct kvs *env, struct app **out, struct err *e);
    void *compose_arg;
};

int api_new(const struct api_config *cfg, struct engine *g, struct api **out,
            struct err *e) MUST_USE;
/* Starts an accepting thread; takes the listener. */
int api_listen(struct api *a, struct listener *l, struct err *e) MUST_USE;
/* Stops accepting, ends waiting requests, joins every thread; up to grace_ms for running ones. */
void api_close(struct api *a, int64_t grace_ms);
