/*
 * target: the place in the container's root where something is mounted, made when it is missing.
 *
 * Symlinks of the image are followed, inside the root only; a link that leads to nothing yet is
 * followed too, and what it names is made ("/var/run" -> "/run" in an image without /run).
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "runtime-linux/launch_internal.h"
#include "runtime-linux/syscalls.h"

#define LINKS_MAX 40

static int make(int root, const char *path, bool is_dir, unsigned links, struct err *e);

/* Something called `path` exists but leads nowhere: make what the link says. */
static int follow_dangling(int root, int parent, const char *path, bool is_dir, unsigned links,
                           struct err *e)
{
    cleanup_free char *dir = path_dir(path), *next = NULL;
    char text[PATH_MAX];
    ssize_t n = readlinkat(parent, path_base(path), text, sizeof(text) - 1);

    if (n < 0)
        return err_os(e, errno, "read the link %s", path);
    text[n] = '\0';
    if (links >= LINKS_MAX)
        return err_os(e, ELOOP, "make the mount point %s", path);
    next = *text == '/' ? path_clean(text) : path_join(dir, text);
    return make(root, next, is_dir, links + 1, e);
}

static int make(int root, const char *path, bool is_dir, unsigned links, struct err *e)
{
    cleanup_free char *dir = NULL;
    cleanup_fd int parent = -1;
    struct err why = ERR_INIT;
    int fd = fs_open_in_root(root, path, O_PATH | O_CLOEXEC, 0, &why), made;

    if (fd >= 0)
        return fd;
    if (why.os_code != ENOENT || str_eq(path, "/")) {
        *e = why;
        return err_wrap(e, "open the mount point %s", path);
    }
    dir = path_dir(path);
    parent = make(root, dir, true, links, e);
    if (parent < 0)
        return -1;
    if (is_dir) {
        made = mkdirat(parent, path_base(path), 0755);
    } else {
        made = openat(parent, path_base(path), O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
        if (made >= 0)
            fd_close(made);
    }
    if (made < 0 && errno == EEXIST)
        return follow_dangling(root, parent, path, is_dir, links, e);
    if (made < 0)
        return err_os(e, errno, "make the mount point %s", path);
    return fs_open_in_root(root, path, O_PATH | O_CLOEXEC, 0, e);
}

int mounts_make_target(int root, const char *path, bool is_dir, struct err *e)
{
    cleanup_free char *clean = path_join("/", path);

    return make(root, clean, is_dir, 0, e);
}
