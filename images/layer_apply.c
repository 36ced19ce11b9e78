/*
 * layer_apply: see layer_apply.h for what it promises.
 *
 * One entry at a time: clean the name, find its directory, make room, create, then attributes in
 * the one order that works: owner, mode (a chown clears setuid), xattrs (a chown clears
 * security.capability), times.  Times of directories are set at the very end, when nothing is
 * created in them any more.
 */
#include "images/layer_apply.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "images/layer_whiteout.h"
#include "images/path_walk.h"
#include "images/remove_at.h"
#include "images/tar.h"

struct dir_time {
    char *path;
    struct timespec mtime;
};

struct apply {
    enum whiteout_form form;
    const struct tar_apply_opts *into; /* NULL: a layer */
    struct tar_reader *tar;
    struct path_walk walk, link_walk;
    struct whiteouts wh;
    struct dir_time *times;
    size_t n_times;
    int64_t size;
};

/* "./a//b/../c" is "a/c"; false when it climbs out of the root or is longer than a path can be. */
static bool clean_name(const char *name, char out[PATH_MAX])
{
    size_t len = 0;

    while (*name) {
        size_t n = strcspn(name, "/");

        if (n == 2 && name[0] == '.' && name[1] == '.') {
            if (len == 0)
                return false;
            while (len > 0 && out[len - 1] != '/')
                len--;
            len -= len > 0;
        } else if (n > 0 && !(n == 1 && name[0] == '.')) {
            if (len + n + 2 > PATH_MAX)
                return false;
            if (len)
                out[len++] = '/';
            memcpy(out + len, name, n);
            len += n;
        }
        name += n + (name[n] == '/');
    }
    out[len] = '\0';
    return true;
}

/* Splits in place: dir is "" for the root's own entries. */
static const char *split_name(char *path, const char **dir)
{
    char *slash = strrchr(path, '/');

    if (!slash) {
        *dir = "";
        return path;
    }
    *slash = '\0';
    *dir = path;
    return slash + 1;
}

/* ---- attributes */

static bool xattr_wanted(const char *name)
{
    /* These steer overlayfs itself: a layer that brings them could point anywhere. */
    return !str_starts(name, "trusted.overlay.") && !str_starts(name, "user.overlay.");
}

static int set_xattrs(int dir_fd, const char *base, int fd, const struct tar_entry *t,
                      struct err *e)
{
    cleanup_free char *path = NULL;

    for (size_t i = 0; i < t->n_xattrs; i++) {
        const struct tar_xattr *x = &t->xattrs[i];
        int rc;

        if (!xattr_wanted(x->name))
            continue;
        if (fd >= 0) {
            rc = fsetxattr(fd, x->name, x->value, x->len, 0);
        } else {
            if (!path)
                path = str_printf("/proc/self/fd/%d/%s", dir_fd, base);
            rc = lsetxattr(path, x->name, x->value, x->len, 0);
        }
        if (!rc || errno == ENOTSUP)
            continue; /* the file system has none: the content is still right */
        if (errno == EPERM && str_starts(x->name, "user.") && t->type != TAR_FILE)
            continue; /* links and devices cannot have these */
        return err_os(e, errno, "cannot set attribute %s", x->name);
    }
    return 0;
}

static void remember_time(struct apply *a, const char *dir, const char *base,
                          const struct timespec *mtime)
{
    struct dir_time *d;

    if ((a->n_times & (a->n_times - 1)) == 0)
        a->times = xrealloc(a->times, (a->n_times ? a->n_times * 2 : 1) * sizeof(*a->times));
    d = &a->times[a->n_times++];
    d->path = str_printf("%s%s%s", dir, *dir && *base ? "/" : "", base);
    d->mtime = *mtime;
}

/* By the inode: chmod() of a name follows a link, and somebody may have put one there. */
static int set_mode(int dir_fd, const char *base, const struct tar_entry *t, struct err *e)
{
    cleanup_fd int fd = openat(dir_fd, base, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    char self[32];
    struct stat st;

    if (fd < 0 || fstat(fd, &st))
        return err_os(e, errno, "cannot open what was made");
    if (S_ISLNK(st.st_mode))
        return err_set(e, ERR_CONFLICT, "it was exchanged for a link");
    (void)snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
    return chmod(self, t->mode) ? err_os(e, errno, "cannot set the mode") : 0;
}

static int set_attributes(const struct apply *a, int dir_fd, const char *base, int fd,
                          const struct tar_entry *t, struct err *e)
{
    struct timespec times[2] = {t->mtime, t->mtime};
    int64_t base_id = a->into ? a->into->id_base : 0;
    uid_t uid = (uid_t)(base_id + (a->into && a->into->own ? a->into->uid : t->uid));
    gid_t gid = (gid_t)(base_id + (a->into && a->into->own ? a->into->gid : t->gid));

    if (uid != geteuid() || gid != getegid() || t->type == TAR_DIR)
        if (fd >= 0 ? fchown(fd, uid, gid) : fchownat(dir_fd, base, uid, gid, AT_SYMLINK_NOFOLLOW))
            return err_os(e, errno, "cannot set the owner");
    if (fd >= 0 && fchmod(fd, t->mode))
        return err_os(e, errno, "cannot set the mode");
    if (fd < 0 && t->type != TAR_SYMLINK && set_mode(dir_fd, base, t, e))
        return -1;
    if (t->n_xattrs && set_xattrs(dir_fd, base, fd, t, e))
        return -1;
    if (t->type == TAR_DIR)
        return 0;
    if (fd >= 0 ? futimens(fd, times) : utimensat(dir_fd, base, times, AT_SYMLINK_NOFOLLOW))
        return err_os(e, errno, "cannot set the time");
    return 0;
}

/* ---- content */

static int write_all(int fd, const char *p, size_t n, int64_t offset, struct err *e)
{
    while (n > 0) {
        ssize_t done = FAULT("layer.write") ? (errno = ENOSPC, -1) : pwrite(fd, p, n, offset);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return err_os(e, errno, "cannot write");
        p += done;
        offset += done;
        n -= (size_t)done;
    }
    return 0;
}

static int write_plain(struct apply *a, int fd, struct err *e)
{
    int64_t offset = 0;

    for (;;) {
        const void *p;
        size_t n;

        if (tar_data(a->tar, &p, &n, e))
            return -1;
        if (n == 0)
            return 0;
        if (write_all(fd, p, n, offset, e))
            return -1;
        offset += (int64_t)n;
    }
}

static int write_sparse(struct apply *a, int fd, const struct tar_entry *t, struct err *e)
{
    const struct tar_segment *s = t->segments, *end = t->segments + t->n_segments;
    int64_t done = 0;

    for (;;) {
        const char *p;
        size_t n;

        if (tar_data(a->tar, (const void **)&p, &n, e))
            return -1;
        if (n == 0)
            break;
        while (n > 0 && s < end) {
            size_t part = (int64_t)n < s->len - done ? n : (size_t)(s->len - done);

            if (write_all(fd, p, part, s->offset + done, e))
                return -1;
            p += part;
            n -= part;
            done += (int64_t)part;
            if (done == s->len) {
                s++;
                done = 0;
            }
        }
    }
    if (ftruncate(fd, t->size))
        return err_os(e, errno, "cannot set the size");
    return 0;
}

static int make_file(struct apply *a, int dir_fd, const char *base, const struct tar_entry *t,
                     struct err *e)
{
    cleanup_fd int fd =
        openat(dir_fd, base, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0)
        return err_os(e, errno, "cannot create the file");
    if (t->sparse ? write_sparse(a, fd, t, e) : write_plain(a, fd, e))
        return -1;
    a->size += t->size;
    return set_attributes(a, dir_fd, base, fd, t, e);
}

static int make_hardlink(struct apply *a, int dir_fd, const char *base, const struct tar_entry *t,
                         struct err *e)
{
    char target[PATH_MAX];
    const char *target_dir, *target_base;
    int target_fd;

    if (a->into && !clean_name(t->link, target))
        return err_set(e, ERR_INTERNAL, "invalid hardlink target \"%.200s\"", t->link);
    if (!clean_name(t->link, target) || !*target)
        return err_set(e, ERR_INVALID, "its link target \"%.200s\" is outside of the layer",
                       t->link);
    target_base = split_name(target, &target_dir);
    if (path_walk_dir(&a->link_walk, target_dir, false, &target_fd, e))
        return -1;
    if (!linkat(target_fd, target_base, dir_fd, base, 0))
        return 0;
    err_os(e, errno, "cannot link to \"%.200s\"", t->link);
    if (e->os_code == ENOENT)
        e->kind = ERR_NOT_FOUND;
    return -1;
}

static int make_device(const struct apply *a, int dir_fd, const char *base,
                       const struct tar_entry *t, struct err *e)
{
    mode_t type = t->type == TAR_CHAR ? S_IFCHR : t->type == TAR_BLOCKDEV ? S_IFBLK : S_IFIFO;

    if (t->dev_major < 0 || t->dev_major > 0xfff || t->dev_minor < 0 || t->dev_minor > 0xfffff)
        return err_set(e, ERR_INVALID, "bad device number %lld:%lld", (long long)t->dev_major,
                       (long long)t->dev_minor);
    if (mknodat(dir_fd, base, type | 0600,
                type == S_IFIFO ? 0 : makedev((unsigned)t->dev_major, (unsigned)t->dev_minor)))
        return err_os(e, errno, "cannot make the node");
    return set_attributes(a, dir_fd, base, -1, t, e);
}

/* Named as it is in the archive, without the slash of a directory. */
static int check_kinds(const struct apply *a, bool is_dir, const struct tar_entry *t, struct err *e)
{
    char name[PATH_MAX];

    if (is_dir == (t->type == TAR_DIR) || !clean_name(t->name, name))
        return 0;
    return err_set(e, ERR_INTERNAL,
                   is_dir ? "cannot overwrite directory \"%.400s\" with non-directory \"%.400s\""
                          : "cannot overwrite non-directory \"%.400s\" with directory \"%.400s\"",
                   name, a->into->where);
}

/*
 * What stands where the entry goes.  A directory meets a directory: it stays.  Anything else is
 * removed; a whiteout that a directory replaces leaves it opaque, since both were said.
 */
static int make_room(struct apply *a, int dir_fd, const char *base, const struct tar_entry *t,
                     bool *have_dir, bool *opaque, struct err *e)
{
    struct stat st;

    *have_dir = *opaque = false;
    if (fstatat(dir_fd, base, &st, AT_SYMLINK_NOFOLLOW))
        return errno == ENOENT ? 0 : err_os(e, errno, "cannot look at it");
    if (a->into && a->into->keep_kinds && check_kinds(a, S_ISDIR(st.st_mode), t, e))
        return -1;
    if (S_ISDIR(st.st_mode) && t->type == TAR_DIR) {
        *have_dir = true;
        return 0;
    }
    *opaque = t->type == TAR_DIR && a->form == WHITEOUT_OVERLAY && whiteout_is(&st);
    if ((S_ISREG(st.st_mode) || S_ISLNK(st.st_mode)) && st.st_nlink == 1 &&
        a->form == WHITEOUT_OVERLAY)
        a->size -= st.st_size;
    if (S_ISDIR(st.st_mode) || S_ISLNK(st.st_mode)) {
        path_walk_forget(&a->link_walk);
        path_walk_forget(&a->walk); /* dir_fd is a copy, so it stays good */
    }
    return remove_at(dir_fd, base, e);
}

static int make_dir(struct apply *a, int dir_fd, const char *dir, const char *base,
                    const struct tar_entry *t, bool have, bool opaque, struct err *e)
{
    if (!have && mkdirat(dir_fd, base, 0700))
        return err_os(e, errno, "cannot make the directory");
    if (opaque && whiteout_set_opaque(dir_fd, base, e))
        return -1;
    if (set_attributes(a, dir_fd, base, -1, t, e))
        return -1;
    remember_time(a, dir, base, &t->mtime);
    return 0;
}

static int make_symlink(struct apply *a, int dir_fd, const char *base, const struct tar_entry *t,
                        struct err *e)
{
    if (symlinkat(t->link, dir_fd, base))
        return err_os(e, errno, "cannot make the link");
    a->size += (int64_t)strlen(t->link); /* as dockerd counts */
    return set_attributes(a, dir_fd, base, -1, t, e);
}

static int make_entry(struct apply *a, const char *dir, const char *base, const struct tar_entry *t,
                      struct err *e)
{
    cleanup_fd int dir_fd = -1;
    bool have_dir, opaque;
    int borrowed;

    if (path_walk_dir(&a->walk, dir, true, &borrowed, e))
        return -1;
    if ((dir_fd = fcntl(borrowed, F_DUPFD_CLOEXEC, 0)) < 0)
        return err_os(e, errno, "cannot keep its directory open");
    if (make_room(a, dir_fd, base, t, &have_dir, &opaque, e))
        return -1;
    switch (t->type) {
    case TAR_FILE:
        return make_file(a, dir_fd, base, t, e);
    case TAR_HARDLINK:
        return make_hardlink(a, dir_fd, base, t, e);
    case TAR_SYMLINK:
        return make_symlink(a, dir_fd, base, t, e);
    case TAR_DIR:
        return make_dir(a, dir_fd, dir, base, t, have_dir, opaque, e);
    case TAR_CHAR:
    case TAR_BLOCKDEV:
    case TAR_FIFO:
        return make_device(a, dir_fd, base, t, e);
    }
    return err_set(e, ERR_INTERNAL, "tar entry of type %d", t->type);
}

/* The root itself: "./" sets its attributes. */
static int apply_root(struct apply *a, const struct tar_entry *t, struct err *e)
{
    if (t->type != TAR_DIR)
        return err_set(e, ERR_INVALID, "the root of a layer must be a directory");
    if (set_attributes(a, a->walk.root_fd, ".", -1, t, e))
        return -1;
    remember_time(a, "", "", &t->mtime);
    return 0;
}

static int apply_entry(struct apply *a, const struct tar_entry *t, struct err *e)
{
    char path[PATH_MAX];
    const char *dir, *base;

    if (!clean_name(t->name, path))
        return a->into ? err_set(e, ERR_INTERNAL, "invalid entry name \"%.400s\"", t->name)
                       : err_set(e, ERR_INVALID, "it is outside of the layer");
    if (t->uid < 0 || t->uid > INT32_MAX || t->gid < 0 || t->gid > INT32_MAX)
        return err_set(e, ERR_INVALID, "owner %lld:%lld is out of range", (long long)t->uid,
                       (long long)t->gid);
    if (!*path)
        return a->into ? 0 : apply_root(a, t, e);
    whiteouts_note(&a->wh, path);
    base = split_name(path, &dir);
    if (a->form != WHITEOUT_NONE && str_starts(base, WHITEOUT_PREFIX)) {
        path_walk_forget(&a->link_walk);
        return whiteouts_apply(&a->wh, &a->walk, dir, base, e);
    }
    return make_entry(a, dir, base, t, e);
}

static int set_dir_times(struct apply *a, struct err *e)
{
    for (size_t i = a->n_times; i > 0; i--) {
        struct dir_time *d = &a->times[i - 1];
        struct timespec times[2] = {d->mtime, d->mtime};
        const char *dir = "", *base = ".";
        struct stat st;
        int fd;

        if (*d->path)
            base = split_name(d->path, &dir);
        if (path_walk_dir(&a->walk, dir, false, &fd, ERR_IGNORE))
            continue; /* a later entry took its place */
        if (fstatat(fd, base, &st, AT_SYMLINK_NOFOLLOW) || !S_ISDIR(st.st_mode))
            continue;
        if (utimensat(fd, base, times, AT_SYMLINK_NOFOLLOW))
            return err_os(e, errno, "cannot set the time of \"%s\"", base);
    }
    return 0;
}

static int apply_all(struct apply *a, struct err *e)
{
    const struct tar_entry *t;

    for (;;) {
        if (tar_next(a->tar, &t, e))
            return -1;
        if (!t)
            break;
        if (apply_entry(a, t, e)) {
            if (!a->into)
                return err_wrap(e, "layer entry \"%.200s\"", t->name);
            return e->kind == ERR_IO ? err_wrap(e, "%.400s", t->name) : -1;
        }
    }
    return set_dir_times(a, e) || tar_drain(a->tar, e) ? -1 : 0;
}

static int run(struct apply *a, int root_fd, read_fn *read, void *arg, struct err *e)
{
    int rc;

    a->walk = a->link_walk =
        (struct path_walk){.root_fd = root_fd, .fd = -1, .owner = a->into ? a->into->id_base : 0};
    a->tar = tar_reader_new(read, arg);
    whiteouts_init(&a->wh, a->form);
    rc = apply_all(a, e);
    for (size_t i = 0; i < a->n_times; i++)
        free(a->times[i].path);
    free(a->times);
    whiteouts_release(&a->wh);
    path_walk_forget(&a->walk);
    path_walk_forget(&a->link_walk);
    tar_reader_free(a->tar);
    return rc;
}

int layer_apply(int root_fd, read_fn *read, void *arg, enum whiteout_form form, int64_t *size,
                struct err *e)
{
    struct apply a = {.form = form};
    int rc = run(&a, root_fd, read, arg, e);

    if (size)
        *size = a.size > 0 ? a.size : 0;
    return rc;
}

int tar_apply(int root_fd, read_fn *read, void *arg, const struct tar_apply_opts *o, struct err *e)
{
    struct apply a = {.form = WHITEOUT_NONE, .into = o};

    return run(&a, root_fd, read, arg, e);
}
