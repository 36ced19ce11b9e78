/*
 * sizes: how much of the disk is a container's own, and how much it shows.
 *
 * Measured when it is asked for, by walking the writable layer; asking makes nothing.
 */
#include <string.h>

#include "base/fs.h"
#include "reconciler/engine_internal.h"

/* Bytes of the one link that every start makes; the other files that it makes are empty.  /etc is
 * the container's: it may be a link that leads anywhere. */
static int64_t own_links(const char *upper)
{
    static const char target[] = "/proc/mounts";
    cleanup_free char *path = path_join(upper, "etc");

    return fs_has_link(path, "mtab", target) ? (int64_t)strlen(target) : 0;
}

int container_sizes(struct engine *g, const char *id, int64_t *rw, int64_t *rootfs, struct err *e)
{
    CLEANUP(rootfs_release) struct rootfs root = {0};
    cleanup_container struct container *c = NULL;
    cleanup_image struct image *image = NULL;
    int64_t base = 0;

    *rw = *rootfs = 0;
    if (containers_find(g, id, &c, e) ||
        images_rootfs_describe(g->im, c->image_id, c->id, &root, e))
        return -1;
    /* Removed by force it is not known any more; its layers are still there. */
    if (!images_find(g->im, c->image_id, &image, ERR_IGNORE))
        base = image->size;
    /* Not there before the first start. */
    if (fs_exists(root.upper)) {
        if (fs_tree_size(root.upper, rw, e))
            return err_wrap(e, "size of container %s", c->id);
        *rw -= own_links(root.upper);
    }
    /* Without an overlay the whole tree is one. */
    if (!root.overlay)
        *rw = *rw > base ? *rw - base : 0;
    *rootfs = *rw + base;
    return 0;
}
