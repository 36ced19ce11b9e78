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
    map_release(&a->failing);
    map_release(&a->fetched);
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
    a->failing = a->fetched = MAP_INIT(free);
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

static void forget_failures(struct app_live *a)
{
    map_release(&a->failing);
    map_release(&a->fetched);
    a->failing = a->fetched = MAP_INIT(free);
}

/*
 * A change of an app's record: written down first, then put in place, under the store lock.  What
 * is NULL or -1 stays as it is.
 */
struct app_change {
    const char *source, *revision;
    int suspended, absent;
    bool make; /* an app that is not known yet is made */
};

static bool is_or(int wanted, bool now)
{
    return wanted < 0 ? now : wanted != 0;
}

static int change_record(struct engine *g, const char *name, const struct app_change *ch,
                         struct err *e) REQUIRES(g->store)
{
    struct app_record rec = {.name = xstrdup(name)};
    struct app_live *a;
    int r;

    mutex_lock(&g->lock);
    a = map_get(&g->apps, name);
    rec.source = xstrdup(ch->source ? ch->source : a ? a->rec.source : "");
    rec.observed_revision = xstrdup(ch->revision ? ch->revision
                                    : a          ? a->rec.observed_revision
                                                 : "");
    rec.applied_revision = xstrdup(a ? a->rec.applied_revision : "");
    rec.conditions = xstrdup("");
    rec.suspended = is_or(ch->suspended, a && a->rec.suspended);
    rec.absent = is_or(ch->absent, a && a->rec.absent);
    mutex_unlock(&g->lock);

    r = !a && !ch->make ? err_set(e, ERR_NOT_FOUND, "no such app: %s", name)
                        : state_app_put(g->st, &rec, e);
    if (r == 0) {
        mutex_lock(&g->lock);
        a = live_app(g, name, rec.source);
        str_set(&a->rec.source, rec.source);
        str_set(&a->rec.observed_revision, rec.observed_revision);
        a->rec.suspended = rec.suspended;
        a->rec.absent = rec.absent;
        mutex_unlock(&g->lock);
    }
    app_record_release(&rec);
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

/* *news: it is not what was wanted before. */
static int take_model(struct engine *g, struct app_model *m, bool *news, struct err *e)
    REQUIRES(g->store)
{
    const struct app *app = m->app;
    struct app_change ch = {.source = app->source,
                            .revision = app->revision,
                            .suspended = -1,
                            .absent = 0,
                            .make = true};
    struct app_model *old;
    struct app_live *a;

    mutex_lock(&g->lock);
    a = map_get(&g->apps, app->name);
    *news = !a || a->rec.absent || a->source_error ||
            strcmp(a->rec.observed_revision, app->revision) != 0;
    mutex_unlock(&g->lock);
    if (check_owner(g, app->name, app->source, e) ||
        state_revision_put(g->st, app, REVISION_NEW, e) || change_record(g, app->name, &ch, e))
        return -1;
    mutex_lock(&g->lock);
    a = map_get(&g->apps, app->name);
    str_set(&a->source_error, NULL);
    if (*news) {
        str_set(&a->error, NULL);
        forget_failures(a);
        a->since_ns = time_wall_ns();
    }
    old = a->model;
    a->model = m;
    m->refs++;
    mutex_unlock(&g->lock);
    app_model_unref(g, old);
    return 0;
}

int apps_put(struct engine *g, struct app *model, struct err *e)
{
    struct app_model *m = xcalloc(1, sizeof(*m));
    bool news = false;
    int r = 0;

    m->refs = 1;
    m->app = model;
    if (!is_known(g, model)) {
        mutex_lock(&g->store);
        r = take_model(g, m, &news, e);
        mutex_unlock(&g->store);
        if (r == 0 && news) {
            log_info("app changed", "app=%s revision=%.12s source=%s", model->name, model->revision,
                     model->source);
            emit_app(g, "plan", model->name, NULL, NULL);
        }
        if (r == 0)
            queue_app(g, model->name, 0);
    }
    app_model_unref(g, m);
    return r;
}

int apps_put_error(struct engine *g, const char *name, const char *source, const char *error,
                   struct err *e)
{
    struct app_change ch = {.source = source, .suspended = -1, .absent = -1, .make = true};
    bool news = false;
    struct app_live *a;
    int r;

    mutex_lock(&g->store);
    r = check_owner(g, name, source, e) || change_record(g, name, &ch, e) ? -1 : 0;
    if (r == 0) {
        mutex_lock(&g->lock);
        a = map_get(&g->apps, name);
        news = !a->source_error || strcmp(a->source_error, error) != 0;
        if (news) {
            str_set(&a->source_error, error);
            a->since_ns = time_wall_ns();
            a->was_ready = false;
        }
        mutex_unlock(&g->lock);
    }
    mutex_unlock(&g->store);
    if (news) {
        log_error("app file not usable, the old state stays", "app=%s error=%s", name,
                  log_quote(error));
        emit_app(g, "error", name, error, NULL);
    }
    return r;
}

int apps_remove(struct engine *g, const char *name, const char *by, struct err *e)
{
    struct app_change ch = {.suspended = -1, .absent = 1};
    struct app_live *a;
    int r;

    mutex_lock(&g->store);
    r = change_record(g, name, &ch, e);
    if (r == 0) {
        mutex_lock(&g->lock);
        a = map_get(&g->apps, name);
        str_set(&a->source_error, NULL);
        forget_failures(a);
        mutex_unlock(&g->lock);
    }
    mutex_unlock(&g->store);
    if (r)
        return -1;
    log_info("app is to go", "app=%s by=%s", name, log_quote(by ? by : ""));
    queue_app(g, name, 0);
    return 0;
}

int apps_suspend(struct engine *g, const char *name, bool suspended, const char *by, struct err *e)
{
    struct app_change ch = {.suspended = suspended, .absent = -1};
    int r;

    mutex_lock(&g->store);
    r = change_record(g, name, &ch, e);
    mutex_unlock(&g->store);
    if (r)
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
        forget_failures(a);
        strv_add(&names, key);
    }
    mutex_unlock(&g->lock);
    for (size_t i = 0; i < names.n; i++)
        queue_app(g, names.v[i], 0);
    strv_release(&names);
}

/* ------------------------------------------------------------ trying again */

#define RETRY_FIRST_MS 1000
#define RETRY_MAX_MS   60000

static void wait_no_longer(int64_t *wait_ms, int64_t ms)
{
    if (*wait_ms == 0 || ms < *wait_ms)
        *wait_ms = ms;
}

bool app_held(struct engine *g, const char *name, const char *what, int64_t *wait_ms)
{
    int64_t now = time_mono_ms();
    struct app_live *a;
    struct retry *t;
    bool held;

    mutex_lock(&g->lock);
    a = map_get(&g->apps, name);
    t = a ? map_get(&a->failing, what) : NULL;
    held = t && t->at_ms > now;
    if (held)
        wait_no_longer(wait_ms, t->at_ms - now);
    mutex_unlock(&g->lock);
    return held;
}

void app_failed(struct engine *g, const char *name, const char *what, int64_t *wait_ms)
{
    struct app_live *a;
    struct retry *t;

    mutex_lock(&g->lock);
    a = map_get(&g->apps, name);
    t = a ? map_get(&a->failing, what) : NULL;
    if (a && !t) {
        t = xcalloc(1, sizeof(*t));
        map_put(&a->failing, what, t);
    }
    if (t) {
        t->pause_ms = t->pause_ms ? t->pause_ms * 2 : RETRY_FIRST_MS;
        t->pause_ms = t->pause_ms > RETRY_MAX_MS ? RETRY_MAX_MS : t->pause_ms;
        t->at_ms = time_mono_ms() + t->pause_ms;
        wait_no_longer(wait_ms, t->pause_ms);
    }
    mutex_unlock(&g->lock);
}

void app_went_well(struct engine *g, const char *name, const char *what)
{
    struct app_live *a;

    mutex_lock(&g->lock);
    a = map_get(&g->apps, name);
    if (a)
        map_del(&a->failing, what);
    mutex_unlock(&g->lock);
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

/* The model behind what exists now, unless that is the wanted one: it need not be read then. */
static struct app *previous_model(struct engine *g, const char *name, const struct app *desired)
{
    cleanup_free char *revision = NULL;
    struct app *previous = NULL;
    struct app_live *a;

    mutex_lock(&g->lock);
    a = map_get(&g->apps, name);
    if (a && a->rec.applied_revision[0] && strcmp(a->rec.applied_revision, desired->revision) != 0)
        revision = xstrdup(a->rec.applied_revision);
    mutex_unlock(&g->lock);
    if (revision && state_revision_get(g->st, name, revision, &previous, ERR_IGNORE))
        previous = NULL;
    return previous;
}

static bool is_applied(struct engine *g, const char *name, const char *revision)
{
    struct app_live *a;
    bool is;

    mutex_lock(&g->lock);
    a = map_get(&g->apps, name);
    is = a && strcmp(a->rec.applied_revision, revision) == 0;
    mutex_unlock(&g->lock);
    return is;
}

void app_plan_make(struct engine *g, const char *name, const struct app *desired, struct plan *out)
{
    cleanup_app struct app *previous = desired ? previous_model(g, name, desired) : NULL;
    struct container_list cs = {0};
    struct network_list ns = {0};
    struct volume_list vs = {0};
    struct plan_world world;
    bool applied = desired && is_applied(g, name, desired->revision);

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
        .previous = previous  ? previous
                    : applied ? desired
                              : NULL,
    };
    plan_app(desired, &world, out);
    container_list_release(&cs);
    network_list_release(&ns);
    volume_list_release(&vs);
}

int apps_plan(struct engine *g, const struct app *model, struct plan *out, struct err *e)
{
    (void)e; /* whose app it is does not matter: nothing is changed */
    app_plan_make(g, model->name, model, out);
    return 0;
}
