/*
 * bridge_options: see bridge_options.h.
 *
 * Names and meaning are Docker's (com.docker.network.*).  An option that Docker has and this driver
 * does not says so instead of being ignored: a network that is less protected or less reachable
 * than its file says would be worse than none.
 */
#include "netdrivers/bridge_options.h"

#include "base/str.h"
#include "netdrivers/ipv4.h"

#define PREFIX     "com.docker.network."
#define MTU_MIN    68 /* RFC 791 */
#define MTU_MAX    65535
#define MTU_NORMAL 1500

typedef int (*option_fn)(const char *key, const char *value, struct bridge_options *out,
                         struct err *e);

/* What Go's strconv.ParseBool takes, as Docker's clients send it. */
static int parse_bool(const char *key, const char *value, bool *out, struct err *e)
{
    static const char *const yes[] = {"1", "t", "T", "TRUE", "true", "True"};
    static const char *const no[] = {"0", "f", "F", "FALSE", "false", "False"};

    for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
        if (str_eq(value, yes[i]) || str_eq(value, no[i])) {
            *out = str_eq(value, yes[i]);
            return 0;
        }
    }
    return err_set(
        e, ERR_INVALID,
        "failed to parse %s value: %s (strconv.ParseBool: parsing \"%s\": invalid syntax)", key,
        value, value);
}

static int set_name(const char *key, const char *value, struct bridge_options *out, struct err *e)
{
    if (!*value)
        return 0;
    if (!str_copy(out->name, sizeof(out->name), value))
        return err_set(e, ERR_INVALID, "%s: interface name %s is longer than %d", key, value,
                       IFNAMSIZ - 1);
    if (strchr(value, '/') || strchr(value, ' ') || str_eq(value, ".") || str_eq(value, ".."))
        return err_set(e, ERR_INVALID, "%s: %s is not an interface name", key, value);
    out->own_name = false;
    return 0;
}

static int set_icc(const char *key, const char *value, struct bridge_options *out, struct err *e)
{
    return parse_bool(key, value, &out->icc, e);
}

static int set_masquerade(const char *key, const char *value, struct bridge_options *out,
                          struct err *e)
{
    return parse_bool(key, value, &out->masquerade, e);
}

static int set_inhibit(const char *key, const char *value, struct bridge_options *out,
                       struct err *e)
{
    return parse_bool(key, value, &out->inhibit_ipv4, e);
}

/* Says which network is the default one; that one is recognised by its name here. */
static int set_default(const char *key, const char *value, struct bridge_options *out,
                       struct err *e)
{
    bool ignored;

    (void)out;
    return parse_bool(key, value, &ignored, e);
}

static int set_mtu(const char *key, const char *value, struct bridge_options *out, struct err *e)
{
    int64_t mtu;

    if (parse_i64(value, 0, INT32_MAX, key, &mtu, ERR_IGNORE))
        return err_set(
            e, ERR_INVALID,
            "failed to parse %s value: %s (strconv.Atoi: parsing \"%s\": invalid syntax)", key,
            value, value);
    if (mtu && (mtu < MTU_MIN || mtu > MTU_MAX))
        return err_set(e, ERR_INVALID, "%s: %s is not between %d and %d", key, value, MTU_MIN,
                       MTU_MAX);
    if (mtu)
        out->mtu = (int)mtu;
    return 0;
}

/* The caller that reserves ports puts it into bindings without an address. */
static int check_address(const char *key, const char *value, struct bridge_options *out,
                         struct err *e)
{
    uint32_t addr;

    (void)out;
    if (!*value || ipv4_parse(value, &addr))
        return 0;
    return err_set(e, ERR_INVALID, "%s: %s is not an IPv4 address", key, value);
}

/* The caller that names interfaces reads it. */
static int check_ifprefix(const char *key, const char *value, struct bridge_options *out,
                          struct err *e)
{
    (void)out;
    if (*value && strlen(value) < IFNAMSIZ - 3 && !strchr(value, '/') && !strchr(value, ' '))
        return 0;
    return err_set(e, ERR_INVALID, "%s: \"%s\" cannot begin an interface name", key, value);
}

static int check_gateway_mode(const char *key, const char *value, struct bridge_options *out,
                              struct err *e)
{
    static const char *const known[] = {"nat-unprotected", "routed", "isolated"};

    (void)out;
    if (!*value || str_eq(value, "nat"))
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (str_eq(value, known[i]))
            return err_set(e, ERR_UNSUPPORTED, "%s=%s is not supported; nat is", key, value);
    return err_set(e, ERR_INVALID, "unknown gateway mode %s", value);
}

static const struct {
    const char *key;
    option_fn fn;
} options[] = {
    {PREFIX "bridge.name",                 set_name          },
    {PREFIX "bridge.enable_icc",           set_icc           },
    {PREFIX "bridge.enable_ip_masquerade", set_masquerade    },
    {PREFIX "bridge.inhibit_ipv4",         set_inhibit       },
    {PREFIX "bridge.default_bridge",       set_default       },
    {PREFIX "bridge.host_binding_ipv4",    check_address     },
    {PREFIX "bridge.gateway_mode_ipv4",    check_gateway_mode},
    {PREFIX "container_iface_prefix",      check_ifprefix    },
    {PREFIX "driver.mtu",                  set_mtu           },
};

static int read_one(const struct kv *kv, struct bridge_options *out, struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(options); i++)
        if (str_eq(kv->k, options[i].key))
            return options[i].fn(kv->k, kv->v ? kv->v : "", out, e);
    return err_set(e, ERR_INVALID, "unknown option \"%s\" for a network with driver bridge", kv->k);
}

int bridge_options_read(const struct net_env *env, const struct network *net,
                        struct bridge_options *out, struct err *e)
{
    bool is_default = str_eq(net->name, "bridge");

    *out = (struct bridge_options){
        .own_name = true,
        .icc = true,
        .masquerade = true,
        .mtu = env && env->mtu ? (int)env->mtu : MTU_NORMAL,
    };
    snprintf(out->name, sizeof(out->name), "br-%.12s", net->id ? net->id : "");
    if (is_default && env) {
        /* The agent's icc and ip-masq are about the default network only, as dockerd's are. */
        out->icc = env->icc;
        out->masquerade = env->ip_masq;
        if (set_name("default bridge", env->default_bridge, out, e))
            return -1;
    }
    for (size_t i = 0; i < net->options.n; i++)
        if (read_one(&net->options.v[i], out, e))
            return -1;
    return 0;
}
