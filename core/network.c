/* network: the snapshot, POST /networks/create, and the stored form. */
#include "core/network.h"

#include <stdlib.h>
#include <string.h>

#include "core/core_internal.h"

#define POOLS_MAX 64

struct network *network_new(void)
{
    struct network *n = xcalloc(1, sizeof(*n));

    n->refs = 1;
    n->id = xstrdup("");
    n->name = xstrdup("");
    n->driver = xstrdup("bridge");
    n->scope = xstrdup("local");
    n->ipam_driver = xstrdup("default");
    n->app = xstrdup("");
    n->key = xstrdup("");
    n->spec_hash = xstrdup("");
    n->enable_ipv4 = true;
    return n;
}

static void pool_copy(struct ipam_pool *dst, const struct ipam_pool *src)
{
    dst->subnet = str_dup_or_null(src->subnet);
    dst->ip_range = str_dup_or_null(src->ip_range);
    dst->gateway = str_dup_or_null(src->gateway);
    kvs_copy(&dst->aux, &src->aux);
}

static void pools_release(struct network *n)
{
    for (size_t i = 0; i < n->n_pools; i++) {
        free(n->pools[i].subnet);
        free(n->pools[i].ip_range);
        free(n->pools[i].gateway);
        kvs_release(&n->pools[i].aux);
    }
    free(n->pools);
    n->pools = NULL;
    n->n_pools = 0;
}

struct network *network_copy(const struct network *n)
{
    struct network *d = xcalloc(1, sizeof(*d));

    d->refs = 1;
    d->id = str_dup_or_null(n->id);
    d->name = str_dup_or_null(n->name);
    d->driver = str_dup_or_null(n->driver);
    d->scope = str_dup_or_null(n->scope);
    d->created_ns = n->created_ns;
    d->internal = n->internal;
    d->attachable = n->attachable;
    d->ingress = n->ingress;
    d->config_only = n->config_only;
    d->enable_ipv4 = n->enable_ipv4;
    d->enable_ipv6 = n->enable_ipv6;
    d->predefined = n->predefined;
    d->ipam_driver = str_dup_or_null(n->ipam_driver);
    kvs_copy(&d->ipam_options, &n->ipam_options);
    d->ipam_options_set = n->ipam_options_set;
    for (size_t i = 0; i < n->n_pools; i++)
        pool_copy(ARRAY_ADD(d->pools, d->n_pools), &n->pools[i]);
    d->pools_auto = n->pools_auto;
    kvs_copy(&d->options, &n->options);
    kvs_copy(&d->labels, &n->labels);
    d->app = str_dup_or_null(n->app);
    d->key = str_dup_or_null(n->key);
    d->spec_hash = str_dup_or_null(n->spec_hash);
    d->generation = n->generation;
    d->observed_generation = n->observed_generation;
    d->absent = n->absent;
    return d;
}

struct network *network_ref(const struct network *n)
{
    struct network *m = (struct network *)(uintptr_t)n;

    atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
    return m;
}

void network_unref(const struct network *n)
{
    struct network *m = (struct network *)(uintptr_t)n;

    if (!m || atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) != 1)
        return;
    free(m->id);
    free(m->name);
    free(m->driver);
    free(m->scope);
    free(m->ipam_driver);
    kvs_release(&m->ipam_options);
    pools_release(m);
    kvs_release(&m->options);
    kvs_release(&m->labels);
    free(m->app);
    free(m->key);
    free(m->spec_hash);
    free(m);
}

/* ------------------------------------------------------------ IPAM, both ways */

static int pools_decode(const struct json *list, struct network *out, struct err *e)
{
    if (!json_exists(list))
        return 0;
    if (want_type(list, JSON_ARRAY, e))
        return -1;
    if (json_len(list) > POOLS_MAX)
        return err_set(e, ERR_INVALID, "%s: more than %d pools", list->path, POOLS_MAX);
    for (size_t i = 0; i < json_len(list); i++) {
        struct json item = json_at(list, i);
        struct ipam_pool *p = ARRAY_ADD(out->pools, out->n_pools);

        if (want_type(&item, JSON_OBJECT, e) || get_str(&item, "Subnet", &p->subnet, e) ||
            get_str(&item, "IPRange", &p->ip_range, e) ||
            get_str(&item, "Gateway", &p->gateway, e) ||
            get_kvs(&item, "AuxiliaryAddresses", &p->aux, e))
            return -1;
    }
    return 0;
}

static int ipam_decode(const struct json *ipam, struct network *out, struct err *e)
{
    struct json config = json_get(ipam, "Config"), options = json_get(ipam, "Options");

    if (!json_exists(ipam))
        return 0;
    if (want_type(ipam, JSON_OBJECT, e) || get_str(ipam, "Driver", &out->ipam_driver, e) ||
        json_kvs(&options, &out->ipam_options, e) || pools_decode(&config, out, e))
        return -1;
    out->ipam_options_set = json_exists(&options);
    if (str_empty(out->ipam_driver))
        str_set(&out->ipam_driver, "default");
    return 0;
}

static void ipam_store(const struct network *n, struct jsonw *w)
{
    jsonw_obj(w);
    jsonw_opt_str(w, "Driver", n->ipam_driver);
    if (n->ipam_options_set || n->ipam_options.n) {
        jsonw_key(w, "Options");
        jsonw_kvs(w, &n->ipam_options);
    }
    if (n->n_pools) {
        jsonw_key(w, "Config");
        jsonw_arr(w);
        for (size_t i = 0; i < n->n_pools; i++) {
            jsonw_obj(w);
            jsonw_opt_str(w, "Subnet", n->pools[i].subnet);
            jsonw_opt_str(w, "IPRange", n->pools[i].ip_range);
            jsonw_opt_str(w, "Gateway", n->pools[i].gateway);
            jsonw_opt_kvs(w, "AuxiliaryAddresses", &n->pools[i].aux);
            jsonw_end_obj(w);
        }
        jsonw_end_arr(w);
    }
    jsonw_end_obj(w);
}

/* ------------------------------------------------------------ POST /networks/create */

static int refuse_swarm_kinds(const struct json *body, const struct network *n, struct err *e)
{
    struct json from = json_get(body, "ConfigFrom");

    if (n->ingress)
        return err_set(e, ERR_INVALID, "Ingress network can only be global scope network");
    if (n->config_only || *json_get_str(&from, "Network"))
        return err_set(e, ERR_UNSUPPORTED, "configuration-only networks are not supported");
    return 0;
}

int network_decode(const struct json *body, struct network *out, struct err *e)
{
    struct json ipam = json_get(body, "IPAM");

    if (json_exists(body) && want_type(body, JSON_OBJECT, e))
        return -1;
    if (get_str(body, "Name", &out->name, e) || get_str(body, "Driver", &out->driver, e) ||
        get_bool(body, "EnableIPv4", &out->enable_ipv4, e) ||
        get_bool(body, "EnableIPv6", &out->enable_ipv6, e) ||
        get_bool(body, "Internal", &out->internal, e) ||
        get_bool(body, "Attachable", &out->attachable, e) ||
        get_bool(body, "Ingress", &out->ingress, e) ||
        get_bool(body, "ConfigOnly", &out->config_only, e) ||
        get_kvs(body, "Options", &out->options, e) || get_kvs(body, "Labels", &out->labels, e) ||
        ipam_decode(&ipam, out, e))
        return -1;
    if (str_empty(out->name))
        return err_set(e, ERR_INVALID, "invalid name: name is empty");
    if (str_empty(out->driver))
        str_set(&out->driver, "bridge");
    if (refuse_swarm_kinds(body, out, e))
        return -1;
    if (!out->enable_ipv4 && !out->enable_ipv6)
        return err_set(e, ERR_INVALID, "IPv4 or IPv6 must be enabled");
    if (strcmp(out->ipam_driver, "default") != 0)
        return err_set(e, ERR_NOT_FOUND, "plugin \"%.100s\" not found", out->ipam_driver);
    out->pools_auto = out->n_pools == 0;
    return 0;
}

/* ------------------------------------------------------------ the stored form */

void network_store(const struct network *n, struct jsonw *w)
{
    jsonw_obj(w);
    jsonw_opt_str(w, "Driver", n->driver);
    jsonw_opt_str(w, "Scope", n->scope);
    jsonw_opt_i64(w, "CreatedNs", n->created_ns);
    jsonw_opt_bool(w, "Internal", n->internal);
    jsonw_opt_bool(w, "Attachable", n->attachable);
    jsonw_opt_bool(w, "Ingress", n->ingress);
    jsonw_opt_bool(w, "ConfigOnly", n->config_only);
    jsonw_kbool(w, "EnableIPv4", n->enable_ipv4);
    jsonw_opt_bool(w, "EnableIPv6", n->enable_ipv6);
    jsonw_opt_bool(w, "Predefined", n->predefined);
    jsonw_opt_bool(w, "Absent", n->absent);
    jsonw_key(w, "IPAM");
    ipam_store(n, w);
    jsonw_opt_bool(w, "PoolsAuto", n->pools_auto);
    jsonw_opt_kvs(w, "Options", &n->options);
    jsonw_opt_kvs(w, "Labels", &n->labels);
    jsonw_opt_str(w, "App", n->app);
    jsonw_opt_str(w, "Key", n->key);
    jsonw_opt_str(w, "SpecHash", n->spec_hash);
    jsonw_end_obj(w);
}

int network_load(const struct json *j, struct network *out, struct err *e)
{
    struct json ipam = json_get(j, "IPAM");

    pools_release(out);
    if (want_type(j, JSON_OBJECT, e) || get_str(j, "Driver", &out->driver, e) ||
        get_str(j, "Scope", &out->scope, e) || get_i64(j, "CreatedNs", &out->created_ns, e) ||
        get_bool(j, "Internal", &out->internal, e) ||
        get_bool(j, "Attachable", &out->attachable, e) ||
        get_bool(j, "Ingress", &out->ingress, e) ||
        get_bool(j, "ConfigOnly", &out->config_only, e) ||
        get_bool(j, "EnableIPv4", &out->enable_ipv4, e) ||
        get_bool(j, "EnableIPv6", &out->enable_ipv6, e) ||
        get_bool(j, "Predefined", &out->predefined, e) || get_bool(j, "Absent", &out->absent, e) ||
        ipam_decode(&ipam, out, e) || get_bool(j, "PoolsAuto", &out->pools_auto, e) ||
        get_kvs(j, "Options", &out->options, e) || get_kvs(j, "Labels", &out->labels, e) ||
        get_str(j, "App", &out->app, e) || get_str(j, "Key", &out->key, e) ||
        get_str(j, "SpecHash", &out->spec_hash, e))
        return -1;
    return 0;
}
