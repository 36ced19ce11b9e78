/* run_spec: from a container's record to all that one start needs.  See core/runtime.h. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "reconciler/engine_internal.h"

#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static bool has_env(const struct strv *env, const char *key)
{
    size_t n = strlen(key);

    for (size_t i = 0; i < env->n; i++)
        if (strncmp(env->v[i], key, n) == 0 && env->v[i][n] == '=')
            return true;
    return false;
}

static void compose_env(struct engine *g, const struct container *c, struct strv *env)
{
    const struct container_spec *s = c->spec;

    if (!has_env(&s->env, "PATH"))
        strv_add(env, DEFAULT_PATH);
    if (!has_env(&s->env, "HOSTNAME"))
        strv_addf(env, "HOSTNAME=%s", s->hostname ? s->hostname : "");
    if (s->tty && !has_env(&s->env, "TERM"))
        strv_add(env, "TERM=xterm");
    links_add_env(g, c, env);
    for (size_t i = 0; i < s->env.n; i++)
        strv_add(env, s->env.v[i]);
}

static struct run_mount *add_mount(struct run_spec *rs, enum mount_type type, const char *source,
                                   const char *target)
{
    struct run_mount *m;

    m = ARRAY_ADD(rs->mounts, rs->n_mounts);
    *m = (struct run_mount){
        .type = type, .source = str_dup_or_null(source), .target = path_clean(target)};
    return m;
}

static bool mounted_by_user(const struct container_spec *s, const char *target)
{
    for (size_t i = 0; i < s->n_mounts; i++) {
        cleanup_free char *t = path_clean(s->mounts[i].target);

        if (strcmp(t, target) == 0)
            return true;
    }
    return false;
}

static void add_net_files(struct engine *g, const struct container *c, struct run_spec *rs)
{
    static const char *const files[] = {"resolv.conf", "hostname", "hosts"};
    const char *mode = c->spec->network_mode;
    const char *owner = c->id;
    struct container *other = NULL;
    cleanup_free char *dir = NULL;

    if (str_starts(mode, "container:")) {
        other = mode_container(g, mode, ERR_IGNORE); /* its absence was an error one step before */
        owner = other ? other->id : owner;
    }
    dir = container_dir(g, owner);
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        cleanup_free char *target = str_printf("/etc/%s", files[i]);
        cleanup_free char *source = path_join(dir, files[i]);

        if (!mounted_by_user(c->spec, target))
            add_mount(rs, MOUNT_BIND, source, target)->is_file = true;
    }
    if (other)
        container_unref(other);
}

/* Only for its words: what a subpath leads to is found out when it is mounted. */
static int no_such_path(const char *path, struct err *e)
{
    return err_set(e, ERR_NOT_FOUND, "cannot access path %s: lstat %s: no such file or directory",
                   path, path);
}

static int volume_source(struct engine *g, const struct mount_spec *m, char **out, struct err *e)
{
    cleanup_volume struct volume *v = object_volume(g, m->source);
    cleanup_free char *path = NULL;

    if (!v)
        return err_set(e, ERR_NOT_FOUND, "get %s: no such volume", m->source);
    *out = xstrdup(v->mountpoint);
    if (str_empty(m->subpath))
        return 0;
    path = path_join(v->mountpoint, m->subpath);
    return fs_exists(path) ? 0 : no_such_path(path, e);
}

/* The directory that keeps the layers of mount i while the container exists. */
char *image_mount_id(const char *container_id, size_t i)
{
    return str_printf("%s-m%zu", container_id, i);
}

static int image_layers(struct engine *g, const struct container *c, size_t i, struct run_mount *rm,
                        struct err *e)
{
    const struct mount_spec *m = &c->spec->mounts[i];
    cleanup_free char *id = image_mount_id(c->id, i);
    struct rootfs root = {0};

    if (images_rootfs_ensure(g->im, m->image_id ? m->image_id : "", id, &root, e))
        return err_wrap(e, "mount image %s", m->source);
    if (root.overlay)
        strv_copy(&rm->layers, &root.lower);
    else
        strv_add(&rm->layers, root.upper);
    rootfs_release(&root);
    for (size_t k = 0; m->subpath && k < rm->layers.n; k++) {
        cleanup_free char *path = path_join(rm->layers.v[k], m->subpath);

        if (fs_exists(path))
            return 0;
    }
    return m->subpath ? no_such_path(m->subpath, e) : 0;
}

static int add_user_mount(struct engine *g, const struct container *c, size_t i,
                          struct run_spec *rs, struct err *e)
{
    const struct mount_spec *m = &c->spec->mounts[i];
    cleanup_free char *source = NULL;
    struct run_mount *rm;

    if (m->type != MOUNT_TMPFS && kvs_get(&c->spec->tmpfs, m->target))
        return 0; /* out of sight below it */
    if (m->type == MOUNT_VOLUME && volume_source(g, m, &source, e))
        return -1;
    if (m->type == MOUNT_BIND && !fs_exists(m->source))
        return err_set(
            e, ERR_INVALID,
            "invalid mount config for type \"bind\": bind source path does not exist: %s",
            m->source);
    if (m->type == MOUNT_TMPFS && mount_tmpfs_allowed(m, e))
        return -1;
    if (m->type == MOUNT_BIND && (mount_read_only_allowed(m, e) || mount_propagation_allowed(m, e)))
        return -1;
    rm = add_mount(rs, m->type, m->type == MOUNT_VOLUME ? source : m->source, m->target);
    rm->read_only = m->read_only;
    rm->non_recursive = m->non_recursive;
    rm->shallow_ro = m->no_ro_recursive;
    rm->copy_up = m->type == MOUNT_VOLUME && !m->no_copy && str_empty(m->subpath);
    rm->is_file = m->type == MOUNT_BIND && !fs_is_dir(m->source);
    rm->propagation = str_dup_or_null(m->propagation);
    rm->tmpfs_options = str_dup_or_null(m->tmpfs_options);
    rm->subpath = str_empty(m->subpath) ? NULL : xstrdup(m->subpath);
    return m->type == MOUNT_IMAGE ? image_layers(g, c, i, rm, e) : 0;
}

static size_t depth(const char *path)
{
    size_t n = 0;

    for (; *path; path++)
        n += *path == '/';
    return n;
}

static int shallow_first(const void *a, const void *b)
{
    const struct run_mount *x = a, *y = b;
    size_t dx = depth(x->target), dy = depth(y->target);

    return dx < dy ? -1 : dx > dy ? 1 : strcmp(x->target, y->target);
}

/* The IPC namespace of who says so, the PID namespace of anybody that runs. */
static int namespace_path(struct engine *g, const char *mode, const char *ns, char **out,
                          struct err *e)
{
    cleanup_container struct container *other = NULL;
    bool ipc = strcmp(ns, "ipc") == 0;

    if (!mode || !str_starts(mode, "container:"))
        return 0;
    other = mode_container(g, mode, e);
    if (!other)
        return -1;
    if (!container_is_up(other))
        return err_set(e, ipc ? ERR_CONFLICT : ERR_INTERNAL,
                       "failed to join %s namespace: container %s is not running",
                       ipc ? "IPC" : "PID", other->id);
    if (ipc && !str_eq(other->spec->ipc_mode, "shareable"))
        return err_set(e, ERR_INVALID,
                       "failed to join IPC namespace: container %s: non-shareable IPC (hint: use "
                       "IpcMode:shareable for the donor container)",
                       other->id);
    *out = str_printf("/proc/%lld/ns/%s", (long long)other->state.pid, ns);
    return 0;
}

/* A word that core/container_check_security.c took for one of Go's booleans; alone it is true. */
static bool is_true(const char *option, const char *name)
{
    const char *value = option + strlen(name);

    return !*value || !strchr("0fF", value[1]);
}

/* --security-opt: "no-new-privileges[:true|=true]", "seccomp=unconfined|builtin|{...}",
 * "writable-cgroups=true"; core/ reads "apparmor=..." */
static void security_options(struct engine *g, const struct container_spec *s, struct run_spec *rs)
{
    rs->no_new_privileges = g->cfg.no_new_privileges;
    rs->writable_cgroups = s->privileged;
    rs->apparmor = str_dup_or_null(container_apparmor(s, engine_supports(g, "apparmor")));
    rs->seccomp = s->privileged ? xstrdup("unconfined") : str_dup_or_null(g->cfg.seccomp_profile);
    for (size_t i = 0; i < s->security_opt.n; i++) {
        const char *o = s->security_opt.v[i];

        if (str_starts(o, "no-new-privileges"))
            rs->no_new_privileges = is_true(o, "no-new-privileges");
        else if (str_starts(o, "writable-cgroups"))
            rs->writable_cgroups = is_true(o, "writable-cgroups");
        else if (str_starts(o, "seccomp=") || str_starts(o, "seccomp:"))
            str_set(&rs->seccomp, strcmp(o + 8, "builtin") == 0 ? NULL : o + 8);
    }
}

/* The engine's limits for those that the container does not set ("nofile=64:128"). */
static void default_ulimits(struct engine *g, struct container_spec *s)
{
    for (size_t i = 0; i < g->cfg.default_ulimits.n; i++) {
        const char *text = g->cfg.default_ulimits.v[i];
        size_t n = strcspn(text, "=");
        struct ulimit *u = NULL;
        bool set = false;

        for (size_t k = 0; k < s->n_ulimits; k++)
            set = set ||
                  (strlen(s->ulimits[k].name) == n && strncmp(s->ulimits[k].name, text, n) == 0);
        if (set || !text[n])
            continue;
        u = ARRAY_ADD(s->ulimits, s->n_ulimits);
        *u = (struct ulimit){.name = str_ndup(text, n)};
        if (sscanf(text + n, "=%" SCNd64 ":%" SCNd64, &u->soft, &u->hard) != 2)
            u->soft = u->hard = -1; /* agent/config_security.c makes no other */
    }
}

bool engine_remaps(const struct engine *g, const struct container_spec *s)
{
    return g->cfg.userns_remap && !str_eq(s->userns_mode, "host");
}

int64_t container_id_base(struct engine *g, const struct container *c)
{
    return engine_remaps(g, c->spec) ? g->cfg.remap_base : 0;
}

static void map_ids(struct engine *g, const struct container_spec *s, struct run_spec *rs)
{
    rs->userns_remap = engine_remaps(g, s);
    rs->uid_base = g->cfg.remap_base;
    rs->id_count = g->cfg.remap_count;
}

static int add_mounts(struct engine *g, const struct container *c, struct run_spec *rs,
                      struct err *e)
{
    add_net_files(g, c, rs);
    for (size_t i = 0; i < c->spec->n_mounts; i++)
        if (add_user_mount(g, c, i, rs, e))
            return -1;
    if (rs->n_mounts)
        qsort(rs->mounts, rs->n_mounts, sizeof(*rs->mounts), shallow_first);
    return 0;
}

static char *cgroup_of(struct engine *g, const struct container *c)
{
    const char *parent =
        str_empty(c->spec->cgroup_parent) ? g->cfg.cgroup_parent : c->spec->cgroup_parent;

    return str_printf("%s%s/%s", parent[0] == '/' ? "" : "/", parent, c->id);
}

static struct run_spec *with_rootfs(const struct rootfs *rootfs)
{
    struct run_spec *rs = run_spec_new();

    rs->rootfs.overlay = rootfs->overlay;
    strv_copy(&rs->rootfs.lower, &rootfs->lower);
    rs->rootfs.upper = str_dup_or_null(rootfs->upper);
    rs->rootfs.work = str_dup_or_null(rootfs->work);
    return rs;
}

static int fill(struct engine *g, const struct container *c, struct run_spec *rs, struct err *e)
{
    const struct container_spec *s = c->spec;
    cleanup_free char *dir = container_dir(g, c->id);

    rs->id = xstrdup(c->id);
    rs->name = xstrdup(c->name);
    container_spec_free(rs->spec);
    rs->spec = container_spec_copy(s);
    container_argv(s, &rs->argv);
    compose_env(g, c, &rs->env);
    rs->cwd = xstrdup(str_empty(s->working_dir) ? "/" : s->working_dir);
    rs->hostname = str_dup_or_null(s->hostname);
    rs->domainname = str_dup_or_null(s->domainname);
    rs->netns_path = container_netns(g, c);
    rs->cgroup = cgroup_of(g, c);
    rs->log_driver = xstrdup(s->log_driver);
    rs->log_path = str_printf("%s/%s-json.log", dir, c->id);
    kvs_copy(&rs->log_opts, &s->log_opts);
    security_options(g, s, rs);
    map_ids(g, s, rs);
    default_ulimits(g, rs->spec);
    if (device_requests_meet(g, rs, e))
        return -1;
    if (namespace_path(g, s->ipc_mode, "ipc", &rs->ipc_path, e) ||
        namespace_path(g, s->pid_mode, "pid", &rs->pid_path, e))
        return -1;
    return add_mounts(g, c, rs, e);
}

int run_spec_compose(struct engine *g, const struct container *c, const struct rootfs *rootfs,
                     struct run_spec **out, struct err *e)
{
    struct run_spec *rs = with_rootfs(rootfs);

    if (fill(g, c, rs, e)) {
        run_spec_free(rs);
        return -1;
    }
    *out = rs;
    return 0;
}

/* Before the first start nobody has written the network's files yet; they are left out then. */
static void drop_missing_files(struct run_spec *rs, const char *dir)
{
    size_t n = 0;

    for (size_t i = 0; i < rs->n_mounts; i++) {
        struct run_mount *m = &rs->mounts[i];

        if (m->is_file && str_starts(m->source, dir) && !fs_exists(m->source)) {
            free(m->source);
            free(m->target);
        } else {
            rs->mounts[n++] = *m;
        }
    }
    rs->n_mounts = n;
}

int run_spec_mounts(struct engine *g, const struct container *c, const struct rootfs *rootfs,
                    bool mounts, struct run_spec **out, struct err *e)
{
    struct run_spec *rs = with_rootfs(rootfs);
    cleanup_free char *containers = path_join(g->cfg.data_root, "containers/");

    rs->id = xstrdup(c->id);
    container_spec_free(rs->spec);
    rs->spec = container_spec_copy(c->spec);
    map_ids(g, c->spec, rs);
    if (mounts && add_mounts(g, c, rs, e)) {
        run_spec_free(rs);
        return -1;
    }
    drop_missing_files(rs, containers);
    *out = rs;
    return 0;
}
