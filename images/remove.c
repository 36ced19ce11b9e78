/*
 * remove: Docker's rules of untag and delete.
 *
 * By name: the name goes, and with the last tag of a repository its digests go as well; the image
 * goes with its last name.  By ID: all names of one repository go at once; names in several are a
 * conflict.  What is used by a container, or has children, stays, hard conflicts even when forced.
 * Parents that have lost their last child and have no name follow, unless no_prune.
 */
#include "base/mem.h"
#include "images/images_internal.h"

#define SHORT_ID 12

enum conflicts {
    CONFLICT_CHILD = 1,
    CONFLICT_RUNNING = 2,
    CONFLICT_NAMES = 4,
    CONFLICT_STOPPED = 8,
    CONFLICTS_HARD = CONFLICT_CHILD | CONFLICT_RUNNING,
    CONFLICTS_SOFT = CONFLICT_NAMES | CONFLICT_STOPPED,
};

struct removing {
    struct images *im;
    bool force, no_prune;
    image_in_use_fn *in_use;
    void *arg;
    struct image_removal *out;
    struct strv keys;   /* what to collect in the end */
    struct strv doomed; /* what is marked as going already */
};

void image_removal_release(struct image_removal *r)
{
    for (size_t i = 0; i < r->n; i++)
        free(r->v[i].what);
    free(r->v);
    free(r->image_id);
    *r = (struct image_removal){0};
}

static void report(struct image_removal *out, bool deleted, const char *what)
{
    struct kvs_item *r = ARRAY_ADD(out->v, out->n);

    r->deleted = deleted;
    r->what = xstrdup(what);
}

/* ---- conflicts */

static bool has_children(struct images *im, const char *id)
{
    bool found = false;
    const char *key;
    void *value;

    mutex_lock(&im->lock);
    for (size_t i = 0; !found && map_at(&im->images, &i, &key, &value); i++)
        found = str_eq(((const struct image_entry *)value)->rec.parent, id);
    mutex_unlock(&im->lock);
    return found;
}

static char *used_by(struct removing *r, const char *id, bool *running)
{
    *running = false;
    return r->in_use ? r->in_use(r->arg, id, running) : NULL;
}

static int conflict(const char *id, bool hard, const char *why, const char *container,
                    struct err *e)
{
    return err_set(e, ERR_CONFLICT, "conflict: unable to delete %.*s (%s) - %s%.*s", SHORT_ID,
                   digest_hex(id), hard ? "cannot be forced" : "must be forced", why, SHORT_ID,
                   container ? container : "");
}

/* *used: the conflict is a container. */
static int check_conflicts(struct removing *r, const char *id, unsigned mask, bool *used,
                           struct err *e)
{
    cleanup_strv struct strv refs = {0};
    cleanup_free char *container = NULL;
    bool running;

    *used = false;
    if ((mask & CONFLICT_CHILD) && has_children(r->im, id))
        return conflict(id, true, "image has dependent child images", NULL, e);
    container = used_by(r, id, &running);
    if ((mask & CONFLICT_RUNNING) && container && running) {
        *used = true;
        return conflict(id, true, "image is being used by running container ", container, e);
    }
    records_refs_of(r->im, id, &refs);
    if ((mask & CONFLICT_NAMES) && refs.n > 0)
        return conflict(id, false, "image is referenced in multiple repositories", NULL, e);
    if ((mask & CONFLICT_STOPPED) && container && !running) {
        *used = true;
        return conflict(id, false, "image is being used by stopped container ", container, e);
    }
    return 0;
}

/* ---- names */

static size_t name_len(const char *ref)
{
    const char *at = strchr(ref, '@');
    const char *slash = strrchr(ref, '/');
    const char *colon = at ? NULL : strchr(slash ? slash : ref, ':');

    return at ? (size_t)(at - ref) : colon ? (size_t)(colon - ref) : strlen(ref);
}

static bool same_name(const char *a, const char *b)
{
    size_t n = name_len(a);

    return n == name_len(b) && !strncmp(a, b, n);
}

/* At most one tag, and everything in one repository. */
static bool is_single(const struct strv *refs)
{
    const char *tag = NULL;
    bool digests = false;

    if (refs->n <= 1)
        return true;
    for (size_t i = 0; i < refs->n; i++) {
        if (strchr(refs->v[i], '@'))
            digests = true;
        else if (tag)
            return false;
        else
            tag = refs->v[i];
    }
    for (size_t i = 1; i < refs->n; i++)
        if (!same_name(refs->v[i], refs->v[0]))
            return false;
    return digests;
}

static int drop_ref(struct removing *r, const char *ref, struct err *e)
{
    cleanup_reference struct reference parsed = {0};
    cleanup_free char *name = NULL;
    const char *at = strchr(ref, '@');

    if (records_drop_ref(r->im, ref, e))
        return -1;
    name = reference_parse(ref, &parsed, ERR_IGNORE) ? xstrdup(ref) : reference_familiar(&parsed);
    report(r->out, false, name);
    if (at)
        strv_addf(&r->keys, "blob:%s", at + 1);
    return 0;
}

static int drop_all_refs(struct removing *r, const char *id, struct err *e)
{
    cleanup_strv struct strv refs = {0};

    records_refs_of(r->im, id, &refs);
    for (size_t i = 0; i < refs.n; i++)
        if (drop_ref(r, refs.v[i], e))
            return -1;
    return 0;
}

/* With the last tag of a repository, its digests say nothing any more. */
static int drop_orphaned_digests(struct removing *r, const char *id, const char *ref, struct err *e)
{
    cleanup_strv struct strv refs = {0};

    records_refs_of(r->im, id, &refs);
    for (size_t i = 0; i < refs.n; i++)
        if (!strchr(refs.v[i], '@') && same_name(refs.v[i], ref))
            return 0;
    for (size_t i = 0; i < refs.n; i++)
        if (strchr(refs.v[i], '@') && same_name(refs.v[i], ref) && drop_ref(r, refs.v[i], e))
            return -1;
    return 0;
}

/* ---- images */

static int delete_one(struct removing *r, const char *id, char **parent, struct err *e)
{
    struct strv keys = {0};
    struct image_entry *en;
    size_t before;

    if (drop_all_refs(r, id, e))
        return -1;
    mutex_lock(&r->im->lock);
    if ((en = map_get(&r->im->images, id))) {
        *parent = xstrdup(en->rec.parent);
        records_keys_of(en, &keys);
    }
    mutex_unlock(&r->im->lock);
    if (!*parent || records_drop_image(r->im, id, e)) {
        strv_release(&keys);
        return *parent ? -1 : err_set(e, ERR_NOT_FOUND, "No such image: %s", id);
    }
    report(r->out, true, id);
    before = r->doomed.n;
    gc_mark(r->im, &keys, &r->doomed);
    for (size_t i = before; i < r->doomed.n; i++)
        if (str_starts(r->doomed.v[i], "layer:"))
            report(r->out, true, r->doomed.v[i] + strlen("layer:"));
    strv_release(&keys);
    return 0;
}

static bool is_dangling(struct images *im, const char *id)
{
    cleanup_strv struct strv refs = {0};

    records_refs_of(im, id, &refs);
    return refs.n == 0 && !has_children(im, id);
}

static bool is_known(struct images *im, const char *id)
{
    bool known;

    mutex_lock(&im->lock);
    known = map_get(&im->images, id) != NULL;
    mutex_unlock(&im->lock);
    return known;
}

/* The image, then its parents as long as nothing holds them.  quiet: a conflict is no error. */
static int delete_with_parents(struct removing *r, const char *first, bool force, bool quiet,
                               struct err *e)
{
    cleanup_free char *id = xstrdup(first);

    for (;;) {
        cleanup_free char *parent = NULL;
        struct err why = ERR_INIT;
        bool used;

        if (check_conflicts(r, id, CONFLICTS_HARD | (force ? 0 : CONFLICTS_SOFT), &used, &why)) {
            if (quiet && (!is_dangling(r->im, id) || used))
                return 0;
            *e = why;
            return -1;
        }
        if (delete_one(r, id, &parent, e))
            return -1;
        if (r->no_prune || str_empty(parent) || !is_known(r->im, parent))
            return 0;
        str_set(&id, parent);
        force = false;
        quiet = true;
    }
}

static bool is_id_prefix(const char *id, const char *text)
{
    return str_starts(id, text) || str_starts(digest_hex(id), text);
}

/* 1: the image keeps other names, so this was all. */
static int untag(struct removing *r, const char *id, const char *text, struct err *e)
{
    cleanup_strv struct strv refs = {0}, left = {0};
    cleanup_reference struct reference ref = {0};
    cleanup_free char *canonical = NULL, *container = NULL;
    bool running;

    records_refs_of(r->im, id, &refs);
    container = used_by(r, id, &running);
    if (!r->force && is_single(&refs) && container)
        return err_set(e, ERR_CONFLICT,
                       "conflict: unable to remove repository reference \"%s\" (must force) - "
                       "container %.*s is using its referenced image %.*s",
                       text, SHORT_ID, container, SHORT_ID, digest_hex(id));
    if (reference_parse(text, &ref, e))
        return -1;
    reference_default_tag(&ref);
    if (ref.digest)
        str_set(&ref.tag, NULL);
    canonical = reference_canonical(&ref);
    if (drop_ref(r, canonical, e) || (!ref.digest && drop_orphaned_digests(r, id, canonical, e)))
        return -1;
    records_refs_of(r->im, id, &left);
    return left.n > 0;
}

static int remove_claimed(struct removing *r, const char *text, struct err *e)
{
    cleanup_image struct image *img = NULL;
    cleanup_strv struct strv refs = {0};
    bool by_id, used;
    int rc;

    if (images_find(r->im, text, &img, e))
        return -1;
    r->out->image_id = xstrdup(img->id);
    by_id = is_id_prefix(img->id, text);
    if (!by_id) {
        rc = untag(r, img->id, text, e);
        return rc ? (rc < 0 ? -1 : 0) : delete_with_parents(r, img->id, r->force, true, e);
    }
    records_refs_of(r->im, img->id, &refs);
    if (is_single(&refs)) {
        unsigned mask = CONFLICTS_HARD | (r->force ? 0 : CONFLICT_STOPPED);

        if (check_conflicts(r, img->id, mask, &used, e) || drop_all_refs(r, img->id, e))
            return -1;
    }
    return delete_with_parents(r, img->id, r->force, false, e);
}

int images_remove(struct images *im, const char *ref, bool force, bool no_prune,
                  image_in_use_fn *in_use, void *arg, struct image_removal *out, struct err *e)
{
    struct removing r = {
        .im = im, .force = force, .no_prune = no_prune, .in_use = in_use, .arg = arg, .out = out};
    int rc;

    *out = (struct image_removal){0};
    claim(im, "records");
    rc = remove_claimed(&r, ref, e);
    unclaim(im, "records");
    gc_finish(im, &r.doomed);
    gc_collect(im, &r.keys);
    strv_release(&r.keys);
    strv_release(&r.doomed);
    if (rc)
        image_removal_release(out);
    return rc;
}
