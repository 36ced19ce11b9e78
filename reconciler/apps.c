/*
 * apps: what the sources and the API say of an app, and what is remembered of it.
 *
 * A model is kept in the database per revision before anything is done about it, so the agent can
 * go on from it without its files.  A file that cannot be read changes nothing but the status.
 */
#include <string.h>

#include "base/log.h"
#include "reconciler/engine_internal.h"

void app_live_free(void *p)
{
    struct app_live *a = p;

    app_record_release(&a->rec);
    if (a->model && --a->model->refs == 0) {
        app_free(a->model->app);
        free(a->model);
    }
    free(a->source_error);
    free(a->error);
    free(a);
}

struct app_model *app_model_ref(struct engine *g, const char *name)
{
    struct app_model *m = NULL;
    struct app_live *a;

    mutex_lock(&g->lock);
    a = map_get(&g->apps, name);
    if (a && a->model) {
        m = a->model;
        m->refs++;
    }
    mutex_unlock(&g->lock);
    return m;
}

void app_model_unref(struct engine *g, struct app_model *m)
{
    bool last;

    if (!m)
        return;
    mutex_lock(&g->lock);
    last = --m->refs == 0;
    mutex_unlock(&g->lock);
    if (last) {
        app_free(m->app);
        free(m);
    }
}

static struct app_live *live_app(struct engine *g, const char *name, const char *source)
    REQUIRES(g->lock)
{
    struct app_live *a = map_get(&g->apps, name);

    if (a)
        return a;
    a = xcalloc(1, sizeof(*a));
    a->rec.name = xstrdup(name);
    a->rec.source = xstrdup(source ? source : "");
    a->rec.observed_revision = xstrdup("");
    a->rec.applied_revision = xstrdup("");
    a->rec.conditions = xstrdup("");
    a->since_ns = time_wall_ns();
    map_put(&g->apps, name, a);
    return a;
}

/* Two sources must not fight over one name. */
static int check_owner(struct engine *g, const char *name, const char *source, struct err *e)
{
    cleanup_free char *owner = NULL;
    struct app_live *a;

    mutex_lock(&g->lock);
    a = map_get(&g->apps, name);
    if (a && !a->rec.absent && a->rec.source[0] && strcmp(a->rec.source, source) != 0)
        owner = xstrdup(a->rec.source);
    mutex_unlock(&g->lock);
    if (!owner)
        return 0;
    return err_set(e, ERR_CONFLICT, "app %s belongs to %s already: %s cannot have it too", name,
                   owner, source);
}

static void emit_app(struct engine *g, const char *action, const char *name, const char *message,
                     const char *by)
{
    struct event ev;

    event_init(&ev, "app", action, name);
    kvs_set(&ev.attributes, "name", name);
    if (message)
        kvs_set(&ev.attributes, "message", message);
    if (by)
        kvs_set(&ev.attributes, "by", by);
    engine_event(g, &ev);
}

/* Writes the record as it is now in memory. */
static int store_record(struct engine *g, const char *name, struct err *e)
{
    struct app_record copy = {0};
    struct app_live *a;
    int r = 0;

    mutex_lock(&g->store);
    mutex_lock(&g->lock);
    a = map_get(&g->apps, name);
    if (a)
        copy = (struct app_record){
            .name = xstrdup(a->rec.name),
            .source = xstrdup(a->rec.source),
            .observed_revision = xstrdup(a->rec.observed_revision),
            .applied_revision = xstrdup(a->rec.applied_revision),
            .conditions = xstrdup(a->rec.conditions),
            .suspended = a->rec.suspended,
            .absent = a->rec.absent,
        };
    mutex_unlock(&g->lock);
    if (copy.name)
        r = state_app_put(g->st, &copy, e);
    mutex_unlock(&g->store);
    app_record_release(&copy);
    return r;
}

/* A rescan that found what was there before costs nothing. */
static bool is_known(struct engine *g, const struct app *model)
{
    struct app_live *a;
    bool same;

    mutex_lock(&g->lock);
    a = map_get(&g->apps, model->name);
    same = a && a->model && !a->rec.absent && !a->source_error &&
           strcmp(a->rec.observed_revision, model->revision) == 0 &&
           strcmp(a->rec.source, model->source) == 0;
    mutex_unlock(&g->lock);
    return same;
}

int apps_put(struct engine *g, struct app *model, struct err *e)
{
    struct app_model *m = xcalloc(1, sizeof(*m)), *old = NULL;
    cleanup_free char *name = xstrdup(model->name);
    struct app_live *a;
    bool news;

    m->refs = 1;
    m->app = model;
    if (is_known(g, model)) {
        app_model_unref(g, m);
        return 0;
    }
    if (check_owner(g, name, model->source, e) ||
        state_revision_put(g->st, model, REVISION_NEW, e)) {
        app_model_unref(g, m);
        return -1;
    }
    mutex_lock(&g->lock);
    a = live_app(g, name, model->source);
    news =
        a->rec.absent || a->source_error || strcmp(a->rec.observed_revision, model->revision) != 0;
    str_set(&a->rec.source, model->source);
    str_set(&a->rec.observed_revision, model->revision);
    str_set(&a->source_error, NULL);
    a->rec.absent = false;
    if (news) {
        str_set(&a->error, NULL);
        a->backoff_ms = a->retry_at_ms = 0;
        a->since_ns = time_wall_ns();
    }
    old = a->model;
    a->model = m;
    mutex_unlock(&g->lock);
    app_model_unref(g, old);
    if (store_record(g, name, e))
        return -1;
    if (news) {
        log_info("app changed", "app=%s revision=%.12s source=%s", name, model->revision,
                 model->source);
        emit_app(g, "plan", name, NULL, NULL);
    }
    queue_app(g, name, 0);
    return 0;
}

int apps_put_error(struct engine *g, const char *name, const char *source, const char *error,
                   struct err *e)
{
    bool news = false;
    struct app_live *a;

    if (check_owner(g, name, source, e))
        return -1;
    mutex_lock(&g->lock);
    a = live_app(g, name, source);
    if (!a->source_error || strcmp(a->source_error, error) != 0) {
        news = true;
        str_set(&a->source_error, error);
        a->since_ns = time_wall_ns();
        a->was_ready = false;
    }
    mutex_unlock(&g->lock);
    if (!news)
        return 0;
    log_error("app file not usable, the old state stays", "app=%s error=%s", name,
              log_quote(error));
    emit_app(g, "error", name, error, NULL);
    return store_record(g, name, e);
}

int apps_remove(struct engine *g, const char *name, const char *by, struct err *e)
{
    struct app_live *a;
    bool known;

    mutex_lock(&g->lock);
    a = map_get(&g->apps, name);
    known = a != NULL;
    if (a) {
        a->rec.absent = true;
        str_set(&a->source_error, NULL);
    }
    mutex_unlock(&g->lock);
    if (!known)
        return err_set(e, ERR_NOT_FOUND, "no such app: %s", name);
    if (store_record(g, name, e))
        return -1;
    log_info("app is to go", "app=%s by=%s", name, log_quote(by ? by : ""));
    queue_app(g, name, 0);
    return 0;
}

int apps_suspend(struct engine *g, const char *name, bool suspended, const char *by, struct err *e)
{
    struct app_live *a;

    mutex_lock(&g->lock);
    a = map_get(&g->apps, name);
    if (a)
        a->rec.suspended = suspended;
    mutex_unlock(&g->lock);
    if (!a)
        return err_set(e, ERR_NOT_FOUND, "no such app: %s", name);
    if (store_record(g, name, e))
        return -1;
    emit_app(g, suspended ? "suspend" : "resume", name, NULL, by);
    queue_app(g, name, 0);
    return 0;
}

void apps_names(struct engine *g, struct strv *out)
{
    const char *key;
    void *value;

    mutex_lock(&g->lock);
    for (size_t i = 0; map_at(&g->apps, &i, &key, &value); i++)
        strv_add(out, key);
    mutex_unlock(&g->lock);
    strv_sort(out);
}

void apps_of_source(struct engine *g, const char *source, struct strv *out)
{
    const char *key;
    void *value;

    mutex_lock(&g->lock);
    for (size_t i = 0; map_at(&g->apps, &i, &key, &value); i++) {
        const struct app_live *a = value;

        if (!a->rec.absent && strcmp(a->rec.source, source) == 0)
            strv_add(out, key);
    }
    mutex_unlock(&g->lock);
}

void apps_try_again(struct engine *g)
{
    struct strv names = {0};
    const char *key;
    void *value;

    mutex_lock(&g->lock);
    for (size_t i = 0; map_at(&g->apps, &i, &key, &value); i++) {
        struct app_live *a = value;

        if (!a->error)
            continue;
        a->backoff_ms = a->retry_at_ms = 0;
        strv_add(&names, key);
    }
    mutex_unlock(&g->lock);
    for (size_t i = 0; i < names.n; i++)
        queue_app(g, names.v[i], 0);
    strv_release(&names);
}

int apps_model(struct engine *g, const char *name, struct app **out, struct err *e)
{
    struct app_model *m = app_model_ref(g, name);

    (void)e;
    *out = m ? app_copy(m->app) : NULL;
    app_model_unref(g, m);
    return 0;
}

/* ------------------------------------------------------------ at start */

static int take_app(void *arg, const struct app_record *r, struct err *e)
{
    struct engine *g = arg;
    struct app *model = NULL;
    struct app_live *a;

    if (r->observed_revision[0] &&
        state_revision_get(g->st, r->name, r->observed_revision, &model, e))
        return -1;
    mutex_lock(&g->lock);
    a = live_app(g, r->name, r->source);
    str_set(&a->rec.observed_revision, r->observed_revision);
    str_set(&a->rec.applied_revision, r->applied_revision);
    a->rec.suspended = r->suspended;
    a->rec.absent = r->absent;
    if (model) {
        a->model = xcalloc(1, sizeof(*a->model));
        a->model->refs = 1;
        a->model->app = model;
    }
    mutex_unlock(&g->lock);
    return 0;
}

int apps_load(struct engine *g, struct err *e)
{
    return state_app_each(g->st, take_app, g, e);
}

/* ------------------------------------------------------------ planning */

/* Containers that the app owns; every network and volume: a name taken by others must be seen. */
void app_world(struct engine *g, const char *name, struct container_list *cs,
               struct network_list *ns, struct volume_list *vs)
{
    size_t kept = 0;

    containers_list(g, cs);
    for (size_t i = 0; i < cs->n; i++) {
        if (strcmp(cs->v[i]->app, name) == 0)
            cs->v[kept++] = cs->v[i];
        else
            container_unref(cs->v[i]);
    }
    cs->n = kept;
    networks_list(g, ns);
    volumes_list(g, vs);
}

static void only_owned(struct network_list *ns, const char *app)
{
    size_t kept = 0;

    for (size_t i = 0; i < ns->n; i++) {
        if (ns->v[i]->app && strcmp(ns->v[i]->app, app) == 0)
            ns->v[kept++] = ns->v[i];
        else
            network_unref(ns->v[i]);
    }
    ns->n = kept;
}

/* The model behind what exists now, for the words of a plan. */
static struct app *previous_model(struct engine *g, const char *name)
{
    cleanup_free char *revision = NULL;
    struct app *previous = NULL;
    struct app_live *a;

    mutex_lock(&g->lock);
    a = map_get(&g->apps, name);
    if (a && a->rec.applied_revision[0])
        revision = xstrdup(a->rec.applied_revision);
    mutex_unlock(&g->lock);
    if (revision && state_revision_get(g->st, name, revision, &previous, ERR_IGNORE))
        previous = NULL;
    return previous;
}

void app_plan_make(struct engine *g, const char *name, const struct app *desired, struct plan *out)
{
    cleanup_app struct app *previous = desired ? previous_model(g, name) : NULL;
    struct container_list cs = {0};
    struct network_list ns = {0};
    struct volume_list vs = {0};
    struct plan_world world;

    app_world(g, name, &cs, &ns, &vs);
    if (!desired)
        only_owned(&ns, name);
    world = (struct plan_world){
        .containers = cs.v,
        .n_containers = cs.n,
        .networks = ns.v,
        .n_networks = ns.n,
        .volumes = vs.v,
        .n_volumes = vs.n,
        .previous = previous,
    };
    plan_app(desired, &world, out);
    container_list_release(&cs);
    network_list_release(&ns);
    volume_list_release(&vs);
}

int apps_plan(struct engine *g, const struct app *model, struct plan *out, struct err *e)
{
    if (check_owner(g, model->name, model->source, e))
        return -1;
    app_plan_make(g, model->name, model, out);
    return 0;
}
