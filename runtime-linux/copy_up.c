/*
 * copy_up: the image's content into an empty volume, at its first use.
 *
 * Works on directory descriptors only: neither a symlink in the image nor one in the volume is ever
 * followed.  Owner, mode, times and extended attributes are kept; hard links are not (a volume gets
 * copies), sockets are skipped, as Docker does.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <linux/fs.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "runtime-linux/launch_internal.h"

#define DEPTH_MAX 256
#define XATTR_MAX 65536
#define FILLING   "trusted.ballast.filling"

static int copy_tree(int from, int to, unsigned depth, struct err *e);

static DIR *list(int dir)
{
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);

    if (fd >= 0 && !d)
        fd_close(fd);
    return d;
}

static bool is_dots(const char *name)
{
    return str_eq(name, ".") || str_eq(name, "..");
}

static int is_empty(int dir, bool *empty, struct err *e)
{
    struct dirent *d;
    DIR *it = list(dir);

    *empty = true;
    if (!it)
        return err_os(e, errno, "list the volume");
    while (*empty && (d = readdir(it)))
        *empty = is_dots(d->d_name) || str_eq(d->d_name, "lost+found");
    closedir(it);
    return 0;
}

/* Best effort for names that the volume's file system does not have. */
static int copy_xattrs(int from, int to, const char *name, struct err *e)
{
    cleanup_free char *names = NULL, *value = NULL;
    ssize_t n = flistxattr(from, NULL, 0);

    if (n <= 0)
        return 0;
    names = xmalloc((size_t)n);
    value = xmalloc(XATTR_MAX);
    n = flistxattr(from, names, (size_t)n);
    for (ssize_t i = 0; i < n; i += (ssize_t)strlen(names + i) + 1) {
        ssize_t size = fgetxattr(from, names + i, value, XATTR_MAX);

        if (size >= 0 && fsetxattr(to, names + i, value, (size_t)size, 0) && errno != ENOTSUP &&
            errno != EPERM)
            return err_os(e, errno, "set %s of %s", names + i, name);
    }
    return 0;
}

/* Owner first: it clears set-id bits, and the mode puts them back. */
static int copy_meta(int from, int to, const struct stat *st, const char *name, struct err *e)
{
    const struct timespec times[2] = {st->st_atim, st->st_mtim};

    if (fchown(to, st->st_uid, st->st_gid) || fchmod(to, st->st_mode & 07777))
        return err_os(e, errno, "set owner and mode of %s", name);
    if (copy_xattrs(from, to, name, e))
        return -1;
    if (futimens(to, times))
        return err_os(e, errno, "set the times of %s", name);
    return 0;
}

static int copy_bytes(int from, int to, const char *name, struct err *e)
{
    ssize_t n;

    if (ioctl(to, FICLONE, from) == 0)
        return 0;
    while ((n = copy_file_range(from, NULL, to, NULL, 1 << 30, 0)) > 0)
        ;
    if (n == 0)
        return 0;
    while ((n = sendfile(to, from, NULL, 1 << 30)) > 0) /* different file systems */
        ;
    return n < 0 ? err_os(e, errno, "copy %s", name) : 0;
}

static int copy_file(int from, int to, const char *name, const struct stat *st, struct err *e)
{
    cleanup_fd int in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    cleanup_fd int out = -1;

    if (in < 0)
        return err_os(e, errno, "open %s", name);
    out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (out < 0)
        return err_os(e, errno, "make %s", name);
    return copy_bytes(in, out, name, e) || copy_meta(in, out, st, name, e) ? -1 : 0;
}

static int copy_dir(int from, int to, const char *name, const struct stat *st, unsigned depth,
                    struct err *e)
{
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    cleanup_fd int in = openat(from, name, flags), out = -1;

    if (in < 0)
        return err_os(e, errno, "open %s", name);
    if (mkdirat(to, name, 0700))
        return err_os(e, errno, "make %s", name);
    out = openat(to, name, flags);
    if (out < 0)
        return err_os(e, errno, "open the new %s", name);
    return copy_tree(in, out, depth + 1, e) || copy_meta(in, out, st, name, e) ? -1 : 0;
}

static int copy_other(int from, int to, const char *name, const struct stat *st, struct err *e)
{
    const struct timespec times[2] = {st->st_atim, st->st_mtim};
    char link[PATH_MAX];
    ssize_t n;

    if (S_ISLNK(st->st_mode)) {
        n = readlinkat(from, name, link, sizeof(link) - 1);
        if (n < 0)
            return err_os(e, errno, "read the link %s", name);
        link[n] = '\0';
        if (symlinkat(link, to, name))
            return err_os(e, errno, "make the link %s", name);
    } else if (mknodat(to, name, st->st_mode, st->st_rdev)) {
        return err_os(e, errno, "make the node %s", name);
    }
    if (fchownat(to, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) ||
        (!S_ISLNK(st->st_mode) && fchmodat(to, name, st->st_mode & 07777, 0)))
        return err_os(e, errno, "set owner and mode of %s", name);
    (void)utimensat(to, name, times, AT_SYMLINK_NOFOLLOW); /* not every system times its links */
    return 0;
}

static int copy_entry(int from, int to, const char *name, unsigned depth, struct err *e)
{
    struct stat st;

    if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW))
        return err_os(e, errno, "stat %s", name);
    if (S_ISREG(st.st_mode))
        return copy_file(from, to, name, &st, e);
    if (S_ISDIR(st.st_mode))
        return copy_dir(from, to, name, &st, depth, e);
    if (S_ISSOCK(st.st_mode))
        return 0;
    return copy_other(from, to, name, &st, e);
}

static int copy_tree(int from, int to, unsigned depth, struct err *e)
{
    struct dirent *d;
    DIR *it = list(from);
    int failed = 0;

    if (!it)
        return err_os(e, errno, "list a directory of the image");
    if (depth > DEPTH_MAX)
        failed = err_set(e, ERR_INVALID, "directories are nested too deep");
    while (!failed && (d = readdir(it)))
        if (!is_dots(d->d_name))
            failed = copy_entry(from, to, d->d_name, depth, e);
    closedir(it);
    return failed;
}

/* ------------------------------------------------------------ the whole */

static bool is_marked(int dir)
{
    return fgetxattr(dir, FILLING, NULL, 0) >= 0;
}

static int empty_dir(int dir, unsigned depth, struct err *e)
{
    struct dirent *d;
    DIR *it = list(dir);
    int failed = 0;

    if (!it)
        return err_os(e, errno, "list the volume");
    if (depth > DEPTH_MAX)
        failed = err_set(e, ERR_INVALID, "directories are nested too deep");
    while (!failed && (d = readdir(it))) {
        cleanup_fd int below = -1;

        if (is_dots(d->d_name) || unlinkat(dir, d->d_name, 0) == 0)
            continue;
        below = openat(dir, d->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (below < 0 || empty_dir(below, depth + 1, e) || unlinkat(dir, d->d_name, AT_REMOVEDIR))
            failed = err_os(e, errno, "empty the volume that was being filled: %s", d->d_name);
    }
    closedir(it);
    return failed;
}

/*
 * Whoever fills a volume may be killed on the way.  So the directory is marked meanwhile, where its
 * file system can, and a marked one is emptied and filled anew: nobody has used it yet.
 */
int copy_up(int image_dir, int volume_dir, struct err *e)
{
    struct stat st;
    bool empty;

    if (is_marked(volume_dir) && empty_dir(volume_dir, 0, e))
        return -1;
    if (is_empty(volume_dir, &empty, e))
        return -1;
    if (!empty)
        return 0;
    if (fstat(image_dir, &st))
        return err_os(e, errno, "stat the image's directory");
    (void)fsetxattr(volume_dir, FILLING, "", 0, 0); /* tmpfs of old, nfs: without */
    if (copy_tree(image_dir, volume_dir, 0, e) ||
        copy_meta(image_dir, volume_dir, &st, "the volume", e))
        return -1;
    if (fremovexattr(volume_dir, FILLING) && errno != ENODATA && errno != ENOTSUP && errno != EPERM)
        return err_os(e, errno, "unmark the filled volume");
    return 0;
}
