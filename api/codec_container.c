/*
 * codec_container: a container in lists and in inspect, as moby 28 prints it.
 *
 * The two have the ports, the mounts and the endpoints in common; each is written here once, with
 * what differs as an argument.
 */
#include <stdio.h>
#include <string.h>

#include "api/codec.h"
#include "api/version.h"
#include "base/cancel.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/time.h"
#include "reconciler/engine.h"

static bool has_health(const struct container *c)
{
    return !str_empty(c->state.health) && !str_eq(c->state.health, "none");
}

void container_status_text(const struct container *c, int64_t now_ns, char *out, size_t size)
{
    const struct container_state *s = &c->state;
    bool up = container_is_up(c);
    int64_t then = up ? s->started_ns : s->finished_ns;
    char since[64];

    time_human(then == TIME_ZERO ? 0 : now_ns - then, since, sizeof(since));
    if (s->status == STATUS_PAUSED)
        snprintf(out, size, "Up %s (Paused)", since);
    else if (s->status == STATUS_RESTARTING)
        snprintf(out, size, "Restarting (%d) %s ago", s->exit_code, since);
    else if (s->status == STATUS_RUNNING && has_health(c))
        snprintf(out, size, "Up %s (%s%s)", since, str_eq(s->health, "starting") ? "health: " : "",
                 s->health);
    else if (s->status == STATUS_RUNNING)
        snprintf(out, size, "Up %s", since);
    else if (s->status == STATUS_REMOVING)
        str_copy(out, size, "Removal In Progress");
    else if (s->status == STATUS_DEAD)
        str_copy(out, size, "Dead");
    else if (s->started_ns == TIME_ZERO)
        str_copy(out, size, "Created");
    else
        snprintf(out, size, "Exited (%d) %s ago", s->exit_code, since);
}

/* ------------------------------------------------------------------- ports */

/* Ports show while there is a network of its own to show them on. */
static bool shows_ports(const struct container *c)
{
    return container_is_running(c) && c->state.status != STATUS_RESTARTING &&
           !str_eq(c->spec->network_mode, "host");
}

static bool is_bound(const struct container *c, const struct exposed_port *x)
{
    for (size_t i = 0; i < c->state.n_ports; i++)
        if (c->state.ports[i].port == x->port && c->state.ports[i].proto == x->proto)
            return true;
    return false;
}

static int compare_ports(const void *a, const void *b)
{
    const struct port_map *x = a, *y = b;
    int ip;

    if (x->port != y->port)
        return x->port < y->port ? -1 : 1;
    if (!x->host_port != !y->host_port)
        return x->host_port ? -1 : 1;
    ip = strcmp(x->host_ip ? x->host_ip : "", y->host_ip ? y->host_ip : "");
    if (ip)
        return ip;
    if (x->host_port != y->host_port)
        return x->host_port < y->host_port ? -1 : 1;
    return (int)x->proto - (int)y->proto;
}

/* Bound ports, and exposed ones with host_port 0; sorted.  The strings are borrowed. */
static struct port_map *all_ports(const struct container *c, size_t *n)
{
    struct port_map *v;

    *n = 0;
    if (!shows_ports(c) || c->state.n_ports + c->spec->n_exposed == 0)
        return NULL;
    v = xcalloc(c->state.n_ports + c->spec->n_exposed, sizeof(*v));
    for (size_t i = 0; i < c->state.n_ports; i++)
        v[(*n)++] = c->state.ports[i];
    for (size_t i = 0; i < c->spec->n_exposed; i++)
        if (!is_bound(c, &c->spec->exposed[i]))
            v[(*n)++] = (struct port_map){
                .port = c->spec->exposed[i].port,
                .proto = c->spec->exposed[i].proto,
            };
    qsort(v, *n, sizeof(*v), compare_ports);
    return v;
}

static void write_port_list(struct jsonw *w, const struct container *c)
{
    size_t n;
    cleanup_free struct port_map *v = all_ports(c, &n);

    jsonw_arr(w);
    for (size_t i = 0; i < n; i++) {
        jsonw_obj(w);
        if (v[i].host_port) {
            jsonw_kstr(w, "IP", str_empty(v[i].host_ip) ? "0.0.0.0" : v[i].host_ip);
            jsonw_ki64(w, "PrivatePort", v[i].port);
            jsonw_ki64(w, "PublicPort", v[i].host_port);
        } else {
            jsonw_ki64(w, "PrivatePort", v[i].port);
        }
        jsonw_kstr(w, "Type", proto_name(v[i].proto));
        jsonw_end_obj(w);
    }
    jsonw_end_arr(w);
}

/* {"80/tcp":[{"HostIp","HostPort"}],"90/tcp":null} */
static void write_port_map(struct jsonw *w, const struct container *c)
{
    size_t n;
    cleanup_free struct port_map *v = all_ports(c, &n);
    char text[32];

    jsonw_obj(w);
    for (size_t i = 0; i < n; i++) {
        bool first = i == 0 || v[i - 1].port != v[i].port || v[i - 1].proto != v[i].proto;
        bool last = i + 1 == n || v[i + 1].port != v[i].port || v[i + 1].proto != v[i].proto;

        if (first) {
            snprintf(text, sizeof(text), "%u/%s", v[i].port, proto_name(v[i].proto));
            jsonw_key(w, text);
        }
        if (v[i].host_port == 0) {
            jsonw_null(w);
            continue;
        }
        if (first)
            jsonw_arr(w);
        snprintf(text, sizeof(text), "%u", v[i].host_port);
        jsonw_obj(w);
        jsonw_kstr(w, "HostIp", str_empty(v[i].host_ip) ? "0.0.0.0" : v[i].host_ip);
        jsonw_kstr(w, "HostPort", text);
        jsonw_end_obj(w);
        if (last)
            jsonw_end_arr(w);
    }
    jsonw_end_obj(w);
}

/* ------------------------------------------------------------------ mounts */

/* HostConfig.Tmpfs is not listed among the mounts; a tmpfs of HostConfig.Mounts is. */
static bool is_listed(const struct container *c, const struct mount_spec *m)
{
    if (m->type != MOUNT_TMPFS)
        return true;
    for (size_t i = 0; i < c->spec->tmpfs.n; i++)
        if (str_eq(c->spec->tmpfs.v[i].k, m->target))
            return false;
    return true;
}

static void write_volume_source(struct jsonw *w, const struct codec *k, const struct mount_spec *m)
{
    cleanup_volume struct volume *v = NULL;
    bool known = !volumes_find(k->engine, m->source ? m->source : "", &v, ERR_IGNORE);

    jsonw_kstr(w, "Name", m->source);
    jsonw_kstr(w, "Source", known ? v->mountpoint : "");
    jsonw_kstr(w, "Destination", m->target);
    jsonw_kstr(w, "Driver", known ? v->driver : str_empty(m->driver) ? "local" : m->driver);
}

static bool has_propagation(const struct mount_spec *m)
{
    return m->type == MOUNT_BIND || m->type == MOUNT_IMAGE;
}

static void write_mounts(struct jsonw *w, const struct codec *k, const struct container *c)
{
    jsonw_arr(w);
    for (size_t i = 0; i < c->spec->n_mounts; i++) {
        const struct mount_spec *m = &c->spec->mounts[i];

        if (!is_listed(c, m))
            continue;
        jsonw_obj(w);
        jsonw_kstr(w, "Type", mount_type_name(m->type));
        if (m->type == MOUNT_VOLUME) {
            write_volume_source(w, k, m);
        } else if (m->type == MOUNT_IMAGE) {
            jsonw_kstr(w, "Name", m->source);
            jsonw_kstr(w, "Source", m->image_id);
            jsonw_kstr(w, "Destination", m->target);
        } else {
            jsonw_kstr(w, "Source", m->source);
            jsonw_kstr(w, "Destination", m->target);
        }
        jsonw_kstr(w, "Mode", m->mode ? m->mode : m->type == MOUNT_VOLUME ? "z" : "");
        jsonw_kbool(w, "RW", !m->read_only);
        jsonw_kstr(w, "Propagation",
                   !has_propagation(m)         ? ""
                   : str_empty(m->propagation) ? "rprivate"
                                               : m->propagation);
        jsonw_end_obj(w);
    }
    jsonw_end_arr(w);
}

/* ---------------------------------------------------------------- networks */

static bool is_user_network(const char *name)
{
    return !str_eq(name, "bridge") && !str_eq(name, "host") && !str_eq(name, "none") &&
           !str_eq(name, "default");
}

static const char *mode_name(const struct container *c)
{
    const char *mode = c->spec->network_mode;

    return str_empty(mode) || str_eq(mode, "default") ? "bridge" : mode;
}

static const struct endpoint_config *config_of(const struct container *c, const char *name,
                                               const char *id)
{
    for (size_t i = 0; i < c->spec->n_endpoints; i++) {
        const struct endpoint_config *ec = &c->spec->endpoints[i];

        if (str_eq(ec->network, name) || (!str_empty(id) && str_eq(ec->network, id)))
            return ec;
    }
    return NULL;
}

static void write_ipam_config(struct jsonw *w, const struct endpoint_config *ec)
{
    jsonw_key(w, "IPAMConfig");
    if (!ec || (str_empty(ec->ipv4) && str_empty(ec->ipv6) && ec->link_local_ips.n == 0)) {
        jsonw_null(w);
        return;
    }
    jsonw_obj(w);
    if (!str_empty(ec->ipv4))
        jsonw_kstr(w, "IPv4Address", ec->ipv4);
    if (!str_empty(ec->ipv6))
        jsonw_kstr(w, "IPv6Address", ec->ipv6);
    if (ec->link_local_ips.n) {
        jsonw_key(w, "LinkLocalIPs");
        jsonw_strv(w, &ec->link_local_ips);
    }
    jsonw_end_obj(w);
}

static void write_aliases(struct jsonw *w, const struct codec *k, const struct container *c,
                          const struct strv *aliases, bool user)
{
    bool with_id = user && shape_holds(k->version, SHAPE_SHORT_ID_ALIAS);

    jsonw_key(w, "Aliases");
    if (!with_id && (!aliases || aliases->n == 0)) {
        jsonw_null(w);
        return;
    }
    jsonw_arr(w);
    for (size_t i = 0; aliases && i < aliases->n; i++)
        jsonw_str(w, aliases->v[i]);
    if (with_id)
        jsonw_strn(w, c->id, 12);
    jsonw_end_arr(w);
}

/* On its networks now: what they gave it is taken back when it ends. */
static bool is_joined(const struct container *c, const struct endpoint *ep)
{
    return ep && !str_empty(ep->id) && container_is_up(c);
}

/* Known from the first start on; it stays when the endpoint goes. */
static void write_network_id(struct jsonw *w, const struct codec *k, const struct container *c,
                             const char *name, const struct endpoint *ep)
{
    cleanup_network struct network *n = NULL;

    if (ep || c->state.started_ns == TIME_ZERO || networks_find(k->engine, name, &n, ERR_IGNORE))
        jsonw_kstr(w, "NetworkID", ep ? ep->network_id : "");
    else
        jsonw_kstr(w, "NetworkID", n->id);
}

/* One value of Networks.  ep NULL: not joined yet.  brief: as the list has it. */
static void write_endpoint(struct jsonw *w, const struct codec *k, const struct container *c,
                           const char *name, const struct endpoint *ep, bool brief)
{
    const struct endpoint_config *ec = config_of(c, name, ep ? ep->network_id : NULL);
    bool joined = is_joined(c, ep);
    bool user = is_user_network(name);
    /* The host's network has no endpoints: the container stands for its own. */
    bool host = str_eq(name, "host") && container_is_up(c);

    jsonw_key(w, name);
    jsonw_obj(w);
    write_ipam_config(w, ec);
    jsonw_kstrv_or_null(w, "Links", ec && !brief ? &ec->links : NULL);
    if (brief) {
        jsonw_key(w, "Aliases");
        jsonw_null(w);
    } else {
        write_aliases(w, k, c, ec ? &ec->aliases : ep ? &ep->aliases : NULL, user);
    }
    jsonw_kstr(w, "MacAddress", joined ? ep->mac : ec ? ec->mac : "");
    jsonw_key(w, "DriverOpts");
    if (ec && ec->driver_opts.n)
        jsonw_kvs(w, &ec->driver_opts);
    else
        jsonw_null(w);
    jsonw_ki64(w, "GwPriority", ec ? ec->gw_priority : 0);
    write_network_id(w, k, c, name, ep);
    jsonw_kstr(w, "EndpointID", joined ? ep->id : host ? c->id : "");
    jsonw_kstr(w, "Gateway", joined ? ep->gateway : "");
    jsonw_kstr(w, "IPAddress", joined ? ep->ipv4 : "");
    jsonw_ki64(w, "IPPrefixLen", joined ? ep->prefix_len : 0);
    jsonw_kstr(w, "IPv6Gateway", "");
    jsonw_kstr(w, "GlobalIPv6Address", "");
    jsonw_ki64(w, "GlobalIPv6PrefixLen", 0);
    jsonw_kstrv_or_null(w, "DNSNames", ep && user && !brief ? &ep->dns_names : NULL);
    jsonw_end_obj(w);
}

static void write_networks(struct jsonw *w, const struct codec *k, const struct container *c,
                           bool brief)
{
    jsonw_key(w, "Networks");
    jsonw_obj(w);
    for (size_t i = 0; i < c->state.n_endpoints; i++)
        write_endpoint(w, k, c, c->state.endpoints[i].network_name, &c->state.endpoints[i], brief);
    if (c->state.n_endpoints == 0) {
        for (size_t i = 0; i < c->spec->n_endpoints; i++)
            if (!c->spec->endpoints[i].left)
                write_endpoint(w, k, c, c->spec->endpoints[i].network, NULL, brief);
        if (c->spec->n_endpoints == 0 && !str_starts(mode_name(c), "container:"))
            write_endpoint(w, k, c, mode_name(c), NULL, brief);
    }
    jsonw_end_obj(w);
}

void container_networks(const struct container *c, struct strv *names, struct strv *ids)
{
    for (size_t i = 0; i < c->state.n_endpoints; i++) {
        strv_add(names, c->state.endpoints[i].network_name);
        strv_add(ids, c->state.endpoints[i].network_id ? c->state.endpoints[i].network_id : "");
    }
    for (size_t i = 0; c->state.n_endpoints == 0 && i < c->spec->n_endpoints; i++) {
        if (c->spec->endpoints[i].left)
            continue;
        strv_add(names, c->spec->endpoints[i].network);
        strv_add(ids, c->spec->endpoints[i].network);
    }
    if (names->n == 0 && c->spec->n_endpoints == 0) {
        strv_add(names, mode_name(c));
        strv_add(ids, "");
    }
}

/* ------------------------------------------------------------------- sizes */

/* brief: as the list has it, where Go leaves out a zero. */
static void write_sizes(struct jsonw *w, const struct codec *k, const struct container *c,
                        bool brief)
{
    int64_t rw, rootfs;

    if (!k->size)
        return;
    /* One that goes meanwhile has no size. */
    if (container_sizes(k->engine, c->id, &rw, &rootfs, ERR_IGNORE))
        rw = rootfs = 0;
    if (rw || !brief)
        jsonw_ki64(w, "SizeRw", rw);
    if (rootfs || !brief)
        jsonw_ki64(w, "SizeRootFs", rootfs);
}

/* -------------------------------------------------------------------- list */

/* "sh -c 'exit 3'" */
static void write_command(struct jsonw *w, const struct container_spec *s)
{
    cleanup_buf struct buf text = BUF_INIT(1 << 20);
    cleanup_strv struct strv argv = {0};

    container_argv(s, &argv);
    for (size_t i = 0; i < argv.n; i++) {
        bool quote = i > 0 && strchr(argv.v[i], ' ');

        buf_addf(&text, "%s%s%s%s", i ? " " : "", quote ? "'" : "", argv.v[i], quote ? "'" : "");
    }
    jsonw_kstr(w, "Command", text.data);
}

static void write_name(struct jsonw *w, const char *name)
{
    char text[256];

    snprintf(text, sizeof(text), "/%s", name);
    jsonw_str(w, text);
}

void container_write_summary(struct jsonw *w, const struct codec *k, const struct container *c,
                             const char *image)
{
    char status[128];

    jsonw_obj(w);
    jsonw_kstr(w, "Id", c->id);
    jsonw_key(w, "Names");
    jsonw_arr(w);
    write_name(w, c->name);
    jsonw_end_arr(w);
    jsonw_kstr(w, "Image", image);
    jsonw_kstr(w, "ImageID", c->image_id);
    write_command(w, c->spec);
    jsonw_ki64(w, "Created", c->created_ns / NS_PER_SEC);
    jsonw_key(w, "Ports");
    write_port_list(w, c);
    write_sizes(w, k, c, true);
    jsonw_key(w, "Labels");
    jsonw_kvs(w, &c->spec->labels);
    jsonw_kstr(w, "State", container_status_name(c->state.status));
    container_status_text(c, k->now_ns, status, sizeof(status));
    jsonw_kstr(w, "Status", status);
    jsonw_key(w, "HostConfig");
    jsonw_obj(w);
    jsonw_kstr(w, "NetworkMode", mode_name(c));
    if (c->spec->annotations.n) {
        jsonw_key(w, "Annotations");
        jsonw_kvs(w, &c->spec->annotations);
    }
    jsonw_end_obj(w);
    jsonw_key(w, "NetworkSettings");
    jsonw_obj(w);
    write_networks(w, k, c, true);
    jsonw_end_obj(w);
    jsonw_key(w, "Mounts");
    write_mounts(w, k, c);
    jsonw_end_obj(w);
}

/* ----------------------------------------------------------------- inspect */

static void write_health(struct jsonw *w, const struct codec *k, const struct container *c)
{
    struct health_log log;

    containers_health(k->engine, c->id, &log);
    jsonw_key(w, "Health");
    jsonw_obj(w);
    jsonw_kstr(w, "Status", c->state.health);
    jsonw_ki64(w, "FailingStreak", log.failing_streak);
    jsonw_key(w, "Log");
    jsonw_arr(w);
    for (size_t i = 0; i < log.n; i++) {
        jsonw_obj(w);
        jsonw_key(w, "Start");
        jsonw_time(w, log.v[i].start_ns);
        jsonw_key(w, "End");
        jsonw_time(w, log.v[i].end_ns);
        jsonw_ki64(w, "ExitCode", log.v[i].exit_code);
        jsonw_kstr(w, "Output", log.v[i].output);
        jsonw_end_obj(w);
    }
    jsonw_end_arr(w);
    jsonw_end_obj(w);
    health_log_release(&log);
}

static void write_state(struct jsonw *w, const struct codec *k, const struct container *c)
{
    const struct container_state *s = &c->state;

    jsonw_key(w, "State");
    jsonw_obj(w);
    jsonw_kstr(w, "Status", container_status_name(s->status));
    jsonw_kbool(w, "Running", container_is_running(c));
    jsonw_kbool(w, "Paused", s->status == STATUS_PAUSED);
    jsonw_kbool(w, "Restarting", s->status == STATUS_RESTARTING);
    jsonw_kbool(w, "OOMKilled", s->oom_killed);
    jsonw_kbool(w, "Dead", s->status == STATUS_DEAD);
    jsonw_ki64(w, "Pid", container_is_up(c) ? s->pid : 0);
    jsonw_ki64(w, "ExitCode", s->exit_code);
    jsonw_kstr(w, "Error", s->error);
    jsonw_key(w, "StartedAt");
    jsonw_time(w, s->started_ns);
    jsonw_key(w, "FinishedAt");
    jsonw_time(w, s->finished_ns);
    if (!str_empty(s->health))
        write_health(w, k, c);
    jsonw_end_obj(w);
}

static void write_path_and_args(struct jsonw *w, const struct container_spec *s)
{
    cleanup_strv struct strv argv = {0};

    container_argv(s, &argv);
    jsonw_kstr(w, "Path", argv.n ? argv.v[0] : "");
    jsonw_key(w, "Args");
    jsonw_arr(w);
    for (size_t i = 1; i < argv.n; i++)
        jsonw_str(w, argv.v[i]);
    jsonw_end_arr(w);
}

/* One that shares another one's network shares its files of names, too. */
static struct container *files_owner(const struct codec *k, const struct container *c)
{
    const char *mode = c->spec->network_mode;
    struct container *other = NULL;

    if (!str_empty(mode) && str_starts(mode, "container:") &&
        !containers_find(k->engine, mode + strlen("container:"), &other, ERR_IGNORE))
        return other;
    return container_ref(c);
}

/* Files beside the container; "" before the first attempt to start it, which makes them. */
static void write_paths(struct jsonw *w, const struct codec *k, const struct container *c)
{
    static const struct {
        const char *key, *file;
    } rows[] = {
        {"ResolvConfPath", "resolv.conf"},
        {"HostnamePath",   "hostname"   },
        {"HostsPath",      "hosts"      },
    };
    cleanup_container struct container *owner = files_owner(k, c);
    cleanup_free char *dir =
        str_printf("%s/containers/%s", k->root_dir ? k->root_dir : "", owner->id);
    cleanup_free char *probe = path_join(dir, rows[0].file);
    bool made = c->state.started_ns != TIME_ZERO || fs_exists(probe);
    cleanup_free char *log = made ? containers_log_path(k->engine, c->id) : NULL;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cleanup_free char *path = path_join(dir, rows[i].file);

        jsonw_kstr(w, rows[i].key, made ? path : "");
    }
    jsonw_kstr(w, "LogPath", log && str_eq(c->spec->log_driver, "json-file") ? log : "");
}

static void write_graph_driver(struct jsonw *w, const struct codec *k, const struct container *c)
{
    CLEANUP(rootfs_release) struct rootfs root = {0};
    cleanup_free char *lower = NULL;

    jsonw_key(w, "GraphDriver");
    jsonw_obj(w);
    jsonw_key(w, "Data");
    if (!images_rootfs_describe(engine_images(k->engine), c->image_id, c->id, &root, ERR_IGNORE) &&
        root.overlay) {
        lower = str_join((const char *const *)root.lower.v, root.lower.n, ":");
        jsonw_obj(w);
        jsonw_kstr(w, "ID", c->id);
        jsonw_kstr(w, "LowerDir", lower);
        jsonw_kstr(w, "UpperDir", root.upper);
        jsonw_kstr(w, "WorkDir", root.work);
        jsonw_end_obj(w);
    } else {
        jsonw_null(w);
    }
    jsonw_kstr(w, "Name", images_driver_name(engine_images(k->engine)));
    jsonw_end_obj(w);
}

static const struct endpoint *default_endpoint(const struct container *c)
{
    for (size_t i = 0; i < c->state.n_endpoints; i++)
        if (str_eq(c->state.endpoints[i].network_name, "bridge") &&
            is_joined(c, &c->state.endpoints[i]))
            return &c->state.endpoints[i];
    return NULL;
}

/* The old top-level keys tell of the default bridge only. */
static void write_legacy_network(struct jsonw *w, const struct container *c)
{
    const struct endpoint *ep = default_endpoint(c);

    jsonw_kbool(w, "HairpinMode", false);
    jsonw_kstr(w, "LinkLocalIPv6Address", "");
    jsonw_ki64(w, "LinkLocalIPv6PrefixLen", 0);
    jsonw_key(w, "SecondaryIPAddresses");
    jsonw_null(w);
    jsonw_key(w, "SecondaryIPv6Addresses");
    jsonw_null(w);
    jsonw_kstr(w, "EndpointID", ep ? ep->id : "");
    jsonw_kstr(w, "Gateway", ep ? ep->gateway : "");
    jsonw_kstr(w, "GlobalIPv6Address", "");
    jsonw_ki64(w, "GlobalIPv6PrefixLen", 0);
    jsonw_kstr(w, "IPAddress", ep ? ep->ipv4 : "");
    jsonw_ki64(w, "IPPrefixLen", ep ? ep->prefix_len : 0);
    jsonw_kstr(w, "IPv6Gateway", "");
    jsonw_kstr(w, "MacAddress", ep ? ep->mac : "");
}

static void write_network_settings(struct jsonw *w, const struct codec *k,
                                   const struct container *c)
{
    bool sandbox = container_is_up(c) && !str_starts(mode_name(c), "container:");
    char key[1024] = "";

    if (sandbox && !str_eq(mode_name(c), "host"))
        snprintf(key, sizeof(key), "%s/netns/%s", k->exec_root ? k->exec_root : "", c->id);
    jsonw_key(w, "NetworkSettings");
    jsonw_obj(w);
    jsonw_kstr(w, "Bridge", "");
    jsonw_kstr(w, "SandboxID", sandbox ? c->id : "");
    jsonw_kstr(w, "SandboxKey", key);
    jsonw_key(w, "Ports");
    write_port_map(w, c);
    write_legacy_network(w, c);
    write_networks(w, k, c, false);
    jsonw_end_obj(w);
}

static void write_exec_ids(struct jsonw *w, const struct codec *k, const struct container *c)
{
    cleanup_strv struct strv ids = {0};

    execs_of(k->engine, c->id, &ids);
    jsonw_kstrv_or_null(w, "ExecIDs", &ids);
}

/* Known from the first start on. */
static void write_apparmor(struct jsonw *w, const struct codec *k, const struct container *c)
{
    bool active = c->state.started_ns != TIME_ZERO && engine_supports(k->engine, "apparmor");

    jsonw_kstr(w, "AppArmorProfile", active ? container_apparmor(c->spec, true) : "");
}

void container_write_inspect(struct jsonw *w, const struct codec *k, const struct container *c)
{
    jsonw_obj(w);
    jsonw_kstr(w, "Id", c->id);
    jsonw_key(w, "Created");
    jsonw_time(w, c->created_ns);
    write_path_and_args(w, c->spec);
    write_state(w, k, c);
    jsonw_kstr(w, "Image", c->image_id);
    write_paths(w, k, c);
    jsonw_key(w, "Name");
    write_name(w, c->name);
    jsonw_ki64(w, "RestartCount", c->state.restart_count);
    jsonw_kstr(w, "Driver", images_driver_name(engine_images(k->engine)));
    jsonw_kstr(w, "Platform", "linux");
    jsonw_kstr(w, "MountLabel", "");
    jsonw_kstr(w, "ProcessLabel", "");
    write_apparmor(w, k, c);
    write_exec_ids(w, k, c);
    jsonw_key(w, "HostConfig");
    container_spec_encode_host(c->spec, w);
    write_graph_driver(w, k, c);
    write_sizes(w, k, c, false);
    jsonw_key(w, "Mounts");
    write_mounts(w, k, c);
    jsonw_key(w, "Config");
    container_spec_encode_config(c->spec, w);
    write_network_settings(w, k, c);
    jsonw_end_obj(w);
}
