/*
 * path_walk: see path_walk.h.
 *
 * `at` is the real, link-free path of the directory that `fd` is; `rest` is what is still to be
 * walked.  A link replaces itself in `rest` by its target; `..` takes one component off `at` and
 * walks down to it again, which is exact because `at` has no links.
 */
#include "images/path_walk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"

#define LINKS_MAX 40
#define DIR_FLAGS (O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

struct walk {
    int root_fd;
    int fd;
    char *at, *rest;
    unsigned links;
    int64_t owner;
};

static int reopen(struct walk *w, struct err *e)
{
    char *p = w->at;

    fd_close(w->fd);
    w->fd = openat(w->root_fd, ".", DIR_FLAGS);
    while (w->fd >= 0 && *p) {
        size_t n = strcspn(p, "/");
        cleanup_free char *name = str_ndup(p, n);
        int next = openat(w->fd, name, DIR_FLAGS);

        fd_close(w->fd);
        w->fd = next;
        p += n + (p[n] == '/');
    }
    return w->fd < 0 ? err_os(e, errno, "cannot open \"%s\"", w->at) : 0;
}

static int go_up(struct walk *w, struct err *e)
{
    char *slash = strrchr(w->at, '/');

    if (slash)
        *slash = '\0';
    else
        w->at[0] = '\0';
    return reopen(w, e);
}

static int follow(struct walk *w, const char *name, struct err *e)
{
    char target[PATH_MAX];
    ssize_t n = readlinkat(w->fd, name, target, sizeof(target) - 1);
    char *rest;

    if (n < 0)
        return err_set(e, ERR_INVALID, "\"%s\" is not a directory", name);
    target[n] = '\0';
    if (++w->links > LINKS_MAX)
        return err_set(e, ERR_INVALID, "\"%s\": too many levels of symbolic links", name);
    if (strlen(w->rest) + (size_t)n + 2 > PATH_MAX)
        return err_set(e, ERR_INVALID, "\"%s\": file name too long", name);
    rest = str_printf("%s/%s", target, w->rest);
    free(w->rest);
    w->rest = rest;
    if (target[0] != '/')
        return 0;
    w->at[0] = '\0';
    return reopen(w, e);
}

static int step_into(struct walk *w, const char *name, bool create, struct err *e)
{
    int next = openat(w->fd, name, DIR_FLAGS);
    char *at;

    if (next < 0 && (errno == ELOOP || errno == ENOTDIR))
        return follow(w, name, e);
    if (next < 0 && errno == ENOENT && create) {
        if (mkdirat(w->fd, name, 0755))
            return err_os(e, errno, "cannot make directory \"%s\"", name);
        if (w->owner &&
            fchownat(w->fd, name, (uid_t)w->owner, (gid_t)w->owner, AT_SYMLINK_NOFOLLOW))
            return err_os(e, errno, "cannot set the owner of directory \"%s\"", name);
        next = openat(w->fd, name, DIR_FLAGS);
    }
    if (next < 0 && errno == ENOENT)
        return err_set(e, ERR_NOT_FOUND, "no directory \"%s\"", name);
    if (next < 0)
        return err_os(e, errno, "cannot open \"%s\"", name);
    fd_close(w->fd);
    w->fd = next;
    if (strlen(w->at) + strlen(name) + 2 > PATH_MAX) /* links could build any depth */
        return err_set(e, ERR_INVALID, "\"%s\": file name too long", name);
    at = str_printf("%s%s%s", w->at, *w->at ? "/" : "", name);
    free(w->at);
    w->at = at;
    return 0;
}

static int walk_all(struct walk *w, bool create, struct err *e)
{
    while (*w->rest) {
        size_t n = strcspn(w->rest, "/");
        cleanup_free char *name = str_ndup(w->rest, n);

        memmove(w->rest, w->rest + n + (w->rest[n] == '/'),
                strlen(w->rest + n) + 1 - (w->rest[n] == '/'));
        if (!*name || str_eq(name, "."))
            continue;
        if (str_eq(name, "..") ? go_up(w, e) : step_into(w, name, create, e))
            return -1;
    }
    return 0;
}

int path_walk_dir(struct path_walk *w, const char *dir, bool create, int *fd, struct err *e)
{
    struct walk k;
    int rc;

    if (w->fd >= 0 && str_eq(w->dir, dir)) {
        *fd = w->fd;
        return 0;
    }
    path_walk_forget(w);
    k = (struct walk){.root_fd = w->root_fd,
                      .fd = -1,
                      .at = xstrdup(""),
                      .rest = xstrdup(dir),
                      .owner = w->owner};
    rc = reopen(&k, e) || walk_all(&k, create, e) ? -1 : 0;
    free(k.at);
    free(k.rest);
    if (rc) {
        fd_close(k.fd);
        return -1;
    }
    w->fd = k.fd;
    w->dir = xstrdup(dir);
    *fd = w->fd;
    return 0;
}

void path_walk_forget(struct path_walk *w)
{
    fd_close(w->fd);
    w->fd = -1;
    free(w->dir);
    w->dir = NULL;
}
