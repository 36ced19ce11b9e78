/*
 * records: the images, their references and layers, in memory and in the database.
 *
 * An image is a row, a config blob and its layers.  What a client is told is in the rows before:
 * content first, synced, then the layers' rows, the image's, and its references last, so that a
 * kill in between leaves at worst rows and files that the sweep at the next start removes.
 */
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"
#include "images/images_internal.h"

#define CONFIG_MAX (16 * 1024 * 1024)

static void free_entry(void *p)
{
    struct image_entry *en = p;

    if (!en)
        return;
    if (en->image)
        image_unref(en->image);
    image_record_release(&en->rec);
    free(en);
}

static void free_ref(void *p)
{
    struct ref_entry *r = p;

    free(r->id);
    free(r);
}

static void free_layer(void *p)
{
    layer_record_release(p);
    free(p);
}

void records_release(struct images *im)
{
    map_release(&im->images);
    map_release(&im->refs);
    map_release(&im->layers);
}

/* ---- snapshots */

int image_from_config(struct images *im, const char *id, struct image **out, struct err *e)
{
    cleanup_buf struct buf text = BUF_INIT(CONFIG_MAX);
    cleanup_image struct image *img = NULL;

    if (content_read(im->content, id, &text, e))
        return -1;
    img = image_new();
    if (image_config_decode(text.data, text.len, img, e))
        return err_wrap(e, "image %s", id);
    str_set(&img->id, id);
    *out = take_ptr(img);
    return 0;
}

static void add_names(struct image *img, const char *canonical)
{
    struct reference r = {0};

    if (reference_parse(canonical, &r, ERR_IGNORE))
        return; /* a row of a version with another grammar: it has no name to show */
    strv_take(r.digest ? &img->repo_digests : &img->repo_tags, reference_familiar(&r));
    reference_release(&r);
}

/* Everything but what the config says. */
static void set_facts(struct images *im, struct image *img, const struct image_record *rec)
{
    const char *key;
    void *value;

    strv_release(&img->repo_tags);
    strv_release(&img->repo_digests);
    str_set(&img->parent, rec->parent ? rec->parent : "");
    str_set(&img->manifest_digest, rec->manifest_digest ? rec->manifest_digest : "");
    str_set(&img->manifest_media_type, rec->manifest_media_type ? rec->manifest_media_type : "");
    img->manifest_size = rec->manifest_size;
    img->size = rec->size;
    img->last_tag_ns = TIME_ZERO;
    mutex_lock(&im->lock);
    for (size_t i = 0; map_at(&im->refs, &i, &key, &value); i++) {
        const struct ref_entry *r = value;

        if (!str_eq(r->id, rec->id))
            continue;
        add_names(img, key);
        if (r->tagged_ns > img->last_tag_ns)
            img->last_tag_ns = r->tagged_ns;
    }
    mutex_unlock(&im->lock);
    strv_sort(&img->repo_tags);
    strv_sort(&img->repo_digests);
}

/* A new snapshot in the place of the old one, after the references have changed. */
static void refresh(struct images *im, const char *id)
{
    struct image *img = NULL, *old = NULL;
    struct image_record rec = {0};
    struct image_entry *en;

    mutex_lock(&im->lock);
    if ((en = map_get(&im->images, id))) {
        img = image_copy(en->image);
        rec = en->rec; /* borrowed: nobody changes it without the claim on the records */
    }
    mutex_unlock(&im->lock);
    if (!img)
        return;
    set_facts(im, img, &rec);
    mutex_lock(&im->lock);
    if ((en = map_get(&im->images, id))) {
        old = en->image;
        en->image = img;
    }
    mutex_unlock(&im->lock);
    image_unref(old ? old : img);
}

/* ---- from the database */

static int load_layer(void *arg, const struct layer_record *r, struct err *e)
{
    struct images *im = arg;
    struct layer_record *l = xcalloc(1, sizeof(*l));

    (void)e;
    *l = (struct layer_record){xstrdup(r->chain_id), xstrdup(r->diff_id),
                               xstrdup(r->blob ? r->blob : ""), r->size};
    map_put(&im->layers, r->chain_id, l);
    return 0;
}

static int load_ref(void *arg, const char *ref, const char *id, int64_t tagged_ns, struct err *e)
{
    struct images *im = arg;
    struct ref_entry *r = xcalloc(1, sizeof(*r));

    (void)e;
    *r = (struct ref_entry){xstrdup(id), tagged_ns};
    map_put(&im->refs, ref, r);
    return 0;
}

static void copy_record(struct image_record *dst, const struct image_record *src)
{
    *dst = (struct image_record){
        .id = xstrdup(src->id),
        .parent = xstrdup(src->parent ? src->parent : ""),
        .created_ns = src->created_ns,
        .manifest_digest = xstrdup(src->manifest_digest ? src->manifest_digest : ""),
        .manifest_media_type = xstrdup(src->manifest_media_type ? src->manifest_media_type : ""),
        .manifest_size = src->manifest_size,
        .size = src->size,
    };
    strv_copy(&dst->layer_blobs, &src->layer_blobs);
}

/* One damaged image must not keep the agent from starting. */
static int load_image(void *arg, const struct image_record *r, struct err *e)
{
    struct images *im = arg;
    struct image_entry *en = xcalloc(1, sizeof(*en));
    struct err why = ERR_INIT;

    (void)e;
    copy_record(&en->rec, r);
    if (image_from_config(im, r->id, &en->image, &why)) {
        log_error("an image cannot be read; pull or load it again", "id=%s error=%s", r->id,
                  log_quote(why.msg));
        free_entry(en);
        return 0;
    }
    set_facts(im, en->image, &en->rec);
    map_put(&im->images, r->id, en);
    return 0;
}

int records_load(struct images *im, struct err *e)
{
    im->images = MAP_INIT(free_entry);
    im->refs = MAP_INIT(free_ref);
    im->layers = MAP_INIT(free_layer);
    return state_layer_each(im->st, load_layer, im, e) ||
                   state_image_ref_each(im->st, load_ref, im, e) ||
                   state_image_each(im->st, load_image, im, e)
               ? -1
               : 0;
}

/* ---- references */

static char *ref_target(struct images *im, const char *ref)
{
    struct ref_entry *r;
    char *id = NULL;

    mutex_lock(&im->lock);
    if ((r = map_get(&im->refs, ref)))
        id = xstrdup(r->id);
    mutex_unlock(&im->lock);
    return id;
}

int records_set_ref(struct images *im, const char *ref, const char *id, int64_t tagged_ns,
                    struct err *e)
{
    cleanup_free char *before = ref_target(im, ref);
    struct ref_entry *r;

    if (FAULT("images.ref"))
        return err_set(e, ERR_IO, "injected: images.ref");
    if (state_image_ref_put(im->st, ref, id, tagged_ns, e))
        return -1;
    r = xcalloc(1, sizeof(*r));
    *r = (struct ref_entry){xstrdup(id), tagged_ns};
    mutex_lock(&im->lock);
    map_put(&im->refs, ref, r);
    mutex_unlock(&im->lock);
    if (before && !str_eq(before, id))
        refresh(im, before);
    refresh(im, id);
    return 0;
}

int records_drop_ref(struct images *im, const char *ref, struct err *e)
{
    cleanup_free char *before = ref_target(im, ref);

    if (!before)
        return 0;
    if (state_image_ref_delete(im->st, ref, e))
        return -1;
    mutex_lock(&im->lock);
    map_del(&im->refs, ref);
    mutex_unlock(&im->lock);
    refresh(im, before);
    return 0;
}

void records_refs_of(struct images *im, const char *id, struct strv *out)
{
    const char *key;
    void *value;

    mutex_lock(&im->lock);
    for (size_t i = 0; map_at(&im->refs, &i, &key, &value); i++)
        if (str_eq(((const struct ref_entry *)value)->id, id))
            strv_add(out, key);
    mutex_unlock(&im->lock);
    strv_sort(out);
}

/* ---- images */

void records_keys_of(const struct image_entry *en, struct strv *keys)
{
    strv_addf(keys, "blob:%s", en->rec.id);
    if (!str_empty(en->rec.manifest_digest))
        strv_addf(keys, "blob:%s", en->rec.manifest_digest);
    for (size_t i = 0; i < en->rec.layer_blobs.n; i++)
        strv_addf(keys, "blob:%s", en->rec.layer_blobs.v[i]);
    for (size_t i = en->image->chain_ids.n; i > 0; i--)
        strv_addf(keys, "layer:%s", en->image->chain_ids.v[i - 1]);
}

int records_drop_image(struct images *im, const char *id, struct err *e)
{
    if (FAULT("images.drop"))
        return err_set(e, ERR_IO, "injected: images.drop");
    if (state_image_delete(im->st, id, e))
        return -1;
    mutex_lock(&im->lock);
    map_del(&im->images, id);
    mutex_unlock(&im->lock);
    return 0;
}

static int put_layer_rows(struct images *im, const struct image *img, int64_t *size, struct err *e)
{
    *size = 0;
    for (size_t i = 0; i < img->chain_ids.n; i++) {
        struct layer_record copy = {0};
        struct layer_record *l;
        int rc;

        mutex_lock(&im->lock);
        if ((l = map_get(&im->layers, img->chain_ids.v[i])))
            copy = (struct layer_record){xstrdup(l->chain_id), xstrdup(l->diff_id),
                                         xstrdup(l->blob), l->size};
        mutex_unlock(&im->lock);
        if (!copy.chain_id)
            return err_set(e, ERR_INTERNAL, "layer %s is not there", img->chain_ids.v[i]);
        *size += copy.size;
        rc = state_layer_put(im->st, &copy, e);
        layer_record_release(&copy);
        if (rc)
            return -1;
    }
    return 0;
}

static int put_image(struct images *im, const struct commit *c, struct image *img, struct err *e)
{
    struct image_entry *en = xcalloc(1, sizeof(*en));
    struct image_record rec = {.id = (char *)c->id,
                               .parent = (char *)(c->parent ? c->parent : ""),
                               .created_ns = time_wall_ns(),
                               .manifest_digest = (char *)c->manifest_digest,
                               .manifest_media_type = (char *)c->manifest_media_type,
                               .manifest_size = c->manifest_size};

    copy_record(&en->rec, &rec);
    if (c->layer_blobs)
        strv_copy(&en->rec.layer_blobs, c->layer_blobs);
    en->image = (struct image *)image_ref(img);
    if (put_layer_rows(im, img, &en->rec.size, e) || FAULT("images.commit")) {
        if (!e->kind)
            err_set(e, ERR_IO, "injected: images.commit");
        free_entry(en);
        return -1;
    }
    if (state_image_put(im->st, &en->rec, e)) {
        free_entry(en);
        return -1;
    }
    mutex_lock(&im->lock);
    map_put(&im->images, c->id, en);
    mutex_unlock(&im->lock);
    return 0;
}

/* True when the image is there and the commit would say nothing new about it. */
static bool is_known(struct images *im, const struct commit *c)
{
    struct image_entry *en;
    bool known;

    mutex_lock(&im->lock);
    en = map_get(&im->images, c->id);
    known = en && (!c->manifest_digest || str_eq(en->rec.manifest_digest, c->manifest_digest));
    mutex_unlock(&im->lock);
    return known;
}

static int set_refs(struct images *im, const struct commit *c, bool *changed, struct err *e)
{
    for (size_t i = 0; c->refs && i < c->refs->n; i++) {
        cleanup_free char *before = ref_target(im, c->refs->v[i]);

        if (str_eq(before, c->id))
            continue;
        if (records_set_ref(im, c->refs->v[i], c->id, c->tagged ? time_wall_ns() : TIME_ZERO, e))
            return -1;
        *changed = true;
    }
    refresh(im, c->id);
    return 0;
}

static int commit_claimed(struct images *im, const struct commit *c, struct image *img,
                          bool *changed, struct err *e)
{
    if (!is_known(im, c)) {
        if (content_sync(im->content, e) || put_image(im, c, img, e))
            return -1;
        *changed = true;
    }
    return set_refs(im, c, changed, e);
}

int records_commit(struct images *im, const struct commit *c, struct image **out, bool *changed,
                   struct err *e)
{
    cleanup_image struct image *img = NULL;
    struct image_entry *en;
    bool any = false;
    int rc;

    if (image_from_config(im, c->id, &img, e))
        return -1;
    claim(im, "records");
    rc = commit_claimed(im, c, img, &any, e);
    unclaim(im, "records");
    if (changed)
        *changed = any;
    if (rc || !out)
        return rc;
    mutex_lock(&im->lock);
    en = map_get(&im->images, c->id);
    *out = en ? (struct image *)image_ref(en->image) : NULL;
    mutex_unlock(&im->lock);
    return *out ? 0 : err_set(e, ERR_NOT_FOUND, "image %s was removed meanwhile", c->id);
}
