/*
 * layer: from a blob to a layer on disk.
 *
 * The bytes go once through everything: decompression, the digest of the plain tar (the diff ID),
 * extraction.  Only when both digests are right does the driver rename the layer into place.
 */
#include <errno.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/digest.h"
#include "base/fs.h"
#include "base/mem.h"
#include "images/images_internal.h"
#include "images/layer_apply.h"

#define THREADS_MAX 4

char *chain_id_of(const char *parent, const char *diff_id)
{
    cleanup_free char *text = NULL;
    char digest[DIGEST_TEXT_MAX];

    if (!parent)
        return xstrdup(diff_id);
    text = str_printf("%s %s", parent, diff_id);
    digest_of(text, strlen(text), digest);
    return xstrdup(digest);
}

/* ---- one layer */

struct fill {
    const char *diff_id;
    const struct layer_source *src;
    enum whiteout_form form;
    struct decompress *plain;
    struct digest *digest;
    int64_t size;
};

static int read_hashed(void *arg, void *buf, size_t n, size_t *got, struct err *e)
{
    struct fill *f = arg;

    if (decompress_read(f->plain, buf, n, got, e))
        return -1;
    digest_update(f->digest, buf, *got);
    return 0;
}

static int check_diff_id(struct fill *f, struct err *e)
{
    char actual[DIGEST_TEXT_MAX];

    digest_final(f->digest, actual);
    if (!str_eq(actual, f->diff_id))
        return err_set(e, ERR_INVALID,
                       "layers from manifest don't match image configuration: a layer has diff ID "
                       "%s where %s was announced",
                       actual, f->diff_id);
    return 0;
}

static int fill_layer(void *arg, int dir_fd, struct err *e)
{
    struct fill *f = arg;
    int rc;

    if (decompress_open(f->src->read, f->src->arg, &f->plain, e))
        return -1;
    f->digest = digest_new();
    rc = layer_apply(dir_fd, read_hashed, f, f->form, &f->size, e);
    if (rc == 0 && f->src->verify)
        rc = f->src->verify(f->src->arg, e);
    if (rc == 0)
        rc = check_diff_id(f, e);
    digest_free(f->digest);
    decompress_free(f->plain);
    return rc;
}

static void remember_layer(struct images *im, const char *chain_id, const char *diff_id,
                           const char *blob, int64_t size)
{
    struct layer_record *l;

    mutex_lock(&im->lock);
    l = map_get(&im->layers, chain_id);
    if (!l) {
        l = xcalloc(1, sizeof(*l));
        *l = (struct layer_record){xstrdup(chain_id), xstrdup(diff_id), xstrdup(blob ? blob : ""),
                                   size};
        map_put(&im->layers, chain_id, l);
    }
    mutex_unlock(&im->lock);
}

bool layer_exists(struct images *im, const char *chain_id)
{
    bool known;

    mutex_lock(&im->lock);
    known = map_get(&im->layers, chain_id) != NULL;
    mutex_unlock(&im->lock);
    return known && im->driver->has_layer(im->layers_root, chain_id);
}

static int make_layer(struct images *im, const struct layer_id *id, const struct layer_source *src,
                      struct err *e)
{
    struct fill f = {.diff_id = id->diff_id,
                     .src = src,
                     .form = im->driver->independent ? WHITEOUT_OVERLAY : WHITEOUT_FLAT};

    /* A directory without a record is from before the database knew it: it is made again. */
    if (im->driver->has_layer(im->layers_root, id->chain_id) &&
        im->driver->remove_layer(im->layers_root, id->chain_id, e))
        return -1;
    if (im->driver->ensure_layer(im->layers_root, id->chain_id, id->parent, fill_layer, &f, e))
        return -1;
    remember_layer(im, id->chain_id, id->diff_id, id->blob, f.size);
    return 0;
}

int layer_ensure(struct images *im, const struct layer_id *id, const struct layer_source *src,
                 struct cancel *c, bool *made, struct err *e)
{
    cleanup_free char *work = str_printf("work:%s", id->chain_id);
    bool there;
    int rc = 0;

    if (claim_or_cancel(im, work, c, e))
        return -1;
    there = layer_exists(im, id->chain_id);
    if (!there)
        rc = make_layer(im, id, src, e);
    unclaim(im, work);
    if (made)
        *made = rc == 0 && !there;
    return rc;
}

struct layer_id layer_id_of(const struct image *img, const struct strv *blobs, size_t i)
{
    return (struct layer_id){img->chain_ids.v[i], i ? img->chain_ids.v[i - 1] : NULL,
                             img->diff_ids.v[i], blobs->v[i]};
}

/* ---- from a blob in the store */

struct blob_reader {
    int fd;
    const char *expect;
    struct cancel *c;
};

static int read_blob(void *arg, void *buf, size_t n, size_t *got, struct err *e)
{
    struct blob_reader *b = arg;
    ssize_t r;

    if (cancel_fired(b->c))
        return err_set(e, ERR_CANCELLED, "context canceled");
    do
        r = read(b->fd, buf, n);
    while (r < 0 && errno == EINTR);
    if (r < 0)
        return err_os(e, errno, "cannot read blob %s", b->expect);
    *got = (size_t)r;
    return 0;
}

int layer_ensure_from_blob(struct images *im, const struct layer_id *id, struct cancel *c,
                           struct err *e)
{
    cleanup_fd int fd = -1;
    struct blob_reader b = {.expect = id->blob, .c = c};
    struct layer_source src = {read_blob, &b, NULL};

    if (layer_exists(im, id->chain_id))
        return 0;
    fd = content_open(im->content, id->blob, NULL, e);
    if (fd < 0)
        return -1;
    b.fd = fd;
    return layer_ensure(im, id, &src, c, NULL, e);
}

/* ---- all layers of an image */

struct many {
    struct images *im;
    const struct image *img;
    const struct strv *blobs;
    struct cancel *c;
    struct mutex lock;
    size_t next;
    struct err err; /* the first one */
};

static void make_many(void *arg)
{
    struct many *m = arg;

    for (;;) {
        struct err e = ERR_INIT;
        struct layer_id id;
        size_t i;

        mutex_lock(&m->lock);
        i = m->err.kind ? m->img->diff_ids.n : m->next;
        m->next++;
        mutex_unlock(&m->lock);
        if (i >= m->img->diff_ids.n)
            return;
        id = layer_id_of(m->img, m->blobs, i);
        if (!layer_ensure_from_blob(m->im, &id, m->c, &e))
            continue;
        mutex_lock(&m->lock);
        if (!m->err.kind)
            m->err = e;
        mutex_unlock(&m->lock);
    }
}

int layers_from_blobs(struct images *im, const struct image *img, const struct strv *blobs,
                      struct cancel *c, struct err *e)
{
    struct many m = {.im = im, .img = img, .blobs = blobs, .c = c, .err = ERR_INIT};
    struct thread threads[THREADS_MAX - 1] = {0};
    size_t n = im->driver->independent ? THREADS_MAX - 1 : 0;

    if (blobs->n != img->diff_ids.n)
        return err_set(e, ERR_INVALID,
                       "invalid manifest, layers length mismatch: expected %zu, "
                       "got %zu",
                       img->diff_ids.n, blobs->n);
    mutex_init(&m.lock);
    for (size_t i = 0; i < n && i + 1 < img->diff_ids.n; i++)
        if (thread_start(&threads[i], "layer", make_many, &m, ERR_IGNORE))
            break; /* the others do its work */
    make_many(&m);
    for (size_t i = 0; i < n; i++)
        thread_join(&threads[i]);
    mutex_destroy(&m.lock);
    if (!m.err.kind)
        return 0;
    *e = m.err;
    return -1;
}
