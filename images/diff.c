/*
 * diff: see diff.h.
 *
 * One walk for both drivers.  Beside each directory of the writable layer goes the list of the
 * directories of the same name below it, topmost first, cut where a whiteout, an opaque directory
 * or something else hides the rest: so an entry is looked up by its name alone.
 */
#include "images/diff.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/map.h"
#include "base/mem.h"
#include "images/layer_whiteout.h"
#include "images/storage/places.h"
#include "images/tree_tar.h"

#define CHANGES_MAX (4 * 1000 * 1000)
#define DIR_FLAGS   (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

void tree_changes_release(struct tree_changes *c)
{
    for (size_t i = 0; i < c->n; i++)
        free(c->v[i].path);
    free(c->v);
    *c = (struct tree_changes){0};
}

/* ---- opening */

static int open_dir(const char *path, struct err *e)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 ? err_os(e, errno, "open %s", path) : fd;
}

int diff_open(const struct rootfs *r, const char *base, int64_t id_base, struct diff *out,
              struct err *e)
{
    cleanup_diff struct diff d = {
        .overlay = r->overlay, .id_base = r->overlay ? id_base : 0, .upper = -1};

    d.lower = xcalloc(r->lower.n + 1, sizeof(*d.lower));
    if ((d.upper = open_dir(r->upper, e)) < 0)
        return -1;
    for (size_t i = 0; i < r->lower.n; i++, d.n_lower++)
        if ((d.lower[i] = open_dir(r->lower.v[i], e)) < 0)
            return -1;
    if (!r->overlay && base && (d.lower[d.n_lower++] = open_dir(base, e)) < 0)
        return -1;
    *out = d;
    d = (struct diff){.upper = -1};
    return 0;
}

void diff_release(struct diff *d)
{
    fd_close(d->upper);
    for (size_t i = 0; i < d->n_lower; i++)
        fd_close(d->lower[i]);
    free(d->lower);
    *d = (struct diff){.upper = -1};
}

/* ---- what is below */

struct below {
    int *fds; /* topmost first */
    size_t n;
};

static void below_release(struct below *b)
{
    for (size_t i = 0; i < b->n; i++)
        fd_close(b->fds[i]);
    free(b->fds);
}

static bool is_opaque(int fd)
{
    char value = 0;

    return fgetxattr(fd, "trusted.overlay.opaque", &value, 1) == 1 && value == 'y';
}

/* The topmost entry of that name; false when there is none. */
static bool below_find(const struct below *b, const char *name, int *dir, struct stat *st)
{
    for (size_t i = 0; i < b->n; i++)
        if (!fstatat(b->fds[i], name, st, AT_SYMLINK_NOFOLLOW)) {
            *dir = b->fds[i];
            return !whiteout_is(st);
        }
    return false;
}

/* The directories of that name, as far down as they are one. */
static int below_enter(const struct below *b, const char *name, bool overlay, struct below *out,
                       struct err *e)
{
    *out = (struct below){xcalloc(b->n + 1, sizeof(int)), 0};
    for (size_t i = 0; i < b->n; i++) {
        int fd = openat(b->fds[i], name, DIR_FLAGS);

        if (fd < 0 && errno == ENOENT)
            continue;
        if (fd < 0 && (errno == ENOTDIR || errno == ELOOP))
            return 0; /* a whiteout, or something that hides what is below */
        if (fd < 0)
            return err_os(e, errno, "open %s in a layer", name);
        out->fds[out->n++] = fd;
        if (overlay && is_opaque(fd))
            return 0;
    }
    return 0;
}

/* ---- names */

static int names_of(int dir_fd, struct strv *names, struct err *e)
{
    int fd = openat(dir_fd, ".", DIR_FLAGS);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *de;

    if (!d) {
        err_os(e, errno, "list a directory");
        fd_close(fd);
        return -1;
    }
    while ((de = readdir(d)))
        if (!str_eq(de->d_name, ".") && !str_eq(de->d_name, ".."))
            strv_add(names, de->d_name);
    closedir(d);
    strv_sort(names);
    return 0;
}

static char *join(const char *path, const char *name)
{
    return str_printf("%s%s%s", path, *path ? "/" : "", name);
}

/* ---- places of the engine's own mounts */

static bool same_owner(const struct diff *d, const struct stat *upper, const struct stat *old)
{
    return upper->st_mode == old->st_mode && (int64_t)upper->st_uid - d->id_base == old->st_uid &&
           (int64_t)upper->st_gid - d->id_base == old->st_gid;
}

/* A directory of the root that has nothing but places in it, and is as the image has it. */
static bool only_holds_places(const struct diff *d, const char *path, const struct stat *st)
{
    const struct below b = {d->lower, d->n_lower};
    cleanup_strv struct strv names = {0};
    cleanup_fd int fd = -1;
    struct stat old;
    int dir;

    if (!place_holder(path) || !S_ISDIR(st->st_mode) ||
        (below_find(&b, path, &dir, &old) && !same_owner(d, st, &old)) ||
        (fd = openat(d->upper, path, DIR_FLAGS)) < 0 || names_of(fd, &names, ERR_IGNORE))
        return false;
    for (size_t i = 0; i < names.n; i++) {
        cleanup_free char *sub = join(path, names.v[i]);

        if (fstatat(fd, names.v[i], &old, AT_SYMLINK_NOFOLLOW) || !place_is(d->upper, sub, &old))
            return false;
    }
    return true;
}

/* ---- the walk */

struct walk {
    const struct diff *d;
    struct tree_changes *out;
    struct cancel *c;
    size_t places;  /* passed over so far */
    unsigned depth; /* of the directory that is looked at */
};

static int add(struct walk *w, const char *path, enum tree_change_kind kind, struct err *e)
{
    struct tree_changes *o = w->out;

    if (o->n >= CHANGES_MAX)
        return err_set(e, ERR_INVALID, "more than %d changes", CHANGES_MAX);
    if ((o->n & (o->n - 1)) == 0)
        o->v = xrealloc(o->v, (o->n ? o->n * 2 : 1) * sizeof(*o->v));
    o->v[o->n++] = (struct tree_change){str_printf("/%s", path), kind};
    return 0;
}

static bool same_link(int a_dir, int b_dir, const char *name)
{
    cleanup_free char *a = xmalloc(PATH_MAX), *b = xmalloc(PATH_MAX);
    ssize_t n = readlinkat(a_dir, name, a, PATH_MAX), m = readlinkat(b_dir, name, b, PATH_MAX);

    return n >= 0 && n == m && !memcmp(a, b, (size_t)n);
}

/* vfs: as far as the attributes tell, which is as far as Docker looks. */
static bool same_file(const struct diff *d, int dir_fd, int old_dir, const char *name,
                      const struct stat *st, const struct stat *old)
{
    if (!same_owner(d, st, old) || st->st_rdev != old->st_rdev)
        return false;
    if (S_ISLNK(st->st_mode))
        return same_link(dir_fd, old_dir, name);
    return st->st_size == old->st_size && st->st_mtim.tv_sec == old->st_mtim.tv_sec &&
           st->st_mtim.tv_nsec == old->st_mtim.tv_nsec;
}

static int walk_dir(struct walk *w, int dir_fd, const struct below *b, const char *path,
                    struct err *e);

/* Is a directory there only because of what is in it?  The time of one with our places says
 * nothing. */
static bool is_untouched(const struct diff *d, const struct stat *st, const struct stat *old,
                         bool places)
{
    if (!old || !same_owner(d, st, old))
        return places && !old;
    return places || (st->st_mtim.tv_sec == old->st_mtim.tv_sec &&
                      st->st_mtim.tv_nsec == old->st_mtim.tv_nsec);
}

static int diff_subdir(struct walk *w, int dir_fd, const char *name, const char *path,
                       const struct stat *st, const struct stat *old /* NULL: new */,
                       const struct below *b, struct err *e)
{
    cleanup_fd int fd = openat(dir_fd, name, DIR_FLAGS);
    const size_t at = w->out->n, places = w->places;
    struct below sub;
    int rc;

    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR || errno == ELOOP
                   ? 0
                   : err_os(e, errno, "open /%s", path);
    if (add(w, path, old ? CHANGE_MODIFIED : CHANGE_ADDED, e))
        return -1;
    rc = below_enter(b, name, w->d->overlay, &sub, e);
    w->depth++;
    if (rc == 0)
        rc = walk_dir(w, fd, &sub, path, e);
    w->depth--;
    below_release(&sub);
    if (rc == 0 && w->out->n == at + 1 && is_untouched(w->d, st, old, w->places > places))
        free(w->out->v[--w->out->n].path);
    return rc;
}

static int diff_entry(struct walk *w, int dir_fd, const char *name, const char *path,
                      const struct below *b, struct err *e)
{
    struct stat st, old;
    int old_dir = -1;
    bool found;

    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW))
        return errno == ENOENT ? 0 : err_os(e, errno, "look at /%s", path);
    found = below_find(b, name, &old_dir, &old);
    if (w->d->overlay && whiteout_is(&st))
        return found ? add(w, path, CHANGE_DELETED, e) : 0;
    if (place_is(w->d->upper, path, &st)) {
        w->places++;
        return 0;
    }
    if (S_ISDIR(st.st_mode))
        return diff_subdir(w, dir_fd, name, path, &st, found ? &old : NULL, b, e);
    if (!w->d->overlay && found && same_file(w->d, dir_fd, old_dir, name, &st, &old))
        return 0;
    return add(w, path, found ? CHANGE_MODIFIED : CHANGE_ADDED, e);
}

/* vfs: what is below and not here. */
static int diff_missing(struct walk *w, int dir_fd, const struct below *b, const char *path,
                        struct err *e)
{
    cleanup_strv struct strv names = {0};
    struct stat st;

    if (names_of(b->fds[0], &names, e))
        return -1;
    for (size_t i = 0; i < names.n; i++) {
        cleanup_free char *sub = join(path, names.v[i]);

        if (fstatat(dir_fd, names.v[i], &st, AT_SYMLINK_NOFOLLOW) && errno == ENOENT &&
            add(w, sub, CHANGE_DELETED, e))
            return -1;
    }
    return 0;
}

static int walk_dir(struct walk *w, int dir_fd, const struct below *b, const char *path,
                    struct err *e)
{
    cleanup_strv struct strv names = {0};

    if (w->depth > TREE_DEPTH_MAX)
        return err_set(e, ERR_INVALID, "more than %d levels of directories", TREE_DEPTH_MAX);
    if (names_of(dir_fd, &names, e))
        return -1;
    for (size_t i = 0; i < names.n; i++) {
        cleanup_free char *sub = join(path, names.v[i]);

        if (cancel_fired(w->c))
            return err_set(e, ERR_CANCELLED, "context canceled");
        if (diff_entry(w, dir_fd, names.v[i], sub, b, e))
            return -1;
    }
    return !w->d->overlay && b->n ? diff_missing(w, dir_fd, b, path, e) : 0;
}

int diff_changes(const struct diff *d, struct tree_changes *out, struct cancel *c, struct err *e)
{
    struct walk w = {d, out, c, 0, 0};
    const struct below b = {d->lower, d->n_lower};

    *out = (struct tree_changes){0};
    if (walk_dir(&w, d->upper, &b, "", e)) {
        tree_changes_release(out);
        return -1;
    }
    return 0;
}

/* ---- as a layer */

/* Overlay: all of the upper directory but the places. */
static bool skip_places(void *arg, const char *path, const struct stat *st)
{
    const struct diff *d = arg;

    return place_is(d->upper, path, st) || only_holds_places(d, path, st);
}

static bool skip_unchanged(void *arg, const char *path, const struct stat *st)
{
    (void)st;
    return !map_get(arg, path);
}

static int tar_overlay(const struct diff *d, struct tree_tar_opts *o, bool *empty, struct err *e)
{
    cleanup_tree_tar struct tree_tar *t = NULL;

    o->layer = true;
    o->skip = skip_places;
    o->skip_arg = (void *)d;
    t = tree_tar_new(o);
    if (tree_tar_add_below(t, d->upper, e))
        return -1;
    *empty = tree_tar_empty(t);
    return tree_tar_end(t, e);
}

static int tar_compared(const struct diff *d, struct tree_tar_opts *o, bool *empty, struct err *e)
{
    cleanup_tree_tar struct tree_tar *t = NULL;
    struct tree_changes changes;
    struct map changed = MAP_INIT(NULL);
    int rc;

    if (diff_changes(d, &changes, o->cancel, e))
        return -1;
    for (size_t i = 0; i < changes.n; i++)
        if (changes.v[i].kind != CHANGE_DELETED)
            map_put(&changed, changes.v[i].path + 1, &changes);
    o->skip = skip_unchanged;
    o->skip_arg = &changed;
    t = tree_tar_new(o);
    rc = tree_tar_add_below(t, d->upper, e);
    for (size_t i = 0; i < changes.n && rc == 0; i++)
        if (changes.v[i].kind == CHANGE_DELETED)
            rc = tree_tar_whiteout(t, changes.v[i].path + 1, e);
    *empty = changes.n == 0;
    map_release(&changed);
    tree_changes_release(&changes);
    return rc || tree_tar_end(t, e) ? -1 : 0;
}

int diff_tar(const struct diff *d, write_fn *write, void *arg, struct cancel *c, bool *empty,
             struct err *e)
{
    struct tree_tar_opts o = {.write = write, .arg = arg, .cancel = c, .id_base = d->id_base};

    return d->overlay ? tar_overlay(d, &o, empty, e) : tar_compared(d, &o, empty, e);
}
