/*
 * net_files: /etc/hosts, /etc/resolv.conf and /etc/hostname of a container.
 *
 * They are files of ours, bind-mounted, and rewritten in place: a container's view changes without
 * a restart.  On networks that people made, every running member finds the others by name in
 * /etc/hosts, which is rewritten when one comes or goes.
 */
#include <string.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/log.h"
#include "reconciler/engine_internal.h"

#define FILE_MAX (1024 * 1024)

char *container_dir(struct engine *g, const char *id)
{
    return str_printf("%s/containers/%s", g->cfg.data_root, id);
}

/* The file is the container's root's, as far as that is not the machine's. */
static int put(struct engine *g, const struct container *c, const char *name,
               const struct buf *text, struct err *e)
{
    cleanup_free char *dir = container_dir(g, c->id), *path = path_join(dir, name);
    uint32_t owner = engine_remaps(g, c->spec) ? (uint32_t)g->cfg.remap_base : 0;

    if (buf_check(text, name, e) || fs_rewrite(path, text->data, text->len, 0644, e))
        return -1;
    return owner ? fs_give(path, owner, e) : 0;
}

/* ------------------------------------------------------------ hosts */

static const char *const hosts_head = "127.0.0.1\tlocalhost\n"
                                      "::1\tlocalhost ip6-localhost ip6-loopback\n"
                                      "fe00::\tip6-localnet\n"
                                      "ff00::\tip6-mcastprefix\n"
                                      "ff02::1\tip6-allnodes\n"
                                      "ff02::2\tip6-allrouters\n";

static void add_names(struct buf *b, const struct endpoint *ep)
{
    if (str_empty(ep->ipv4) || ep->dns_names.n == 0)
        return;
    buf_addf(b, "%s\t", ep->ipv4);
    for (size_t i = 0; i < ep->dns_names.n; i++)
        buf_addf(b, "%s%s", i ? " " : "", ep->dns_names.v[i]);
    buf_add(b, "\n", 1);
}

static const struct endpoint *endpoint_on(const struct container *c, const char *network_id)
{
    for (size_t i = 0; i < c->state.n_endpoints; i++)
        if (strcmp(c->state.endpoints[i].network_id, network_id) == 0)
            return &c->state.endpoints[i];
    return NULL;
}

/* The names of everybody else on the networks of c that people made. */
static void add_neighbours(struct engine *g, const struct container *c, struct buf *b)
{
    const char *key;
    void *value;

    mutex_lock(&g->lock);
    for (size_t i = 0; map_at(&g->containers, &i, &key, &value); i++) {
        const struct container *other = value;

        if (strcmp(other->id, c->id) == 0)
            continue;
        for (size_t k = 0; k < c->state.n_endpoints; k++) {
            const struct endpoint *ep = endpoint_on(other, c->state.endpoints[k].network_id);

            if (ep)
                add_names(b, ep);
        }
    }
    mutex_unlock(&g->lock);
}

/* "name:ip" or "name=ip"; host-gateway is what the settings say, else the first gateway. */
static void add_extra_hosts(struct engine *g, const struct container *c, struct buf *b)
{
    for (size_t i = 0; i < c->spec->extra_hosts.n; i++) {
        const char *text = c->spec->extra_hosts.v[i];
        size_t n = strcspn(text, "=:");
        const char *ip = text[n] ? text + n + 1 : "";

        for (size_t k = 0; strcmp(ip, "host-gateway") == 0 && k < g->cfg.host_gateways.n; k++)
            buf_addf(b, "%s\t%.*s\n", g->cfg.host_gateways.v[k], (int)n, text);
        if (strcmp(ip, "host-gateway") == 0 && g->cfg.host_gateways.n)
            continue;
        if (strcmp(ip, "host-gateway") == 0)
            ip = c->state.n_endpoints && !str_empty(c->state.endpoints[0].gateway)
                     ? c->state.endpoints[0].gateway
                     : "127.0.0.1";
        buf_addf(b, "%s\t%.*s\n", ip, (int)n, text);
    }
}

static int write_hosts(struct engine *g, const struct container *c, struct err *e)
{
    cleanup_buf struct buf b = BUF_INIT(FILE_MAX);
    const char *own = str_empty(c->spec->hostname) ? c->name : c->spec->hostname;

    buf_add(&b, hosts_head, strlen(hosts_head));
    add_extra_hosts(g, c, &b);
    links_add_hosts(g, c, &b);
    for (size_t i = 0; i < c->state.n_endpoints; i++) {
        const struct endpoint *ep = &c->state.endpoints[i];

        if (str_empty(ep->ipv4))
            continue;
        buf_addf(&b, "%s\t%s", ep->ipv4, own);
        if (!str_empty(c->spec->domainname))
            buf_addf(&b, ".%s %s", c->spec->domainname, own);
        for (size_t k = 0; k < ep->dns_names.n; k++)
            if (strcmp(ep->dns_names.v[k], own) != 0)
                buf_addf(&b, " %s", ep->dns_names.v[k]);
        buf_add(&b, "\n", 1);
    }
    add_neighbours(g, c, &b);
    return put(g, c, "hosts", &b, e);
}

void net_files_rewrite_hosts(struct engine *g, const struct container *c)
{
    struct err e = ERR_INIT;

    if (write_hosts(g, c, &e))
        log_warn("hosts file not refreshed", "container=%s error=%s", c->name, log_quote(e.msg));
}

void net_files_refresh(struct engine *g, const char *network_id)
{
    struct container_list all = {0};

    containers_list(g, &all);
    for (size_t i = 0; i < all.n; i++)
        if (all.v[i]->state.status == STATUS_RUNNING && endpoint_on(all.v[i], network_id))
            net_files_rewrite_hosts(g, all.v[i]);
    container_list_release(&all);
}

/* ------------------------------------------------------------ resolv.conf, hostname */

static bool is_loopback(const char *address)
{
    return str_starts(address, "127.") || strcmp(address, "::1") == 0;
}

/* The host's file without what points at the host's own loopback, which a container cannot reach.
 */
static void filter_resolv(char *text, struct buf *out, size_t *servers)
{
    char *line = text, *end;

    for (; line && *line; line = end ? end + 1 : NULL) {
        char address[128] = "";

        end = strchr(line, '\n');
        if (end)
            *end = '\0';
        if (sscanf(line, "nameserver %127s", address) == 1) {
            if (is_loopback(address))
                continue;
            (*servers)++;
        }
        buf_addf(out, "%s\n", line);
    }
}

static int read_host_resolv(struct buf *text, struct err *e)
{
    struct err missing = ERR_INIT;

    if (fs_read("/etc/resolv.conf", text, &missing) && missing.kind != ERR_NOT_FOUND) {
        *e = missing;
        return -1;
    }
    if (strstr(text->data,
               "nameserver 127.0.0.53")) { /* systemd-resolved's stub: its own list is elsewhere */
        buf_reset(text);
        if (fs_read("/run/systemd/resolve/resolv.conf", text, &missing) &&
            missing.kind != ERR_NOT_FOUND) {
            *e = missing;
            return -1;
        }
    }
    return 0;
}

static void add_list(struct buf *b, const char *word, const struct strv *v, bool one_line)
{
    if (v->n == 0)
        return;
    if (one_line)
        buf_addf(b, "%s", word);
    for (size_t i = 0; i < v->n; i++)
        buf_addf(b, one_line ? " %s" : "nameserver %s\n", v->v[i]);
    if (one_line)
        buf_add(b, "\n", 1);
}

static int write_resolv(struct engine *g, const struct container *c, struct err *e)
{
    cleanup_buf struct buf host = BUF_INIT(FILE_MAX), b = BUF_INIT(FILE_MAX);
    const struct container_spec *s = c->spec;
    const struct strv *dns = s->dns.n ? &s->dns : &g->cfg.default_dns;
    size_t servers = 0;

    if (read_host_resolv(&host, e))
        return -1;
    if (dns->n == 0 && s->dns_search.n == 0 && s->dns_options.n == 0) {
        filter_resolv(host.data, &b, &servers);
    } else {
        cleanup_buf struct buf rest = BUF_INIT(FILE_MAX);

        if (dns->n == 0)
            filter_resolv(host.data, &rest, &servers);
        buf_add(&b, rest.data, rest.len);
        add_list(&b, "", dns, false);
        add_list(&b, "search", &s->dns_search, true);
        add_list(&b, "options", &s->dns_options, true);
    }
    return put(g, c, "resolv.conf", &b, e);
}

int net_files_write(struct engine *g, const struct container *c, struct err *e)
{
    cleanup_buf struct buf name = BUF_INIT(1024);

    if (str_starts(c->spec->network_mode, "container:"))
        return 0; /* those of the other one are used */
    buf_addf(&name, "%s\n", c->spec->hostname ? c->spec->hostname : "");
    if (put(g, c, "hostname", &name, e) || write_resolv(g, c, e))
        return -1;
    if (strcmp(c->spec->network_mode, "host") == 0) {
        cleanup_buf struct buf hosts = BUF_INIT(FILE_MAX);
        struct err missing = ERR_INIT;

        if (fs_read("/etc/hosts", &hosts, &missing) && missing.kind != ERR_NOT_FOUND) {
            *e = missing;
            return -1;
        }
        add_extra_hosts(g, c, &hosts);
        return put(g, c, "hosts", &hosts, e);
    }
    return write_hosts(g, c, e);
}
