/*
 * layer_whiteout: see layer_apply.h for the two forms.
 *
 * The image specification says that a whiteout hides what the layers below have, never what its own
 * layer brings, and tars put them in either order.  So in overlay form a whiteout of a directory
 * that this layer has made becomes its opaqueness; in flat form, what this layer brought is noted.
 */
#include "images/layer_whiteout.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "images/remove_at.h"

#define OPAQUE    ".wh..wh..opq"
#define META      ".wh..wh." /* aufs kept its own things under such names */
#define DEPTH_MAX 256

void whiteouts_init(struct whiteouts *w, enum whiteout_form form)
{
    *w = (struct whiteouts){.form = form, .fresh = MAP_INIT(NULL)};
}

void whiteouts_release(struct whiteouts *w)
{
    map_release(&w->fresh);
}

void whiteouts_note(struct whiteouts *w, const char *path)
{
    cleanup_free char *p = NULL;

    if (w->form != WHITEOUT_FLAT || str_starts(path_base(path), WHITEOUT_PREFIX))
        return;
    p = xstrdup(path);
    for (;;) {
        char *slash = strrchr(p, '/');

        if (map_get(&w->fresh, p))
            return;
        map_put(&w->fresh, p, w);
        if (!slash)
            return;
        *slash = '\0';
    }
}

bool whiteout_is(const struct stat *st)
{
    return S_ISCHR(st->st_mode) && st->st_rdev == 0;
}

int whiteout_set_opaque(int dir_fd, const char *name, struct err *e)
{
    cleanup_free char *path = str_printf("/proc/self/fd/%d/%s", dir_fd, name);

    if (lsetxattr(path, "trusted.overlay.opaque", "y", 1, 0))
        return err_os(e, errno, "cannot make \"%s\" opaque", name);
    return 0;
}

static int overlay_whiteout(int dir_fd, const char *name, struct err *e)
{
    struct stat st;

    if (!fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW))
        return S_ISDIR(st.st_mode) ? whiteout_set_opaque(dir_fd, name, e) : 0;
    if (errno != ENOENT || mknodat(dir_fd, name, S_IFCHR, 0))
        return err_os(e, errno, "cannot make the whiteout of \"%s\"", name);
    return 0;
}

/* Removes from a directory what is not fresh; path is its name in the layer, "" the root. */
static int remove_stale(struct whiteouts *w, int dir_fd, const char *path, unsigned depth,
                        struct err *e)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *de;
    int rc = 0;

    if (!d)
        return err_os(e, errno, "cannot open \"%s\"", path);
    if (depth > DEPTH_MAX)
        rc = err_set(e, ERR_INVALID, "an opaque whiteout above more than %d levels", DEPTH_MAX);
    while (rc == 0 && (de = readdir(d))) {
        cleanup_free char *name = NULL;
        cleanup_fd int sub = -1;

        if (str_eq(de->d_name, ".") || str_eq(de->d_name, ".."))
            continue;
        name = str_printf("%s%s%s", path, *path ? "/" : "", de->d_name);
        if (!map_get(&w->fresh, name)) {
            rc = remove_at(fd, de->d_name, e);
            continue;
        }
        sub = openat(fd, de->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (sub >= 0)
            rc = remove_stale(w, sub, name, depth + 1, e);
    }
    closedir(d);
    return rc;
}

static int flat_whiteout(struct whiteouts *w, int dir_fd, const char *dir, const char *name,
                         struct err *e)
{
    cleanup_free char *path = str_printf("%s%s%s", dir, *dir ? "/" : "", name);
    cleanup_fd int sub = -1;

    if (!map_get(&w->fresh, path))
        return remove_at(dir_fd, name, e);
    sub = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return sub < 0 ? 0 : remove_stale(w, sub, path, 0, e);
}

int whiteouts_apply(struct whiteouts *w, struct path_walk *walk, const char *dir, const char *base,
                    struct err *e)
{
    const char *name = base + strlen(WHITEOUT_PREFIX);
    bool opaque = str_eq(base, OPAQUE);
    int fd, rc;

    if (!opaque && str_starts(base, META))
        return 0;
    if (!*name || str_eq(name, ".") || str_eq(name, ".."))
        return err_set(e, ERR_INVALID, "it is a whiteout of nothing");
    if (path_walk_dir(walk, dir, true, &fd, e))
        return -1;
    if (w->form == WHITEOUT_OVERLAY)
        rc = opaque ? whiteout_set_opaque(fd, ".", e) : overlay_whiteout(fd, name, e);
    else
        rc = opaque ? remove_stale(w, fd, dir, 0, e) : flat_whiteout(w, fd, dir, name, e);
    path_walk_forget(walk);
    return rc;
}
