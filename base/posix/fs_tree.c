/*
 * fs_tree: removing and measuring whole trees that somebody hostile may have written.
 *
 * Every step is relative to an open directory and never follows a symlink, so swapping a directory
 * for a link while we walk leads nowhere.  Another file system or a mount point below is not
 * entered: removing a container's directory with a volume still mounted in it must not empty the
 * volume.  A tree may be deeper than the descriptor limit; removal then moves the deep part to the
 * top and goes on from there.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fs.h"
#include "base/id.h"
#include "base/map.h"
#include "base/mem.h"

#define DEPTH_MAX 64

static void close_dir_p(DIR **d)
{
    if (*d)
        closedir(*d);
}
#define cleanup_dir CLEANUP(close_dir_p)

/* Opens a real directory on the same mount; EXDEV when something is mounted there. */
static int open_dir_here(int at, const char *name)
{
    struct open_how how = {
        .flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
        .resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS,
    };
    struct stat above, st;
    int fd = -1;

    errno = ENOSYS;
    if (!FAULT("fs.openat2"))
        fd = (int)syscall(SYS_openat2, at, name, &how, sizeof(how));
    if (fd >= 0 || (errno != ENOSYS && errno != EPERM))
        return fd;
    /* Before Linux 5.6: a bind mount of the same file system goes unnoticed here, and rmdir() of it
     * fails with EBUSY only after its contents; the device is all there is to compare. */
    fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(at, &above) || fstat(fd, &st))
        return fd;
    if (above.st_dev != st.st_dev) {
        fd_close(fd);
        errno = EXDEV;
        return -1;
    }
    return fd;
}

static bool is_dots(const char *name)
{
    return str_eq(name, ".") || str_eq(name, "..");
}

struct removal {
    int top; /* where parts that are too deep are moved */
    const char *path;
    struct err *e;
};

static int remove_entry(const struct removal *r, int at, const char *name, unsigned depth);

static int fail(const struct removal *r, const char *doing, const char *name)
{
    if (errno == EXDEV || errno == EBUSY)
        return err_set(r->e, ERR_CONFLICT, "remove %s: \"%s\" in it is a mount point", r->path,
                       name);
    return err_os(r->e, errno, "remove %s: %s \"%s\"", r->path, doing, name);
}

/* Removes what is in the directory; takes fd over.  *n counts what went. */
static int remove_contents(const struct removal *r, int fd, unsigned depth, size_t *n)
{
    cleanup_dir DIR *d = fdopendir(fd);
    const struct dirent *entry;

    *n = 0;
    if (!d) {
        fd_close(fd);
        return fail(r, "open", ".");
    }
    while ((errno = 0, entry = readdir(d))) {
        if (is_dots(entry->d_name))
            continue;
        if (remove_entry(r, dirfd(d), entry->d_name, depth + 1))
            return -1;
        ++*n;
    }
    return errno ? fail(r, "list", ".") : 0;
}

static int move_to_top(const struct removal *r, int at, const char *name)
{
    char id[ID_LEN + 1];

    id_new(id);
    if (renameat(at, name, r->top, id))
        return fail(r, "move", name);
    return 0;
}

static int remove_dir(const struct removal *r, int at, const char *name, unsigned depth)
{
    size_t n;
    int fd;

    if (depth > DEPTH_MAX)
        return move_to_top(r, at, name);
    fd = open_dir_here(at, name);
    if (fd < 0 && errno == EACCES && fchmodat(at, name, 0700, 0) == 0)
        fd = open_dir_here(at, name); /* ours, but its mode kept us out */
    if (fd < 0)
        return errno == ENOENT ? 0 : fail(r, "open", name);
    if (remove_contents(r, fd, depth, &n))
        return -1;
    if (unlinkat(at, name, AT_REMOVEDIR) && errno != ENOENT)
        return fail(r, "remove", name);
    return 0;
}

static int remove_entry(const struct removal *r, int at, const char *name, unsigned depth)
{
    if (unlinkat(at, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno == EISDIR || errno == EPERM) /* EPERM: POSIX's word for "a directory" */
        return remove_dir(r, at, name, depth);
    return fail(r, "remove", name);
}

int fs_remove_all(const char *path, struct err *e)
{
    cleanup_free char *dir = path_dir(path);
    cleanup_free char *clean = path_clean(path);
    cleanup_fd int parent = -1, top = -1;
    struct removal r = {.path = path, .e = e};
    size_t n;

    if (str_eq(clean, "/") || str_eq(clean, ".") || str_eq(path_base(clean), ".."))
        return err_set(e, ERR_INVALID, "remove %s: refused", path);
    if (unlink(clean) == 0 || errno == ENOENT || errno == ENOTDIR)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return err_os(e, errno, "remove %s", path);
    free(take_ptr(dir));
    dir = path_dir(clean);
    parent = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (parent < 0)
        return err_os(e, errno, "open %s", dir);
    top = open_dir_here(parent, path_base(clean));
    if (top < 0)
        return errno == ENOENT ? 0 : fail(&r, "open", path_base(clean));
    r.top = top;
    /* What was moved to the top, or came in meanwhile, is there in the next round. */
    do {
        int fd = openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0)
            return err_os(e, errno, "open %s", path);
        if (remove_contents(&r, fd, 0, &n))
            return -1;
    } while (n > 0);
    if (unlinkat(parent, path_base(clean), AT_REMOVEDIR) && errno != ENOENT)
        return fail(&r, "remove", path_base(clean));
    return 0;
}

struct measure {
    int64_t bytes;
    struct map seen; /* "dev:ino" of files with several names, which count once */
    const char *path;
    struct err *e;
};

static void count_file(struct measure *m, const struct stat *st)
{
    char key[48];

    if (!S_ISREG(st->st_mode) && !S_ISLNK(st->st_mode))
        return;
    if (st->st_nlink > 1) {
        (void)!snprintf(key, sizeof(key), "%llx:%llx", (unsigned long long)st->st_dev,
                        (unsigned long long)st->st_ino);
        if (map_get(&m->seen, key))
            return;
        map_put(&m->seen, key, m);
    }
    m->bytes += st->st_size;
}

static int measure_dir(struct measure *m, int fd, unsigned depth);

static int measure_entry(struct measure *m, int at, const char *name, unsigned depth)
{
    struct stat st;
    int fd;

    if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW))
        return errno == ENOENT ? 0 : err_os(m->e, errno, "measure %s: \"%s\"", m->path, name);
    if (!S_ISDIR(st.st_mode)) {
        count_file(m, &st);
        return 0;
    }
    if (depth > 4 * DEPTH_MAX)
        return err_set(m->e, ERR_INVALID, "measure %s: nested too deeply", m->path);
    fd = open_dir_here(at, name);
    if (fd < 0) /* gone, or another mount, which is somebody else's size */
        return errno == ENOENT || errno == EXDEV
                   ? 0
                   : err_os(m->e, errno, "measure %s: \"%s\"", m->path, name);
    return measure_dir(m, fd, depth);
}

static int measure_dir(struct measure *m, int fd, unsigned depth)
{
    cleanup_dir DIR *d = fdopendir(fd);
    const struct dirent *entry;

    if (!d) {
        fd_close(fd);
        return err_os(m->e, errno, "measure %s", m->path);
    }
    while ((errno = 0, entry = readdir(d)))
        if (!is_dots(entry->d_name) && measure_entry(m, dirfd(d), entry->d_name, depth + 1))
            return -1;
    return errno ? err_os(m->e, errno, "measure %s", m->path) : 0;
}

int fs_tree_size(const char *path, int64_t *bytes, struct err *e)
{
    struct measure m = {.path = path, .e = e};
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;

    if (fd < 0) {
        err_os(e, errno, "open %s", path);
        if (e->os_code == ENOENT)
            e->kind = ERR_NOT_FOUND;
        return -1;
    }
    rc = measure_dir(&m, fd, 0);
    map_release(&m.seen);
    if (rc == 0)
        *bytes = m.bytes;
    return rc;
}
