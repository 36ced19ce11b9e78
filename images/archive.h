/*
 * archive: the tar of `docker save` or an OCI layout, taken into the content store.
 *
 * The stream is read once, in whatever order it has; every file becomes a blob at once, pinned, and
 * is known by its name afterwards.  What no image needs in the end goes with the pins.
 */
#pragma once

#include "base/buf.h"
#include "base/map.h"
#include "images/images_internal.h"

struct archive {
    struct map files;                     /* cleaned name -> digest */
    struct map links;                     /* cleaned name -> cleaned target */
    struct buf manifest_json, index_json; /* empty: not there */
    struct pins pins;
};

int archive_read(struct images *im, images_read_fn *read, void *arg, struct cancel *c,
                 struct archive *out, struct err *e) MUST_USE;
/* The digest of a file, through links; NULL: not there. */
const char *archive_find(const struct archive *a, const char *name);
void archive_release(struct images *im, struct archive *a);
