/*
 * ports: `ports` and `expose` of a service.
 *
 * Short: [[ip:][published]:]target[/protocol], both sides may be ranges; an IPv6 address stands in
 * brackets.  Two ranges of one length pair up; a range for a single target means "any free one of
 * these"; a target range alone publishes each at a free port.
 */
#include "base/mem.h"
#include "compose/compose_internal.h"
#include "core/container.h"

struct port_in {
    char *target, *published, *host_ip, *protocol, *mode;
};

static int read_range(const struct field *f, const char *text, uint16_t *first, uint16_t *last,
                      struct err *e)
{
    const char *dash = strchr(text, '-');
    cleanup_free char *low = dash ? str_ndup(text, (size_t)(dash - text)) : xstrdup(text);
    int64_t a = 0, b = 0;

    if (parse_i64(low, 1, 65535, "port", &a, ERR_IGNORE) ||
        parse_i64(dash ? dash + 1 : low, 1, 65535, "port", &b, ERR_IGNORE))
        return field_error(f, e, "\"%.60s\" is no port or range of ports between 1 and 65535",
                           text);
    if (b < a)
        return field_error(f, e, "the range \"%.60s\" ends before it begins", text);
    *first = (uint16_t)a;
    *last = (uint16_t)b;
    return 0;
}

static bool same_port(const struct port_binding *a, const struct port_binding *b)
{
    return a->port == b->port && a->proto == b->proto && a->host_port == b->host_port &&
           a->host_port_end == b->host_port_end && str_eq(a->host_ip, b->host_ip);
}

static int add_port(const struct field *f, struct service_in *in, struct port_binding p,
                    struct err *e)
{
    struct container_spec *s = in->spec;

    for (size_t i = 0; i < s->n_ports; i++)
        if (same_port(&s->ports[i], &p))
            return 0;
    if (s->n_ports >= COMPOSE_MAX_PORTS)
        return field_error(f, e, "more than %d ports", COMPOSE_MAX_PORTS);
    p.host_ip = str_dup_or_null(p.host_ip);
    s->ports = xrealloc(s->ports, (s->n_ports + 1) * sizeof *s->ports);
    in->x->port_at = xrealloc(in->x->port_at, (s->n_ports + 1) * sizeof *in->x->port_at);
    in->x->port_at[s->n_ports] = f->node;
    s->ports[s->n_ports++] = p;
    return 0;
}

static int add_exposed(const struct field *f, struct service_in *in, uint16_t first, uint16_t last,
                       enum proto proto, struct err *e)
{
    struct container_spec *s = in->spec;

    for (unsigned port = first; port <= last; port++) {
        bool known = false;

        for (size_t i = 0; i < s->n_exposed && !known; i++)
            known = s->exposed[i].port == port && s->exposed[i].proto == proto;
        if (known)
            continue;
        if (s->n_exposed >= COMPOSE_MAX_PORTS)
            return field_error(f, e, "more than %d ports", COMPOSE_MAX_PORTS);
        s->exposed = xrealloc(s->exposed, (s->n_exposed + 1) * sizeof *s->exposed);
        s->exposed[s->n_exposed++] = (struct exposed_port){.port = (uint16_t)port, .proto = proto};
    }
    return 0;
}

static int read_proto(const struct field *f, const char *text, enum proto *out, struct err *e)
{
    if (str_empty(text)) {
        *out = PROTO_TCP;
        return 0;
    }
    cleanup_free char *low = str_lower(text);

    if (proto_parse(low, out, ERR_IGNORE))
        return field_error(f, e, "unknown protocol \"%.60s\"; must be tcp, udp or sctp", text);
    return 0;
}

static int publish(const struct field *f, struct service_in *in, const struct port_in *x,
                   struct err *e)
{
    uint16_t first = 0, last = 0, from = 0, to = 0;
    struct port_binding p = {.host_ip = str_empty(x->host_ip) ? NULL : x->host_ip};

    if (str_empty(x->target))
        return field_error(f, e, "the port in the container (target) is missing");
    if (read_range(f, x->target, &first, &last, e) || read_proto(f, x->protocol, &p.proto, e))
        return -1;
    if (!str_empty(x->published) && read_range(f, x->published, &from, &to, e))
        return -1;
    bool pairs = from && to - from == last - first;

    if (from && !pairs && first != last)
        return field_error(f, e, "the ranges %.40s and %.40s differ in length", x->published,
                           x->target);
    if (add_exposed(f, in, first, last, p.proto, e))
        return -1;
    for (unsigned i = 0; first + i <= last; i++) {
        p.port = (uint16_t)(first + i);
        p.host_port = pairs ? (uint16_t)(from + i) : from;
        p.host_port_end = from && !pairs ? to : 0;
        if (add_port(f, in, p, e))
            return -1;
    }
    return 0;
}

static void port_in_release(struct port_in *x)
{
    free(x->target);
    free(x->published);
    free(x->host_ip);
    free(x->protocol);
    free(x->mode);
}

/* Cuts the text at its last free colon; NULL when there is none. */
static char *cut_last(char *text)
{
    char *bracket = strrchr(text, ']');
    char *colon = strrchr(bracket ? bracket : text, ':');

    if (colon)
        *colon++ = '\0';
    return colon;
}

static int short_form(const struct field *f, struct port_in *x, struct err *e)
{
    if (f->node->kind != YAML_SCALAR)
        return field_error(f, e, "must be a port like \"8080:80\" or a mapping");
    cleanup_free char *text = xstrdup(f->node->text);
    char *slash = strchr(text, '/');

    if (slash) {
        *slash = '\0';
        if (!slash[1])
            return field_error(f, e, "nothing follows the slash in \"%.100s\"", f->node->text);
        str_set(&x->protocol, slash + 1);
    }
    char *target = cut_last(text);

    if (!target) {
        str_set(&x->target, text);
        return 0;
    }
    str_set(&x->target, target);
    char *published = cut_last(text);

    if (!published) {
        str_set(&x->published, text);
        return 0;
    }
    str_set(&x->published, published);
    size_t n = strlen(text);

    if (n > 2 && text[0] == '[' && text[n - 1] == ']')
        x->host_ip = str_ndup(text + 1, n - 2);
    else
        str_set(&x->host_ip, text);
    if (str_empty(x->host_ip))
        return field_error(f, e, "the address in \"%.100s\" is empty", f->node->text);
    return 0;
}

static int read_port(const struct field *f, void *obj, struct err *e)
{
    static const struct key_def keys[] = {
        {"target", KEY_STR, offsetof(struct port_in, target),        NULL,                    0,               NULL},
        {"published",        KEY_STR,     offsetof(struct port_in,              published), NULL, 0,            NULL},
        {"host_ip",    KEY_STR,           offsetof(struct port_in,                          host_ip),                              NULL,                    0,NULL},
        {"protocol",       KEY_STR,          offsetof(struct port_in,                                 protocol),                                      NULL,                             0,                      NULL},
        {"mode",    KEY_STR,          offsetof(struct port_in,                             mode),      NULL,0,NULL},
        {"name",   KEY_NONE,      0,NULL,     0,                                 NULL                                                               },
        {"app_protocol",       KEY_NONE,     0,                            NULL,                                  0,                         NULL},
    };
    struct port_in x = {0};
    int rc = f->node->kind == YAML_MAP ? read_map(f, keys, ARRAY_LEN(keys), NULL, &x, e)
                                       : short_form(f, &x, e);

    if (!rc && x.mode && !str_eq(x.mode, "host") && !str_eq(x.mode, "ingress"))
        rc = field_error(f, e, "unknown mode \"%.60s\"; must be host or ingress", x.mode);
    if (!rc)
        rc = publish(f, obj, &x, e);
    port_in_release(&x);
    return rc;
}

int read_ports(const struct field *f, void *obj, struct err *e)
{
    return read_each(f, read_port, obj, e);
}

static int read_exposed(const struct field *f, void *obj, struct err *e)
{
    cleanup_free char *text = NULL;
    uint16_t first = 0, last = 0;
    enum proto proto = PROTO_TCP;

    if (read_str(f, &text, e))
        return -1;
    char *slash = strchr(text, '/');

    if (slash)
        *slash = '\0';
    if (read_range(f, text, &first, &last, e) || read_proto(f, slash ? slash + 1 : NULL, &proto, e))
        return -1;
    return add_exposed(f, obj, first, last, proto, e);
}

int read_expose(const struct field *f, void *obj, struct err *e)
{
    return read_each(f, read_exposed, obj, e);
}
