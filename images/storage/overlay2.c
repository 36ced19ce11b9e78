/*
 * overlay2: layers as the lower directories of an overlay mount, which the shim makes.
 *
 * A layer holds its own files only, whiteouts in the kernel's form, so that layers can be filled in
 * any order and at the same time.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "images/remove_at.h"
#include "images/storage/drivers.h"
#include "images/storage/layer_dir.h"
#include "images/storage/places.h"

/* linux/mount.h clashes with sys/mount.h in some libcs; these numbers are the kernel's ABI. */
#define FS_SET_STRING 1
#define FS_CREATE     6

static int try_option(int fd, const char *key, const char *value)
{
    return (int)syscall(SYS_fsconfig, fd, FS_SET_STRING, key, value, 0);
}

/* A trial mount that is never attached anywhere. */
static int trial_mount(const char *lower, const char *upper, const char *work, struct err *e)
{
    cleanup_fd int fd = (int)syscall(SYS_fsopen, "overlay", 1 /* FSOPEN_CLOEXEC */);

    if (fd < 0 && (errno == ENOSYS || errno == EPERM))
        return 0; /* no way to try it; the first container will tell */
    if (fd < 0)
        return err_os(e, errno, "the kernel has no overlay file system");
    if (try_option(fd, "lowerdir", lower) || try_option(fd, "upperdir", upper) ||
        try_option(fd, "workdir", work) || syscall(SYS_fsconfig, fd, FS_CREATE, NULL, NULL, 0))
        return err_os(e, errno, "overlay does not work on this file system");
    return 0;
}

static int trial(const char *dir, struct err *e)
{
    cleanup_free char *lower = path_join(dir, "lower");
    cleanup_free char *upper = path_join(dir, "upper");
    cleanup_free char *work = path_join(dir, "work");
    cleanup_free char *node = path_join(dir, "upper/whiteout");

    if (fs_mkdir_p(lower, 0700, e) || fs_mkdir_p(upper, 0700, e) || fs_mkdir_p(work, 0700, e))
        return -1;
    if (mknod(node, S_IFCHR, 0))
        return err_os(e, errno, "cannot make whiteouts");
    return trial_mount(lower, upper, work, e);
}

static int overlay_usable(const char *root, struct err *e)
{
    cleanup_free char *dir = str_printf("%s/.overlay-trial-%d", root, (int)getpid());
    int rc;

    if (fs_remove_all(dir, e))
        return -1;
    rc = trial(dir, e);
    return fs_remove_all(dir, rc ? ERR_IGNORE : e) || rc ? -1 : 0;
}

static int overlay_ensure_layer(const char *root, const char *chain_id, const char *parent,
                                layer_fill_fn *fill, void *arg, struct err *e)
{
    (void)parent;
    return layer_dir_ensure(root, chain_id, fill, arg, e);
}

/* The merged root shows the attributes of the upper directory, which should be the image's. */
static int copy_root_attributes(const char *root, const struct strv *chain, const char *upper,
                                struct err *e)
{
    cleanup_free char *top = NULL;
    struct stat st;

    if (chain->n == 0)
        return 0;
    top = layer_dir_path(root, chain->v[chain->n - 1]);
    if (stat(top, &st))
        return err_os(e, errno, "cannot look at layer %s", chain->v[chain->n - 1]);
    if (chown(upper, st.st_uid, st.st_gid) || chmod(upper, st.st_mode & 07777))
        return err_os(e, errno, "cannot set the owner of %s", upper);
    return 0;
}

static void close_all(int *fds, size_t n)
{
    for (size_t i = 0; i < n; i++)
        fd_close_p(&fds[i]);
    free(fds);
}

static int make_places(const char *root, const struct strv *chain, const char *upper, struct err *e)
{
    int *lower = xcalloc(chain->n + 1, sizeof(*lower)), rc = 0;
    size_t n = 0;

    for (size_t i = chain->n; i > 0 && !rc; i--) {
        cleanup_free char *path = layer_dir_path(root, chain->v[i - 1]);

        lower[n++] = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (lower[n - 1] < 0)
            rc = err_os(e, errno, "layer %s is missing", chain->v[i - 1]);
    }
    if (!rc) {
        cleanup_fd int fd = open(upper, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        rc = fd < 0 ? err_os(e, errno, "cannot open %s", upper) : places_make(fd, lower, n, e);
    }
    close_all(lower, n);
    return rc;
}

/* Made beside its place and renamed: half of it must not pass for the whole. */
static int make_upper(const char *root, const struct strv *chain, const char *tmp,
                      const char *upper, struct err *e)
{
    if (fs_remove_all(tmp, e))
        return -1;
    if (mkdir(tmp, 0755))
        return err_os(e, errno, "cannot make %s", tmp);
    if (copy_root_attributes(root, chain, tmp, e) || make_places(root, chain, tmp, e))
        return -1;
    return fs_rename(tmp, upper, e);
}

static int overlay_ensure_rw(const char *root, const char *id, const struct strv *chain,
                             struct err *e)
{
    cleanup_free char *dir = rw_dir_path(root, id);
    cleanup_free char *upper = path_join(dir, "upper");
    cleanup_free char *work = path_join(dir, "work");
    cleanup_free char *tmp = path_join(dir, "upper.tmp");

    if (fs_mkdir_p(dir, 0711, e) || fs_mkdir_p(work, 0711, e))
        return -1;
    return fs_is_dir(upper) ? 0 : make_upper(root, chain, tmp, upper, e);
}

static int overlay_describe(const char *root, const char *id, const struct strv *chain,
                            struct rootfs *out, struct err *e)
{
    cleanup_free char *dir = rw_dir_path(root, id);
    struct rootfs r = {.overlay = true};

    for (size_t i = chain->n; i > 0; i--) {
        if (!layer_dir_has(root, chain->v[i - 1])) {
            rootfs_release(&r);
            return err_set(e, ERR_NOT_FOUND, "layer %s is missing", chain->v[i - 1]);
        }
        strv_take(&r.lower, layer_dir_link(root, chain->v[i - 1]));
    }
    r.upper = path_join(dir, "upper");
    r.work = path_join(dir, "work");
    *out = r;
    return 0;
}

const struct storage_driver_ops storage_overlay2 = {
    .name = "overlay2",
    .independent = true,
    .usable = overlay_usable,
    .ensure_layer = overlay_ensure_layer,
    .has_layer = layer_dir_has,
    .remove_layer = layer_dir_remove,
    .layer_path = layer_dir_path,
    .ensure_rw = overlay_ensure_rw,
    .remove_rw = rw_dir_remove,
    .describe = overlay_describe,
};
