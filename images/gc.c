/*
 * gc: removes layers and blobs that no image and no container needs.
 *
 * What is needed is computed under the mutex from the records; what is not and is not pinned is
 * marked as being removed there and then, so that whoever wants it waits until it is gone for good
 * and makes it anew.  A failure to remove is logged and left for the next start.
 */
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "images/images_internal.h"

#define LAYER "layer:"
#define BLOB  "blob:"

static void need(struct map *set, const char *kind, const char *digest)
{
    cleanup_free char *key = NULL;

    if (str_empty(digest))
        return;
    key = str_printf("%s%s", kind, digest);
    map_put(set, key, set);
}

static void needed_by_images(struct images *im, struct map *set)
{
    const char *key;
    void *value;

    for (size_t i = 0; map_at(&im->images, &i, &key, &value); i++) {
        const struct image_entry *en = value;

        need(set, BLOB, en->rec.id);
        need(set, BLOB, en->rec.manifest_digest);
        for (size_t k = 0; k < en->rec.layer_blobs.n; k++)
            need(set, BLOB, en->rec.layer_blobs.v[k]);
        for (size_t k = 0; k < en->image->chain_ids.n; k++)
            need(set, LAYER, en->image->chain_ids.v[k]);
    }
    for (size_t i = 0; map_at(&im->refs, &i, &key, &value); i++) {
        const char *at = strchr(key, '@');

        if (at)
            need(set, BLOB, at + 1); /* the index that the image was chosen from */
    }
}

/* A layer's blob is what a save needs and what a damaged layer is made from again. */
static void needed_locked(struct images *im, struct map *set)
{
    const char *key;
    void *value;

    needed_by_images(im, set);
    for (size_t i = 0; map_at(&im->roots, &i, &key, &value); i++) {
        const struct strv *chain = value;

        for (size_t k = 0; k < chain->n; k++)
            need(set, LAYER, chain->v[k]);
    }
    for (size_t i = 0; map_at(&im->layers, &i, &key, &value); i++) {
        const struct layer_record *l = value;
        cleanup_free char *layer_key = str_printf(LAYER "%s", l->chain_id);

        if (map_get(set, layer_key))
            need(set, BLOB, l->blob);
    }
}

/* The row goes last: while it is there, a start finds what is left of the files. */
static int remove_layer(struct images *im, const char *chain_id, struct err *e)
{
    cleanup_free char *blob = NULL;
    struct layer_record *l;

    if (im->driver->remove_layer(im->layers_root, chain_id, e) ||
        state_layer_delete(im->st, chain_id, e))
        return -1;
    mutex_lock(&im->lock);
    l = map_get(&im->layers, chain_id);
    if (l)
        blob = str_dup_or_null(l->blob);
    map_del(&im->layers, chain_id);
    mutex_unlock(&im->lock);
    if (!str_empty(blob)) {
        cleanup_strv struct strv keys = {0};

        strv_addf(&keys, BLOB "%s", blob);
        gc_collect(im, &keys);
    }
    return 0;
}

void gc_mark(struct images *im, const struct strv *keys, struct strv *doomed)
{
    struct map set = MAP_INIT(NULL);

    mutex_lock(&im->lock);
    needed_locked(im, &set);
    for (size_t i = 0; i < keys->n; i++)
        if (!map_get(&set, keys->v[i]) && hold_removing_locked(im, keys->v[i]))
            strv_add(doomed, keys->v[i]);
    mutex_unlock(&im->lock);
    map_release(&set);
}

void gc_finish(struct images *im, const struct strv *doomed)
{
    for (size_t i = 0; i < doomed->n; i++) {
        const char *key = doomed->v[i];
        struct err e = ERR_INIT;
        int rc = str_starts(key, LAYER) ? remove_layer(im, key + strlen(LAYER), &e)
                                        : content_remove(im->content, key + strlen(BLOB), &e);

        if (rc)
            log_warn("cannot remove unused content", "key=%s error=%s", key, log_quote(e.msg));
        else
            log_debug("removed unused content", "key=%s", key);
        hold_removed(im, key);
    }
}

void gc_collect(struct images *im, const struct strv *keys)
{
    cleanup_strv struct strv doomed = {0};

    gc_mark(im, keys, &doomed);
    gc_finish(im, &doomed);
}

/* Every layer and blob there is, on disk or in the records. */
static int everything(struct images *im, struct strv *keys, struct err *e)
{
    cleanup_strv struct strv dirs = {0}, blobs = {0};
    const char *key;
    void *value;

    if (fs_list(im->layers_root, &dirs, e) || content_list(im->content, &blobs, e))
        return -1;
    for (size_t i = 0; i < dirs.n; i++) {
        cleanup_free char *digest = str_printf("sha256:%s", dirs.v[i]);

        if (digest_valid(digest))
            strv_addf(keys, LAYER "%s", digest);
    }
    for (size_t i = 0; i < blobs.n; i++)
        strv_addf(keys, BLOB "%s", blobs.v[i]);
    for (size_t i = 0; map_at(&im->layers, &i, &key, &value); i++)
        strv_addf(keys, LAYER "%s", key);
    return 0;
}

int gc_sweep(struct images *im, struct err *e)
{
    cleanup_strv struct strv keys = {0};

    if (everything(im, &keys, e))
        return -1;
    if (map_count(&im->images) == 0 && keys.n > 0) {
        /* A database that was lost looks the same as one that never had an image. */
        log_warn("the database knows no image, but there is content: it is left alone",
                 "things=%zu", keys.n);
        return 0;
    }
    gc_collect(im, &keys);
    return 0;
}
