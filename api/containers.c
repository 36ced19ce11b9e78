/* containers: what changes a container's life, and inspect. */
#include <string.h>

#include "api/api.h"
#include "api/filters.h"
#include "api/handlers.h"
#include "base/cancel.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"
#include "reconciler/engine.h"

struct codec codec_of(const struct request *rq)
{
    const struct engine_config *ec = engine_config(rq->engine);

    return (struct codec){
        .engine = rq->engine,
        .version = rq->version,
        .now_ns = time_wall_ns(),
        .root_dir = rq->cfg->root_dir,
        .exec_root = ec ? ec->exec_root : "",
    };
}

/* ------------------------------------------------------------------ create */

static int reply_created(struct request *rq, const char *id, const struct strv *warnings,
                         struct err *e)
{
    cleanup_buf struct buf out = BUF_INIT(REPLY_MAX);
    struct jsonw w = JSONW_INIT(&out);

    jsonw_obj(&w);
    jsonw_kstr(&w, "Id", id);
    jsonw_key(&w, "Warnings");
    jsonw_strv(&w, warnings);
    jsonw_end_obj(&w);
    return res_json(rq, 201, &out, e);
}

int container_create_one(struct request *rq, struct err *e)
{
    cleanup_json struct json_doc doc = {0};
    cleanup_spec struct container_spec *spec = NULL;
    cleanup_strv struct strv warnings = {0};
    cleanup_free char *id = NULL;
    const char *name = query_str(rq, "name"), *platform = query_str(rq, "platform");
    struct container_create make = {.by = rq->by};
    struct json body;

    if (request_json(rq, true, &doc, e))
        return -1;
    body = json_root(&doc);
    spec = container_spec_new();
    if (container_spec_decode(&body, spec, e))
        return -1;
    if (name[0] == '/')
        name++;
    make.name = *name ? name : NULL;
    make.platform = *platform ? platform : NULL;
    make.spec = spec;
    if (containers_create(rq->engine, &make, &id, &warnings, e))
        return -1;
    if (!str_empty(json_get_str(&body, "MacAddress")) && request_shape(rq, SHAPE_ENDPOINT_MAC))
        strv_add(&warnings, "The container-wide MacAddress field is now deprecated. It should be "
                            "specified in EndpointsConfig instead.");
    return reply_created(rq, id, &warnings, e);
}

int container_inspect(struct request *rq, struct err *e)
{
    cleanup_buf struct buf out = BUF_INIT(REPLY_MAX);
    cleanup_container struct container *c = NULL;
    struct jsonw w = JSONW_INIT(&out);
    struct codec k = codec_of(rq);

    k.size = query_bool(rq, "size", false);
    if (containers_find(rq->engine, rq->arg[0], &c, e))
        return -1;
    container_write_inspect(&w, &k, c);
    return res_json(rq, 200, &out, e);
}

/* ------------------------------------------------------------- start, stop */

/*
 * A command that cannot be executed is the caller's mistake, whatever kind the runtime has for it
 * (its exit codes 126 and 127): dockerd gives 400 for all of these.
 */
void start_error(struct err *e)
{
    static const char *const texts[] = {
        "executable file not found", "no such file or directory",
        "permission denied",         "is a directory",
        "not a directory",           "exec format error",
    };

    if (!strstr(e->msg, "unable to start container process: exec: "))
        return;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (strstr(e->msg, texts[i]))
            e->kind = ERR_INVALID;
}

int container_start(struct request *rq, struct err *e)
{
    if (rq->head->body == HTTP_BODY_CHUNKED ||
        (rq->head->body == HTTP_BODY_LENGTH && rq->head->length > 7))
        return err_set(e, ERR_INVALID,
                       "starting container with non-empty request body was deprecated since API "
                       "v1.22 and removed in v1.24");
    if (containers_start(rq->engine, rq->arg[0], rq->by, rq->cancel, e)) {
        start_error(e);
        return -1;
    }
    return res_empty(rq, 204, e);
}

static int stop_args(const struct request *rq, const char **signal, int64_t *timeout_s,
                     struct err *e)
{
    *signal = request_shape(rq, SHAPE_STOP_SIGNAL) ? query_get(rq, "signal") : NULL;
    if (*signal && !**signal)
        *signal = NULL;
    *timeout_s = -2;
    if (query_int(rq, "t", timeout_s, e))
        return -1;
    if (*query_str(rq, "t") && *timeout_s < 0)
        *timeout_s = -1;
    return 0;
}

int container_stop(struct request *rq, struct err *e)
{
    const char *signal;
    int64_t timeout_s;

    if (stop_args(rq, &signal, &timeout_s, e) ||
        containers_stop(rq->engine, rq->arg[0], signal, timeout_s, rq->by, rq->cancel, e))
        return -1;
    return res_empty(rq, 204, e);
}

int container_restart(struct request *rq, struct err *e)
{
    const char *signal;
    int64_t timeout_s;

    if (stop_args(rq, &signal, &timeout_s, e) ||
        containers_restart(rq->engine, rq->arg[0], signal, timeout_s, rq->by, rq->cancel, e))
        return -1;
    return res_empty(rq, 204, e);
}

int container_kill(struct request *rq, struct err *e)
{
    const char *signal = query_str(rq, "signal");
    int number;

    if (*signal && signal_parse(signal, &number, ERR_IGNORE))
        return err_set(e, ERR_INVALID, "cannot kill container: %s: invalid signal: %s", rq->arg[0],
                       signal);
    if (containers_kill(rq->engine, rq->arg[0], *signal ? signal : NULL, rq->by, e))
        return -1;
    return res_empty(rq, 204, e);
}

int container_pause(struct request *rq, struct err *e)
{
    if (containers_pause(rq->engine, rq->arg[0], true, rq->by, rq->cancel, e))
        return -1;
    return res_empty(rq, 204, e);
}

int container_unpause(struct request *rq, struct err *e)
{
    if (containers_pause(rq->engine, rq->arg[0], false, rq->by, rq->cancel, e))
        return -1;
    return res_empty(rq, 204, e);
}

int container_rename(struct request *rq, struct err *e)
{
    if (containers_rename(rq->engine, rq->arg[0], query_str(rq, "name"), rq->by, e))
        return -1;
    return res_empty(rq, 204, e);
}

int container_remove(struct request *rq, struct err *e)
{
    cleanup_container struct container *c = NULL;

    /* Links have no names of their own here, so what is named is a container. */
    if (query_bool(rq, "link", false)) {
        if (containers_find(rq->engine, rq->arg[0], &c, e))
            return -1;
        return err_set(e, ERR_INTERNAL,
                       "Conflict, cannot remove the default link name of the container");
    }
    if (containers_remove(rq->engine, rq->arg[0], query_bool(rq, "force", false),
                          query_bool(rq, "v", false), rq->by, rq->cancel, e))
        return -1;
    return res_empty(rq, 204, e);
}

/* -------------------------------------------------------------------- wait */

static int wait_condition(const char *text, enum wait_condition *out, struct err *e)
{
    static const struct {
        const char *name;
        enum wait_condition cond;
    } rows[] = {
        {"",            WAIT_NOT_RUNNING},
        {"not-running", WAIT_NOT_RUNNING},
        {"next-exit",   WAIT_NEXT_EXIT  },
        {"removed",     WAIT_REMOVED    },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (strcmp(rows[i].name, text) == 0) {
            *out = rows[i].cond;
            return 0;
        }
    return err_set(e, ERR_INVALID, "invalid condition: \"%s\"", text);
}

/*
 * dockerd's "Error" is about a removal that failed.  That of a start is not repeated here: the CLI
 * would report it twice.
 */
static int write_exit(struct request *rq, int exit_code, struct err *e)
{
    cleanup_buf struct buf out = BUF_INIT(REPLY_MAX);
    struct jsonw w = JSONW_INIT(&out);

    jsonw_obj(&w);
    jsonw_ki64(&w, "StatusCode", exit_code);
    jsonw_end_obj(&w);
    buf_add(&out, "\n", 1);
    return res_write(rq, out.data, out.len, e);
}

/* The head goes out before the waiting: clients start the container only when they have seen it. */
int container_wait_exit(struct request *rq, struct err *e)
{
    cleanup_free char *error = NULL;
    struct container_wait *wait;
    enum wait_condition cond;
    int exit_code = 0;

    if (wait_condition(query_str(rq, "condition"), &cond, e) ||
        containers_wait_begin(rq->engine, rq->arg[0], cond, &wait, e))
        return -1;
    if (res_stream(rq, 200, "application/json", e) || request_watch(rq, e)) {
        cancel_fire(rq->cancel);
        if (!containers_wait_end(wait, rq->cancel, &exit_code, &error, ERR_IGNORE))
            log_debug("a wait ended before its answer began", NULL);
        return -1;
    }
    if (containers_wait_end(wait, rq->cancel, &exit_code, &error, e))
        return -1;
    return write_exit(rq, exit_code, e);
}

/* ------------------------------------------------------------ list, prune */

int container_list_all(struct request *rq, struct err *e)
{
    cleanup_buf struct buf out = BUF_INIT(REPLY_MAX);

    if (container_list_write(rq, &out, e))
        return -1;
    return res_json(rq, 200, &out, e);
}

bool owned_by_app(const struct strv *apps, const char *app)
{
    return !str_empty(app) && strv_has(apps, app);
}

static bool may_prune(const struct container *c, const struct filters *f, const struct strv *apps,
                      bool has_until, int64_t until)
{
    if (container_is_running(c) || c->state.status == STATUS_REMOVING || owned_by_app(apps, c->app))
        return false;
    if (has_until && c->created_ns > until)
        return false;
    return filters_labels(f, "label", &c->spec->labels) &&
           filters_no_labels(f, "label!", &c->spec->labels);
}

/* What an app owns is not pruned: it would only come back. */
static int prune(struct request *rq, const struct filters *f, struct strv *gone, int64_t *bytes,
                 struct err *e)
{
    cleanup_strv struct strv apps = {0};
    struct container_list list = {0};
    bool has_until;
    int64_t until;

    if (filters_until(f, &until, &has_until, e))
        return -1;
    apps_names(rq->engine, &apps);
    containers_list(rq->engine, &list);
    for (size_t i = 0; i < list.n; i++) {
        const struct container *c = list.v[i];
        int64_t size, whole;

        if (!may_prune(c, f, &apps, has_until, until))
            continue;
        if (container_sizes(rq->engine, c->id, &size, &whole, ERR_IGNORE))
            size = 0;
        /* One that has been started meanwhile stays. */
        if (containers_remove(rq->engine, c->id, false, false, rq->by, rq->cancel, ERR_IGNORE))
            continue;
        strv_add(gone, c->id);
        *bytes += size;
    }
    container_list_release(&list);
    return 0;
}

int container_prune(struct request *rq, struct err *e)
{
    static const char *const allowed[] = {"label", "label!", "until", NULL};
    cleanup_buf struct buf out = BUF_INIT(REPLY_MAX);
    cleanup_filters struct filters f = {0};
    cleanup_strv struct strv gone = {0};
    struct jsonw w = JSONW_INIT(&out);
    int64_t bytes = 0;
    struct event ev;

    if (filters_parse(query_get(rq, "filters"), &f, e) || filters_check(&f, allowed, e) ||
        prune(rq, &f, &gone, &bytes, e))
        return -1;
    event_init(&ev, "container", "prune", "");
    kvs_setf(&ev.attributes, "reclaimed", "%lld", (long long)bytes);
    engine_event(rq->engine, &ev);
    jsonw_obj(&w);
    jsonw_kstrv_or_null(&w, "ContainersDeleted", &gone);
    jsonw_ki64(&w, "SpaceReclaimed", bytes);
    jsonw_end_obj(&w);
    return res_json(rq, 200, &out, e);
}
