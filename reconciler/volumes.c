/*
 * volumes: their records, and the drivers' work on them.
 *
 * Whoever works on a volume (makes, mounts, unmounts, removes it) has claimed its name, so that a
 * driver is asked one thing about a volume at a time and no lock is held while it answers, which
 * may take minutes.  A claim for removal also tells creators of containers to wait.
 *
 * A plugin may know volumes that have no record here.  They are found by name and listed; the first
 * container that uses one, or a create of the same name, writes a record.
 */
#include <string.h>

#include "base/fault.h"
#include "base/fs.h"
#include "base/id.h"
#include "base/log.h"
#include "core/vol_driver.h"
#include "reconciler/engine_internal.h"

/* ------------------------------------------------------------ claims */

struct claim {
    bool going;
};

void volume_claim(struct engine *g, const char *name, bool going)
{
    struct claim *c = xcalloc(1, sizeof(*c));

    c->going = going;
    mutex_lock(&g->lock);
    while (map_get(&g->volumes_claimed, name))
        cond_wait(&g->volumes_free, &g->lock);
    map_put(&g->volumes_claimed, name, c);
    mutex_unlock(&g->lock);
}

void volume_unclaim(struct engine *g, const char *name)
{
    mutex_lock(&g->lock);
    map_del(&g->volumes_claimed, name);
    cond_broadcast(&g->volumes_free);
    mutex_unlock(&g->lock);
}

bool volume_is_going(struct engine *g, const char *name)
{
    const struct claim *c;
    bool going;

    mutex_lock(&g->lock);
    c = map_get(&g->volumes_claimed, name);
    going = c && c->going;
    mutex_unlock(&g->lock);
    return going;
}

/* ------------------------------------------------------------ looking */

static void emit(struct engine *g, const char *action, const struct volume *v, const char *by)
{
    struct event ev;

    event_init(&ev, "volume", action, v->name);
    kvs_set(&ev.attributes, "driver", v->driver);
    if (by)
        kvs_set(&ev.attributes, "by", by);
    engine_event(g, &ev);
}

static int no_such_volume(const char *name, struct err *e)
{
    return err_set(e, ERR_NOT_FOUND, "get %s: no such volume", name);
}

int volumes_find(struct engine *g, const char *name, struct volume **out, struct err *e)
{
    *out = object_volume(g, name);
    return *out ? 0 : no_such_volume(name, e);
}

/* The plugin that says it has a volume of this name; NULL: none. */
static struct volume *ask_plugins(struct engine *g, const char *name)
{
    cleanup_strv struct strv plugins = {0};

    vol_driver_plugins(&g->cfg.vol, &plugins);
    for (size_t i = 0; i < plugins.n; i++) {
        const struct vol_driver_ops *d =
            vol_driver_find(&g->cfg.vol, plugins.v[i], false, ERR_IGNORE);
        cleanup_volume struct volume *v = volume_new();

        str_set(&v->name, name);
        str_set(&v->driver, plugins.v[i]);
        if (d && d->get && d->get(&g->cfg.vol, v, ERR_IGNORE) == 0)
            return take_ptr(v);
    }
    return NULL;
}

int volumes_inspect(struct engine *g, const char *name, struct volume **out, struct err *e)
{
    cleanup_volume struct volume *there = object_volume(g, name), *copy = NULL;
    const struct vol_driver_ops *d;
    struct err why = ERR_INIT;

    if (!there) {
        *out = ask_plugins(g, name);
        return *out ? 0 : no_such_volume(name, e);
    }
    d = vol_driver_find(&g->cfg.vol, there->driver, false, &why);
    copy = volume_copy(there);
    if (d && d->get && d->get(&g->cfg.vol, copy, &why)) {
        if (why.kind == ERR_NOT_FOUND)
            return no_such_volume(name, e);
        log_warn("a volume's plugin does not tell of it", "volume=%s error=%s", log_quote(name),
                 log_quote(why.msg));
        *out = take_ptr(there); /* what is known here */
        return 0;
    }
    if (!copy->created_ns)
        copy->created_ns = there->created_ns;
    *out = take_ptr(copy);
    return 0;
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

struct listing {
    struct engine *g;
    struct volume_list *out;
};

static int take_listed(void *arg, struct volume *v, struct err *e)
{
    struct listing *l = arg;
    cleanup_volume struct volume *there = object_volume(l->g, v->name);

    (void)e;
    if (there)
        volume_unref(v);
    else
        *ARRAY_ADD(l->out->v, l->out->n) = v;
    return 0;
}

void volumes_list_all(struct engine *g, struct volume_list *out, struct strv *warnings)
{
    cleanup_strv struct strv plugins = {0};
    struct listing l = {.g = g, .out = out};

    volumes_list(g, out);
    vol_driver_plugins(&g->cfg.vol, &plugins);
    for (size_t i = 0; i < plugins.n; i++) {
        struct err e = ERR_INIT;
        const struct vol_driver_ops *d = vol_driver_find(&g->cfg.vol, plugins.v[i], false, &e);

        if (!d || (d->list && d->list(&g->cfg.vol, plugins.v[i], take_listed, &l, &e)))
            strv_addf(warnings, "list %s: %s", plugins.v[i], e.msg);
    }
    if (plugins.n)
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

/* ------------------------------------------------------------ making */

#define UNIQUE "volume name must be unique"

/*
 * The same again is the same volume, whatever else the request says; another driver is a conflict.
 * *gone: the plugin has lost it, and no container misses it.
 */
static int same_again(struct engine *g, const struct volume *there, const struct volume *wanted,
                      bool *gone, struct err *e)
{
    const struct vol_driver_ops *d = vol_driver_find(&g->cfg.vol, there->driver, true, e);
    cleanup_volume struct volume *copy = volume_copy(there);
    cleanup_strv struct strv users = {0};
    struct err why = ERR_INIT;

    *gone = false;
    if (!d)
        return -1;
    if (d->get && d->get(&g->cfg.vol, copy, &why)) {
        if (why.kind != ERR_NOT_FOUND)
            return err_set(e, ERR_CONFLICT,
                           "found reference to volume '%s' in driver '%s', but got an error while "
                           "checking the driver: %s: " UNIQUE,
                           there->name, there->driver, why.msg);
        volumes_users(g, there->name, &users);
        if (users.n)
            return err_set(e, ERR_CONFLICT,
                           "found references to volume '%s' in driver '%s' but the volume was not "
                           "found in the driver -- you may need to remove containers referencing "
                           "this volume or force remove the volume to re-create it: " UNIQUE,
                           there->name, there->driver);
        *gone = true;
        return 0;
    }
    if (!str_empty(wanted->driver) && strcmp(there->driver, wanted->driver) != 0)
        return err_set(e, ERR_CONFLICT, "driver '%s' already has volume '%s': " UNIQUE,
                       there->driver, there->name);
    return 0;
}

static int write_record(struct engine *g, struct volume *v, struct err *e)
{
    int r;

    mutex_lock(&g->store);
    r = state_volume_put(g->st, v, true, e);
    if (r == 0)
        object_volume_put(g, volume_ref(v));
    mutex_unlock(&g->store);
    return r;
}

static int make(struct engine *g, struct volume *v, struct err *e)
{
    const struct vol_driver_ops *d;

    if (str_empty(v->driver)) {
        /* Nobody knows a name that was just made up. */
        cleanup_volume struct volume *found = v->anonymous ? NULL : ask_plugins(g, v->name);

        str_set(&v->driver, found ? found->driver : "local");
    }
    d = vol_driver_find(&g->cfg.vol, v->driver, true, e);
    if (!d)
        return err_wrap(e, "create %s", v->name);
    v->created_ns = time_wall_ns();
    if (d->check(&g->cfg.vol, v, e))
        /* The driver's words about a name begin like that already. */
        return str_starts(e->msg, "create ") ? -1 : err_wrap(e, "create %s", v->name);
    if (d->ensure(&g->cfg.vol, v, e))
        return err_wrap(e, "create %s", v->name);
    if (FAULT("volume.made"))
        return err_set(e, ERR_IO, "create %s: injected", v->name);
    return write_record(g, v, e);
}

static int make_claimed(struct engine *g, struct volume *v, struct volume **out, bool *fresh,
                        struct err *e)
{
    cleanup_volume struct volume *there = object_volume(g, v->name);
    bool gone = false;

    if (!str_empty(v->driver) && !vol_driver_find(&g->cfg.vol, v->driver, true, e))
        return err_wrap(e, "create %s", v->name);
    if (there && same_again(g, there, v, &gone, e))
        return err_wrap(e, "create %s", v->name);
    if (there && !gone) {
        *out = take_ptr(there);
        return 0;
    }
    if (make(g, v, e))
        return -1;
    *out = volume_ref(v);
    *fresh = true;
    return 0;
}

int volume_make(struct engine *g, struct volume *wanted, const char *by, struct volume **out,
                struct err *e)
{
    cleanup_volume struct volume *v = wanted;
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
    volume_claim(g, v->name, false);
    r = make_claimed(g, v, out, &fresh, e);
    volume_unclaim(g, v->name);
    if (fresh)
        emit(g, "create", *out, by);
    return r;
}

int volumes_create(struct engine *g, struct volume *wanted, const char *by, struct volume **out,
                   struct err *e)
{
    return volume_make(g, wanted, by, out, e);
}

/* Where a plugin mounted it. */
int volume_moved(struct engine *g, const struct volume *v, const char *path, struct err *e)
{
    cleanup_volume struct volume *copy = NULL;

    if (str_eq(v->mountpoint, path))
        return 0;
    copy = volume_copy(v);
    str_set(&copy->mountpoint, path);
    return write_record(g, copy, e);
}

/* ------------------------------------------------------------ removing */

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

static int drop_record(struct engine *g, const char *name, struct err *e)
{
    int r;

    mutex_lock(&g->store);
    r = state_volume_delete(g->st, name, e);
    if (r == 0)
        object_volume_drop(g, name);
    mutex_unlock(&g->store);
    return r;
}

/*
 * Its files may be many: nobody else waits for them.  The record goes last, so that what is cut
 * short can be asked for again.  With force a plugin that is gone does not keep the record.
 */
static int remove_claimed(struct engine *g, const struct volume *v, bool force, const char *but,
                          struct err *e)
{
    const struct vol_driver_ops *d;
    int r;

    /* Under the write lock no container comes to use it; afterwards the claim tells them. */
    mutex_lock(&g->store);
    r = refuse_in_use(g, v->name, but, e);
    mutex_unlock(&g->store);
    if (r)
        return -1;
    d = vol_driver_find(&g->cfg.vol, v->driver, true, e);
    r = d ? d->remove(&g->cfg.vol, v, e) : -1;
    if (r && force && (!d || d->remote)) {
        log_warn("a volume is forgotten that its plugin did not remove", "volume=%s error=%s",
                 log_quote(v->name), log_quote(e->msg));
        r = 0;
    }
    if (r == 0 && FAULT("volume.removed"))
        r = err_set(e, ERR_IO, "injected");
    if (r == 0)
        r = drop_record(g, v->name, e);
    return r ? err_wrap(e, "remove %s", v->name) : 0;
}

static int remove_volume(struct engine *g, const char *name, bool force, const char *but,
                         const char *by, struct err *e)
{
    cleanup_volume struct volume *v = NULL;
    int r;

    volume_claim(g, name, true);
    v = object_volume(g, name);
    if (!v)
        v = ask_plugins(g, name);
    if (v)
        r = remove_claimed(g, v, force, but, e);
    else
        r = force ? 0 : no_such_volume(name, e);
    volume_unclaim(g, name);
    if (v && r == 0)
        emit(g, "destroy", v, by);
    return r;
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

/* ------------------------------------------------------------ leftovers */

/*
 * A directory without a record is what a create left that was cut short, when it is empty; with
 * files in it, it is somebody's data, and stays until a volume of that name is created.
 */
void volumes_sweep(struct engine *g)
{
    cleanup_free char *root = path_join(g->cfg.data_root, "volumes");
    cleanup_strv struct strv names = {0};

    if (fs_list(root, &names, ERR_IGNORE))
        return;
    for (size_t i = 0; i < names.n; i++) {
        cleanup_volume struct volume *v = object_volume(g, names.v[i]);
        cleanup_free char *dir = path_join(root, names.v[i]), *data = path_join(dir, "_data");

        if (v || !fs_is_dir(dir))
            continue;
        if (fs_remove_empty(data, ERR_IGNORE) || fs_remove_empty(dir, ERR_IGNORE))
            log_warn("a directory of a volume without a record stays", "path=%s", log_quote(dir));
    }
}
