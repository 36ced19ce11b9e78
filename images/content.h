/*
 * content: blobs by digest, below <data_root>/blobs/sha256.
 *
 * A blob appears whole, with the digest its name says, or not at all: it is written to a file
 * without a name (O_TMPFILE; a file in blobs/tmp where the file system has none) and linked into
 * place when the bytes are proved.  Who needs a blob is not known here.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/str.h"

struct content;
struct blob_writer;

/* Makes the directories and removes what a killed predecessor left in blobs/tmp. */
int content_open_store(const char *data_root, struct content **out, struct err *e) MUST_USE;
void content_free(struct content *c);

bool content_has(const struct content *c, const char *digest, int64_t *size);
/* A read-only descriptor, or -1. */
int content_open(const struct content *c, const char *digest, int64_t *size, struct err *e);
/* A small blob (manifest, config), appended to out; proves the digest again. */
int content_read(const struct content *c, const char *digest, struct buf *out,
                 struct err *e) MUST_USE;
int content_put(struct content *c, const void *bytes, size_t n, char digest[DIGEST_TEXT_MAX],
                struct err *e) MUST_USE;
int content_remove(struct content *c, const char *digest, struct err *e) MUST_USE;
int content_list(const struct content *c, struct strv *digests, struct err *e) MUST_USE;
/* Everything written so far is on the disk. */
int content_sync(struct content *c, struct err *e) MUST_USE;

int blob_create(struct content *c, struct blob_writer **out, struct err *e) MUST_USE;
int blob_write(struct blob_writer *w, const void *bytes, size_t n, struct err *e) MUST_USE;
int64_t blob_size(const struct blob_writer *w);
/* Nothing is written after this; the digest is known before the blob can be seen, so that it can be
 * pinned first. */
void blob_seal(struct blob_writer *w, char digest[DIGEST_TEXT_MAX]);
/*
 * Ends the writer, whatever is returned.  expect (NULL: any) and expect_size (-1: any) must match.
 */
int blob_commit(struct blob_writer *w, const char *expect, int64_t expect_size,
                char digest[DIGEST_TEXT_MAX], struct err *e) MUST_USE;
void blob_abort(struct blob_writer *w); /* NULL is fine */
static inline void blob_abort_p(struct blob_writer **w)
{
    blob_abort(*w);
}
#define cleanup_blob CLEANUP(blob_abort_p)
