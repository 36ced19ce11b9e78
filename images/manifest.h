/*
 * manifest: image manifests and indexes, Docker's (schema 2, list) and OCI's alike.
 *
 * What a document is, its own mediaType says, else the Content-Type it came with, else its shape; a
 * document that could be read both ways is refused (CVE-2021-41190).  Limits are checked here, so
 * that nothing that follows meets a manifest it cannot hold.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define MANIFEST_MAX       (4 * 1024 * 1024) /* the distribution specification's own number */
#define MANIFEST_LAYERS    500               /* what overlayfs can stack */
#define MANIFEST_ENTRIES   4096
#define INDEX_DEPTH_MAX    3
#define MEDIA_DOCKER_IMAGE "application/vnd.docker.distribution.manifest.v2+json"
#define MEDIA_DOCKER_LIST  "application/vnd.docker.distribution.manifest.list.v2+json"
#define MEDIA_OCI_IMAGE    "application/vnd.oci.image.manifest.v1+json"
#define MEDIA_OCI_INDEX    "application/vnd.oci.image.index.v1+json"
#define MEDIA_OCI_CONFIG   "application/vnd.oci.image.config.v1+json"
#define MEDIA_OCI_LAYER    "application/vnd.oci.image.layer.v1.tar"

struct platform {
    char *os, *arch, *variant; /* Go's names; "" when not said */
};

struct descriptor {
    char *media_type, *digest;
    int64_t size;
    struct platform platform;
    struct kvs annotations;
};

struct manifest {
    bool is_index;
    char *media_type;
    struct descriptor config; /* an image's */
    struct descriptor *v;     /* an image's layers, lowest first; an index's manifests */
    size_t n;
};

/* content_type may be NULL. */
int manifest_parse(const char *text, size_t len, const char *content_type, struct manifest *out,
                   struct err *e) MUST_USE;
void manifest_release(struct manifest *m);
#define cleanup_manifest CLEANUP(manifest_release)

/* "linux/arm/v7"; NULL or "": this host. */
int platform_parse(const char *text, struct platform *out, struct err *e) MUST_USE;
void platform_release(struct platform *p);
char *platform_text(const struct platform *p);
#define cleanup_platform CLEANUP(platform_release)
/* How well `have` runs on `want`: 0 best, -1 not at all.  strict: no older variants. */
int platform_rank(const struct platform *have, const struct platform *want, bool strict);
/* The best entry of an index, or NULL. */
const struct descriptor *manifest_choose(const struct manifest *index, const struct platform *want,
                                         bool strict);
