/*
 * diff: what the writable layer of a container says about the layers below it.
 *
 * With overlay that is what lies in its upper directory; with vfs the two trees are compared.  The
 * container may run meanwhile: the walk is by descriptor and follows no link.
 *
 * The places of the engine's own mounts (/etc/hosts, /proc, ...) are no change: Docker has them in
 * a layer of their own, which nobody sees either.
 */
#pragma once

#include "base/cancel.h"
#include "base/str.h"
#include "core/storage_driver.h"
#include "images/images.h"
#include "images/tar.h"

struct diff {
    bool overlay;
    int64_t id_base; /* of a user namespace: what the ids in upper are shifted by */
    int upper;       /* the writable layer; with vfs, the whole tree */
    int *lower;      /* topmost first; with vfs one, the layer that the tree was copied from */
    size_t n_lower;
};

/* base: with vfs, the topmost layer's directory; NULL: there is none.  With vfs ids are not shifted
 * on the disk. */
int diff_open(const struct rootfs *r, const char *base, int64_t id_base, struct diff *out,
              struct err *e) MUST_USE;
void diff_release(struct diff *d);
#define cleanup_diff CLEANUP(diff_release)

int diff_changes(const struct diff *d, struct tree_changes *out, struct cancel *c,
                 struct err *e) MUST_USE;
/* As the tar of an image's layer.  *empty: it changes nothing. */
int diff_tar(const struct diff *d, write_fn *write, void *arg, struct cancel *c, bool *empty,
             struct err *e) MUST_USE;
