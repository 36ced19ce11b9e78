/* container_find: from what a person typed to one container. */
#include <string.h>

#include "reconciler/engine_internal.h"

/* The only ID that starts with ref; NULL when there is none, *ambiguous when there are several. */
static const char *by_prefix(struct engine *g, const char *ref, bool *ambiguous) REQUIRES(g->lock)
{
    const char *key, *found = NULL;
    size_t n = strlen(ref);
    void *value;

    for (size_t i = 0; map_at(&g->containers, &i, &key, &value); i++) {
        if (strncmp(key, ref, n) != 0)
            continue;
        if (found) {
            *ambiguous = true;
            return NULL;
        }
        found = key;
    }
    return found;
}

int containers_find(struct engine *g, const char *ref, struct container **out, struct err *e)
{
    const char *name = ref[0] == '/' ? ref + 1 : ref;
    struct container *c = NULL;
    bool ambiguous = false;
    const char *id;

    mutex_lock(&g->lock);
    c = map_get(&g->containers, ref);
    if (!c && (id = map_get(&g->names, name)) != NULL)
        c = map_get(&g->containers, id);
    if (!c && *ref && (id = by_prefix(g, ref, &ambiguous)) != NULL)
        c = map_get(&g->containers, id);
    if (c)
        c = container_ref(c);
    mutex_unlock(&g->lock);

    if (ambiguous)
        return err_set(e, ERR_INVALID, "multiple IDs found with provided prefix: %s", ref);
    if (!c)
        return err_set(e, ERR_NOT_FOUND, "No such container: %s", ref);
    *out = c;
    return 0;
}

static int newest_first(const void *a, const void *b)
{
    const struct container *x = *(struct container *const *)a, *y = *(struct container *const *)b;

    return x->created_ns < y->created_ns   ? 1
           : x->created_ns > y->created_ns ? -1
                                           : strcmp(x->id, y->id);
}

void containers_list(struct engine *g, struct container_list *out)
{
    const char *key;
    void *value;

    mutex_lock(&g->lock);
    out->n = 0;
    out->v = xcalloc(map_count(&g->containers), sizeof(*out->v));
    for (size_t i = 0; map_at(&g->containers, &i, &key, &value); i++)
        out->v[out->n++] = container_ref(value);
    mutex_unlock(&g->lock);
    qsort(out->v, out->n, sizeof(*out->v), newest_first);
}

void container_list_release(struct container_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        container_unref(l->v[i]);
    free(l->v);
    *l = (struct container_list){0};
}

struct container *mode_container(struct engine *g, const char *mode, struct err *e)
{
    struct container *c = NULL;

    return containers_find(g, strchr(mode, ':') + 1, &c, e) ? NULL : c;
}
