/*
 * remove_at: see remove_at.h.
 *
 * Instead of descending, a directory that is not empty hands its subdirectories up to the top of
 * the tree, so that nothing is ever more than two levels deep.
 */
#include "images/remove_at.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/str.h"

static DIR *open_dir(int dir_fd, const char *name)
{
    int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);

    if (!d)
        fd_close(fd);
    return d;
}

static bool is_dots(const char *name)
{
    return str_eq(name, ".") || str_eq(name, "..");
}

/* A file or an empty directory; 1 when it is a directory that is not empty. */
static int remove_one(int dir_fd, const char *name, struct err *e)
{
    if (!unlinkat(dir_fd, name, 0) || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return err_os(e, errno, "cannot remove \"%s\"", name);
    if (!unlinkat(dir_fd, name, AT_REMOVEDIR))
        return 0;
    if (errno == ENOTEMPTY || errno == EEXIST)
        return 1;
    return err_os(e, errno, "cannot remove \"%s\"", name);
}

/* Empties `name` in top_fd: files go, directories with content move up into top_fd. */
static int flatten(int top_fd, const char *name, unsigned *serial, struct err *e)
{
    DIR *d = open_dir(top_fd, name);
    struct dirent *de;
    int rc = 0;

    if (!d)
        return err_os(e, errno, "cannot open \"%s\"", name);
    while (rc == 0 && (de = readdir(d))) {
        if (is_dots(de->d_name))
            continue;
        rc = remove_one(dirfd(d), de->d_name, e);
        while (rc == 1) {
            char up[32];

            snprintf(up, sizeof(up), ".remove-%u", ++*serial);
            if (!renameat2(dirfd(d), de->d_name, top_fd, up, RENAME_NOREPLACE))
                rc = 0;
            else if (errno != EEXIST)
                rc = err_os(e, errno, "cannot move \"%s\"", de->d_name);
        }
    }
    closedir(d);
    return rc;
}

static int empty_tree(int dir_fd, const char *name, struct err *e)
{
    unsigned serial = 0;

    for (bool clean = false; !clean;) {
        DIR *d = open_dir(dir_fd, name);
        struct dirent *de;
        int rc = 0;

        if (!d)
            return errno == ENOENT ? 0 : err_os(e, errno, "cannot open \"%s\"", name);
        clean = true;
        while (rc == 0 && (de = readdir(d))) {
            if (is_dots(de->d_name))
                continue;
            clean = false;
            rc = remove_one(dirfd(d), de->d_name, e);
            if (rc == 1)
                rc = flatten(dirfd(d), de->d_name, &serial, e);
        }
        closedir(d);
        if (rc)
            return -1;
    }
    return 0;
}

int remove_at(int dir_fd, const char *name, struct err *e)
{
    int rc = remove_one(dir_fd, name, e);

    if (rc <= 0)
        return rc;
    if (empty_tree(dir_fd, name, e))
        return -1;
    return remove_one(dir_fd, name, e) ? -1 : 0;
}
