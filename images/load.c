/*
 * load: images from an archive.
 *
 * An archive speaks in two tongues: manifest.json (docker-archive: config, tags, layers) and
 * index.json (OCI: exact manifests).  Names come from the first when it is there, and the exact
 * manifest, found by its config's digest, from the second, so that what is saved again is the same
 * byte for byte.
 */
#include "base/cancel.h"
#include "base/json.h"
#include "base/mem.h"
#include "images/archive.h"
#include "images/manifest.h"

#define IMAGES_MAX 4096

/* One image of the archive. */
struct candidate {
    char *config;
    char *manifest, *media_type; /* NULL: the archive has none */
    int64_t manifest_size;
    struct strv layers; /* digests of the layers' blobs */
    struct strv names;  /* canonical */
    int rank;           /* of its platform, below an index */
};

struct load {
    struct images *im;
    struct archive archive;
    progress_fn *progress;
    void *arg;
    struct cancel *c;
    struct strv *loaded;
    struct candidate *v;
    size_t n;
};

static void candidate_release(struct candidate *c)
{
    free(c->config);
    free(c->manifest);
    free(c->media_type);
    strv_release(&c->layers);
    strv_release(&c->names);
    *c = (struct candidate){0};
}

static int add_candidate(struct load *l, struct candidate *c, struct err *e)
{
    if (l->n >= IMAGES_MAX)
        return err_set(e, ERR_INVALID, "the archive has more than %d images", IMAGES_MAX);
    *ARRAY_ADD(l->v, l->n) = *c;
    *c = (struct candidate){0};
    return 0;
}

/* ---- index.json */

/* A name is taken from an annotation only when it is a whole one: "latest" alone names nothing. */
static void names_from(const struct descriptor *d, struct strv *names)
{
    static const char *const keys[] = {"io.containerd.image.name",
                                       "org.opencontainers.image.ref.name"};

    for (size_t i = 0; i < ARRAY_LEN(keys) && names->n == 0; i++) {
        const char *text = kvs_get(&d->annotations, keys[i]);
        cleanup_reference struct reference r = {0};

        if (!text || (i > 0 && !strpbrk(text, ":/")) || reference_parse(text, &r, ERR_IGNORE))
            continue;
        if (r.digest)
            continue;
        reference_default_tag(&r);
        strv_take(names, reference_canonical(&r));
    }
}

static bool blob_here(struct load *l, const char *digest)
{
    cleanup_free char *name = str_printf("blobs/sha256/%s", digest_hex(digest));

    return archive_find(&l->archive, name) != NULL;
}

static int read_manifest(struct load *l, const struct descriptor *d, struct manifest *out,
                         struct err *e)
{
    cleanup_buf struct buf text = BUF_INIT(MANIFEST_MAX);

    if (content_read(l->im->content, d->digest, &text, e))
        return -1;
    if (manifest_parse(text.data, text.len, d->media_type, out, e))
        return err_wrap(e, "%s", d->digest);
    return 0;
}

/* An image of which the archive lacks a part is passed over: one of many platforms was saved. */
static int take_image(struct load *l, const struct descriptor *d, const struct manifest *m,
                      const struct strv *names, int rank, struct err *e)
{
    struct candidate c = {.rank = rank};

    if (!blob_here(l, m->config.digest))
        return 0;
    for (size_t i = 0; i < m->n; i++) {
        if (!blob_here(l, m->v[i].digest)) {
            candidate_release(&c);
            return 0;
        }
        strv_add(&c.layers, m->v[i].digest);
    }
    c.config = xstrdup(m->config.digest);
    c.manifest = xstrdup(d->digest);
    c.media_type = xstrdup(m->media_type);
    c.manifest_size = d->size;
    strv_copy(&c.names, names);
    if (add_candidate(l, &c, e)) {
        candidate_release(&c);
        return -1;
    }
    return 0;
}

static int walk_descriptor(struct load *l, const struct descriptor *d, const struct strv *outer,
                           const struct platform *want, unsigned depth, struct err *e)
{
    cleanup_manifest struct manifest m = {0};
    cleanup_strv struct strv names = {0};
    int rank = platform_rank(&d->platform, want, false);

    if (depth > INDEX_DEPTH_MAX)
        return err_set(e, ERR_INVALID, "invalid archive: its indexes are too deep");
    if (!blob_here(l, d->digest))
        return 0;
    if (str_eq(d->platform.os, "unknown"))
        return 0; /* an attestation */
    names_from(d, &names);
    if (names.n == 0)
        strv_copy(&names, outer);
    if (read_manifest(l, d, &m, e))
        return -1;
    if (!m.is_index)
        return take_image(l, d, &m, &names, rank < 0 ? 10000 : rank, e);
    for (size_t i = 0; i < m.n; i++)
        if (walk_descriptor(l, &m.v[i], &names, want, depth + 1, e))
            return -1;
    return 0;
}

/* Of the images below one descriptor of index.json, the one that fits this host best. */
static void keep_best(struct load *l, size_t first)
{
    size_t best = first;

    for (size_t i = first + 1; i < l->n; i++)
        if (l->v[i].rank < l->v[best].rank)
            best = i;
    for (size_t i = first; i < l->n; i++)
        if (i != best)
            candidate_release(&l->v[i]);
    if (l->n > first) {
        l->v[first] = l->v[best];
        l->n = first + 1;
    }
}

static int walk_index(struct load *l, bool only_best, struct err *e)
{
    cleanup_manifest struct manifest index = {0};
    cleanup_platform struct platform want = {0};
    struct strv none = {0};

    if (platform_parse(NULL, &want, e))
        return -1;
    if (manifest_parse(l->archive.index_json.data, l->archive.index_json.len, NULL, &index, e))
        return err_wrap(e, "index.json");
    if (!index.is_index)
        return err_set(e, ERR_INVALID, "invalid archive: index.json is no index");
    for (size_t i = 0; i < index.n; i++) {
        size_t first = l->n;

        if (walk_descriptor(l, &index.v[i], &none, &want, 0, e))
            return -1;
        if (only_best)
            keep_best(l, first);
    }
    return 0;
}

/* ---- manifest.json */

static int add_tags(const struct json *item, struct candidate *c, struct err *e)
{
    cleanup_strv struct strv tags = {0};
    struct json j = json_get(item, "RepoTags");

    if (json_strv(&j, &tags, e))
        return -1;
    for (size_t i = 0; i < tags.n; i++) {
        cleanup_reference struct reference r = {0};

        if (reference_parse(tags.v[i], &r, e))
            return err_wrap(e, "manifest.json: \"%.200s\"", tags.v[i]);
        reference_default_tag(&r);
        strv_take(&c->names, reference_canonical(&r));
    }
    return 0;
}

static const char *need_file(struct load *l, const char *name, struct err *e)
{
    const char *digest = archive_find(&l->archive, name);

    if (!digest)
        err_set(e, ERR_INVALID,
                "invalid archive: manifest.json names \"%.200s\", which is not in it", name);
    return digest;
}

/* The OCI half knows the layers as they were transferred; this half perhaps only unpacked. */
static bool adopt_manifest(struct load *l, size_t n_oci, struct candidate *c)
{
    for (size_t i = 0; i < n_oci; i++) {
        struct candidate *o = &l->v[i];

        if (!str_eq(o->config, c->config))
            continue;
        str_set(&c->manifest, o->manifest);
        str_set(&c->media_type, o->media_type);
        c->manifest_size = o->manifest_size;
        strv_copy(&c->layers, &o->layers);
        return true;
    }
    return false;
}

static int read_item(struct load *l, const struct json *item, size_t n_oci, struct candidate *c,
                     struct err *e)
{
    cleanup_strv struct strv layers = {0};
    struct json j = json_get(item, "Layers");
    const char *digest;

    if (json_strv(&j, &layers, e) || add_tags(item, c, e))
        return -1;
    if (layers.n > MANIFEST_LAYERS)
        return err_set(e, ERR_INVALID, "max depth exceeded");
    if (!(digest = need_file(l, json_get_str(item, "Config"), e)))
        return -1;
    c->config = xstrdup(digest);
    if (adopt_manifest(l, n_oci, c))
        return 0;
    for (size_t i = 0; i < layers.n; i++) {
        if (!(digest = need_file(l, layers.v[i], e)))
            return -1;
        strv_add(&c->layers, digest);
    }
    return 0;
}

static int read_docker_archive(struct load *l, struct err *e)
{
    cleanup_json struct json_doc doc = {0};
    struct buf *text = &l->archive.manifest_json;
    size_t n_oci = l->n;
    struct json root;

    if (json_parse(text->data, text->len, &doc, e))
        return err_wrap(e, "manifest.json");
    root = json_root(&doc);
    if (json_typeof(&root) != JSON_ARRAY)
        return err_set(e, ERR_INVALID, "invalid archive: manifest.json must be a list");
    for (size_t i = 0; i < json_len(&root); i++) {
        struct json item = json_at(&root, i);
        struct candidate c = {0};

        if (read_item(l, &item, n_oci, &c, e) || add_candidate(l, &c, e)) {
            candidate_release(&c);
            return -1;
        }
    }
    for (size_t i = 0; i < n_oci; i++)
        candidate_release(&l->v[i]);
    l->n -= n_oci;
    memmove(l->v, l->v + n_oci, l->n * sizeof(*l->v));
    return 0;
}

static int find_images(struct load *l, struct err *e)
{
    bool docker = l->archive.manifest_json.len > 0, oci = l->archive.index_json.len > 0;

    if (!docker && !oci)
        return err_set(e, ERR_INVALID,
                       "invalid archive: it has neither a manifest.json nor an index.json");
    if (oci && walk_index(l, !docker, e))
        return -1;
    if (docker && read_docker_archive(l, e))
        return -1;
    if (l->n == 0)
        return err_set(e, ERR_INVALID, "invalid archive: no image in it is complete");
    return 0;
}

/* ---- into the store */

static int say(struct load *l, const struct progress *p, struct err *e)
{
    return l->progress ? l->progress(l->arg, p, e) : 0;
}

static int say_stream(struct load *l, struct err *e, const char *fmt, const char *a, const char *b)
{
    cleanup_free char *text = str_printf("%s%s%s\n", fmt, a, b);
    struct progress p = {.current = -1, .total = -1, .stream = text};

    return say(l, &p, e);
}

static int say_layers(struct load *l, const struct candidate *c, const struct image *img,
                      struct err *e)
{
    for (size_t i = 0; i < img->chain_ids.n; i++) {
        cleanup_free char *id = str_ndup(digest_hex(img->diff_ids.v[i]), 12);
        struct progress p = {.id = id, .status = "Loading layer", .current = -1, .total = -1};

        if (layer_exists(l->im, img->chain_ids.v[i]))
            continue;
        if (i < c->layers.n && content_has(l->im->content, c->layers.v[i], &p.total))
            p.current = p.total;
        if (say(l, &p, e))
            return -1;
    }
    return 0;
}

static int say_moved_tags(struct load *l, const struct candidate *c, struct err *e)
{
    for (size_t i = 0; i < c->names.n; i++) {
        cleanup_reference struct reference r = {0};
        cleanup_image struct image *old = NULL;
        cleanup_free char *name = NULL, *text = NULL;

        if (reference_parse(c->names.v[i], &r, e))
            return -1;
        name = reference_familiar(&r);
        if (images_find(l->im, name, &old, ERR_IGNORE) || str_eq(old->id, c->config))
            continue;
        text = str_printf("The image %s already exists, renaming the old one with ID %s to empty "
                          "string",
                          name, old->id);
        if (say_stream(l, e, text, "", ""))
            return -1;
    }
    return 0;
}

static int say_loaded(struct load *l, const struct candidate *c, struct err *e)
{
    for (size_t i = 0; i < c->names.n; i++) {
        cleanup_reference struct reference r = {0};
        cleanup_free char *name = NULL;

        if (reference_parse(c->names.v[i], &r, e))
            return -1;
        name = reference_familiar(&r);
        if (l->loaded)
            strv_add(l->loaded, name);
        if (say_stream(l, e, "Loaded image: ", name, ""))
            return -1;
    }
    if (c->names.n)
        return 0;
    if (l->loaded)
        strv_add(l->loaded, c->config);
    return say_stream(l, e, "Loaded image ID: ", c->config, "");
}

static int store_image(struct load *l, struct candidate *c, struct err *e)
{
    cleanup_image struct image *img = NULL;
    struct commit commit = {.id = c->config,
                            .manifest_digest = c->manifest,
                            .manifest_media_type = c->media_type,
                            .manifest_size = c->manifest_size,
                            .layer_blobs = &c->layers,
                            .refs = &c->names};

    if (image_from_config(l->im, c->config, &img, e))
        return -1;
    for (size_t i = 0; i < img->chain_ids.n; i++)
        pin_layer(l->im, &l->archive.pins, img->chain_ids.v[i]);
    if (say_layers(l, c, img, e) || layers_from_blobs(l->im, img, &c->layers, l->c, e) ||
        say_moved_tags(l, c, e) || records_commit(l->im, &commit, NULL, NULL, e))
        return -1;
    return say_loaded(l, c, e);
}

int images_load(struct images *im, images_read_fn *read, void *read_arg, progress_fn *progress,
                void *arg, struct cancel *c, struct strv *loaded, struct err *e)
{
    struct load l = {.im = im, .progress = progress, .arg = arg, .c = c, .loaded = loaded};
    int rc = archive_read(im, read, read_arg, c, &l.archive, e);

    if (rc == 0)
        rc = find_images(&l, e);
    for (size_t i = 0; rc == 0 && i < l.n; i++)
        rc = store_image(&l, &l.v[i], e);
    for (size_t i = 0; i < l.n; i++)
        candidate_release(&l.v[i]);
    free(l.v);
    archive_release(im, &l.archive);
    return rc;
}
