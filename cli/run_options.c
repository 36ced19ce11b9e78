/*
 * run_options: see run_options.h.
 *
 * What needs a machine or an image to be judged is left to the agent, whose words are better; here
 * is only what the API wants in another form than people type it.
 */
#include "cli/run_options.h"

#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/term.h"
#include "core/container.h"

/* --------------------------------------------------------------- small ones */

static int env_file(const char *path, struct strv *out, struct err *e)
{
    cleanup_buf struct buf text = BUF_INIT(1024 * 1024);
    cleanup_strv struct strv lines = {0};

    if (fs_read(path, &text, e) || buf_check(&text, path, e))
        return -1;
    strv_split(&lines, text.data, '\n');
    for (size_t i = 0; i < lines.n; i++) {
        char *line = lines.v[i];
        size_t n = strlen(line);

        if (n && line[n - 1] == '\r')
            line[n - 1] = '\0';
        if (*line && *line != '#')
            strv_add(out, line);
    }
    return 0;
}

int env_collect(const struct strv *env, const struct strv *files, struct strv *out, struct err *e)
{
    cleanup_strv struct strv all = {0};

    for (size_t i = 0; i < files->n; i++)
        if (env_file(files->v[i], &all, e))
            return -1;
    for (size_t i = 0; i < env->n; i++)
        strv_add(&all, env->v[i]);
    for (size_t i = 0; i < all.n; i++) {
        const char *value = getenv(all.v[i]);

        if (*all.v[i] == '=')
            return err_set(e, ERR_INVALID, "invalid environment variable: %s", all.v[i]);
        if (strchr(all.v[i], '='))
            strv_add(out, all.v[i]);
        else if (value)
            strv_addf(out, "%s=%s", all.v[i], value);
    }
    return 0;
}

static void pairs(const struct strv *list, struct jsonw *w)
{
    cleanup_kvs struct kvs out = {0};

    for (size_t i = 0; i < list->n; i++) {
        const char *equals = strchr(list->v[i], '=');
        cleanup_free char *k =
            equals ? str_ndup(list->v[i], (size_t)(equals - list->v[i])) : xstrdup(list->v[i]);

        kvs_set(&out, k, equals ? equals + 1 : "");
    }
    jsonw_kvs(w, &out);
}

static void list(struct jsonw *w, const char *key, const struct strv *v)
{
    if (!v->n)
        return;
    jsonw_key(w, key);
    jsonw_strv(w, v);
}

static void text(struct jsonw *w, const char *key, const char *v)
{
    if (!str_empty(v))
        jsonw_kstr(w, key, v);
}

static void number(struct jsonw *w, const char *key, int64_t v)
{
    if (v)
        jsonw_ki64(w, key, v);
}

static int bytes(struct jsonw *w, const char *key, const char *v, struct err *e)
{
    int64_t n;

    if (str_empty(v))
        return 0;
    if (str_eq(v, "-1")) {
        jsonw_ki64(w, key, -1);
        return 0;
    }
    if (parse_size(v, key, &n, e))
        return -1;
    jsonw_ki64(w, key, n);
    return 0;
}

/* ------------------------------------------------------------------- ports */

struct published {
    char *ip;
    uint16_t host_first, host_last, first, last; /* host_first 0: any free one */
    enum proto proto;
};

/* [[ip:][host]:]container[/proto]; ranges on both sides; IPv6 in brackets. */
static int parse_publish(const char *arg, struct published *p, struct err *e)
{
    cleanup_free char *s = xstrdup(arg);
    char *bracket = strrchr(s, ']'), *from = bracket ? bracket : s;
    char *container = strrchr(from, ':'), *host = NULL;
    enum proto ignored;

    if (container) {
        *container++ = '\0';
        host = strrchr(from, ':');
        if (host)
            *host++ = '\0';
        else
            host = s;
    }
    if (port_parse(container ? container : s, &p->first, &p->last, &p->proto, e))
        return err_wrap(e, "invalid port %s", arg);
    if (host && *host && port_parse(host, &p->host_first, &p->host_last, &ignored, e))
        return err_wrap(e, "invalid port %s", arg);
    if (host && host != s) {
        size_t n = strlen(s);

        p->ip = bracket && n > 2 ? str_ndup(s + 1, n - 2) : xstrdup(s);
    }
    if (p->host_first && p->first != p->last && p->host_last - p->host_first != p->last - p->first)
        return err_set(e, ERR_INVALID, "invalid ranges specified for container and host ports: %s",
                       arg);
    return 0;
}

static void write_binding(struct jsonw *w, const struct published *p, unsigned i)
{
    cleanup_free char *host = NULL;

    if (!p->host_first)
        host = xstrdup("");
    else if (p->first == p->last && p->host_first != p->host_last)
        host = str_printf("%u-%u", p->host_first, p->host_last);
    else
        host = str_printf("%u", p->host_first + i);
    jsonw_obj(w);
    jsonw_kstr(w, "HostIp", p->ip);
    jsonw_kstr(w, "HostPort", host);
    jsonw_end_obj(w);
}

/* One key per port, all its bindings below it. */
static void write_bindings(struct jsonw *w, const struct published *v, size_t n)
{
    cleanup_strv struct strv done = {0};

    jsonw_obj(w);
    for (size_t i = 0; i < n; i++) {
        for (unsigned port = v[i].first; port <= v[i].last; port++) {
            cleanup_free char *key = str_printf("%u/%s", port, proto_name(v[i].proto));

            if (strv_has(&done, key))
                continue;
            strv_add(&done, key);
            jsonw_key(w, key);
            jsonw_arr(w);
            for (size_t k = i; k < n; k++)
                if (v[k].proto == v[i].proto && port >= v[k].first && port <= v[k].last)
                    write_binding(w, &v[k], port - v[k].first);
            jsonw_end_arr(w);
        }
    }
    jsonw_end_obj(w);
}

static void write_exposed(struct jsonw *w, const struct published *v, size_t n)
{
    cleanup_strv struct strv done = {0};

    jsonw_obj(w);
    for (size_t i = 0; i < n; i++) {
        for (unsigned port = v[i].first; port <= v[i].last; port++) {
            cleanup_free char *key = str_printf("%u/%s", port, proto_name(v[i].proto));

            if (strv_has(&done, key))
                continue;
            strv_add(&done, key);
            jsonw_key(w, key);
            jsonw_obj(w);
            jsonw_end_obj(w);
        }
    }
    jsonw_end_obj(w);
}

struct ports {
    struct published *v;
    size_t n_published, n; /* first those that are published, then those exposed only */
};

static void ports_release(struct ports *p)
{
    for (size_t i = 0; i < p->n; i++)
        free(p->v[i].ip);
    free(p->v);
}
#define cleanup_ports CLEANUP(ports_release)

static int parse_ports(const struct run_options *o, struct ports *out, struct err *e)
{
    out->v = xcalloc(o->publish.n + o->expose.n + 1, sizeof *out->v);
    for (size_t i = 0; i < o->publish.n; i++)
        if (parse_publish(o->publish.v[i], &out->v[out->n++], e))
            return -1;
    out->n_published = out->n;
    for (size_t i = 0; i < o->expose.n; i++) {
        struct published *p = &out->v[out->n++];

        if (port_parse(o->expose.v[i], &p->first, &p->last, &p->proto, e))
            return err_wrap(e, "invalid port %s", o->expose.v[i]);
    }
    return 0;
}

/* ------------------------------------------------------------------ mounts */

/* "./x:/y" gets a whole path; "/data" alone is an anonymous volume. */
static void write_volumes(const struct run_options *o, struct jsonw *w, bool anonymous)
{
    cleanup_free char *dir = term_working_dir();

    for (size_t i = 0; i < o->volume.n; i++) {
        const char *v = o->volume.v[i], *colon = strchr(v, ':');

        if (!colon != anonymous)
            continue;
        if (anonymous) {
            jsonw_key(w, v);
            jsonw_obj(w);
            jsonw_end_obj(w);
        } else if (*v == '.') {
            cleanup_free char *source = str_ndup(v, (size_t)(colon - v));
            cleanup_free char *whole = path_join(dir, source);
            cleanup_free char *bind = str_printf("%s%s", whole, colon);

            jsonw_str(w, bind);
        } else {
            jsonw_str(w, v);
        }
    }
}

/* type=bind,source=/a,target=/b,readonly */
static int write_mount(const char *arg, struct jsonw *w, struct err *e)
{
    cleanup_strv struct strv fields = {0};
    cleanup_kvs struct kvs m = {0};

    strv_split(&fields, arg, ',');
    for (size_t i = 0; i < fields.n; i++) {
        const char *equals = strchr(fields.v[i], '=');
        cleanup_free char *k =
            equals ? str_ndup(fields.v[i], (size_t)(equals - fields.v[i])) : xstrdup(fields.v[i]);
        static const char *const known[][2] = {
            {"type",             "type"            },
            {"source",           "source"          },
            {"src",              "source"          },
            {"target",           "target"          },
            {"dst",              "target"          },
            {"destination",      "target"          },
            {"readonly",         "readonly"        },
            {"ro",               "readonly"        },
            {"volume-nocopy",    "volume-nocopy"   },
            {"bind-propagation", "bind-propagation"},
        };
        const char *name = NULL;

        for (size_t n = 0; n < ARRAY_LEN(known) && !name; n++)
            name = str_eq(k, known[n][0]) ? known[n][1] : NULL;
        if (!name)
            return err_set(e, ERR_INVALID,
                           "invalid argument \"%s\" for \"--mount\": unexpected key "
                           "'%s'",
                           arg, k);
        kvs_set(&m, name, equals ? equals + 1 : "true");
    }
    jsonw_obj(w);
    jsonw_kstr(w, "Type", kvs_get(&m, "type") ? kvs_get(&m, "type") : "volume");
    text(w, "Source", kvs_get(&m, "source"));
    text(w, "Target", kvs_get(&m, "target"));
    jsonw_kbool(w, "ReadOnly", str_eq(kvs_get(&m, "readonly"), "true"));
    if (kvs_get(&m, "bind-propagation")) {
        jsonw_key(w, "BindOptions");
        jsonw_obj(w);
        jsonw_kstr(w, "Propagation", kvs_get(&m, "bind-propagation"));
        jsonw_end_obj(w);
    }
    if (kvs_get(&m, "volume-nocopy")) {
        jsonw_key(w, "VolumeOptions");
        jsonw_obj(w);
        jsonw_kbool(w, "NoCopy", str_eq(kvs_get(&m, "volume-nocopy"), "true"));
        jsonw_end_obj(w);
    }
    jsonw_end_obj(w);
    return 0;
}

static void write_tmpfs(const struct strv *tmpfs, struct jsonw *w)
{
    jsonw_obj(w);
    for (size_t i = 0; i < tmpfs->n; i++) {
        size_t n = strcspn(tmpfs->v[i], ":");
        cleanup_free char *path = str_ndup(tmpfs->v[i], n);

        jsonw_kstr(w, path, tmpfs->v[i][n] ? tmpfs->v[i] + n + 1 : "");
    }
    jsonw_end_obj(w);
}

/* -------------------------------------------------------- limits, policies */

static int write_restart(const char *arg, struct jsonw *w, struct err *e)
{
    const char *colon = strchr(arg, ':');
    cleanup_free char *name = colon ? str_ndup(arg, (size_t)(colon - arg)) : xstrdup(arg);
    int64_t max = 0;

    if (colon && parse_i64(colon + 1, 0, INT32_MAX, "maximum retry count", &max, e))
        return -1;
    jsonw_key(w, "RestartPolicy");
    jsonw_obj(w);
    jsonw_kstr(w, "Name", name);
    jsonw_ki64(w, "MaximumRetryCount", max);
    jsonw_end_obj(w);
    return 0;
}

static int write_ulimits(const struct strv *v, struct jsonw *w, struct err *e)
{
    jsonw_key(w, "Ulimits");
    jsonw_arr(w);
    for (size_t i = 0; i < v->n; i++) {
        const char *equals = strchr(v->v[i], '=');
        const char *colon = equals ? strchr(equals, ':') : NULL;
        int64_t soft, hard;

        if (!equals)
            return err_set(e, ERR_INVALID, "invalid ulimit argument: %s", v->v[i]);
        cleanup_free char *name = str_ndup(v->v[i], (size_t)(equals - v->v[i]));
        cleanup_free char *low =
            colon ? str_ndup(equals + 1, (size_t)(colon - equals - 1)) : xstrdup(equals + 1);

        if (parse_i64(low, -1, INT64_MAX, "ulimit", &soft, e) ||
            parse_i64(colon ? colon + 1 : low, -1, INT64_MAX, "ulimit", &hard, e))
            return -1;
        jsonw_obj(w);
        jsonw_kstr(w, "Name", name);
        jsonw_ki64(w, "Soft", soft);
        jsonw_ki64(w, "Hard", hard);
        jsonw_end_obj(w);
    }
    jsonw_end_arr(w);
    return 0;
}

static void write_devices(const struct strv *v, struct jsonw *w)
{
    jsonw_key(w, "Devices");
    jsonw_arr(w);
    for (size_t i = 0; i < v->n; i++) {
        cleanup_strv struct strv parts = {0};

        strv_split(&parts, v->v[i], ':');
        bool only_mode = parts.n == 2 && strspn(parts.v[1], "rwm") == strlen(parts.v[1]);

        jsonw_obj(w);
        jsonw_kstr(w, "PathOnHost", parts.v[0]);
        jsonw_kstr(w, "PathInContainer", parts.n > 1 && !only_mode ? parts.v[1] : parts.v[0]);
        jsonw_kstr(w, "CgroupPermissions",
                   only_mode     ? parts.v[1]
                   : parts.n > 2 ? parts.v[2]
                                 : "rwm");
        jsonw_end_obj(w);
    }
    jsonw_end_arr(w);
}

static int write_resources(const struct run_options *o, struct jsonw *w, struct err *e)
{
    if (bytes(w, "Memory", o->memory, e) || bytes(w, "MemorySwap", o->memory_swap, e) ||
        bytes(w, "MemoryReservation", o->memory_reservation, e) ||
        bytes(w, "ShmSize", o->shm_size, e))
        return -1;
    if (!str_empty(o->cpus)) {
        char *end = NULL;
        double cpus = strtod(o->cpus, &end);

        if (*end || cpus < 0 || cpus > 1e6)
            return err_set(e, ERR_INVALID, "invalid argument \"%s\" for \"--cpus\"", o->cpus);
        jsonw_ki64(w, "NanoCpus", (int64_t)(cpus * 1e9 + 0.5));
    }
    number(w, "PidsLimit", o->pids_limit);
    number(w, "CpuShares", o->cpu_shares);
    number(w, "CpuPeriod", o->cpu_period);
    number(w, "CpuQuota", o->cpu_quota);
    number(w, "OomScoreAdj", o->oom_score_adj);
    text(w, "CpusetCpus", o->cpuset_cpus);
    text(w, "CpusetMems", o->cpuset_mems);
    text(w, "CgroupParent", o->cgroup_parent);
    if (o->oom_kill_disable)
        jsonw_kbool(w, "OomKillDisable", true);
    if (o->device.n)
        write_devices(&o->device, w);
    return o->ulimit.n ? write_ulimits(&o->ulimit, w, e) : 0;
}

/* ----------------------------------------------------------------- the body */

static int write_mounts(const struct run_options *o, struct jsonw *w, struct err *e)
{
    jsonw_key(w, "Binds");
    jsonw_arr(w);
    write_volumes(o, w, false);
    jsonw_end_arr(w);
    if (o->mount.n) {
        jsonw_key(w, "Mounts");
        jsonw_arr(w);
        for (size_t i = 0; i < o->mount.n; i++)
            if (write_mount(o->mount.v[i], w, e))
                return -1;
        jsonw_end_arr(w);
    }
    if (o->tmpfs.n) {
        jsonw_key(w, "Tmpfs");
        write_tmpfs(&o->tmpfs, w);
    }
    list(w, "VolumesFrom", &o->volumes_from);
    text(w, "VolumeDriver", o->volume_driver);
    return 0;
}

static int write_host_config(const struct run_options *o, const struct ports *ports,
                             struct jsonw *w, struct err *e)
{
    jsonw_key(w, "HostConfig");
    jsonw_obj(w);
    if (write_mounts(o, w, e) || write_resources(o, w, e) ||
        (o->restart && write_restart(o->restart, w, e)))
        return -1;
    jsonw_key(w, "PortBindings");
    write_bindings(w, ports->v, ports->n_published);
    jsonw_kbool(w, "PublishAllPorts", o->publish_all);
    jsonw_kbool(w, "AutoRemove", o->rm);
    jsonw_kbool(w, "Privileged", o->privileged);
    jsonw_kbool(w, "ReadonlyRootfs", o->read_only);
    if (o->init)
        jsonw_kbool(w, "Init", true);
    jsonw_kstr(w, "NetworkMode", o->network.n ? o->network.v[0] : "default");
    text(w, "IpcMode", o->ipc);
    text(w, "PidMode", o->pid);
    text(w, "UTSMode", o->uts);
    text(w, "UsernsMode", o->userns);
    text(w, "CgroupnsMode", o->cgroupns);
    text(w, "Runtime", o->runtime);
    list(w, "CapAdd", &o->cap_add);
    list(w, "CapDrop", &o->cap_drop);
    list(w, "SecurityOpt", &o->security_opt);
    list(w, "Dns", &o->dns);
    list(w, "DnsOptions", &o->dns_option);
    list(w, "DnsSearch", &o->dns_search);
    list(w, "ExtraHosts", &o->add_host);
    list(w, "GroupAdd", &o->group_add);
    if (o->sysctl.n) {
        jsonw_key(w, "Sysctls");
        pairs(&o->sysctl, w);
    }
    if (o->annotation.n) {
        jsonw_key(w, "Annotations");
        pairs(&o->annotation, w);
    }
    jsonw_key(w, "LogConfig");
    jsonw_obj(w);
    jsonw_kstr(w, "Type", o->log_driver);
    jsonw_key(w, "Config");
    pairs(&o->log_opt, w);
    jsonw_end_obj(w);
    jsonw_end_obj(w);
    return 0;
}

/* Aliases and addresses belong to the first network. */
static void write_networks(const struct run_options *o, struct jsonw *w)
{
    jsonw_key(w, "NetworkingConfig");
    jsonw_obj(w);
    jsonw_key(w, "EndpointsConfig");
    jsonw_obj(w);
    for (size_t i = 0; i < o->network.n; i++) {
        const char *name = o->network.v[i];

        if (str_eq(name, "host") || str_eq(name, "none") || str_starts(name, "container:"))
            continue;
        jsonw_key(w, name);
        jsonw_obj(w);
        if (i == 0) {
            list(w, "Aliases", &o->network_alias);
            text(w, "MacAddress", o->mac);
            if (!str_empty(o->ip)) {
                jsonw_key(w, "IPAMConfig");
                jsonw_obj(w);
                jsonw_kstr(w, "IPv4Address", o->ip);
                jsonw_end_obj(w);
            }
        }
        jsonw_end_obj(w);
    }
    jsonw_end_obj(w);
    jsonw_end_obj(w);
}

static int write_config(const struct run_options *o, const struct strv *args,
                        const struct ports *ports, struct jsonw *w, struct err *e)
{
    cleanup_strv struct strv env = {0};
    int64_t stop_timeout;

    if (env_collect(&o->env, &o->env_file, &env, e))
        return -1;
    jsonw_kstr(w, "Image", args->v[0]);
    text(w, "Hostname", o->hostname);
    text(w, "Domainname", o->domainname);
    text(w, "User", o->user);
    text(w, "WorkingDir", o->workdir);
    jsonw_kbool(w, "AttachStdin", o->interactive && !o->detach);
    jsonw_kbool(w, "AttachStdout", !o->detach);
    jsonw_kbool(w, "AttachStderr", !o->detach);
    jsonw_kbool(w, "Tty", o->tty);
    jsonw_kbool(w, "OpenStdin", o->interactive);
    jsonw_kbool(w, "StdinOnce", o->interactive && !o->detach);
    list(w, "Env", &env);
    if (args->n > 1) {
        jsonw_key(w, "Cmd");
        jsonw_arr(w);
        for (size_t i = 1; i < args->n; i++)
            jsonw_str(w, args->v[i]);
        jsonw_end_arr(w);
    }
    if (o->entrypoint) {
        jsonw_key(w, "Entrypoint");
        jsonw_arr(w);
        jsonw_str(w, o->entrypoint);
        jsonw_end_arr(w);
    }
    jsonw_key(w, "Labels");
    pairs(&o->label, w);
    text(w, "StopSignal", o->stop_signal);
    if (o->stop_timeout) {
        if (parse_i64(o->stop_timeout, -1, INT32_MAX, "stop timeout", &stop_timeout, e))
            return -1;
        jsonw_ki64(w, "StopTimeout", stop_timeout);
    }
    if (o->no_healthcheck) {
        jsonw_key(w, "Healthcheck");
        jsonw_raw(w, "{\"Test\":[\"NONE\"]}");
    }
    jsonw_key(w, "ExposedPorts");
    write_exposed(w, ports->v, ports->n);
    jsonw_key(w, "Volumes");
    jsonw_obj(w);
    write_volumes(o, w, true);
    jsonw_end_obj(w);
    return 0;
}

int run_body(const struct run_options *o, const struct strv *args, struct buf *out, struct err *e)
{
    struct jsonw w = JSONW_INIT(out);
    cleanup_ports struct ports ports = {0};

    if (parse_ports(o, &ports, e))
        return -1;
    jsonw_obj(&w);
    if (write_config(o, args, &ports, &w, e) || write_host_config(o, &ports, &w, e))
        return -1;
    if (o->network.n)
        write_networks(o, &w);
    jsonw_end_obj(&w);
    return buf_check(out, "the request", e);
}

/* ------------------------------------------------------------------- flags */

#define RUN(member) offsetof(struct run_options, member)
/* clang-format off */
const struct flag run_flags[N_RUN_FLAGS] = {
    {"add-host", 0, FLAG_LIST, RUN(add_host), "HOST:IP", "line for /etc/hosts"},
    {"annotation", 0, FLAG_LIST, RUN(annotation), "K=V", "annotation for the runtime"},
    {"attach", 'a', FLAG_LIST, RUN(attach), "STREAM", "stdin, stdout or stderr; all are by default"},
    {"cap-add", 0, FLAG_LIST, RUN(cap_add), "CAP", "capability to add"},
    {"cap-drop", 0, FLAG_LIST, RUN(cap_drop), "CAP", "capability to take away"},
    {"cgroup-parent", 0, FLAG_STR, RUN(cgroup_parent), "PATH", "parent of its cgroup"},
    {"cgroupns", 0, FLAG_STR, RUN(cgroupns), "MODE", "cgroup namespace: host or private"},
    {"cidfile", 0, FLAG_STR, RUN(cidfile), "FILE", "where to write the ID"},
    {"cpu-period", 0, FLAG_INT, RUN(cpu_period), "US", "period of the CPU quota"},
    {"cpu-quota", 0, FLAG_INT, RUN(cpu_quota), "US", "CPU time per period"},
    {"cpu-shares", 'c', FLAG_INT, RUN(cpu_shares), "N", "relative weight of CPU time"},
    {"cpus", 0, FLAG_STR, RUN(cpus), "N", "number of CPUs, 0.5 for half of one"},
    {"cpuset-cpus", 0, FLAG_STR, RUN(cpuset_cpus), "LIST", "CPUs it may run on"},
    {"cpuset-mems", 0, FLAG_STR, RUN(cpuset_mems), "LIST", "memory nodes it may use"},
    {"detach", 'd', FLAG_BOOL, RUN(detach), NULL, "run in the background and print the ID"},
    {"detach-keys", 0, FLAG_STR, RUN(detach_keys), "KEYS", "keys that detach"},
    {"device", 0, FLAG_LIST, RUN(device), "PATH[:PATH[:rwm]]", "device of the host"},
    {"dns", 0, FLAG_LIST, RUN(dns), "IP", "name server"},
    {"dns-option", 0, FLAG_LIST, RUN(dns_option), "OPTION", "option of the resolver"},
    {"dns-search", 0, FLAG_LIST, RUN(dns_search), "DOMAIN", "search domain"},
    {"domainname", 0, FLAG_STR, RUN(domainname), "NAME", "NIS domain name"},
    {"entrypoint", 0, FLAG_STR, RUN(entrypoint), "PROGRAM", "instead of the image's"},
    {"env", 'e', FLAG_LIST, RUN(env), "NAME[=VALUE]", "variable; without a value, ours"},
    {"env-file", 0, FLAG_LIST, RUN(env_file), "FILE", "variables, one per line"},
    {"expose", 0, FLAG_LIST, RUN(expose), "PORT", "port that the container offers"},
    {"group-add", 0, FLAG_LIST, RUN(group_add), "GROUP", "further group"},
    {"hostname", 'h', FLAG_STR, RUN(hostname), "NAME", "host name"},
    {"init", 0, FLAG_BOOL, RUN(init), NULL, "an init that forwards signals and reaps"},
    {"interactive", 'i', FLAG_BOOL, RUN(interactive), NULL, "keep stdin open"},
    {"ip", 0, FLAG_STR, RUN(ip), "IP", "IPv4 address on the first network"},
    {"ipc", 0, FLAG_STR, RUN(ipc), "MODE", "IPC namespace"},
    {"label", 'l', FLAG_LIST, RUN(label), "K=V", "label"},
    {"log-driver", 0, FLAG_STR, RUN(log_driver), "NAME", "where its output goes"},
    {"log-opt", 0, FLAG_LIST, RUN(log_opt), "K=V", "option of the log driver"},
    {"mac-address", 0, FLAG_STR, RUN(mac), "MAC", "MAC address on the first network"},
    {"memory", 'm', FLAG_STR, RUN(memory), "BYTES", "memory limit, like 64m"},
    {"memory-reservation", 0, FLAG_STR, RUN(memory_reservation), "BYTES", "soft memory limit"},
    {"memory-swap", 0, FLAG_STR, RUN(memory_swap), "BYTES", "limit of memory and swap; -1: none"},
    {"mount", 0, FLAG_LIST, RUN(mount), "MOUNT", "type=bind|volume|tmpfs,source=...,target=..."},
    {"name", 0, FLAG_STR, RUN(name), "NAME", "name"},
    {"net", 0, FLAG_LIST, RUN(network), "NETWORK", "the same as --network"},
    {"network", 0, FLAG_LIST, RUN(network), "NETWORK", "network to join"},
    {"network-alias", 0, FLAG_LIST, RUN(network_alias), "NAME", "further name on the network"},
    {"no-healthcheck", 0, FLAG_BOOL, RUN(no_healthcheck), NULL, "without the image's healthcheck"},
    {"oom-kill-disable", 0, FLAG_BOOL, RUN(oom_kill_disable), NULL, "no OOM killer"},
    {"oom-score-adj", 0, FLAG_INT, RUN(oom_score_adj), "N", "preference of the OOM killer"},
    {"pid", 0, FLAG_STR, RUN(pid), "MODE", "PID namespace"},
    {"pids-limit", 0, FLAG_INT, RUN(pids_limit), "N", "number of processes; -1: no limit"},
    {"platform", 0, FLAG_STR, RUN(platform), "OS/ARCH", "of an image that has several"},
    {"privileged", 0, FLAG_BOOL, RUN(privileged), NULL, "with all privileges"},
    {"publish", 'p', FLAG_LIST, RUN(publish), "[IP:][PORT:]PORT", "open a port on the host"},
    {"publish-all", 'P', FLAG_BOOL, RUN(publish_all), NULL, "open all offered ports"},
    {"pull", 0, FLAG_STR, RUN(pull), "WHEN", "always, missing or never"},
    {"quiet", 'q', FLAG_BOOL, RUN(quiet), NULL, "no progress of a pull"},
    {"read-only", 0, FLAG_BOOL, RUN(read_only), NULL, "the root cannot be written"},
    {"restart", 0, FLAG_STR, RUN(restart), "POLICY", "no, always, unless-stopped, on-failure[:N]"},
    {"rm", 0, FLAG_BOOL, RUN(rm), NULL, "remove it when it ends"},
    {"runtime", 0, FLAG_STR, RUN(runtime), "NAME", "OCI runtime"},
    {"security-opt", 0, FLAG_LIST, RUN(security_opt), "OPTION", "security option"},
    {"shm-size", 0, FLAG_STR, RUN(shm_size), "BYTES", "size of /dev/shm"},
    {"sig-proxy", 0, FLAG_STR, RUN(sig_proxy), "BOOL", "pass signals on; true by default"},
    {"stop-signal", 0, FLAG_STR, RUN(stop_signal), "SIGNAL", "what stop sends"},
    {"stop-timeout", 0, FLAG_STR, RUN(stop_timeout), "SECONDS", "how long stop waits"},
    {"sysctl", 0, FLAG_LIST, RUN(sysctl), "K=V", "kernel parameter of its namespaces"},
    {"tmpfs", 0, FLAG_LIST, RUN(tmpfs), "PATH[:OPTIONS]", "file system in memory"},
    {"tty", 't', FLAG_BOOL, RUN(tty), NULL, "give it a terminal"},
    {"ulimit", 0, FLAG_LIST, RUN(ulimit), "NAME=SOFT[:HARD]", "limit of a resource"},
    {"user", 'u', FLAG_STR, RUN(user), "USER[:GROUP]", "user"},
    {"userns", 0, FLAG_STR, RUN(userns), "MODE", "user namespace"},
    {"uts", 0, FLAG_STR, RUN(uts), "MODE", "UTS namespace"},
    {"volume", 'v', FLAG_LIST, RUN(volume), "SOURCE:TARGET", "volume or directory of the host"},
    {"volume-driver", 0, FLAG_STR, RUN(volume_driver), "NAME", "driver of new volumes"},
    {"volumes-from", 0, FLAG_LIST, RUN(volumes_from), "CONTAINER", "mounts of another container"},
    {"workdir", 'w', FLAG_STR, RUN(workdir), "PATH", "working directory"},
};
/* clang-format on */
