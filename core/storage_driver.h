/*
 * storage_driver: how a stack of read-only layers becomes one writable directory.
 *
 * A layer is immutable once committed and is known by its chain ID alone.  Reference counting, pull
 * and garbage collection are images/' business: a driver never asks who uses a layer.
 *
 * Nothing is mounted on the host to start a container: describe() says what the root is made of and
 * the shim mounts it in the container's own mount namespace, so that nothing can be left over.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

/* What a root file system is made of. */
struct rootfs {
    bool overlay;      /* false: `upper` is the whole tree (vfs) */
    struct strv lower; /* absolute directories, topmost first */
    char *upper, *work;
};
void rootfs_release(struct rootfs *r);

/* Writes the layer's entries below dir_fd; how is images/layer_apply.c's business. */
typedef int layer_fill_fn(void *arg, int dir_fd, struct err *e);

struct storage_driver_ops {
    const char *name; /* "overlay2", "vfs", "windowsfilter" */
    bool independent; /* a layer's files do not depend on its parent's: fill them in any order */

    /* Can this driver work on the file system of `root`?  -1 with the reason in *e. */
    int (*usable)(const char *root, struct err *e);

    /* Appears whole or not at all; there already: success without calling fill.  parent NULL: base.
     */
    int (*ensure_layer)(const char *root, const char *chain_id, const char *parent,
                        layer_fill_fn *fill, void *arg, struct err *e);
    bool (*has_layer)(const char *root, const char *chain_id);
    int (*remove_layer)(const char *root, const char *chain_id, struct err *e);
    /* The layer's own files (for save, size): caller frees. */
    char *(*layer_path)(const char *root, const char *chain_id);

    /* The writable part of container `id` over the chain (lowest first). */
    int (*ensure_rw)(const char *root, const char *id, const struct strv *chain, struct err *e);
    int (*remove_rw)(const char *root, const char *id, struct err *e);
    int (*describe)(const char *root, const char *id, const struct strv *chain, struct rootfs *out,
                    struct err *e);
};

const struct storage_driver_ops *storage_driver_find(const char *name);
/* The best usable one, as dockerd chooses; *why says what was passed over (may be ""). */
const struct storage_driver_ops *storage_driver_choose(const char *root, char **why);
