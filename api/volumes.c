/* volumes: list, inspect, create, remove, prune. */
#include "api/filters.h"
#include "api/handlers.h"
#include "base/fs.h"
#include "base/mem.h"
#include "reconciler/engine.h"

#define ANONYMOUS_LABEL "com.docker.volume.anonymous"

static bool is_used(struct request *rq, const struct volume *v)
{
    cleanup_strv struct strv users = {0};

    volumes_users(rq->engine, v->name, &users);
    return users.n > 0;
}

/* -------------------------------------------------------------------- list */

static int write_list(struct request *rq, const struct filters *f, struct jsonw *w,
                      struct strv *warnings, struct err *e)
{
    bool given = filters_has(f, "dangling"), dangling = false;
    struct volume_list list = {0};

    if (filters_bool(f, "dangling", &dangling, e))
        return -1;
    volumes_list_all(rq->engine, &list, warnings);
    jsonw_arr(w);
    for (size_t i = 0; i < list.n; i++) {
        const struct volume *v = list.v[i];

        if (!filters_match(f, "name", v->name) ||
            !filters_exact(f, "driver", str_empty(v->driver) ? "local" : v->driver) ||
            !filters_labels(f, "label", &v->labels) || (given && dangling == is_used(rq, v)))
            continue;
        volume_write(w, v, -1, 0);
    }
    jsonw_end_arr(w);
    volume_list_release(&list);
    return 0;
}

int volume_list_all(struct request *rq, struct err *e)
{
    static const char *const allowed[] = {"dangling", "driver", "label", "name", NULL};
    cleanup_buf struct buf out = BUF_INIT(REPLY_MAX);
    cleanup_filters struct filters f = {0};
    cleanup_strv struct strv warnings = {0};
    struct jsonw w = JSONW_INIT(&out);

    if (filters_parse(query_get(rq, "filters"), &f, e) || filters_check(&f, allowed, e))
        return -1;
    jsonw_obj(&w);
    jsonw_key(&w, "Volumes");
    if (write_list(rq, &f, &w, &warnings, e))
        return -1;
    jsonw_kstrv_or_null(&w, "Warnings", &warnings);
    jsonw_end_obj(&w);
    return res_json(rq, 200, &out, e);
}

static int reply_volume(struct request *rq, int status, const struct volume *v, struct err *e)
{
    cleanup_buf struct buf out = BUF_INIT(REPLY_MAX);
    struct jsonw w = JSONW_INIT(&out);

    volume_write(&w, v, -1, 0);
    return res_json(rq, status, &out, e);
}

int volume_inspect(struct request *rq, struct err *e)
{
    cleanup_volume struct volume *v = NULL;

    if (volumes_inspect(rq->engine, rq->arg[0], &v, e))
        return -1;
    return reply_volume(rq, 200, v, e);
}

/* ---------------------------------------------------------- create, remove */

int volume_create(struct request *rq, struct err *e)
{
    cleanup_volume struct volume *wanted = NULL, *made = NULL;
    cleanup_json struct json_doc doc = {0};
    struct json body;

    if (request_json(rq, false, &doc, e))
        return -1;
    body = json_root(&doc);
    wanted = volume_new();
    if (volume_decode(&body, wanted, e) ||
        volumes_create(rq->engine, take_ptr(wanted), rq->by, &made, e))
        return -1;
    return reply_volume(rq, 201, made, e);
}

int volume_remove(struct request *rq, struct err *e)
{
    if (volumes_remove(rq->engine, rq->arg[0], query_bool(rq, "force", false), rq->by, e))
        return -1;
    return res_empty(rq, 204, e);
}

/* ------------------------------------------------------------------- prune */

/* What is on another file system, or a plugin's, is neither measured nor pruned, as dockerd has it.
 */
bool volume_is_plain(const struct volume *v)
{
    return str_eq(v->driver, "local") && v->options.n == 0;
}

/* Since API 1.42 named volumes are spared unless all=true, and plugins' always; an app's volume
 * holds its data. */
static bool may_prune(struct request *rq, const struct volume *v, const struct filters *f,
                      const struct strv *apps, bool all)
{
    if (!volume_is_plain(v) || owned_by_app(apps, v->app) || is_used(rq, v))
        return false;
    if (!all && !v->anonymous && !kvs_get(&v->labels, ANONYMOUS_LABEL))
        return false;
    return filters_labels(f, "label", &v->labels) && filters_no_labels(f, "label!", &v->labels);
}

static int prune(struct request *rq, const struct filters *f, struct strv *gone, int64_t *bytes,
                 struct err *e)
{
    bool all = !request_shape(rq, SHAPE_PRUNE_ANONYMOUS);
    cleanup_strv struct strv apps = {0};
    struct volume_list list = {0};
    struct event ev;

    if (filters_bool(f, "all", &all, e))
        return -1;
    apps_names(rq->engine, &apps);
    volumes_list(rq->engine, &list);
    for (size_t i = 0; i < list.n; i++) {
        const struct volume *v = list.v[i];
        int64_t size = 0;

        if (!may_prune(rq, v, f, &apps, all))
            continue;
        if (!v->mountpoint || fs_tree_size(v->mountpoint, &size, ERR_IGNORE))
            size = 0;
        if (volumes_remove(rq->engine, v->name, false, rq->by, ERR_IGNORE))
            continue;
        strv_add(gone, v->name);
        *bytes += size;
    }
    volume_list_release(&list);
    event_init(&ev, "volume", "prune", "");
    kvs_setf(&ev.attributes, "reclaimed", "%lld", (long long)*bytes);
    engine_event(rq->engine, &ev);
    return 0;
}

int volume_prune(struct request *rq, struct err *e)
{
    static const char *const allowed[] = {"label", "label!", "all", NULL};
    cleanup_buf struct buf out = BUF_INIT(REPLY_MAX);
    cleanup_filters struct filters f = {0};
    cleanup_strv struct strv gone = {0};
    struct jsonw w = JSONW_INIT(&out);
    int64_t bytes = 0;

    if (filters_parse(query_get(rq, "filters"), &f, e) || filters_check(&f, allowed, e) ||
        prune(rq, &f, &gone, &bytes, e))
        return -1;
    jsonw_obj(&w);
    jsonw_key(&w, "VolumesDeleted");
    jsonw_strv(&w, &gone);
    jsonw_ki64(&w, "SpaceReclaimed", bytes);
    jsonw_end_obj(&w);
    return res_json(rq, 200, &out, e);
}
