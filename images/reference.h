/*
 * reference: image names, in Docker's two spellings.
 *
 * Canonical: "docker.io/library/busybox:latest"; familiar: "busybox:latest".  The grammar is the
 * distribution project's reference.go; a name of 64 hex digits is refused.  Errors are Docker's:
 * "invalid reference format", "invalid reference format: repository name (foo/Bar) must be
 * lowercase".
 */
#pragma once

#include "base/err.h"

struct reference {
    char *domain; /* "docker.io", "localhost:5000" */
    char *path;   /* "library/busybox" */
    char *tag;    /* NULL: none */
    char *digest; /* NULL: none */
};

int reference_parse(const char *text, struct reference *out, struct err *e) MUST_USE;
void reference_release(struct reference *r);
void reference_copy(struct reference *dst, const struct reference *src);
void reference_default_tag(struct reference *r); /* "latest" when it has neither tag nor digest */
char *reference_canonical(const struct reference *r); /* with tag and digest as far as set */
char *reference_familiar(const struct reference *r);
char *reference_familiar_name(const struct reference *r); /* without tag and digest */
#define cleanup_reference CLEANUP(reference_release)
