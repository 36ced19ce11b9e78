/* codec_network: a network, in lists and in inspect (which alone has Containers). */
#include <stdio.h>

#include "api/codec.h"
#include "reconciler/engine.h"

/* Keys without a value are left out. */
static void write_if(struct jsonw *w, const char *key, const char *value)
{
    if (!str_empty(value))
        jsonw_kstr(w, key, value);
}

static void write_ipam(struct jsonw *w, const struct network *n)
{
    jsonw_key(w, "IPAM");
    jsonw_obj(w);
    jsonw_kstr(w, "Driver", str_empty(n->ipam_driver) ? "default" : n->ipam_driver);
    jsonw_key(w, "Options");
    if (n->predefined && n->ipam_options.n == 0)
        jsonw_null(w);
    else
        jsonw_kvs(w, &n->ipam_options);
    jsonw_key(w, "Config");
    if (n->n_pools == 0) {
        jsonw_null(w);
    } else {
        jsonw_arr(w);
        for (size_t i = 0; i < n->n_pools; i++) {
            const struct ipam_pool *p = &n->pools[i];

            jsonw_obj(w);
            write_if(w, "Subnet", p->subnet);
            write_if(w, "IPRange", p->ip_range);
            write_if(w, "Gateway", p->gateway);
            if (p->aux.n) {
                jsonw_key(w, "AuxiliaryAddresses");
                jsonw_kvs(w, &p->aux);
            }
            jsonw_end_obj(w);
        }
        jsonw_end_arr(w);
    }
    jsonw_end_obj(w);
}

static void write_member(struct jsonw *w, const struct container *c, const struct endpoint *ep)
{
    char cidr[64] = "";

    if (!str_empty(ep->ipv4))
        snprintf(cidr, sizeof(cidr), "%s/%d", ep->ipv4, (int)ep->prefix_len);
    jsonw_key(w, c->id);
    jsonw_obj(w);
    jsonw_kstr(w, "Name", c->name);
    jsonw_kstr(w, "EndpointID", ep->id);
    jsonw_kstr(w, "MacAddress", ep->mac);
    jsonw_kstr(w, "IPv4Address", cidr);
    jsonw_kstr(w, "IPv6Address", "");
    jsonw_end_obj(w);
}

static void write_members(struct jsonw *w, const struct network *n,
                          const struct container_list *containers)
{
    jsonw_key(w, "Containers");
    jsonw_obj(w);
    for (size_t i = 0; containers && i < containers->n; i++) {
        const struct container *c = containers->v[i];

        for (size_t k = 0; k < c->state.n_endpoints; k++) {
            const struct endpoint *ep = &c->state.endpoints[k];

            if (str_eq(ep->network_id, n->id) && !str_empty(ep->id))
                write_member(w, c, ep);
        }
    }
    jsonw_end_obj(w);
}

void network_write(struct jsonw *w, const struct network *n,
                   const struct container_list *containers)
{
    jsonw_obj(w);
    jsonw_kstr(w, "Name", n->name);
    jsonw_kstr(w, "Id", n->id);
    jsonw_key(w, "Created");
    jsonw_time(w, n->created_ns);
    jsonw_kstr(w, "Scope", str_empty(n->scope) ? "local" : n->scope);
    jsonw_kstr(w, "Driver", n->driver);
    jsonw_kbool(w, "EnableIPv4", n->enable_ipv4);
    jsonw_kbool(w, "EnableIPv6", n->enable_ipv6);
    write_ipam(w, n);
    jsonw_kbool(w, "Internal", n->internal);
    jsonw_kbool(w, "Attachable", n->attachable);
    jsonw_kbool(w, "Ingress", n->ingress);
    jsonw_key(w, "ConfigFrom");
    jsonw_obj(w);
    jsonw_kstr(w, "Network", "");
    jsonw_end_obj(w);
    jsonw_kbool(w, "ConfigOnly", n->config_only);
    write_members(w, n, containers);
    jsonw_key(w, "Options");
    jsonw_kvs(w, &n->options);
    jsonw_key(w, "Labels");
    jsonw_kvs(w, &n->labels);
    jsonw_end_obj(w);
}
