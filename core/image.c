/*
 * image: the snapshot, and the config blob it is read from (OCI image-spec, config.md; Docker's
 * image v1.2 has the same keys and a few more).
 *
 * Chain IDs are computed here, from the blob alone: chain[0] is diff[0], chain[n] is the digest of
 * "chain[n-1] diff[n]" (config.md, "Layer ChainID").
 */
#include "core/image.h"

#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/time.h"
#include "core/core_internal.h"

#define LAYERS_MAX  1024
#define HISTORY_MAX 16384

struct image *image_new(void)
{
    struct image *i = xcalloc(1, sizeof(*i));
    char **const strings[] = {&i->id,
                              &i->os,
                              &i->architecture,
                              &i->variant,
                              &i->author,
                              &i->comment,
                              &i->docker_version,
                              &i->parent,
                              &i->manifest_digest,
                              &i->manifest_media_type};

    i->refs = 1;
    for (size_t n = 0; n < ARRAY_LEN(strings); n++)
        *strings[n] = xstrdup("");
    i->created_ns = i->last_tag_ns = TIME_ZERO;
    i->config = container_spec_new();
    return i;
}

struct image *image_copy(const struct image *s)
{
    struct image *d = xcalloc(1, sizeof(*d));

    d->refs = 1;
    d->id = str_dup_or_null(s->id);
    strv_copy(&d->repo_tags, &s->repo_tags);
    strv_copy(&d->repo_digests, &s->repo_digests);
    d->os = str_dup_or_null(s->os);
    d->architecture = str_dup_or_null(s->architecture);
    d->variant = str_dup_or_null(s->variant);
    d->author = str_dup_or_null(s->author);
    d->comment = str_dup_or_null(s->comment);
    d->docker_version = str_dup_or_null(s->docker_version);
    d->created_ns = s->created_ns;
    d->last_tag_ns = s->last_tag_ns;
    d->size = s->size;
    strv_copy(&d->diff_ids, &s->diff_ids);
    strv_copy(&d->chain_ids, &s->chain_ids);
    d->parent = str_dup_or_null(s->parent);
    d->config = s->config ? container_spec_copy(s->config) : NULL;
    for (size_t i = 0; i < s->n_history; i++) {
        struct image_history *h = ARRAY_ADD(d->history, d->n_history);

        *h = s->history[i];
        h->created_by = str_dup_or_null(s->history[i].created_by);
        h->comment = str_dup_or_null(s->history[i].comment);
        h->author = str_dup_or_null(s->history[i].author);
    }
    d->manifest_digest = str_dup_or_null(s->manifest_digest);
    d->manifest_media_type = str_dup_or_null(s->manifest_media_type);
    d->manifest_size = s->manifest_size;
    return d;
}

struct image *image_ref(const struct image *i)
{
    struct image *m = (struct image *)(uintptr_t)i;

    atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
    return m;
}

static void history_release(struct image *i)
{
    for (size_t n = 0; n < i->n_history; n++) {
        free(i->history[n].created_by);
        free(i->history[n].comment);
        free(i->history[n].author);
    }
    free(i->history);
    i->history = NULL;
    i->n_history = 0;
}

void image_unref(const struct image *i)
{
    struct image *m = (struct image *)(uintptr_t)i;

    if (!m || atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) != 1)
        return;
    free(m->id);
    strv_release(&m->repo_tags);
    strv_release(&m->repo_digests);
    free(m->os);
    free(m->architecture);
    free(m->variant);
    free(m->author);
    free(m->comment);
    free(m->docker_version);
    strv_release(&m->diff_ids);
    strv_release(&m->chain_ids);
    free(m->parent);
    container_spec_free(m->config);
    history_release(m);
    free(m->manifest_digest);
    free(m->manifest_media_type);
    free(m);
}

/* ------------------------------------------------------------ the config blob */

/* Absent, empty or unreadable: TIME_ZERO.  Images are built with every clock there is. */
static int64_t created_of(const struct json *j)
{
    int64_t ns;

    return time_parse(json_get_str(j, "created"), &ns, ERR_IGNORE) == 0 ? ns : TIME_ZERO;
}

static int decode_rootfs(const struct json *root, struct image *out, struct err *e)
{
    struct json rootfs = json_get(root, "rootfs");
    char chain[DIGEST_TEXT_MAX];

    if (!json_exists(&rootfs))
        return err_set(e, ERR_INVALID, "image config: rootfs is missing");
    if (want_type(&rootfs, JSON_OBJECT, e))
        return -1;
    if (strcmp(json_get_str(&rootfs, "type"), "layers") != 0)
        return err_set(e, ERR_INVALID, "image config: rootfs.type must be \"layers\"");
    if (get_strv(&rootfs, "diff_ids", &out->diff_ids, e))
        return -1;
    if (out->diff_ids.n > LAYERS_MAX)
        return err_set(e, ERR_INVALID, "image config: more than %d layers", LAYERS_MAX);
    strv_release(&out->chain_ids);
    for (size_t i = 0; i < out->diff_ids.n; i++) {
        const char *diff = out->diff_ids.v[i];

        if (!digest_valid(diff))
            return err_set(e, ERR_INVALID,
                           "image config: rootfs.diff_ids[%zu] is no digest: %.100s", i, diff);
        if (i == 0) {
            str_copy(chain, sizeof(chain), diff);
        } else {
            cleanup_free char *both = str_printf("%s %s", chain, diff);

            digest_of(both, strlen(both), chain);
        }
        strv_add(&out->chain_ids, chain);
    }
    return 0;
}

static int decode_history(const struct json *root, struct image *out, struct err *e)
{
    struct json list = json_get(root, "history");

    history_release(out);
    if (!json_exists(&list))
        return 0;
    if (want_type(&list, JSON_ARRAY, e))
        return -1;
    if (json_len(&list) > HISTORY_MAX)
        return err_set(e, ERR_INVALID, "image config: more than %d entries of history",
                       HISTORY_MAX);
    for (size_t i = 0; i < json_len(&list); i++) {
        struct json item = json_at(&list, i);
        struct image_history *h = ARRAY_ADD(out->history, out->n_history);

        h->created_by = xstrdup("");
        h->comment = xstrdup("");
        h->author = xstrdup("");
        h->created_ns = created_of(&item);
        if (want_type(&item, JSON_OBJECT, e) || get_str(&item, "created_by", &h->created_by, e) ||
            get_str(&item, "comment", &h->comment, e) || get_str(&item, "author", &h->author, e) ||
            get_bool(&item, "empty_layer", &h->empty_layer, e))
            return -1;
    }
    return 0;
}

static int decode_root(const struct json *root, struct image *out, struct err *e)
{
    struct json config = json_get(root, "config");

    if (want_type(root, JSON_OBJECT, e) || get_str(root, "os", &out->os, e) ||
        get_str(root, "architecture", &out->architecture, e) ||
        get_str(root, "variant", &out->variant, e) || get_str(root, "author", &out->author, e) ||
        get_str(root, "comment", &out->comment, e) ||
        get_str(root, "docker_version", &out->docker_version, e))
        return -1;
    out->created_ns = created_of(root);
    container_spec_free(out->config);
    out->config = container_spec_new();
    return spec_decode_image(&config, out->config, e) || decode_rootfs(root, out, e) ||
                   decode_history(root, out, e)
               ? -1
               : 0;
}

int image_config_decode(const char *text, size_t len, struct image *out, struct err *e)
{
    cleanup_json struct json_doc doc = {0};
    struct json root;
    char id[DIGEST_TEXT_MAX];

    if (json_parse(text, len, &doc, e))
        return err_wrap(e, "image config");
    root = json_root(&doc);
    if (decode_root(&root, out, e))
        return -1;
    digest_of(text, len, id);
    str_set(&out->id, id);
    return 0;
}
