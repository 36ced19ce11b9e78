/*
 * rootfs: a container's writable part and the layers it stands on.
 *
 * The chain is written beside the writable part before that is made.  So a stopped container keeps
 * its layers when its image is removed by force, and the layers of a lost database are not taken
 * for leftovers.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/project_quota.h"
#include "images/images_internal.h"

#define CHAIN_FILE_MAX (1024 * 1024)

static void free_chain(void *p)
{
    strv_release(p);
    free(p);
}

static char *rw_path(struct images *im, const char *container_id, const char *name)
{
    return str_printf("%s/rw/%s%s%s", im->layers_root, container_id, *name ? "/" : "", name);
}

/* Container IDs become directory names. */
static int check_id(const char *id, struct err *e)
{
    if (str_empty(id) || strchr(id, '/') || id[0] == '.')
        return err_set(e, ERR_INVALID, "invalid container ID \"%s\"", id ? id : "");
    return 0;
}

static int read_chain(const char *path, struct strv *chain, struct err *e)
{
    cleanup_buf struct buf text = BUF_INIT(CHAIN_FILE_MAX);
    cleanup_strv struct strv lines = {0};

    if (fs_read(path, &text, e))
        return -1;
    strv_split(&lines, text.data, '\n');
    for (size_t i = 0; i < lines.n; i++) {
        if (!*lines.v[i])
            continue;
        if (!digest_valid(lines.v[i]))
            return err_set(e, ERR_IO, "%s is damaged", path);
        strv_add(chain, lines.v[i]);
    }
    return 0;
}

int roots_load(struct images *im, struct err *e)
{
    cleanup_free char *rw = path_join(im->layers_root, "rw");
    cleanup_strv struct strv ids = {0};

    im->roots = MAP_INIT(free_chain);
    if (fs_list(rw, &ids, e))
        return -1;
    for (size_t i = 0; i < ids.n; i++) {
        cleanup_free char *path = rw_path(im, ids.v[i], "chain");
        struct strv *chain = xcalloc(1, sizeof(*chain));
        struct err why = ERR_INIT;

        if (read_chain(path, chain, &why)) {
            log_warn("a container's layers are not known", "container=%s error=%s", ids.v[i],
                     log_quote(why.msg));
            free_chain(chain);
            continue;
        }
        map_put(&im->roots, ids.v[i], chain);
    }
    return 0;
}

/* The container's own chain when it has one, else the image's, which it now needs. */
static int take_chain(struct images *im, const char *image_id, const char *container_id,
                      struct strv *out, bool *is_new, struct err *e)
{
    struct strv *chain;
    struct image_entry *en;

    *is_new = false;
    mutex_lock(&im->lock);
    chain = map_get(&im->roots, container_id);
    en = map_get(&im->images, image_id);
    if (!chain && en) {
        chain = xcalloc(1, sizeof(*chain));
        strv_copy(chain, &en->image->chain_ids);
        map_put(&im->roots, container_id, chain);
        *is_new = true;
    }
    if (chain)
        strv_copy(out, chain);
    mutex_unlock(&im->lock);
    return chain ? 0 : err_set(e, ERR_NOT_FOUND, "No such image: %s", image_id);
}

static int write_chain(struct images *im, const char *container_id, const struct strv *chain,
                       struct err *e)
{
    cleanup_free char *dir = rw_path(im, container_id, "");
    cleanup_free char *path = rw_path(im, container_id, "chain");
    cleanup_free char *text = str_join((const char *const *)chain->v, chain->n, "\n");

    if (fs_mkdir_p(dir, 0711, e))
        return -1;
    return fs_write_atomic(path, text, strlen(text), 0600, false, e);
}

/* A layer whose directory is gone is made again from its blob, if that is there. */
static int repair_layers(struct images *im, const struct strv *chain, struct err *e)
{
    for (size_t i = 0; i < chain->n; i++) {
        cleanup_free char *diff = NULL, *blob = NULL;
        struct layer_record *l;
        struct layer_id id;

        if (im->driver->has_layer(im->layers_root, chain->v[i]))
            continue;
        mutex_lock(&im->lock);
        if ((l = map_get(&im->layers, chain->v[i]))) {
            diff = xstrdup(l->diff_id);
            blob = xstrdup(l->blob);
        }
        mutex_unlock(&im->lock);
        if (str_empty(blob) || !content_has(im->content, blob, NULL))
            return err_set(e, ERR_IO, "layer %s is missing; pull or load its image again",
                           chain->v[i]);
        log_warn("a layer is missing and is made again", "layer=%s", chain->v[i]);
        id = (struct layer_id){chain->v[i], i ? chain->v[i - 1] : NULL, diff, blob};
        if (layer_ensure_from_blob(im, &id, NULL, e))
            return -1;
    }
    return 0;
}

int images_rootfs_ensure(struct images *im, const char *image_id, const char *container_id,
                         struct rootfs *out, struct err *e)
{
    cleanup_strv struct strv chain = {0};
    bool is_new;

    if (check_id(container_id, e) || take_chain(im, image_id, container_id, &chain, &is_new, e))
        return -1;
    if (is_new && write_chain(im, container_id, &chain, e))
        return -1;
    if (FAULT("rootfs.ensure"))
        return err_set(e, ERR_IO, "injected: rootfs.ensure");
    if (repair_layers(im, &chain, e) ||
        im->driver->ensure_rw(im->layers_root, container_id, &chain, e) ||
        im->driver->describe(im->layers_root, container_id, &chain, out, e))
        return err_wrap(e, "root file system of container %s", container_id);
    return 0;
}

bool images_rootfs_can_limit(struct images *im)
{
    return str_eq(im->driver->name, "overlay2") && project_quota_there(im->layers_root);
}

int images_rootfs_limit(struct images *im, const char *container_id, int64_t bytes, struct err *e)
{
    cleanup_free char *dir = NULL;

    if (check_id(container_id, e))
        return -1;
    dir = rw_path(im, container_id, "");
    return fs_mkdir_p(dir, 0711, e) || project_quota_set(dir, bytes, e) ? -1 : 0;
}

int images_rootfs_describe(struct images *im, const char *image_id, const char *container_id,
                           struct rootfs *out, struct err *e)
{
    cleanup_strv struct strv chain = {0};
    const struct strv *own;
    const struct image_entry *en;

    *out = (struct rootfs){0};
    if (check_id(container_id, e))
        return -1;
    mutex_lock(&im->lock);
    own = map_get(&im->roots, container_id);
    en = map_get(&im->images, image_id);
    if (own || en)
        strv_copy(&chain, own ? own : &en->image->chain_ids);
    mutex_unlock(&im->lock);
    if (!own && !en)
        return err_set(e, ERR_NOT_FOUND, "No such image: %s", image_id);
    return im->driver->describe(im->layers_root, container_id, &chain, out, e);
}

int images_rootfs_remove(struct images *im, const char *container_id, struct err *e)
{
    cleanup_strv struct strv keys = {0};
    struct strv *chain;

    if (check_id(container_id, e) || im->driver->remove_rw(im->layers_root, container_id, e))
        return -1;
    mutex_lock(&im->lock);
    chain = map_take(&im->roots, container_id);
    mutex_unlock(&im->lock);
    if (!chain)
        return 0;
    /* Its image may have been removed before it. */
    for (size_t i = chain->n; i > 0; i--)
        strv_addf(&keys, "layer:%s", chain->v[i - 1]);
    free_chain(chain);
    gc_collect(im, &keys);
    return 0;
}

int images_rootfs_list(struct images *im, struct strv *ids, struct err *e)
{
    cleanup_free char *rw = path_join(im->layers_root, "rw");

    return fs_list(rw, ids, e);
}
