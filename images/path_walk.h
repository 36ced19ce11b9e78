/*
 * path_walk: finds the directory in which an entry of a tar belongs, without leaving the root.
 *
 * openat2(RESOLVE_IN_ROOT) answers the same question, but not in old kernels and not through every
 * seccomp filter; this walk is the only way here, so that it is the one that is tested.  Each step
 * is by descriptor and follows nothing, so whoever exchanges things meanwhile leads nobody out.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct path_walk {
    int root_fd;   /* borrowed */
    int fd;        /* of the directory last found, O_PATH; -1: none */
    char *dir;     /* its name, as it was asked for */
    int64_t owner; /* user and group of the directories that are made; 0: nothing is changed */
};

/* dir: cleaned, relative, "" for the root.  Missing directories are made, 0755.  The descriptor
 * stays the walker's, and good until the next call. */
int path_walk_dir(struct path_walk *w, const char *dir, bool create, int *fd, struct err *e);
/* To be called when something that could have been a directory was removed. */
void path_walk_forget(struct path_walk *w);
