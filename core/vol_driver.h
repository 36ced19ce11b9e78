/*
 * vol_driver: where a volume's files are.  Same two rules as net_driver.h: ensure twice is ensure
 * once, removing the absent succeeds.
 */
#pragma once

#include "base/err.h"
#include "core/volume.h"

struct vol_driver_ops {
    const char *name; /* "local" */

    /* Options, in Docker's words: `invalid option: "foo"`. */
    int (*check)(const struct volume *v, struct err *e);
    /* Sets v->mountpoint: <data_root>/volumes/<name>/_data for local. */
    int (*ensure)(const char *data_root, struct volume *v, struct err *e);
    int (*remove)(const char *data_root, const struct volume *v, struct err *e);
    /* Before a container that uses it starts, after it ended (nfs, tmpfs: mounted while in use). */
    int (*ensure_mounted)(const char *data_root, const struct volume *v, struct err *e);
    int (*ensure_unmounted)(const char *data_root, const struct volume *v, struct err *e);
};

const struct vol_driver_ops *vol_driver_find(const char *name);
