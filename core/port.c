/* port: ports, protocols and port bindings. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/core_internal.h"

static const char *const proto_names[] = {
    [PROTO_TCP] = "tcp",
    [PROTO_UDP] = "udp",
    [PROTO_SCTP] = "sctp",
};

const char *proto_name(enum proto p)
{
    return proto_names[p];
}

int proto_parse(const char *s, enum proto *out, struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(proto_names); i++)
        if (str_eq_nocase(s, proto_names[i])) {
            *out = (enum proto)i;
            return 0;
        }
    return err_set(e, ERR_INVALID, "invalid proto: %.40s", s);
}

void port_text(uint16_t port, enum proto proto, char out[16])
{
    snprintf(out, 16, "%u/%s", port, proto_name(proto));
}

/* Digits only: strtol() would take "+80" and " 80". */
static int number(const char *s, size_t n, uint16_t *out)
{
    unsigned v = 0;

    if (n == 0 || n > 5)
        return -1;
    for (size_t i = 0; i < n; i++) {
        if (s[i] < '0' || s[i] > '9')
            return -1;
        v = v * 10 + (unsigned)(s[i] - '0');
    }
    if (v > 65535)
        return -1;
    *out = (uint16_t)v;
    return 0;
}

static int range_parse(const char *s, size_t n, uint16_t *first, uint16_t *last, struct err *e)
{
    const char *dash = memchr(s, '-', n);
    size_t left = dash ? (size_t)(dash - s) : n;

    if (number(s, left, first) ||
        (dash ? number(dash + 1, n - left - 1, last) : (*last = *first, 0)) || *last < *first)
        return err_set(e, ERR_INVALID, "invalid port specification: \"%.*s\"",
                       (int)(n > 100 ? 100 : n), s);
    return 0;
}

int port_parse(const char *s, uint16_t *first, uint16_t *last, enum proto *proto, struct err *e)
{
    const char *slash = strchr(s, '/');

    *proto = PROTO_TCP;
    if (slash && slash[1] && proto_parse(slash + 1, proto, e))
        return -1;
    return range_parse(s, slash ? (size_t)(slash - s) : strlen(s), first, last, e);
}

/* ------------------------------------------------------------ PortBindings */

#define BINDINGS_MAX 65536

static struct port_binding *binding_add(struct container_spec *s, uint16_t port, enum proto proto)
{
    struct port_binding *b = ARRAY_ADD(s->ports, s->n_ports);

    b->port = port;
    b->proto = proto;
    b->host_ip = xstrdup("");
    return b;
}

static int binding_decode(const struct json *j, struct port_binding *b, struct err *e)
{
    cleanup_free char *port = NULL;

    if (json_exists(j) && want_type(j, JSON_OBJECT, e))
        return -1;
    if (get_str(j, "HostIp", &b->host_ip, e) || get_str(j, "HostPort", &port, e))
        return -1;
    if (str_empty(port))
        return 0;
    if (range_parse(port, strlen(port), &b->host_port, &b->host_port_end, e))
        return -1;
    if (b->host_port_end == b->host_port)
        b->host_port_end = 0;
    return 0;
}

static int port_decode(const char *key, const struct json *list, struct container_spec *s,
                       struct err *e)
{
    uint16_t first, last;
    enum proto proto;

    if (port_parse(key, &first, &last, &proto, e))
        return -1;
    if (first != last)
        return err_set(e, ERR_INVALID, "invalid port specification: \"%.*s\"",
                       (int)strcspn(key, "/"), key);
    if (json_exists(list) && want_type(list, JSON_ARRAY, e))
        return -1;
    if (json_len(list) == 0) {
        struct port_binding *b = binding_add(s, first, proto);

        b->given_null = !json_exists(list);
        b->given_empty = !b->given_null;
        return 0;
    }
    for (size_t i = 0; i < json_len(list); i++) {
        struct json item = json_at(list, i);

        if (s->n_ports == BINDINGS_MAX)
            return err_set(e, ERR_INVALID, "PortBindings: more than %d bindings", BINDINGS_MAX);
        if (binding_decode(&item, binding_add(s, first, proto), e))
            return -1;
    }
    return 0;
}

static int ports_decode(const struct json *j, struct container_spec *s, struct err *e)
{
    struct json_iter it = json_iter(j);

    if (want_type(j, JSON_OBJECT, e))
        return -1;
    while (json_next(&it))
        if (port_decode(it.key, &it.value, s, e))
            return -1;
    return 0;
}

static void binding_encode(const struct port_binding *b, struct jsonw *w)
{
    char port[16] = "";

    if (b->host_port_end > b->host_port)
        snprintf(port, sizeof(port), "%u-%u", b->host_port, b->host_port_end);
    else if (b->host_port)
        snprintf(port, sizeof(port), "%u", b->host_port);
    jsonw_obj(w);
    jsonw_kstr(w, "HostIp", b->host_ip);
    jsonw_kstr(w, "HostPort", port);
    jsonw_end_obj(w);
}

struct numbered {
    const struct port_binding *b;
    size_t at;
    char text[16];
};

static int compare_numbered(const void *pa, const void *pb)
{
    const struct numbered *a = pa, *b = pb;
    int c = strcmp(a->text, b->text);

    return c ? c : (a->at > b->at) - (a->at < b->at);
}

/* By port as text, the bindings of one port in the order given. */
static void ports_encode(const struct container_spec *s, struct jsonw *w)
{
    struct numbered *v = xcalloc(s->n_ports + 1, sizeof(*v));

    for (size_t i = 0; i < s->n_ports; i++) {
        v[i].b = &s->ports[i];
        v[i].at = i;
        port_text(s->ports[i].port, s->ports[i].proto, v[i].text);
    }
    qsort(v, s->n_ports, sizeof(*v), compare_numbered);
    jsonw_obj(w);
    for (size_t i = 0, next; i < s->n_ports; i = next) {
        jsonw_key(w, v[i].text);
        next = i + 1;
        if (v[i].b->given_null || v[i].b->given_empty) {
            jsonw_raw(w, v[i].b->given_null ? "null" : "[]");
            while (next < s->n_ports && strcmp(v[next].text, v[i].text) == 0)
                next++;
            continue;
        }
        jsonw_arr(w);
        binding_encode(v[i].b, w);
        for (; next < s->n_ports && strcmp(v[next].text, v[i].text) == 0; next++)
            binding_encode(v[next].b, w);
        jsonw_end_arr(w);
    }
    jsonw_end_obj(w);
    free(v);
}

static bool ports_absent(const struct container_spec *s)
{
    return s->n_ports == 0;
}

static void ports_copy(struct container_spec *d, const struct container_spec *s)
{
    for (size_t i = 0; i < s->n_ports; i++) {
        struct port_binding *b = ARRAY_ADD(d->ports, d->n_ports);

        *b = s->ports[i];
        b->host_ip = str_dup_or_null(s->ports[i].host_ip);
    }
}

static void ports_release(struct container_spec *s)
{
    for (size_t i = 0; i < s->n_ports; i++)
        free(s->ports[i].host_ip);
    free(s->ports);
    s->ports = NULL;
    s->n_ports = 0;
}

/* The stored list below holds the bindings; of this row only {} is kept in the database. */
static int ports_decode_client(const struct json *j, struct container_spec *s, bool stored,
                               struct err *e)
{
    return stored ? 0 : ports_decode(j, s, e);
}

static void ports_encode_client(const struct container_spec *s, struct jsonw *w, bool stored)
{
    if (stored)
        jsonw_raw(w, "null");
    else
        ports_encode(s, w);
}

const struct spec_codec codec_ports = {ports_decode_client, ports_encode_client, ports_absent, NULL,
                                       NULL};

/* ------------------------------------------------------------ our own: a list, in order */

static int stored_decode(const struct json *j, struct container_spec *s, bool stored, struct err *e)
{
    (void)stored;
    if (want_type(j, JSON_ARRAY, e))
        return -1;
    for (size_t i = 0; i < json_len(j); i++) {
        struct json item = json_at(j, i);
        const char *key = json_get_str(&item, "Port");
        uint16_t first, last;
        enum proto proto;
        struct port_binding *b;

        if (port_parse(key, &first, &last, &proto, e))
            return -1;
        b = binding_add(s, first, proto);
        if (binding_decode(&item, b, e))
            return -1;
        b->given_null = json_get_bool(&item, "Null");
        b->given_empty = json_get_bool(&item, "Empty");
        b->host_port = (uint16_t)json_get_i64(&item, "First");
        b->host_port_end = (uint16_t)json_get_i64(&item, "Last");
    }
    return 0;
}

static void stored_encode(const struct container_spec *s, struct jsonw *w, bool stored)
{
    (void)stored;
    jsonw_arr(w);
    for (size_t i = 0; i < s->n_ports; i++) {
        const struct port_binding *b = &s->ports[i];
        char key[16];

        port_text(b->port, b->proto, key);
        jsonw_obj(w);
        jsonw_kstr(w, "Port", key);
        jsonw_opt_str(w, "HostIp", b->host_ip);
        jsonw_opt_i64(w, "First", b->host_port);
        jsonw_opt_i64(w, "Last", b->host_port_end);
        jsonw_opt_bool(w, "Null", b->given_null);
        jsonw_opt_bool(w, "Empty", b->given_empty);
        jsonw_end_obj(w);
    }
    jsonw_end_arr(w);
}

const struct spec_codec codec_ports_stored = {stored_decode, stored_encode, ports_absent,
                                              ports_copy, ports_release};
