/*
 * fs_root: opening a path as a container would see it, from outside.
 *
 * openat2(RESOLVE_IN_ROOT) does it in the kernel.  Without it (Linux before 5.6, or a seccomp
 * filter), a walk by hand keeps the list of real directories resolved so far and always starts
 * again at the root, one O_NOFOLLOW step at a time: whatever is swapped for a symlink meanwhile
 * makes a step fail and cannot make it leave.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fs.h"
#include "base/mem.h"

#define SYMLINKS_MAX 40 /* the kernel's own limit */

/* Opens the directory that `done` names, one component at a time. */
static int open_done(int root_fd, const struct strv *done)
{
    int at = fcntl(root_fd, F_DUPFD_CLOEXEC, 0);

    for (size_t i = 0; i < done->n && at >= 0; i++) {
        int next = openat(at, done->v[i], O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        fd_close(at);
        at = next;
    }
    return at;
}

/* Puts the link's target in front of what is left.  1: it was a link; 0: it is not; -1: errno. */
static int expand_link(int at, const char *name, char **rest, struct strv *done)
{
    char target[PATH_MAX];
    ssize_t n = readlinkat(at, name, target, sizeof(target) - 1);
    char *joined;

    if (n < 0)
        return errno == EINVAL || errno == ENOENT ? 0 : -1;
    target[n] = '\0';
    if (target[0] == '/')
        strv_release(done);
    joined = str_printf("%s%s%s", target, **rest ? "/" : "", *rest);
    free(*rest);
    *rest = joined;
    return 1;
}

/* Takes the first component off *rest; NULL at the end. */
static char *next_component(char **rest)
{
    char *p = *rest + strspn(*rest, "/"), *name, *left;
    size_t n = strcspn(p, "/");

    if (n == 0)
        return NULL;
    name = str_ndup(p, n);
    left = xstrdup(p + n);
    free(*rest);
    *rest = left;
    return name;
}

/* One component.  1: *fd is the result; 0: go on; -1: errno. */
static int step(int root_fd, struct strv *done, char **rest, int flags, unsigned mode, int *fd)
{
    cleanup_free char *name = next_component(rest);
    cleanup_fd int at = open_done(root_fd, done);
    bool last = name && (*rest)[strspn(*rest, "/")] == '\0';
    int linked;

    if (at < 0)
        return -1;
    if (!name) { /* the root, or "..": a directory that is open already */
        *fd = openat(at, ".", (flags & ~(O_CREAT | O_EXCL)) | O_CLOEXEC, mode);
        return *fd < 0 ? -1 : 1;
    }
    if (str_eq(name, ".") || str_eq(name, "..")) {
        if (name[1] && done->n > 0)
            strv_remove_at(done, done->n - 1);
        return 0;
    }
    if (!last || !(flags & (O_NOFOLLOW | O_EXCL))) {
        linked = expand_link(at, name, rest, done);
        if (linked)
            return linked < 0 ? -1 : 2;
    }
    if (!last) {
        strv_take(done, take_ptr(name));
        return 0;
    }
    *fd = openat(at, name, flags | O_NOFOLLOW | O_CLOEXEC | (**rest ? O_DIRECTORY : 0), mode);
    return *fd < 0 ? -1 : 1;
}

static int open_by_walk(int root_fd, const char *path, int flags, unsigned mode)
{
    cleanup_strv struct strv done = {0};
    cleanup_free char *rest = xstrdup(path);
    unsigned links = 0;
    int fd = -1, r;

    do {
        r = step(root_fd, &done, &rest, flags, mode, &fd);
        links += r == 2;
        if (links > SYMLINKS_MAX) {
            errno = ELOOP;
            return -1;
        }
    } while (r == 0 || r == 2);
    return r < 0 ? -1 : fd;
}

int fs_open_in_root(int root_fd, const char *path, int flags, unsigned mode, struct err *e)
{
    bool creates =
        (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE; /* has O_DIRECTORY's bit */
    struct open_how how = {
        .flags = (unsigned)flags | O_CLOEXEC,
        .mode = creates ? mode : 0,
        .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
    };
    int fd = -1;

    errno = ENOSYS;
    do {
        if (!FAULT("fs.openat2"))
            fd = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
        /* EAGAIN: something was renamed under "..", so the kernel could not be sure */
    } while (fd < 0 && (errno == EAGAIN || errno == EINTR));
    if (fd < 0 && (errno == ENOSYS || errno == EPERM))
        fd = open_by_walk(root_fd, path, flags, mode);
    if (fd >= 0)
        return fd;
    err_os(e, errno, "open %s", path);
    if (e->os_code == ENOENT)
        e->kind = ERR_NOT_FOUND;
    return -1;
}
