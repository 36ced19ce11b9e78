/*
 * devices: /dev of the container.
 *
 * Six nodes are always there (OCI runtime spec, "Default Devices"), then the configuration's.  In a
 * user namespace mknod() is not allowed: the host's nodes, cloned by the launcher, are bound
 * instead.  A configuration that binds the host's /dev gets none of this.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "runtime-linux/fsctx.h"
#include "runtime-linux/launch_internal.h"
#include "runtime-linux/syscalls.h"

static const struct oci_device defaults[] = {
    {.type = 'c', .path = "/dev/null",    .major = 1, .minor = 3, .mode = 0666},
    {.type = 'c', .path = "/dev/zero",    .major = 1, .minor = 5, .mode = 0666},
    {.type = 'c', .path = "/dev/full",    .major = 1, .minor = 7, .mode = 0666},
    {.type = 'c', .path = "/dev/random",  .major = 1, .minor = 8, .mode = 0666},
    {.type = 'c', .path = "/dev/urandom", .major = 1, .minor = 9, .mode = 0666},
    {.type = 'c', .path = "/dev/tty",     .major = 5, .minor = 0, .mode = 0666},
};

static const struct {
    const char *name, *target;
} links[] = {
    {"fd",     "/proc/self/fd"  },
    {"stdin",  "/proc/self/fd/0"},
    {"stdout", "/proc/self/fd/1"},
    {"stderr", "/proc/self/fd/2"},
    {"core",   "/proc/kcore"    },
    {"ptmx",   "pts/ptmx"       },
};

static size_t count(const struct oci_config *cfg)
{
    return ARRAY_LEN(defaults) + cfg->n_devices;
}

static const struct oci_device *nth(const struct oci_config *cfg, size_t i)
{
    return i < ARRAY_LEN(defaults) ? &defaults[i] : &cfg->devices[i - ARRAY_LEN(defaults)];
}

/* The last mount on /dev decides whose it is. */
static bool dev_is_the_hosts(const struct oci_config *cfg)
{
    bool bound = false;

    for (size_t i = 0; i < cfg->n_mounts; i++)
        if (str_eq(cfg->mounts[i].destination, "/dev"))
            bound = str_eq(cfg->mounts[i].type, "bind") ||
                    strv_has(&cfg->mounts[i].options, "bind") ||
                    strv_has(&cfg->mounts[i].options, "rbind");
    return bound;
}

int devices_prepare(const struct oci_config *cfg, struct prepared *p, struct err *e)
{
    if (!cfg->ns[OCI_NS_USER].wanted || dev_is_the_hosts(cfg))
        return 0;
    p->n_devices = count(cfg);
    p->devices = xmalloc(p->n_devices * sizeof(*p->devices));
    for (size_t i = 0; i < p->n_devices; i++)
        p->devices[i] = -1;
    for (size_t i = 0; i < p->n_devices; i++) {
        const char *path = nth(cfg, i)->path;

        p->devices[i] = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        if (p->devices[i] < 0)
            return err_os(e, errno, "open the host's device %s", path);
    }
    return 0;
}

static int make_node(int dir, const char *name, const struct oci_device *d, struct err *e)
{
    const mode_t type = d->type == 'c' ? S_IFCHR : d->type == 'b' ? S_IFBLK : S_IFIFO;
    const mode_t mode = d->mode < 0 ? 0666 : (mode_t)d->mode & 07777;
    const dev_t dev = d->type == 'p' ? 0 : makedev((unsigned)d->major, (unsigned)d->minor);
    struct stat st;

    if (mknodat(dir, name, type | mode, dev)) {
        if (errno != EEXIST || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) ||
            (st.st_mode & S_IFMT) != type || st.st_rdev != dev)
            return err_os(e, errno, "make the device %s", d->path);
        return 0;
    }
    if ((d->uid || d->gid) &&
        fchownat(dir, name, (uid_t)d->uid, (gid_t)d->gid, AT_SYMLINK_NOFOLLOW))
        return err_os(e, errno, "set the owner of the device %s", d->path);
    return 0;
}

static int bind_node(int root, const struct oci_device *d, int mount, struct err *e)
{
    cleanup_fd int target = mounts_make_target(root, d->path, false, e);

    return target < 0 ? -1 : mount_attach(mount, target, d->path, e);
}

static int make_one(int root, int dev, const struct oci_device *d, struct err *e)
{
    cleanup_free char *parent = NULL;
    cleanup_fd int dir = -1;

    if (str_starts(d->path, "/dev/") && !strchr(d->path + strlen("/dev/"), '/'))
        return make_node(dev, d->path + strlen("/dev/"), d, e);
    parent = path_dir(d->path);
    dir = mounts_make_target(root, parent, true, e);
    return dir < 0 ? -1 : make_node(dir, path_base(d->path), d, e);
}

int devices_make(const struct oci_config *cfg, int root, struct prepared *p, struct err *e)
{
    const mode_t mask = umask(0);
    cleanup_fd int dev = -1;
    int failed = 0;

    if (!dev_is_the_hosts(cfg)) {
        dev = mounts_make_target(root, "/dev", true, e);
        failed = dev < 0;
        for (size_t i = 0; i < count(cfg) && !failed; i++)
            failed = p->devices ? bind_node(root, nth(cfg, i), p->devices[i], e)
                                : make_one(root, dev, nth(cfg, i), e);
        for (size_t i = 0; i < ARRAY_LEN(links) && !failed; i++)
            if (symlinkat(links[i].target, dev, links[i].name) && errno != EEXIST)
                failed = err_os(e, errno, "link /dev/%s", links[i].name);
    }
    umask(mask);
    return failed ? -1 : 0;
}

int devices_open_null(int root, struct err *e)
{
    cleanup_fd int fd = fs_open_in_root(root, "/dev/null", O_PATH | O_NOFOLLOW | O_CLOEXEC, 0, e);
    struct stat st;

    if (fd < 0)
        return -1;
    if (fstat(fd, &st) || !S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))
        return err_set(e, ERR_DENIED, "the container's /dev/null is not the null device");
    return take_fd(fd);
}

int devices_console(int root, int slave, struct err *e)
{
    cleanup_fd int target = mounts_make_target(root, "/dev/console", false, e);
    cleanup_fd int mount = -1;

    if (target < 0)
        return -1;
    mount = open_tree(slave, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
    if (mount < 0)
        return err_os(e, errno, "clone the terminal");
    return mount_attach(mount, target, "/dev/console", e);
}
