/*
 * oci: reading config.json.  See oci.h.
 *
 * Every object has one function, which fails at the first wrong type; "a || b" chains the fields in
 * the order of the specification.  What is missing keeps the value of config_new().
 */
#include "runtime-linux/oci.h"

#include <errno.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "runtime-linux/caps.h"

#define CONFIG_MAX  (8u << 20)
#define ENTRIES_MAX 4096 /* of any one list: more than the kernel would take */

static const char *const ns_types[OCI_NS_COUNT] = {
    [OCI_NS_MNT] = "mount", [OCI_NS_PID] = "pid",   [OCI_NS_NET] = "network",  [OCI_NS_IPC] = "ipc",
    [OCI_NS_UTS] = "uts",   [OCI_NS_USER] = "user", [OCI_NS_CGROUP] = "cgroup"};

static int bad(const struct json *j, const char *must, struct err *e)
{
    return err_set(e, ERR_INVALID, "%s: %s", j->path, must);
}

static int want(const struct json *j, enum json_type type, const char *name, struct err *e)
{
    if (json_exists(j) && json_typeof(j) != type)
        return err_set(e, ERR_INVALID, "%s: must be %s", j->path, name);
    return 0;
}

/* A list of objects: allocates *out with room for all. */
static int list_new(const struct json *j, size_t item_size, void **out, size_t *n, struct err *e)
{
    if (want(j, JSON_ARRAY, "an array", e))
        return -1;
    if (json_len(j) > ENTRIES_MAX)
        return bad(j, "has too many entries", e);
    free(*out);
    *out = xcalloc(json_len(j) + 1, item_size);
    *n = 0;
    return 0;
}

static int get_str(const struct json *j, const char *key, char **out, struct err *e)
{
    struct json v = json_get(j, key);

    return json_str(&v, out, e);
}

static int get_i64(const struct json *j, const char *key, int64_t *out, struct err *e)
{
    struct json v = json_get(j, key);

    return json_i64(&v, out, e);
}

static int get_bool(const struct json *j, const char *key, bool *out, struct err *e)
{
    struct json v = json_get(j, key);

    return json_bool(&v, out, e);
}

static int get_strv(const struct json *j, const char *key, struct strv *out, struct err *e)
{
    struct json v = json_get(j, key);

    return json_strv(&v, out, e);
}

static int get_kvs(const struct json *j, const char *key, struct kvs *out, struct err *e)
{
    struct json v = json_get(j, key);

    return json_kvs(&v, out, e);
}

static int get_u64(const struct json *j, const char *key, uint64_t *out, struct err *e)
{
    struct json v = json_get(j, key);
    cleanup_buf struct buf text = BUF_INIT(64);

    if (!json_exists(&v))
        return 0;
    if (json_typeof(&v) != JSON_INT)
        return bad(&v, "must be a whole number", e);
    json_text(&v, &text); /* above INT64_MAX: Go's RLIM_INFINITY */
    if (parse_u64(text.data, 0, UINT64_MAX, "number", out, ERR_IGNORE))
        return bad(&v, "must not be negative", e);
    return 0;
}

/* ------------------------------------------------------------------ process */

static int read_caps(const struct json *process, struct oci_process *p, struct err *e)
{
    struct json j = json_get(process, "capabilities");
    const struct {
        const char *key;
        uint64_t *set;
    } sets[] = {
        {"bounding",    &p->caps.bounding   },
        {"effective",   &p->caps.effective  },
        {"inheritable", &p->caps.inheritable},
        {"permitted",   &p->caps.permitted  },
        {"ambient",     &p->caps.ambient    }
    };

    if (want(&j, JSON_OBJECT, "an object", e))
        return -1;
    p->caps_set = json_exists(&j);
    for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
        cleanup_strv struct strv names = {0};

        if (get_strv(&j, sets[i].key, &names, e) || caps_parse(&names, sets[i].set, e))
            return -1;
    }
    return 0;
}

static int read_rlimits(const struct json *process, struct oci_process *p, struct err *e)
{
    struct json j = json_get(process, "rlimits");

    if (list_new(&j, sizeof(*p->rlimits), (void **)&p->rlimits, &p->n_rlimits, e))
        return -1;
    for (size_t i = 0; i < json_len(&j); i++) {
        struct json item = json_at(&j, i);
        struct oci_rlimit *r = &p->rlimits[p->n_rlimits++];

        if (want(&item, JSON_OBJECT, "an object", e) || get_str(&item, "type", &r->type, e) ||
            get_u64(&item, "soft", &r->soft, e) || get_u64(&item, "hard", &r->hard, e))
            return -1;
        if (!r->type)
            return bad(&item, "has no type", e);
    }
    return 0;
}

static int read_user(const struct json *process, struct oci_process *p, struct err *e)
{
    struct json j = json_get(process, "user"), groups = json_get(&j, "additionalGids");

    if (want(&j, JSON_OBJECT, "an object", e) || get_i64(&j, "uid", &p->uid, e) ||
        get_i64(&j, "gid", &p->gid, e) || get_i64(&j, "umask", &p->umask, e) ||
        list_new(&groups, sizeof(*p->groups), (void **)&p->groups, &p->n_groups, e))
        return -1;
    for (size_t i = 0; i < json_len(&groups); i++) {
        struct json item = json_at(&groups, i);

        if (json_i64(&item, &p->groups[p->n_groups++], e))
            return -1;
    }
    if (p->uid < 0 || p->uid > UINT32_MAX - 1 || p->gid < 0 || p->gid > UINT32_MAX - 1)
        return bad(&j, "uid and gid must be in the range 0-4294967294", e);
    return 0;
}

static int read_process(const struct json *root, struct oci_process *p, struct err *e)
{
    struct json j = json_get(root, "process"), size = json_get(&j, "consoleSize");

    if (want(&j, JSON_OBJECT, "an object", e) || get_bool(&j, "terminal", &p->terminal, e) ||
        get_i64(&size, "height", &p->console_height, e) ||
        get_i64(&size, "width", &p->console_width, e) || read_user(&j, p, e) ||
        get_strv(&j, "args", &p->args, e) || get_strv(&j, "env", &p->env, e) ||
        get_str(&j, "cwd", &p->cwd, e) || read_caps(&j, p, e) || read_rlimits(&j, p, e) ||
        get_bool(&j, "noNewPrivileges", &p->no_new_privileges, e) ||
        get_i64(&j, "oomScoreAdj", &p->oom_score_adj, e) ||
        get_str(&j, "apparmorProfile", &p->apparmor, e) ||
        get_str(&j, "selinuxLabel", &p->selinux, e))
        return -1;
    if (p->cwd && !path_is_abs(p->cwd))
        return err_set(e, ERR_INVALID, "process.cwd: must be an absolute path");
    return 0;
}

/* ------------------------------------------------------------------ mounts, devices */

static int read_mounts(const struct json *root, struct oci_config *cfg, struct err *e)
{
    struct json j = json_get(root, "mounts");

    if (list_new(&j, sizeof(*cfg->mounts), (void **)&cfg->mounts, &cfg->n_mounts, e))
        return -1;
    for (size_t i = 0; i < json_len(&j); i++) {
        struct json item = json_at(&j, i);
        struct oci_mount *m = &cfg->mounts[cfg->n_mounts++];

        if (want(&item, JSON_OBJECT, "an object", e) ||
            get_str(&item, "destination", &m->destination, e) ||
            get_str(&item, "type", &m->type, e) || get_str(&item, "source", &m->source, e) ||
            get_strv(&item, "options", &m->options, e))
            return -1;
        if (!m->destination || !path_is_abs(m->destination))
            return bad(&item, "destination must be an absolute path", e);
    }
    return 0;
}

static int read_devices(const struct json *lin, struct oci_config *cfg, struct err *e)
{
    struct json j = json_get(lin, "devices");

    if (list_new(&j, sizeof(*cfg->devices), (void **)&cfg->devices, &cfg->n_devices, e))
        return -1;
    for (size_t i = 0; i < json_len(&j); i++) {
        struct json item = json_at(&j, i);
        struct oci_device *d = &cfg->devices[cfg->n_devices++];
        cleanup_free char *type = NULL;

        d->mode = -1;
        if (want(&item, JSON_OBJECT, "an object", e) || get_str(&item, "type", &type, e) ||
            get_str(&item, "path", &d->path, e) || get_i64(&item, "major", &d->major, e) ||
            get_i64(&item, "minor", &d->minor, e) || get_i64(&item, "fileMode", &d->mode, e) ||
            get_i64(&item, "uid", &d->uid, e) || get_i64(&item, "gid", &d->gid, e))
            return -1;
        d->type = str_empty(type) ? 0 : type[0] == 'u' ? 'c' : type[0];
        if (!strchr("cbp", d->type) || !d->type)
            return bad(&item, "type must be c, b, u or p", e);
        if (!d->path || !path_is_abs(d->path))
            return bad(&item, "path must be absolute", e);
    }
    return 0;
}

/* ------------------------------------------------------------------ resources */

static int read_device_rules(const struct json *res, struct oci_resources *r, struct err *e)
{
    struct json j = json_get(res, "devices");

    if (list_new(&j, sizeof(*r->devices), (void **)&r->devices, &r->n_devices, e))
        return -1;
    for (size_t i = 0; i < json_len(&j); i++) {
        struct json item = json_at(&j, i);
        struct oci_device_rule *d = &r->devices[r->n_devices++];
        cleanup_free char *type = NULL, *access = NULL;

        d->major = d->minor = -1;
        if (want(&item, JSON_OBJECT, "an object", e) || get_bool(&item, "allow", &d->allow, e) ||
            get_str(&item, "type", &type, e) || get_i64(&item, "major", &d->major, e) ||
            get_i64(&item, "minor", &d->minor, e) || get_str(&item, "access", &access, e))
            return -1;
        d->type = str_empty(type) ? 'a' : type[0];
        if (!strchr("abc", d->type))
            return bad(&item, "type must be a, b or c", e);
        d->read = !access || strchr(access, 'r');
        d->write = !access || strchr(access, 'w');
        d->mknod = !access || strchr(access, 'm');
    }
    return 0;
}

static int read_throttles(const struct json *blkio, struct oci_resources *r, struct err *e)
{
    static const char *const keys[OCI_THROTTLE_KINDS] = {
        [OCI_THROTTLE_RBPS] = "throttleReadBpsDevice",
        [OCI_THROTTLE_WBPS] = "throttleWriteBpsDevice",
        [OCI_THROTTLE_RIOPS] = "throttleReadIOPSDevice",
        [OCI_THROTTLE_WIOPS] = "throttleWriteIOPSDevice",
        [OCI_THROTTLE_WEIGHT] = "weightDevice"};

    for (size_t k = 0; k < OCI_THROTTLE_KINDS; k++) {
        struct json j = json_get(blkio, keys[k]);

        if (list_new(&j, sizeof(**r->throttle), (void **)&r->throttle[k], &r->n_throttle[k], e))
            return -1;
        for (size_t i = 0; i < json_len(&j); i++) {
            struct json item = json_at(&j, i);
            struct oci_throttle *t = &r->throttle[k][r->n_throttle[k]++];

            if (get_i64(&item, "major", &t->major, e) || get_i64(&item, "minor", &t->minor, e) ||
                get_u64(&item, k == OCI_THROTTLE_WEIGHT ? "weight" : "rate", &t->rate, e))
                return -1;
        }
    }
    return 0;
}

static int read_resources(const struct json *j, struct oci_resources *r, struct err *e)
{
    struct json memory = json_get(j, "memory"), cpu = json_get(j, "cpu");
    struct json pids = json_get(j, "pids"), blkio = json_get(j, "blockIO");

    if (want(j, JSON_OBJECT, "an object", e) || want(&memory, JSON_OBJECT, "an object", e) ||
        want(&cpu, JSON_OBJECT, "an object", e) || want(&pids, JSON_OBJECT, "an object", e) ||
        want(&blkio, JSON_OBJECT, "an object", e) || read_device_rules(j, r, e))
        return -1;
    if (get_i64(&memory, "limit", &r->memory_limit, e) ||
        get_i64(&memory, "reservation", &r->memory_reservation, e) ||
        get_i64(&memory, "swap", &r->memory_swap, e) ||
        get_i64(&memory, "swappiness", &r->memory_swappiness, e) ||
        get_bool(&memory, "disableOOMKiller", &r->disable_oom_killer, e))
        return -1;
    if (get_i64(&cpu, "shares", &r->cpu_shares, e) || get_i64(&cpu, "quota", &r->cpu_quota, e) ||
        get_i64(&cpu, "period", &r->cpu_period, e) ||
        get_i64(&cpu, "realtimeRuntime", &r->cpu_rt_runtime, e) ||
        get_i64(&cpu, "realtimePeriod", &r->cpu_rt_period, e) ||
        get_str(&cpu, "cpus", &r->cpuset_cpus, e) || get_str(&cpu, "mems", &r->cpuset_mems, e))
        return -1;
    return get_i64(&pids, "limit", &r->pids_limit, e) ||
                   get_i64(&blkio, "weight", &r->blkio_weight, e) || read_throttles(&blkio, r, e) ||
                   get_kvs(j, "unified", &r->unified, e)
               ? -1
               : 0;
}

void oci_resources_init(struct oci_resources *r)
{
    *r = (struct oci_resources){.memory_limit = OCI_UNSET,
                                .memory_reservation = OCI_UNSET,
                                .memory_swap = OCI_UNSET,
                                .memory_swappiness = OCI_UNSET,
                                .cpu_shares = OCI_UNSET,
                                .cpu_quota = OCI_UNSET,
                                .cpu_period = OCI_UNSET,
                                .cpu_rt_runtime = OCI_UNSET,
                                .cpu_rt_period = OCI_UNSET,
                                .pids_limit = OCI_UNSET,
                                .blkio_weight = OCI_UNSET};
}

void oci_resources_release(struct oci_resources *r)
{
    free(r->devices);
    free(r->cpuset_cpus);
    free(r->cpuset_mems);
    for (size_t k = 0; k < OCI_THROTTLE_KINDS; k++)
        free(r->throttle[k]);
    kvs_release(&r->unified);
    oci_resources_init(r);
}

int oci_resources_parse(const char *text, size_t len, struct oci_resources *out, struct err *e)
{
    cleanup_json struct json_doc doc = {0};
    struct json root;

    oci_resources_init(out);
    if (json_parse(text, len, &doc, e))
        return -1;
    root = json_root(&doc);
    if (read_resources(&root, out, e)) {
        oci_resources_release(out);
        return -1;
    }
    return 0;
}

/* ------------------------------------------------------------------ seccomp */

static int read_seccomp_args(const struct json *rule, struct oci_seccomp_rule *r, struct err *e)
{
    struct json j = json_get(rule, "args");

    if (list_new(&j, sizeof(*r->args), (void **)&r->args, &r->n_args, e))
        return -1;
    for (size_t i = 0; i < json_len(&j); i++) {
        struct json item = json_at(&j, i);
        struct oci_seccomp_arg *a = &r->args[r->n_args++];
        int64_t index = 0;

        if (get_i64(&item, "index", &index, e) || get_str(&item, "op", &a->op, e) ||
            get_u64(&item, "value", &a->value, e) || get_u64(&item, "valueTwo", &a->value_two, e))
            return -1;
        if (index < 0 || index > 5 || !a->op)
            return bad(&item, "needs an op and an index from 0 to 5", e);
        a->index = (unsigned)index;
    }
    return 0;
}

static int read_seccomp(const struct json *lin, struct oci_config *cfg, struct err *e)
{
    struct json j = json_get(lin, "seccomp"), rules = json_get(&j, "syscalls");
    struct oci_seccomp *s;

    if (!json_exists(&j))
        return 0;
    if (want(&j, JSON_OBJECT, "an object", e))
        return -1;
    s = cfg->seccomp = xcalloc(1, sizeof(*s));
    s->default_errno = -1;
    if (get_str(&j, "defaultAction", &s->default_action, e) ||
        get_i64(&j, "defaultErrnoRet", &s->default_errno, e) ||
        get_strv(&j, "architectures", &s->architectures, e) ||
        get_strv(&j, "flags", &s->flags, e) ||
        list_new(&rules, sizeof(*s->rules), (void **)&s->rules, &s->n_rules, e))
        return -1;
    if (!s->default_action)
        return bad(&j, "has no defaultAction", e);
    for (size_t i = 0; i < json_len(&rules); i++) {
        struct json item = json_at(&rules, i);
        struct oci_seccomp_rule *r = &s->rules[s->n_rules++];

        r->errno_ret = -1;
        if (want(&item, JSON_OBJECT, "an object", e) || get_strv(&item, "names", &r->names, e) ||
            get_str(&item, "action", &r->action, e) ||
            get_i64(&item, "errnoRet", &r->errno_ret, e) || read_seccomp_args(&item, r, e))
            return -1;
        if (!r->action)
            return bad(&item, "has no action", e);
    }
    return 0;
}

static void seccomp_free(struct oci_seccomp *s)
{
    if (!s)
        return;
    free(s->default_action);
    strv_release(&s->architectures);
    strv_release(&s->flags);
    for (size_t i = 0; i < s->n_rules; i++) {
        for (size_t k = 0; k < s->rules[i].n_args; k++)
            free(s->rules[i].args[k].op);
        free(s->rules[i].args);
        free(s->rules[i].action);
        strv_release(&s->rules[i].names);
    }
    free(s->rules);
    free(s);
}

/* ------------------------------------------------------------------ linux */

static int read_namespaces(const struct json *lin, struct oci_config *cfg, struct err *e)
{
    struct json j = json_get(lin, "namespaces");

    if (want(&j, JSON_ARRAY, "an array", e))
        return -1;
    for (size_t i = 0; i < json_len(&j); i++) {
        struct json item = json_at(&j, i);
        cleanup_free char *type = NULL;
        size_t k = 0;

        if (get_str(&item, "type", &type, e))
            return -1;
        while (k < OCI_NS_COUNT && !str_eq(ns_types[k], type))
            k++;
        if (k == OCI_NS_COUNT)
            return err_set(e, ERR_UNSUPPORTED, "%s: unknown namespace type \"%s\"", item.path,
                           type ? type : "");
        if (cfg->ns[k].wanted)
            return bad(&item, "this namespace is there twice", e);
        cfg->ns[k].wanted = true;
        if (get_str(&item, "path", &cfg->ns[k].path, e))
            return -1;
        if (str_empty(cfg->ns[k].path))
            str_set(&cfg->ns[k].path, NULL);
    }
    return 0;
}

static int read_idmap(const struct json *lin, const char *key, struct oci_idmap **map, size_t *n,
                      struct err *e)
{
    struct json j = json_get(lin, key);

    if (list_new(&j, sizeof(**map), (void **)map, n, e))
        return -1;
    for (size_t i = 0; i < json_len(&j); i++) {
        struct json item = json_at(&j, i);
        struct oci_idmap *m = &(*map)[(*n)++];

        if (get_i64(&item, "containerID", &m->container_id, e) ||
            get_i64(&item, "hostID", &m->host_id, e) || get_i64(&item, "size", &m->size, e))
            return -1;
        if (m->container_id < 0 || m->host_id < 0 || m->size < 1)
            return bad(&item, "ids must not be negative and the size at least 1", e);
    }
    return 0;
}

static int refuse_unsupported(const struct json *root, const struct json *lin, struct err *e)
{
    struct json hooks = json_get(root, "hooks"), rdt = json_get(lin, "intelRdt");

    if (json_len(&hooks) > 0)
        return err_set(e, ERR_UNSUPPORTED, "hooks: this runtime runs none");
    if (json_exists(&rdt))
        return err_set(e, ERR_UNSUPPORTED, "linux.intelRdt: not supported");
    return 0;
}

static int read_linux(const struct json *root, struct oci_config *cfg, struct err *e)
{
    struct json j = json_get(root, "linux"), res = json_get(&j, "resources");

    if (want(&j, JSON_OBJECT, "an object", e) || refuse_unsupported(root, &j, e) ||
        read_namespaces(&j, cfg, e) ||
        read_idmap(&j, "uidMappings", &cfg->uid_map, &cfg->n_uid_map, e) ||
        read_idmap(&j, "gidMappings", &cfg->gid_map, &cfg->n_gid_map, e) ||
        read_devices(&j, cfg, e) || get_str(&j, "cgroupsPath", &cfg->cgroups_path, e) ||
        read_resources(&res, &cfg->resources, e) || read_seccomp(&j, cfg, e) ||
        get_strv(&j, "maskedPaths", &cfg->masked, e) ||
        get_strv(&j, "readonlyPaths", &cfg->readonly, e) ||
        get_kvs(&j, "sysctl", &cfg->sysctl, e) ||
        get_str(&j, "rootfsPropagation", &cfg->rootfs_propagation, e))
        return -1;
    if (cfg->ns[OCI_NS_USER].wanted && !cfg->ns[OCI_NS_USER].path &&
        (!cfg->n_uid_map || !cfg->n_gid_map))
        return err_set(e, ERR_INVALID, "linux.uidMappings: a new user namespace needs id mappings");
    return 0;
}

/* ------------------------------------------------------------------ io.ballast */

static struct oci_mount *mount_at(struct oci_config *cfg, const char *destination)
{
    for (size_t i = 0; i < cfg->n_mounts; i++)
        if (str_eq(cfg->mounts[i].destination, destination))
            return &cfg->mounts[i];
    return NULL;
}

static int read_mount_extras(const struct json *ext, struct oci_config *cfg, struct err *e)
{
    struct json j = json_get(ext, "mounts");
    struct json_iter it = json_iter(&j);

    if (want(&j, JSON_OBJECT, "an object", e))
        return -1;
    while (json_next(&it)) {
        struct oci_mount *m = mount_at(cfg, it.key);

        if (!m)
            return bad(&it.value, "no mount has this destination", e);
        if (get_bool(&it.value, "copyUp", &m->copy_up, e) ||
            get_str(&it.value, "subpath", &m->subpath, e) ||
            get_strv(&it.value, "layers", &m->layers, e))
            return -1;
    }
    return 0;
}

static int read_extension(const struct json *root, struct oci_config *cfg, struct err *e)
{
    struct json j = json_get(root, "io.ballast"), rootfs = json_get(&j, "rootfs");

    if (want(&j, JSON_OBJECT, "an object", e) || want(&rootfs, JSON_OBJECT, "an object", e) ||
        get_bool(&rootfs, "overlay", &cfg->overlay, e) ||
        get_strv(&rootfs, "lower", &cfg->lower, e) || get_str(&rootfs, "upper", &cfg->upper, e) ||
        get_str(&rootfs, "work", &cfg->work, e) ||
        get_bool(&rootfs, "volatile", &cfg->volatile_root, e) ||
        get_str(&j, "user", &cfg->process.user_text, e) ||
        get_strv(&j, "groups", &cfg->process.group_texts, e) ||
        get_bool(&j, "init", &cfg->init, e) || get_i64(&j, "uidBase", &cfg->uid_base, e) ||
        read_mount_extras(&j, cfg, e))
        return -1;
    if (!cfg->overlay)
        return 0;
    if (!cfg->lower.n)
        return bad(&rootfs, "an overlay needs at least one lower directory", e);
    if (!cfg->upper != !cfg->work)
        return bad(&rootfs, "upper and work go together", e);
    return 0;
}

/* ------------------------------------------------------------------ the whole */

static struct oci_config *config_new(const char *bundle)
{
    struct oci_config *cfg = xcalloc(1, sizeof(*cfg));

    cfg->bundle = xstrdup(bundle);
    cfg->uid_base = -1;
    cfg->process.umask = -1;
    cfg->process.oom_score_adj = OCI_UNSET;
    oci_resources_init(&cfg->resources);
    return cfg;
}

static int read_root(const struct json *root, struct oci_config *cfg, struct err *e)
{
    struct json j = json_get(root, "root");
    cleanup_free char *path = NULL;

    if (want(&j, JSON_OBJECT, "an object", e) || get_str(&j, "path", &path, e) ||
        get_bool(&j, "readonly", &cfg->root_readonly, e))
        return -1;
    if (path)
        cfg->root = path_is_abs(path) ? path_clean(path) : path_join(cfg->bundle, path);
    else if (!cfg->overlay)
        return err_set(e, ERR_INVALID, "root.path: missing");
    return 0;
}

static int config_fill(const struct json *root, struct oci_config *cfg, struct err *e)
{
    if (json_typeof(root) != JSON_OBJECT)
        return err_set(e, ERR_INVALID, "config.json: must be an object");
    if (read_process(root, &cfg->process, e) || get_str(root, "hostname", &cfg->hostname, e) ||
        get_str(root, "domainname", &cfg->domainname, e) || read_mounts(root, cfg, e) ||
        read_linux(root, cfg, e) || get_kvs(root, "annotations", &cfg->annotations, e) ||
        read_extension(root, cfg, e) || read_root(root, cfg, e))
        return -1;
    if (!cfg->process.cwd)
        cfg->process.cwd = xstrdup("/");
    if (!cfg->ns[OCI_NS_MNT].wanted || cfg->ns[OCI_NS_MNT].path)
        return err_set(e, ERR_UNSUPPORTED,
                       "linux.namespaces: a container needs a mount namespace of its own");
    if (cfg->cgroups_path && !path_is_abs(cfg->cgroups_path)) {
        char *abs = path_join("/", cfg->cgroups_path);

        free(cfg->cgroups_path);
        cfg->cgroups_path = abs;
    }
    return 0;
}

int oci_config_parse(const char *text, size_t len, const char *bundle, struct oci_config **out,
                     struct err *e)
{
    cleanup_json struct json_doc doc = {0};
    cleanup_oci_config struct oci_config *cfg = config_new(bundle);
    struct json root;

    if (json_parse(text, len, &doc, e))
        return err_wrap(e, "config.json");
    root = json_root(&doc);
    if (config_fill(&root, cfg, e))
        return -1;
    *out = take_ptr(cfg);
    return 0;
}

int oci_config_read(const char *path, struct oci_config **out, struct err *e)
{
    cleanup_buf struct buf text = BUF_INIT(CONFIG_MAX);
    cleanup_free char *bundle = path_dir(path);

    if (fs_read(path, &text, e) || buf_check(&text, path, e))
        return -1;
    if (oci_config_parse(text.data, text.len, bundle, out, e))
        return err_wrap(e, "%s", path);
    return 0;
}

static void process_release(struct oci_process *p)
{
    strv_release(&p->args);
    strv_release(&p->env);
    strv_release(&p->group_texts);
    free(p->cwd);
    free(p->groups);
    free(p->user_text);
    for (size_t i = 0; i < p->n_rlimits; i++)
        free(p->rlimits[i].type);
    free(p->rlimits);
    free(p->apparmor);
    free(p->selinux);
}

void oci_config_free(struct oci_config *cfg)
{
    if (!cfg)
        return;
    process_release(&cfg->process);
    for (size_t i = 0; i < cfg->n_mounts; i++) {
        free(cfg->mounts[i].destination);
        free(cfg->mounts[i].type);
        free(cfg->mounts[i].source);
        strv_release(&cfg->mounts[i].options);
        free(cfg->mounts[i].subpath);
        strv_release(&cfg->mounts[i].layers);
    }
    free(cfg->mounts);
    for (size_t i = 0; i < OCI_NS_COUNT; i++)
        free(cfg->ns[i].path);
    for (size_t i = 0; i < cfg->n_devices; i++)
        free(cfg->devices[i].path);
    free(cfg->devices);
    free(cfg->uid_map);
    free(cfg->gid_map);
    oci_resources_release(&cfg->resources);
    seccomp_free(cfg->seccomp);
    strv_release(&cfg->lower);
    strv_release(&cfg->masked);
    strv_release(&cfg->readonly);
    kvs_release(&cfg->sysctl);
    kvs_release(&cfg->annotations);
    char *const owned[] = {
        cfg->bundle,   cfg->root,       cfg->upper,        cfg->work,
        cfg->hostname, cfg->domainname, cfg->cgroups_path, cfg->rootfs_propagation};
    for (size_t i = 0; i < ARRAY_LEN(owned); i++)
        free(owned[i]);
    free(cfg);
}
