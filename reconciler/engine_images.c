/* engine_images: removing images knows who uses them, and leaves a trace. */
#include <string.h>

#include "reconciler/engine_internal.h"

/* As what it was made from, or as a mount. */
static bool uses(const struct container *c, const char *image_id)
{
    if (strcmp(c->image_id, image_id) == 0)
        return true;
    for (size_t i = 0; i < c->spec->n_mounts; i++)
        if (c->spec->mounts[i].type == MOUNT_IMAGE && str_eq(c->spec->mounts[i].image_id, image_id))
            return true;
    return false;
}

static char *user_of(void *arg, const char *image_id, bool *running)
{
    struct engine *g = arg;
    char *found = NULL;
    const char *key;
    void *value;

    *running = false;
    mutex_lock(&g->lock);
    for (size_t i = 0; map_at(&g->containers, &i, &key, &value); i++) {
        const struct container *c = value;
        bool runs = container_is_running(c);

        if (!uses(c, image_id) || (found && !runs))
            continue;
        free(found);
        found = xstrdup(c->id);
        *running = runs;
        if (runs)
            break;
    }
    mutex_unlock(&g->lock);
    return found;
}

int engine_image_remove(struct engine *g, const char *ref, bool force, bool no_prune,
                        const char *by, struct image_removal *out, struct err *e)
{
    if (images_remove(g->im, ref, force, no_prune, user_of, g, out, e))
        return -1;
    for (size_t i = 0; i < out->n; i++) {
        struct event ev;

        event_init(&ev, "image", out->v[i].deleted ? "delete" : "untag", out->image_id);
        kvs_set(&ev.attributes, "name", out->v[i].deleted ? out->image_id : out->v[i].what);
        if (by)
            kvs_set(&ev.attributes, "by", by);
        engine_event(g, &ev);
    }
    return 0;
}
