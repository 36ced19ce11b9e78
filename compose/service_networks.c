/* service_networks: `networks` of a service, a list of names or a mapping with details. */
#include "base/mem.h"
#include "compose/compose_internal.h"

void service_network_add(struct service_extra *x, const char *key, struct yaml_node *at)
{
    x->networks = xrealloc(x->networks, (x->n_networks + 1) * sizeof *x->networks);
    x->networks[x->n_networks++] = (struct service_network){.key = xstrdup(key), .at = at};
}

static int read_name(const struct field *f, void *obj, struct err *e)
{
    struct service_extra *x = obj;

    if (f->node->kind != YAML_SCALAR)
        return field_error(f, e, "must be the name of a network");
    for (size_t i = 0; i < x->n_networks; i++)
        if (str_eq(x->networks[i].key, f->node->text))
            return field_error(f, e, "%s is named twice", f->node->text);
    service_network_add(x, f->node->text, f->node);
    return 0;
}

#define EP(member) (offsetof(struct service_network, ep) + offsetof(struct endpoint_config, member))

static int read_details(const struct field *f, struct service_network *n, struct err *e)
{
    /* clang-format off */
    static const struct key_def keys[] = {
        {"aliases",        KEY_LIST,  EP(aliases),                                NULL, 0, NULL},
        {"ipv4_address",   KEY_STR,   EP(ipv4),                                   NULL, 0, NULL},
        {"ipv6_address",   KEY_STR,   EP(ipv6),                                   NULL, 0, NULL},
        {"mac_address",    KEY_STR,   EP(mac),                                    NULL, 0, NULL},
        {"link_local_ips", KEY_LIST,  EP(link_local_ips),                         NULL, 0, NULL},
        {"driver_opts",    KEY_PAIRS, EP(driver_opts),                            NULL, 0, NULL},
        {"gw_priority",    KEY_INT,   EP(gw_priority),                            NULL, 0, NULL},
        {"priority",       KEY_INT,   offsetof(struct service_network, priority), NULL, 0, NULL},
        KEY_NOTE("interface_name", NOTICE_DEGRADED, "the interface gets the usual name"),
    };
    /* clang-format on */

    return read_map(f, keys, ARRAY_LEN(keys), NULL, n, e);
}

int read_service_networks(const struct field *f, void *obj, struct err *e)
{
    struct service_extra *x = ((struct service_in *)obj)->x;

    x->networks_set = true;
    if (f->node->kind == YAML_SEQ)
        return read_each(f, read_name, x, e);
    if (f->node->kind != YAML_MAP)
        return field_error(f, e, "must be a list of names or a mapping");
    for (size_t i = 0; i < f->node->n; i++) {
        struct field one = field_of(f, &f->node->pairs[i]);

        service_network_add(x, one.key, one.node);
        if (one.node->kind != YAML_NULL && read_details(&one, &x->networks[x->n_networks - 1], e))
            return -1;
    }
    return 0;
}
