/*
 * oci_write_mounts: Docker's default mounts, then the container's own.
 *
 * A default whose place the container takes itself is left out, as moby does.
 */
#include <stdio.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "runtime-linux/oci_write_internal.h"

struct default_mount {
    const char *target, *type, *options;
    bool read_only; /* unless privileged */
};

static const struct default_mount defaults[] = {
    {"/proc",          "proc",   "nosuid,noexec,nodev",                                     false},
    {"/dev",           "tmpfs",  "nosuid,strictatime,mode=755,size=65536k",                 false},
    {"/dev/pts",       "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5", false},
    {"/sys",           "sysfs",  "nosuid,noexec,nodev",                                     true },
    {"/sys/fs/cgroup", "cgroup", "nosuid,noexec,nodev",                                     true },
    {"/dev/mqueue",    "mqueue", "nosuid,noexec,nodev",                                     false},
};

static bool taken(const struct run_spec *s, const char *target)
{
    for (size_t i = 0; i < s->n_mounts; i++)
        if (str_eq(s->mounts[i].target, target))
            return true;
    return false;
}

static void options(struct jsonw *w, const char *list)
{
    cleanup_strv struct strv words = {0};

    strv_split(&words, list, ',');
    for (size_t i = 0; i < words.n; i++)
        if (*words.v[i])
            jsonw_str(w, words.v[i]);
}

static void open_mount(struct jsonw *w, const char *target, const char *type, const char *source)
{
    jsonw_obj(w);
    jsonw_kstr(w, "destination", target);
    jsonw_kstr(w, "type", type);
    jsonw_kstr(w, "source", source);
    jsonw_key(w, "options");
    jsonw_arr(w);
}

static void close_mount(struct jsonw *w)
{
    jsonw_end_arr(w);
    jsonw_end_obj(w);
}

static void write_default(const struct run_spec *s, const struct default_mount *m, struct jsonw *w)
{
    if (taken(s, m->target))
        return;
    open_mount(w, m->target, m->type, m->type);
    options(w, m->options);
    /* gid 5 exists in every user namespace that has at least Docker's range */
    if (str_eq(m->type, "cgroup") ? !s->writable_cgroups : m->read_only && !s->spec->privileged)
        jsonw_str(w, "ro");
    close_mount(w);
}

/*
 * POSIX shared memory goes with the IPC namespace: the host's with the host's, another container's
 * with another container's, none with "none".
 */
static void write_shm(const struct run_spec *s, struct jsonw *w)
{
    const char *mode = s->spec->ipc_mode;
    const int64_t size = s->spec->shm_size > 0 ? s->spec->shm_size : 64 << 20;
    cleanup_free char *source = NULL;

    if (taken(s, "/dev/shm") || (!s->ipc_path && mode_is(mode, "none")))
        return;
    if (s->ipc_path || mode_is(mode, "host")) {
        /* "/proc/PID/ns/ipc" */
        const char *ns = s->ipc_path ? strstr(s->ipc_path, "/ns/") : NULL;

        source = ns ? str_printf("%.*s/root/dev/shm", (int)(ns - s->ipc_path), s->ipc_path)
                    : xstrdup("/dev/shm");
        open_mount(w, "/dev/shm", "bind", source);
        jsonw_str(w, "rbind");
    } else {
        cleanup_free char *limit = str_printf("size=%lld", (long long)size);

        open_mount(w, "/dev/shm", "tmpfs", "shm");
        options(w, "nosuid,noexec,nodev,mode=1777");
        jsonw_str(w, limit);
    }
    close_mount(w);
}

static void write_tmpfs(const struct run_mount *m, struct jsonw *w)
{
    open_mount(w, m->target, "tmpfs", "tmpfs");
    options(w, "noexec,nosuid,nodev");
    if (m->tmpfs_options)
        options(w, m->tmpfs_options);
    if (m->read_only)
        jsonw_str(w, "ro");
    close_mount(w);
}

/* What is mounted below a shared bind later is not ours to protect, so nothing there is. */
static bool is_private(const struct run_mount *m)
{
    return str_empty(m->propagation) || str_eq(m->propagation, "rprivate");
}

static void write_bind(const struct run_mount *m, struct jsonw *w)
{
    open_mount(w, m->target, "bind", m->source);
    jsonw_str(w, m->non_recursive ? "bind" : "rbind");
    jsonw_str(w, str_empty(m->propagation) ? "rprivate" : m->propagation);
    if (m->read_only) {
        jsonw_str(w, "ro");
        if (!m->non_recursive && !m->shallow_ro && is_private(m))
            jsonw_str(w, "rro");
    }
    if (m->options)
        options(w, m->options);
    close_mount(w);
}

void oci_write_mounts(const struct run_spec *s, struct jsonw *w)
{
    jsonw_key(w, "mounts");
    jsonw_arr(w);
    for (size_t i = 0; i < ARRAY_LEN(defaults); i++)
        write_default(s, &defaults[i], w);
    write_shm(s, w);
    for (size_t i = 0; i < s->n_mounts; i++)
        if (s->mounts[i].type == MOUNT_TMPFS)
            write_tmpfs(&s->mounts[i], w);
        else
            write_bind(&s->mounts[i], w);
    jsonw_end_arr(w);
}
