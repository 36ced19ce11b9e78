/*
 * rootfs: the container's root, from a description to "/".
 *
 * The launcher makes a detached mount (an overlay, or a clone of a directory); nothing of it shows
 * on the host, and closing the descriptor is the whole clean-up.  The child puts it over its own
 * "/", pivots, and lets the host's tree go.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "runtime-linux/fsctx.h"
#include "runtime-linux/launch_internal.h"
#include "runtime-linux/syscalls.h"

/* Every directory of the overlay as a descriptor: a path for the kernel that is short and holds
 * none of its separators, whatever the directory is called. */
struct layers {
    int *fds; /* lower, topmost first */
    size_t n;
    int upper_base; /* holds upper and work */
};

static void layers_release(struct layers *l)
{
    for (size_t i = 0; i < l->n; i++)
        fd_close_p(&l->fds[i]);
    free(l->fds);
    fd_close_p(&l->upper_base);
}

static int open_layers(const struct oci_config *cfg, struct layers *l, struct err *e)
{
    cleanup_free char *base = cfg->upper ? path_dir(cfg->upper) : NULL;

    l->fds = xcalloc(cfg->lower.n, sizeof(*l->fds));
    for (size_t i = 0; i < cfg->lower.n; i++) {
        l->fds[l->n] = open(cfg->lower.v[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (l->fds[l->n++] < 0)
            return err_os(e, errno, "open the layer %s", cfg->lower.v[i]);
    }
    if (!base)
        return 0;
    l->upper_base = open(base, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return l->upper_base < 0 ? err_os(e, errno, "open %s", base) : 0;
}

static int add_lowers(int fs, const struct layers *l, struct err *e)
{
    for (size_t i = 0; i < l->n; i++) {
        char path[32];

        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", l->fds[i]);
        if (fsctx_string(fs, "lowerdir+", path, e))
            return -1;
    }
    return 0;
}

static int overlay_detached(const struct oci_config *cfg, const struct layers *l, struct err *e)
{
    cleanup_fd int fs = fsctx_open("overlay", e);
    char path[300];

    if (fs < 0 || fsctx_string(fs, "source", "overlay", e) || add_lowers(fs, l, e))
        return -1;
    if (cfg->upper) {
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", l->upper_base,
                       path_base(cfg->upper));
        if (fsctx_string(fs, "upperdir", path, e))
            return -1;
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", l->upper_base,
                       path_base(cfg->work));
        if (fsctx_string(fs, "workdir", path, e))
            return -1;
        if (cfg->volatile_root)
            (void)fsconfig(fs, FSCONFIG_SET_FLAG, "volatile", NULL, 0); /* since Linux 5.10 */
    }
    /* Not known to every kernel, and only a matter of caution: an upper directory that was once
     * used with an index must still mount. */
    (void)fsconfig(fs, FSCONFIG_SET_STRING, "index", "off", 0);
    /* The writable layer must say everything by itself: it may become an image. */
    (void)fsconfig(fs, FSCONFIG_SET_STRING, "redirect_dir", "off", 0);
    (void)fsconfig(fs, FSCONFIG_SET_STRING, "metacopy", "off", 0);
    return fsctx_mount(fs, cfg->upper ? 0 : MOUNT_ATTR_RDONLY, e);
}

/*
 * Linux before 6.5 lets any option pass here and complains when it mounts, so what it does not know
 * is found out with one that nobody knows.
 */
static bool overlay_takes_descriptors(void)
{
    cleanup_fd int fs = fsopen("overlay", FSOPEN_CLOEXEC);

    return fs >= 0 && fsconfig(fs, FSCONFIG_SET_STRING, "lowerdir+", "/", 0) == 0 &&
           fsconfig(fs, FSCONFIG_SET_FLAG, "no-such-option", NULL, 0) < 0;
}

/*
 * A volatile overlay does not wait for all that is dirty on the disk below, whoever has written it,
 * when its last mount ends.  The kernel leaves a directory behind that says so and refuses to mount
 * over it, as after a crash something may be missing; a container that would be removed anyway does
 * not care.
 */
static void forget_volatile(const struct oci_config *cfg)
{
    cleanup_free char *dirty = str_printf("%s/work/incompat/volatile/dirty", cfg->work),
                      *mark = path_dir(dirty);

    (void)unlink(dirty); /* what stays, the mount complains of */
    (void)rmdir(mark);
}

/*
 * What the writable layer is born with has the host's ids.  Those that are shifted already are
 * above the base, so a start that was cut short goes on where it was.
 */
static int shift_below(int dir_fd, int64_t base, struct err *e)
{
    int fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 0);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *de;
    int rc = 0;

    if (!d)
        return err_os(e, errno, "list the writable layer");
    while (!rc && (de = readdir(d))) {
        cleanup_fd int sub = -1;
        struct stat st;

        if (str_eq(de->d_name, ".") || str_eq(de->d_name, ".."))
            continue;
        if (fstatat(dir_fd, de->d_name, &st, AT_SYMLINK_NOFOLLOW) ||
            (st.st_uid < base && fchownat(dir_fd, de->d_name, st.st_uid + (uid_t)base,
                                          st.st_gid + (gid_t)base, AT_SYMLINK_NOFOLLOW)))
            rc = err_os(e, errno, "give %s to the container's root", de->d_name);
        if (!rc && S_ISDIR(st.st_mode)) {
            sub = openat(dir_fd, de->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
            rc = sub < 0 ? err_os(e, errno, "open %s", de->d_name) : shift_below(sub, base, e);
        }
    }
    closedir(d);
    return rc;
}

/* Once: the top is last. */
static int shift_upper(const char *upper, int64_t base, struct err *e)
{
    cleanup_fd int fd = open(upper, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct stat st;

    if (fd < 0 || fstat(fd, &st))
        return err_os(e, errno, "open %s", upper);
    if (st.st_uid == base)
        return 0;
    if (shift_below(fd, base, e))
        return -1;
    return fchown(fd, (uid_t)base, (gid_t)base)
               ? err_os(e, errno, "give %s to the container's root", upper)
               : 0;
}

static int prepare_upper(const struct oci_config *cfg, struct err *e)
{
    cleanup_free char *base = cfg->upper ? path_dir(cfg->upper) : NULL;
    cleanup_free char *work_base = cfg->work ? path_dir(cfg->work) : NULL;

    if (!base)
        return 0;
    if (!str_eq(base, work_base))
        return err_set(e, ERR_INVALID, "upper and work of the root must be siblings: %s, %s",
                       cfg->upper, cfg->work);
    /* The overlay writes as the host's root, whom the map does not know: the writable layer holds
     * shifted ids, and its top is the container's root's. */
    if (cfg->uid_base >= 0 && shift_upper(cfg->upper, cfg->uid_base, e))
        return -1;
    if (cfg->volatile_root)
        forget_volatile(cfg);
    return 0;
}

static int make_overlay(const struct oci_config *cfg, bool here, struct err *e)
{
    struct layers l = {.upper_base = -1};
    int fd;

    if (prepare_upper(cfg, e))
        return -1;
    if (cfg->uid_base >= 0 || !overlay_takes_descriptors())
        return here ? overlay_attached_here(cfg, e) : overlay_attached(cfg, e);
    fd = open_layers(cfg, &l, e) ? -1 : overlay_detached(cfg, &l, e);
    layers_release(&l);
    return fd;
}

static int prepare_overlay(const struct oci_config *cfg, bool here, int *out, struct err *e)
{
    int fd = make_overlay(cfg, here, e);

    if (fd < 0)
        return err_wrap(e, "make the overlay root");
    *out = fd;
    return 0;
}

static int prepare(const struct oci_config *cfg, bool here, int *out, struct err *e)
{
    cleanup_fd int fd = -1;

    if (cfg->overlay)
        return prepare_overlay(cfg, here, out, e);
    fd = open_tree(AT_FDCWD, cfg->root, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    if (fd < 0)
        return err_os(e, errno, "open the root %s", cfg->root);
    if (mount_attrs(fd, 0, 0, MS_PRIVATE, AT_RECURSIVE, cfg->root, e))
        return -1;
    if (cfg->uid_base >= 0 && idmap_tree(fd, cfg, e))
        return err_wrap(e, "map the ids of the root %s", cfg->root);
    *out = take_fd(fd);
    return 0;
}

int rootfs_prepare(const struct oci_config *cfg, int *out, struct err *e)
{
    return prepare(cfg, false, out, e);
}

int rootfs_prepare_here(const struct oci_config *cfg, int *out, struct err *e)
{
    return prepare(cfg, true, out, e);
}

/*
 * Where the engine itself runs in a chroot, "/" is no mount: nothing can be attached over it or
 * pivoted away from.  Entering the mount namespace anew leads to its own root, which is one.
 */
int rootfs_leave_chroot(struct err *e)
{
    struct statx sx;
    cleanup_fd int ns = -1;

    if (statx(AT_FDCWD, "/", 0, STATX_BASIC_STATS, &sx))
        return err_os(e, errno, "look at /");
    if (!(sx.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) ||
        (sx.stx_attributes & STATX_ATTR_MOUNT_ROOT))
        return 0;
    ns = open("/proc/thread-self/ns/mnt", O_RDONLY | O_CLOEXEC); /* the agent has other threads */
    if (ns < 0 || setns(ns, CLONE_NEWNS))
        return err_os(e, errno, "leave the chroot");
    return 0;
}

/*
 * The new root goes over "/" itself, so no directory of the host has to be reachable by a child
 * that is nobody outside its user namespace.
 */
int rootfs_pivot(int root, struct err *e)
{
    cleanup_fd int host = -1;

    if (rootfs_leave_chroot(e))
        return -1;
    host = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (host < 0)
        return err_os(e, errno, "open /");
    /* The sources of binds were cloned before this, so their propagation is not lost. */
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
        return err_os(e, errno, "make the mounts private");
    if (move_mount(root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH))
        return err_os(e, errno, "attach the root");
    if (fchdir(root))
        return err_os(e, errno, "enter the root");
    if (sys_pivot_root(".", "."))
        return err_os(e, errno, "pivot_root");
    if (fchdir(host) || umount2(".", MNT_DETACH))
        return err_os(e, errno, "detach the host's root");
    if (chdir("/"))
        return err_os(e, errno, "chdir to the root");
    return 0;
}

static const struct {
    const char *name;
    unsigned long flag;
    unsigned recursive;
} propagations[] = {
    {"private",     MS_PRIVATE,    0           },
    {"rprivate",    MS_PRIVATE,    AT_RECURSIVE},
    {"shared",      MS_SHARED,     0           },
    {"rshared",     MS_SHARED,     AT_RECURSIVE},
    {"slave",       MS_SLAVE,      0           },
    {"rslave",      MS_SLAVE,      AT_RECURSIVE},
    {"unbindable",  MS_UNBINDABLE, 0           },
    {"runbindable", MS_UNBINDABLE, AT_RECURSIVE},
};

static int set_propagation(const char *name, int root, struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(propagations); i++)
        if (str_eq(propagations[i].name, name))
            return mount_attrs(root, 0, 0, propagations[i].flag, propagations[i].recursive, "/", e);
    return err_set(e, ERR_INVALID, "linux.rootfsPropagation: unknown value \"%s\"", name);
}

int rootfs_seal(const struct oci_config *cfg, int root, struct err *e)
{
    if (cfg->root_readonly && mount_attrs(root, MOUNT_ATTR_RDONLY, 0, 0, 0, "/", e))
        return -1;
    if (!str_empty(cfg->rootfs_propagation) && set_propagation(cfg->rootfs_propagation, root, e))
        return -1;
    return 0;
}
