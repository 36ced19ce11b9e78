/*
 * container_files: what is in a container, read and written from outside.
 *
 * Works whether it runs or not.  A running container's files are seen with its own mounts, a
 * stopped one's with those that it would have (its volumes are mounted for as long).  A start waits
 * until nobody writes into a stopped container any more.  None of this goes through the queue.
 */
#pragma once

#include "images/images.h"
#include "images/tree_path.h"
#include "reconciler/engine.h"

/* path as the client wrote it.  Not there: "Could not find the file x in container y". */
int containers_stat_path(struct engine *g, const char *id, const char *path, struct tree_stat *out,
                         struct err *e) MUST_USE;

/* What comes out is a tar; begin() is called once, before its first byte. */
struct files_sink {
    int (*begin)(void *arg, const struct tree_stat *st /* of archive only */, struct err *e);
    images_write_fn *write;
    void *arg;
    struct cancel *cancel;
};
int containers_archive(struct engine *g, const char *id, const char *path,
                       const struct files_sink *out, const char *by, struct err *e) MUST_USE;
int containers_export(struct engine *g, const char *id, const struct files_sink *out,
                      const char *by, struct err *e) MUST_USE;

struct files_source {
    images_read_fn *read; /* a tar, plain or gzip, bzip2, xz, zstd */
    void *arg;
    bool keep_kinds; /* noOverwriteDirNonDir */
    bool copy_ids;   /* copyUIDGID: everything becomes the container's user's */
};
int containers_extract(struct engine *g, const char *id, const char *path,
                       const struct files_source *in, const char *by, struct err *e) MUST_USE;

/* What its writable layer changes, sorted by path. */
int containers_changes(struct engine *g, const char *id, struct tree_changes *out, struct cancel *c,
                       struct err *e) MUST_USE;

struct container_commit {
    const char *container, *repo, *tag, *comment, *author; /* NULL or "": none */
    bool pause;
    const struct strv *changes;          /* Dockerfile instructions */
    const struct container_spec *config; /* NULL: the container's */
    const char *by;
};
/* *id is the image's; the caller frees it. */
int containers_commit(struct engine *g, const struct container_commit *rq, struct cancel *c,
                      char **id, struct err *e) MUST_USE;
