/* tar_internal: the header block, and what the files of the tar reader share. */
#pragma once

#include "images/tar.h"

struct tar_header {
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100];
    char magic[8], uname[32], gname[32], dev_major[8], dev_minor[8], prefix[155], pad[12];
};
_Static_assert(sizeof(struct tar_header) == TAR_BLOCK, "a tar header is one block");

/* What extension headers said about the entry that follows. */
struct extension {
    unsigned count;
    char *name, *link, *sparse_name;
    bool has_size, has_uid, has_gid, has_mtime;
    int64_t size, uid, gid;
    struct timespec mtime;
    struct tar_xattr *xattrs;
    size_t n_xattrs;

    bool sparse;
    int64_t sparse_major, real_size;
    struct tar_segment *segments;
    size_t n_segments;
    int64_t pending_offset; /* waits for its length */
    bool has_pending;
    int64_t map_left; /* pax 1.0: numbers that the map still owes, once its count is read */
    bool map_begun;
    char partial[24]; /* a number that a block's end cut in two */
    size_t partial_len;
};
void tar_extension_release(struct extension *x);

/* Octal, or base-256 when the first bit is set. */
int tar_number(const char *field, size_t n, int64_t *out);
int tar_pax_parse(struct extension *x, const char *data, size_t len, struct err *e) MUST_USE;
/* 1: another block follows, 0: complete. */
int tar_old_sparse(struct extension *x, const uint8_t *block, bool first, struct err *e);
int tar_pax1_sparse(struct extension *x, const char *block, struct err *e);
/* In order, not overlapping, inside real_size, and as long together as the data. */
int tar_sparse_check(const struct extension *x, int64_t data, const char *name,
                     struct err *e) MUST_USE;
