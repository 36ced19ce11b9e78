/*
 * fs: files that appear complete or not at all, and paths that stay inside their root.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"

/* Temp file beside it, fsync, rename, fsync of the directory when `durable`. */
int fs_write_atomic(const char *path, const void *bytes, size_t n, unsigned mode, bool durable,
                    struct err *e) MUST_USE;
/* Appends the whole file to out (whose max applies).  A missing file is ERR_NOT_FOUND. */
int fs_read(const char *path, struct buf *out, struct err *e) MUST_USE;
/* Overwrites in place: the inode stays, which a bind-mounted /etc/hosts needs. */
int fs_rewrite(const char *path, const void *bytes, size_t n, unsigned mode,
               struct err *e) MUST_USE;
int fs_mkdir_p(const char *path, unsigned mode, struct err *e) MUST_USE;
/* Recursive, never follows a symlink, never leaves the tree or crosses into a mount's target by
 * name; the absent is success. */
int fs_remove_all(const char *path, struct err *e) MUST_USE;
int fs_remove(const char *path, struct err *e) MUST_USE;       /* a file; the absent is success */
int fs_remove_empty(const char *path, struct err *e) MUST_USE; /* a directory; absent: success */
int fs_rename(const char *from, const char *to, struct err *e) MUST_USE;
bool fs_exists(const char *path);
bool fs_is_dir(const char *path);
int fs_list(const char *path, struct strv *names, struct err *e) MUST_USE; /* sorted, no . and .. */
int fs_sync_dir(const char *path, struct err *e) MUST_USE;
/* Absolute, without symlinks; the caller frees *out.  What is not there is ERR_NOT_FOUND. */
int fs_real_path(const char *path, char **out, struct err *e) MUST_USE;
int fs_disk_free(const char *path, int64_t *free_bytes, int64_t *total_bytes,
                 struct err *e) MUST_USE;
/* The owner, also as group, of a file that is no symlink. */
int fs_give(const char *path, uint32_t owner, struct err *e) MUST_USE;
/* Has dir, itself no symlink, a symlink of that name with exactly this text? */
bool fs_has_link(const char *dir, const char *name, const char *text);
/* A descriptor (cleanup_fd) that only names the directory. */
int fs_open_dir(const char *path, struct err *e) MUST_USE;
/* Total bytes of the files below, and of the targets of symlinks; a file of several names counts
 * once. */
int fs_tree_size(const char *path, int64_t *bytes, struct err *e) MUST_USE;

/* Joins with one '/', collapses "//" and "." and resolves ".." by text ("/a/../b" is "/b"). */
char *path_join(const char *a, const char *b);
char *path_clean(const char *p);
const char *path_base(const char *p);
char *path_dir(const char *p);
bool path_is_abs(const char *p);

/* POSIX only (base/posix): */
/* openat2 with RESOLVE_IN_ROOT; falls back to a walk by hand where the kernel has none. */
int fs_open_in_root(int root_fd, const char *path, int flags, unsigned mode, struct err *e);
void fd_close(int fd); /* keeps errno; ignores -1 */
static inline void fd_close_p(int *fd)
{
    if (*fd >= 0)
        fd_close(*fd);
}
#define cleanup_fd CLEANUP(fd_close_p)
#define take_fd(fd)       \
    ({                    \
        int *fd_ = &(fd); \
        int old_ = *fd_;  \
        *fd_ = -1;        \
        old_;             \
    })
