/*
 * vol_driver: where a volume's files are.  Same two rules as net_driver.h: ensure twice is ensure
 * once, removing the absent succeeds.
 *
 * A driver is built in ("local") or a plugin: a process of its own that is asked over a socket, may
 * be away, and may know volumes that nobody here has made.  Calls about a plugin's volumes may take
 * minutes, so nobody holds a lock meanwhile; about one volume only one call is made at a time.
 */
#pragma once

#include "base/err.h"
#include "core/volume.h"

struct cancel;

struct vol_env {
    const char *data_root;
    const char *plugin_sockets;      /* "/run/docker/plugins" */
    const struct strv *plugin_specs; /* "/etc/docker/plugins", ...: *.spec and *.json */
    unsigned owner;      /* who gets a new volume: the root of containers with ids of their own */
    struct cancel *stop; /* ends the waiting for a plugin; may be NULL */
};

typedef int vol_each_fn(void *arg, struct volume *v, struct err *e); /* takes v */

struct vol_driver_ops {
    bool remote; /* a plugin: mount() is called for each user, whatever the volume's options */

    /* Name and options, in Docker's words: `invalid option: "foo"`. */
    int (*check)(const struct vol_env *env, const struct volume *v, struct err *e);
    /* Sets v->mountpoint: <data_root>/volumes/<name>/_data for local. */
    int (*ensure)(const struct vol_env *env, struct volume *v, struct err *e);
    int (*remove)(const struct vol_env *env, const struct volume *v, struct err *e);
    /* Before somebody (a container's ID) uses it; *path, which the caller frees, is where it is. */
    int (*ensure_mounted)(const struct vol_env *env, const struct volume *v, const char *user,
                          char **path, struct err *e);
    /* That one needs it no more; last: nobody does. */
    int (*ensure_unmounted)(const struct vol_env *env, const struct volume *v, const char *user,
                            bool last, struct err *e);

    /* Only of plugins.  What the driver says of v->name: mountpoint, created_ns, status, scope.
     * ERR_NOT_FOUND: it knows none. */
    int (*get)(const struct vol_env *env, struct volume *v, struct err *e);
    int (*list)(const struct vol_env *env, const char *driver, vol_each_fn *each, void *arg,
                struct err *e);
};

/* NULL with *e: `error looking up volume plugin x: plugin "x" not found`.  patient: one that does
 * not answer is asked again for a while. */
const struct vol_driver_ops *vol_driver_find(const struct vol_env *env, const char *name,
                                             bool patient, struct err *e);
/* Does a volume of this driver need ensure_mounted(), or is it just a directory? */
bool vol_driver_mounts(const struct vol_driver_ops *d, const struct volume *v);
/* Names of the plugins that are there and are volume drivers. */
void vol_driver_plugins(const struct vol_env *env, struct strv *names);
