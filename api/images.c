/* images: list, inspect, history, tag, remove, prune. */
#include <fnmatch.h>
#include <string.h>

#include "api/filters.h"
#include "api/handlers.h"
#include "base/mem.h"
#include "base/time.h"
#include "images/reference.h"
#include "reconciler/engine.h"

void image_event(const struct request *rq, const char *action, const char *id, const char *name)
{
    struct event ev;

    event_init(&ev, "image", action, id);
    kvs_set(&ev.attributes, "name", name);
    kvs_set(&ev.attributes, "by", rq->by);
    engine_event(rq->engine, &ev);
}

int64_t image_users(const struct container_list *containers, const char *image_id)
{
    int64_t n = 0;

    for (size_t i = 0; i < containers->n; i++)
        n += str_eq(containers->v[i]->image_id, image_id);
    return n;
}

/* -------------------------------------------------------------------- list */

struct image_query {
    struct request *rq;
    struct filters f;
    bool all, has_before, has_since, has_until;
    int64_t before_ns, since_ns, until_ns;
    struct image_list images;
    struct container_list containers;
};

static int find_created(struct image_query *q, const char *key, bool *has, int64_t *out,
                        struct err *e)
{
    const struct filter *x = filters_find(&q->f, key);
    cleanup_image struct image *image = NULL;

    *has = x != NULL;
    if (!x)
        return 0;
    if (images_find(engine_images(q->rq->engine), x->v[0].text, &image, e))
        return -1;
    *out = image->created_ns;
    return 0;
}

/* "busy*" or "busybox:1.*": a glob over the familiar name, with the tag or without it. */
static bool reference_matches(const struct filter *x, const char *name)
{
    struct reference r = {0};
    cleanup_free char *bare = NULL;
    bool found = false;

    if (reference_parse(name, &r, ERR_IGNORE))
        return false;
    bare = reference_familiar_name(&r);
    reference_release(&r);
    for (size_t i = 0; i < x->n && !found; i++)
        found = fnmatch(x->v[i].text, name, FNM_PATHNAME) == 0 ||
                fnmatch(x->v[i].text, bare, FNM_PATHNAME) == 0;
    return found;
}

static void keep_matching(const struct filter *x, const struct strv *from, struct strv *out)
{
    for (size_t i = 0; i < from->n; i++)
        if (!x || reference_matches(x, from->v[i]))
            strv_add(out, from->v[i]);
}

static bool has_child(const struct image_query *q, const struct image *i)
{
    for (size_t k = 0; k < q->images.n; k++)
        if (str_eq(q->images.v[k]->parent, i->id))
            return true;
    return false;
}

static bool image_matches(const struct image_query *q, const struct image *i, bool want_dangling,
                          bool dangling_given)
{
    bool dangling = i->repo_tags.n == 0 && i->repo_digests.n == 0;

    if (dangling_given && dangling != want_dangling)
        return false;
    if (dangling && !q->all && has_child(q, i))
        return false;
    if ((q->has_before && i->created_ns >= q->before_ns) ||
        (q->has_since && i->created_ns <= q->since_ns) ||
        (q->has_until && i->created_ns > q->until_ns))
        return false;
    if (!i->config)
        return !filters_has(&q->f, "label");
    return filters_labels(&q->f, "label", &i->config->labels) &&
           filters_no_labels(&q->f, "label!", &i->config->labels);
}

static int write_images(struct image_query *q, struct jsonw *w, struct err *e)
{
    const struct filter *ref = filters_find(&q->f, "reference");
    bool dangling_given = filters_has(&q->f, "dangling"), want_dangling = false;

    if (filters_bool(&q->f, "dangling", &want_dangling, e))
        return -1;
    jsonw_arr(w);
    for (size_t k = 0; k < q->images.n; k++) {
        const struct image *i = q->images.v[k];
        cleanup_strv struct strv tags = {0}, digests = {0};

        if (!image_matches(q, i, want_dangling, dangling_given))
            continue;
        keep_matching(ref, &i->repo_tags, &tags);
        keep_matching(ref, &i->repo_digests, &digests);
        if (ref && tags.n == 0 && digests.n == 0)
            continue;
        image_write_summary(w, i, &tags, &digests, q->rq->version,
                            image_users(&q->containers, i->id), -1);
    }
    jsonw_end_arr(w);
    return 0;
}

static int list(struct image_query *q, struct jsonw *w, struct err *e)
{
    static const char *const allowed[] = {"dangling", "label",     "label!", "before",
                                          "since",    "reference", "until",  NULL};

    if (filters_parse(query_get(q->rq, "filters"), &q->f, e) || filters_check(&q->f, allowed, e) ||
        find_created(q, "before", &q->has_before, &q->before_ns, e) ||
        find_created(q, "since", &q->has_since, &q->since_ns, e) ||
        filters_until(&q->f, &q->until_ns, &q->has_until, e))
        return -1;
    q->all = query_bool(q->rq, "all", false);
    images_list(engine_images(q->rq->engine), &q->images);
    containers_list(q->rq->engine, &q->containers);
    return write_images(q, w, e);
}

int image_list_all(struct request *rq, struct err *e)
{
    cleanup_buf struct buf out = BUF_INIT(REPLY_MAX);
    struct jsonw w = JSONW_INIT(&out);
    struct image_query q = {.rq = rq};
    int rc = list(&q, &w, e);

    filters_release(&q.f);
    image_list_release(&q.images);
    container_list_release(&q.containers);
    return rc ? -1 : res_json(rq, 200, &out, e);
}

int image_inspect(struct request *rq, struct err *e)
{
    cleanup_buf struct buf out = BUF_INIT(REPLY_MAX);
    struct jsonw w = JSONW_INIT(&out);
    cleanup_image struct image *image = NULL;

    if (images_find(engine_images(rq->engine), rq->arg[0], &image, e))
        return -1;
    image_write_inspect(&w, image, rq->version, images_driver_name(engine_images(rq->engine)));
    return res_json(rq, 200, &out, e);
}

/* ----------------------------------------------------------------- history */

struct layer_sizes {
    const struct strv *chain;
    int64_t *size;
};

static int note_size(void *arg, const struct layer_record *r, struct err *e)
{
    struct layer_sizes *s = arg;

    (void)e;
    for (size_t i = 0; i < s->chain->n; i++)
        if (str_eq(s->chain->v[i], r->chain_id))
            s->size[i] = r->size;
    return 0;
}

static void write_entry(struct jsonw *w, const struct image_history *h,
                        const struct image *made /* NULL: it was never an image here */,
                        int64_t size)
{
    jsonw_obj(w);
    jsonw_kstr(w, "Comment", h->comment);
    jsonw_ki64(w, "Created", h->created_ns == TIME_ZERO ? 0 : h->created_ns / NS_PER_SEC);
    jsonw_kstr(w, "CreatedBy", h->created_by);
    jsonw_kstr(w, "Id", made ? made->id : "<missing>");
    jsonw_ki64(w, "Size", size);
    jsonw_kstrv_or_null(w, "Tags", made ? &made->repo_tags : NULL);
    jsonw_end_obj(w);
}

/* The image that this one was committed from, in its place. */
static void to_parent(struct images *im, struct image **at)
{
    struct image *parent = NULL;

    if (*at && !str_empty((*at)->parent))
        (void)!images_find(im, (*at)->parent, &parent, ERR_IGNORE);
    if (*at)
        image_unref(*at);
    *at = parent;
}

/* Newest first. */
static void write_history(struct jsonw *w, struct images *im, const struct image *i,
                          const int64_t *sizes)
{
    cleanup_image struct image *at = image_ref(i);
    size_t layer = i->chain_ids.n;

    jsonw_arr(w);
    for (size_t k = i->n_history; k-- > 0; to_parent(im, &at)) {
        const struct image_history *h = &i->history[k];

        write_entry(w, h, at, !h->empty_layer && layer > 0 ? sizes[--layer] : 0);
    }
    jsonw_end_arr(w);
}

int image_history(struct request *rq, struct err *e)
{
    cleanup_buf struct buf out = BUF_INIT(REPLY_MAX);
    struct jsonw w = JSONW_INIT(&out);
    cleanup_image struct image *image = NULL;
    cleanup_free int64_t *sizes = NULL;
    struct layer_sizes s;

    if (images_find(engine_images(rq->engine), rq->arg[0], &image, e))
        return -1;
    sizes = xcalloc(image->chain_ids.n + 1, sizeof(*sizes));
    s = (struct layer_sizes){&image->chain_ids, sizes};
    if (state_layer_each(engine_state(rq->engine), note_size, &s, e))
        return -1;
    write_history(&w, engine_images(rq->engine), image, sizes);
    return res_json(rq, 200, &out, e);
}

/* ------------------------------------------------------------- tag, remove */

int image_tag(struct request *rq, struct err *e)
{
    const char *repo = query_str(rq, "repo"), *tag = query_str(rq, "tag");
    struct images *im = engine_images(rq->engine);
    cleanup_image struct image *image = NULL;
    cleanup_free char *name = NULL;

    if (!*repo)
        return res_empty(rq, 200, e);
    if (images_find(im, rq->arg[0], &image, e))
        return -1;
    if (images_tag(im, rq->arg[0], repo, *tag ? tag : NULL, e))
        return -1;
    name = str_printf("%s:%s", repo, *tag ? tag : "latest");
    image_event(rq, "tag", image->id, name);
    return res_empty(rq, 201, e);
}

static void write_removal(struct jsonw *w, const struct image_removal *r)
{
    for (size_t i = 0; i < r->n; i++) {
        jsonw_obj(w);
        jsonw_kstr(w, r->v[i].deleted ? "Deleted" : "Untagged", r->v[i].what);
        jsonw_end_obj(w);
    }
}

int image_remove(struct request *rq, struct err *e)
{
    cleanup_buf struct buf out = BUF_INIT(REPLY_MAX);
    struct jsonw w = JSONW_INIT(&out);
    struct image_removal r = {0};

    if (engine_image_remove(rq->engine, rq->arg[0], query_bool(rq, "force", false),
                            query_bool(rq, "noprune", false), rq->by, &r, e))
        return -1;
    jsonw_arr(&w);
    write_removal(&w, &r);
    jsonw_end_arr(&w);
    image_removal_release(&r);
    return res_json(rq, 200, &out, e);
}

/* ------------------------------------------------------------------- prune */

/* An image that a container uses is never pruned, whatever the filters say. */
static void prune(struct image_query *q, bool dangling_only, struct jsonw *w, size_t *n,
                  int64_t *bytes)
{
    for (size_t k = 0; k < q->images.n; k++) {
        const struct image *i = q->images.v[k];
        struct image_removal r = {0};

        if (image_users(&q->containers, i->id) > 0 || !image_matches(q, i, true, dangling_only))
            continue;
        if (engine_image_remove(q->rq->engine, i->id, true, false, q->rq->by, &r, ERR_IGNORE))
            continue;
        if ((*n)++ == 0)
            jsonw_arr(w);
        write_removal(w, &r);
        *bytes += i->size;
        image_removal_release(&r);
    }
}

static int prune_all(struct image_query *q, struct jsonw *w, struct err *e)
{
    static const char *const allowed[] = {"dangling", "label", "label!", "until", NULL};
    bool dangling_only = true;
    int64_t bytes = 0;
    size_t n = 0;

    if (filters_parse(query_get(q->rq, "filters"), &q->f, e) || filters_check(&q->f, allowed, e) ||
        filters_bool(&q->f, "dangling", &dangling_only, e) ||
        filters_until(&q->f, &q->until_ns, &q->has_until, e))
        return -1;
    images_list(engine_images(q->rq->engine), &q->images);
    containers_list(q->rq->engine, &q->containers);
    jsonw_obj(w);
    jsonw_key(w, "ImagesDeleted");
    prune(q, dangling_only, w, &n, &bytes);
    if (n)
        jsonw_end_arr(w);
    else
        jsonw_null(w);
    jsonw_ki64(w, "SpaceReclaimed", bytes);
    jsonw_end_obj(w);
    return 0;
}

int image_prune(struct request *rq, struct err *e)
{
    cleanup_buf struct buf out = BUF_INIT(REPLY_MAX);
    struct jsonw w = JSONW_INIT(&out);
    struct image_query q = {.rq = rq};
    int rc = prune_all(&q, &w, e);

    filters_release(&q.f);
    image_list_release(&q.images);
    container_list_release(&q.containers);
    return rc ? -1 : res_json(rq, 200, &out, e);
}
