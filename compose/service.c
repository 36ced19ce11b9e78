/*
 * service: the table of the keys of a service, and the readers that are too short for a file of
 * their own.
 *
 * All 93 keys of the specification have a row: one that is read, one that has no meaning for an
 * engine, or one that says what the user is told.
 */
#include "base/mem.h"
#include "base/time.h"
#include "compose/compose_internal.h"
#include "core/container.h"

/* ---------------------------------------------------- image, command, user */

static int read_words(const struct field *f, struct strv *out, struct err *e)
{
    strv_release(out);
    if (f->node->kind != YAML_SCALAR)
        return read_list(f, true, out, e);
    if (shell_split(f->node->text, out, e)) {
        cleanup_free char *why = xstrdup(e->msg);

        return field_error(f, e, "%s", why);
    }
    return 0;
}

static int read_command(const struct field *f, void *obj, struct err *e)
{
    struct container_spec *s = ((struct service_in *)obj)->spec;

    s->cmd_set = true;
    return read_words(f, &s->cmd, e);
}

static int read_entrypoint(const struct field *f, void *obj, struct err *e)
{
    struct container_spec *s = ((struct service_in *)obj)->spec;

    s->entrypoint_set = true;
    return read_words(f, &s->entrypoint, e);
}

static int read_image(const struct field *f, void *obj, struct err *e)
{
    struct container_spec *s = ((struct service_in *)obj)->spec;

    if (read_str(f, &s->image, e))
        return -1;
    if (!*s->image || strpbrk(s->image, " \t\n"))
        return field_error(f, e, "\"%.100s\" is no name of an image", s->image);
    return 0;
}

static int read_restart(const struct field *f, void *obj, struct err *e)
{
    struct service_in *in = obj;

    return read_str(f, &in->restart, e);
}

static int read_container_name(const struct field *f, void *obj, struct err *e)
{
    struct app_service *svc = ((struct service_in *)obj)->svc;

    if (read_str(f, &svc->container_name, e))
        return -1;
    if (!container_name_valid(svc->container_name))
        return field_error(f, e, "\"%.100s\" is no valid name of a container", svc->container_name);
    return 0;
}

static int read_build(const struct field *f, void *obj, struct err *e)
{
    (void)e;
    ((struct service_in *)obj)->x->build = true;
    field_notice(f, NOTICE_DEGRADED, "images are not built yet; the one named by image is used");
    return 0;
}

static int refuse(const struct field *f, void *obj, struct err *e)
{
    (void)obj;
    return field_key_error(f, e, "is not supported yet");
}

static int read_profiles(const struct field *f, void *obj, struct err *e)
{
    return read_list(f, false, &((struct service_in *)obj)->x->profiles, e);
}

/* Services of one network know each other by name; only another name is lost. */
static int read_link(const struct field *f, void *obj, struct err *e)
{
    cleanup_free char *text = NULL;

    if (read_str(f, &text, e))
        return -1;
    if (strchr(text, ':'))
        field_notice(f, NOTICE_DEGRADED,
                     "the alias is not known to the container yet; give the "
                     "other service an alias on their network");
    strv_add(obj, text);
    return 0;
}

static int read_links(const struct field *f, void *obj, struct err *e)
{
    if (f->node->kind != YAML_SEQ)
        return field_error(f, e, "must be a list");
    return read_each(f, read_link, &((struct service_in *)obj)->x->links, e);
}

static int read_network_mode(const struct field *f, void *obj, struct err *e)
{
    struct service_extra *x = ((struct service_in *)obj)->x;

    x->mode_line = f->node->line;
    x->mode_column = f->node->column;
    return read_str(f, &x->network_mode, e);
}

#define MODE_READER(name)                                                   \
    static int read_##name(const struct field *f, void *obj, struct err *e) \
    {                                                                       \
        return read_str(f, &((struct service_in *)obj)->x->name, e);        \
    }
MODE_READER(ipc)
MODE_READER(pid)
MODE_READER(uts)

/* ------------------------------------------------- environment and labels */

/* "NAME" alone, or "NAME:" without a value, takes what interpolation would see. */
static int take_variable(const struct field *f, struct service_in *in, const char *name,
                         struct err *e)
{
    const char *value = kvs_get(&f->ld->vars, name);

    if (!value)
        return field_error(f, e, "%s has no value here and the variable is not set", name);
    kvs_set(&in->env, name, value);
    return 0;
}

static int one_variable(const struct field *f, void *obj, struct err *e)
{
    struct service_in *in = obj;

    if (f->node->kind != YAML_SCALAR)
        return field_error(f, e, "must be NAME=value");
    const char *equals = strchr(f->node->text, '=');

    if (!equals)
        return take_variable(f, in, f->node->text, e);
    cleanup_free char *name = str_ndup(f->node->text, (size_t)(equals - f->node->text));

    if (!*name)
        return field_error(f, e, "the name in front of the = is missing");
    kvs_set(&in->env, name, equals + 1);
    return 0;
}

int read_environment(const struct field *f, void *obj, struct err *e)
{
    struct service_in *in = obj;

    if (f->node->kind == YAML_SEQ)
        return read_each(f, one_variable, in, e);
    if (f->node->kind != YAML_MAP)
        return field_error(f, e, "must be a mapping or a list of NAME=value");
    for (size_t i = 0; i < f->node->n; i++) {
        struct field v = field_of(f, &f->node->pairs[i]);

        if (v.node->kind == YAML_NULL) {
            if (take_variable(&v, in, v.key, e))
                return -1;
            continue;
        }
        if (v.node->kind != YAML_SCALAR)
            return field_error(&v, e, "must be a text");
        kvs_set(&in->env, v.key, v.node->text);
    }
    return 0;
}

static int read_labels(const struct field *f, void *obj, struct err *e)
{
    return read_pairs(f, &((struct service_in *)obj)->labels, e);
}

/* --------------------------------------------------------------- resources */

/* "0.5", "2" -> CPUs */
int read_cpus_value(const struct field *f, double *out, struct err *e)
{
    cleanup_free char *text = NULL;
    char *end = NULL;

    if (read_str(f, &text, e))
        return -1;
    double v = strspn(text, "0123456789.") == strlen(text) ? strtod(text, &end) : -1;

    if (!*text || !end || *end || v < 0 || v > 1e6)
        return field_error(f, e, "must be a number of CPUs like 0.5, not \"%.60s\"", text);
    *out = v;
    return 0;
}

static int read_cpus(const struct field *f, void *obj, struct err *e)
{
    return read_cpus_value(f, &((struct service_in *)obj)->cpus, e);
}

/* A number of microseconds, or a duration. */
static int read_microseconds(const struct field *f, int64_t *out, struct err *e)
{
    int64_t ns;

    if (f->node->kind == YAML_SCALAR &&
        strspn(f->node->text, "-0123456789") == strlen(f->node->text))
        return read_int(f, out, e);
    if (read_duration(f, &ns, e))
        return -1;
    *out = ns / 1000;
    return 0;
}

#define CPU_READER(name)                                                         \
    static int read_##name(const struct field *f, void *obj, struct err *e)      \
    {                                                                            \
        return read_microseconds(f, &((struct service_in *)obj)->spec->name, e); \
    }
CPU_READER(cpu_period)
CPU_READER(cpu_quota)

#define V1_READER(name, reader)                                                         \
    static int read_##name(const struct field *f, void *obj, struct err *e)             \
    {                                                                                   \
        field_notice(f, NOTICE_DEGRADED, "has an effect on hosts with cgroup v1 only"); \
        return reader(f, &((struct service_in *)obj)->spec->name, e);                   \
    }
V1_READER(cpu_rt_period, read_microseconds)
V1_READER(cpu_rt_runtime, read_microseconds)

static int read_swappiness(const struct field *f, void *obj, struct err *e)
{
    field_notice(f, NOTICE_DEGRADED, "has an effect on hosts with cgroup v1 only");
    return read_int(f, &((struct service_in *)obj)->spec->memory_swappiness, e);
}

V1_READER(oom_kill_disable, read_bool)

static int read_memswap(const struct field *f, void *obj, struct err *e)
{
    struct container_spec *s = ((struct service_in *)obj)->spec;

    if (f->node->kind == YAML_SCALAR && str_eq(f->node->text, "-1")) {
        s->memory_swap = -1;
        return 0;
    }
    return read_size(f, &s->memory_swap, e);
}

static int read_blkio(const struct field *f, void *obj, struct err *e)
{
    static const char later[] = "limits per block device are not applied yet";
    static const struct key_def keys[] = {
        {"weight", KEY_INT, offsetof(struct container_spec, blkio_weight), NULL, 0, NULL},
        KEY_NOTE("weight_device", NOTICE_DEGRADED, later),
        KEY_NOTE("device_read_bps", NOTICE_DEGRADED, later),
        KEY_NOTE("device_read_iops", NOTICE_DEGRADED, later),
        KEY_NOTE("device_write_bps", NOTICE_DEGRADED, later),
        KEY_NOTE("device_write_iops", NOTICE_DEGRADED, later),
    };

    return read_map(f, keys, ARRAY_LEN(keys), NULL, ((struct service_in *)obj)->spec, e);
}

static int read_one_ulimit(const struct field *f, struct ulimit *u, struct err *e)
{
    static const struct key_def keys[] = {
        {"soft", KEY_INT, offsetof(struct ulimit, soft), NULL, 0, NULL},
        {"hard", KEY_INT, offsetof(struct ulimit, hard), NULL, 0, NULL},
    };

    if (f->node->kind == YAML_MAP) {
        if (!yaml_get(f->node, "soft") || !yaml_get(f->node, "hard"))
            return field_error(f, e, "soft and hard must both be given");
        return read_map(f, keys, ARRAY_LEN(keys), NULL, u, e);
    }
    if (read_int(f, &u->soft, e))
        return -1;
    u->hard = u->soft;
    return 0;
}

static int read_ulimits(const struct field *f, void *obj, struct err *e)
{
    struct container_spec *s = ((struct service_in *)obj)->spec;

    if (f->node->kind != YAML_MAP)
        return field_error(f, e, "must be a mapping");
    for (size_t i = 0; i < f->node->n; i++) {
        struct field one = field_of(f, &f->node->pairs[i]);
        struct ulimit u = {0};

        if (read_one_ulimit(&one, &u, e))
            return -1;
        if (u.hard != -1 && (u.soft > u.hard || u.soft == -1))
            return field_error(&one, e, "the soft limit is above the hard one");
        u.name = xstrdup(one.key);
        s->ulimits = xrealloc(s->ulimits, (s->n_ulimits + 1) * sizeof *s->ulimits);
        s->ulimits[s->n_ulimits++] = u;
    }
    return 0;
}

/* ------------------------------------------------------ devices and hosts */

static int short_device(const struct field *f, struct device_map *d, struct err *e)
{
    cleanup_strv struct strv parts = {0};

    if (f->node->kind != YAML_SCALAR)
        return field_error(f, e, "must be a text");
    strv_split(&parts, f->node->text, ':');
    if (parts.n > 3 || !*parts.v[0])
        return field_error(f, e, "must be HOST[:CONTAINER[:rwm]], not \"%.100s\"", f->node->text);
    d->host_path = xstrdup(parts.v[0]);
    d->container_path = xstrdup(parts.n > 1 && *parts.v[1] ? parts.v[1] : parts.v[0]);
    d->permissions = xstrdup(parts.n > 2 ? parts.v[2] : "rwm");
    return 0;
}

static int read_device(const struct field *f, void *obj, struct err *e)
{
    static const struct key_def keys[] = {
        {"source",      KEY_STR, offsetof(struct device_map, host_path),      NULL, 0, NULL},
        {"target",      KEY_STR, offsetof(struct device_map, container_path), NULL, 0, NULL},
        {"permissions", KEY_STR, offsetof(struct device_map, permissions),    NULL, 0, NULL},
    };
    struct container_spec *s = ((struct service_in *)obj)->spec;

    s->devices = xrealloc(s->devices, (s->n_devices + 1) * sizeof *s->devices);
    struct device_map *d = &s->devices[s->n_devices++];

    *d = (struct device_map){0};
    int rc = f->node->kind == YAML_MAP ? read_map(f, keys, ARRAY_LEN(keys), NULL, d, e)
                                       : short_device(f, d, e);

    if (rc)
        return -1;
    if (str_empty(d->host_path))
        return field_error(f, e, "source is missing");
    if (*d->host_path != '/')
        return field_error(f, e, "\"%.100s\" is no path; devices by CDI name are not given",
                           d->host_path);
    if (!d->container_path)
        d->container_path = xstrdup(d->host_path);
    if (!d->permissions)
        d->permissions = xstrdup("rwm");
    if (strspn(d->permissions, "rwm") != strlen(d->permissions) || !*d->permissions)
        return field_error(f, e, "permissions are letters of rwm, not \"%.20s\"", d->permissions);
    return 0;
}

static int read_devices(const struct field *f, void *obj, struct err *e)
{
    if (f->node->kind != YAML_SEQ)
        return field_error(f, e, "must be a list");
    return read_each(f, read_device, obj, e);
}

/* "name=address" or "name:address" -> "name:address"; brackets of IPv6 go. */
static int add_host(const struct field *f, struct container_spec *s, const char *name,
                    const char *address, struct err *e)
{
    size_t n = strlen(address);
    bool bracket = n > 2 && address[0] == '[' && address[n - 1] == ']';

    if (!*name || !*address)
        return field_error(f, e, "must be name=address");
    strv_addf(&s->extra_hosts, "%s:%.*s", name, (int)(bracket ? n - 2 : n), address + bracket);
    return 0;
}

static int host_entry(const struct field *f, void *obj, struct err *e)
{
    cleanup_free char *text = NULL;

    if (read_str(f, &text, e))
        return -1;
    char *sep = strchr(text, '=');

    if (!sep)
        sep = strchr(text, ':');
    if (!sep)
        return field_error(f, e, "must be name=address, not \"%.100s\"", text);
    *sep = '\0';
    return add_host(f, obj, text, sep + 1, e);
}

static int read_extra_hosts(const struct field *f, void *obj, struct err *e)
{
    struct container_spec *s = ((struct service_in *)obj)->spec;

    if (f->node->kind != YAML_MAP)
        return read_each(f, host_entry, s, e);
    for (size_t i = 0; i < f->node->n; i++) {
        struct field one = field_of(f, &f->node->pairs[i]);
        cleanup_strv struct strv addresses = {0};

        if (read_list(&one, true, &addresses, e))
            return -1;
        for (size_t k = 0; k < addresses.n; k++)
            if (add_host(&one, s, one.key, addresses.v[k], e))
                return -1;
    }
    return 0;
}

/* ------------------------------------------------------------ the rest */

static int read_logging(const struct field *f, void *obj, struct err *e)
{
    static const struct key_def keys[] = {
        {"driver",  KEY_STR,   offsetof(struct container_spec, log_driver), NULL, 0, NULL},
        {"options", KEY_PAIRS, offsetof(struct container_spec, log_opts),   NULL, 0, NULL},
    };

    return read_map(f, keys, ARRAY_LEN(keys), NULL, ((struct service_in *)obj)->spec, e);
}

static int read_init(const struct field *f, void *obj, struct err *e)
{
    struct container_spec *s = ((struct service_in *)obj)->spec;

    s->init_set = true;
    return read_bool(f, &s->init, e);
}

static int read_grace(const struct field *f, void *obj, struct err *e)
{
    struct service_in *in = obj;
    int64_t ns;

    if (read_duration(f, &ns, e))
        return -1;
    in->svc->stop_grace_s = (ns + NS_PER_SEC - 1) / NS_PER_SEC;
    in->spec->stop_timeout_s = in->svc->stop_grace_s;
    return 0;
}

static int read_stop_signal(const struct field *f, void *obj, struct err *e)
{
    struct container_spec *s = ((struct service_in *)obj)->spec;
    int ignored;

    if (read_str(f, &s->stop_signal, e))
        return -1;
    if (signal_parse(s->stop_signal, &ignored, ERR_IGNORE))
        return field_error(f, e, "\"%.60s\" is no signal", s->stop_signal);
    return 0;
}

static int read_pull_policy(const struct field *f, void *obj, struct err *e)
{
    static const char *const known[] = {"always", "never",   "missing", "if_not_present",
                                        "build",  "refresh", "daily",   "weekly"};
    struct app_service *svc = ((struct service_in *)obj)->svc;
    bool ok = false;

    if (read_str(f, &svc->pull_policy, e))
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(known) && !ok; i++)
        ok = str_eq(svc->pull_policy, known[i]);
    if (!ok && !str_starts(svc->pull_policy, "every_"))
        return field_error(f, e, "\"%.60s\" is no pull policy; must be always, never or missing",
                           svc->pull_policy);
    if (str_eq(svc->pull_policy, "if_not_present"))
        str_set(&svc->pull_policy, "missing");
    if (!str_eq(svc->pull_policy, "always") && !str_eq(svc->pull_policy, "never") &&
        !str_eq(svc->pull_policy, "missing")) {
        field_notice(f, NOTICE_DEGRADED, "the image is pulled when it is missing");
        str_set(&svc->pull_policy, "missing");
    }
    return 0;
}

/* ------------------------------------------------------------- x-ballast */

/* Ends up as the label that works for every container. */
static int read_on_unhealthy(const struct field *f, void *obj, struct err *e)
{
    struct service_in *in = obj;
    cleanup_free char *what = NULL;

    if (read_str(f, &what, e))
        return -1;
    if (str_eq(what, "recreate"))
        field_notice(f, NOTICE_DEGRADED, "the container is restarted, not made anew");
    else if (!str_eq(what, "restart") && !str_eq(what, "none"))
        return field_error(f, e, "must be restart or none, not \"%.60s\"", what);
    if (!str_eq(what, "none"))
        kvs_set(&in->spec->labels, "ballast.on-unhealthy", "restart");
    return 0;
}

static int read_x_ballast(const struct field *f, void *obj, struct err *e)
{
    static const char later[] = "is not applied yet";
    static const struct key_def keys[] = {
        {"on_unhealthy", KEY_FN, 0, read_on_unhealthy, 0, NULL},
        {"unhealthy",    KEY_FN, 0, read_on_unhealthy, 0, NULL}, /* the same, shorter */
        KEY_NOTE("update", NOTICE_DEGRADED, later),
        KEY_NOTE("on_change", NOTICE_DEGRADED, later),
        KEY_NOTE("track", NOTICE_DEGRADED, later),
    };

    return read_map(f, keys, ARRAY_LEN(keys), obj, obj, e);
}

/* --------------------------------------------------------------- the table */

#define SPEC(member) offsetof(struct container_spec, member)
#define VALUE(key, type, field)               \
    {                                         \
        key, type, SPEC(field), NULL, 0, NULL \
    }
#define READER(key, fn)             \
    {                               \
        key, KEY_FN, 0, fn, 0, NULL \
    }

/* clang-format off */
static const struct key_def service_keys[] = {
    READER("image", read_image),
    READER("command", read_command),
    READER("entrypoint", read_entrypoint),
    READER("environment", read_environment),
    READER("env_file", read_env_file),
    READER("labels", read_labels),
    READER("label_file", read_label_file),
    READER("ports", read_ports),
    READER("expose", read_expose),
    READER("volumes", read_volumes),
    READER("tmpfs", read_tmpfs),
    READER("configs", read_service_configs),
    READER("secrets", read_service_secrets),
    READER("networks", read_service_networks),
    READER("network_mode", read_network_mode),
    READER("depends_on", read_depends_on),
    READER("links", read_links),
    READER("volumes_from", refuse),
    READER("healthcheck", read_healthcheck),
    READER("deploy", read_deploy),
    READER("scale", read_scale),
    READER("restart", read_restart),
    READER("container_name", read_container_name),
    READER("profiles", read_profiles),
    READER("pull_policy", read_pull_policy),
    READER("logging", read_logging),
    READER("init", read_init),
    READER("stop_signal", read_stop_signal),
    READER("stop_grace_period", read_grace),
    READER("ulimits", read_ulimits),
    READER("devices", read_devices),
    READER("extra_hosts", read_extra_hosts),
    READER("cpus", read_cpus),
    READER("cpu_period", read_cpu_period),
    READER("cpu_quota", read_cpu_quota),
    READER("cpu_rt_period", read_cpu_rt_period),
    READER("cpu_rt_runtime", read_cpu_rt_runtime),
    READER("mem_swappiness", read_swappiness),
    READER("memswap_limit", read_memswap),
    READER("oom_kill_disable", read_oom_kill_disable),
    READER("blkio_config", read_blkio),
    READER("ipc", read_ipc),
    READER("pid", read_pid),
    READER("uts", read_uts),
    READER("build", read_build),
    READER("extends", refuse),
    READER("provider", refuse),
    READER("x-ballast", read_x_ballast),
    VALUE("hostname", KEY_STR, hostname),
    VALUE("domainname", KEY_STR, domainname),
    VALUE("user", KEY_STR, user),
    VALUE("working_dir", KEY_STR, working_dir),
    VALUE("mac_address", KEY_STR, mac_address),
    VALUE("read_only", KEY_BOOL, readonly_rootfs),
    VALUE("privileged", KEY_BOOL, privileged),
    VALUE("tty", KEY_BOOL, tty),
    VALUE("stdin_open", KEY_BOOL, open_stdin),
    VALUE("cap_add", KEY_LIST, cap_add),
    VALUE("cap_drop", KEY_LIST, cap_drop),
    VALUE("group_add", KEY_LIST, group_add),
    VALUE("security_opt", KEY_LIST, security_opt),
    VALUE("device_cgroup_rules", KEY_LIST, device_cgroup_rules),
    VALUE("dns", KEY_LIST_OR_ONE, dns),
    VALUE("dns_opt", KEY_LIST_OR_ONE, dns_options),
    VALUE("dns_search", KEY_LIST_OR_ONE, dns_search),
    VALUE("annotations", KEY_PAIRS, annotations),
    VALUE("sysctls", KEY_PAIRS, sysctls),
    VALUE("storage_opt", KEY_PAIRS, storage_opt),
    VALUE("mem_limit", KEY_SIZE, memory),
    VALUE("mem_reservation", KEY_SIZE, memory_reservation),
    VALUE("shm_size", KEY_SIZE, shm_size),
    VALUE("cpu_shares", KEY_INT, cpu_shares),
    VALUE("cpuset", KEY_STR, cpuset_cpus),
    VALUE("pids_limit", KEY_INT, pids_limit),
    VALUE("oom_score_adj", KEY_INT, oom_score_adj),
    VALUE("cgroup", KEY_STR, cgroupns_mode),
    VALUE("cgroup_parent", KEY_STR, cgroup_parent),
    VALUE("userns_mode", KEY_STR, userns_mode),
    VALUE("runtime", KEY_STR, runtime),
    KEY_NOTE("attach", NOTICE_IGNORED, "is for commands in the foreground"),
    KEY_NOTE("develop", NOTICE_IGNORED, "is for `docker compose watch`"),
    KEY_NOTE("external_links", NOTICE_DEGRADED, "names of containers outside are not added"),
    KEY_NOTE("post_start", NOTICE_DEGRADED, "hooks are not run yet"),
    KEY_NOTE("pre_start", NOTICE_DEGRADED, "hooks are not run yet"),
    KEY_NOTE("pre_stop", NOTICE_DEGRADED, "hooks are not run yet"),
    KEY_NOTE("platform", NOTICE_DEGRADED, "the image for this host's platform is used"),
    KEY_NOTE("pull_refresh_after", NOTICE_IGNORED, "images are not refreshed by age yet"),
    KEY_NOTE("gpus", NOTICE_REFUSED, "GPUs are not given to containers yet"),
    KEY_NOTE("models", NOTICE_REFUSED, "models are not run here"),
    KEY_NOTE("use_api_socket", NOTICE_REFUSED, "the engine's socket is not given to containers"),
    KEY_NOTE("credential_spec", NOTICE_REFUSED, "is for Windows containers"),
    KEY_NOTE("isolation", NOTICE_IGNORED, "is for Windows containers"),
    KEY_NOTE("cpu_count", NOTICE_IGNORED, "is for Windows containers"),
    KEY_NOTE("cpu_percent", NOTICE_IGNORED, "is for Windows containers"),
};
/* clang-format on */

bool service_key_known(const char *key)
{
    for (size_t i = 0; i < ARRAY_LEN(service_keys); i++)
        if (str_eq(service_keys[i].key, key))
            return true;
    return false;
}

int read_service_keys(const struct field *f, struct service_in *in, struct err *e)
{
    return read_map(f, service_keys, ARRAY_LEN(service_keys), in, in->spec, e);
}
