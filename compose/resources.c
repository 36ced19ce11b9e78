/* resources: the top-level `networks` and `volumes`. */
#include "base/mem.h"
#include "compose/compose_internal.h"
#include "core/network.h"
#include "core/volume.h"

struct external {
    bool yes;
    char *name;
};

/* `external: true`, or the old form `external: {name: x}`. */
static int read_external(const struct field *f, struct external *x, struct err *e)
{
    static const struct key_def keys[] = {
        {"name", KEY_STR, offsetof(struct external, name), NULL, 0, NULL},
    };

    if (f->node->kind != YAML_MAP)
        return read_bool(f, &x->yes, e);
    x->yes = true;
    return read_map(f, keys, ARRAY_LEN(keys), NULL, x, e);
}

/* What is not ours cannot be configured by us. */
static int only_name(const struct field *f, struct err *e)
{
    for (size_t i = 0; i < f->node->n; i++) {
        struct field key = field_of(f, &f->node->pairs[i]);

        if (!str_eq(key.key, "external") && !str_eq(key.key, "name") && !str_starts(key.key, "x-"))
            return field_key_error(&key, e, "has no meaning for what is external");
    }
    return 0;
}

/* ---------------------------------------------------------------- networks */

struct network_in {
    struct network *net;
    struct external external;
};

static int read_network_external(const struct field *f, void *obj, struct err *e)
{
    return read_external(f, &((struct network_in *)obj)->external, e);
}

static int read_pool(const struct field *f, void *obj, struct err *e)
{
    static const struct key_def keys[] = {
        {"subnet",        KEY_STR,   offsetof(struct ipam_pool, subnet),   NULL, 0, NULL},
        {"ip_range",      KEY_STR,   offsetof(struct ipam_pool, ip_range), NULL, 0, NULL},
        {"gateway",       KEY_STR,   offsetof(struct ipam_pool, gateway),  NULL, 0, NULL},
        {"aux_addresses", KEY_PAIRS, offsetof(struct ipam_pool, aux),      NULL, 0, NULL},
    };
    struct network *n = obj;

    n->pools = xrealloc(n->pools, (n->n_pools + 1) * sizeof *n->pools);
    n->pools[n->n_pools] = (struct ipam_pool){0};
    return read_map(f, keys, ARRAY_LEN(keys), NULL, &n->pools[n->n_pools++], e);
}

static int read_pools(const struct field *f, void *obj, struct err *e)
{
    if (f->node->kind != YAML_SEQ)
        return field_error(f, e, "must be a list");
    return read_each(f, read_pool, obj, e);
}

static int read_ipam(const struct field *f, void *obj, struct err *e)
{
    static const struct key_def keys[] = {
        {"driver", KEY_STR, offsetof(struct network, ipam_driver),     NULL,                       0,    NULL},
        {"options",        KEY_PAIRS,       offsetof(struct network,              ipam_options), NULL, 0, NULL},
        {"config",    KEY_FN,           0,                           read_pools,                                  0,                                                 NULL                },
    };
    struct network *n = ((struct network_in *)obj)->net;

    return read_map(f, keys, ARRAY_LEN(keys), n, n, e);
}

#define NET(member) offsetof(struct network, member)

static int read_network(const struct field *f, struct load *ld, struct err *e)
{
    static const struct key_def keys[] = {
        {"name",        KEY_STR,   NET(name),        NULL,                  0, NULL},
        {"driver",      KEY_STR,   NET(driver),      NULL,                  0, NULL},
        {"driver_opts", KEY_PAIRS, NET(options),     NULL,                  0, NULL},
        {"labels",      KEY_PAIRS, NET(labels),      NULL,                  0, NULL},
        {"internal",    KEY_BOOL,  NET(internal),    NULL,                  0, NULL},
        {"attachable",  KEY_BOOL,  NET(attachable),  NULL,                  0, NULL},
        {"enable_ipv4", KEY_BOOL,  NET(enable_ipv4), NULL,                  0, NULL},
        {"enable_ipv6", KEY_BOOL,  NET(enable_ipv6), NULL,                  0, NULL},
        {"ipam",        KEY_FN,    0,                read_ipam,             0, NULL},
        {"external",    KEY_FN,    0,                read_network_external, 0, NULL},
    };
    struct app *app = ld->app;
    struct network_in in = {.net = network_new()};

    app->networks = xrealloc(app->networks, (app->n_networks + 1) * sizeof *app->networks);
    app->networks[app->n_networks++] = (struct app_network){.key = xstrdup(f->key), .net = in.net};
    str_set(&in.net->name, "");
    in.net->enable_ipv4 = true;
    if (f->node->kind != YAML_NULL && read_map(f, keys, ARRAY_LEN(keys), &in, in.net, e)) {
        free(in.external.name);
        return -1;
    }
    if (in.external.name)
        str_set(&in.net->name, in.external.name);
    free(in.external.name);
    app->networks[app->n_networks - 1].external = in.external.yes;
    if (in.external.yes && only_name(f, e))
        return -1;
    if (str_empty(in.net->driver) || str_eq(in.net->driver, "default"))
        str_set(&in.net->driver, "bridge");
    if (in.net->enable_ipv6)
        field_notice(f, NOTICE_DEGRADED, "enable_ipv6: networks have IPv4 only for now");
    return 0;
}

int read_top_networks(const struct field *f, void *obj, struct err *e)
{
    if (f->node->kind != YAML_MAP)
        return field_error(f, e, "must be a mapping");
    for (size_t i = 0; i < f->node->n; i++) {
        struct field one = field_of(f, &f->node->pairs[i]);

        if (read_network(&one, obj, e))
            return -1;
    }
    return 0;
}

/* ----------------------------------------------------------------- volumes */

struct volume_in {
    struct external external;
};

static int read_volume_external(const struct field *f, void *obj, struct err *e)
{
    return read_external(f, &((struct volume_in *)obj)->external, e);
}

#define VOL(member) offsetof(struct volume, member)

static int read_volume(const struct field *f, struct load *ld, struct err *e)
{
    static const struct key_def keys[] = {
        {"name",        KEY_STR,   VOL(name),    NULL,                 0, NULL},
        {"driver",      KEY_STR,   VOL(driver),  NULL,                 0, NULL},
        {"driver_opts", KEY_PAIRS, VOL(options), NULL,                 0, NULL},
        {"labels",      KEY_PAIRS, VOL(labels),  NULL,                 0, NULL},
        {"external",    KEY_FN,    0,            read_volume_external, 0, NULL},
    };
    struct app *app = ld->app;
    struct volume_in in = {0};
    struct volume *v = volume_new();

    app->volumes = xrealloc(app->volumes, (app->n_volumes + 1) * sizeof *app->volumes);
    app->volumes[app->n_volumes++] = (struct app_volume){.key = xstrdup(f->key), .vol = v};
    str_set(&v->name, "");
    if (f->node->kind != YAML_NULL && read_map(f, keys, ARRAY_LEN(keys), &in, v, e)) {
        free(in.external.name);
        return -1;
    }
    if (in.external.name)
        str_set(&v->name, in.external.name);
    free(in.external.name);
    app->volumes[app->n_volumes - 1].external = in.external.yes;
    if (in.external.yes && only_name(f, e))
        return -1;
    if (str_empty(v->driver))
        str_set(&v->driver, "local");
    v->options_set = v->options.n > 0;
    v->labels_set = true;
    return 0;
}

int read_top_volumes(const struct field *f, void *obj, struct err *e)
{
    if (f->node->kind != YAML_MAP)
        return field_error(f, e, "must be a mapping");
    for (size_t i = 0; i < f->node->n; i++) {
        struct field one = field_of(f, &f->node->pairs[i]);

        if (read_volume(&one, obj, e))
            return -1;
    }
    return 0;
}
