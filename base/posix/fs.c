/*
 * fs on POSIX: whole files and names.  Trees are in fs_tree.c, opening below a root in fs_root.c.
 *
 * An error's os_code is the errno; ENOENT of a named file becomes ERR_NOT_FOUND where fs.h says so.
 */
#include "base/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/id.h"
#include "base/mem.h"

static int os_error(struct err *e, const char *doing, const char *path)
{
    int code = errno;

    err_os(e, code, "%s %s", doing, path);
    if (code == ENOENT)
        e->kind = ERR_NOT_FOUND;
    return -1;
}

static int write_all(int fd, const char *bytes, size_t n, const char *path, struct err *e)
{
    while (n > 0) {
        ssize_t r = FAULT("fs.write") ? (errno = ENOSPC, -1) : write(fd, bytes, n);

        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return err_os(e, errno, "write %s", path);
        bytes += r;
        n -= (size_t)r;
    }
    return 0;
}

/* Creates "<path>.<random>" and leaves its name in *tmp. */
static int create_beside(const char *path, char **tmp, struct err *e)
{
    unsigned long long random;
    int fd;

    do {
        random_bytes(&random, sizeof(random));
        free(*tmp);
        *tmp = str_printf("%s.%012llx", path, random & 0xffffffffffffULL);
        fd = open(*tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    } while (fd < 0 && (errno == EEXIST || errno == EINTR));
    return fd < 0 ? os_error(e, "create", path) : fd;
}

static int write_temp(int fd, const char *path, const void *bytes, size_t n, unsigned mode,
                      bool durable, struct err *e)
{
    if (write_all(fd, bytes, n, path, e))
        return -1;
    if (fchmod(fd, mode))
        return err_os(e, errno, "set the mode of %s", path);
    if (durable && fsync(fd))
        return err_os(e, errno, "sync %s", path);
    return 0;
}

int fs_write_atomic(const char *path, const void *bytes, size_t n, unsigned mode, bool durable,
                    struct err *e)
{
    cleanup_free char *tmp = NULL;
    cleanup_free char *dir = path_dir(path);
    cleanup_fd int fd = create_beside(path, &tmp, e);

    if (fd < 0)
        return -1;
    if (write_temp(fd, path, bytes, n, mode, durable, e)) {
        unlink(tmp);
        return -1;
    }
    if (FAULT("fs.rename") ? (errno = EIO, -1) : rename(tmp, path)) {
        os_error(e, "replace", path);
        unlink(tmp);
        return -1;
    }
    return durable ? fs_sync_dir(dir, e) : 0;
}

int fs_read(const char *path, struct buf *out, struct err *e)
{
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    char chunk[16 * 1024];
    ssize_t r;

    if (fd < 0)
        return os_error(e, "open", path);
    for (;;) {
        r = read(fd, chunk, sizeof(chunk));
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return err_os(e, errno, "read %s", path);
        if (r == 0)
            return 0;
        buf_add(out, chunk, (size_t)r);
        if (buf_check(out, path, e))
            return -1;
    }
}

int fs_rewrite(const char *path, const void *bytes, size_t n, unsigned mode, struct err *e)
{
    cleanup_fd int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY, mode);

    if (fd < 0)
        return os_error(e, "open", path);
    /* Cut last: a reader in between sees old or new lines, not an empty file. */
    if (write_all(fd, bytes, n, path, e))
        return -1;
    if (ftruncate(fd, (off_t)n))
        return err_os(e, errno, "truncate %s", path);
    if (fchmod(fd, mode))
        return err_os(e, errno, "set the mode of %s", path);
    return 0;
}

static int mkdir_one(const char *path, unsigned mode, struct err *e)
{
    if (mkdir(path, mode) == 0 || errno == EEXIST)
        return 0;
    return os_error(e, "create directory", path);
}

int fs_mkdir_p(const char *path, unsigned mode, struct err *e)
{
    cleanup_free char *p = path_clean(path);

    /* All but the last are there, mostly. */
    if (fs_is_dir(p) || mkdir(p, mode) == 0)
        return 0;
    for (char *slash = strchr(p + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir_one(p, mode, e))
            return -1;
        *slash = '/';
    }
    if (mkdir_one(p, mode, e))
        return -1;
    if (!fs_is_dir(p))
        return err_os(e, ENOTDIR, "create directory %s", path);
    return 0;
}

int fs_remove(const char *path, struct err *e)
{
    if (unlink(path) && errno != ENOENT)
        return err_os(e, errno, "remove %s", path);
    return 0;
}

int fs_remove_empty(const char *path, struct err *e)
{
    if (rmdir(path) && errno != ENOENT)
        return err_os(e, errno, "remove %s", path);
    return 0;
}

int fs_rename(const char *from, const char *to, struct err *e)
{
    if (rename(from, to) == 0)
        return 0;
    err_os(e, errno, "rename %s to %s", from, to);
    if (e->os_code == ENOENT)
        e->kind = ERR_NOT_FOUND;
    return -1;
}

bool fs_exists(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

bool fs_is_dir(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static void close_dir_p(DIR **d)
{
    if (*d)
        closedir(*d);
}

int fs_list(const char *path, struct strv *names, struct err *e)
{
    __attribute__((cleanup(close_dir_p))) DIR *d = opendir(path);
    cleanup_strv struct strv list = {0};
    const struct dirent *entry;

    if (!d)
        return os_error(e, "list", path);
    while ((errno = 0, entry = readdir(d)))
        if (!str_eq(entry->d_name, ".") && !str_eq(entry->d_name, ".."))
            strv_add(&list, entry->d_name);
    if (errno)
        return err_os(e, errno, "list %s", path);
    strv_sort(&list);
    strv_release(names);
    *names = list;
    list = (struct strv){0};
    return 0;
}

int fs_sync_dir(const char *path, struct err *e)
{
    cleanup_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return os_error(e, "open", path);
    /* EINVAL: this file system has nothing to sync in a directory */
    if (fsync(fd) && errno != EINVAL)
        return err_os(e, errno, "sync %s", path);
    return 0;
}

int fs_give(const char *path, uint32_t owner, struct err *e)
{
    return chown(path, owner, owner) ? err_os(e, errno, "give %s away", path) : 0;
}

bool fs_has_link(const char *dir, const char *name, const char *text)
{
    cleanup_fd int fd = open(dir, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    const size_t len = strlen(text);
    cleanup_free char *is = xmalloc(len + 1);
    ssize_t n = fd < 0 ? -1 : readlinkat(fd, name, is, len + 1);

    return n == (ssize_t)len && memcmp(is, text, len) == 0;
}

int fs_open_dir(const char *path, struct err *e)
{
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 ? err_os(e, errno, "open %s", path) : fd;
}

int fs_disk_free(const char *path, int64_t *free_bytes, int64_t *total_bytes, struct err *e)
{
    struct statvfs st;

    if (statvfs(path, &st))
        return os_error(e, "measure the file system of", path);
    *free_bytes = (int64_t)(st.f_bavail * st.f_frsize);
    *total_bytes = (int64_t)(st.f_blocks * st.f_frsize);
    return 0;
}

bool path_is_abs(const char *p)
{
    return *p == '/';
}
