/* volumes: their records, and the drivers' work on them, which is short enough to be done at once.
 */
#include <string.h>

#include "base/id.h"
#include "core/vol_driver.h"
#include "reconciler/engine_internal.h"

static const struct vol_driver_ops *driver_of(const struct volume *v, struct err *e)
{
    const struct vol_driver_ops *d = vol_driver_find(v->driver);

    if (!d)
        err_set(e, ERR_NOT_FOUND, "error looking up volume plugin %s: plugin \"%s\" not found",
                v->driver, v->driver);
    return d;
}

static void emit(struct engine *g, const char *action, const struct volume *v, const char *by)
{
    struct event ev;

    event_init(&ev, "volume", action, v->name);
    kvs_set(&ev.attributes, "driver", v->driver);
    if (by)
        kvs_set(&ev.attributes, "by", by);
    engine_event(g, &ev);
}

int volumes_find(struct engine *g, const char *name, struct volume **out, struct err *e)
{
    struct volume *v = object_volume(g, name);

    if (!v)
        return err_set(e, ERR_NOT_FOUND, "get %s: no such volume", name);
    *out = v;
    return 0;
}

static int check(struct volume *v, const struct vol_driver_ops **d, struct err *e)
{
    if (str_empty(v->driver))
        str_set(&v->driver, "local");
    if (!volume_name_valid(v->name))
        return err_set(
            e, ERR_INVALID,
            "create %s: \"%s\" includes invalid characters for a local volume name, only "
            "\"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, "
            "use "
            "absolute path",
            v->name, v->name);
    *d = driver_of(v, e);
    if (!*d)
        return -1;
    return (*d)->check(v, e) ? err_wrap(e, "create %s", v->name) : 0;
}

/* The same again is the same volume; another driver or other options are a conflict. */
static int same_again(const struct volume *there, const struct volume *wanted, struct err *e)
{
    if (strcmp(there->driver, wanted->driver) != 0)
        return err_set(e, ERR_CONFLICT, "create %s: conflict: driver name mismatch", wanted->name);
    if (wanted->options.n && !kvs_eq(&there->options, &wanted->options))
        return err_set(e, ERR_CONFLICT, "create %s: conflict: options mismatch", wanted->name);
    return 0;
}

static int insert(struct engine *g, struct volume *v, const struct vol_driver_ops *d,
                  struct volume **out, bool *fresh, struct err *e)
{
    struct volume *there = object_volume(g, v->name);

    if (volume_is_going(g, v->name)) {
        volume_unref(there);
        return err_set(e, ERR_CONFLICT, "create %s: a volume of this name is being removed",
                       v->name);
    }
    if (there) {
        if (same_again(there, v, e)) {
            volume_unref(there);
            return -1;
        }
        *out = there;
        return 0;
    }
    v->created_ns = time_wall_ns();
    if (d->ensure(g->cfg.data_root, v, e) || state_volume_put(g->st, v, true, e))
        return err_wrap(e, "create %s", v->name);
    object_volume_put(g, volume_ref(v));
    *out = volume_ref(v);
    *fresh = true;
    return 0;
}

int volume_make(struct engine *g, struct volume *wanted, const char *by, struct volume **out,
                struct err *e)
{
    cleanup_volume struct volume *v = wanted;
    const struct vol_driver_ops *d = NULL;
    char made_up[ID_LEN + 1];
    bool fresh = false;
    int r;

    if (str_empty(v->name)) {
        id_new(made_up);
        str_set(&v->name, made_up);
        v->anonymous = true;
    }
    if (v->anonymous) {
        kvs_set(&v->labels, "com.docker.volume.anonymous", "");
        v->labels_set = true;
    }
    if (check(v, &d, e))
        return -1;
    mutex_lock(&g->store);
    r = insert(g, v, d, out, &fresh, e);
    mutex_unlock(&g->store);
    if (fresh)
        emit(g, "create", *out, by);
    return r;
}

int volumes_create(struct engine *g, struct volume *wanted, const char *by, struct volume **out,
                   struct err *e)
{
    return volume_make(g, wanted, by, out, e);
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(struct volume *const *)a)->name, (*(struct volume *const *)b)->name);
}

void volumes_list(struct engine *g, struct volume_list *out)
{
    const char *key;
    void *value;

    mutex_lock(&g->lock);
    out->n = 0;
    out->v = xcalloc(map_count(&g->volumes), sizeof(*out->v));
    for (size_t i = 0; map_at(&g->volumes, &i, &key, &value); i++)
        out->v[out->n++] = volume_ref(value);
    mutex_unlock(&g->lock);
    qsort(out->v, out->n, sizeof(*out->v), by_name);
}

void volume_list_release(struct volume_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        volume_unref(l->v[i]);
    free(l->v);
    *l = (struct volume_list){0};
}

void volumes_users(struct engine *g, const char *name, struct strv *ids)
{
    const char *key;
    void *value;

    mutex_lock(&g->lock);
    for (size_t i = 0; map_at(&g->containers, &i, &key, &value); i++) {
        const struct container *c = value;

        for (size_t k = 0; k < c->spec->n_mounts; k++)
            if (c->spec->mounts[k].type == MOUNT_VOLUME &&
                str_eq(c->spec->mounts[k].source, name)) {
                strv_add(ids, c->id);
                break;
            }
    }
    mutex_unlock(&g->lock);
}

/* but: a container that is on its way out; NULL */
static int refuse_in_use(struct engine *g, const char *name, const char *but, struct err *e)
{
    cleanup_strv struct strv ids = {0};
    cleanup_free char *list = NULL;

    volumes_users(g, name, &ids);
    for (size_t i = ids.n; but && i-- > 0;)
        if (strcmp(ids.v[i], but) == 0)
            strv_remove_at(&ids, i);
    if (ids.n == 0)
        return 0;
    list = str_join((const char *const *)ids.v, ids.n, ", ");
    return err_set(e, ERR_CONFLICT, "remove %s: volume is in use - [%s]", name, list);
}

bool volume_is_going(struct engine *g, const char *name)
{
    bool going;

    mutex_lock(&g->lock);
    going = map_get(&g->volumes_going, name);
    mutex_unlock(&g->lock);
    return going;
}

/* From here on nobody gets to use it. */
static int claim(struct engine *g, const char *name, const char *but, struct err *e)
{
    int r = 0;

    mutex_lock(&g->store);
    if (volume_is_going(g, name))
        r = err_set(e, ERR_CONFLICT, "remove %s: it is being removed already", name);
    if (r == 0)
        r = refuse_in_use(g, name, but, e);
    if (r == 0) {
        mutex_lock(&g->lock);
        map_put(&g->volumes_going, name, xstrdup(""));
        mutex_unlock(&g->lock);
    }
    mutex_unlock(&g->store);
    return r;
}

/* Its files may be many: nobody else waits for them.  The record goes last, so that what is cut
 * short can be asked for again. */
static int remove_volume(struct engine *g, const char *name, bool force, const char *but,
                         const char *by, struct err *e)
{
    cleanup_volume struct volume *v = object_volume(g, name);
    const struct vol_driver_ops *d;
    int r;

    if (!v)
        return force ? 0 : err_set(e, ERR_NOT_FOUND, "get %s: no such volume", name);
    d = driver_of(v, e);
    if (!d || claim(g, name, but, e))
        return -1;
    r = d->remove(g->cfg.data_root, v, e);
    mutex_lock(&g->store);
    if (r == 0)
        r = state_volume_delete(g->st, name, e);
    if (r == 0)
        object_volume_drop(g, name);
    mutex_lock(&g->lock);
    map_del(&g->volumes_going, name);
    mutex_unlock(&g->lock);
    mutex_unlock(&g->store);
    if (r)
        return err_wrap(e, "remove %s", name);
    emit(g, "destroy", v, by);
    return 0;
}

int volumes_remove(struct engine *g, const char *name, bool force, const char *by, struct err *e)
{
    return remove_volume(g, name, force, NULL, by, e);
}

int volume_remove_from(struct engine *g, const char *name, const char *container, const char *by,
                       struct err *e)
{
    return remove_volume(g, name, true, container, by, e);
}
