/*
 * tree_path: a path inside a container, as `docker cp` means it.
 *
 * Everything is resolved below the root's descriptor, by the kernel, in one go
 * (fs_open_in_root()).  Errors are dockerd's: what is not there is ERR_NOT_FOUND, and whoever knows
 * the container puts the words around it; else "lstat /x/: not a directory".
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/err.h"

struct tree_stat {
    char *name; /* the last component, "." and ".." as they are, "/" the root */
    int64_t size, mtime_ns;
    uint32_t mode;     /* the bits of Go's os.FileMode */
    char *link_target; /* of a link: where it leads in the end, absolute; else "" */
};
void tree_stat_release(struct tree_stat *s);

/* "w//x/../y/" is "/w/y/": clean and absolute, but "/" and "/." at the end are kept. */
char *tree_path_absolute(const char *path);
uint32_t tree_mode_go(mode_t mode);
/* Does not follow a link at the end, unless a slash follows. */
int tree_path_stat(int root_fd, const char *path, struct tree_stat *out, struct err *e) MUST_USE;
/* O_PATH, without following the last component unless a slash follows it. */
int tree_path_open(int root_fd, const char *path, struct err *e);
/* Where a path leads, as far as it can be followed; as text, to be shown and compared only. */
char *tree_path_follow(int root_fd, const char *path, struct err *e);
/* What lies there into a tar, as `docker cp` names it; path is absolute, and st what it was. */
struct tree_tar;
int tree_path_pack(struct tree_tar *t, int root_fd, const char *path, const struct tree_stat *st,
                   struct err *e) MUST_USE;
/* The directory into which an archive goes, through links; *where its name. */
int tree_path_open_dir(int root_fd, const char *path, char **where, struct err *e);
