/*
 * volume_mounts: the volumes of a container, mounted for as long as somebody needs them.
 *
 * Who needs a volume holds it: a container that runs (under its ID), or somebody who looks into one
 * that does not (under "<ID>-files").  A driver that mounts is told of the first hold and of
 * the end of each; the built-in one unmounts after the last.
 *
 * Holds are memory.  After the agent was killed they are made anew from the containers that run,
 * and what is mounted without a holder is unmounted: for the built-in driver the kernel tells; for
 * plugins, whom nobody can ask, there is a file for each hold in <exec_root>/volume-users, written
 * before the plugin is asked to mount, and gone after a reboot like the mounts themselves.
 */
#include <string.h>

#include "base/digest.h"
#include "base/fault.h"
#include "base/fs.h"
#include "base/log.h"
#include "core/vol_driver.h"
#include "reconciler/engine_internal.h"

#define FILES_SUFFIX "-files"

/* ------------------------------------------------------------ the table */

struct hold {
    char *volume, *user;
};

void hold_free(void *p)
{
    struct hold *h = p;

    free(h->volume);
    free(h->user);
    free(h);
}

static char *hold_key(const char *user, const char *volume)
{
    return str_printf("%s\n%s", user, volume);
}

static void hold_add(struct engine *g, const char *user, const char *volume)
{
    cleanup_free char *key = hold_key(user, volume);
    struct hold *h = xcalloc(1, sizeof(*h));

    h->user = xstrdup(user);
    h->volume = xstrdup(volume);
    mutex_lock(&g->lock);
    map_put(&g->volume_holds, key, h);
    mutex_unlock(&g->lock);
}

static void hold_drop(struct engine *g, const char *user, const char *volume)
{
    cleanup_free char *key = hold_key(user, volume);

    mutex_lock(&g->lock);
    map_del(&g->volume_holds, key);
    mutex_unlock(&g->lock);
}

static bool holds(struct engine *g, const char *user, const char *volume)
{
    cleanup_free char *key = hold_key(user, volume);
    bool found;

    mutex_lock(&g->lock);
    found = map_get(&g->volume_holds, key);
    mutex_unlock(&g->lock);
    return found;
}

static bool held(struct engine *g, const char *volume)
{
    const char *key;
    void *value;
    bool found = false;

    mutex_lock(&g->lock);
    for (size_t i = 0; !found && map_at(&g->volume_holds, &i, &key, &value); i++)
        found = str_eq(((struct hold *)value)->volume, volume);
    mutex_unlock(&g->lock);
    return found;
}

bool container_holds_volumes(struct engine *g, const struct container *c)
{
    for (size_t i = 0; i < c->spec->n_mounts; i++)
        if (c->spec->mounts[i].type == MOUNT_VOLUME && holds(g, c->id, c->spec->mounts[i].source))
            return true;
    return false;
}

/* ------------------------------------------------------------ files of plugins' holds */

static char *marks_dir(struct engine *g)
{
    return path_join(g->cfg.exec_root, "volume-users");
}

static char *mark_path(struct engine *g, const char *user, const char *volume)
{
    cleanup_free char *dir = marks_dir(g);
    char digest[DIGEST_TEXT_MAX];

    digest_of(volume, strlen(volume), digest);
    return str_printf("%s/%s@%s", dir, user, strchr(digest, ':') + 1);
}

static int mark(struct engine *g, const char *user, const char *volume, struct err *e)
{
    cleanup_free char *dir = marks_dir(g), *path = mark_path(g, user, volume);

    return fs_mkdir_p(dir, 0700, e) || fs_write_atomic(path, volume, strlen(volume), 0600, false, e)
               ? -1
               : 0;
}

static void unmark(struct engine *g, const char *user, const char *volume)
{
    cleanup_free char *path = mark_path(g, user, volume);
    struct err e = ERR_INIT;

    if (fs_remove(path, &e))
        log_warn("the note of a volume's user stays", "error=%s", log_quote(e.msg));
}

/* ------------------------------------------------------------ one volume */

static int mount_claimed(struct engine *g, const struct volume *v, const char *user, struct err *e)
{
    const struct vol_driver_ops *d = vol_driver_find(&g->cfg.vol, v->driver, true, e);
    cleanup_free char *path = NULL;

    if (!d)
        return -1;
    if (d->remote && holds(g, user, v->name))
        return 0; /* it counts its users: this one is among them */
    if (d->remote && mark(g, user, v->name, e))
        return -1;
    if (FAULT("volume.marked"))
        return err_set(e, ERR_IO, "injected");
    if (d->ensure_mounted(&g->cfg.vol, v, user, &path, e)) {
        if (d->remote)
            unmark(g, user, v->name);
        return d->remote ? err_wrap(e, "error while mounting volume '%s'", v->mountpoint) : -1;
    }
    if (volume_moved(g, v, path, e) == 0)
        return 0;
    if (d->remote) {
        (void)!d->ensure_unmounted(&g->cfg.vol, v, user, true, ERR_IGNORE);
        unmark(g, user, v->name);
    }
    return -1;
}

static int unmount_claimed(struct engine *g, const struct volume *v, const char *user,
                           struct err *e)
{
    struct err why = ERR_INIT;
    const struct vol_driver_ops *d = vol_driver_find(&g->cfg.vol, v->driver, false, &why);
    int r = d ? d->ensure_unmounted(&g->cfg.vol, v, user, !held(g, v->name), &why) : -1;

    if (r && d && !d->remote) {
        *e = why;
        return -1;
    }
    if (r) /* as dockerd has it: a plugin that is away keeps no container from ending */
        log_warn("a volume's plugin did not unmount it", "volume=%s user=%s error=%s",
                 log_quote(v->name), user, log_quote(why.msg));
    if (!d || d->remote)
        unmark(g, user, v->name);
    return 0;
}

static int hold(struct engine *g, const char *volume, const char *user, struct err *e)
{
    cleanup_volume struct volume *v = NULL;
    int r = 0;

    volume_claim(g, volume, false);
    v = object_volume(g, volume);
    if (!v)
        r = err_set(e, ERR_NOT_FOUND, "get %s: no such volume", volume);
    else
        r = mount_claimed(g, v, user, e);
    if (r == 0)
        hold_add(g, user, volume);
    volume_unclaim(g, volume);
    return r;
}

static int let_go(struct engine *g, const char *volume, const char *user, struct err *e)
{
    cleanup_volume struct volume *v = NULL;
    int r = 0;

    volume_claim(g, volume, false);
    v = object_volume(g, volume);
    if (holds(g, user, volume)) {
        hold_drop(g, user, volume);
        r = v ? unmount_claimed(g, v, user, e) : 0;
        if (r)
            hold_add(g, user, volume); /* asked again by whoever tries again */
    }
    volume_unclaim(g, volume);
    return r;
}

/* ------------------------------------------------------------ a container's */

/* Each volume once, though a container may have it in two places. */
static bool is_first(const struct container_spec *s, size_t i)
{
    if (s->mounts[i].type != MOUNT_VOLUME)
        return false;
    for (size_t k = 0; k < i; k++)
        if (s->mounts[k].type == MOUNT_VOLUME && str_eq(s->mounts[k].source, s->mounts[i].source))
            return false;
    return true;
}

static int let_all_go(struct engine *g, const struct container *c, const char *user, size_t n,
                      struct err *e)
{
    int r = 0;

    for (size_t i = n; i-- > 0;)
        if (is_first(c->spec, i) && let_go(g, c->spec->mounts[i].source, user, r ? ERR_IGNORE : e))
            r = -1;
    return r;
}

static int hold_all(struct engine *g, const struct container *c, const char *user, struct err *e)
{
    if (mounts_make_anonymous(g, c->spec, NULL, e))
        return -1;
    for (size_t i = 0; i < c->spec->n_mounts; i++) {
        if (!is_first(c->spec, i) || hold(g, c->spec->mounts[i].source, user, e) == 0)
            continue;
        (void)!let_all_go(g, c, user, i, ERR_IGNORE);
        return -1;
    }
    return 0;
}

static void emit(struct engine *g, const struct container *c, const struct mount_spec *m,
                 bool mounted)
{
    cleanup_volume struct volume *v = object_volume(g, m->source);
    struct event ev;

    event_init(&ev, "volume", mounted ? "mount" : "unmount", m->source);
    kvs_set(&ev.attributes, "container", c->id);
    kvs_set(&ev.attributes, "driver", v ? v->driver : "local");
    if (mounted) {
        kvs_set(&ev.attributes, "destination", m->target);
        kvs_set(&ev.attributes, "propagation", "");
        kvs_set(&ev.attributes, "read/write", m->read_only ? "false" : "true");
    }
    engine_event(g, &ev);
}

static void emit_all(struct engine *g, const struct container *c, bool mounted)
{
    for (size_t i = 0; i < c->spec->n_mounts; i++)
        if (c->spec->mounts[i].type == MOUNT_VOLUME)
            emit(g, c, &c->spec->mounts[i], mounted);
}

int container_mount_volumes(struct engine *g, const struct container *c, struct err *e)
{
    bool before = container_holds_volumes(g, c);

    if (hold_all(g, c, c->id, e))
        return -1;
    if (!before)
        emit_all(g, c, true);
    return 0;
}

int container_unmount_volumes(struct engine *g, const struct container *c, struct err *e)
{
    if (!container_holds_volumes(g, c))
        return 0;
    if (let_all_go(g, c, c->id, c->spec->n_mounts, e))
        return -1;
    emit_all(g, c, false);
    return 0;
}

int container_volumes_up(struct engine *g, const struct container *c, struct err *e)
{
    cleanup_free char *user = str_printf("%s" FILES_SUFFIX, c->id);

    return hold_all(g, c, user, e);
}

int container_volumes_down(struct engine *g, const struct container *c, struct err *e)
{
    cleanup_free char *user = str_printf("%s" FILES_SUFFIX, c->id);

    return let_all_go(g, c, user, c->spec->n_mounts, e);
}

/* ------------------------------------------------------------ after a crash */

static bool has_mounted(struct engine *g, const struct container *c)
{
    bool found = false;

    for (size_t i = 0; i < c->spec->n_mounts && !found; i++) {
        cleanup_volume struct volume *v = c->spec->mounts[i].type == MOUNT_VOLUME
                                              ? object_volume(g, c->spec->mounts[i].source)
                                              : NULL;

        found = v && (v->options.n || !str_eq(v->driver, "local"));
    }
    return found;
}

/* The record may not know of a start yet: where it matters, the runtime is asked.  What cannot be
 * told may run. */
static bool may_run(struct engine *g, const struct container *c)
{
    struct container_observed o = {0};

    if (c->state.pid || container_is_up(c))
        return true;
    if (!has_mounted(g, c))
        return false;
    return g->rt->ops->observe(g->rt, c->id, &o, ERR_IGNORE) || o.phase == CONTAINER_RUNNING ||
           o.phase == CONTAINER_PAUSED;
}

static void adopt_holds(struct engine *g, const struct container *c)
{
    bool runs = may_run(g, c);

    for (size_t i = 0; runs && i < c->spec->n_mounts; i++)
        if (is_first(c->spec, i))
            hold_add(g, c->id, c->spec->mounts[i].source);
}

/* "<user>@<digest of the name>", the name in it. */
static void sweep_mark(struct engine *g, const char *dir, const char *file)
{
    cleanup_free char *path = path_join(dir, file), *user = str_ndup(file, strcspn(file, "@"));
    cleanup_buf struct buf name = BUF_INIT(4096);
    cleanup_volume struct volume *v = NULL;

    if (fs_read(path, &name, ERR_IGNORE) || name.len == 0) {
        (void)!fs_remove(path, ERR_IGNORE);
        return;
    }
    if (holds(g, user, name.data))
        return;
    v = object_volume(g, name.data);
    log_info("a volume that nobody uses any more is unmounted", "volume=%s user=%s",
             log_quote(name.data), user);
    if (v)
        (void)!unmount_claimed(g, v, user, ERR_IGNORE);
    (void)!fs_remove(path, ERR_IGNORE);
}

static void sweep_marks(struct engine *g)
{
    cleanup_free char *dir = marks_dir(g);
    cleanup_strv struct strv files = {0};

    if (!fs_is_dir(dir) || fs_list(dir, &files, ERR_IGNORE))
        return;
    for (size_t i = 0; i < files.n; i++)
        sweep_mark(g, dir, files.v[i]);
}

static void sweep_mounts(struct engine *g)
{
    struct volume_list all = {0};

    volumes_list(g, &all);
    for (size_t i = 0; i < all.n; i++) {
        const struct volume *v = all.v[i];
        struct err e = ERR_INIT;

        if (str_eq(v->driver, "local") && v->options.n && !held(g, v->name) &&
            unmount_claimed(g, v, "", &e))
            log_warn("a volume that nobody uses stays mounted", "volume=%s error=%s", v->name,
                     log_quote(e.msg));
    }
    volume_list_release(&all);
}

void volume_mounts_adopt(struct engine *g, const struct container_list *all)
{
    for (size_t i = 0; i < all->n; i++)
        adopt_holds(g, all->v[i]);
    sweep_marks(g);
    sweep_mounts(g);
    volumes_sweep(g);
}
