/* container_check_net: NetworkMode, ports, names and addresses of a create body, part of
 * container_spec_validate(). */
#include <string.h>

#include "core/core_internal.h"

/* ------------------------------------------------------------ addresses, as text */

static bool ip4_valid(const char *p)
{
    for (int part = 0; part < 4; part++) {
        unsigned v = 0;
        int digits = 0;

        for (; *p >= '0' && *p <= '9' && digits < 4; p++, digits++)
            v = v * 10 + (unsigned)(*p - '0');
        if (digits == 0 || digits > 3 || v > 255 || (digits > 1 && p[-digits] == '0'))
            return false;
        if (*p++ != (part == 3 ? '\0' : '.'))
            return false;
    }
    return true;
}

/* RFC 4291 2.2: eight groups, "::" once for one or more of them, the last two may be an IPv4. */
static bool ip6_valid(const char *p)
{
    int groups = 0;
    bool gap = false;

    if (p[0] == ':' && p[1] != ':')
        return false;
    while (*p) {
        size_t n = strspn(p, "0123456789abcdefABCDEF");

        if (p[0] == ':' && p[1] == ':') {
            if (gap)
                return false;
            gap = true;
            p += 2;
            continue;
        }
        if (p[n] == '.') {
            groups += 2;
            return ip4_valid(p) && (gap ? groups < 8 : groups == 8);
        }
        if (n == 0 || n > 4)
            return false;
        groups++;
        p += n;
        if (*p == ':' && p[1] != ':') {
            p++;
            if (!*p)
                return false;
        } else if (*p && *p != ':') {
            return false;
        }
    }
    return gap ? groups < 8 : groups == 8;
}

int ip_check(const char *text)
{
    if (ip4_valid(text))
        return 4;
    return ip6_valid(text) ? 6 : 0;
}

/* Six or eight bytes, separated by ':' or '-'. */
bool mac_valid(const char *text)
{
    size_t len = strlen(text);

    if (len != 17 && len != 23)
        return false;
    for (size_t i = 0; i < len; i++) {
        bool hex = strchr("0123456789abcdefABCDEF", text[i]) != NULL;

        if (i % 3 == 2 ? text[i] != text[2] || !strchr(":-", text[i]) : !hex)
            return false;
    }
    return true;
}

/* ------------------------------------------------------------ NetworkMode */

static int check_mode(const struct container_spec *s, struct err *e)
{
    const char *mode = s->network_mode ? s->network_mode : "";
    bool joins = str_starts(mode, "container:");
    const struct {
        bool wrong;
        const char *text;
    } rules[] = {
        {joins && !mode[strlen("container:")],
         "invalid network mode: invalid container format container:<name|id>"                                                            },
        {joins && !str_empty(s->hostname),                                           "conflicting options: hostname and the network mode"},
        {str_eq(s->uts_mode,                                                         "host") && !str_empty(s->hostname),
         "conflicting options: hostname and the UTS mode"},
        {joins && s->links.n,
         "conflicting options: container type network can't be used with links. This would result "
         "in undefined behavior"                                                                                                           },
        {strcmp(mode,                                                                          "host") == 0 && s->links.n,
         "conflicting options: host type networking can't be used with links. This would result in "
         "undefined behavior"},
        {joins && s->dns.n,                                                       "conflicting options: dns and the network mode"                                                                                                          },
        {joins && s->extra_hosts.n,
         "conflicting options: custom host-to-IP mapping and the network mode"},
        {joins && (s->n_ports || s->publish_all),
         "conflicting options: port publishing and the container type network mode"                                                                                                                                           },
        {joins && s->n_exposed,
         "conflicting options: port exposing and the container type network mode"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rules); i++)
        if (rules[i].wrong)
            return err_set(e, ERR_INVALID, "%s", rules[i].text);
    return 0;
}

/* ------------------------------------------------------------ names */

/* One word of a file like /etc/hosts: no white space, no control characters. */
static bool is_word(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] <= ' ' || text[i] == 127)
            return false;
    return n > 0;
}

/* "name:address", "name:host-gateway"; the address may be IPv6, in brackets or not. */
static int check_extra_host(const char *text, struct err *e)
{
    const char *colon = strchr(text, ':'), *ip = colon ? colon + 1 : "";
    size_t n = strlen(ip);
    cleanup_free char *bare =
        n > 2 && ip[0] == '[' && ip[n - 1] == ']' ? str_ndup(ip + 1, n - 2) : xstrdup(ip);

    if (!colon || !is_word(text, (size_t)(colon - text)))
        return err_set(e, ERR_INVALID, "bad format for add-host: \"%.200s\"", text);
    if (strcmp(ip, "host-gateway") != 0 && !ip_check(bare))
        return err_set(e, ERR_INVALID, "invalid IP address in add-host: \"%.200s\"", ip);
    return 0;
}

int links_check(const struct strv *links, struct err *e)
{
    for (size_t i = 0; i < links->n; i++) {
        const char *link = links->v[i], *colon = strchr(link, ':');

        if (!*link)
            return err_set(e, ERR_INVALID, "empty string specified for links");
        if (colon && strchr(colon + 1, ':'))
            return err_set(e, ERR_INVALID, "bad format for links: %.200s", link);
    }
    return 0;
}

static int check_names(const struct container_spec *s, struct err *e)
{
    for (size_t i = 0; i < s->extra_hosts.n; i++)
        if (check_extra_host(s->extra_hosts.v[i], e))
            return -1;
    for (size_t i = 0; i < s->dns.n; i++)
        if (!ip_check(s->dns.v[i]))
            return err_set(e, ERR_INVALID, "invalid DNS server address: %.100s", s->dns.v[i]);
    for (size_t i = 0; i < s->dns_search.n; i++)
        if (!is_word(s->dns_search.v[i], strlen(s->dns_search.v[i])))
            return err_set(e, ERR_INVALID, "invalid DNS search domain: \"%.100s\"",
                           s->dns_search.v[i]);
    for (size_t i = 0; i < s->dns_options.n; i++)
        if (!is_word(s->dns_options.v[i], strlen(s->dns_options.v[i])))
            return err_set(e, ERR_INVALID, "invalid DNS option: \"%.100s\"", s->dns_options.v[i]);
    if (!str_empty(s->domainname) && !is_word(s->domainname, strlen(s->domainname)))
        return err_set(e, ERR_INVALID, "invalid domain name: \"%.100s\"", s->domainname);
    return links_check(&s->links, e);
}

/* ------------------------------------------------------------ ports and endpoints */

static int check_ports(const struct container_spec *s, struct err *e)
{
    for (size_t i = 0; i < s->n_ports; i++) {
        const struct port_binding *b = &s->ports[i];

        if (b->port == 0)
            return err_set(e, ERR_INVALID, "invalid port specification: \"0\"");
        if (!str_empty(b->host_ip) && !ip_check(b->host_ip))
            return err_set(e, ERR_INVALID, "invalid IP address: %.100s", b->host_ip);
        if (b->host_port_end && b->host_port_end < b->host_port)
            return err_set(e, ERR_INVALID, "invalid port specification: \"%u-%u\"", b->host_port,
                           b->host_port_end);
    }
    return 0;
}

static bool predefined(const char *network)
{
    return str_eq(network, "bridge") || str_eq(network, "host") || str_eq(network, "none") ||
           str_eq(network, "default");
}

/* Settings of the interface, which has no name yet: "net.ipv4.conf.IFNAME.log_martians=1,..." */
static void check_interface_sysctls(const char *list, struct strv *wrong)
{
    cleanup_strv struct strv each = {0};

    strv_split(&each, list, ',');
    for (size_t i = 0; i < each.n; i++) {
        cleanup_strv struct strv p = {0};

        strv_split(&p, each.v[i], '.');
        if (p.n >= 5 && strchr(each.v[i], '=') && !strchr(each.v[i], '/') &&
            str_eq(p.v[0], "net") && str_eq(p.v[3], "IFNAME") &&
            (str_eq(p.v[1], "ipv4") || str_eq(p.v[1], "ipv6") || str_eq(p.v[1], "mpls")))
            continue;
        strv_addf(wrong,
                  "unrecognised network interface sysctl '%.200s'; represent 'net.X.Y.ethN.Z=V' "
                  "as 'net.X.Y.IFNAME.Z=V', 'X' must be 'ipv4', 'ipv6' or 'mpls'",
                  each.v[i]);
    }
}

/* moby joins what it finds: one line, or a list with stars. */
int endpoint_config_check(const struct endpoint_config *ec, struct err *e)
{
    cleanup_strv struct strv wrong = {0};
    cleanup_free char *text = NULL;
    bool fixed = !str_empty(ec->ipv4) || !str_empty(ec->ipv6);

    if (!str_empty(ec->mac) && !mac_valid(ec->mac))
        return err_set(e, ERR_INVALID, "invalid MAC address %.60s", ec->mac);
    if (fixed && predefined(ec->network))
        strv_add(&wrong, "user specified IP address is supported on user defined networks only");
    if (!str_empty(ec->ipv4) && ip_check(ec->ipv4) != 4)
        strv_addf(&wrong, "invalid IPv4 address: %.60s", ec->ipv4);
    if (!str_empty(ec->ipv6) && ip_check(ec->ipv6) != 6)
        strv_addf(&wrong, "invalid IPv6 address: %.60s", ec->ipv6);
    for (size_t i = 0; i < ec->link_local_ips.n; i++)
        if (!ip_check(ec->link_local_ips.v[i]))
            strv_addf(&wrong, "invalid link-local IP address: %.60s", ec->link_local_ips.v[i]);
    if (ec->aliases.n && predefined(ec->network))
        strv_add(&wrong,
                 "network-scoped alias is supported only for containers in user defined networks");
    if (fixed && predefined(ec->network))
        strv_add(&wrong, "user specified IP address is supported only when connecting to networks "
                         "with user configured subnets");
    if (kvs_get(&ec->driver_opts, ENDPOINT_SYSCTLS))
        check_interface_sysctls(kvs_get(&ec->driver_opts, ENDPOINT_SYSCTLS), &wrong);
    if (wrong.n == 0)
        return 0;
    text = str_join((const char *const *)wrong.v, wrong.n, "\n* ");
    return err_set(e, ERR_INVALID, "invalid endpoint settings:\n%s%s", wrong.n > 1 ? "* " : "",
                   text);
}

int check_networking(const struct container_spec *s, struct err *e)
{
    if (check_mode(s, e) || check_names(s, e) || check_ports(s, e))
        return -1;
    if (!str_empty(s->mac_address) && !mac_valid(s->mac_address))
        return err_set(e, ERR_INVALID,
                       "invalid config for network %.100s: invalid MAC address %.60s",
                       s->network_mode, s->mac_address);
    for (size_t i = 0; i < s->n_endpoints; i++)
        if (!str_empty(s->mac_address) && str_eq(s->endpoints[i].network, s->network_mode) &&
            !str_eq(s->endpoints[i].mac, s->mac_address))
            return err_set(e, ERR_INVALID,
                           "the container-wide MAC address must match the endpoint-specific MAC "
                           "address for the main network, or be left empty");
    for (size_t i = 0; i < s->n_endpoints; i++)
        if (endpoint_config_check(&s->endpoints[i], e))
            return err_wrap(e, "invalid config for network %.100s", s->endpoints[i].network);
    return 0;
}
