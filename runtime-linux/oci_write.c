/* oci_write: config.json from a run_spec.  See oci_write.h. */
#include "runtime-linux/oci_write.h"

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "runtime-linux/caps.h"
#include "runtime-linux/cgroup_internal.h"
#include "runtime-linux/oci_write_internal.h"
#include "runtime-linux/seccomp_profile.h"

static const char *const masked[] = {
    "/proc/asound",      "/proc/acpi",          "/proc/interrupts", "/proc/kcore",
    "/proc/keys",        "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats",
    "/proc/sched_debug", "/proc/scsi",          "/sys/firmware",    "/sys/devices/virtual/powercap",
};

static const char *const readonly[] = {
    "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
};

/* ------------------------------------------------------------------ process */

void oci_write_cap_set(struct jsonw *w, const char *key, uint64_t caps)
{
    jsonw_key(w, key);
    jsonw_arr(w);
    for (unsigned i = 0; i < CAPS_COUNT; i++)
        if (caps & CAP_BIT(i))
            jsonw_str(w, cap_name(i));
    jsonw_end_arr(w);
}

static void write_caps(uint64_t caps, struct jsonw *w)
{
    jsonw_key(w, "capabilities");
    jsonw_obj(w);
    oci_write_cap_set(w, "bounding", caps);
    oci_write_cap_set(w, "effective", caps);
    oci_write_cap_set(w, "permitted", caps);
    jsonw_end_obj(w);
}

static uint64_t limit_of(int64_t v)
{
    return v < 0 ? UINT64_MAX : (uint64_t)v;
}

static void write_rlimits(const struct container_spec *c, struct jsonw *w)
{
    jsonw_key(w, "rlimits");
    jsonw_arr(w);
    for (size_t i = 0; i < c->n_ulimits; i++) {
        cleanup_free char *type = str_printf("RLIMIT_%s", c->ulimits[i].name);

        for (char *p = type; *p; p++)
            if (*p >= 'a' && *p <= 'z')
                *p = (char)(*p - 'a' + 'A');
        jsonw_obj(w);
        jsonw_kstr(w, "type", type);
        jsonw_key(w, "soft");
        jsonw_u64(w, limit_of(c->ulimits[i].soft));
        jsonw_key(w, "hard");
        jsonw_u64(w, limit_of(c->ulimits[i].hard));
        jsonw_end_obj(w);
    }
    jsonw_end_arr(w);
}

static void write_process(const struct run_spec *s, uint64_t caps, struct jsonw *w)
{
    const struct container_spec *c = s->spec;

    jsonw_key(w, "process");
    jsonw_obj(w);
    jsonw_kbool(w, "terminal", c->tty);
    if (c->tty && c->console_height && c->console_width) {
        jsonw_key(w, "consoleSize");
        jsonw_obj(w);
        jsonw_ki64(w, "height", c->console_height);
        jsonw_ki64(w, "width", c->console_width);
        jsonw_end_obj(w);
    }
    jsonw_key(w, "args");
    jsonw_strv(w, &s->argv);
    jsonw_key(w, "env");
    jsonw_strv(w, &s->env);
    jsonw_kstr(w, "cwd", str_empty(s->cwd) ? "/" : s->cwd);
    write_caps(caps, w);
    write_rlimits(c, w);
    jsonw_kbool(w, "noNewPrivileges", s->no_new_privileges);
    jsonw_ki64(w, "oomScoreAdj", c->oom_score_adj);
    if (s->apparmor)
        jsonw_kstr(w, "apparmorProfile", s->apparmor);
    jsonw_end_obj(w);
}

/* ------------------------------------------------------------------ linux */

static void write_namespace(struct jsonw *w, const char *type, const char *path)
{
    jsonw_obj(w);
    jsonw_kstr(w, "type", type);
    if (path)
        jsonw_kstr(w, "path", path);
    jsonw_end_obj(w);
}

bool oci_own_cgroupns(const struct run_spec *s)
{
    const char *mode = s->spec->cgroupns_mode;

    if (str_empty(mode))
        return cgroup_host()->v2 && !s->spec->privileged;
    return mode_is(mode, "private");
}

static void write_namespaces(const struct run_spec *s, struct jsonw *w)
{
    const struct container_spec *c = s->spec;

    jsonw_key(w, "namespaces");
    jsonw_arr(w);
    write_namespace(w, "mount", NULL);
    if (s->userns_remap)
        write_namespace(w, "user", NULL);
    if (s->pid_path || !mode_is(c->pid_mode, "host"))
        write_namespace(w, "pid", s->pid_path);
    if (s->ipc_path || !mode_is(c->ipc_mode, "host"))
        write_namespace(w, "ipc", s->ipc_path);
    if (!mode_is(c->uts_mode, "host"))
        write_namespace(w, "uts", NULL);
    if (s->netns_path)
        write_namespace(w, "network", s->netns_path);
    if (oci_own_cgroupns(s))
        write_namespace(w, "cgroup", NULL);
    jsonw_end_arr(w);
}

static void write_idmap(struct jsonw *w, const char *key, const struct run_spec *s)
{
    jsonw_key(w, key);
    jsonw_arr(w);
    jsonw_obj(w);
    jsonw_ki64(w, "containerID", 0);
    jsonw_ki64(w, "hostID", s->uid_base);
    jsonw_ki64(w, "size", s->id_count);
    jsonw_end_obj(w);
    jsonw_end_arr(w);
}

static void write_list(struct jsonw *w, const char *key, const char *const *v, size_t n)
{
    jsonw_key(w, key);
    jsonw_arr(w);
    for (size_t i = 0; i < n; i++)
        jsonw_str(w, v[i]);
    jsonw_end_arr(w);
}

static void write_paths(const struct container_spec *c, struct jsonw *w)
{
    if (c->masked_paths_set) {
        jsonw_key(w, "maskedPaths");
        jsonw_strv(w, &c->masked_paths);
    } else if (!c->privileged) {
        write_list(w, "maskedPaths", masked, ARRAY_LEN(masked));
    }
    if (c->readonly_paths_set) {
        jsonw_key(w, "readonlyPaths");
        jsonw_strv(w, &c->readonly_paths);
    } else if (!c->privileged) {
        write_list(w, "readonlyPaths", readonly, ARRAY_LEN(readonly));
    }
}

/* Docker's own two come first, so that the user's win; they need a network namespace of one's own
 * and, the second, the host's group ids. */
static void write_sysctls(const struct run_spec *s, struct jsonw *w)
{
    cleanup_kvs struct kvs all = {0};

    if (s->netns_path && !s->spec->privileged) {
        kvs_set(&all, "net.ipv4.ip_unprivileged_port_start", "0");
        if (!s->userns_remap)
            kvs_set(&all, "net.ipv4.ping_group_range", "0 2147483647");
    }
    for (size_t i = 0; i < s->spec->sysctls.n; i++)
        kvs_set(&all, s->spec->sysctls.v[i].k, s->spec->sysctls.v[i].v);
    jsonw_key(w, "sysctl");
    jsonw_kvs(w, &all);
}

static int write_seccomp(const struct run_spec *s, uint64_t caps, struct jsonw *w, struct err *e)
{
    if (str_eq(s->seccomp, "unconfined") || (s->spec->privileged && !s->seccomp) ||
        (s->seccomp && seccomp_profile_is_empty(s->seccomp)))
        return 0;
    jsonw_key(w, "seccomp");
    if (s->seccomp)
        return seccomp_profile_convert(s->seccomp, caps, w, e);
    seccomp_profile_default(caps, w);
    return 0;
}

static int write_linux(const struct run_spec *s, uint64_t caps, struct jsonw *w, struct err *e)
{
    jsonw_key(w, "linux");
    jsonw_obj(w);
    write_namespaces(s, w);
    if (s->userns_remap) {
        write_idmap(w, "uidMappings", s);
        write_idmap(w, "gidMappings", s);
    }
    if (s->cgroup)
        jsonw_kstr(w, "cgroupsPath", s->cgroup);
    write_paths(s->spec, w);
    write_sysctls(s, w);
    if (oci_write_devices(s, w, e) || oci_write_resources(s, w, e) || write_seccomp(s, caps, w, e))
        return -1;
    jsonw_end_obj(w);
    return 0;
}

/* ------------------------------------------------------------------ root, extension */

static void write_root(const struct run_spec *s, struct jsonw *w)
{
    jsonw_key(w, "root");
    jsonw_obj(w);
    if (!s->rootfs.overlay)
        jsonw_kstr(w, "path", s->rootfs.upper);
    jsonw_kbool(w, "readonly", s->spec->readonly_rootfs);
    jsonw_end_obj(w);
}

static void write_mount_extras(const struct run_spec *s, struct jsonw *w)
{
    jsonw_key(w, "mounts");
    jsonw_obj(w);
    for (size_t i = 0; i < s->n_mounts; i++) {
        const struct run_mount *m = &s->mounts[i];

        if (!m->copy_up && !m->subpath && !m->layers.n)
            continue;
        jsonw_key(w, m->target);
        jsonw_obj(w);
        if (m->copy_up)
            jsonw_kbool(w, "copyUp", true);
        if (m->subpath)
            jsonw_kstr(w, "subpath", m->subpath);
        if (m->layers.n) {
            jsonw_key(w, "layers");
            jsonw_strv(w, &m->layers);
        }
        jsonw_end_obj(w);
    }
    jsonw_end_obj(w);
}

static void write_extension(const struct run_spec *s, struct jsonw *w)
{
    jsonw_key(w, "io.ballast");
    jsonw_obj(w);
    if (s->rootfs.overlay) {
        jsonw_key(w, "rootfs");
        jsonw_obj(w);
        jsonw_kbool(w, "overlay", true);
        jsonw_key(w, "lower");
        jsonw_strv(w, &s->rootfs.lower);
        if (s->rootfs.upper)
            jsonw_kstr(w, "upper", s->rootfs.upper);
        if (s->rootfs.work)
            jsonw_kstr(w, "work", s->rootfs.work);
        jsonw_kbool(w, "volatile", s->spec->auto_remove); /* it goes with the container */
        jsonw_end_obj(w);
    }
    jsonw_kstr(w, "user", s->spec->user ? s->spec->user : "");
    jsonw_key(w, "groups");
    jsonw_strv(w, &s->spec->group_add);
    jsonw_kbool(w, "init", s->spec->init);
    if (s->userns_remap)
        jsonw_ki64(w, "uidBase", s->uid_base);
    write_mount_extras(s, w);
    jsonw_end_obj(w);
}

int oci_write(const struct run_spec *s, struct buf *out, struct err *e)
{
    struct jsonw w = JSONW_INIT(out);
    const struct container_spec *c = s->spec;
    uint64_t caps = 0;

    if (caps_compose(&c->cap_add, &c->cap_drop, c->privileged, &caps, e))
        return -1;
    jsonw_obj(&w);
    jsonw_kstr(&w, "ociVersion", "1.0.2");
    write_process(s, caps, &w);
    write_root(s, &w);
    if (!mode_is(c->uts_mode, "host")) {
        jsonw_kstr(&w, "hostname", s->hostname ? s->hostname : "");
        jsonw_kstr(&w, "domainname", s->domainname ? s->domainname : "");
    }
    oci_write_mounts(s, &w);
    if (write_linux(s, caps, &w, e))
        return -1;
    jsonw_key(&w, "annotations");
    jsonw_kvs(&w, &c->annotations);
    write_extension(s, &w);
    jsonw_end_obj(&w);
    return buf_check(out, "config.json", e);
}
