/* digest: SHA-256, streaming and at once, in OCI's spelling "sha256:<64 hex>". */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"

#define DIGEST_TEXT_MAX 72 /* "sha256:" + 64 + NUL */

struct digest;
struct digest *digest_new(void);
void digest_update(struct digest *d, const void *bytes, size_t n);
/* Ends it; the object can only be freed afterwards. */
void digest_final(struct digest *d, char out[DIGEST_TEXT_MAX]);
void digest_free(struct digest *d);

void digest_of(const void *bytes, size_t n, char out[DIGEST_TEXT_MAX]);
bool digest_valid(const char *s);      /* "sha256:" and 64 lower-case hex digits */
const char *digest_hex(const char *s); /* what follows "sha256:", or s itself */
