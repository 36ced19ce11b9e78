/*
 * import: a tar of a root file system becomes an image of one layer.
 *
 * The plain tar is what the blob store keeps, since its digest is the layer's name anyhow.
 */
#include "base/cancel.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/time.h"
#include "images/changes.h"
#include "images/images_internal.h"
#include "images/manifest.h"

#define CONFIG_MAX (1024 * 1024)
#define PIECE      (128 * 1024)

struct intake {
    images_read_fn *read;
    void *arg;
    struct cancel *c;
};

static int read_cancellable(void *arg, void *buf, size_t n, size_t *got, struct err *e)
{
    struct intake *in = arg;

    if (cancel_fired(in->c))
        return err_set(e, ERR_CANCELLED, "context canceled");
    return in->read(in->arg, buf, n, got, e);
}

static int copy_to_blob(struct decompress *plain, struct blob_writer *w, struct err *e)
{
    cleanup_free char *piece = xmalloc(PIECE);

    for (;;) {
        size_t got;

        if (decompress_read(plain, piece, PIECE, &got, e))
            return -1;
        if (got == 0)
            return 0;
        if (blob_write(w, piece, got, e))
            return -1;
    }
}

static int take_blob(struct images *im, struct intake *in, struct pins *pins,
                     char digest[DIGEST_TEXT_MAX], struct err *e)
{
    cleanup_decompress struct decompress *plain = NULL;
    struct blob_writer *w;

    if (decompress_open(read_cancellable, in, &plain, e) || blob_create(im->content, &w, e))
        return -1;
    if (copy_to_blob(plain, w, e)) {
        blob_abort(w);
        return -1;
    }
    if (blob_size(w) == 0) {
        blob_abort(w);
        return err_set(e, ERR_INVALID, "cannot import an empty archive");
    }
    blob_seal(w, digest);
    pin_blob(im, pins, digest);
    return blob_commit(w, NULL, -1, NULL, e);
}

static int config_json(const struct import_request *rq, const char *diff_id, struct buf *out,
                       struct err *e)
{
    cleanup_platform struct platform p = {0};
    cleanup_spec struct container_spec *config = container_spec_new();
    const char *message = str_empty(rq->message) ? "Imported from -" : rq->message;
    int64_t now = time_wall_ns();
    struct jsonw w = JSONW_INIT(out);

    if (platform_parse(rq->platform, &p, e))
        return -1;
    if (rq->changes && changes_apply(config, rq->changes, e))
        return -1;
    jsonw_obj(&w);
    jsonw_kstr(&w, "architecture", p.arch);
    jsonw_kstr(&w, "comment", message);
    jsonw_key(&w, "config");
    container_spec_encode_config(config, &w);
    jsonw_key(&w, "created");
    jsonw_time(&w, now);
    jsonw_key(&w, "history");
    jsonw_arr(&w);
    jsonw_obj(&w);
    jsonw_key(&w, "created");
    jsonw_time(&w, now);
    jsonw_kstr(&w, "comment", message);
    jsonw_end_obj(&w);
    jsonw_end_arr(&w);
    jsonw_kstr(&w, "os", p.os);
    jsonw_key(&w, "rootfs");
    jsonw_obj(&w);
    jsonw_kstr(&w, "type", "layers");
    jsonw_key(&w, "diff_ids");
    jsonw_arr(&w);
    jsonw_str(&w, diff_id);
    jsonw_end_arr(&w);
    jsonw_end_obj(&w);
    if (!str_empty(p.variant))
        jsonw_kstr(&w, "variant", p.variant);
    jsonw_end_obj(&w);
    return buf_check(out, "image config", e);
}

static int target_refs(const struct import_request *rq, struct strv *refs, struct err *e)
{
    cleanup_reference struct reference r = {0};
    cleanup_free char *text = NULL;

    if (str_empty(rq->repo))
        return 0;
    text = str_empty(rq->tag) ? xstrdup(rq->repo) : str_printf("%s:%s", rq->repo, rq->tag);
    if (reference_parse(text, &r, e))
        return -1;
    if (r.digest)
        return err_set(e, ERR_INVALID, "cannot import digest reference");
    reference_default_tag(&r);
    strv_take(refs, reference_canonical(&r));
    return 0;
}

static int put_config(struct images *im, struct pins *pins, const struct buf *config,
                      char id[DIGEST_TEXT_MAX], struct err *e)
{
    digest_of(config->data, config->len, id);
    pin_blob(im, pins, id);
    return content_put(im->content, config->data, config->len, id, e);
}

static int import_pinned(struct images *im, const struct import_request *rq, struct intake *in,
                         struct pins *pins, struct image **out, struct err *e)
{
    cleanup_buf struct buf config = BUF_INIT(CONFIG_MAX);
    cleanup_strv struct strv refs = {0}, blobs = {0};
    char diff_id[DIGEST_TEXT_MAX], id[DIGEST_TEXT_MAX];
    struct layer_id layer = {diff_id, NULL, diff_id, diff_id};
    struct commit commit = {.id = id, .layer_blobs = &blobs, .refs = &refs, .tagged = true};

    /* What the request gets wrong is said before a long upload is read. */
    if (target_refs(rq, &refs, e) || config_json(rq, "", &config, e))
        return -1;
    buf_reset(&config);
    if (take_blob(im, in, pins, diff_id, e))
        return -1;
    pin_layer(im, pins, diff_id);
    strv_add(&blobs, diff_id);
    if (config_json(rq, diff_id, &config, e) || layer_ensure_from_blob(im, &layer, in->c, e) ||
        put_config(im, pins, &config, id, e))
        return -1;
    return records_commit(im, &commit, out, NULL, e);
}

int images_import(struct images *im, const struct import_request *rq, images_read_fn *read,
                  void *read_arg, struct cancel *c, struct image **out, struct err *e)
{
    struct intake in = {read, read_arg, c};
    struct pins pins = {0};
    int rc = import_pinned(im, rq, &in, &pins, out, e);

    pins_release(im, &pins);
    return rc;
}
