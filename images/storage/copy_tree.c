/*
 * copy_tree: see copy_tree.h.  Directories are left through their own descriptors, so the depth is
 * limited; hard links are found by inode number.
 */
#include "images/storage/copy_tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"

#define DEPTH_MAX     256
#define XATTR_MAX     65536
#define COPY_PART_MAX (1L << 30)

struct copy {
    struct map links; /* "dev:inode" -> path below to_fd of the first copy */
    int to_root;
    unsigned depth;
};

static int copy_bytes(int from, int to, int64_t size, struct err *e)
{
    int64_t at = 0;

    if (!ioctl(to, FICLONE, from))
        return 0;
    if (ftruncate(to, size))
        return err_os(e, errno, "cannot set a size");
    while (at < size) {
        off_t data = lseek(from, at, SEEK_DATA), hole;

        if (data < 0 && errno == ENXIO)
            return 0;
        if (data < 0 || (hole = lseek(from, data, SEEK_HOLE)) < 0)
            return err_os(e, errno, "cannot find the data of a file");
        for (off_t in = data, out = data; in < hole;) {
            size_t part = hole - in > COPY_PART_MAX ? COPY_PART_MAX : (size_t)(hole - in);
            ssize_t n = copy_file_range(from, &in, to, &out, part, 0);

            if (n < 0)
                return err_os(e, errno, "cannot copy a file");
            if (n == 0)
                break;
        }
        at = hole;
    }
    return 0;
}

/* Paths below /proc/self/fd, so that l*xattr sees the entry itself. */
static int copy_xattrs(int from_dir, int to_dir, const char *name, struct err *e)
{
    cleanup_free char *from = str_printf("/proc/self/fd/%d/%s", from_dir, name);
    cleanup_free char *to = str_printf("/proc/self/fd/%d/%s", to_dir, name);
    cleanup_free char *names = NULL, *value = NULL;
    ssize_t n = llistxattr(from, NULL, 0);

    if (n <= 0)
        return n == 0 || errno == ENOTSUP ? 0 : err_os(e, errno, "cannot list attributes");
    names = xmalloc((size_t)n);
    value = xmalloc(XATTR_MAX);
    if ((n = llistxattr(from, names, (size_t)n)) < 0)
        return err_os(e, errno, "cannot list attributes");
    for (const char *p = names; p < names + n; p += strlen(p) + 1) {
        ssize_t len = lgetxattr(from, p, value, XATTR_MAX);

        if (len < 0 || (lsetxattr(to, p, value, (size_t)len, 0) && errno != ENOTSUP))
            return err_os(e, errno, "cannot copy attribute %s", p);
    }
    return 0;
}

static int copy_attributes(int from_dir, int to_dir, const char *name, const struct stat *st,
                           struct err *e)
{
    struct timespec times[2] = {st->st_atim, st->st_mtim};

    if (fchownat(to_dir, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW))
        return err_os(e, errno, "cannot set an owner");
    if (!S_ISLNK(st->st_mode) && fchmodat(to_dir, name, st->st_mode & 07777, 0))
        return err_os(e, errno, "cannot set a mode");
    if (copy_xattrs(from_dir, to_dir, name, e))
        return -1;
    if (utimensat(to_dir, name, times, AT_SYMLINK_NOFOLLOW))
        return err_os(e, errno, "cannot set a time");
    return 0;
}

static int copy_file(int from_dir, int to_dir, const char *name, const struct stat *st,
                     struct err *e)
{
    cleanup_fd int from = openat(from_dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    cleanup_fd int to =
        openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (from < 0 || to < 0)
        return err_os(e, errno, "cannot copy a file");
    return copy_bytes(from, to, st->st_size, e);
}

static int copy_symlink(int from_dir, int to_dir, const char *name, struct err *e)
{
    char target[PATH_MAX];
    ssize_t n = readlinkat(from_dir, name, target, sizeof(target) - 1);

    if (n < 0)
        return err_os(e, errno, "cannot read a link");
    target[n] = '\0';
    return symlinkat(target, to_dir, name) ? err_os(e, errno, "cannot make a link") : 0;
}

static int copy_dir(struct copy *c, int from, int to, const char *path, struct err *e);

static int copy_subdir(struct copy *c, int from_dir, int to_dir, const char *name, const char *path,
                       struct err *e)
{
    cleanup_fd int from = -1, to = -1;

    if (mkdirat(to_dir, name, 0700))
        return err_os(e, errno, "cannot make a directory");
    from = openat(from_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    to = openat(to_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (from < 0 || to < 0)
        return err_os(e, errno, "cannot open a directory");
    return copy_dir(c, from, to, path, e);
}

/* 1 when the entry is a further name of a file that is copied already. */
static int copy_hardlink(struct copy *c, int to_dir, const char *name, const char *path,
                         const struct stat *st, struct err *e)
{
    char key[48];
    const char *first;

    if (S_ISDIR(st->st_mode) || st->st_nlink < 2)
        return 0;
    snprintf(key, sizeof(key), "%llu:%llu", (unsigned long long)st->st_dev,
             (unsigned long long)st->st_ino);
    first = map_get(&c->links, key);
    if (!first) {
        map_put(&c->links, key, xstrdup(path));
        return 0;
    }
    if (linkat(c->to_root, first, to_dir, name, 0))
        return err_os(e, errno, "cannot make a hard link");
    return 1;
}

static int copy_entry(struct copy *c, int from_dir, int to_dir, const char *name, const char *path,
                      struct err *e)
{
    struct stat st;
    int rc;

    if (fstatat(from_dir, name, &st, AT_SYMLINK_NOFOLLOW))
        return err_os(e, errno, "cannot look at it");
    if ((rc = copy_hardlink(c, to_dir, name, path, &st, e)) != 0)
        return rc < 0 ? -1 : 0;
    if (S_ISDIR(st.st_mode))
        rc = copy_subdir(c, from_dir, to_dir, name, path, e);
    else if (S_ISREG(st.st_mode))
        rc = copy_file(from_dir, to_dir, name, &st, e);
    else if (S_ISLNK(st.st_mode))
        rc = copy_symlink(from_dir, to_dir, name, e);
    else if (!S_ISSOCK(st.st_mode) && mknodat(to_dir, name, st.st_mode, st.st_rdev))
        rc = err_os(e, errno, "cannot make a node");
    if (rc || S_ISSOCK(st.st_mode))
        return rc; /* a socket means nothing without its process */
    return copy_attributes(from_dir, to_dir, name, &st, e);
}

static int copy_dir(struct copy *c, int from, int to, const char *path, struct err *e)
{
    int fd = fcntl(from, F_DUPFD_CLOEXEC, 0);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *de;
    int rc = 0;

    if (!d)
        return err_os(e, errno, "cannot open \"%s\"", path);
    if (++c->depth > DEPTH_MAX)
        rc = err_set(e, ERR_INVALID, "more than %d levels of directories", DEPTH_MAX);
    while (rc == 0 && (de = readdir(d))) {
        cleanup_free char *sub = NULL;

        if (str_eq(de->d_name, ".") || str_eq(de->d_name, ".."))
            continue;
        sub = str_printf("%s%s%s", path, *path ? "/" : "", de->d_name);
        rc = copy_entry(c, from, to, de->d_name, sub, e);
        if (rc)
            err_wrap(e, "copy \"%s\"", de->d_name);
    }
    c->depth--;
    closedir(d);
    return rc;
}

int copy_tree(int from_fd, int to_fd, struct err *e)
{
    struct copy c = {.links = MAP_INIT(free), .to_root = to_fd};
    struct stat st;
    int rc = copy_dir(&c, from_fd, to_fd, "", e);

    if (rc == 0 && fstat(from_fd, &st))
        rc = err_os(e, errno, "cannot look at the tree");
    if (rc == 0)
        rc = copy_attributes(from_fd, to_fd, ".", &st, e);
    map_release(&c.links);
    return rc;
}
