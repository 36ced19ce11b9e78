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

#define HURRIED_MAX 50   /* passes in a row that may follow at once */
#define STEADY_MS   1000 /* then one in this time */

struct app_pass {
    struct engine *g;
    const char *name;
    const struct app *app; /* NULL: it is to go */
    char *by;
    size_t done;      /* operations carried out */
    bool idle;        /* the present operation had nothing to do, or waits */
    bool held;        /* something that failed waits for its next try */
    bool in_progress; /* something has not settled */
    int64_t wait_ms;  /* until the first of those; 0: none */
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

static int op_remove_network(struct app_pass *p, const struct plan_op *op, struct err *e)
{
    cleanup_network struct network *net = object_network(p->g, op->object_id);
    int64_t generation;

    if (!net || net->absent) {
        p->in_progress = net != NULL;
        p->idle = true;
        return 0;
    }
    if (network_mark_absent(p->g, op->object_id, &generation, e))
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
    if (r == 0)
        app_image_used(p->g, p->name, s->name);
    return r ? err_wrap(e, "service %s", s->name) : 0;
}

/* Has the container's worker dealt with the last goal? */
static bool settled(struct app_pass *p, const char *id)
{
    cleanup_container struct container *c = object_container(p->g, id);

    return !c || c->generation <= c->observed_generation;
}

/* A start that failed is tried again, with growing pauses. */
static bool may_start(struct app_pass *p, const struct plan_op *op)
{
    cleanup_container struct container *c = object_container(p->g, op->object_id);
    cleanup_free char *what = str_printf("start of %s", op->resource);

    if (!c || str_empty(c->state.error)) {
        app_went_well(p->g, p->name, what);
        return true;
    }
    if (app_held(p->g, p->name, what, &p->wait_ms))
        return false;
    app_failed(p->g, p->name, what, &p->wait_ms); /* the pause after this try, should it fail */
    return true;
}

static int op_goal(struct app_pass *p, const struct plan_op *op, enum container_goal goal,
                   struct err *e)
{
    struct goal_request rq = {.goal = goal, .keep = true, .by = p->by, .stop_grace_s = -2};
    const struct app_service *s = p->app ? app_find_service(p->app, op->service) : NULL;

    if (s && s->stop_grace_s >= 0)
        rq.stop_grace_s = s->stop_grace_s;
    if (!settled(p, op->object_id)) {
        p->in_progress = p->idle = true;
        return 0;
    }
    if (goal == GOAL_RUNNING && !may_start(p, op)) {
        p->idle = true;
        return 0;
    }
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

struct class_a {
    const struct container_spec *want, *image; /* image NULL: it is gone */
};

/* Class A: what the engine alone looks at is taken over; the process does not notice. */
static int take_class_a(struct engine *g, struct container *c, void *arg, struct err *e)
{
    const struct class_a *a = arg;
    const struct kvs *own = &a->want->labels;

    (void)g;
    (void)e;
    c->spec->restart = a->want->restart;
    c->spec->restart_max = a->want->restart_max;
    c->spec->restart_delay_ns = a->want->restart_delay_ns;
    c->spec->restart_window_ns = a->want->restart_window_ns;
    c->spec->restart_attempts = a->want->restart_attempts;
    c->spec->stop_timeout_s = a->want->stop_timeout_s;
    if (!str_empty(a->want->stop_signal))
        str_set(&c->spec->stop_signal, a->want->stop_signal);
    else if (a->image)
        str_set(&c->spec->stop_signal, a->image->stop_signal ? a->image->stop_signal : "");
    kvs_release(&c->spec->labels);
    for (size_t i = 0; a->image && i < a->image->labels.n; i++)
        kvs_set(&c->spec->labels, a->image->labels.v[i].k, a->image->labels.v[i].v);
    for (size_t i = 0; i < own->n; i++)
        kvs_set(&c->spec->labels, own->v[i].k, own->v[i].v);
    return 0;
}

static int op_update(struct app_pass *p, const struct plan_op *op, struct err *e)
{
    const struct app_service *s = app_find_service(p->app, op->service);
    cleanup_container struct container *now = object_container(p->g, op->object_id), *after = NULL;
    cleanup_image struct image *img = NULL;
    struct class_a a = {0};

    if (!s || !now)
        return 0;
    if (images_find(p->g->im, now->image_id, &img, ERR_IGNORE))
        img = NULL;
    a = (struct class_a){.want = s->spec, .image = img ? img->config : NULL};
    if (container_change(p->g, op->object_id, true, take_class_a, &a, &after, e))
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
            op->kind == PLAN_CREATE_CONTAINER && str_empty(op->waiting_for)
                ? app_find_service(p->app, op->service)
                : NULL;
        enum app_image there =
            s ? app_image_ensure(p->g, p->name, s, &p->wait_ms, r ? ERR_IGNORE : e)
              : APP_IMAGE_THERE;

        if (there == APP_IMAGE_THERE)
            continue;
        strv_add(without, s->name);
        if (there == APP_IMAGE_FAILED)
            r = -1;
        else
            p->held = true;
    }
    return r;
}

/* -1: it failed now.  What failed before and is not to be tried yet is left alone. */
static int do_one(struct app_pass *p, const struct plan_op *op, struct err *e)
{
    cleanup_free char *what = str_printf("%s %s", plan_op_name(op->kind), op->resource);

    if (app_held(p->g, p->name, what, &p->wait_ms)) {
        p->held = true;
        return 0;
    }
    log_debug("app operation", "app=%s op=%s resource=%s cause=%s", p->name,
              log_quote(plan_op_name(op->kind)), op->resource, log_quote(op->cause));
    p->idle = false;
    if (operations[op->kind](p, op, e)) {
        app_failed(p->g, p->name, what, &p->wait_ms);
        return -1;
    }
    app_went_well(p->g, p->name, what);
    p->done += !p->idle;
    return 0;
}

static int do_ready(struct app_pass *p, const struct plan *plan, struct err *e)
{
    cleanup_strv struct strv without = {0};
    int r = fetch_images(p, plan, &without, e);

    for (size_t i = 0; i < plan->n; i++) {
        const struct plan_op *op = &plan->ops[i];

        if (!op->ready || op->kind == PLAN_BLOCKED || strv_has(&without, op->service))
            continue;
        /* One service that cannot be made does not hold up the others. */
        if (do_one(p, op, r ? ERR_IGNORE : e))
            r = -1;
    }
    return r;
}

void app_note_error(struct engine *g, const char *name, const struct err *e)
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

/* What is on its way out still is not there no more; whoever of them ends last queues the app. */
static bool owns_any(struct engine *g, const char *name)
{
    const char *key;
    bool any = false;
    void *value;

    mutex_lock(&g->lock);
    for (size_t i = 0; !any && map_at(&g->containers, &i, &key, &value); i++)
        any = strcmp(((const struct container *)value)->app, name) == 0;
    for (size_t i = 0; !any && map_at(&g->networks, &i, &key, &value); i++)
        any = str_eq(((const struct network *)value)->app, name);
    mutex_unlock(&g->lock);
    return any;
}

static int forget(struct engine *g, const char *name, struct err *e)
{
    struct event ev;
    bool absent;
    int r;

    mutex_lock(&g->store);
    absent = flags_of(g, name, false).absent; /* it may have been put back meanwhile */
    r = absent ? state_app_delete(g->st, name, e) : 0;
    if (absent && r == 0) {
        mutex_lock(&g->lock);
        map_del(&g->apps, name);
        mutex_unlock(&g->lock);
    }
    mutex_unlock(&g->store);
    if (r || !absent)
        return r;
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
    if (a && !a->was_ready && !a->rec.absent &&
        strcmp(a->rec.observed_revision, app->revision) == 0) {
        news = a->was_ready = true;
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
    app_record_release(&rec);
    if (r)
        (void)flags_of(g, name, true); /* noted again by the next pass */
    if (news && r == 0) {
        struct event ev;

        event_init(&ev, "app", "ready", name);
        kvs_set(&ev.attributes, "revision", app->revision);
        engine_event(g, &ev);
        log_info("app is ready", "app=%s revision=%.12s", name, app->revision);
    }
    return r;
}

/* What was done at once may have made more possible.  A plan that never comes to its end must not
 * keep a processor busy. */
static int64_t soon(struct engine *g, const char *name, bool hurry)
{
    int64_t ms = 0;
    struct app_live *a;

    mutex_lock(&g->lock);
    a = map_get(&g->apps, name);
    if (a) {
        a->hurried = hurry ? a->hurried + 1 : 0;
        ms = !hurry ? 0 : a->hurried > HURRIED_MAX ? STEADY_MS : 1;
    }
    mutex_unlock(&g->lock);
    return ms;
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
    if (r || !p.held) /* what waits for its next try keeps its error */
        app_note_error(g, name, r ? e : NULL);
    if (r == 0 && f.absent && plan.n == 0)
        r = owns_any(g, name) ? 0 : forget(g, name, e);
    else if (r == 0 && plan.n == 0)
        r = note_ready(g, name, p.app, e);
    *again_ms = soon(g, name, plan.n && p.done && !p.in_progress);
    if (r && !p.wait_ms)
        p.wait_ms = STEADY_MS;
    if (p.wait_ms && (*again_ms == 0 || p.wait_ms < *again_ms))
        *again_ms = p.wait_ms;
    r = 0; /* the error is in the app's status, and its next try is set */
out:
    plan_release(&plan);
    free(p.by);
    app_model_unref(g, m);
    return r;
}
