/*
 * decompress: one pulling reader over gzip, zstd, xz, bzip2 or plain bytes, told by their magic.
 *
 * Memory does not grow with the input: one window of input and the decoder's own state.  Members
 * may be concatenated (pigz, zstd frames, skippable frames).  Truncation and trailing rubbish are
 * errors; zero bytes after the last member are padding.
 */
#pragma once

#include "base/compiler.h"
#include "base/err.h"

/* Reads 1..n bytes; *got is 0 at the end.  The same shape as images_read_fn. */
typedef int read_fn(void *arg, void *buf, size_t n, size_t *got, struct err *e);

enum compression {
    COMPRESSION_NONE,
    COMPRESSION_GZIP,
    COMPRESSION_ZSTD,
    COMPRESSION_XZ,
    COMPRESSION_BZIP2
};

struct decompress;
/* Reads the first bytes at once, to tell what it is. */
int decompress_open(read_fn *read, void *arg, struct decompress **out, struct err *e) MUST_USE;
enum compression decompress_kind(const struct decompress *d);
int decompress_read(void *d, void *buf, size_t n, size_t *got, struct err *e) MUST_USE;
void decompress_free(struct decompress *d);
static inline void decompress_free_p(struct decompress **d)
{
    decompress_free(*d);
}
#define cleanup_decompress CLEANUP(decompress_free_p)
