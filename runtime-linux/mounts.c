/*
 * mounts: everything below the root, in the order of the configuration.
 *
 * Bind sources were cloned by the launcher (mounts_prepare); the child makes file systems that
 * belong to its namespaces (proc, sysfs, mqueue, tmpfs, devpts, cgroup2), and attaches all of them
 * by descriptor.  proc and sysfs are not mounted over a symlink: whoever controls the image could
 * otherwise choose what is written to as /proc.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "runtime-linux/fsctx.h"
#include "runtime-linux/launch_internal.h"
#include "runtime-linux/mount_options.h"
#include "runtime-linux/syscalls.h"

static bool is_type(const struct oci_mount *m, const char *type)
{
    return str_eq(m->type, type);
}

static bool is_bind(const struct oci_mount *m, const struct mount_options *o)
{
    return o->bind || is_type(m, "bind") || is_type(m, "rbind");
}

static int new_mount(const struct oci_mount *m, const char *type, const struct mount_options *o,
                     struct err *e)
{
    cleanup_fd int fs = fsctx_open(type, e);

    if (fs < 0)
        return -1;
    if (fsctx_string(fs, "source", str_empty(m->source) ? type : m->source, e))
        return -1;
    for (size_t i = 0; i < o->data.n; i++)
        if (fsctx_option(fs, o->data.v[i], e))
            return -1;
    return fsctx_mount(fs, 0, e);
}

/* ------------------------------------------------------------------ launcher */

/*
 * "/proc/PID/root/...": open_tree() clones nothing that belongs to another mount namespace, so a
 * short-lived child that shares our descriptors goes there.  The rest of the path is resolved below
 * that container's root.
 */
static int clone_foreign(const char *path, unsigned flags)
{
    const char *rest = strstr(path, "/root/");
    cleanup_free char *ns_path = NULL;
    struct clone_args args = {.flags = CLONE_FILES, .exit_signal = SIGCHLD};
    cleanup_fd int ns = -1;
    int *result, fd;
    pid_t pid;

    if (!str_starts(path, "/proc/") || !rest) {
        errno = EINVAL;
        return -1;
    }
    ns_path = str_printf("%.*s/ns/mnt", (int)(rest - path), path);
    ns = open(ns_path, O_RDONLY | O_CLOEXEC);
    if (ns < 0)
        return -1;
    result = mmap(NULL, sizeof(*result), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (result == MAP_FAILED)
        return -1;
    *result = -EIO;
    pid = sys_clone3(&args);
    if (pid == 0) {
        if (setns(ns, CLONE_NEWNS) == 0)
            *result = open_tree(AT_FDCWD, rest + strlen("/root"), flags);
        if (*result < 0)
            *result = -errno;
        _exit(0);
    }
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    fd = pid < 0 ? -errno : *result;
    munmap(result, sizeof(*result));
    if (fd < 0)
        errno = -fd;
    return fd < 0 ? -1 : fd;
}

/* Whoever writes below `dir` may exchange what is there: the kernel resolves in one go, and what is
 * found is cloned by descriptor. */
static int clone_below(int dir, const char *subpath, unsigned rec, const char *destination,
                       struct err *e)
{
    cleanup_fd int at = fs_open_in_root(dir, subpath, O_PATH | O_CLOEXEC, 0, e);
    int fd;

    if (at < 0)
        return err_wrap(e, "cannot access path %s of the mount on %s", subpath, destination);
    fd = open_tree(at, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | rec);
    return fd < 0 ? err_os(e, errno, "clone %s for the mount on %s", subpath, destination) : fd;
}

/* Only what is attached can be cloned (before Linux 6.15), so it is, over the root, for a moment.
 */
int mounts_narrow(int root, int *mount, const char *subpath, const char *destination, struct err *e)
{
    cleanup_fd int part = -1;

    if (mount_attach(*mount, root, destination, e))
        return -1;
    part = clone_below(*mount, subpath, 0, destination, e);
    if (fchdir(*mount) || umount2(".", MNT_DETACH) || fchdir(root))
        return err_os(e, errno, "take the image for %s off again", destination);
    if (part < 0)
        return -1;
    fd_close_p(mount);
    *mount = take_fd(part);
    return mount_attrs(*mount, MOUNT_ATTR_RDONLY, 0, MS_PRIVATE, 0, destination, e);
}

/* An image's layers, as a root that nobody can write to. */
static int clone_layers(const struct strv *layers, const char *destination, struct err *e)
{
    struct oci_config image = {.overlay = layers->n > 1, .uid_base = -1};
    int fd = -1;

    if (image.overlay)
        strv_copy(&image.lower, layers);
    else
        image.root = xstrdup(layers->v[0]);
    if (rootfs_prepare(&image, &fd, e) ||
        mount_attrs(fd, MOUNT_ATTR_RDONLY, 0, 0, AT_RECURSIVE, destination, e))
        fd_close_p(&fd);
    strv_release(&image.lower);
    free(image.root);
    return fd < 0 ? -1 : fd;
}

static int clone_path(const struct mount_source *m, struct err *e)
{
    const unsigned rec = m->recursive ? AT_RECURSIVE : 0;
    cleanup_free char *path =
        path_is_abs(m->source) ? path_clean(m->source) : path_join(m->bundle, m->source);
    cleanup_fd int dir = -1;
    int fd;

    if (m->subpath) {
        dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        return dir < 0 ? err_os(e, errno, "open %s", path)
                       : clone_below(dir, m->subpath, rec, m->destination, e);
    }
    fd = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | rec);
    if (fd < 0 && errno == EINVAL)
        fd = clone_foreign(path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | rec);
    return fd < 0 ? err_os(e, errno, "open the source of the mount on %s: %s", m->destination, path)
                  : fd;
}

int mounts_clone(const struct mount_source *m, struct err *e)
{
    return m->layers->n ? clone_layers(m->layers, m->destination, e) : clone_path(m, e);
}

static int clone_source(const struct oci_config *cfg, const struct oci_mount *m,
                        const struct mount_options *o, struct err *e)
{
    const struct mount_source from = {.bundle = cfg->bundle,
                                      .source = m->source,
                                      .destination = m->destination,
                                      .subpath = m->subpath,
                                      .layers = &m->layers,
                                      .recursive = o->recursive || is_type(m, "rbind")};
    const unsigned rec = from.recursive ? AT_RECURSIVE : 0;
    cleanup_fd int fd = -1;

    if (str_empty(m->source))
        return err_set(e, ERR_INVALID, "the bind mount on %s has no source", m->destination);
    if (o->data.n)
        return err_set(e, ERR_INVALID, "the bind mount on %s has an unknown option \"%s\"",
                       m->destination, o->data.v[0]);
    fd = mounts_clone(&from, e);
    if (fd < 0)
        return -1;
    if (mount_attrs(fd, 0, 0, o->propagation ? o->propagation : MS_PRIVATE,
                    o->propagation && !o->propagation_recursive ? 0 : rec, m->destination, e))
        return -1;
    return take_fd(fd);
}

/* A user namespace that does not own its network namespace may not mount sysfs for it: we do. */
int mounts_foreign_sysfs(const struct oci_config *cfg, const struct oci_mount *m, int *out,
                         struct err *e)
{
    struct mount_options none = {0};

    if (!is_type(m, "sysfs") || !cfg->ns[OCI_NS_USER].wanted ||
        (cfg->ns[OCI_NS_NET].wanted && !cfg->ns[OCI_NS_NET].path))
        return 0;
    *out = new_mount(m, "sysfs", &none, e);
    return *out < 0 ? -1 : 0;
}

int mounts_prepare(const struct oci_config *cfg, struct cgroup *cg, struct prepared *p,
                   struct err *e)
{
    for (size_t i = 0; i < cfg->n_mounts; i++) {
        const struct oci_mount *m = &cfg->mounts[i];
        cleanup_mount_options struct mount_options o = {0};

        mount_options_parse(&m->options, &o);
        if (is_bind(m, &o) && (p->made[i] = clone_source(cfg, m, &o, e)) < 0)
            return -1;
        if ((is_type(m, "cgroup") || is_type(m, "cgroup2")) && !p->cgroups && cg &&
            cgroup_prepare_views(cg, p, e))
            return -1;
        if (mounts_foreign_sysfs(cfg, m, &p->made[i], e))
            return -1;
    }
    return 0;
}

/* ------------------------------------------------------------------ child */

static int apply_options(int mount, const struct oci_mount *m, const struct mount_options *o,
                         struct err *e)
{
    if (mount_attrs(mount, o->set, o->clear, 0, 0, m->destination, e) ||
        mount_attrs(mount, o->rec_set, o->rec_clear, 0, AT_RECURSIVE, m->destination, e))
        return -1;
    return 0;
}

static bool fd_is_dir(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
}

static int open_dir_below(int root, const char *path)
{
    return fs_open_in_root(root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, ERR_IGNORE);
}

/* Fills an empty volume from what the image has at the same place.  Two containers may start at
 * once: the lock makes the second one find a volume that is not empty any more. */
int mounts_fill_volume(int root, const char *path, int mount, struct err *e)
{
    cleanup_fd int image = open_dir_below(root, path), volume = -1;

    if (image < 0 || !fd_is_dir(mount))
        return 0; /* nothing to copy */
    volume = openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (volume < 0)
        return err_os(e, errno, "open the volume for %s", path);
    if (flock(volume, LOCK_EX))
        return err_os(e, errno, "lock the volume for %s", path);
    if (copy_up(image, volume, e))
        return err_wrap(e, "copy the image's %s into the volume", path);
    return 0;
}

static bool is_procfs(int fd)
{
    struct statfs fs;

    return fstatfs(fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
}

/*
 * A file over one of the kernel's would let the container say what is written to its own settings,
 * or what we read there.  runc's exceptions: what lxcfs shows in place of the host's numbers.
 */
static int check_proc(const struct oci_mount *m, int target, int mount, struct err *e)
{
    static const char *const allowed[] = {"/proc/cpuinfo",
                                          "/proc/diskstats",
                                          "/proc/meminfo",
                                          "/proc/stat",
                                          "/proc/swaps",
                                          "/proc/uptime",
                                          "/proc/loadavg",
                                          "/proc/slabinfo",
                                          "/proc/net/dev",
                                          "/proc/sys/kernel/ns_last_pid",
                                          "/proc/sys/crypto/fips_enabled"};
    cleanup_free char *path = path_join("/", m->destination);

    if (str_eq(path, "/proc"))
        return is_procfs(mount) ? 0
                                : err_set(e, ERR_DENIED,
                                          "\"%s\" cannot be mounted because it is not of type proc",
                                          m->destination);
    for (size_t i = 0; i < ARRAY_LEN(allowed); i++)
        if (str_eq(path, allowed[i]))
            return 0;
    if (str_starts(path, "/proc/") || is_procfs(target))
        return err_set(e, ERR_DENIED, "\"%s\" cannot be mounted because it is inside /proc",
                       m->destination);
    return 0;
}

static int attach_bind(int root, const struct oci_mount *m, const struct mount_options *o,
                       int *mount, struct err *e)
{
    cleanup_fd int target = -1;

    if (m->copy_up && mounts_fill_volume(root, m->destination, *mount, e))
        return -1;
    if (m->layers.n && m->subpath && mounts_narrow(root, mount, m->subpath, m->destination, e))
        return -1;
    if (apply_options(*mount, m, o, e))
        return -1;
    if (check_proc(m, -1, *mount, e)) /* before anything is made there */
        return -1;
    target = mounts_make_target(root, m->destination, fd_is_dir(*mount), e);
    if (target < 0 || check_proc(m, target, *mount, e))
        return -1;
    return mount_attach(*mount, target, m->destination, e);
}

/* Below a fresh tmpfs: one directory per controller, and a link for each part of a joint name. */
static int attach_cgroup_v1_views(int tmpfs, struct prepared *p, const struct mount_options *o,
                                  struct err *e)
{
    for (size_t i = 0; i < p->n_cgroups; i++) {
        const struct cgroup_view *v = &p->cgroups[i];
        cleanup_strv struct strv parts = {0};
        cleanup_fd int target = -1;

        if (mkdirat(tmpfs, v->name, 0755))
            return err_os(e, errno, "make the directory of cgroup %s", v->name);
        target = openat(tmpfs, v->name, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (target < 0 ||
            mount_attrs(v->tree, o->set | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
                        o->clear, 0, 0, v->name, e) ||
            mount_attach(v->tree, target, v->name, e))
            return -1;
        strv_split(&parts, v->name, ',');
        for (size_t k = 0; parts.n > 1 && k < parts.n; k++)
            if (symlinkat(v->name, tmpfs, parts.v[k]) && errno != EEXIST)
                return err_os(e, errno, "link cgroup %s", parts.v[k]);
    }
    return 0;
}

static int attach_cgroup_v1(int root, const struct oci_mount *m, struct prepared *p,
                            const struct mount_options *o, struct err *e)
{
    const uint64_t attrs = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    cleanup_fd int target = mounts_make_target(root, m->destination, true, e);
    cleanup_fd int fs = -1, mount = -1;

    if (target < 0 || (fs = fsctx_open("tmpfs", e)) < 0 || fsctx_string(fs, "source", "tmpfs", e) ||
        fsctx_string(fs, "mode", "755", e) || (mount = fsctx_mount(fs, attrs, e)) < 0 ||
        mount_attach(mount, target, m->destination, e) || attach_cgroup_v1_views(mount, p, o, e))
        return -1;
    return mount_attrs(mount, o->set & MOUNT_ATTR_RDONLY, 0, 0, 0, m->destination, e);
}

static int attach_cgroup_v2(int root, const struct oci_mount *m, struct prepared *p,
                            const struct mount_options *o, bool own_ns, struct err *e)
{
    cleanup_fd int target = mounts_make_target(root, m->destination, true, e), made = -1;
    const uint64_t attrs = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    int mount = p->n_cgroups ? p->cgroups[0].tree : -1;

    if (target < 0)
        return -1;
    if (own_ns || mount < 0) {
        struct mount_options none = {0};

        made = new_mount(m, "cgroup2", &none, e);
        if (made < 0)
            return -1;
        mount = made;
    }
    if (mount_attrs(mount, o->set | attrs, o->clear & ~attrs, 0, 0, m->destination, e))
        return -1;
    return mount_attach(mount, target, m->destination, e);
}

static int attach_cgroup(const struct oci_config *cfg, int root, const struct oci_mount *m,
                         struct prepared *p, const struct mount_options *o, struct err *e)
{
    const bool own_ns = cfg->ns[OCI_NS_CGROUP].wanted;

    /* Without a cgroup of its own there is nothing of the container's to show. */
    if (!p->n_cgroups)
        return 0;
    if (str_eq(p->cgroups[0].name, ""))
        return attach_cgroup_v2(root, m, p, o, own_ns, e);
    return attach_cgroup_v1(root, m, p, o, e);
}

/* The exact directory, no link on the way; made when it is missing. */
static int open_strict(int root, const char *path, struct err *e)
{
    cleanup_fd int made = mounts_make_target(root, path, true, e);
    int fd;

    if (made < 0)
        return -1;
    fd = sys_openat2(root, path + strspn(path, "/"), O_PATH | O_DIRECTORY | O_CLOEXEC, 0,
                     RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);
    if (fd < 0 && errno == ENOSYS) /* before 5.6: the last component at least */
        fd = openat(root, path + strspn(path, "/"), O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return err_os(e, errno, "%s must be an ordinary directory of the image", path);
    return fd;
}

static int attach_new(int root, const struct oci_mount *m, int early, const struct mount_options *o,
                      struct err *e)
{
    const bool strict = is_type(m, "proc") || is_type(m, "sysfs");
    cleanup_fd int image = -1, target = -1, made = -1, dir = -1;
    int mount;

    if ((o->copy_up || m->copy_up) && is_type(m, "tmpfs"))
        image = open_dir_below(root, m->destination);
    target = strict ? open_strict(root, m->destination, e)
                    : mounts_make_target(root, m->destination, true, e);
    if (target < 0)
        return -1;
    if (early < 0) {
        made = new_mount(m, m->type, o, e);
        if (made < 0)
            return -1;
    }
    mount = early >= 0 ? early : made;
    if (image >= 0) {
        dir = openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir < 0)
            return err_os(e, errno, "open the new tmpfs");
        if (copy_up(image, dir, e))
            return -1;
    }
    if (apply_options(mount, m, o, e))
        return -1;
    return mount_attach(mount, target, m->destination, e);
}

static int attach_one(const struct oci_config *cfg, int root, size_t i, struct prepared *p,
                      struct err *e)
{
    const struct oci_mount *m = &cfg->mounts[i];
    cleanup_mount_options struct mount_options o = {0};

    mount_options_parse(&m->options, &o);
    if (is_bind(m, &o))
        return attach_bind(root, m, &o, &p->made[i], e);
    if (is_type(m, "cgroup") || is_type(m, "cgroup2"))
        return attach_cgroup(cfg, root, m, p, &o, e);
    if (str_empty(m->type))
        return err_set(e, ERR_INVALID, "the mount on %s has no type", m->destination);
    return attach_new(root, m, p->made[i], &o, e);
}

int mounts_make_early(const struct oci_config *cfg, struct prepared *p, struct err *e)
{
    for (size_t i = 0; i < cfg->n_mounts; i++) {
        const struct oci_mount *m = &cfg->mounts[i];
        cleanup_mount_options struct mount_options o = {0};

        if (p->made[i] >= 0 || !(is_type(m, "proc") || is_type(m, "sysfs")))
            continue;
        mount_options_parse(&m->options, &o);
        if (o.bind)
            continue;
        p->made[i] = new_mount(m, m->type, &o, e);
        if (p->made[i] < 0)
            return err_wrap(e, "error mounting \"%s\" to rootfs at \"%s\"", m->type,
                            m->destination);
    }
    return 0;
}

int mounts_attach(const struct oci_config *cfg, int root, struct prepared *p, struct err *e)
{
    for (size_t i = 0; i < cfg->n_mounts; i++) {
        const struct oci_mount *m = &cfg->mounts[i];
        cleanup_free char *clean = path_join("/", m->destination);

        if (str_eq(clean, "/"))
            return err_set(e, ERR_INVALID, "invalid mount: destination can't be '/'");
        if (attach_one(cfg, root, i, p, e))
            return err_wrap(e, "error mounting \"%s\" to rootfs at \"%s\"",
                            m->source ? m->source
                            : m->type ? m->type
                                      : "",
                            m->destination);
    }
    return 0;
}

int mounts_private_proc(struct err *e)
{
    cleanup_fd int fs = fsctx_open("proc", e);
    int fd;

    if (fs < 0)
        return -1;
    fd = fsctx_mount(fs, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NODEV, e);
    return fd < 0 ? err_wrap(e, "private procfs") : fd;
}
