/*
 * layer_apply: unpacks a layer's tar below a directory, and nowhere else.
 *
 * Every path is walked from the directory's descriptor, one component at a time; a symbolic link on
 * the way is followed as a chroot would follow it, never outside.  The last component is never
 * followed.  Names that climb out (`..`) are refused, absolute ones start at the directory.
 *
 * Whiteouts, in overlay form: `.wh.x` becomes the character device 0:0 `x`, `.wh..wh..opq` the
 * attribute trusted.overlay.opaque of its directory.  In flat form (the parent's files are there
 * already) they delete, sparing what this layer itself brought.  Either way they speak of the
 * layers below only, wherever in the tar they stand.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "images/decompress.h"

enum whiteout_form {
    WHITEOUT_OVERLAY,
    WHITEOUT_FLAT,
    WHITEOUT_NONE, /* ".wh.x" is a file like any other */
};

/* Reads the tar to the end of the stream.  *size: bytes of the regular files. */
int layer_apply(int root_fd, read_fn *read, void *arg, enum whiteout_form form, int64_t *size,
                struct err *e) MUST_USE;

/*
 * The other use: `docker cp` into a container, perhaps a running one that exchanges what we make
 * for something else.  Nothing is named twice in a way that could lead out of root_fd.  The
 * directory itself keeps its attributes; errors have dockerd's words.
 */
struct tar_apply_opts {
    const char *where; /* the directory's name, for messages */
    bool keep_kinds;   /* no directory in the place of something else, nor the reverse */
    bool own;          /* everything belongs to uid and gid, whatever the tar says */
    int64_t uid, gid;
    int64_t id_base; /* added to owners: those of a user namespace */
};
int tar_apply(int root_fd, read_fn *read, void *arg, const struct tar_apply_opts *o,
              struct err *e) MUST_USE;
