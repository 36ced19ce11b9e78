/*
 * pull_internal: the layers of a pull, downloaded and unpacked by a few threads.
 *
 * The threads only note what happens; the one that called images_pull() tells the client, so that
 * its callback is never called by two at once, nor under a lock.
 */
#pragma once

#include "images/images_internal.h"
#include "images/manifest.h"
#include "images/registry.h"

struct pull_layers {
    struct images *im;
    struct registry *registry;
    const struct image *image;
    const struct manifest *manifest;
    const struct strv *blobs; /* their digests, lowest first */
    struct cancel *stop;      /* a child of c: ends the threads */
    struct cancel *c;         /* the caller's */
    progress_fn *progress;
    void *arg;
};
int pull_layers(const struct pull_layers *pl, struct err *e) MUST_USE;
