/*
 * mask: paths of the container that must not be read, or not be written.
 *
 * A file is hidden under the null device, whose inode was checked; a directory under one empty
 * read-only tmpfs, shared by all of them.  Paths are resolved inside the root after everything is
 * mounted, and what was opened is what is covered.  A path that is not there needs no cover.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/str.h"
#include "runtime-linux/fsctx.h"
#include "runtime-linux/launch_internal.h"
#include "runtime-linux/syscalls.h"

/* -1 with kind ERR_OK: not there. */
static int open_path(int root, const char *path, struct err *e)
{
    struct err why = ERR_INIT;
    int fd = fs_open_in_root(root, path, O_PATH | O_CLOEXEC, 0, &why);

    if (fd < 0 && why.os_code != ENOENT && why.os_code != ENOTDIR && why.os_code != EACCES) {
        *e = why;
        err_wrap(e, "open %s", path);
    }
    return fd;
}

static int empty_dir(int *tmpfs, struct err *e)
{
    if (*tmpfs < 0) {
        cleanup_fd int fs = fsctx_open("tmpfs", e);

        if (fs < 0 || fsctx_string(fs, "source", "tmpfs", e) || fsctx_string(fs, "size", "0", e) ||
            fsctx_string(fs, "nr_inodes", "2", e))
            return -1;
        *tmpfs = fsctx_mount(
            fs, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, e);
    }
    return *tmpfs;
}

static int mask_dir(int target, const char *path, int *tmpfs, struct err *e)
{
    const bool first = *tmpfs < 0;
    cleanup_fd int clone = -1;

    if (empty_dir(tmpfs, e) < 0)
        return -1;
    if (first) /* attached, it can be cloned on every kernel */
        return mount_attach(*tmpfs, target, path, e);
    clone = open_tree(*tmpfs, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
    if (clone < 0)
        return err_os(e, errno, "clone the empty directory");
    return mount_attach(clone, target, path, e);
}

static int mask_file(int target, const char *path, int null, struct err *e)
{
    cleanup_fd int clone = open_tree(null, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);

    if (clone < 0)
        return err_os(e, errno, "clone /dev/null");
    return mount_attach(clone, target, path, e);
}

static int mask_one(int root, const char *path, int null, int *tmpfs, struct err *e)
{
    cleanup_fd int target = open_path(root, path, e);
    struct stat st;

    if (target < 0)
        return e->kind == ERR_OK ? 0 : -1;
    if (fstat(target, &st))
        return err_os(e, errno, "stat %s", path);
    if (S_ISDIR(st.st_mode))
        return mask_dir(target, path, tmpfs, e);
    return mask_file(target, path, null, e);
}

static int readonly_one(int root, const char *path, struct err *e)
{
    const unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE;
    cleanup_fd int target = open_path(root, path, e), clone = -1;

    if (target < 0)
        return e->kind == ERR_OK ? 0 : -1;
    clone = open_tree(target, "", flags);
    if (clone < 0)
        return err_os(e, errno, "clone %s", path);
    if (mount_attrs(clone, MOUNT_ATTR_RDONLY, 0, 0, AT_RECURSIVE, path, e))
        return -1;
    return mount_attach(clone, target, path, e);
}

int mask_paths(const struct oci_config *cfg, int root, struct err *e)
{
    cleanup_fd int null = -1, tmpfs = -1;

    e->kind = ERR_OK;
    for (size_t i = 0; i < cfg->readonly.n; i++)
        if (readonly_one(root, cfg->readonly.v[i], e))
            return err_wrap(e, "make %s read-only", cfg->readonly.v[i]);
    if (!cfg->masked.n)
        return 0;
    null = devices_open_null(root, e);
    if (null < 0)
        return -1;
    for (size_t i = 0; i < cfg->masked.n; i++)
        if (mask_one(root, cfg->masked.v[i], null, &tmpfs, e))
            return err_wrap(e, "mask %s", cfg->masked.v[i]);
    return 0;
}
