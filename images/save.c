/*
 * save: images as one tar that is a docker-archive and an OCI layout.
 *
 * Blobs are written as they came: the exact manifest when the store has it and all it names, else
 * one made of what the store has.  Everything is decided before the first byte is written, so that
 * an error can still be an answer.
 */
#include <errno.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "images/images_internal.h"
#include "images/manifest.h"
#include "images/tar.h"

#define TEXT_MAX (16 * 1024 * 1024)
#define PIECE    (128 * 1024)

struct saved {
    struct image *image;
    struct strv tags;   /* canonical, those that were asked for */
    struct strv layers; /* digests of blobs, lowest first */
    char *manifest, *media_type;
    int64_t manifest_size;
    char *generated; /* the manifest's text, when the store has none */
};

struct save {
    struct images *im;
    struct pins pins;
    struct saved *v;
    size_t n;
    struct cancel *c;
    struct tar_writer tar;
    struct map written;
};

/* ---- which images */

static struct saved *saved_of(struct save *s, const struct image *img)
{
    struct saved *sv;

    for (size_t i = 0; i < s->n; i++)
        if (str_eq(s->v[i].image->id, img->id))
            return &s->v[i];
    sv = ARRAY_ADD(s->v, s->n);
    sv->image = (struct image *)image_ref(img);
    return sv;
}

/* "busybox" alone is all tags of the repository. */
static bool select_repository(struct save *s, const struct reference *r)
{
    cleanup_strv struct strv tags = {0};
    cleanup_free char *prefix = str_printf("%s/%s:", r->domain, r->path);
    const char *key;
    void *value;

    mutex_lock(&s->im->lock);
    for (size_t i = 0; map_at(&s->im->refs, &i, &key, &value); i++)
        if (str_starts(key, prefix) && !strchr(key, '@'))
            strv_add(&tags, key);
    mutex_unlock(&s->im->lock);
    strv_sort(&tags);
    for (size_t i = 0; i < tags.n; i++) {
        cleanup_image struct image *img = NULL;

        if (!images_find(s->im, tags.v[i], &img, ERR_IGNORE))
            strv_add(&saved_of(s, img)->tags, tags.v[i]);
    }
    return tags.n > 0;
}

static bool is_reference_of(struct save *s, const char *canonical, const char *id)
{
    struct ref_entry *r;
    bool is;

    mutex_lock(&s->im->lock);
    r = map_get(&s->im->refs, canonical);
    is = r && str_eq(r->id, id);
    mutex_unlock(&s->im->lock);
    return is;
}

static int select_one(struct save *s, const char *text, struct err *e)
{
    cleanup_reference struct reference r = {0};
    cleanup_image struct image *img = NULL;
    cleanup_free char *canonical = NULL;
    bool named = !reference_parse(text, &r, ERR_IGNORE);
    struct saved *sv;

    if (named && !r.tag && !r.digest && select_repository(s, &r))
        return 0;
    if (images_find(s->im, text, &img, e))
        return -1;
    sv = saved_of(s, img);
    if (!named || !r.tag || r.digest)
        return 0;
    canonical = reference_canonical(&r);
    /* An ID looks like a name with a tag as well: the record tells which it was. */
    if (is_reference_of(s, canonical, img->id) && !strv_has(&sv->tags, canonical))
        strv_add(&sv->tags, canonical);
    return 0;
}

/* ---- which blobs */

static bool all_here(struct save *s, const struct strv *blobs)
{
    for (size_t i = 0; i < blobs->n; i++)
        if (!content_has(s->im->content, blobs->v[i], NULL))
            return false;
    return true;
}

/* The manifest that the image came with, if everything it names is here. */
static bool take_exact(struct save *s, struct saved *sv)
{
    struct image_entry *en;

    mutex_lock(&s->im->lock);
    en = map_get(&s->im->images, sv->image->id);
    if (en && !str_empty(en->rec.manifest_digest)) {
        sv->manifest = xstrdup(en->rec.manifest_digest);
        sv->media_type = xstrdup(en->rec.manifest_media_type);
        sv->manifest_size = en->rec.manifest_size;
        strv_copy(&sv->layers, &en->rec.layer_blobs);
    }
    mutex_unlock(&s->im->lock);
    if (sv->manifest && sv->layers.n == sv->image->diff_ids.n && all_here(s, &sv->layers) &&
        content_has(s->im->content, sv->manifest, NULL))
        return true;
    str_set(&sv->manifest, NULL);
    str_set(&sv->media_type, NULL);
    strv_release(&sv->layers);
    return false;
}

static const char *layer_media_type(struct save *s, const char *blob)
{
    unsigned char magic[4] = {0};
    cleanup_fd int fd = content_open(s->im->content, blob, NULL, ERR_IGNORE);

    if (fd < 0 || pread(fd, magic, sizeof(magic), 0) != sizeof(magic))
        return MEDIA_OCI_LAYER;
    if (magic[0] == 0x1f && magic[1] == 0x8b)
        return MEDIA_OCI_LAYER "+gzip";
    if (!memcmp(magic, "\x28\xb5\x2f\xfd", 4))
        return MEDIA_OCI_LAYER "+zstd";
    return MEDIA_OCI_LAYER;
}

static void write_descriptor(struct save *s, struct jsonw *w, const char *media_type,
                             const char *digest)
{
    int64_t size = 0;

    content_has(s->im->content, digest, &size);
    jsonw_obj(w);
    jsonw_kstr(w, "mediaType", media_type);
    jsonw_kstr(w, "digest", digest);
    jsonw_ki64(w, "size", size);
    jsonw_end_obj(w);
}

static int generate_manifest(struct save *s, struct saved *sv, struct err *e)
{
    cleanup_buf struct buf text = BUF_INIT(MANIFEST_MAX);
    struct jsonw w = JSONW_INIT(&text);
    char digest[DIGEST_TEXT_MAX];

    jsonw_obj(&w);
    jsonw_ki64(&w, "schemaVersion", 2);
    jsonw_kstr(&w, "mediaType", MEDIA_OCI_IMAGE);
    jsonw_key(&w, "config");
    write_descriptor(s, &w, MEDIA_OCI_CONFIG, sv->image->id);
    jsonw_key(&w, "layers");
    jsonw_arr(&w);
    for (size_t i = 0; i < sv->layers.n; i++)
        write_descriptor(s, &w, layer_media_type(s, sv->layers.v[i]), sv->layers.v[i]);
    jsonw_end_arr(&w);
    jsonw_end_obj(&w);
    if (buf_check(&text, "manifest", e))
        return -1;
    digest_of(text.data, text.len, digest);
    sv->manifest = xstrdup(digest);
    sv->manifest_size = (int64_t)text.len;
    sv->media_type = xstrdup(MEDIA_OCI_IMAGE);
    sv->generated = buf_take(&text);
    return 0;
}

/* The layers' own blobs: another image with the same layer brought them, perhaps. */
static int take_generated(struct save *s, struct saved *sv, struct err *e)
{
    for (size_t i = 0; i < sv->image->chain_ids.n; i++) {
        struct layer_record *l;

        mutex_lock(&s->im->lock);
        l = map_get(&s->im->layers, sv->image->chain_ids.v[i]);
        strv_add(&sv->layers, l ? l->blob : "");
        mutex_unlock(&s->im->lock);
    }
    for (size_t i = 0; i < sv->layers.n; i++)
        if (!content_has(s->im->content, sv->layers.v[i], NULL))
            return err_set(e, ERR_NOT_FOUND,
                           "image %s: the content of layer %s is not in the store", sv->image->id,
                           sv->image->diff_ids.v[i]);
    return generate_manifest(s, sv, e);
}

static int prepare(struct save *s, const struct strv *refs, struct err *e)
{
    for (size_t i = 0; i < refs->n; i++)
        if (select_one(s, refs->v[i], e))
            return -1;
    for (size_t i = 0; i < s->n; i++) {
        struct saved *sv = &s->v[i];

        pin_blob(s->im, &s->pins, sv->image->id);
        if (!take_exact(s, sv) && take_generated(s, sv, e))
            return -1;
        pin_blob(s->im, &s->pins, sv->manifest);
        for (size_t k = 0; k < sv->layers.n; k++)
            pin_blob(s->im, &s->pins, sv->layers.v[k]);
    }
    return 0;
}

/* ---- the index files */

static void write_platform(struct jsonw *w, const struct image *img)
{
    jsonw_key(w, "platform");
    jsonw_obj(w);
    jsonw_kstr(w, "architecture", img->architecture);
    jsonw_kstr(w, "os", img->os);
    if (!str_empty(img->variant))
        jsonw_kstr(w, "variant", img->variant);
    jsonw_end_obj(w);
}

static void write_index_entry(struct jsonw *w, const struct saved *sv, const char *name)
{
    jsonw_obj(w);
    jsonw_kstr(w, "mediaType", sv->media_type);
    jsonw_kstr(w, "digest", sv->manifest);
    jsonw_ki64(w, "size", sv->manifest_size);
    if (name) {
        jsonw_key(w, "annotations");
        jsonw_obj(w);
        jsonw_kstr(w, "io.containerd.image.name", name);
        jsonw_kstr(w, "org.opencontainers.image.ref.name", strrchr(name, ':') + 1);
        jsonw_end_obj(w);
    }
    if (!str_empty(sv->image->os))
        write_platform(w, sv->image);
    jsonw_end_obj(w);
}

static void index_json(struct save *s, struct jsonw *w)
{
    jsonw_obj(w);
    jsonw_ki64(w, "schemaVersion", 2);
    jsonw_kstr(w, "mediaType", MEDIA_OCI_INDEX);
    jsonw_key(w, "manifests");
    jsonw_arr(w);
    for (size_t i = 0; i < s->n; i++) {
        for (size_t k = 0; k < s->v[i].tags.n; k++)
            write_index_entry(w, &s->v[i], s->v[i].tags.v[k]);
        if (s->v[i].tags.n == 0)
            write_index_entry(w, &s->v[i], NULL);
    }
    jsonw_end_arr(w);
    jsonw_end_obj(w);
}

static char *familiar(const char *canonical)
{
    cleanup_reference struct reference r = {0};

    return reference_parse(canonical, &r, ERR_IGNORE) ? xstrdup(canonical) : reference_familiar(&r);
}

static void write_tags(struct jsonw *w, const struct saved *sv)
{
    jsonw_key(w, "RepoTags");
    if (sv->tags.n == 0) {
        jsonw_null(w);
        return;
    }
    jsonw_arr(w);
    for (size_t i = 0; i < sv->tags.n; i++) {
        cleanup_free char *name = familiar(sv->tags.v[i]);

        jsonw_str(w, name);
    }
    jsonw_end_arr(w);
}

static void write_blob_name(struct jsonw *w, const char *digest)
{
    cleanup_free char *name = str_printf("blobs/sha256/%s", digest_hex(digest));

    jsonw_str(w, name);
}

static void manifest_json(struct save *s, struct jsonw *w)
{
    jsonw_arr(w);
    for (size_t i = 0; i < s->n; i++) {
        const struct saved *sv = &s->v[i];

        jsonw_obj(w);
        jsonw_key(w, "Config");
        write_blob_name(w, sv->image->id);
        write_tags(w, sv);
        jsonw_key(w, "Layers");
        jsonw_arr(w);
        for (size_t k = 0; k < sv->layers.n; k++)
            write_blob_name(w, sv->layers.v[k]);
        jsonw_end_arr(w);
        jsonw_key(w, "LayerSources");
        jsonw_obj(w);
        for (size_t k = 0; k < sv->layers.n; k++) {
            jsonw_key(w, sv->image->diff_ids.v[k]);
            write_descriptor(s, w, layer_media_type(s, sv->layers.v[k]), sv->layers.v[k]);
        }
        jsonw_end_obj(w);
        jsonw_end_obj(w);
    }
    jsonw_end_arr(w);
}

/* {"busybox":{"latest":"<top layer>"}}: what docker before 1.10 read. */
static void repositories_json(struct save *s, struct jsonw *w)
{
    struct map repos = MAP_INIT(NULL);
    const char *repo;
    void *value;

    for (size_t i = 0; i < s->n; i++)
        for (size_t k = 0; k < s->v[i].tags.n; k++) {
            cleanup_free char *name = familiar(s->v[i].tags.v[k]);

            *strrchr(name, ':') = '\0';
            map_put(&repos, name, s);
        }
    jsonw_obj(w);
    for (size_t r = 0; map_at(&repos, &r, &repo, &value); r++) {
        jsonw_key(w, repo);
        jsonw_obj(w);
        for (size_t i = 0; i < s->n; i++)
            for (size_t k = 0; k < s->v[i].tags.n; k++) {
                cleanup_free char *name = familiar(s->v[i].tags.v[k]);
                const struct strv *chain = &s->v[i].image->chain_ids;
                char *colon = strrchr(name, ':');

                *colon = '\0';
                if (str_eq(name, repo))
                    jsonw_kstr(w, colon + 1, chain->n ? digest_hex(chain->v[chain->n - 1]) : "");
            }
        jsonw_end_obj(w);
    }
    jsonw_end_obj(w);
    map_release(&repos);
}

/* ---- the tar */

static int put_json(struct save *s, const char *name, void (*make)(struct save *, struct jsonw *),
                    struct err *e)
{
    cleanup_buf struct buf text = BUF_INIT(TEXT_MAX);
    struct jsonw w = JSONW_INIT(&text);

    make(s, &w);
    if (buf_check(&text, name, e))
        return -1;
    return tar_put_file(&s->tar, name, text.data, text.len, e);
}

static int put_dir(struct save *s, const char *name, struct err *e)
{
    struct tar_entry t = {.type = TAR_DIR, .name = (char *)name, .mode = 0755};

    return tar_put_header(&s->tar, &t, e);
}

static int put_blob(struct save *s, const char *digest, struct err *e)
{
    cleanup_free char *name = str_printf("blobs/sha256/%s", digest_hex(digest));
    cleanup_free char *piece = xmalloc(PIECE);
    struct tar_entry t = {.name = name, .mode = 0644};
    cleanup_fd int fd = -1;

    if (map_get(&s->written, digest))
        return 0;
    map_put(&s->written, digest, s);
    fd = content_open(s->im->content, digest, &t.size, e);
    if (fd < 0 || tar_put_header(&s->tar, &t, e))
        return -1;
    for (int64_t left = t.size; left > 0;) {
        ssize_t n = read(fd, piece, PIECE);

        if (cancel_fired(s->c))
            return err_set(e, ERR_CANCELLED, "context canceled");
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return err_os(e, n ? errno : EIO, "cannot read blob %s", digest);
        if (tar_put_data(&s->tar, piece, (size_t)n, e))
            return -1;
        left -= n;
    }
    return 0;
}

static int put_generated(struct save *s, const struct saved *sv, struct err *e)
{
    cleanup_free char *name = str_printf("blobs/sha256/%s", digest_hex(sv->manifest));

    return tar_put_file(&s->tar, name, sv->generated, strlen(sv->generated), e);
}

static int put_image(struct save *s, const struct saved *sv, struct err *e)
{
    if (put_blob(s, sv->image->id, e) ||
        (sv->generated ? put_generated(s, sv, e) : put_blob(s, sv->manifest, e)))
        return -1;
    for (size_t i = 0; i < sv->layers.n; i++)
        if (put_blob(s, sv->layers.v[i], e))
            return -1;
    return 0;
}

static int put_all(struct save *s, struct err *e)
{
    static const char layout[] = "{\"imageLayoutVersion\":\"1.0.0\"}";

    if (put_dir(s, "blobs/", e) || put_dir(s, "blobs/sha256/", e))
        return -1;
    for (size_t i = 0; i < s->n; i++)
        if (put_image(s, &s->v[i], e))
            return -1;
    if (put_json(s, "index.json", index_json, e) ||
        put_json(s, "manifest.json", manifest_json, e) ||
        tar_put_file(&s->tar, "oci-layout", layout, strlen(layout), e) ||
        put_json(s, "repositories", repositories_json, e))
        return -1;
    return tar_put_end(&s->tar, e);
}

static void save_release(struct save *s)
{
    for (size_t i = 0; i < s->n; i++) {
        image_unref(s->v[i].image);
        strv_release(&s->v[i].tags);
        strv_release(&s->v[i].layers);
        free(s->v[i].manifest);
        free(s->v[i].media_type);
        free(s->v[i].generated);
    }
    free(s->v);
    map_release(&s->written);
    pins_release(s->im, &s->pins);
}

int images_save(struct images *im, const struct strv *refs, images_write_fn *write, void *arg,
                struct cancel *c, struct err *e)
{
    struct save s = {.im = im, .c = c, .written = MAP_INIT(NULL)};
    int rc;

    s.tar = (struct tar_writer){.write = write, .arg = arg};
    rc = prepare(&s, refs, e) || put_all(&s, e) ? -1 : 0;
    save_release(&s);
    return rc;
}
