/*
 * mounts: from what a create body says about mounts to what its container has.
 *
 * The body's own list is complete when it gets here (core/mount_spec.c).  Added are the mounts of
 * other containers (VolumesFrom), whose content is nobody's to copy again; images get the ID they
 * have now, and volumes that do not exist are made.  Order of precedence, as dockerd has it:
 *
 *     Tmpfs > Binds and Mounts > VolumesFrom, the last one first > Config.Volumes > the image's
 * VOLUME
 */
#include <string.h>

#include "base/fs.h"
#include "base/host.h"
#include "base/id.h"
#include "reconciler/container_files.h"
#include "reconciler/engine_internal.h"

/* ------------------------------------------------------------ VolumesFrom */

/* HostConfig.Tmpfs is on top of whatever else is there. */
static struct mount_spec *find_target(const struct container_spec *s, const char *target)
{
    for (size_t i = 0; i < s->n_mounts; i++)
        if (str_eq(s->mounts[i].target, target) && s->mounts[i].type != MOUNT_TMPFS)
            return &s->mounts[i];
    return NULL;
}

/* A tmpfs is its own container's; so are an image's layers. */
static bool is_shared(const struct mount_spec *m)
{
    return m->type == MOUNT_BIND || m->type == MOUNT_VOLUME;
}

static void inherit(struct container_spec *s, const struct mount_spec *m, bool read_only)
{
    struct mount_spec *there = find_target(s, m->target);

    if (there && !there->implicit)
        return;
    if (there)
        mount_spec_release(there);
    else
        there = ARRAY_ADD(s->mounts, s->n_mounts);
    mount_spec_copy(there, m);
    there->read_only = m->read_only || read_only;
    there->no_copy = there->implicit = true;
    str_set(&there->mode, "");
}

static int inherit_from(struct engine *g, struct container_spec *s, const char *from, struct err *e)
{
    cleanup_container struct container *other = NULL;
    cleanup_free char *id = NULL;
    bool read_only;

    if (volumes_from_parse(from, &id, &read_only, e))
        return -1;
    if (!*id)
        return err_set(e, ERR_INVALID, "invalid name or ID supplied: \"\"");
    if (containers_find(g, id, &other, e)) {
        e->kind = ERR_INVALID; /* the request is wrong, not its path */
        return -1;
    }
    for (size_t i = 0; i < other->spec->n_mounts; i++)
        if (is_shared(&other->spec->mounts[i]))
            inherit(s, &other->spec->mounts[i], read_only);
    return 0;
}

int mounts_inherit(struct engine *g, struct container_spec *s, struct err *e)
{
    for (size_t i = 0; i < s->volumes_from.n; i++)
        if (inherit_from(g, s, s->volumes_from.v[i], e))
            return -1;
    return 0;
}

/* ------------------------------------------------------------ binds */

/*
 * A bind that holds the engine's own directory would keep every volume mounted there from being
 * unmounted, unless what the host unmounts goes there, too.
 */
static int check_data_root(struct engine *g, struct mount_spec *m, struct err *e)
{
    const char *root = g->cfg.data_root;
    cleanup_free char *point = NULL;
    enum host_propagation is;

    if (!str_starts(m->source, root) && !str_starts(root, m->source))
        return 0;
    if (str_empty(m->propagation)) {
        /* Where the host passes nothing on, there is nothing to follow either. */
        if (host_mount_of(m->source, &point, &is, ERR_IGNORE) == 0 && is != HOST_PRIVATE)
            str_set(&m->propagation, "rslave");
        return 0;
    }
    if (str_eq(m->propagation, "rslave") || str_eq(m->propagation, "rshared"))
        return 0;
    return err_set(e, ERR_INVALID,
                   "invalid mount config: must use either propagation mode \"rslave\" or "
                   "\"rshared\" when mount source is within the daemon root, daemon root: \"%s\", "
                   "bind mount source: \"%s\", propagation: \"%s\"",
                   root, m->source, m->propagation);
}

/* A bind's source must be there, unless it is to be made (Binds have it so, Mounts only on
 * request). */
static int check_bind(struct engine *g, struct mount_spec *m, struct err *e)
{
    if (!m->create_host_path && !fs_exists(m->source))
        return err_set(
            e, ERR_INVALID,
            "invalid mount config for type \"bind\": bind source path does not exist: %s",
            m->source);
    return check_data_root(g, m, e);
}

/* In dockerd's words, at the start, as there. */
int mount_read_only_allowed(const struct mount_spec *m, struct err *e)
{
    if (m->force_ro_recursive && m->no_ro_recursive && m->read_only)
        return err_set(e, ERR_INTERNAL,
                       "mount options conflict: ReadOnlyNonRecursive && "
                       "BindOptions.ReadOnlyForceRecursive");
    if (m->force_ro_recursive && !m->read_only)
        return err_set(e, ERR_INTERNAL,
                       "mount options conflict: !ReadOnly && BindOptions.ReadOnlyForceRecursive");
    return 0;
}

/* The words of HostConfig.Tmpfs that dockerd passes on. */
int mount_tmpfs_allowed(const struct mount_spec *m, struct err *e)
{
    static const char *const known[] = {
        "async",         "atime",  "defaults",   "dev",       "diratime",
        "dirsync",       "exec",   "gid",        "mode",      "mpol",
        "noatime",       "nodev",  "nodiratime", "noexec",    "norelatime",
        "nostrictatime", "nosuid", "nr_blocks",  "nr_inodes", "private",
        "relatime",      "ro",     "rprivate",   "rshared",   "rslave",
        "runbindable",   "rw",     "shared",     "size",      "slave",
        "strictatime",   "suid",   "sync",       "uid",       "unbindable",
    };
    cleanup_strv struct strv words = {0};

    if (!str_empty(m->tmpfs_options))
        strv_split(&words, m->tmpfs_options, ',');
    for (size_t i = 0; i < words.n; i++) {
        cleanup_free char *key = str_ndup(words.v[i], strcspn(words.v[i], "="));
        bool found = false;

        for (size_t k = 0; k < ARRAY_LEN(known) && !found; k++)
            found = str_eq(key, known[k]);
        if (!found)
            return err_set(e, ERR_INTERNAL, "invalid tmpfs option \"%.100s\"", key);
    }
    return 0;
}

/* What the kernel could not pass on is refused, as the container would wait for it in vain. */
int mount_propagation_allowed(const struct mount_spec *m, struct err *e)
{
    bool shared = m->propagation && strstr(m->propagation, "shared");
    bool slave = m->propagation && strstr(m->propagation, "slave");
    cleanup_free char *point = NULL;
    enum host_propagation is;

    if (!shared && !slave)
        return 0;
    if (host_mount_of(m->source, &point, &is, e))
        return -1;
    if (is == HOST_SHARED || (slave && is == HOST_SLAVE))
        return 0;
    return err_set(e, ERR_INTERNAL, "path %s is mounted on %s but it is not a shared%s mount",
                   m->source, point, slave ? " or slave" : "");
}

/* ------------------------------------------------------------ images */

static int find_image(struct engine *g, struct mount_spec *m, struct err *e)
{
    cleanup_image struct image *img = NULL;

    if (images_find(g->im, m->source, &img, e))
        return -1;
    str_set(&m->image_id, img->id);
    return 0;
}

int mounts_check(struct engine *g, struct container_spec *s, struct err *e)
{
    for (size_t i = 0; i < s->n_mounts; i++) {
        struct mount_spec *m = &s->mounts[i];

        if (m->type == MOUNT_BIND && check_bind(g, m, e))
            return -1;
        if (m->type == MOUNT_IMAGE && find_image(g, m, e))
            return -1;
    }
    return 0;
}

/* ------------------------------------------------------------ volumes */

static bool is_inherited(const struct mount_spec *m)
{
    return m->implicit && m->no_copy;
}

static bool is_own_anonymous(const struct mount_spec *m)
{
    return m->type == MOUNT_VOLUME && m->anonymous && !is_inherited(m);
}

static int make_volume(struct engine *g, const struct mount_spec *m, const char *by,
                       struct volume **made, struct err *e)
{
    struct volume *v = volume_new();

    str_set(&v->name, m->source);
    str_set(&v->driver, m->driver ? m->driver : "");
    kvs_copy(&v->options, &m->driver_opts);
    v->options_set = m->driver_opts.n > 0;
    kvs_copy(&v->labels, &m->labels);
    v->labels_set = m->labels.n > 0;
    v->anonymous = is_own_anonymous(m);
    return volume_make(g, v, by, made, e);
}

/*
 * Those with a name are made before the container has a record, those without after: nobody would
 * find one whose container did not come to be.  They only get their names here.
 */
int mounts_make_volumes(struct engine *g, struct container_spec *s, const char *by, struct err *e)
{
    for (size_t i = 0; i < s->n_mounts; i++) {
        struct mount_spec *m = &s->mounts[i];
        cleanup_volume struct volume *made = NULL;
        char name[ID_LEN + 1];

        if (m->type != MOUNT_VOLUME)
            continue;
        if (str_empty(m->source)) {
            id_new(name);
            str_set(&m->source, name);
            m->anonymous = true;
        }
        if (!is_own_anonymous(m) && make_volume(g, m, by, &made, e))
            return -1;
        if (!m->mode) /* dockerd's */
            m->mode =
                xstrdup(made ? (str_eq(made->driver, "local") ? "z" : "")
                             : (str_empty(m->driver) || str_eq(m->driver, "local") ? "z" : ""));
    }
    return 0;
}

int mounts_make_anonymous(struct engine *g, const struct container_spec *s, const char *by,
                          struct err *e)
{
    for (size_t i = 0; i < s->n_mounts; i++) {
        cleanup_volume struct volume *there = NULL, *made = NULL;

        if (!is_own_anonymous(&s->mounts[i]))
            continue;
        there = object_volume(g, s->mounts[i].source);
        if (!there && make_volume(g, &s->mounts[i], by, &made, e))
            return -1;
    }
    return 0;
}

bool mount_waits_for_volume(const struct mount_spec *m)
{
    return m->type == MOUNT_VOLUME && !is_own_anonymous(m);
}

static bool wants_content(const struct mount_spec *m)
{
    return m->type == MOUNT_VOLUME && !m->no_copy && str_empty(m->subpath);
}

/* Through a link of the image it may be missed here; the first start sees everything. */
static bool has_content(const struct rootfs *root, const struct mount_spec *m)
{
    cleanup_free char *whole = path_join(root->upper, m->target);

    if (!root->overlay && fs_exists(whole))
        return true;
    for (size_t i = 0; i < root->lower.n; i++) {
        cleanup_free char *path = path_join(root->lower.v[i], m->target);

        if (fs_exists(path))
            return true;
    }
    return false;
}

/*
 * The image's content goes into an empty volume at once, as dockerd has it: containers are made for
 * nothing else than the volumes they leave.  To look into the container does it.
 */
int mounts_populate(struct engine *g, const struct container *c, struct err *e)
{
    struct tree_stat st = {0};
    struct rootfs root = {0};
    bool wanted = false, found = false;

    for (size_t i = 0; i < c->spec->n_mounts; i++)
        wanted = wanted || wants_content(&c->spec->mounts[i]);
    if (!wanted)
        return 0;
    if (images_rootfs_ensure(g->im, c->image_id, c->id, &root, e))
        return -1;
    for (size_t i = 0; i < c->spec->n_mounts && !found; i++)
        found = wants_content(&c->spec->mounts[i]) && has_content(&root, &c->spec->mounts[i]);
    rootfs_release(&root);
    if (!found)
        return 0;
    if (containers_stat_path(g, c->id, "/", &st, e))
        return -1;
    tree_stat_release(&st);
    return 0;
}
