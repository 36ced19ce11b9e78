/*
 * oci_write_limits: devices and resources of config.json.
 *
 * Device rules are a whole: everything is denied, then what the container has is allowed; what
 * every container may use is added by cgroup_apply().  A privileged container is allowed all, and
 * sees the host's nodes.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "runtime-linux/cgroup_internal.h"
#include "runtime-linux/oci_write_internal.h"

#define DEVICES_MAX 2048
#define CPU_PERIOD  100000

struct found {
    char *path;
    struct stat st;
    const char *access; /* borrowed */
};

struct device_list {
    struct found *v;
    size_t n;
};

static void device_list_release(struct device_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->v[i].path);
    free(l->v);
}

static void add_device(struct device_list *l, const char *path, const struct stat *st,
                       const char *access)
{
    if (l->n == DEVICES_MAX)
        return;
    l->v = xrealloc(l->v, (l->n + 1) * sizeof(*l->v));
    l->v[l->n++] = (struct found){.path = xstrdup(path), .st = *st, .access = access};
}

static bool is_device(const struct stat *st)
{
    return S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode);
}

/* Not the container's business, even when it is privileged: moby's list. */
static bool skipped(const char *name)
{
    static const char *const names[] = {"pts",  "shm",         "fd",    "mqueue",
                                        ".lxc", ".lxd-mounts", ".udev", "console"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_eq(names[i], name))
            return true;
    return false;
}

/* Every node below `from`, to appear below `to`. */
static void scan(struct device_list *l, const char *from, const char *to, const char *access,
                 unsigned depth)
{
    cleanup_strv struct strv names = {0};

    if (depth > 8 || fs_list(from, &names, ERR_IGNORE))
        return;
    for (size_t i = 0; i < names.n; i++) {
        cleanup_free char *source = path_join(from, names.v[i]);
        cleanup_free char *target = path_join(to, names.v[i]);
        struct stat st;

        if (skipped(names.v[i]) || lstat(source, &st))
            continue;
        if (S_ISDIR(st.st_mode))
            scan(l, source, target, access, depth + 1);
        else if (is_device(&st))
            add_device(l, target, &st, access);
    }
}

static int collect(const struct run_spec *s, struct device_list *l, struct err *e)
{
    const struct container_spec *c = s->spec;

    if (c->privileged) {
        scan(l, "/dev", "/dev", "rwm", 0);
        return 0;
    }
    for (size_t i = 0; i < c->n_devices; i++) {
        const struct device_map *d = &c->devices[i];
        const char *target = str_empty(d->container_path) ? d->host_path : d->container_path;
        const char *access = str_empty(d->permissions) ? "rwm" : d->permissions;
        struct stat st;

        if (stat(d->host_path, &st))
            return err_set(e, ERR_INTERNAL,
                           "error gathering device information while adding custom device \"%s\": "
                           "no such file or directory",
                           d->host_path);
        if (d->owned) {
            st.st_uid = (uid_t)d->uid;
            st.st_gid = (gid_t)d->gid;
        }
        if (d->with_mode)
            st.st_mode = (st.st_mode & S_IFMT) | ((mode_t)d->mode & 07777);
        if (S_ISDIR(st.st_mode))
            scan(l, d->host_path, target, access, 0);
        else if (is_device(&st))
            add_device(l, target, &st, access);
        else
            return err_set(e, ERR_INTERNAL,
                           "error gathering device information while adding custom device \"%s\": "
                           "not a device node",
                           d->host_path);
    }
    return 0;
}

static const char *type_of(const struct stat *st)
{
    return S_ISBLK(st->st_mode) ? "b" : "c";
}

int oci_write_devices(const struct run_spec *s, struct jsonw *w, struct err *e)
{
    CLEANUP(device_list_release) struct device_list l = {0};

    if (collect(s, &l, e))
        return -1;
    jsonw_key(w, "devices");
    jsonw_arr(w);
    for (size_t i = 0; i < l.n; i++) {
        jsonw_obj(w);
        jsonw_kstr(w, "type", type_of(&l.v[i].st));
        jsonw_kstr(w, "path", l.v[i].path);
        jsonw_ki64(w, "major", major(l.v[i].st.st_rdev));
        jsonw_ki64(w, "minor", minor(l.v[i].st.st_rdev));
        jsonw_ki64(w, "fileMode", l.v[i].st.st_mode & 07777);
        jsonw_ki64(w, "uid", l.v[i].st.st_uid);
        jsonw_ki64(w, "gid", l.v[i].st.st_gid);
        jsonw_end_obj(w);
    }
    jsonw_end_arr(w);
    return 0;
}

/* ------------------------------------------------------------------ device rules */

static void rule(struct jsonw *w, bool allow, const char *type, int64_t major_nr, int64_t minor_nr,
                 const char *access)
{
    jsonw_obj(w);
    jsonw_kbool(w, "allow", allow);
    jsonw_kstr(w, "type", type);
    if (major_nr >= 0)
        jsonw_ki64(w, "major", major_nr);
    if (minor_nr >= 0)
        jsonw_ki64(w, "minor", minor_nr);
    jsonw_kstr(w, "access", access);
    jsonw_end_obj(w);
}

static int number_or_star(const char *text, int64_t *out, struct err *e)
{
    *out = -1;
    return str_eq(text, "*") ? 0 : parse_i64(text, 0, UINT32_MAX, "device number", out, e);
}

/* "c 42:* rmw" */
static int user_rule(struct jsonw *w, const char *text, struct err *e)
{
    char type[2], major_text[24], minor_text[24], access[8];
    int64_t major_nr, minor_nr;

    if (sscanf(text, "%1[abc] %23[0-9*]:%23[0-9*] %7[rwm]", type, major_text, minor_text, access) !=
            4 ||
        number_or_star(major_text, &major_nr, e) || number_or_star(minor_text, &minor_nr, e))
        return err_set(e, ERR_INVALID, "invalid device cgroup rule format: '%s'", text);
    rule(w, true, type, major_nr, minor_nr, access);
    return 0;
}

static int write_device_rules(const struct run_spec *s, struct jsonw *w, struct err *e)
{
    const struct container_spec *c = s->spec;
    CLEANUP(device_list_release) struct device_list l = {0};

    jsonw_key(w, "devices");
    jsonw_arr(w);
    rule(w, c->privileged, "a", -1, -1, "rwm");
    if (!c->privileged) {
        if (collect(s, &l, e))
            return -1;
        for (size_t i = 0; i < l.n; i++)
            rule(w, true, type_of(&l.v[i].st), major(l.v[i].st.st_rdev), minor(l.v[i].st.st_rdev),
                 l.v[i].access);
        for (size_t i = 0; i < c->device_cgroup_rules.n; i++)
            if (user_rule(w, c->device_cgroup_rules.v[i], e))
                return -1;
    }
    jsonw_end_arr(w);
    return 0;
}

/* ------------------------------------------------------------------ resources */

static void number(struct jsonw *w, const char *key, int64_t v)
{
    if (v)
        jsonw_ki64(w, key, v);
}

/* Without a word about swap a container gets as much of it as of memory, where it can be counted.
 */
static int64_t swap_of(const struct container_spec *c)
{
    if (c->memory_swap)
        return c->memory_swap;
    return c->memory > 0 && cgroup_counts_swap() ? c->memory * 2 : 0;
}

static void write_memory(const struct container_spec *c, struct jsonw *w)
{
    jsonw_key(w, "memory");
    jsonw_obj(w);
    number(w, "limit", c->memory);
    number(w, "reservation", c->memory_reservation);
    number(w, "swap", swap_of(c));
    if (c->memory_swappiness >= 0 && !cgroup_host()->v2)
        jsonw_ki64(w, "swappiness", c->memory_swappiness);
    if (c->oom_kill_disable && !cgroup_host()->v2)
        jsonw_kbool(w, "disableOOMKiller", true);
    jsonw_end_obj(w);
}

static void write_cpu(const struct container_spec *c, struct jsonw *w)
{
    jsonw_key(w, "cpu");
    jsonw_obj(w);
    number(w, "shares", c->cpu_shares);
    if (c->nano_cpus) {
        jsonw_ki64(w, "period", CPU_PERIOD);
        jsonw_ki64(w, "quota", c->nano_cpus / (1000000000 / CPU_PERIOD));
    } else {
        number(w, "period", c->cpu_period);
        number(w, "quota", c->cpu_quota);
    }
    number(w, "realtimePeriod", c->cpu_rt_period);
    number(w, "realtimeRuntime", c->cpu_rt_runtime);
    if (!str_empty(c->cpuset_cpus))
        jsonw_kstr(w, "cpus", c->cpuset_cpus);
    if (!str_empty(c->cpuset_mems))
        jsonw_kstr(w, "mems", c->cpuset_mems);
    jsonw_end_obj(w);
}

static int write_rates(const struct container_spec *c, struct jsonw *w, struct err *e)
{
    static const char *const keys[DEVICE_LIMITS] = {
        [DEVICE_WEIGHT] = "weightDevice",
        [DEVICE_READ_BPS] = "throttleReadBpsDevice",
        [DEVICE_WRITE_BPS] = "throttleWriteBpsDevice",
        [DEVICE_READ_IOPS] = "throttleReadIOPSDevice",
        [DEVICE_WRITE_IOPS] = "throttleWriteIOPSDevice",
    };

    for (size_t k = 0; k < DEVICE_LIMITS; k++) {
        if (c->device_rates[k].n == 0)
            continue;
        jsonw_key(w, keys[k]);
        jsonw_arr(w);
        for (size_t i = 0; i < c->device_rates[k].n; i++) {
            const struct device_rate *r = &c->device_rates[k].v[i];
            struct stat st;

            if (stat(r->path, &st))
                return errno == ENOENT
                           ? err_set(e, ERR_INTERNAL, "stat %s: no such file or directory", r->path)
                           : err_os(e, errno, "stat %s", r->path);
            jsonw_obj(w);
            jsonw_ki64(w, "major", major(st.st_rdev));
            jsonw_ki64(w, "minor", minor(st.st_rdev));
            jsonw_ki64(w, k == DEVICE_WEIGHT ? "weight" : "rate", r->rate);
            jsonw_end_obj(w);
        }
        jsonw_end_arr(w);
    }
    return 0;
}

int oci_write_limits(const struct container_spec *c, struct jsonw *w, struct err *e)
{
    write_memory(c, w);
    write_cpu(c, w);
    if (c->pids_limit) {
        jsonw_key(w, "pids");
        jsonw_obj(w);
        jsonw_ki64(w, "limit", c->pids_limit);
        jsonw_end_obj(w);
    }
    jsonw_key(w, "blockIO");
    jsonw_obj(w);
    number(w, "weight", c->blkio_weight);
    if (write_rates(c, w, e))
        return -1;
    jsonw_end_obj(w);
    return 0;
}

int oci_write_resources(const struct run_spec *s, struct jsonw *w, struct err *e)
{
    jsonw_key(w, "resources");
    jsonw_obj(w);
    if (write_device_rules(s, w, e))
        return -1;
    if (oci_write_limits(s->spec, w, e))
        return -1;
    jsonw_end_obj(w);
    return 0;
}
