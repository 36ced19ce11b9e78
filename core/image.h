/*
 * image: the noun.  The ID is the digest of the config blob; tags and repository digests point at
 * it.  Immutable snapshots, as core/container.h has them.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "core/container.h"

struct image_history {
    int64_t created_ns; /* TIME_ZERO: absent */
    char *created_by, *comment, *author;
    bool empty_layer;
};

struct image {
    _Atomic int refs;
    char *id;                 /* "sha256:..." */
    struct strv repo_tags;    /* familiar: "busybox:latest" */
    struct strv repo_digests; /* familiar: "busybox@sha256:..." */
    char *os, *architecture, *variant, *author, *comment, *docker_version;
    int64_t created_ns, last_tag_ns; /* TIME_ZERO: absent */
    int64_t size;                    /* unpacked bytes of all layers */
    struct strv diff_ids;
    struct strv chain_ids; /* lowest first; "sha256:..." */
    char *parent;
    /* config: of these only what an image can have is set (Env, Cmd, User, Labels, ...) */
    struct container_spec *config;
    struct image_history *history;
    size_t n_history;
    char *manifest_digest; /* the manifest it was pulled or loaded with; "" when none */
    char *manifest_media_type;
    int64_t manifest_size;
};

struct image *image_new(void);
struct image *image_copy(const struct image *i); /* refs 1 */
struct image *image_ref(const struct image *i);
void image_unref(const struct image *i);
static inline void image_unref_p(struct image **i)
{
    if (*i)
        image_unref(*i);
}
#define cleanup_image CLEANUP(image_unref_p)
/* The config blob (OCI image-spec config.md, Docker's v1.2 is the same but for additions). */
int image_config_decode(const char *text, size_t len, struct image *out, struct err *e) MUST_USE;
