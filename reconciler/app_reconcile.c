/*
 * app_reconcile: one look at one app.
 *
 * Plan, do what can be done now, and leave: nothing here waits for a container.  A container that
 * reached its goal, or failed to, queues its app again, and the next plan has the next steps.  What
 * has not settled yet is left alone until it has.
 */
#include <string.h>

#include "base/log.h"
#include "reconciler/engine_internal.h"

#define RETRY_FIRST_MS 1000
#define RETRY_MAX_MS   60000

struct app_pass {
    struct engine *g;
    const char *name;
    const struct app *app; /* NULL: it is to go */
    char *by;
    size_t done;      /* operations carried out */
    bool in_progress; /* something has not settled */
    int64_t wait_ms;  /* a pause between failing starts; 0: none */
};

/* ------------------------------------------------------------ operations */

static int op_create_network(struct app_pass *p, const struct plan_op *op, struct err *e)
{
    for (size_t i = 0; i < p->app->n_networks; i++) {
        const struct app_network *n = &p->app->networks[i];
        struct network *wanted;

        if (strcmp(n->net->name, op->resource) != 0)
            continue;
        wanted = network_copy(n->net);
        str_set(&wanted->app, p->name);
        str_set(&wanted->key, n->key);
        return network_make(p->g, wanted, p->by, false, NULL, NULL, e);
    }
    return err_set(e, ERR_INTERNAL, "plan names the network %s, which the app has not",
                   op->resource);
}

static void mark_absent(struct network *copy)
{
    copy->absent = true;
    copy->generation++;
}

static int op_remove_network(struct app_pass *p, const struct plan_op *op, struct err *e)
{
    cleanup_network struct network *net = object_network(p->g, op->object_id);

    if (!net || net->absent) {
        p->in_progress = net != NULL;
        return 0;
    }
    if (network_change(p->g, op->object_id, mark_absent, e))
        return -1;
    queue_network(p->g, op->object_id);
    return 0;
}

static int op_create_volume(struct app_pass *p, const struct plan_op *op, struct err *e)
{
    for (size_t i = 0; i < p->app->n_volumes; i++) {
        const struct app_volume *v = &p->app->volumes[i];
        cleanup_volume struct volume *made = NULL;
        struct volume *wanted;

        if (strcmp(v->vol->name, op->resource) != 0)
            continue;
        wanted = volume_copy(v->vol);
        str_set(&wanted->app, p->name);
        str_set(&wanted->key, v->key);
        return volume_make(p->g, wanted, p->by, &made, e);
    }
    return err_set(e, ERR_INTERNAL, "plan names the volume %s, which the app has not",
                   op->resource);
}

static int quiet_progress(void *arg, const struct progress *pr, struct err *e)
{
    (void)arg;
    (void)pr;
    (void)e;
    return 0;
}

static int ensure_image(struct app_pass *p, const struct app_service *s, struct err *e)
{
    cleanup_image struct image *img = NULL;
    struct pull_request rq = {.ref = s->spec->image};
    struct err missing = ERR_INIT;
    bool changed;

    if (images_find(p->g->im, s->spec->image, &img, &missing) == 0 &&
        strcmp(s->pull_policy, "always") != 0)
        return 0;
    if (strcmp(s->pull_policy, "never") == 0) {
        *e = missing;
        return -1;
    }
    log_info("pulling", "app=%s image=%s", p->name, s->spec->image);
    if (images_pull(p->g->im, &rq, quiet_progress, NULL, p->g->stop, NULL, &changed, e))
        return err_wrap(e, "service %s: pull %s", s->name, s->spec->image);
    return 0;
}

static int op_create_container(struct app_pass *p, const struct plan_op *op, struct err *e)
{
    const struct app_service *s = app_find_service(p->app, op->service);
    struct container_create rq;
    struct strv warnings = {0};
    char *id = NULL;
    int r;

    if (!s)
        return err_set(e, ERR_INTERNAL, "plan names the service %s, which the app has not",
                       op->service);
    rq = (struct container_create){
        .name = op->resource,
        .spec = s->spec,
        .app = p->name,
        .service = s->name,
        .spec_hash = s->hash_d,
        .by = p->by,
    };
    r = containers_create(p->g, &rq, &id, &warnings, e);
    strv_release(&warnings);
    free(id);
    return r ? err_wrap(e, "service %s", s->name) : 0;
}

/* Has the container's worker dealt with the last goal? */
static bool settled(struct app_pass *p, const char *id)
{
    cleanup_container struct container *c = object_container(p->g, id);

    return !c || c->generation <= c->observed_generation;
}

/* A start that failed is tried again, with growing pauses. */
static bool may_start(struct app_pass *p, const char *id)
{
    cleanup_container struct container *c = object_container(p->g, id);
    int64_t now = time_mono_ms();
    struct app_live *a;
    bool may = true;

    if (!c || str_empty(c->state.error))
        return true;
    mutex_lock(&p->g->lock);
    a = map_get(&p->g->apps, p->name);
    if (a && a->retry_at_ms > now) {
        p->wait_ms = a->retry_at_ms - now;
        may = false;
    } else if (a) {
        a->backoff_ms = a->backoff_ms ? a->backoff_ms * 2 : RETRY_FIRST_MS;
        a->backoff_ms = a->backoff_ms > RETRY_MAX_MS ? RETRY_MAX_MS : a->backoff_ms;
        a->retry_at_ms = now + a->backoff_ms;
    }
    mutex_unlock(&p->g->lock);
    return may;
}

static int op_goal(struct app_pass *p, const struct plan_op *op, enum container_goal goal,
                   struct err *e)
{
    struct goal_request rq = {.goal = goal, .keep = true, .by = p->by, .stop_grace_s = -2};
    const struct app_service *s = p->app ? app_find_service(p->app, op->service) : NULL;

    if (s && s->stop_grace_s >= 0)
        rq.stop_grace_s = s->stop_grace_s;
    if (!settled(p, op->object_id)) {
        p->in_progress = true;
        return 0;
    }
    if (goal == GOAL_RUNNING && !may_start(p, op->object_id))
        return 0;
    p->in_progress = true;
    return container_set_goal(p->g, op->object_id, &rq, NULL, NULL, e);
}

static int op_start(struct app_pass *p, const struct plan_op *op, struct err *e)
{
    return op_goal(p, op, GOAL_RUNNING, e);
}

static int op_stop(struct app_pass *p, const struct plan_op *op, struct err *e)
{
    return op_goal(p, op, GOAL_STOPPED, e);
}

static int op_remove(struct app_pass *p, const struct plan_op *op, struct err *e)
{
    return op_goal(p, op, GOAL_ABSENT, e);
}

/* Class A: what the engine alone looks at is taken over; the process does not notice. */
static int take_class_a(struct engine *g, struct container *c, void *arg, struct err *e)
{
    const struct container_spec *s = ((const struct app_service *)arg)->spec;

    (void)g;
    (void)e;
    c->spec->restart = s->restart;
    c->spec->restart_max = s->restart_max;
    c->spec->stop_timeout_s = s->stop_timeout_s;
    str_set(&c->spec->stop_signal, s->stop_signal);
    kvs_copy(&c->spec->labels, &s->labels);
    return 0;
}

static int op_update(struct app_pass *p, const struct plan_op *op, struct err *e)
{
    const struct app_service *s = app_find_service(p->app, op->service);
    cleanup_container struct container *after = NULL;

    if (!s)
        return 0;
    if (container_change(p->g, op->object_id, true, take_class_a, (void *)s, &after, e))
        return -1;
    event_emit_container(p->g, "update", after, p->by);
    return 0;
}

static int op_blocked(struct app_pass *p, const struct plan_op *op, struct err *e)
{
    (void)p;
    (void)op;
    (void)e;
    return 0;
}

static int (*const operations[])(struct app_pass *p, const struct plan_op *op, struct err *e) = {
    [PLAN_CREATE_NETWORK] = op_create_network,
    [PLAN_REMOVE_NETWORK] = op_remove_network,
    [PLAN_CREATE_VOLUME] = op_create_volume,
    [PLAN_CREATE_CONTAINER] = op_create_container,
    [PLAN_START_CONTAINER] = op_start,
    [PLAN_STOP_CONTAINER] = op_stop,
    [PLAN_REMOVE_CONTAINER] = op_remove,
    [PLAN_UPDATE_CONTAINER] = op_update,
    [PLAN_BLOCKED] = op_blocked,
};

/* ------------------------------------------------------------ one pass */

/*
 * Images come first: what runs goes on until the next one can be made.  A service whose image
 * cannot be had is left as it is.
 */
static int fetch_images(struct app_pass *p, const struct plan *plan, struct strv *without,
                        struct err *e)
{
    int r = 0;

    for (size_t i = 0; i < plan->n && p->app; i++) {
        const struct plan_op *op = &plan->ops[i];
        const struct app_service *s =
            op->kind == PLAN_CREATE_CONTAINER ? app_find_service(p->app, op->service) : NULL;

        if (s && ensure_image(p, s, r ? ERR_IGNORE : e)) {
            strv_add(without, s->name);
            r = -1;
        }
    }
    return r;
}

static int do_ready(struct app_pass *p, const struct plan *plan, struct err *e)
{
    cleanup_strv struct strv without = {0};
    int r = fetch_images(p, plan, &without, e);

    for (size_t i = 0; i < plan->n; i++) {
        const struct plan_op *op = &plan->ops[i];

        if (!op->ready || op->kind == PLAN_BLOCKED || strv_has(&without, op->service))
            continue;
        log_debug("app operation", "app=%s op=%s resource=%s cause=%s", p->name,
                  log_quote(plan_op_name(op->kind)), op->resource, log_quote(op->cause));
        /* One service that cannot be made does not hold up the others. */
        if (operations[op->kind](p, op, r ? ERR_IGNORE : e))
            r = -1;
        else
            p->done++;
    }
    return r;
}

static void note_error(struct engine *g, const char *name, const struct err *e, int64_t *again_ms)
{
    struct app_live *a;
    bool news = false;

    mutex_lock(&g->lock);
    a = map_get(&g->apps, name);
    if (a && e) {
        news = !a->error || strcmp(a->error, e->msg) != 0;
        if (news) {
            str_set(&a->error, e->msg);
            a->error_since_ns = time_wall_ns();
        }
        a->was_ready = false;
        a->backoff_ms = a->backoff_ms ? a->backoff_ms * 2 : RETRY_FIRST_MS;
        a->backoff_ms = a->backoff_ms > RETRY_MAX_MS ? RETRY_MAX_MS : a->backoff_ms;
        *again_ms = a->backoff_ms;
    } else if (a) {
        str_set(&a->error, NULL);
    }
    mutex_unlock(&g->lock);
    if (news) {
        struct event ev;

        log_warn("app is not as it should be, will try again", "app=%s error=%s", name,
                 log_quote(e->msg));
        event_init(&ev, "app", "error", name);
        kvs_set(&ev.attributes, "message", e->msg);
        engine_event(g, &ev);
    }
}

static int forget(struct engine *g, const char *name, struct err *e)
{
    struct event ev;

    mutex_lock(&g->store);
    if (state_app_delete(g->st, name, e)) {
        mutex_unlock(&g->store);
        return -1;
    }
    mutex_lock(&g->lock);
    map_del(&g->apps, name);
    mutex_unlock(&g->lock);
    mutex_unlock(&g->store);
    event_init(&ev, "app", "removed", name);
    engine_event(g, &ev);
    log_info("app is gone", "app=%s", name);
    return 0;
}

/* Everything is as it should be: written down once, told once. */
static int note_ready(struct engine *g, const char *name, const struct app *app, struct err *e)
{
    struct app_record rec = {0};
    struct app_live *a;
    bool news = false;
    int r = 0;

    if (!app_is_ready(g, name))
        return 0;
    mutex_lock(&g->store);
    mutex_lock(&g->lock);
    a = map_get(&g->apps, name);
    if (a && !a->was_ready && strcmp(a->rec.observed_revision, app->revision) == 0) {
        news = a->was_ready = true;
        a->backoff_ms = a->retry_at_ms = 0;
        a->since_ns = time_wall_ns();
        str_set(&a->rec.applied_revision, app->revision);
        rec = (struct app_record){
            .name = xstrdup(name),
            .source = xstrdup(a->rec.source),
            .observed_revision = xstrdup(app->revision),
            .applied_revision = xstrdup(app->revision),
            .conditions = xstrdup(""),
            .suspended = a->rec.suspended,
        };
    }
    mutex_unlock(&g->lock);
    if (news)
        r = state_app_put(g->st, &rec, e) || state_revision_put(g->st, app, REVISION_GOOD, e) ? -1
                                                                                              : 0;
    mutex_unlock(&g->store);
    if (news) {
        struct event ev;

        app_record_release(&rec);
        event_init(&ev, "app", "ready", name);
        kvs_set(&ev.attributes, "revision", app->revision);
        engine_event(g, &ev);
        log_info("app is ready", "app=%s revision=%.12s", name, app->revision);
    }
    return r;
}

struct app_flags {
    bool known, absent, suspended;
};

static struct app_flags flags_of(struct engine *g, const char *name, bool not_ready)
{
    struct app_flags f = {0};
    struct app_live *a;

    mutex_lock(&g->lock);
    a = map_get(&g->apps, name);
    if (a) {
        f = (struct app_flags){
            .known = true, .absent = a->rec.absent, .suspended = a->rec.suspended};
        if (not_ready)
            a->was_ready = false;
    }
    mutex_unlock(&g->lock);
    return f;
}

int app_reconcile(struct engine *g, const char *name, int64_t *again_ms, struct err *e)
{
    struct app_model *m = app_model_ref(g, name);
    struct app_flags f = flags_of(g, name, false);
    struct app_pass p = {.g = g, .name = name, .app = f.absent || !m ? NULL : m->app};
    struct plan plan = {0};
    int r = 0;

    if (!f.known || (f.suspended && !f.absent) || (!f.absent && !m))
        goto out;
    p.by = str_printf("app %s", name);
    app_plan_make(g, name, p.app, &plan);
    if (plan.n)
        (void)flags_of(g, name, true);
    r = do_ready(&p, &plan, e);
    note_error(g, name, r ? e : NULL, again_ms);
    if (r == 0 && f.absent && plan.n == 0)
        r = forget(g, name, e);
    else if (r == 0 && plan.n == 0)
        r = note_ready(g, name, p.app, e);
    else if (r == 0 && p.done && !p.in_progress)
        *again_ms = 1; /* what was done at once may have made more possible */
    if (p.wait_ms && (*again_ms == 0 || p.wait_ms < *again_ms))
        *again_ms = p.wait_ms;
    r = 0; /* the error is in the app's status, and its next try is set */
out:
    plan_release(&plan);
    free(p.by);
    app_model_unref(g, m);
    return r;
}
