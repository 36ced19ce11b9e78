/*
 * tar: reading and writing of tar streams, by hand.
 *
 * Layers come from strangers, and what unpacks them must know every byte of what it was told: names
 * stay the bytes they are (no locale has a say), limits are ours, and the fuzzer sees all of it.
 * Read: v7, ustar, GNU (long names, base-256, old sparse) and pax (0.0, 0.1 and 1.0 sparse,
 * SCHILY.xattr).  Written: ustar with pax records where a value does not fit.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/err.h"
#include "images/decompress.h"

#define TAR_BLOCK         512
#define TAR_EXTENSION_MAX (1024 * 1024) /* a pax header or a long name; Go's limit as well */
#define TAR_SPARSE_MAX    (256 * 1024)  /* segments, 4 MiB */

enum tar_type {
    TAR_FILE,
    TAR_HARDLINK,
    TAR_SYMLINK,
    TAR_CHAR,
    TAR_BLOCKDEV,
    TAR_DIR,
    TAR_FIFO,
};

struct tar_xattr {
    char *name;
    char *value;
    size_t len;
};

struct tar_segment {
    int64_t offset, len;
};

struct tar_entry {
    enum tar_type type;
    char *name, *link; /* as they are in the archive; link "" when there is none */
    uint32_t mode;     /* 07777 */
    int64_t uid, gid;
    int64_t size; /* of the file; a sparse one has fewer bytes in the archive */
    struct timespec mtime;
    int64_t dev_major, dev_minor;
    struct tar_xattr *xattrs;
    size_t n_xattrs;
    bool sparse;
    struct tar_segment *segments;
    size_t n_segments;
};

struct tar_reader;
struct tar_reader *tar_reader_new(read_fn *read, void *arg);
void tar_reader_free(struct tar_reader *r);
static inline void tar_reader_free_p(struct tar_reader **r)
{
    tar_reader_free(*r);
}
#define cleanup_tar_reader CLEANUP(tar_reader_free_p)
/* The next entry, good until the following call; *out is NULL at the end of the archive. */
int tar_next(struct tar_reader *r, const struct tar_entry **out, struct err *e) MUST_USE;
/* The entry's bytes, piece by piece, borrowed from the reader; *n is 0 at their end. */
int tar_data(struct tar_reader *r, const void **p, size_t *n, struct err *e) MUST_USE;
/* Reads whatever follows the archive's end, so that who hashes the stream sees all of it. */
int tar_drain(struct tar_reader *r, struct err *e) MUST_USE;

/* ---- writing */
typedef int write_fn(void *arg, const void *buf, size_t n, struct err *e);
struct tar_writer {
    write_fn *write;
    void *arg;
    int64_t left; /* bytes that the entry still owes */
    int64_t padding;
};
/* Of the time only the seconds, as Docker has it; nothing is written sparse. */
int tar_put_header(struct tar_writer *w, const struct tar_entry *t, struct err *e) MUST_USE;
int tar_put_data(struct tar_writer *w, const void *p, size_t n, struct err *e) MUST_USE;
int tar_put_file(struct tar_writer *w, const char *name, const void *p, size_t n,
                 struct err *e) MUST_USE;
int tar_put_end(struct tar_writer *w, struct err *e) MUST_USE;
