/* network: the noun.  Immutable snapshots, as core/container.h has them. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

struct ipam_pool {
    char *subnet, *ip_range, *gateway; /* "172.18.0.0/16", NULL, "172.18.0.1" */
    struct kvs aux;
};

struct network {
    _Atomic int refs;
    char *id, *name, *driver; /* "bridge", "host", "null" (the network "none") */
    char *scope;              /* "local" */
    int64_t created_ns;
    bool internal, attachable, ingress, config_only, enable_ipv4, enable_ipv6, predefined;
    char *ipam_driver; /* "default" */
    struct kvs ipam_options;
    bool ipam_options_set; /* inspect prints null for what was not given */
    struct ipam_pool *pools;
    size_t n_pools;
    bool pools_auto; /* chosen by us: static addresses are refused */
    struct kvs options, labels;
    char *app, *key; /* owner: app and the key in its file; "" */
    char *spec_hash;
    int64_t generation, observed_generation;
    bool absent; /* goal */
};

struct network *network_new(void);
struct network *network_copy(const struct network *n);
struct network *network_ref(const struct network *n);
void network_unref(const struct network *n);
static inline void network_unref_p(struct network **n)
{
    if (*n)
        network_unref(*n);
}
#define cleanup_network CLEANUP(network_unref_p)
/* POST /networks/create. */
int network_decode(const struct json *body, struct network *out, struct err *e) MUST_USE;
void network_store(const struct network *n,
                   struct jsonw *w); /* everything but id, name, generations */
int network_load(const struct json *j, struct network *out, struct err *e) MUST_USE;
