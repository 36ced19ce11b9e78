/*
 * plan: (desired, actual) -> what to do, as a pure function.
 *
 * No I/O, no clock, no lock.  A plan is an ordered list of operations; each has a cause in words,
 * the numbers of the operations it must come after, and a class that says what it costs.  An
 * operation whose dependencies are met *in the world* can be done now; the executor does those, and
 * plans again when something changed.  So plan(desired, desired) is empty, and a crash between two
 * operations needs no memory.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"
#include "core/app.h"
#include "core/container.h"
#include "core/network.h"
#include "core/volume.h"

enum plan_op_kind {
    PLAN_CREATE_NETWORK,
    PLAN_REMOVE_NETWORK,
    PLAN_CREATE_VOLUME,
    PLAN_CREATE_CONTAINER,
    PLAN_START_CONTAINER,
    PLAN_STOP_CONTAINER,
    PLAN_REMOVE_CONTAINER,
    PLAN_UPDATE_CONTAINER /* class A */,
    PLAN_BLOCKED, /* nothing can be done; cause says why */
};
const char *plan_op_name(enum plan_op_kind k); /* "create network", ... */

struct plan_op {
    enum plan_op_kind kind;
    char *resource;      /* container, network or volume name */
    char *service;       /* "" */
    char *object_id;     /* of what exists; "" when it is to be made */
    char *cause;         /* "not there", "image: a -> b", "exited (137) 3 times", "left the file" */
    struct strv changes; /* for diff: "ports: 8080:80 -> 8081:80" */
    size_t *after;       /* numbers of operations in the same plan */
    size_t n_after;
    bool ready;        /* nothing in `after` and no condition in the world holds it back */
    char *waiting_for; /* when not ready: "db is not healthy yet" */
};

struct plan {
    struct plan_op *ops;
    size_t n;
};

/* What exists.  Containers of this app (by owner), plus all networks and volumes. */
struct plan_world {
    struct container *const *containers;
    size_t n_containers;
    struct network *const *networks;
    size_t n_networks;
    struct volume *const *volumes;
    size_t n_volumes;
    /* image reference -> image ID, for "image behind the tag changed"; NULL: unknown, no difference
     */
    const char *(*image_id)(void *arg, const char *ref);
    void *image_arg;
    /* desired model of the revision that made what exists: what changed is told from it; may be
     * NULL */
    const struct app *previous;
};

/* desired NULL: everything the app owns but volumes goes. */
void plan_app(const struct app *desired, const struct plan_world *world, struct plan *out);
void plan_release(struct plan *p);
/* {"ops":[{"op","resource","service","cause","changes":[],"after":[],"ready":bool,"waiting_for"}]}
 */
void plan_write(const struct plan *p, struct jsonw *w);
