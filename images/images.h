/*
 * images: the store of images, seen from outside.  Pull, load, save, import, tag, list, remove.
 *
 * Readers get immutable, counted `struct image` snapshots from memory.  Writers serialise on what
 * they change: two pulls of one reference run once.  A blob or layer appears whole or not at all;
 * what was acknowledged is in the database.  Nothing here asks who uses an image: `in_use` does.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "core/image.h"
#include "core/storage_driver.h"
#include "state/state.h"

struct cancel;
struct images;
struct stream;

struct images_config {
    const char *data_root;           /* blobs/sha256, layers/ below it */
    const char *storage_driver;      /* NULL: choose */
    struct strv insecure_registries; /* 127.0.0.0/8, ::1 and localhost always are */
    int max_downloads;               /* 0: 3 */
    const char *user_agent;
};
int images_open(const struct images_config *cfg, struct state *st, struct images **out,
                struct err *e) MUST_USE;
void images_close(struct images *im);
const char *images_driver_name(const struct images *im);
const char *images_backing_fs(const struct images *im); /* "extfs", "xfs", ... */

/* By name[:tag], name@digest, ID or unique ID prefix.  ERR_NOT_FOUND: "No such image: x:latest". */
int images_find(struct images *im, const char *ref, struct image **out, struct err *e) MUST_USE;
struct image_list {
    struct image **v;
    size_t n;
};
void images_list(struct images *im, struct image_list *out); /* newest first */
void image_list_release(struct image_list *l);

/* One message of Docker's progress stream.  Any of the texts may be NULL. */
struct progress {
    const char *id;         /* short layer ID or tag */
    const char *status;     /* "Downloading" */
    int64_t current, total; /* -1: none */
    const char *stream;     /* load: "Loaded image: x\n" */
    const char *aux_json;
};
typedef int progress_fn(void *arg, const struct progress *p, struct err *e); /* -1 ends the work */

struct pull_request {
    const char *ref;      /* familiar or canonical; without tag: latest */
    const char *platform; /* "linux/amd64"; NULL: ours */
    const char *auth;     /* X-Registry-Auth as received, NULL */
};
/* *out (may be NULL) gets the image; *changed whether the tag moved. */
int images_pull(struct images *im, const struct pull_request *rq, progress_fn *progress, void *arg,
                struct cancel *c, struct image **out, bool *changed, struct err *e) MUST_USE;
/* docker-archive or OCI layout tar, plain or gzip, zstd, xz, bzip2.  read gives 0 at the end. */
typedef int images_read_fn(void *arg, void *buf, size_t n, size_t *got, struct err *e);
typedef int images_write_fn(void *arg, const void *buf, size_t n, struct err *e);
int images_load(struct images *im, images_read_fn *read, void *read_arg, progress_fn *progress,
                void *arg, struct cancel *c, struct strv *loaded /* refs or IDs, may be NULL */,
                struct err *e) MUST_USE;
/* One tar that is both docker-archive and OCI layout. */
int images_save(struct images *im, const struct strv *refs, images_write_fn *write, void *arg,
                struct cancel *c, struct err *e) MUST_USE;
struct import_request {
    const char *repo, *tag; /* may be NULL */
    const char *message;
    const struct strv *changes; /* Dockerfile instructions: CMD ENTRYPOINT ENV EXPOSE LABEL USER
                                   VOLUME WORKDIR STOPSIGNAL */
    const char *platform;
};
int images_import(struct images *im, const struct import_request *rq, images_read_fn *read,
                  void *read_arg, struct cancel *c, struct image **out, struct err *e) MUST_USE;

int images_tag(struct images *im, const char *source, const char *repo, const char *tag,
               struct err *e) MUST_USE;
/*
 * Docker's rules of untag and delete; in_use(arg, image id) gives the ID of a container or NULL and
 * sets *running.  The reply list, in order: "Untagged" or "Deleted" and the name.
 */
struct image_removal {
    struct kvs_item {
        bool deleted; /* else untagged */
        char *what;
    } * v;
    size_t n;
    char *image_id; /* of the image that was named */
};
void image_removal_release(struct image_removal *r);
typedef char *image_in_use_fn(void *arg, const char *image_id, bool *running);
int images_remove(struct images *im, const char *ref, bool force, bool no_prune,
                  image_in_use_fn *in_use, void *arg, struct image_removal *out,
                  struct err *e) MUST_USE;
int64_t images_layers_size(struct images *im); /* all layers, for /system/df and doctor */
/* out[i]: what l->v[i] has in common with others of the list. */
void images_shared_sizes(struct images *im, const struct image_list *l, int64_t *out);

/* ---- what a container's writable layer changes */
enum tree_change_kind { CHANGE_MODIFIED, CHANGE_ADDED, CHANGE_DELETED }; /* Docker's numbers */
struct tree_change {
    char *path; /* absolute */
    enum tree_change_kind kind;
};
struct tree_changes {
    struct tree_change *v;
    size_t n;
};
void tree_changes_release(struct tree_changes *c);
/* A directory before what is in it, names in the order of their bytes. */
int images_changes(struct images *im, const char *image_id, const char *container_id,
                   int64_t id_base /* see below */, struct tree_changes *out, struct cancel *c,
                   struct err *e) MUST_USE;

/* Container -> image: a layer more than the image it was made from, if it has changed anything. */
struct image_commit {
    const char *container_id, *image_id;
    const char *repo, *tag, *comment, *author; /* NULL or "": none */
    const char *created_by;                    /* the container's command */
    const struct container_spec *config;       /* the image's */
    const struct container_spec *container_config;
    int64_t id_base; /* of the container's user namespace, else 0 */
};
int images_commit(struct images *im, const struct image_commit *rq, struct cancel *c,
                  struct image **out, struct err *e) MUST_USE;
/* What of such a request can be wrong by itself.  *ref: canonical, NULL without repo. */
int images_commit_name(const char *repo, const char *tag, char **ref, struct err *e) MUST_USE;

/* A container's root.  Ensured before the first start; removed with the container. */
int images_rootfs_ensure(struct images *im, const char *image_id, const char *container_id,
                         struct rootfs *out, struct err *e) MUST_USE;
/* At most so many bytes in the writable part; before the first ensure.  Needs project quotas. */
bool images_rootfs_can_limit(struct images *im);
int images_rootfs_limit(struct images *im, const char *container_id, int64_t bytes,
                        struct err *e) MUST_USE;
/* What that gave or would give, without making anything. */
int images_rootfs_describe(struct images *im, const char *image_id, const char *container_id,
                           struct rootfs *out, struct err *e) MUST_USE;
int images_rootfs_remove(struct images *im, const char *container_id, struct err *e) MUST_USE;
/* Container IDs that have a writable layer: for leftovers. */
int images_rootfs_list(struct images *im, struct strv *ids, struct err *e) MUST_USE;
