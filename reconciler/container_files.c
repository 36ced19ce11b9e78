/*
 * container_files: see container_files.h.
 *
 * The mounts that are looked through are the runtime's business (open_root).  What is decided here
 * is when: a stopped container's root is mounted for writing by at most one side, either a start or
 * those who copy into it.  `mounting` counts the latter; a start waits for them, and they for a
 * start under way.  Whoever only reads needs its mounts for a moment, to be copied.
 */
#include "reconciler/container_files.h"

#include <string.h>

#include "base/fs.h"
#include "images/decompress.h"
#include "images/layer_apply.h"
#include "images/tree_tar.h"
#include "reconciler/engine_internal.h"

#define LOOK_MS 200 /* how soon the end of the engine is noticed */

/* ------------------------------------------------------------ who mounts */

struct mounting {
    int users; /* who have it mounted, or are about to */
    bool start;
};

static struct mounting *mounting_of(struct engine *g, const char *id) REQUIRES(g->lock)
{
    struct mounting *m = map_get(&g->mounting, id);

    if (!m) {
        m = xcalloc(1, sizeof(*m));
        map_put(&g->mounting, id, m);
    }
    return m;
}

static void mounting_settle(struct engine *g, const char *id) REQUIRES(g->lock)
{
    struct mounting *m = map_get(&g->mounting, id);

    if (m && !m->users && !m->start)
        map_del(&g->mounting, id);
    cond_broadcast(&g->mounting_changed);
}

/* Looks again every time, since the entry may be another one after a wait. */
static int mounting_take(struct engine *g, const char *id, bool start, struct err *e)
{
    struct mounting *m;

    mutex_lock(&g->lock);
    while ((m = mounting_of(g, id))->start || (start && m->users)) {
        if (cancel_fired(g->stop)) {
            mutex_unlock(&g->lock);
            return err_set(e, ERR_CANCELLED, "the engine is being stopped");
        }
        (void)cond_wait_until(&g->mounting_changed, &g->lock, time_mono_ms() + LOOK_MS);
    }
    if (start)
        m->start = true;
    else
        m->users++;
    mutex_unlock(&g->lock);
    return 0;
}

int mounting_begin(struct engine *g, const char *id, struct err *e)
{
    return mounting_take(g, id, true, e);
}

void mounting_end(struct engine *g, const char *id)
{
    mutex_lock(&g->lock);
    mounting_of(g, id)->start = false;
    mounting_settle(g, id);
    mutex_unlock(&g->lock);
}

/* ------------------------------------------------------------ a view */

struct view {
    struct engine *g;
    struct container *c;
    int root;        /* -1: none */
    int64_t id_base; /* of its user namespace */
    bool held, volumes;
};

/* The last one takes the volumes down, before a start may come. */
static void let_go(struct view *v)
{
    struct mounting *m;
    bool last;

    if (!v->held)
        return;
    v->held = false;
    mutex_lock(&v->g->lock);
    m = mounting_of(v->g, v->c->id);
    last = --m->users == 0 && v->volumes;
    m->start = m->start || last;
    mounting_settle(v->g, v->c->id);
    mutex_unlock(&v->g->lock);
    if (!last)
        return;
    (void)!container_volumes_down(v->g, v->c, ERR_IGNORE); /* its next stop tries it again */
    mounting_end(v->g, v->c->id);
}

static void view_close(struct view *v)
{
    if (v->root >= 0)
        fd_close_p(&v->root);
    v->root = -1;
    let_go(v);
    if (v->c)
        container_unref(v->c);
}
#define cleanup_view CLEANUP(view_close)

static void run_spec_free_p(struct run_spec **s)
{
    run_spec_free(*s);
}

static int open_root(struct view *v, unsigned flags, struct err *e)
{
    CLEANUP(rootfs_release) struct rootfs rootfs = {0};
    CLEANUP(run_spec_free_p) struct run_spec *spec = NULL;
    cleanup_container struct container *now = NULL;

    if (images_rootfs_ensure(v->g->im, v->c->image_id, v->c->id, &rootfs, e))
        return -1;
    now = object_container(v->g, v->c->id);
    if (!now) { /* removed meanwhile: nobody else would take away what was just made */
        (void)!images_rootfs_remove(v->g->im, v->c->id, ERR_IGNORE);
        return err_set(e, ERR_NOT_FOUND, "No such container: %s", v->c->id);
    }
    if (!container_is_up(v->c) && !(flags & ROOT_BARE)) {
        v->volumes = true;
        if (container_volumes_up(v->g, v->c, e))
            return -1;
    }
    if (run_spec_mounts(v->g, v->c, &rootfs, !(flags & ROOT_BARE), &spec, e))
        return -1;
    v->id_base = spec->userns_remap ? spec->uid_base : 0;
    return v->g->rt->ops->open_root(v->g->rt, spec, flags, &v->root, e);
}

static int view_open(struct engine *g, const char *ref, unsigned flags, struct view *v,
                     struct err *e)
{
    cleanup_container struct container *found = NULL;

    *v = (struct view){.g = g, .root = -1};
    if (containers_find(g, ref, &found, e))
        return -1;
    if (found->state.status == STATUS_REMOVING || found->state.status == STATUS_DEAD)
        return err_set(e, ERR_CONFLICT, "container %s is marked for removal", found->id);
    if (mounting_take(g, found->id, false, e))
        return -1;
    v->held = true;
    v->c = object_container(g, found->id); /* as it is now that no start can begin */
    if (!v->c) {
        v->c = container_ref(found);
        return err_set(e, ERR_NOT_FOUND, "No such container: %s", ref);
    }
    if (open_root(v, flags, e))
        return -1;
    if (!(flags & ROOT_WRITABLE))
        let_go(v);
    return 0;
}

/* dockerd's words for a path that is not there. */
static int file_error(const char *ref, const char *path, struct err *e)
{
    if (e->kind != ERR_NOT_FOUND)
        return -1;
    return err_set(e, ERR_NOT_FOUND, "Could not find the file %s in container %s", path, ref);
}

/* ------------------------------------------------------------ out of it */

int containers_stat_path(struct engine *g, const char *ref, const char *path, struct tree_stat *out,
                         struct err *e)
{
    cleanup_view struct view v;

    if (view_open(g, ref, 0, &v, e))
        return -1;
    return tree_path_stat(v.root, path, out, e) ? file_error(ref, path, e) : 0;
}

static struct tree_tar *new_tar(const struct view *v, const struct files_sink *out)
{
    const struct tree_tar_opts o = {
        .write = out->write, .arg = out->arg, .cancel = out->cancel, .id_base = v->id_base};

    return tree_tar_new(&o);
}

int containers_archive(struct engine *g, const char *ref, const char *path,
                       const struct files_sink *out, const char *by, struct err *e)
{
    cleanup_free char *abs = tree_path_absolute(path);
    CLEANUP(tree_stat_release) struct tree_stat st = {0};
    cleanup_tree_tar struct tree_tar *t = NULL;
    cleanup_view struct view v;

    if (view_open(g, ref, 0, &v, e))
        return -1;
    if (tree_path_stat(v.root, abs, &st, e))
        return file_error(ref, path, e);
    event_emit_container(g, "archive-path", v.c, by);
    if (out->begin(out->arg, &st, e))
        return -1;
    t = new_tar(&v, out);
    return tree_path_pack(t, v.root, abs, &st, e) || tree_tar_end(t, e) ? -1 : 0;
}

int containers_export(struct engine *g, const char *ref, const struct files_sink *out,
                      const char *by, struct err *e)
{
    cleanup_tree_tar struct tree_tar *t = NULL;
    cleanup_view struct view v;

    if (view_open(g, ref, ROOT_BARE, &v, e))
        return -1;
    event_emit_container(g, "export", v.c, by);
    if (out->begin(out->arg, NULL, e))
        return -1;
    t = new_tar(&v, out);
    return tree_tar_add_below(t, v.root, e) || tree_tar_end(t, e) ? -1 : 0;
}

/* ------------------------------------------------------------ into it */

static bool is_below(const char *dir, const char *path)
{
    const size_t n = strlen(dir);

    return str_eq(dir, "/") || (strncmp(dir, path, n) == 0 && (path[n] == '\0' || path[n] == '/'));
}

/* The mount that a directory is on; NULL: the root.  A tmpfs is there only while it runs. */
static int mount_of(const struct view *v, const char *where, const struct mount_spec **out,
                    struct err *e)
{
    size_t best = 0;

    *out = NULL;
    for (size_t i = 0; i < v->c->spec->n_mounts; i++) {
        const struct mount_spec *m = &v->c->spec->mounts[i];
        cleanup_free char *at = tree_path_follow(v->root, m->target, e);

        if (!at)
            return -1;
        if ((m->type == MOUNT_TMPFS && !container_is_up(v->c)) || !is_below(at, where) ||
            strlen(at) < best)
            continue;
        best = strlen(at);
        *out = m;
    }
    return 0;
}

static int check_writable(const struct view *v, const char *where, struct err *e)
{
    const struct mount_spec *m;

    if (mount_of(v, where, &m, e))
        return -1;
    if (m && m->read_only)
        return err_set(e, ERR_INVALID, "mounted volume is marked read-only");
    if (!m && v->c->spec->readonly_rootfs)
        return err_set(e, ERR_INVALID, "container rootfs is marked read-only");
    return 0;
}

/* dockerd answers a bad archive with a 500 and with words of its own. */
static int archive_error(struct err *e)
{
    static const struct {
        const char *ours, *theirs;
    } words[] = {
        {"invalid tar header",          "archive/tar: invalid tar header"},
        {"invalid tar: unexpected EOF", "unexpected EOF"                 },
    };

    if (e->kind != ERR_INVALID)
        return -1;
    e->kind = ERR_INTERNAL;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (str_eq(e->msg, words[i].ours))
            str_copy(e->msg, sizeof(e->msg), words[i].theirs);
    return -1;
}

static int unpack(const struct view *v, int dir, const char *where, const struct files_source *in,
                  struct err *e)
{
    cleanup_decompress struct decompress *plain = NULL;
    struct tar_apply_opts o = {.where = where, .keep_kinds = in->keep_kinds, .id_base = v->id_base};

    if (in->copy_ids && !str_empty(v->c->spec->user)) {
        o.own = true;
        if (v->g->rt->ops->resolve_user(v->g->rt, v->root, v->c->spec->user, &o.uid, &o.gid, e))
            return -1;
    }
    if (decompress_open(in->read, in->arg, &plain, e) ||
        tar_apply(dir, decompress_read, plain, &o, e))
        return archive_error(e);
    return 0;
}

int containers_extract(struct engine *g, const char *ref, const char *path,
                       const struct files_source *in, const char *by, struct err *e)
{
    cleanup_free char *where = NULL;
    cleanup_fd int dir = -1;
    cleanup_view struct view v;

    if (view_open(g, ref, ROOT_WRITABLE, &v, e))
        return -1;
    dir = tree_path_open_dir(v.root, path, &where, e);
    if (dir < 0)
        return file_error(ref, path, e);
    if (check_writable(&v, where, e))
        return -1;
    if (unpack(&v, dir, where, in, e))
        return file_error(ref, path, e);
    event_emit_container(g, "extract-to-dir", v.c, by);
    return 0;
}
