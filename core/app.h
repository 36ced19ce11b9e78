/*
 * app: what a Compose file asks for, after interpolation, merging and checking.
 *
 * compose/ makes it, the planner compares it with the world, state/ keeps it as JSON per revision.
 * Names are final: "<project>_<key>" where the file gives none.  Every service carries the hash of
 * its canonical form in the four classes of declarative.md section 4, so that a difference says at
 * once what it costs: A engine only, B live, C files, D recreate.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "core/container.h"
#include "core/network.h"
#include "core/volume.h"

#define APP_HASH_VERSION 1

/* file:line:column of a thing in the text */
struct source_pos {
    char *file;
    unsigned line, column; /* from 1 */
};

enum depends_condition { DEPENDS_STARTED, DEPENDS_HEALTHY, DEPENDS_COMPLETED };
struct service_dependency {
    char *service;
    enum depends_condition condition;
    bool restart, required;
};

struct app_network {
    char *key; /* in the file */
    bool external;
    struct network *net; /* name, driver, ipam, options, labels; external: only the name counts */
};

struct app_volume {
    char *key;
    bool external;
    struct volume *vol;
};

struct app_service {
    char *name;
    char *container_name;        /* "" : "<app>-<service>-1" */
    struct container_spec *spec; /* mounts of type volume name the final volume name */
    struct service_dependency *depends;
    size_t n_depends;
    struct strv networks;  /* keys of app_network, in order of attachment */
    char *pull_policy;     /* "", "always", "missing", "never", ... */
    int64_t stop_grace_s;  /* -1: default */
    char *hash_a, *hash_d; /* engine-only part; the part that needs a new container */
    struct source_pos pos;
};

enum notice_level { NOTICE_IGNORED, NOTICE_DEGRADED, NOTICE_REFUSED };
/* A key that was understood but is not applied (yet): shown in status, never dropped in silence. */
struct app_notice {
    enum notice_level level;
    char *service; /* "" for top level */
    char *key, *text;
    struct source_pos pos;
};

struct app {
    char *name;
    char *source;      /* "directory:<name>", "cli" */
    char *project_dir; /* absolute */
    struct strv files; /* absolute */
    struct app_service *services;
    size_t n_services;
    struct app_network *networks;
    size_t n_networks;
    struct app_volume *volumes;
    size_t n_volumes;
    struct app_notice *notices;
    size_t n_notices;
    char *revision; /* hash of the whole canonical form, 64 hex */
    bool prune;     /* x-ballast.prune, default true */
};

struct app *app_new(void);
void app_free(struct app *a);
static inline void app_free_p(struct app **a)
{
    app_free(*a);
}
#define cleanup_app CLEANUP(app_free_p)
struct app *app_copy(const struct app *a);
/* [{"level","service","key","text","file","line","column"}]: the value only. */
void app_write_notices(const struct app *a, struct jsonw *w);
void app_store(const struct app *a, struct jsonw *w); /* the whole model, canonical */
int app_load(const struct json *j, struct app *out, struct err *e) MUST_USE;
/* Fills hash_a, hash_d of every service, spec_hash of networks and volumes, and the revision. */
void app_hash(struct app *a);
const struct app_service *app_find_service(const struct app *a, const char *name);
const struct app_network *app_find_network(const struct app *a, const char *key);
const struct app_volume *app_find_volume(const struct app *a, const char *key);
