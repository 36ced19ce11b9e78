/*
 * images_internal: the store's memory, shared by the files of this folder.
 *
 * One mutex guards the maps and is held for memory operations only.  What takes longer is guarded
 * by holds, which are plain marks in memory:
 *   - a pin on "layer:<chain id>" or "blob:<digest>" keeps it from being collected while an image
 *     that needs it is being made;
 *   - a claim on "records" makes the order of rows in the database that of the changes in memory;
 *   - a claim on "work:<chain id>" lets one thread make a layer while others wait for it.
 * Order: work claim, then records claim, then the mutex.
 *
 * References are not counted but computed, from the images' records and the containers' chains:
 * nothing can drift.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/map.h"
#include "base/sync.h"
#include "images/content.h"
#include "images/decompress.h"
#include "images/images.h"
#include "images/reference.h"

struct image_entry {
    struct image *image;
    struct image_record rec;
};

struct ref_entry {
    char *id;
    int64_t tagged_ns; /* TIME_ZERO: not by a tag call */
};

struct images {
    char *data_root, *layers_root;
    const struct storage_driver_ops *driver;
    const char *backing_fs;
    struct content *content;
    struct state *st;
    struct strv insecure;
    int max_downloads;
    char *user_agent;

    struct mutex lock;
    struct cond changed;
    struct map images; /* id -> image_entry */
    struct map refs;   /* canonical reference -> ref_entry */
    struct map layers; /* chain id -> layer_record */
    struct map roots;  /* container id -> strv of chain ids, lowest first */
    struct map holds;  /* key -> hold */
};

/* ---- holds.c */
struct pins {
    struct strv keys;
};
void pin_layer(struct images *im, struct pins *p, const char *chain_id);
void pin_blob(struct images *im, struct pins *p, const char *digest);
/* Lets go, and collects what nobody else needs. */
void pins_release(struct images *im, struct pins *p);
void claim(struct images *im, const char *key);
int claim_or_cancel(struct images *im, const char *key, struct cancel *c, struct err *e) MUST_USE;
void unclaim(struct images *im, const char *key);
/* For gc.c: true when nobody pins it; nobody can until hold_removed(). */
bool hold_removing_locked(struct images *im, const char *key) REQUIRES(im->lock);
void hold_removed(struct images *im, const char *key);

/* ---- gc.c */
/* Removes those of the layers and blobs ("layer:...", "blob:...") that nothing needs. */
void gc_collect(struct images *im, const struct strv *keys);
/* In two steps: what will go, which nobody can pin any more; and its removal, which takes time. */
void gc_mark(struct images *im, const struct strv *keys, struct strv *doomed);
void gc_finish(struct images *im, const struct strv *doomed);
/* At start: what a killed predecessor left. */
int gc_sweep(struct images *im, struct err *e) MUST_USE;

/* ---- records.c */
int records_load(struct images *im, struct err *e) MUST_USE;
void records_release(struct images *im);
struct commit {
    const char *id, *parent;
    const char *manifest_digest, *manifest_media_type; /* NULL: none */
    int64_t manifest_size;
    const struct strv *layer_blobs; /* lowest first */
    const struct strv *refs;        /* canonical, to be pointed at it */
    bool tagged;                    /* as if by a tag call: Docker notes the time of those */
};
/* Syncs what was written, then the rows, then memory.  *changed: a tag is new or has moved. */
int records_commit(struct images *im, const struct commit *c, struct image **out, bool *changed,
                   struct err *e) MUST_USE;
/* With the claim on "records". */
int records_set_ref(struct images *im, const char *ref, const char *id, int64_t tagged_ns,
                    struct err *e) MUST_USE;
int records_drop_ref(struct images *im, const char *ref, struct err *e) MUST_USE;
int records_drop_image(struct images *im, const char *id, struct err *e) MUST_USE;
/* Canonical references of an image, sorted. */
void records_refs_of(struct images *im, const char *id, struct strv *out);
/* The layers' and blobs' keys of an image, for gc_collect(). */
void records_keys_of(const struct image_entry *en, struct strv *keys);
/* Reads and decodes a config blob; fills the id and the chain ids. */
int image_from_config(struct images *im, const char *id, struct image **out,
                      struct err *e) MUST_USE;

/* ---- layer.c */
struct layer_source {
    read_fn *read; /* the blob's bytes, compressed or not */
    void *arg;
    /* Called at their end, before the layer appears; NULL: nothing to prove. */
    int (*verify)(void *arg, struct err *e);
};
/* "sha256:..." of parent and diff; parent NULL: the diff ID itself. */
char *chain_id_of(const char *parent, const char *diff_id);
/* Makes the layer if it is not there.  The caller has pinned it. *made may be NULL. */
struct layer_id {
    const char *chain_id, *parent, *diff_id; /* parent: its chain ID, NULL for the lowest */
    const char *blob;                        /* digest of what it is made from */
};
int layer_ensure(struct images *im, const struct layer_id *id, const struct layer_source *src,
                 struct cancel *c, bool *made, struct err *e) MUST_USE;
int layer_ensure_from_blob(struct images *im, const struct layer_id *id, struct cancel *c,
                           struct err *e) MUST_USE;
struct layer_id layer_id_of(const struct image *img, const struct strv *blobs, size_t i);
bool layer_exists(struct images *im, const char *chain_id);
/* All layers of an image from blobs in the store; in parallel where the driver allows it. */
int layers_from_blobs(struct images *im, const struct image *img, const struct strv *blobs,
                      struct cancel *c, struct err *e) MUST_USE;

/* ---- rootfs.c */
int roots_load(struct images *im, struct err *e) MUST_USE;
