/* networks: list, inspect, create, remove, prune. */
#include <string.h>

#include "api/filters.h"
#include "api/handlers.h"
#include "base/mem.h"
#include "reconciler/engine.h"

/* Who is on it now, whether running or holding its address. */
static bool is_used(const struct network *n, const struct container_list *containers)
{
    for (size_t i = 0; i < containers->n; i++)
        for (size_t k = 0; k < containers->v[i]->state.n_endpoints; k++)
            if (str_eq(containers->v[i]->state.endpoints[k].network_id, n->id) &&
                !str_empty(containers->v[i]->state.endpoints[k].id))
                return true;
    return false;
}

/* -------------------------------------------------------------------- list */

static int check_type(const struct filters *f, struct err *e)
{
    const struct filter *x = filters_find(f, "type");

    for (size_t i = 0; x && i < x->n; i++)
        if (!str_eq(x->v[i].text, "builtin") && !str_eq(x->v[i].text, "custom"))
            return err_set(e, ERR_INTERNAL, "invalid filter: 'type'='%s'", x->v[i].text);
    return 0;
}

static int read_dangling(const struct filters *f, bool *given, bool *want, struct err *e)
{
    *given = filters_has(f, "dangling");
    if (!filters_bool(f, "dangling", want, ERR_IGNORE))
        return 0;
    return err_set(e, ERR_INVALID,
                   "invalid value for filter 'dangling', must be \"true\" (or \"1\"), or \"false\" "
                   "(or \"0\")");
}

static bool network_matches(const struct filters *f, const struct network *n)
{
    return filters_exact(f, "driver", n->driver) && filters_match(f, "name", n->name) &&
           filters_match(f, "id", n->id) && filters_labels(f, "label", &n->labels) &&
           filters_exact(f, "scope", str_empty(n->scope) ? "local" : n->scope) &&
           filters_exact(f, "type", n->predefined ? "builtin" : "custom");
}

static int write_list(struct request *rq, const struct filters *f, struct jsonw *w, struct err *e)
{
    struct container_list containers = {0};
    struct network_list list = {0};
    bool dangling_given, dangling = false;

    if (check_type(f, e) || read_dangling(f, &dangling_given, &dangling, e))
        return -1;
    networks_list(rq->engine, &list);
    if (dangling_given)
        containers_list(rq->engine, &containers);
    jsonw_arr(w);
    for (size_t i = 0; i < list.n; i++) {
        const struct network *n = list.v[i];

        if (!network_matches(f, n))
            continue;
        if (dangling_given && dangling != (!n->predefined && !is_used(n, &containers)))
            continue;
        network_write(w, n, NULL);
    }
    jsonw_end_arr(w);
    network_list_release(&list);
    container_list_release(&containers);
    return 0;
}

int network_list_all(struct request *rq, struct err *e)
{
    static const char *const allowed[] = {"dangling", "driver", "id",   "label",
                                          "name",     "scope",  "type", NULL};
    cleanup_buf struct buf out = BUF_INIT(REPLY_MAX);
    cleanup_filters struct filters f = {0};
    struct jsonw w = JSONW_INIT(&out);

    if (filters_parse(query_get(rq, "filters"), &f, e) || filters_check(&f, allowed, e) ||
        write_list(rq, &f, &w, e))
        return -1;
    return res_json(rq, 200, &out, e);
}

int network_inspect(struct request *rq, struct err *e)
{
    cleanup_buf struct buf out = BUF_INIT(REPLY_MAX);
    cleanup_network struct network *n = NULL;
    struct container_list containers = {0};
    struct jsonw w = JSONW_INIT(&out);

    if (networks_find(rq->engine, rq->arg[0], &n, e))
        return -1;
    containers_list(rq->engine, &containers);
    network_write(&w, n, &containers);
    container_list_release(&containers);
    return res_json(rq, 200, &out, e);
}

/* ---------------------------------------------------------- create, remove */

int network_create(struct request *rq, struct err *e)
{
    cleanup_buf struct buf out = BUF_INIT(REPLY_MAX);
    cleanup_json struct json_doc doc = {0};
    cleanup_network struct network *n = NULL;
    struct jsonw w = JSONW_INIT(&out);
    cleanup_free char *id = NULL;
    struct json body;

    if (request_json(rq, false, &doc, e))
        return -1;
    body = json_root(&doc);
    n = network_new();
    if (network_decode(&body, n, e))
        return -1;
    if (str_empty(n->name))
        return err_set(e, ERR_INVALID, "invalid name: name is empty");
    if (networks_create(rq->engine, take_ptr(n), rq->by, rq->cancel, &id, e))
        return -1;
    jsonw_obj(&w);
    jsonw_kstr(&w, "Id", id);
    jsonw_kstr(&w, "Warning", "");
    jsonw_end_obj(&w);
    return res_json(rq, 201, &out, e);
}

int network_remove(struct request *rq, struct err *e)
{
    if (networks_remove(rq->engine, rq->arg[0], rq->by, rq->cancel, e))
        return -1;
    return res_empty(rq, 204, e);
}

/* ----------------------------------------------------- connect, disconnect */

int network_connect(struct request *rq, struct err *e)
{
    cleanup_endpoint struct endpoint_config cfg = {0};
    cleanup_json struct json_doc doc = {0};
    cleanup_free char *container = NULL;
    struct json body, config, name;

    if (request_json(rq, true, &doc, e))
        return -1;
    body = json_root(&doc);
    name = json_get(&body, "Container");
    config = json_get(&body, "EndpointConfig");
    if (json_str(&name, &container, e) || endpoint_config_decode(&config, &cfg, e) ||
        networks_connect(rq->engine, rq->arg[0], container, &cfg, rq->by, rq->cancel, e))
        return -1;
    return res_empty(rq, 200, e);
}

int network_disconnect(struct request *rq, struct err *e)
{
    cleanup_json struct json_doc doc = {0};
    cleanup_free char *container = NULL;
    struct json body, force, name;
    bool forced = false;

    if (request_json(rq, true, &doc, e))
        return -1;
    body = json_root(&doc);
    name = json_get(&body, "Container");
    force = json_get(&body, "Force");
    if (json_str(&name, &container, e) || json_bool(&force, &forced, e) ||
        networks_disconnect(rq->engine, rq->arg[0], container ? container : "", forced, rq->by,
                            rq->cancel, e))
        return -1;
    return res_empty(rq, 200, e);
}

/* ------------------------------------------------------------------- prune */

/* What an app owns would only come back. */
static bool may_prune(const struct network *n, const struct filters *f, const struct strv *apps,
                      const struct container_list *containers, bool has_until, int64_t until)
{
    if (n->predefined || owned_by_app(apps, n->app) || is_used(n, containers))
        return false;
    if (has_until && n->created_ns > until)
        return false;
    return filters_labels(f, "label", &n->labels) && filters_no_labels(f, "label!", &n->labels);
}

static int prune(struct request *rq, const struct filters *f, struct strv *gone, struct err *e)
{
    struct container_list containers = {0};
    cleanup_strv struct strv apps = {0};
    struct network_list list = {0};
    bool has_until;
    int64_t until;

    if (filters_until(f, &until, &has_until, e))
        return -1;
    apps_names(rq->engine, &apps);
    containers_list(rq->engine, &containers);
    networks_list(rq->engine, &list);
    for (size_t i = 0; i < list.n; i++)
        if (may_prune(list.v[i], f, &apps, &containers, has_until, until) &&
            !networks_remove(rq->engine, list.v[i]->id, rq->by, rq->cancel, ERR_IGNORE))
            strv_add(gone, list.v[i]->name);
    network_list_release(&list);
    container_list_release(&containers);
    return 0;
}

int network_prune(struct request *rq, struct err *e)
{
    static const char *const allowed[] = {"label", "label!", "until", NULL};
    cleanup_buf struct buf out = BUF_INIT(REPLY_MAX);
    cleanup_filters struct filters f = {0};
    cleanup_strv struct strv gone = {0};
    struct jsonw w = JSONW_INIT(&out);

    if (filters_parse(query_get(rq, "filters"), &f, e) || filters_check(&f, allowed, e) ||
        prune(rq, &f, &gone, e))
        return -1;
    jsonw_obj(&w);
    jsonw_kstrv_or_null(&w, "NetworksDeleted", &gone);
    jsonw_end_obj(&w);
    return res_json(rq, 200, &out, e);
}
