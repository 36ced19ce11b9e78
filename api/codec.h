/*
 * codec: from the nouns of core/ to the JSON that Docker's clients read.
 *
 * Each writes one value.  Whether something is null, [] or left out is part of the shape: clients
 * check it.  Lists are written in one pass into one buffer; nothing is allocated per field.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "core/container.h"
#include "core/event.h"
#include "core/image.h"
#include "core/network.h"
#include "core/volume.h"

struct engine;
struct exec_info;

#define REPLY_MAX (256 << 20)

/* What a container's JSON needs besides the container. */
struct codec {
    struct engine *engine;
    int version;
    int64_t now_ns;
    const char *root_dir, *exec_root;
    bool size; /* SizeRw and SizeRootFs */
};

/* ---- containers */
/* "Up 3 seconds", "Exited (137) 2 minutes ago" */
void container_status_text(const struct container *c, int64_t now_ns, char *out, size_t size);
/* image: its name, or its ID once the name means another image. */
void container_write_summary(struct jsonw *w, const struct codec *k, const struct container *c,
                             const char *image);
void container_write_inspect(struct jsonw *w, const struct codec *k, const struct container *c);
/* The names of the networks it is on, or will be. */
void container_networks(const struct container *c, struct strv *names, struct strv *ids);

/* ---- networks: `containers` may be NULL */
struct container_list;
void network_write(struct jsonw *w, const struct network *n,
                   const struct container_list *containers);

/* ---- volumes; ref_count -1: without UsageData */
bool volume_is_plain(const struct volume *v);
void volume_write(struct jsonw *w, const struct volume *v, int64_t ref_count, int64_t size);

/* ---- images */
/* tags, digests: NULL for the image's own, or those that a filter left.  shared: bytes, as
 * /system/df has them; -1: not asked for. */
void image_write_summary(struct jsonw *w, const struct image *i, const struct strv *tags,
                         const struct strv *digests, int version, int64_t containers,
                         int64_t shared);
void image_write_inspect(struct jsonw *w, const struct image *i, int version, const char *driver);

/* ---- events: one object, without the newline */
void event_write(struct jsonw *w, const struct event *ev);

/* ---- execs */
void exec_write(struct jsonw *w, const char *id, const struct exec_info *x);
