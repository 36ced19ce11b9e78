/*
 * containers_list: /containers/json: which containers, in which order, under which name of their
 * image.
 *
 * The filters follow moby's daemon/list.go; whatever needs a look-up (ancestor, before, since) is
 * looked up once, before the walk.
 */
#include <string.h>

#include "api/filters.h"
#include "api/handlers.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/time.h"
#include "images/reference.h"
#include "reconciler/engine.h"

static const char *const allowed[] = {
    "ancestor", "before", "exited", "id",      "isolation", "label",   "name",   "status",
    "health",   "since",  "volume", "network", "is-task",   "publish", "expose", NULL,
};

struct port_range {
    uint16_t first, last;
    enum proto proto;
};

struct list_query {
    struct request *rq;
    struct filters f;
    bool all, nothing;
    int64_t limit; /* <= 0: none */
    int64_t before_ns, since_ns;
    bool has_before, has_since, has_ancestor;
    struct strv ancestors; /* image IDs */
    struct port_range publish[16], expose[16];
    size_t n_publish, n_expose;
};

/* ----------------------------------------------------------- understanding */

static int check_status(const struct filters *f, struct err *e)
{
    const struct filter *x = filters_find(f, "status");
    enum container_status s;

    for (size_t i = 0; x && i < x->n; i++)
        if (container_status_parse(x->v[i].text, &s))
            return err_set(e, ERR_INVALID,
                           "invalid filter 'status=%s': invalid value for state (%s): must be one "
                           "of created, running, paused, restarting, removing, exited, dead",
                           x->v[i].text, x->v[i].text);
    return 0;
}

static int check_health(const struct filters *f, struct err *e)
{
    static const char *const known[] = {"none", "starting", "healthy", "unhealthy"};
    const struct filter *x = filters_find(f, "health");

    for (size_t i = 0; x && i < x->n; i++) {
        bool ok = false;

        for (size_t k = 0; k < ARRAY_LEN(known); k++)
            ok = ok || str_eq(known[k], x->v[i].text);
        if (!ok)
            return err_set(e, ERR_INVALID,
                           "invalid filter 'health=%s': invalid value for health (%s): must be one "
                           "of none, starting, healthy, unhealthy",
                           x->v[i].text, x->v[i].text);
    }
    return 0;
}

static int check_exited(const struct filters *f, struct err *e)
{
    const struct filter *x = filters_find(f, "exited");
    int64_t code;

    for (size_t i = 0; x && i < x->n; i++)
        if (parse_i64(x->v[i].text, INT32_MIN, INT32_MAX, "exit code", &code, ERR_IGNORE))
            return err_set(e, ERR_INVALID,
                           "invalid filter 'exited=%s': strconv.Atoi: parsing \"%s\": invalid "
                           "syntax",
                           x->v[i].text, x->v[i].text);
    return 0;
}

static int find_created(struct list_query *q, const char *key, int64_t *out, bool *has,
                        struct err *e)
{
    const struct filter *x = filters_find(&q->f, key);

    *has = x != NULL;
    for (size_t i = 0; x && i < x->n; i++) {
        cleanup_container struct container *c = NULL;

        if (containers_find(q->rq->engine, x->v[i].text, &c, e))
            return -1;
        *out = c->created_ns;
    }
    return 0;
}

/* An unknown ancestor has no descendants, which is no error. */
static void find_ancestors(struct list_query *q)
{
    const struct filter *x = filters_find(&q->f, "ancestor");
    struct image_list all = {0};

    q->has_ancestor = x != NULL;
    if (!x)
        return;
    for (size_t i = 0; i < x->n; i++) {
        cleanup_image struct image *image = NULL;

        if (!images_find(engine_images(q->rq->engine), x->v[i].text, &image, ERR_IGNORE))
            strv_add(&q->ancestors, image->id);
    }
    /* Descendants: images whose parents lead here.  Parents come from local builds only. */
    images_list(engine_images(q->rq->engine), &all);
    for (size_t changed = 1; changed;) {
        changed = 0;
        for (size_t i = 0; i < all.n; i++)
            if (!str_empty(all.v[i]->parent) && strv_has(&q->ancestors, all.v[i]->parent) &&
                !strv_has(&q->ancestors, all.v[i]->id)) {
                strv_add(&q->ancestors, all.v[i]->id);
                changed = 1;
            }
    }
    image_list_release(&all);
}

static bool digits_only(const char *text)
{
    size_t n = strcspn(text, "/");

    return n > 0 && strspn(text, "0123456789") == n;
}

static int parse_ports(const struct filters *f, const char *key, struct port_range *out, size_t *n,
                       struct err *e)
{
    const struct filter *x = filters_find(f, key);

    for (size_t i = 0; x && i < x->n; i++) {
        struct port_range r = {0};
        struct err why = ERR_INIT;

        if (i == 16)
            return err_set(e, ERR_INVALID, "too many values of the filter '%s'", key);
        if (port_parse(x->v[i].text, &r.first, &r.last, &r.proto, &why))
            return err_set(e, ERR_INTERNAL,
                           "error while looking up for %s %s: strconv.ParseUint: parsing \"%.*s\": "
                           "%s",
                           key, x->v[i].text, (int)strcspn(x->v[i].text, "/"), x->v[i].text,
                           digits_only(x->v[i].text) ? "value out of range" : "invalid syntax");
        out[(*n)++] = r;
    }
    return 0;
}

static int understand(struct list_query *q, struct err *e)
{
    const struct request *rq = q->rq;
    bool is_task = false;

    if (query_int(rq, "limit", &q->limit, e) || filters_parse(query_get(rq, "filters"), &q->f, e) ||
        filters_check(&q->f, allowed, e) || check_status(&q->f, e) || check_health(&q->f, e) ||
        check_exited(&q->f, e) || filters_bool(&q->f, "is-task", &is_task, e) ||
        find_created(q, "before", &q->before_ns, &q->has_before, e) ||
        find_created(q, "since", &q->since_ns, &q->has_since, e) ||
        parse_ports(&q->f, "publish", q->publish, &q->n_publish, e) ||
        parse_ports(&q->f, "expose", q->expose, &q->n_expose, e))
        return -1;
    q->nothing = is_task; /* swarm's tasks: there are none */
    q->all = query_bool(rq, "all", false) || q->limit > 0 || filters_has(&q->f, "status");
    find_ancestors(q);
    return 0;
}

/* ---------------------------------------------------------------- matching */

static bool in_ranges(const struct port_range *v, size_t n, uint16_t port, enum proto proto)
{
    for (size_t i = 0; i < n; i++)
        if (v[i].first <= port && port <= v[i].last && v[i].proto == proto)
            return true;
    return false;
}

static bool ports_match(const struct list_query *q, const struct container *c)
{
    bool published = q->n_publish == 0, exposed = q->n_expose == 0;

    for (size_t i = 0; i < c->state.n_ports; i++)
        published = published || in_ranges(q->publish, q->n_publish, c->state.ports[i].host_port,
                                           c->state.ports[i].proto);
    for (size_t i = 0; i < c->spec->n_exposed; i++)
        exposed = exposed || in_ranges(q->expose, q->n_expose, c->spec->exposed[i].port,
                                       c->spec->exposed[i].proto);
    return published && exposed;
}

static bool id_matches(const struct filters *f, const struct container *c)
{
    return !filters_has_value(f, "id", "") && filters_prefix(f, "id", c->id);
}

static bool name_matches(const struct filters *f, const struct container *c)
{
    cleanup_free char *slashed = NULL;

    if (!filters_has(f, "name"))
        return true;
    slashed = str_printf("/%s", c->name);
    return filters_match(f, "name", c->name) || filters_match(f, "name", slashed);
}

static bool volume_matches(const struct filters *f, const struct container *c)
{
    if (!filters_has(f, "volume"))
        return true;
    for (size_t i = 0; i < c->spec->n_mounts; i++) {
        const struct mount_spec *m = &c->spec->mounts[i];

        if (filters_has_value(f, "volume", m->target) ||
            filters_has_value(f, "volume", m->source ? m->source : ""))
            return true;
    }
    return false;
}

static bool network_matches(const struct filters *f, const struct container *c)
{
    cleanup_strv struct strv names = {0}, ids = {0};
    const struct filter *x = filters_find(f, "network");

    if (!x)
        return true;
    container_networks(c, &names, &ids);
    for (size_t i = 0; i < names.n; i++) {
        if (filters_has_value(f, "network", names.v[i]))
            return true;
        for (size_t k = 0; k < x->n && *ids.v[i]; k++)
            if (*x->v[k].text && str_starts(ids.v[i], x->v[k].text))
                return true;
    }
    return false;
}

static bool exited_matches(const struct filters *f, const struct container *c)
{
    char code[16];

    if (!filters_has(f, "exited"))
        return true;
    snprintf(code, sizeof(code), "%d", c->state.exit_code);
    return filters_has_value(f, "exited", code) && !container_is_running(c) &&
           c->state.started_ns != TIME_ZERO;
}

static bool matches(const struct list_query *q, const struct container *c)
{
    const struct filters *f = &q->f;

    if (q->nothing || (!q->all && !container_is_running(c)))
        return false;
    if ((q->has_before && c->created_ns >= q->before_ns) ||
        (q->has_since && c->created_ns <= q->since_ns))
        return false;
    if (q->has_ancestor && !strv_has(&q->ancestors, c->image_id))
        return false;
    return id_matches(f, c) && name_matches(f, c) && filters_labels(f, "label", &c->spec->labels) &&
           filters_exact(f, "status", container_status_name(c->state.status)) &&
           filters_exact(f, "health", str_empty(c->state.health) ? "none" : c->state.health) &&
           exited_matches(f, c) && volume_matches(f, c) && network_matches(f, c) &&
           ports_match(q, c);
}

/* ----------------------------------------------------------------- writing */

/*
 * The name as typed while it still means the same image, else the ID.  Looked up once per name:
 * many containers share few images.
 */
static const char *image_name(struct list_query *q, struct map *ids, const struct container *c)
{
    const char *typed = c->spec->image ? c->spec->image : "";
    const char *id = map_get(ids, typed);

    if (!id) {
        cleanup_image struct image *image = NULL;
        bool known = !images_find(engine_images(q->rq->engine), typed, &image, ERR_IGNORE);

        map_put(ids, typed, xstrdup(known ? image->id : ""));
        id = map_get(ids, typed);
    }
    return strcmp(id, c->image_id) == 0 ? typed : c->image_id;
}

static void write_list(struct list_query *q, struct buf *out)
{
    struct container_list list = {0};
    struct map ids = MAP_INIT(free);
    struct jsonw w = JSONW_INIT(out);
    struct codec k = codec_of(q->rq);
    int64_t n = 0;

    k.size = query_bool(q->rq, "size", false);
    containers_list(q->rq->engine, &list);
    jsonw_arr(&w);
    for (size_t i = 0; i < list.n && (q->limit <= 0 || n < q->limit); i++)
        if (matches(q, list.v[i])) {
            container_write_summary(&w, &k, list.v[i], image_name(q, &ids, list.v[i]));
            n++;
        }
    jsonw_end_arr(&w);
    map_release(&ids);
    container_list_release(&list);
}

int container_list_write(struct request *rq, struct buf *out, struct err *e)
{
    struct list_query q = {.rq = rq};
    int rc = understand(&q, e);

    if (!rc)
        write_list(&q, out);
    filters_release(&q.f);
    strv_release(&q.ancestors);
    return rc;
}
