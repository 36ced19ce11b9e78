/*
 * tree_tar: what lies below a directory, as a tar.
 *
 * The tree may belong to a running container that changes it under our hands, on purpose if it is
 * hostile.  So everything is opened by descriptor, one component at a time, without following any
 * link; what was looked at is what is read; nothing but directories and regular files is ever
 * opened, so no pipe, device or socket can block or be touched.  What vanishes meanwhile is left
 * out, a file that shrinks is filled with zeros, and the file systems of the kernel (proc, sysfs,
 * ...) are empty directories.  Names come in the order of their bytes, as Docker has them.
 *
 * With `layer` the tree is the upper directory of an overlay, and what comes out is an image's
 * layer: whiteouts become ".wh.x", opaque directories get ".wh..wh..opq".
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/err.h"
#include "images/tar.h"

struct cancel;

#define TREE_DEPTH_MAX 256

struct tree_tar_opts {
    write_fn *write; /* gets large pieces */
    void *arg;
    struct cancel *cancel;
    int64_t id_base; /* subtracted from owners: those of a user namespace */
    bool layer;
    /* May leave an entry out; path is its name in the tar.  NULL: nothing is left out. */
    bool (*skip)(void *skip_arg, const char *path, const struct stat *st);
    void *skip_arg;
};

struct tree_tar;
struct tree_tar *tree_tar_new(const struct tree_tar_opts *o);
void tree_tar_free(struct tree_tar *t);
static inline void tree_tar_free_p(struct tree_tar **t)
{
    tree_tar_free(*t);
}
#define cleanup_tree_tar CLEANUP(tree_tar_free_p)

/* `base` of dir_fd, and what is below it, under the name `name` ("." and "/" are names, too). */
int tree_tar_add(struct tree_tar *t, int dir_fd, const char *base, const char *name,
                 struct err *e) MUST_USE;
/* What is below dir_fd, but not itself. */
int tree_tar_add_below(struct tree_tar *t, int dir_fd, struct err *e) MUST_USE;
/* "etc/x" is not there any more: "etc/.wh.x" */
int tree_tar_whiteout(struct tree_tar *t, const char *path, struct err *e) MUST_USE;
bool tree_tar_empty(const struct tree_tar *t); /* no entry so far */
int tree_tar_end(struct tree_tar *t, struct err *e) MUST_USE;

/* Is this a file system that the kernel makes up: proc, sysfs, cgroup, devpts, ...? */
bool tree_is_kernels(int fd);
