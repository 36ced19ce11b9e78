/*
 * pull: an image from a registry.
 *
 * Resolve the name to a manifest, through an index if need be; fetch the config, which says what
 * the layers must be; fetch and unpack the layers; commit.  Messages are those that docker's
 * clients parse.  Nothing is said before the name is resolved, so that a failure until there is an
 * answer with a status of its own.
 */
#include "base/cancel.h"
#include "base/mem.h"
#include "images/pull_internal.h"

#define CONFIG_MAX (16 * 1024 * 1024)

struct pull {
    struct images *im;
    const struct pull_request *rq;
    progress_fn *progress;
    void *arg;
    struct cancel *c, *stop;

    struct reference ref;
    struct platform want;
    struct registry *registry;
    struct registry_conn *conn;
    struct pins pins;

    char *top_digest; /* of what the tag names: an index or the manifest itself */
    char *digest;     /* of the manifest */
    int64_t manifest_size;
    struct manifest manifest;
    struct image *image;
    bool changed;
};

static int say(struct pull *p, const char *id, const char *status, struct err *e)
{
    struct progress pr = {.id = id, .status = status, .current = -1, .total = -1};

    return p->progress ? p->progress(p->arg, &pr, e) : 0;
}

static char *digest_ref(const struct pull *p, const char *digest)
{
    struct reference r = {p->ref.domain, p->ref.path, NULL, (char *)digest};

    return reference_canonical(&r);
}

static char *tag_or_digest(const struct pull *p)
{
    return xstrdup(p->ref.digest ? p->ref.digest : p->ref.tag);
}

/* ---- the manifest */

static int keep_blob(struct pull *p, const void *bytes, size_t n, const char *digest, struct err *e)
{
    char actual[DIGEST_TEXT_MAX];

    pin_blob(p->im, &p->pins, digest);
    if (content_put(p->im->content, bytes, n, actual, e))
        return -1;
    return 0;
}

/* From the store if it is there: what has a digest does not change. */
static int get_manifest(struct pull *p, const char *which, const char *media_type,
                        struct manifest *out, char **digest, int64_t *size, struct err *e)
{
    cleanup_buf struct buf text = BUF_INIT(MANIFEST_MAX);
    cleanup_free char *type = str_dup_or_null(media_type);

    if (digest_valid(which) && content_has(p->im->content, which, NULL) &&
        !content_read(p->im->content, which, &text, ERR_IGNORE)) {
        pin_blob(p->im, &p->pins, which);
        str_set(digest, which);
    } else {
        buf_reset(&text);
        if (registry_manifest(p->conn, which, &text, &type, digest, e))
            return -1;
    }
    if (manifest_parse(text.data, text.len, type, out, e))
        return -1;
    *size = (int64_t)text.len;
    return keep_blob(p, text.data, text.len, *digest, e);
}

static int no_match(const struct pull *p, struct err *e)
{
    cleanup_free char *want = platform_text(&p->want);

    return err_set(e, ERR_NOT_FOUND, "no matching manifest for %s in the manifest list entries",
                   want);
}

/* From an index to the image for the platform. */
static int descend(struct pull *p, struct err *e)
{
    for (unsigned depth = 0; p->manifest.is_index; depth++) {
        cleanup_manifest struct manifest index = p->manifest;
        const struct descriptor *d;

        p->manifest = (struct manifest){0};
        if (depth >= INDEX_DEPTH_MAX)
            return err_set(e, ERR_INVALID, "the index %s is too deep", p->top_digest);
        d = manifest_choose(&index, &p->want, !str_empty(p->rq->platform));
        if (!d)
            return no_match(p, e);
        str_set(&p->digest, NULL);
        if (get_manifest(p, d->digest, d->media_type, &p->manifest, &p->digest, &p->manifest_size,
                         e))
            return -1;
        if (p->manifest_size != d->size)
            return err_set(e, ERR_INVALID, "manifest %s has %lld bytes where its index says %lld",
                           d->digest, (long long)p->manifest_size, (long long)d->size);
    }
    return 0;
}

static int resolve(struct pull *p, struct err *e)
{
    cleanup_free char *which = tag_or_digest(p);

    if (get_manifest(p, which, NULL, &p->manifest, &p->top_digest, &p->manifest_size, e))
        return -1;
    p->digest = xstrdup(p->top_digest);
    return 0;
}

/* ---- what is here already */

static struct image *image_by_ref(struct images *im, const char *canonical)
{
    struct image_entry *en = NULL;
    struct image *img = NULL;
    struct ref_entry *r;

    mutex_lock(&im->lock);
    if ((r = map_get(&im->refs, canonical)))
        en = map_get(&im->images, r->id);
    if (en)
        img = (struct image *)image_ref(en->image);
    mutex_unlock(&im->lock);
    return img;
}

static bool runs_here(const struct pull *p, const struct image *img)
{
    struct platform have = {img->os, img->architecture, img->variant};

    return platform_rank(&have, &p->want, !str_empty(p->rq->platform)) >= 0;
}

/*
 * Asks for the digest only, when the tag is known: registries count whole manifests against their
 * limits, and most pulls find nothing new.  1: the image is up to date.
 */
static int is_up_to_date(struct pull *p, struct err *e)
{
    cleanup_free char *canonical = reference_canonical(&p->ref), *digest = NULL, *by_digest = NULL;
    cleanup_image struct image *known = image_by_ref(p->im, canonical), *same = NULL;

    if (!known || !p->ref.tag || p->ref.digest || !runs_here(p, known))
        return 0;
    if (registry_manifest(p->conn, p->ref.tag, NULL, NULL, &digest, e))
        return -1;
    if (!digest)
        return 0;
    by_digest = digest_ref(p, digest);
    same = image_by_ref(p->im, by_digest);
    if (!same || !str_eq(same->id, known->id))
        return 0;
    p->top_digest = take_ptr(digest);
    p->image = (struct image *)image_ref(known);
    return 1;
}

/* ---- config and layers */

static int read_config(struct pull *p, struct buf *out, struct err *e)
{
    const struct descriptor *d = &p->manifest.config;
    char piece[16384], actual[DIGEST_TEXT_MAX];
    size_t got;

    if (d->size > CONFIG_MAX)
        return err_set(e, ERR_INVALID, "image config of %lld bytes", (long long)d->size);
    if (registry_blob(p->conn, d->digest, d->size, e))
        return -1;
    do {
        if (registry_read(p->conn, piece, sizeof(piece), &got, e))
            return -1;
        buf_add(out, piece, got);
    } while (got);
    digest_of(out->data, out->len, actual);
    if (!str_eq(actual, d->digest) || (int64_t)out->len != d->size)
        return err_set(e, ERR_INVALID, "image config verification failed for digest %s", d->digest);
    return 0;
}

static int get_config(struct pull *p, struct err *e)
{
    cleanup_buf struct buf text = BUF_INIT(CONFIG_MAX);
    const char *id = p->manifest.config.digest;

    pin_blob(p->im, &p->pins, id);
    if (!content_has(p->im->content, id, NULL) &&
        (read_config(p, &text, e) || keep_blob(p, text.data, text.len, id, e)))
        return -1;
    if (image_from_config(p->im, id, &p->image, e))
        return -1;
    if (p->image->diff_ids.n != p->manifest.n)
        return err_set(e, ERR_INVALID,
                       "layers from manifest don't match image configuration: %zu and %zu",
                       p->manifest.n, p->image->diff_ids.n);
    return 0;
}

static int get_layers(struct pull *p, const struct strv *blobs, struct err *e)
{
    struct pull_layers pl = {.im = p->im,
                             .registry = p->registry,
                             .image = p->image,
                             .manifest = &p->manifest,
                             .blobs = blobs,
                             .stop = p->stop,
                             .c = p->c,
                             .progress = p->progress,
                             .arg = p->arg};

    for (size_t i = 0; i < p->manifest.n; i++) {
        pin_blob(p->im, &p->pins, p->manifest.v[i].digest);
        pin_layer(p->im, &p->pins, p->image->chain_ids.v[i]);
    }
    return pull_layers(&pl, e);
}

static int commit(struct pull *p, const struct strv *blobs, struct err *e)
{
    cleanup_strv struct strv refs = {0};
    cleanup_free char *id = xstrdup(p->image->id);
    struct commit c = {.id = id,
                       .manifest_digest = p->digest,
                       .manifest_media_type = p->manifest.media_type,
                       .manifest_size = p->manifest_size,
                       .layer_blobs = blobs,
                       .refs = &refs};

    image_unref(p->image);
    p->image = NULL;
    strv_take(&refs, digest_ref(p, p->top_digest));
    if (!p->ref.digest)
        strv_take(&refs, reference_canonical(&p->ref));
    return records_commit(p->im, &c, &p->image, &p->changed, e);
}

static int fetch_image(struct pull *p, struct err *e)
{
    cleanup_strv struct strv blobs = {0};
    cleanup_free char *which = tag_or_digest(p), *status = NULL;

    if (resolve(p, e))
        return -1;
    status = str_printf("Pulling from %s", p->ref.path);
    if (say(p, which, status, e) || descend(p, e) || get_config(p, e))
        return -1;
    for (size_t i = 0; i < p->manifest.n; i++)
        strv_add(&blobs, p->manifest.v[i].digest);
    return get_layers(p, &blobs, e) || commit(p, &blobs, e) ? -1 : 0;
}

/* ---- from beginning to end */

static int say_result(struct pull *p, struct err *e)
{
    cleanup_free char *digest = str_printf("Digest: %s", p->top_digest);
    cleanup_free char *name = reference_familiar(&p->ref), *warning = NULL;
    cleanup_free char *status = str_printf(p->changed ? "Status: Downloaded newer image for %s"
                                                      : "Status: Image is up to date for %s",
                                           name);

    if (say(p, NULL, digest, e) || say(p, NULL, status, e))
        return -1;
    if (!str_empty(p->rq->platform) && !runs_here(p, p->image)) {
        struct platform have = {p->image->os, p->image->architecture, p->image->variant};
        cleanup_free char *h = platform_text(&have), *w = platform_text(&p->want);

        warning = str_printf("WARNING: image with reference %s was found but its platform (%s) "
                             "does not match the specified platform (%s)",
                             name, h, w);
        return say(p, NULL, warning, e);
    }
    return 0;
}

static int pull_claimed(struct pull *p, struct err *e)
{
    struct registry_config cfg = {.ref = &p->ref,
                                  .auth = p->rq->auth,
                                  .insecure = registry_insecure(p->ref.domain, &p->im->insecure),
                                  .user_agent = p->im->user_agent,
                                  .c = p->stop};
    cleanup_free char *which = tag_or_digest(p), *status = NULL;
    int rc;

    p->registry = registry_new(&cfg);
    p->conn = registry_connect(p->registry);
    rc = is_up_to_date(p, e);
    if (rc < 0)
        return -1;
    if (rc == 0)
        return fetch_image(p, e) || say_result(p, e) ? -1 : 0;
    status = str_printf("Pulling from %s", p->ref.path);
    return say(p, which, status, e) || say_result(p, e) ? -1 : 0;
}

static int prepare(struct pull *p, struct err *e)
{
    if (reference_parse(p->rq->ref, &p->ref, e))
        return -1;
    reference_default_tag(&p->ref);
    if (str_eq(p->ref.domain, "docker.io") && str_eq(p->ref.path, "library/scratch"))
        return err_set(e, ERR_DENIED, "'scratch' is a reserved name");
    return platform_parse(p->rq->platform, &p->want, e);
}

int images_pull(struct images *im, const struct pull_request *rq, progress_fn *progress, void *arg,
                struct cancel *c, struct image **out, bool *changed, struct err *e)
{
    struct pull p = {.im = im, .rq = rq, .progress = progress, .arg = arg, .c = c};
    cleanup_free char *canonical = NULL, *key = NULL;
    int rc = prepare(&p, e);

    if (rc == 0) {
        canonical = reference_canonical(&p.ref);
        key = str_printf("pull:%s", canonical);
        rc = claim_or_cancel(im, key, c, e);
    }
    if (rc == 0) {
        p.stop = c ? cancel_new_child(c) : cancel_new();
        rc = pull_claimed(&p, e);
        unclaim(im, key);
    }
    if (rc == 0 && out)
        *out = take_ptr(p.image);
    if (rc == 0 && changed)
        *changed = p.changed;
    registry_disconnect(p.conn);
    registry_free(p.registry);
    pins_release(im, &p.pins);
    manifest_release(&p.manifest);
    reference_release(&p.ref);
    platform_release(&p.want);
    free(p.top_digest);
    free(p.digest);
    if (p.image)
        image_unref(p.image);
    if (p.stop)
        cancel_free(p.stop);
    return rc;
}
