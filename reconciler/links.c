/*
 * links: what `--link db:store` makes of another container: a name for it, and on the default
 * bridge the environment variables that programs of Docker's first years look for.
 *
 * HostConfig.Links holds them as Docker shows them, "/db:/web/store".  On a network that people
 * made, links are part of the endpoint ("db:store") and nothing but names.
 */
#include <ctype.h>
#include <string.h>

#include "base/mem.h"
#include "reconciler/engine_internal.h"

struct link {
    char *target, *alias;
};

static void link_release(struct link *l)
{
    free(l->target);
    free(l->alias);
}
#define cleanup_link CLEANUP(link_release)

/* "db", "db:store", "/db:/web/store" */
static int parse(const char *text, struct link *out, struct err *e)
{
    cleanup_strv struct strv parts = {0};
    const char *slash;

    *out = (struct link){0};
    strv_split(&parts, text, ':');
    if (!*text || parts.n > 2)
        return err_set(e, ERR_INVALID, "bad format for links: %.200s", text);
    out->target = xstrdup(parts.v[0][0] == '/' ? parts.v[0] + 1 : parts.v[0]);
    slash = strrchr(parts.v[parts.n - 1], '/');
    out->alias = xstrdup(slash ? slash + 1 : parts.v[parts.n - 1]);
    return 0;
}

static struct container *target_of(struct engine *g, const struct link *l, struct err *e)
{
    struct container *c = NULL;

    if (!*l->target) {
        err_set(e, ERR_INVALID, "could not get container for : invalid name or ID supplied: \"\"");
    } else if (containers_find(g, l->target, &c, e)) {
        err_wrap(e, "could not get container for %s", l->target);
        e->kind = ERR_INVALID;
    }
    return c;
}

int links_settle(struct engine *g, const char *name, struct container_spec *s, struct err *e)
{
    for (size_t i = 0; i < s->links.n; i++) {
        cleanup_link struct link l = {0};
        cleanup_container struct container *target = NULL;

        if (parse(s->links.v[i], &l, e))
            return -1;
        target = target_of(g, &l, e);
        if (!target)
            return -1;
        free(s->links.v[i]);
        s->links.v[i] = str_printf("/%s:/%s/%s", target->name, name, l.alias);
    }
    return 0;
}

/* ------------------------------------------------------------ while it runs */

static const struct endpoint *shared_endpoint(const struct container *c,
                                              const struct container *target)
{
    for (size_t i = 0; i < c->state.n_endpoints; i++)
        for (size_t k = 0; k < target->state.n_endpoints; k++)
            if (strcmp(c->state.endpoints[i].network_id, target->state.endpoints[k].network_id) ==
                0)
                return &target->state.endpoints[k];
    return NULL;
}

int links_ready(struct engine *g, const struct container *c, struct err *e)
{
    for (size_t i = 0; i < c->spec->links.n; i++) {
        cleanup_link struct link l = {0};
        cleanup_container struct container *target = NULL;

        if (parse(c->spec->links.v[i], &l, e))
            return -1;
        target = target_of(g, &l, e);
        if (!target)
            return -1;
        if (!container_is_up(target))
            return err_set(e, ERR_INTERNAL, "Cannot link to a non running container: /%s AS /%s/%s",
                           target->name, c->name, l.alias);
    }
    return 0;
}

static void add_host(struct engine *g, const struct container *c, const char *text, bool legacy,
                     struct buf *b)
{
    cleanup_link struct link l = {0};
    cleanup_container struct container *target = NULL;
    const struct endpoint *ep;
    const char *names[3];

    if (parse(text, &l, ERR_IGNORE) || containers_find(g, l.target, &target, ERR_IGNORE))
        return;
    ep = shared_endpoint(c, target);
    if (!ep || str_empty(ep->ipv4))
        return; /* it does not run; its next start writes this file again */
    names[0] = l.alias;
    names[1] = legacy ? target->spec->hostname : NULL;
    names[2] = legacy ? target->name : NULL;
    buf_addf(b, "%s\t", ep->ipv4);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        bool again = str_empty(names[i]);

        for (size_t k = 0; k < i; k++)
            again = again || str_eq(names[k], names[i]);
        if (!again)
            buf_addf(b, "%s%s", i ? " " : "", names[i]);
    }
    buf_add(b, "\n", 1);
}

void links_add_hosts(struct engine *g, const struct container *c, struct buf *b)
{
    const struct container_spec *s = c->spec;
    bool legacy = strcmp(s->network_mode, "bridge") == 0;

    for (size_t i = 0; i < s->links.n; i++)
        add_host(g, c, s->links.v[i], legacy, b);
    for (size_t i = 0; i < s->n_endpoints; i++)
        for (size_t k = 0; k < s->endpoints[i].links.n; k++)
            add_host(g, c, s->endpoints[i].links.v[k], false, b);
}

/* ------------------------------------------------------------ environment */

static int by_priority(const void *pa, const void *pb)
{
    const struct exposed_port *a = pa, *b = pb;

    if ((a->proto == PROTO_TCP) != (b->proto == PROTO_TCP))
        return a->proto == PROTO_TCP ? -1 : 1;
    return a->port < b->port ? -1 : a->port > b->port;
}

static char *upper(const char *text)
{
    char *out = xstrdup(text);

    for (char *p = out; *p; p++)
        *p = *p == '-' ? '_' : (char)toupper((unsigned char)*p);
    return out;
}

static void add_ports(const struct container_spec *s, const char *ip, const char *prefix,
                      struct strv *env)
{
    size_t n = s->n_exposed;
    cleanup_free struct exposed_port *ports = xcalloc(n + 1, sizeof(*ports));

    for (size_t i = 0; i < n; i++)
        ports[i] = s->exposed[i];
    qsort(ports, n, sizeof(*ports), by_priority);
    for (size_t i = 0; i < n; i++) {
        const char *proto = proto_name(ports[i].proto);
        cleanup_free char *big = upper(proto);
        cleanup_free char *stem = str_printf("%s_PORT_%u_%s", prefix, ports[i].port, big);

        if (i == 0)
            strv_addf(env, "%s_PORT=%s://%s:%u", prefix, proto, ip, ports[i].port);
        strv_addf(env, "%s=%s://%s:%u", stem, proto, ip, ports[i].port);
        strv_addf(env, "%s_ADDR=%s", stem, ip);
        strv_addf(env, "%s_PORT=%u", stem, ports[i].port);
        strv_addf(env, "%s_PROTO=%s", stem, proto);
    }
}

void links_add_env(struct engine *g, const struct container *c, struct strv *env)
{
    if (strcmp(c->spec->network_mode, "bridge") != 0)
        return;
    for (size_t i = 0; i < c->spec->links.n; i++) {
        cleanup_link struct link l = {0};
        cleanup_container struct container *target = NULL;
        cleanup_free char *prefix = NULL;
        const struct endpoint *ep;

        if (parse(c->spec->links.v[i], &l, ERR_IGNORE) ||
            containers_find(g, l.target, &target, ERR_IGNORE))
            continue; /* links_ready() has just said that it is there */
        ep = shared_endpoint(c, target);
        prefix = upper(l.alias);
        add_ports(target->spec, ep ? ep->ipv4 : "", prefix, env);
        strv_addf(env, "%s_NAME=/%s/%s", prefix, c->name, l.alias);
        for (size_t k = 0; k < target->spec->env.n; k++) {
            const char *pair = target->spec->env.v[k];

            if (!str_starts(pair, "HOME=") && !str_starts(pair, "PATH=") && strchr(pair, '='))
                strv_addf(env, "%s_ENV_%s", prefix, pair);
        }
    }
}

/* ------------------------------------------------------------ the other way round */

static bool links_to(const struct container *c, const struct container *target)
{
    for (size_t i = 0; i < c->spec->links.n; i++) {
        const char *text = c->spec->links.v[i];
        size_t n = strcspn(text + 1, ":");

        if (strlen(target->name) == n && strncmp(text + 1, target->name, n) == 0)
            return true;
    }
    return false;
}

void links_refresh(struct engine *g, const struct container *target)
{
    struct strv ids = {0};
    const char *key;
    void *value;

    mutex_lock(&g->lock);
    for (size_t i = 0; map_at(&g->containers, &i, &key, &value); i++) {
        const struct container *c = value;

        if (c->spec->links.n && c->state.status == STATUS_RUNNING && links_to(c, target))
            strv_add(&ids, key);
    }
    mutex_unlock(&g->lock);
    for (size_t i = 0; i < ids.n; i++) {
        cleanup_container struct container *c = object_container(g, ids.v[i]);

        if (c)
            net_files_rewrite_hosts(g, c);
    }
    strv_release(&ids);
}
