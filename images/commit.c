/*
 * commit: a container's writable layer becomes an image's topmost one.
 *
 * The tar of the differences goes into the store as a blob while it is made, and the layer is made
 * from that, so that the image can be saved and pushed.  A container that has changed nothing gives
 * an image of the same layers.  The parent may have been removed by force: the container has kept
 * its layers, only their history is lost.
 */
#include "base/cancel.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/time.h"
#include "base/version.h"
#include "images/diff.h"
#include "images/images_internal.h"
#include "images/manifest.h"

#define CONFIG_MAX (16 * 1024 * 1024)

struct base {
    struct image *image; /* NULL: removed */
    struct json_doc config;
    struct strv chain, diff_ids, blobs; /* lowest first */
};

static void base_release(struct base *b)
{
    if (b->image)
        image_unref(b->image);
    json_release(&b->config);
    strv_release(&b->chain);
    strv_release(&b->diff_ids);
    strv_release(&b->blobs);
}

/* ---- names */

static bool tag_valid(const char *tag)
{
    static const char first[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    static const char more[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

    return strchr(first, tag[0]) && strspn(tag, more) == strlen(tag) && strlen(tag) <= 128;
}

int images_commit_name(const char *repo, const char *tag, char **ref, struct err *e)
{
    cleanup_reference struct reference r = {0};

    *ref = NULL;
    if (str_empty(repo))
        return 0;
    if (reference_parse(repo, &r, e))
        return -1;
    if (r.digest)
        return err_set(e, ERR_INVALID, "cannot import digest reference");
    if (!str_empty(tag) && !tag_valid(tag))
        return err_set(e, ERR_INVALID, "invalid tag format");
    if (!str_empty(tag))
        str_set(&r.tag, tag);
    reference_default_tag(&r);
    *ref = reference_canonical(&r);
    return 0;
}

/* ---- what the container stands on */

/* The container's layers; with the mutex. */
static int take_layers(struct images *im, const char *container_id, struct base *b, struct err *e)
{
    const struct strv *chain = map_get(&im->roots, container_id);

    for (size_t i = 0; chain && i < chain->n; i++) {
        const struct layer_record *l = map_get(&im->layers, chain->v[i]);

        if (!l)
            return err_set(e, ERR_IO, "layer %s of container %s is not known", chain->v[i],
                           container_id);
        strv_add(&b->chain, chain->v[i]);
        strv_add(&b->diff_ids, l->diff_id);
        strv_add(&b->blobs, l->blob ? l->blob : "");
    }
    return 0;
}

static int base_take(struct images *im, const struct image_commit *rq, struct pins *pins,
                     struct base *b, struct err *e)
{
    struct image_entry *en;
    int rc;

    mutex_lock(&im->lock);
    en = map_get(&im->images, rq->image_id);
    b->image = en ? image_ref(en->image) : NULL;
    rc = take_layers(im, rq->container_id, b, e);
    if (rc == 0 && en && en->rec.layer_blobs.n == b->blobs.n) {
        strv_release(&b->blobs);
        strv_copy(&b->blobs, &en->rec.layer_blobs);
    }
    mutex_unlock(&im->lock);
    for (size_t i = 0; i < b->chain.n; i++) {
        pin_layer(im, pins, b->chain.v[i]);
        if (*b->blobs.v[i])
            pin_blob(im, pins, b->blobs.v[i]);
    }
    return rc;
}

static int base_config(struct images *im, struct base *b, struct err *e)
{
    cleanup_buf struct buf text = BUF_INIT(CONFIG_MAX);

    if (!b->image)
        return 0;
    if (content_read(im->content, b->image->id, &text, e))
        return -1;
    return json_parse(text.data, text.len, &b->config, e);
}

/* ---- the layer */

static int open_diff(struct images *im, const struct image_commit *rq, struct diff *d,
                     struct err *e)
{
    struct rootfs r = {0};
    cleanup_strv struct strv chain = {0};
    cleanup_free char *base = NULL;
    const struct strv *own;
    int rc;

    if (images_rootfs_ensure(im, rq->image_id, rq->container_id, &r, e))
        return -1;
    mutex_lock(&im->lock);
    if ((own = map_get(&im->roots, rq->container_id)))
        strv_copy(&chain, own);
    mutex_unlock(&im->lock);
    if (!r.overlay && chain.n)
        base = im->driver->layer_path(im->layers_root, chain.v[chain.n - 1]);
    rc = diff_open(&r, base, rq->id_base, d, e);
    rootfs_release(&r);
    return rc;
}

int images_changes(struct images *im, const char *image_id, const char *container_id,
                   int64_t id_base, struct tree_changes *out, struct cancel *c, struct err *e)
{
    const struct image_commit rq = {
        .image_id = image_id, .container_id = container_id, .id_base = id_base};
    cleanup_diff struct diff d = {.upper = -1};

    return open_diff(im, &rq, &d, e) ? -1 : diff_changes(&d, out, c, e);
}

static int to_blob(void *arg, const void *bytes, size_t n, struct err *e)
{
    return blob_write(arg, bytes, n, e);
}

/* diff_id "": nothing has changed. */
static int take_diff(struct images *im, const struct image_commit *rq, struct pins *pins,
                     struct cancel *c, char diff_id[DIGEST_TEXT_MAX], struct err *e)
{
    cleanup_diff struct diff d = {.upper = -1};
    struct blob_writer *w;
    bool empty;

    diff_id[0] = '\0';
    if (open_diff(im, rq, &d, e) || blob_create(im->content, &w, e))
        return -1;
    if (diff_tar(&d, to_blob, w, c, &empty, e)) {
        blob_abort(w);
        return -1;
    }
    if (empty) {
        blob_abort(w);
        return 0;
    }
    blob_seal(w, diff_id);
    pin_blob(im, pins, diff_id);
    return blob_commit(w, NULL, -1, NULL, e);
}

static int add_layer(struct images *im, struct pins *pins, struct base *b, const char *diff_id,
                     struct cancel *c, struct err *e)
{
    const char *parent = b->chain.n ? b->chain.v[b->chain.n - 1] : NULL;
    cleanup_free char *chain_id = chain_id_of(parent, diff_id);
    const struct layer_id id = {chain_id, parent, diff_id, diff_id};

    pin_layer(im, pins, chain_id);
    if (layer_ensure_from_blob(im, &id, c, e))
        return -1;
    strv_add(&b->chain, chain_id);
    strv_add(&b->diff_ids, diff_id);
    strv_add(&b->blobs, diff_id);
    return 0;
}

/* ---- the config */

/* A key of the parent's config, as it is. */
static bool copy_key(struct jsonw *w, const struct base *b, const char *key, struct buf *scratch)
{
    struct json root = json_root(&b->config), value;

    if (!b->config.root)
        return false;
    value = json_get(&root, key);
    if (!json_exists(&value))
        return false;
    buf_reset(scratch);
    json_text(&value, scratch);
    jsonw_key(w, key);
    jsonw_raw(w, scratch->data);
    return true;
}

static void write_history(struct jsonw *w, const struct base *b, const struct image_commit *rq,
                          int64_t now, bool empty, struct buf *scratch)
{
    struct json root = json_root(&b->config), list = json_get(&root, "history");

    jsonw_key(w, "history");
    jsonw_arr(w);
    for (size_t i = 0; i < json_len(&list); i++) {
        struct json item = json_at(&list, i);

        buf_reset(scratch);
        json_text(&item, scratch);
        jsonw_raw(w, scratch->data);
    }
    jsonw_obj(w);
    jsonw_key(w, "created");
    jsonw_time(w, now);
    jsonw_kstr(w, "created_by", rq->created_by);
    if (!str_empty(rq->author))
        jsonw_kstr(w, "author", rq->author);
    if (!str_empty(rq->comment))
        jsonw_kstr(w, "comment", rq->comment);
    if (empty)
        jsonw_kbool(w, "empty_layer", true);
    jsonw_end_obj(w);
    jsonw_end_arr(w);
}

static void write_rootfs(struct jsonw *w, const struct base *b)
{
    jsonw_key(w, "rootfs");
    jsonw_obj(w);
    jsonw_kstr(w, "type", "layers");
    jsonw_key(w, "diff_ids");
    jsonw_strv(w, &b->diff_ids);
    jsonw_end_obj(w);
}

static int config_json(const struct base *b, const struct image_commit *rq, bool empty,
                       struct buf *out, struct err *e)
{
    static const char *const kept[] = {"variant", "os.version", "os.features"};
    cleanup_platform struct platform p = {0};
    cleanup_buf struct buf scratch = BUF_INIT(CONFIG_MAX);
    const int64_t now = time_wall_ns();
    struct jsonw w = JSONW_INIT(out);

    if (platform_parse(NULL, &p, e))
        return -1;
    jsonw_obj(&w);
    if (!copy_key(&w, b, "architecture", &scratch))
        jsonw_kstr(&w, "architecture", p.arch);
    if (!copy_key(&w, b, "os", &scratch))
        jsonw_kstr(&w, "os", p.os);
    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        (void)copy_key(&w, b, kept[i], &scratch);
    if (!str_empty(rq->author))
        jsonw_kstr(&w, "author", rq->author);
    if (!str_empty(rq->comment))
        jsonw_kstr(&w, "comment", rq->comment);
    jsonw_key(&w, "config");
    container_spec_encode_config(rq->config, &w);
    jsonw_kstr(&w, "container", rq->container_id);
    jsonw_key(&w, "container_config");
    container_spec_encode_config(rq->container_config, &w);
    jsonw_key(&w, "created");
    jsonw_time(&w, now);
    jsonw_kstr(&w, "docker_version", BALLAST_VERSION);
    write_history(&w, b, rq, now, empty, &scratch);
    write_rootfs(&w, b);
    jsonw_end_obj(&w);
    return buf_check(&scratch, "image config", e) || buf_check(out, "image config", e) ? -1 : 0;
}

/* ---- the whole */

static int commit_pinned(struct images *im, const struct image_commit *rq, struct pins *pins,
                         struct base *b, struct cancel *c, struct image **out, struct err *e)
{
    cleanup_buf struct buf config = BUF_INIT(CONFIG_MAX);
    cleanup_strv struct strv refs = {0};
    char diff_id[DIGEST_TEXT_MAX], id[DIGEST_TEXT_MAX];
    struct commit commit = {.id = id, .layer_blobs = &b->blobs, .refs = &refs, .tagged = true};
    char *ref;

    if (images_commit_name(rq->repo, rq->tag, &ref, e))
        return -1;
    if (ref)
        strv_take(&refs, ref);
    if (take_diff(im, rq, pins, c, diff_id, e) || base_take(im, rq, pins, b, e) ||
        base_config(im, b, e) || (*diff_id && add_layer(im, pins, b, diff_id, c, e)) ||
        config_json(b, rq, !*diff_id, &config, e))
        return -1;
    commit.parent = b->image ? b->image->id : NULL;
    digest_of(config.data, config.len, id);
    pin_blob(im, pins, id);
    if (content_put(im->content, config.data, config.len, id, e))
        return -1;
    return records_commit(im, &commit, out, NULL, e);
}

int images_commit(struct images *im, const struct image_commit *rq, struct cancel *c,
                  struct image **out, struct err *e)
{
    struct pins pins = {0};
    struct base b = {0};
    int rc = commit_pinned(im, rq, &pins, &b, c, out, e);

    base_release(&b);
    pins_release(im, &pins);
    return rc;
}
