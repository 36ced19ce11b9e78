/*
 * vfs: every layer is the whole tree, a copy of its parent plus its own changes.  Slow and large,
 * and it works on every file system: the driver of last resort, and of tests.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "images/storage/copy_tree.h"
#include "images/storage/drivers.h"
#include "images/storage/layer_dir.h"
#include "images/storage/places.h"

struct stacked_fill {
    const char *root, *parent;
    layer_fill_fn *fill;
    void *arg;
};

static int vfs_usable(const char *root, struct err *e)
{
    if (!fs_is_dir(root))
        return err_set(e, ERR_NOT_FOUND, "%s is not a directory", root);
    return 0;
}

static int copy_layer(const char *root, const char *chain_id, int to_fd, struct err *e)
{
    cleanup_free char *path = layer_dir_path(root, chain_id);
    cleanup_fd int from = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (from < 0)
        return err_os(e, errno, "layer %s is missing", chain_id);
    return copy_tree(from, to_fd, e);
}

static int fill_stacked(void *arg, int dir_fd, struct err *e)
{
    struct stacked_fill *s = arg;

    if (s->parent && copy_layer(s->root, s->parent, dir_fd, e))
        return -1;
    return s->fill(s->arg, dir_fd, e);
}

static int vfs_ensure_layer(const char *root, const char *chain_id, const char *parent,
                            layer_fill_fn *fill, void *arg, struct err *e)
{
    struct stacked_fill s = {root, parent, fill, arg};

    return layer_dir_ensure(root, chain_id, fill_stacked, &s, e);
}

/* Copied beside its place and renamed, since half a copy must not pass for the whole. */
static int copy_to_upper(const char *root, const struct strv *chain, const char *tmp,
                         const char *upper, struct err *e)
{
    cleanup_fd int fd = -1;

    if (fs_remove_all(tmp, e))
        return -1;
    if (mkdir(tmp, 0755))
        return err_os(e, errno, "cannot make %s", tmp);
    fd = open(tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_os(e, errno, "cannot open %s", tmp);
    if ((chain->n && copy_layer(root, chain->v[chain->n - 1], fd, e)) ||
        places_make(fd, NULL, 0, e))
        return -1;
    return fs_rename(tmp, upper, e);
}

static int vfs_ensure_rw(const char *root, const char *id, const struct strv *chain, struct err *e)
{
    cleanup_free char *dir = rw_dir_path(root, id);
    cleanup_free char *upper = path_join(dir, "upper");
    cleanup_free char *tmp = path_join(dir, "upper.tmp");

    if (fs_mkdir_p(dir, 0711, e))
        return -1;
    return fs_is_dir(upper) ? 0 : copy_to_upper(root, chain, tmp, upper, e);
}

static int vfs_describe(const char *root, const char *id, const struct strv *chain,
                        struct rootfs *out, struct err *e)
{
    cleanup_free char *dir = rw_dir_path(root, id);

    (void)chain;
    (void)e;
    *out = (struct rootfs){.upper = path_join(dir, "upper")};
    return 0;
}

const struct storage_driver_ops storage_vfs = {
    .name = "vfs",
    .usable = vfs_usable,
    .ensure_layer = vfs_ensure_layer,
    .has_layer = layer_dir_has,
    .remove_layer = layer_dir_remove,
    .layer_path = layer_dir_path,
    .ensure_rw = vfs_ensure_rw,
    .remove_rw = rw_dir_remove,
    .describe = vfs_describe,
};
