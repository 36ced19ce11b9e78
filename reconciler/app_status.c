/*
 * app_status: what is to be said of an app, worked out from the records at the moment of asking.
 *
 * One condition decides the word people see; the first row that holds wins.
 */
#include <string.h>

#include "reconciler/engine_internal.h"

struct status {
    const char *reason;
    bool ready;
    char *message;
    char *source, *observed, *applied;
    bool suspended, absent;
    int64_t since_ns;
};

static void status_release(struct status *s)
{
    free(s->message);
    free(s->source);
    free(s->observed);
    free(s->applied);
}

static const struct container *container_of(const struct container_list *cs,
                                            const struct app_service *s)
{
    for (size_t i = 0; i < cs->n; i++)
        if (strcmp(cs->v[i]->service, s->name) == 0)
            return cs->v[i];
    return NULL;
}

/* Is it as its service wants it?  A one-shot that went well is done. */
static bool service_fine(const struct container *c)
{
    if (!c || strcmp(c->state.health ? c->state.health : "", "unhealthy") == 0)
        return false;
    if (c->state.status == STATUS_RUNNING)
        return !str_eq(c->state.health, "starting");
    return c->state.status == STATUS_EXITED && c->state.exit_code == 0 &&
           (c->spec->restart == RESTART_NO || c->spec->restart == RESTART_ON_FAILURE);
}

/* Runs, and nothing is known against it yet. */
static bool service_begins(const struct container *c)
{
    return c && c->state.status == STATUS_RUNNING && str_eq(c->state.health, "starting");
}

/* What is being waited for, when that is all that is missing. */
static char *first_beginning(const struct app *app, const struct container_list *cs)
{
    for (size_t i = 0; i < app->n_services; i++)
        if (service_begins(container_of(cs, &app->services[i])))
            return str_printf("service %s runs, but its health is: starting",
                              app->services[i].name);
    return NULL;
}

static char *first_trouble(const struct app *app, const struct container_list *cs)
{
    for (size_t i = 0; i < app->n_services; i++) {
        const struct container *c = container_of(cs, &app->services[i]);

        if (service_fine(c) || service_begins(c))
            continue;
        if (!c)
            return str_printf("service %s has no container", app->services[i].name);
        if (c->state.status == STATUS_RUNNING)
            return str_printf("service %s runs, but its health is: %s", app->services[i].name,
                              c->state.health);
        if (!str_empty(c->state.error))
            return str_printf("service %s: %s", app->services[i].name, c->state.error);
        return str_printf("service %s is %s (exit code %d)", app->services[i].name,
                          container_status_name(c->state.status), c->state.exit_code);
    }
    return NULL;
}

/* The first operation, when nobody can do any of them; else NULL. */
static const struct plan_op *all_blocked(const struct plan *plan)
{
    for (size_t i = 0; i < plan->n; i++)
        if (plan->ops[i].kind != PLAN_BLOCKED)
            return NULL;
    return plan->n ? &plan->ops[0] : NULL;
}

static void judge(struct status *s, const char *source_error, const char *error,
                  const struct app *app, const struct plan *plan, const struct container_list *cs)
{
    const struct plan_op *blocked = all_blocked(plan);
    cleanup_free char *trouble = app ? first_trouble(app, cs) : NULL;
    cleanup_free char *begins = app ? first_beginning(app, cs) : NULL;

    if (source_error) {
        s->reason = "InvalidFile";
        s->message = xstrdup(source_error);
    } else if (s->absent) {
        s->reason = "Removing";
        s->message = xstrdup("its file is gone");
    } else if (s->suspended) {
        s->reason = "Suspended";
        s->message = str_printf("%zu operations wait for resume", plan->n);
    } else if (error) {
        s->reason = "Failing";
        s->message = xstrdup(error);
    } else if (blocked) {
        s->reason = "Blocked";
        s->message = str_printf("%s: %s", blocked->resource, blocked->cause);
    } else if (plan->n) {
        s->reason = "Reconciling";
        s->message =
            str_printf("%s %s: %s%s%s", plan_op_name(plan->ops[0].kind), plan->ops[0].resource,
                       plan->ops[0].cause, trouble ? "; " : "", trouble ? trouble : "");
    } else if (trouble) {
        s->reason = "Degraded";
        s->message = xstrdup(trouble);
    } else if (begins) {
        s->reason = "Reconciling";
        s->message = xstrdup(begins);
    } else {
        s->reason = "Ready";
        s->ready = true;
        s->message = xstrdup("");
    }
}

/* ------------------------------------------------------------ writing */

static void write_ports(const struct container *c, struct jsonw *w)
{
    jsonw_key(w, "ports");
    jsonw_arr(w);
    for (size_t i = 0; c && i < c->state.n_ports; i++) {
        const struct port_map *p = &c->state.ports[i];
        cleanup_free char *text =
            str_printf("%s:%u->%u/%s", str_empty(p->host_ip) ? "0.0.0.0" : p->host_ip, p->host_port,
                       p->port, proto_name(p->proto));

        jsonw_str(w, text);
    }
    jsonw_end_arr(w);
}

static void write_service(const struct app_service *s, const struct container *c, struct jsonw *w)
{
    jsonw_obj(w);
    jsonw_kstr(w, "name", s->name);
    jsonw_kstr(w, "container", c ? c->name : "");
    jsonw_kstr(w, "id", c ? c->id : "");
    jsonw_kstr(w, "state", c ? container_status_name(c->state.status) : "missing");
    jsonw_kstr(w, "health", c && c->state.health ? c->state.health : "");
    jsonw_kstr(w, "image", s->spec->image);
    write_ports(c, w);
    jsonw_ki64(w, "exit_code", c ? c->state.exit_code : 0);
    jsonw_ki64(w, "restarts", c ? c->state.restart_count : 0);
    jsonw_key(w, "started");
    if (c && c->state.started_ns != TIME_ZERO)
        jsonw_time(w, c->state.started_ns);
    else
        jsonw_null(w);
    jsonw_kstr(w, "message", c && c->state.error ? c->state.error : "");
    jsonw_end_obj(w);
}

static void write_notices(const struct app *app, struct jsonw *w)
{
    jsonw_key(w, "notices");
    if (app)
        app_write_notices(app, w);
    else
        jsonw_raw(w, "[]");
}

static void write_condition(struct jsonw *w, const char *type, bool holds, const struct status *s)
{
    jsonw_obj(w);
    jsonw_kstr(w, "type", type);
    jsonw_kbool(w, "status", holds);
    jsonw_kstr(w, "reason", s->reason);
    jsonw_kstr(w, "message", s->message);
    jsonw_key(w, "since");
    jsonw_time(w, s->since_ns);
    jsonw_end_obj(w);
}

static void write_conditions(const struct status *s, struct jsonw *w)
{
    bool moving = strcmp(s->reason, "Reconciling") == 0 || strcmp(s->reason, "Removing") == 0;
    bool stuck = !s->ready && !moving && !s->suspended;

    jsonw_key(w, "conditions");
    jsonw_arr(w);
    write_condition(w, "Ready", s->ready, s);
    write_condition(w, "Reconciling", moving, s);
    write_condition(w, "Stalled", stuck, s);
    write_condition(w, "Suspended", s->suspended, s);
    jsonw_end_arr(w);
}

static void write_names(const struct app *app, struct jsonw *w)
{
    jsonw_key(w, "networks");
    jsonw_arr(w);
    for (size_t i = 0; app && i < app->n_networks; i++)
        jsonw_str(w, app->networks[i].net->name);
    jsonw_end_arr(w);
    jsonw_key(w, "volumes");
    jsonw_arr(w);
    for (size_t i = 0; app && i < app->n_volumes; i++)
        jsonw_str(w, app->volumes[i].vol->name);
    jsonw_end_arr(w);
}

static void write_plan_ops(const struct plan *plan, struct jsonw *w)
{
    jsonw_key(w, "plan");
    jsonw_arr(w);
    for (size_t i = 0; i < plan->n; i++) {
        jsonw_obj(w);
        jsonw_kstr(w, "op", plan_op_name(plan->ops[i].kind));
        jsonw_kstr(w, "resource", plan->ops[i].resource);
        jsonw_kstr(w, "cause", plan->ops[i].cause);
        jsonw_kstr(w, "state", plan->ops[i].ready ? "ready" : "waiting");
        jsonw_kstr(w, "waiting_for", plan->ops[i].waiting_for);
        jsonw_end_obj(w);
    }
    jsonw_end_arr(w);
}

static void write_status(const char *name, const struct status *s, const struct app *app,
                         const struct plan *plan, const struct container_list *cs, struct jsonw *w)
{
    jsonw_obj(w);
    jsonw_kstr(w, "name", name);
    jsonw_kstr(w, "source", s->source);
    jsonw_key(w, "files");
    jsonw_arr(w);
    for (size_t i = 0; app && i < app->files.n; i++)
        jsonw_str(w, app->files.v[i]);
    jsonw_end_arr(w);
    jsonw_kbool(w, "ready", s->ready);
    jsonw_kstr(w, "reason", s->reason);
    jsonw_kstr(w, "message", s->message);
    jsonw_key(w, "revision");
    jsonw_obj(w);
    jsonw_kstr(w, "observed", s->observed);
    jsonw_kstr(w, "applied", s->applied);
    jsonw_end_obj(w);
    jsonw_kbool(w, "suspended", s->suspended);
    write_conditions(s, w);
    jsonw_key(w, "services");
    jsonw_arr(w);
    for (size_t i = 0; app && i < app->n_services; i++)
        write_service(&app->services[i], container_of(cs, &app->services[i]), w);
    jsonw_end_arr(w);
    write_names(app, w);
    write_notices(app, w);
    write_plan_ops(plan, w);
    jsonw_end_obj(w);
}

/* ------------------------------------------------------------ asking */

static int look(struct engine *g, const char *name, struct status *s, char **source_error,
                char **error, struct err *e)
{
    struct app_live *a;

    mutex_lock(&g->lock);
    a = map_get(&g->apps, name);
    if (a) {
        s->source = xstrdup(a->rec.source);
        s->observed = xstrdup(a->rec.observed_revision);
        s->applied = xstrdup(a->rec.applied_revision);
        s->suspended = a->rec.suspended;
        s->absent = a->rec.absent;
        s->since_ns = a->error ? a->error_since_ns : a->since_ns;
        *source_error = str_dup_or_null(a->source_error);
        *error = str_dup_or_null(a->error);
    }
    mutex_unlock(&g->lock);
    return a ? 0 : err_set(e, ERR_NOT_FOUND, "no such app: %s", name);
}

/* Judges, and writes when w is given. */
static int status_of(struct engine *g, const char *name, struct jsonw *w, bool *ready,
                     struct err *e)
{
    cleanup_free char *source_error = NULL, *error = NULL;
    struct app_model *m = app_model_ref(g, name);
    const struct app *app = m ? m->app : NULL;
    struct container_list cs = {0};
    struct network_list ns = {0};
    struct volume_list vs = {0};
    struct status s = {0};
    struct plan plan = {0};
    int r;

    r = look(g, name, &s, &source_error, &error, e);
    if (r == 0) {
        app_world(g, name, &cs, &ns, &vs);
        if (app || s.absent)
            app_plan_make(g, name, s.absent ? NULL : app, &plan);
        judge(&s, source_error, error, app, &plan, &cs);
        *ready = s.ready;
        if (w)
            write_status(name, &s, app, &plan, &cs, w);
    }
    plan_release(&plan);
    container_list_release(&cs);
    network_list_release(&ns);
    volume_list_release(&vs);
    status_release(&s);
    app_model_unref(g, m);
    return r;
}

int apps_status(struct engine *g, const char *name, struct jsonw *w, struct err *e)
{
    bool ready;

    return status_of(g, name, w, &ready, e);
}

bool app_is_ready(struct engine *g, const char *name)
{
    bool ready = false;

    return status_of(g, name, NULL, &ready, ERR_IGNORE) == 0 && ready;
}

int apps_wait_ready(struct engine *g, const char *name, struct cancel *c, int64_t timeout_ms,
                    struct err *e)
{
    int64_t deadline = timeout_ms < 0 ? INT64_MAX : time_mono_ms() + timeout_ms;
    struct notify *tick = notify_new();
    bool ready = false;
    int r = 0;

    while (r == 0 && !ready) {
        int64_t now = time_mono_ms();

        r = status_of(g, name, NULL, &ready, e);
        if (r || ready)
            break;
        if (now >= deadline) {
            r = err_set(e, ERR_TIMEOUT, "app %s is not ready after %lld ms", name,
                        (long long)timeout_ms);
            break;
        }
        r = notify_wait(tick, c, now + 50 < deadline ? now + 50 : deadline, e) < 0 ? -1 : 0;
    }
    notify_free(tick);
    return r;
}
