/*
 * store: opening and closing, looking up, listing, tagging.
 */
#include <errno.h>
#include <sys/statfs.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"
#include "images/images_internal.h"

#define DOWNLOADS_DEFAULT 3
#define DOWNLOADS_MAX     64

static const struct {
    unsigned magic;
    const char *name; /* as dockerd calls it */
} file_systems[] = {
    {0xef53,     "extfs"    },
    {0x58465342, "xfs"      },
    {0x9123683e, "btrfs"    },
    {0x01021994, "tmpfs"    },
    {0x794c7630, "overlayfs"},
    {0x2fc12fc1, "zfs"      },
    {0xf2f52010, "f2fs"     },
    {0x6969,     "nfs"      },
    {0x65735546, "fuse"     },
    {0xca451a4e, "bcachefs" },
    {0x3153464a, "jfs"      },
    {0x52654973, "reiserfs" },
    {0x858458f6, "ramfs"    },
    {0x01021997, "v9fs"     },
    {0xff534d42, "cifs"     },
    {0x61756673, "aufs"     },
    {0xf15f,     "ecryptfs" },
    {0x47504653, "gpfs"     },
};

static const char *backing_fs(const char *path)
{
    struct statfs st;

    if (statfs(path, &st))
        return "<unknown>";
    for (size_t i = 0; i < ARRAY_LEN(file_systems); i++)
        if (file_systems[i].magic == (unsigned)st.f_type)
            return file_systems[i].name;
    return "<unknown>";
}

/* What an earlier run used wins over what would be chosen now: its layers are there. */
static const struct storage_driver_ops *driver_in_use(const char *layers)
{
    cleanup_strv struct strv names = {0};
    const struct storage_driver_ops *found = NULL;

    if (fs_list(layers, &names, ERR_IGNORE))
        return NULL;
    for (size_t i = 0; i < names.n && !found; i++)
        found = storage_driver_find(names.v[i]);
    return found;
}

static int choose_driver(struct images *im, const char *wanted, const char *layers, struct err *e)
{
    cleanup_free char *why = NULL;

    if (!str_empty(wanted)) {
        im->driver = storage_driver_find(wanted);
        if (!im->driver)
            return err_set(e, ERR_INVALID, "storage driver \"%s\" is not known", wanted);
        if (im->driver->usable(layers, e))
            return err_wrap(e, "storage driver %s", wanted);
        return 0;
    }
    im->driver = driver_in_use(layers);
    if (im->driver)
        return 0;
    im->driver = storage_driver_choose(layers, &why);
    if (!im->driver)
        return err_set(e, ERR_UNSUPPORTED, "no storage driver works below %s: %s", layers, why);
    if (!str_empty(why))
        log_warn("a better storage driver does not work here", "using=%s reason=%s",
                 im->driver->name, log_quote(why));
    return 0;
}

static int open_dirs(struct images *im, const struct images_config *cfg, struct err *e)
{
    cleanup_free char *layers = path_join(cfg->data_root, "layers");
    cleanup_free char *tmp = NULL, *rw = NULL;

    if (fs_mkdir_p(layers, 0711, e) || choose_driver(im, cfg->storage_driver, layers, e))
        return -1;
    im->layers_root = path_join(layers, im->driver->name);
    im->backing_fs = backing_fs(layers);
    tmp = path_join(im->layers_root, "tmp");
    rw = path_join(im->layers_root, "rw");
    if (fs_mkdir_p(im->layers_root, 0711, e) || fs_remove_all(tmp, e) || fs_mkdir_p(tmp, 0700, e) ||
        fs_mkdir_p(rw, 0711, e))
        return -1;
    return content_open_store(cfg->data_root, &im->content, e);
}

int images_open(const struct images_config *cfg, struct state *st, struct images **out,
                struct err *e)
{
    struct images *im = xcalloc(1, sizeof(*im));

    im->st = st;
    im->data_root = xstrdup(cfg->data_root);
    strv_copy(&im->insecure, &cfg->insecure_registries);
    im->user_agent = xstrdup(cfg->user_agent ? cfg->user_agent : "ballast");
    im->max_downloads = cfg->max_downloads > 0 ? cfg->max_downloads : DOWNLOADS_DEFAULT;
    if (im->max_downloads > DOWNLOADS_MAX)
        im->max_downloads = DOWNLOADS_MAX;
    im->holds = MAP_INIT(free);
    mutex_init(&im->lock);
    cond_init(&im->changed);
    if (open_dirs(im, cfg, e) || records_load(im, e) || roots_load(im, e) || gc_sweep(im, e)) {
        images_close(im);
        return -1;
    }
    *out = im;
    return 0;
}

void images_close(struct images *im)
{
    if (!im)
        return;
    records_release(im);
    map_release(&im->roots);
    map_release(&im->holds);
    content_free(im->content);
    strv_release(&im->insecure);
    free(im->data_root);
    free(im->layers_root);
    free(im->user_agent);
    cond_destroy(&im->changed);
    mutex_destroy(&im->lock);
    free(im);
}

const char *images_driver_name(const struct images *im)
{
    return im->driver->name;
}

const char *images_backing_fs(const struct images *im)
{
    return im->backing_fs;
}

/* ---- finding */

static struct image *find_id_locked(struct images *im, const char *digest)
{
    struct image_entry *en = map_get(&im->images, digest);

    return en ? (struct image *)image_ref(en->image) : NULL;
}

static struct image *find_ref_locked(struct images *im, const struct reference *r)
{
    struct reference key = {r->domain, r->path, r->digest ? NULL : r->tag, r->digest};
    cleanup_free char *canonical = reference_canonical(&key);
    struct ref_entry *ref = map_get(&im->refs, canonical);

    return ref ? find_id_locked(im, ref->id) : NULL;
}

/* A prefix that fits two images finds none, as with dockerd. */
static struct image *find_prefix_locked(struct images *im, const char *text)
{
    const char *hex = digest_hex(text), *key;
    struct image *found = NULL;
    size_t n = strlen(hex);
    void *value;

    if (n == 0 || n > 64 || strspn(hex, "0123456789abcdef") != n)
        return NULL;
    for (size_t i = 0; map_at(&im->images, &i, &key, &value); i++) {
        if (strncmp(digest_hex(key), hex, n) != 0)
            continue;
        if (found) {
            image_unref(found);
            return NULL;
        }
        found = (struct image *)image_ref(((struct image_entry *)value)->image);
    }
    return found;
}

int images_find(struct images *im, const char *text, struct image **out, struct err *e)
{
    cleanup_reference struct reference r = {0};
    cleanup_free char *name = NULL;
    bool is_id = digest_valid(text) || strspn(text, "0123456789abcdef") == 64;
    struct image *img;

    if (!is_id && !str_starts(text, "sha256:")) {
        if (reference_parse(text, &r, e))
            return -1;
        reference_default_tag(&r);
        name = reference_familiar(&r);
    }
    mutex_lock(&im->lock);
    img = name ? find_ref_locked(im, &r) : NULL;
    if (!img)
        img = find_prefix_locked(im, text);
    mutex_unlock(&im->lock);
    if (!img)
        return err_set(e, ERR_NOT_FOUND, "No such image: %s", name ? name : text);
    *out = img;
    return 0;
}

static int newest_first(const void *a, const void *b)
{
    const struct image *x = *(struct image *const *)a, *y = *(struct image *const *)b;

    if (x->created_ns != y->created_ns)
        return x->created_ns > y->created_ns ? -1 : 1;
    return strcmp(x->id, y->id);
}

void images_list(struct images *im, struct image_list *out)
{
    const char *key;
    void *value;

    *out = (struct image_list){0};
    mutex_lock(&im->lock);
    out->v = xcalloc(map_count(&im->images) + 1, sizeof(*out->v));
    for (size_t i = 0; map_at(&im->images, &i, &key, &value); i++)
        out->v[out->n++] = (struct image *)image_ref(((struct image_entry *)value)->image);
    mutex_unlock(&im->lock);
    qsort(out->v, out->n, sizeof(*out->v), newest_first);
}

void image_list_release(struct image_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        image_unref(l->v[i]);
    free(l->v);
    *l = (struct image_list){0};
}

int64_t images_layers_size(struct images *im)
{
    int64_t sum = 0;
    const char *key;
    void *value;

    mutex_lock(&im->lock);
    for (size_t i = 0; map_at(&im->layers, &i, &key, &value); i++)
        sum += ((const struct layer_record *)value)->size;
    mutex_unlock(&im->lock);
    return sum;
}

void images_shared_sizes(struct images *im, const struct image_list *l, int64_t *out)
{
    static char one, more; /* what a layer's entry points to says how many use it */
    struct map users = MAP_INIT(NULL);

    for (size_t i = 0; i < l->n; i++)
        for (size_t k = 0; k < l->v[i]->chain_ids.n; k++) {
            const char *id = l->v[i]->chain_ids.v[k];

            map_put(&users, id, map_get(&users, id) ? &more : &one);
        }
    mutex_lock(&im->lock);
    for (size_t i = 0; i < l->n; i++) {
        out[i] = 0;
        for (size_t k = 0; k < l->v[i]->chain_ids.n; k++) {
            const char *id = l->v[i]->chain_ids.v[k];
            const struct layer_record *layer = map_get(&im->layers, id);

            if (layer && map_get(&users, id) == &more)
                out[i] += layer->size;
        }
    }
    mutex_unlock(&im->lock);
    map_release(&users);
}

/* ---- tagging */

int images_tag(struct images *im, const char *source, const char *repo, const char *tag,
               struct err *e)
{
    cleanup_reference struct reference r = {0};
    cleanup_image struct image *img = NULL;
    cleanup_free char *text = NULL, *canonical = NULL;
    int rc;

    text = str_empty(tag) ? xstrdup(repo) : str_printf("%s:%s", repo, tag);
    if (reference_parse(text, &r, e))
        return -1;
    if (r.digest)
        return err_set(e, ERR_INVALID, "refusing to create a tag with a digest reference");
    reference_default_tag(&r);
    canonical = reference_canonical(&r);
    claim(im, "records");
    rc = images_find(im, source, &img, e);
    if (rc == 0)
        rc = records_set_ref(im, canonical, img->id, time_wall_ns(), e);
    unclaim(im, "records");
    return rc;
}
