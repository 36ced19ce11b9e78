/* container_codec_net: NetworkingConfig.EndpointsConfig: what was asked of each network. */
#include <stdlib.h>
#include <string.h>

#include "core/core_internal.h"

#define ENDPOINTS_MAX 256

void endpoint_config_release(struct endpoint_config *ec)
{
    free(ec->network);
    strv_release(&ec->aliases);
    strv_release(&ec->links);
    strv_release(&ec->link_local_ips);
    free(ec->ipv4);
    free(ec->ipv6);
    free(ec->mac);
    kvs_release(&ec->driver_opts);
    memset(ec, 0, sizeof(*ec));
}

void endpoint_config_copy(struct endpoint_config *dst, const struct endpoint_config *src)
{
    memset(dst, 0, sizeof(*dst));
    dst->network = str_dup_or_null(src->network);
    strv_copy(&dst->aliases, &src->aliases);
    strv_copy(&dst->links, &src->links);
    strv_copy(&dst->link_local_ips, &src->link_local_ips);
    dst->ipv4 = str_dup_or_null(src->ipv4);
    dst->ipv6 = str_dup_or_null(src->ipv6);
    dst->mac = str_dup_or_null(src->mac);
    kvs_copy(&dst->driver_opts, &src->driver_opts);
    dst->gw_priority = src->gw_priority;
    dst->left = src->left;
}

int endpoint_config_decode(const struct json *j, struct endpoint_config *out, struct err *e)
{
    struct json ipam = json_get(j, "IPAMConfig");

    if (!json_exists(j))
        return 0;
    if (want_type(j, JSON_OBJECT, e) || (json_exists(&ipam) && want_type(&ipam, JSON_OBJECT, e)))
        return -1;
    if (get_str(&ipam, "IPv4Address", &out->ipv4, e) ||
        get_str(&ipam, "IPv6Address", &out->ipv6, e) ||
        get_strv(&ipam, "LinkLocalIPs", &out->link_local_ips, e) ||
        get_strv(j, "Links", &out->links, e) || get_strv(j, "Aliases", &out->aliases, e) ||
        get_str(j, "MacAddress", &out->mac, e) || get_kvs(j, "DriverOpts", &out->driver_opts, e) ||
        get_i64(j, "GwPriority", &out->gw_priority, e))
        return -1;
    return 0;
}

void endpoint_config_encode(const struct endpoint_config *ec, struct jsonw *w)
{
    jsonw_key(w, "IPAMConfig");
    if (str_empty(ec->ipv4) && str_empty(ec->ipv6) && ec->link_local_ips.n == 0) {
        jsonw_null(w);
    } else {
        jsonw_obj(w);
        jsonw_opt_str(w, "IPv4Address", ec->ipv4);
        jsonw_opt_str(w, "IPv6Address", ec->ipv6);
        jsonw_opt_strv(w, "LinkLocalIPs", &ec->link_local_ips);
        jsonw_end_obj(w);
    }
    jsonw_kstrv_or_null(w, "Links", &ec->links);
    jsonw_kstrv_or_null(w, "Aliases", &ec->aliases);
    jsonw_kstr(w, "MacAddress", ec->mac);
    jsonw_key(w, "DriverOpts");
    if (ec->driver_opts.n)
        jsonw_kvs_sorted(w, &ec->driver_opts);
    else
        jsonw_null(w);
    jsonw_ki64(w, "GwPriority", ec->gw_priority);
}

static int endpoints_decode(const struct json *j, struct container_spec *s, bool stored,
                            struct err *e)
{
    struct json_iter it = json_iter(j);

    if (want_type(j, JSON_OBJECT, e))
        return -1;
    if (json_len(j) > ENDPOINTS_MAX)
        return err_set(e, ERR_INVALID, "%s: more than %d networks", j->path, ENDPOINTS_MAX);
    while (json_next(&it)) {
        struct endpoint_config *ec;

        if (!stored && !json_exists(&it.value))
            return err_set(e, ERR_INVALID,
                           "invalid config for network %.100s: EndpointsConfig is nil", it.key);
        ec = ARRAY_ADD(s->endpoints, s->n_endpoints);
        ec->network = xstrdup(it.key);
        if (endpoint_config_decode(&it.value, ec, e) ||
            (stored && get_bool(&it.value, "Left", &ec->left, e)))
            return -1;
    }
    return 0;
}

/* Only for the database: inspect prints what came of it (api/). */
static void endpoints_encode(const struct container_spec *s, struct jsonw *w, bool stored)
{
    (void)stored;
    jsonw_obj(w);
    for (size_t i = 0; i < s->n_endpoints; i++) {
        const struct endpoint_config *ec = &s->endpoints[i];

        jsonw_key(w, ec->network);
        jsonw_obj(w);
        if (!str_empty(ec->ipv4) || !str_empty(ec->ipv6) || ec->link_local_ips.n) {
            jsonw_key(w, "IPAMConfig");
            jsonw_obj(w);
            jsonw_opt_str(w, "IPv4Address", ec->ipv4);
            jsonw_opt_str(w, "IPv6Address", ec->ipv6);
            jsonw_opt_strv(w, "LinkLocalIPs", &ec->link_local_ips);
            jsonw_end_obj(w);
        }
        jsonw_opt_strv(w, "Links", &ec->links);
        jsonw_opt_strv(w, "Aliases", &ec->aliases);
        jsonw_opt_str(w, "MacAddress", ec->mac);
        jsonw_opt_kvs(w, "DriverOpts", &ec->driver_opts);
        jsonw_opt_i64(w, "GwPriority", ec->gw_priority);
        if (ec->left)
            jsonw_kbool(w, "Left", true);
        jsonw_end_obj(w);
    }
    jsonw_end_obj(w);
}

static bool endpoints_absent(const struct container_spec *s)
{
    return s->n_endpoints == 0;
}

static void endpoints_copy(struct container_spec *d, const struct container_spec *s)
{
    for (size_t i = 0; i < s->n_endpoints; i++)
        endpoint_config_copy(ARRAY_ADD(d->endpoints, d->n_endpoints), &s->endpoints[i]);
}

static void endpoints_release(struct container_spec *s)
{
    for (size_t i = 0; i < s->n_endpoints; i++)
        endpoint_config_release(&s->endpoints[i]);
    free(s->endpoints);
    s->endpoints = NULL;
    s->n_endpoints = 0;
}

const struct spec_codec codec_endpoints = {endpoints_decode, endpoints_encode, endpoints_absent,
                                           endpoints_copy, endpoints_release};
