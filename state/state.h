/*
 * state: what the agent must not forget, in SQLite.  The only folder that knows SQL.
 *
 * One connection, one writer, WAL.  A call that writes returns when the change would survive a kill
 * of the agent; with `durable` it survives the power going as well (what a client was told).  A
 * call may come from any thread; none blocks on anything but the disk.
 *
 * Rows hold desired and observed records as JSON of core/'s codecs plus the columns that are
 * searched.  Tables: container, network, volume (each says which app owns it), app, app_revision,
 * intent, event, image, image_ref, layer, meta.
 *
 * Callbacks run without any lock of ours: they may call state_*() again.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "core/app.h"
#include "core/container.h"
#include "core/event.h"
#include "core/image.h"
#include "core/network.h"
#include "core/volume.h"

struct state;

/* Opens or makes <path>, migrates, runs quick_check.  A damaged file is ERR_IO naming it and saying
 * what to do; it is never replaced in silence.  ":memory:" for tests. */
int state_open(const char *path, struct state **out, struct err *e) MUST_USE;
void state_close(struct state *st);
int state_check(struct state *st, struct err *e) MUST_USE; /* integrity_check */

/* ---- containers.  put inserts or replaces by id; a name in use is ERR_CONFLICT. */
int state_container_put(struct state *st, const struct container *c, bool durable,
                        struct err *e) MUST_USE;
int state_container_delete(struct state *st, const char *id, struct err *e) MUST_USE;
typedef int state_container_fn(void *arg, struct container *c,
                               struct err *e); /* takes the reference */
int state_container_each(struct state *st, state_container_fn *fn, void *arg,
                         struct err *e) MUST_USE;

/* ---- networks, volumes: the same */
int state_network_put(struct state *st, const struct network *n, bool durable,
                      struct err *e) MUST_USE;
int state_network_delete(struct state *st, const char *id, struct err *e) MUST_USE;
typedef int state_network_fn(void *arg, struct network *n, struct err *e);
int state_network_each(struct state *st, state_network_fn *fn, void *arg, struct err *e) MUST_USE;
int state_volume_put(struct state *st, const struct volume *v, bool durable,
                     struct err *e) MUST_USE;
int state_volume_delete(struct state *st, const char *name, struct err *e) MUST_USE;
typedef int state_volume_fn(void *arg, struct volume *v, struct err *e);
int state_volume_each(struct state *st, state_volume_fn *fn, void *arg, struct err *e) MUST_USE;

/* ---- apps and their revisions */
enum app_revision_state { REVISION_NEW, REVISION_ROLLING, REVISION_GOOD, REVISION_BAD };
struct app_record {
    char *name, *source;
    char *observed_revision, *applied_revision; /* "" */
    bool suspended, absent;
    char *conditions; /* JSON of reconciler/app_status */
};
void app_record_release(struct app_record *r);
int state_app_put(struct state *st, const struct app_record *r, struct err *e) MUST_USE;
int state_app_delete(struct state *st, const char *name, struct err *e) MUST_USE;
typedef int state_app_fn(void *arg, const struct app_record *r, struct err *e);
int state_app_each(struct state *st, state_app_fn *fn, void *arg, struct err *e) MUST_USE;
int state_revision_put(struct state *st, const struct app *a, enum app_revision_state s,
                       struct err *e) MUST_USE;
/* *out is NULL when there is none. */
int state_revision_get(struct state *st, const char *app, const char *revision, struct app **out,
                       struct err *e) MUST_USE;
typedef int state_revision_fn(void *arg, const char *revision, enum app_revision_state s,
                              int64_t created_ns, struct err *e);
int state_revision_each(struct state *st, const char *app, state_revision_fn *fn, void *arg,
                        struct err *e) MUST_USE; /* newest first */

/* ---- images.  A record is the image plus the layers' blobs. */
struct image_record {
    char *id;
    char *parent;
    int64_t created_ns;                          /* when it came here */
    char *manifest_digest, *manifest_media_type; /* "" */
    int64_t manifest_size, size;
    struct strv layer_blobs; /* compressed digests of the manifest, lowest first; may be empty */
};
void image_record_release(struct image_record *r);
int state_image_put(struct state *st, const struct image_record *r, struct err *e) MUST_USE;
int state_image_delete(struct state *st, const char *id, struct err *e) MUST_USE;
typedef int state_image_fn(void *arg, const struct image_record *r, struct err *e);
int state_image_each(struct state *st, state_image_fn *fn, void *arg, struct err *e) MUST_USE;
/* ref: canonical, "docker.io/library/busybox:latest" or "...@sha256:..." */
int state_image_ref_put(struct state *st, const char *ref, const char *id, int64_t tagged_ns,
                        struct err *e) MUST_USE;
int state_image_ref_delete(struct state *st, const char *ref, struct err *e) MUST_USE;
typedef int state_image_ref_fn(void *arg, const char *ref, const char *id, int64_t tagged_ns,
                               struct err *e);
int state_image_ref_each(struct state *st, state_image_ref_fn *fn, void *arg,
                         struct err *e) MUST_USE;
/* Layers: chain ID -> diff ID, compressed digest it came from, unpacked size. */
struct layer_record {
    char *chain_id, *diff_id, *blob; /* blob "" when unknown */
    int64_t size;
};
void layer_record_release(struct layer_record *r);
int state_layer_put(struct state *st, const struct layer_record *r, struct err *e) MUST_USE;
int state_layer_delete(struct state *st, const char *chain_id, struct err *e) MUST_USE;
typedef int state_layer_fn(void *arg, const struct layer_record *r, struct err *e);
int state_layer_each(struct state *st, state_layer_fn *fn, void *arg, struct err *e) MUST_USE;

/* ---- events: appended, numbered, the newest 10,000 kept.  Sets ev->seq.  TIME_ZERO for since or
 * until: no limit on that side. */
int state_event_add(struct state *st, struct event *ev, struct err *e) MUST_USE;
typedef int state_event_fn(void *arg, const struct event *ev, struct err *e);
int state_event_each(struct state *st, int64_t since_ns, int64_t until_ns,
                     const char *object_id /* or NULL */, state_event_fn *fn, void *arg,
                     struct err *e) MUST_USE;

/* ---- intents: written before a side effect, removed after; what is there at start was cut short.
 */
int state_intent_put(struct state *st, const char *key, const char *what, struct err *e) MUST_USE;
int state_intent_done(struct state *st, const char *key, struct err *e) MUST_USE;
typedef int state_intent_fn(void *arg, const char *key, const char *what, struct err *e);
int state_intent_each(struct state *st, state_intent_fn *fn, void *arg, struct err *e) MUST_USE;
/* Adds the keys that start with prefix, oldest first. */
int state_intents_of(struct state *st, const char *prefix, struct strv *keys,
                     struct err *e) MUST_USE;

/* ---- small facts: engine ID, ... *value NULL when there is none. */
int state_meta_get(struct state *st, const char *key, char **value, struct err *e) MUST_USE;
int state_meta_put(struct state *st, const char *key, const char *value, struct err *e) MUST_USE;
