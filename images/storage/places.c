/* places: see places.h. */
#include "images/storage/places.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "images/layer_whiteout.h"

#define MTAB "/proc/mounts"

static const struct place {
    const char *dir, *name; /* dir "": the root */
    mode_t type;
} places[] = {
    {"",    ".dockerenv",  S_IFREG},
    {"",    "proc",        S_IFDIR},
    {"",    "sys",         S_IFDIR},
    {"",    "dev",         S_IFDIR},
    {"dev", "console",     S_IFREG},
    {"dev", "pts",         S_IFDIR},
    {"dev", "shm",         S_IFDIR},
    {"etc", "hosts",       S_IFREG},
    {"etc", "hostname",    S_IFREG},
    {"etc", "resolv.conf", S_IFREG},
    {"etc", "mtab",        S_IFLNK},
};

/* ------------------------------------------------------------ making them */

struct tree {
    int upper;
    const int *lower;
    size_t n;
};

/* The topmost entry of the layers below; false when there is none. */
static bool below(const struct tree *t, const char *path, struct stat *st)
{
    for (size_t i = 0; i < t->n; i++)
        if (!fstatat(t->lower[i], path, st, AT_SYMLINK_NOFOLLOW))
            return !whiteout_is(st);
    return false;
}

static int make_dir(int dir_fd, const char *name, const struct stat *like, struct err *e)
{
    if (mkdirat(dir_fd, name, 0755) && errno != EEXIST)
        return err_os(e, errno, "cannot make /%s", name);
    if (like && (fchownat(dir_fd, name, like->st_uid, like->st_gid, AT_SYMLINK_NOFOLLOW) ||
                 fchmodat(dir_fd, name, like->st_mode & 07777, 0)))
        return err_os(e, errno, "cannot set the owner of /%s", name);
    return 0;
}

static int make_place(int dir_fd, const struct place *p, struct err *e)
{
    struct stat st;
    int fd;

    if (!fstatat(dir_fd, p->name, &st, AT_SYMLINK_NOFOLLOW)) {
        if (S_ISDIR(st.st_mode))
            return 0;
        if (unlinkat(dir_fd, p->name, 0))
            return err_os(e, errno, "cannot replace %s", p->name);
    }
    if (p->type == S_IFDIR)
        return make_dir(dir_fd, p->name, NULL, e);
    if (p->type == S_IFLNK)
        return symlinkat(MTAB, dir_fd, p->name) ? err_os(e, errno, "cannot make %s", p->name) : 0;
    fd = openat(dir_fd, p->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0755);
    if (fd < 0)
        return err_os(e, errno, "cannot make %s", p->name);
    fd_close(fd);
    return 0;
}

/* Those of the root: what an image has there, of whatever kind, is left alone. */
static int make_in_root(const struct tree *t, struct err *e)
{
    struct stat st;

    for (size_t i = 0; i < ARRAY_LEN(places); i++)
        if (!*places[i].dir && (places[i].type == S_IFREG || !below(t, places[i].name, &st)) &&
            make_place(t->upper, &places[i], e))
            return -1;
    return 0;
}

static int make_all_in(int dir_fd, const struct tree *t, const char *dir, struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        cleanup_free char *path = str_printf("%s/%s", dir, places[i].name);
        struct stat st;

        if (!str_eq(places[i].dir, dir))
            continue;
        if (below(t, path, &st) && (S_ISDIR(st.st_mode) || places[i].type == S_IFDIR))
            continue; /* the image's own */
        if (make_place(dir_fd, &places[i], e))
            return -1;
    }
    return 0;
}

/* A directory of the writable part hides the attributes of the image's, so it gets the same. */
static int make_in(const struct tree *t, const char *dir, struct err *e)
{
    struct stat st;
    bool there = below(t, dir, &st);
    cleanup_fd int fd = -1;

    if (there && !S_ISDIR(st.st_mode))
        return 0; /* a link: wherever it leads, the runtime will see */
    if (make_dir(t->upper, dir, there ? &st : NULL, e))
        return -1;
    fd = openat(t->upper, dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOTDIR || errno == ELOOP ? 0 : err_os(e, errno, "cannot open /%s", dir);
    if (!there && fstat(fd, &st))
        return err_os(e, errno, "cannot look at /%s", dir);
    if (make_all_in(fd, t, dir, e))
        return -1;
    if (futimens(fd, (struct timespec[]){st.st_mtim, st.st_mtim}))
        return err_os(e, errno, "cannot set the time of /%s", dir);
    return 0;
}

int places_make(int upper_fd, const int *lower, size_t n_lower, struct err *e)
{
    const struct tree t = {upper_fd, lower, n_lower};

    return make_in_root(&t, e) || make_in(&t, "dev", e) || make_in(&t, "etc", e) ? -1 : 0;
}

/* ------------------------------------------------------------ knowing them */

bool place_holder(const char *path)
{
    return str_eq(path, "dev") || str_eq(path, "etc");
}

static bool is_empty(int root_fd, const char *path)
{
    int fd = openat(root_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    bool empty = d != NULL;
    struct dirent *de;

    if (!d) {
        fd_close(fd);
        return false;
    }
    while (empty && (de = readdir(d)))
        empty = str_eq(de->d_name, ".") || str_eq(de->d_name, "..");
    closedir(d);
    return empty;
}

static bool looks_made(int root_fd, const char *path, const struct stat *st)
{
    char target[sizeof(MTAB) + 1];
    ssize_t n;

    if (S_ISDIR(st->st_mode))
        return is_empty(root_fd, path);
    if (S_ISREG(st->st_mode))
        return st->st_size == 0;
    n = readlinkat(root_fd, path, target, sizeof(target));
    return n == (ssize_t)strlen(MTAB) && !memcmp(target, MTAB, (size_t)n);
}

bool place_is(int root_fd, const char *path, const struct stat *st)
{
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        const struct place *p = &places[i];
        const size_t n = strlen(p->dir);

        if (strncmp(path, p->dir, n) == 0 && str_eq(path + n + (n && path[n] == '/'), p->name) &&
            (!n || path[n] == '/'))
            return (st->st_mode & S_IFMT) == p->type && looks_made(root_fd, path, st);
    }
    return false;
}
