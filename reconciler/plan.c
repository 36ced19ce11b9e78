/*
 * plan: see plan.h.
 *
 * First every service is decided on by itself (plan_service.c), then what one means for another
 * (a service whose namespace is shared is made anew, one that is to be restarted with its
 * dependency), then operations are written in this order, so that the list reads and runs from top
 * to bottom:
 *
 *   volumes; stops, dependents first; removals; networks out, networks in; updates; creates and
 *   starts, dependencies first.
 *
 * A dependent that has to be restarted is stopped before its dependency is touched.  What was cut
 * short then shows in the world (a stopped container that nobody else stopped), and the next plan
 * goes on from there.
 */
#include "base/json.h"
#include "base/mem.h"
#include "core/container.h"
#include "core/network.h"
#include "core/volume.h"
#include "reconciler/plan_internal.h"

const char *plan_op_name(enum plan_op_kind k)
{
    static const char *const names[] = {
        [PLAN_CREATE_NETWORK] = "create network",
        [PLAN_REMOVE_NETWORK] = "remove network",
        [PLAN_CREATE_VOLUME] = "create volume",
        [PLAN_CREATE_CONTAINER] = "create container",
        [PLAN_START_CONTAINER] = "start container",
        [PLAN_STOP_CONTAINER] = "stop container",
        [PLAN_REMOVE_CONTAINER] = "remove container",
        [PLAN_UPDATE_CONTAINER] = "update container",
        [PLAN_BLOCKED] = "blocked",
    };

    return names[k];
}

/* -------------------------------------------------------------- operations */

static size_t add_op(struct planner *p, enum plan_op_kind kind, const char *resource,
                     const char *service, const char *id, const char *cause)
{
    struct plan *out = p->out;

    *ARRAY_ADD(out->ops, out->n) = (struct plan_op){
        .kind = kind,
        .resource = xstrdup(resource),
        .service = xstrdup(service ? service : ""),
        .object_id = xstrdup(id ? id : ""),
        .cause = xstrdup(cause ? cause : ""),
        .ready = kind != PLAN_BLOCKED,
    };
    return out->n - 1;
}

static void after(struct planner *p, size_t op, size_t first)
{
    struct plan_op *o = &p->out->ops[op];
    const struct plan_op *f;

    if (first == NO_OP)
        return;
    for (size_t i = 0; i < o->n_after; i++)
        if (o->after[i] == first)
            return;
    f = &p->out->ops[first];
    *ARRAY_ADD(o->after, o->n_after) = first;
    o->ready = false;
    if (!o->waiting_for)
        o->waiting_for = str_printf("%s %s", plan_op_name(f->kind), f->resource);
}

static void waits(struct planner *p, size_t op, char *text)
{
    struct plan_op *o = &p->out->ops[op];

    if (!text)
        return;
    o->ready = false;
    if (o->waiting_for)
        free(text);
    else
        o->waiting_for = text;
}

/* ---------------------------------------------------------------- services */

static struct plan_service *find(const struct planner *p, const char *name)
{
    for (size_t i = 0; i < p->n_services; i++)
        if (str_eq(p->services[i].name, name))
            return &p->services[i];
    return NULL;
}

/* The rightful container of a service bears its name; else the newest, as the world is sorted. */
static const struct container *current_of(const struct planner *p, const struct plan_service *s)
{
    const struct container *first = NULL;

    for (size_t i = 0; i < p->world->n_containers; i++) {
        const struct container *c = p->world->containers[i];

        if (!str_eq(c->service, s->name))
            continue;
        if (s->container_name && str_eq(c->name, s->container_name))
            return c;
        if (!first || c->created_ns > first->created_ns)
            first = c;
    }
    return first;
}

static struct plan_service *add_service(struct planner *p, const char *name)
{
    struct plan_service *s = &p->services[p->n_services++];

    *s = (struct plan_service){
        .name = name, .stop = NO_OP, .remove = NO_OP, .create = NO_OP, .started = NO_OP};
    if (p->world->previous)
        s->was = app_find_service(p->world->previous, name);
    return s;
}

static bool is_ours(const struct planner *p, const struct container *c)
{
    return !str_empty(c->app) && (!p->want || str_eq(c->app, p->want->name));
}

static void collect(struct planner *p)
{
    size_t wanted = p->want ? p->want->n_services : 0;

    p->services = xcalloc(wanted + p->world->n_containers + 1, sizeof *p->services);
    for (size_t i = 0; i < wanted; i++) {
        const struct app_service *want = &p->want->services[i];
        struct plan_service *s = add_service(p, want->name);

        s->want = want;
        s->container_name = str_empty(want->container_name)
                                ? str_printf("%s-%s-1", p->want->name, want->name)
                                : xstrdup(want->container_name);
        s->have = current_of(p, s);
        if (s->have && !is_ours(p, s->have))
            s->have = NULL;
        plan_decide(p, s);
    }
    for (size_t i = 0; i < p->world->n_containers; i++) {
        const struct container *c = p->world->containers[i];

        if (!is_ours(p, c) || find(p, c->service))
            continue;
        struct plan_service *s = add_service(p, c->service);

        s->have = current_of(p, s);
    }
}

/* ---------------------------------------------------------------- ordering */

/* Of the wanted model; for what left the file, of the former one. */
static const struct app_service *model_of(const struct plan_service *s)
{
    return s->want ? s->want : s->was;
}

static void visit(struct planner *p, struct plan_service *s)
{
    const struct app_service *m = model_of(s);

    if (s->visit)
        return; /* done, or a cycle, which compose/ refuses */
    s->visit = 1;
    for (size_t i = 0; m && i < m->n_depends; i++) {
        struct plan_service *dep = find(p, m->depends[i].service);

        if (dep)
            visit(p, dep);
    }
    s->visit = 2;
    p->order[p->n_order++] = (size_t)(s - p->services);
}

/* Does a depend on b, directly? */
static const struct service_dependency *depends(const struct plan_service *a,
                                                const struct plan_service *b)
{
    const struct app_service *m = model_of(a);

    for (size_t i = 0; m && i < m->n_depends; i++)
        if (str_eq(m->depends[i].service, b->name))
            return &m->depends[i];
    return NULL;
}

static bool is_made_anew(const struct plan_service *s)
{
    return s->want && (s->recreate || !s->have);
}

/* What a dependency that is made anew means for what is there of a dependent. */
static void follow_dependency(struct plan_service *s, const struct plan_service *dep,
                              const struct service_dependency *d)
{
    if (!is_made_anew(dep) || s->recreate || !s->have)
        return;
    if (plan_shares_namespace(s->want, dep->container_name)) {
        s->recreate = true;
        str_set(&s->cause, NULL);
        s->cause = str_printf("shares with %s, which is made anew", dep->name);
    } else if (d->restart && container_is_running(s->have) && !s->blocked) {
        s->restart = true;
        str_set(&s->cause, NULL);
        s->cause = str_printf("restarts with %s, which is made anew", dep->name);
    }
}

static void follow_dependencies(struct planner *p)
{
    for (size_t k = 0; k < p->n_order; k++) {
        struct plan_service *s = &p->services[p->order[k]];

        for (size_t i = 0; s->want && i < s->want->n_depends; i++) {
            const struct plan_service *dep = find(p, s->want->depends[i].service);

            if (dep && dep->want)
                follow_dependency(s, dep, &s->want->depends[i]);
        }
    }
}

/* ----------------------------------------------- what goes: stop and remove */

static bool being_removed(const struct container *c)
{
    return c->goal == GOAL_ABSENT || c->state.status == STATUS_REMOVING;
}

static bool leaves(const struct planner *p, const struct plan_service *s)
{
    return !s->want && (!p->want || p->want->prune);
}

/* Dependents before what they depend on. */
static void stop_all(struct planner *p)
{
    for (size_t k = p->n_order; k-- > 0;) {
        struct plan_service *s = &p->services[p->order[k]];
        const char *cause = s->want ? s->cause : p->want ? "left the file" : "the app goes";

        if (!s->have || being_removed(s->have) || !container_is_running(s->have) ||
            !(s->recreate || s->restart || leaves(p, s)))
            continue;
        s->stop = add_op(p, PLAN_STOP_CONTAINER, s->have->name, s->name, s->have->id, cause);
        for (size_t j = p->n_order; j-- > k + 1;) {
            const struct plan_service *other = &p->services[p->order[j]];

            if (depends(other, s))
                after(p, s->stop, other->stop);
        }
    }
}

static void remove_all(struct planner *p)
{
    for (size_t k = p->n_order; k-- > 0;) {
        struct plan_service *s = &p->services[p->order[k]];
        const char *cause = s->want ? s->cause : p->want ? "left the file" : "the app goes";

        if (!s->have || being_removed(s->have) || !(s->recreate || leaves(p, s)))
            continue;
        s->remove = add_op(p, PLAN_REMOVE_CONTAINER, s->have->name, s->name, s->have->id, cause);
        after(p, s->remove, s->stop);
    }
}

/* Further containers of a service that we made: one is enough. */
static void remove_surplus(struct planner *p)
{
    for (size_t i = 0; i < p->world->n_containers; i++) {
        const struct container *c = p->world->containers[i];
        const struct plan_service *s = find(p, c->service);
        size_t stop = NO_OP, remove;

        if (!s || s->have == c || !is_ours(p, c) || being_removed(c) || !(s->want || leaves(p, s)))
            continue;
        if (container_is_running(c))
            stop = add_op(p, PLAN_STOP_CONTAINER, c->name, s->name, c->id, "one is enough");
        remove = add_op(p, PLAN_REMOVE_CONTAINER, c->name, s->name, c->id, "one is enough");
        after(p, remove, stop);
    }
}

/* ------------------------------------------------------ networks and volumes */

static size_t op_on(const struct planner *p, enum plan_op_kind kind, const char *resource)
{
    for (size_t i = 0; i < p->out->n; i++)
        if (p->out->ops[i].kind == kind && str_eq(p->out->ops[i].resource, resource))
            return i;
    return NO_OP;
}

static void remove_network(struct planner *p, const struct network *n, const char *cause)
{
    size_t op = add_op(p, PLAN_REMOVE_NETWORK, n->name, "", n->id, cause);

    for (size_t i = 0; i < p->world->n_containers; i++) {
        const struct container *c = p->world->containers[i];

        if (!plan_uses_network(c, n))
            continue;
        size_t remove = op_on(p, PLAN_REMOVE_CONTAINER, c->name);

        if (remove != NO_OP)
            after(p, op, remove);
        else
            waits(p, op, str_printf("%s still uses it", c->name));
    }
}

static bool network_wanted(const struct planner *p, const struct network *n)
{
    for (size_t i = 0; p->want && i < p->want->n_networks; i++)
        if (str_eq(p->want->networks[i].net->name, n->name) && !p->want->networks[i].external)
            return true;
    return false;
}

static void networks_out(struct planner *p)
{
    for (size_t i = 0; i < p->world->n_networks; i++) {
        const struct network *n = p->world->networks[i];

        if (str_empty(n->app) || n->absent || n->predefined ||
            (p->want && !str_eq(n->app, p->want->name)))
            continue;
        if (!network_wanted(p, n) && (!p->want || p->want->prune))
            remove_network(p, n, p->want ? "left the file" : "the app goes");
    }
    for (size_t i = 0; p->want && i < p->want->n_networks; i++)
        if (plan_network_stale(p, &p->want->networks[i]))
            remove_network(p, plan_find_network(p->world, p->want->networks[i].net->name),
                           "its definition changed");
}

/* Made by `docker compose` for this very project: used as it is. */
static bool labelled_for(const struct kvs *labels, const char *app)
{
    return str_eq(kvs_get(labels, "com.docker.compose.project"), app);
}

/* NULL, or why containers cannot join it. */
static const char *unusable(const struct planner *p, const struct app_network *n)
{
    const struct network *have = plan_find_network(p->world, n->net->name);

    if (n->external)
        return have ? NULL : "the network is external, but there is none of this name";
    if (have && !str_eq(have->app, p->want->name) && !labelled_for(&have->labels, p->want->name))
        return "a network of this name exists and is not this app's";
    return NULL;
}

static void network_in(struct planner *p, const struct app_network *n)
{
    const struct network *have = plan_find_network(p->world, n->net->name);

    if (unusable(p, n)) {
        add_op(p, PLAN_BLOCKED, n->net->name, "", have ? have->id : "", unusable(p, n));
        return;
    }
    if (have && !plan_network_stale(p, n))
        return;
    size_t op = add_op(p, PLAN_CREATE_NETWORK, n->net->name, "", "",
                       have ? "its definition changed" : "not there");

    after(p, op, have ? op_on(p, PLAN_REMOVE_NETWORK, n->net->name) : NO_OP);
    for (size_t i = 0; !have && i < p->world->n_networks; i++)
        if (str_eq(p->world->networks[i]->name, n->net->name))
            waits(p, op, xstrdup("the former network is being removed"));
}

static void volume_in(struct planner *p, const struct app_volume *v)
{
    const struct volume *have = plan_find_volume(p->world, v->vol->name);

    if (!have && v->external)
        add_op(p, PLAN_BLOCKED, v->vol->name, "", "",
               "the volume is external, but there is none of this name");
    else if (!have)
        add_op(p, PLAN_CREATE_VOLUME, v->vol->name, "", "", "not there");
    else if (!v->external && str_eq(have->app, p->want->name) &&
             !str_eq(have->spec_hash, v->vol->spec_hash))
        add_op(p, PLAN_BLOCKED, v->vol->name, "", have->name,
               "VolumeConfigChanged: driver, options or labels differ, and a volume is never made "
               "anew; remove it by hand, or give it another name");
}

/* ------------------------------------------------- what comes: create, start */

/* Networks and volumes that are made, or in the way of being there. */
static void after_resources(struct planner *p, const struct plan_service *s, size_t op)
{
    const struct app *want = p->want;

    for (size_t i = 0; i < s->want->networks.n; i++) {
        const struct app_network *n = app_find_network(want, s->want->networks.v[i]);

        if (!n)
            continue;
        after(p, op, op_on(p, PLAN_CREATE_NETWORK, n->net->name));
        if (unusable(p, n))
            waits(p, op, str_printf("network %s: %s", n->net->name, unusable(p, n)));
    }
    for (size_t i = 0; i < want->n_volumes; i++) {
        const struct volume *v = want->volumes[i].vol;

        for (size_t k = 0; k < s->want->spec->n_mounts; k++) {
            const struct mount_spec *m = &s->want->spec->mounts[k];

            if (m->type != MOUNT_VOLUME || !str_eq(m->source, v->name))
                continue;
            after(p, op, op_on(p, PLAN_CREATE_VOLUME, v->name));
            if (want->volumes[i].external && !plan_find_volume(p->world, v->name))
                waits(p, op, str_printf("the external volume %s is not there", v->name));
        }
    }
}

static void create_one(struct planner *p, struct plan_service *s)
{
    s->create = add_op(p, PLAN_CREATE_CONTAINER, s->container_name, s->name, "",
                       s->have ? s->cause : "not there");
    strv_copy(&p->out->ops[s->create].changes, &s->changes);
    after(p, s->create, s->remove);
    if (s->have && being_removed(s->have))
        waits(p, s->create, str_printf("%s is being removed", s->have->name));
    for (size_t i = 0; i < p->out->n; i++)
        if (p->out->ops[i].kind == PLAN_REMOVE_CONTAINER &&
            str_eq(p->out->ops[i].resource, s->container_name))
            after(p, s->create, i);
    after_resources(p, s, s->create);
    for (size_t i = 0; i < s->want->n_depends; i++) {
        const struct plan_service *dep = find(p, s->want->depends[i].service);

        /* joining a namespace or taking volumes needs the other container to be there */
        if (dep)
            after(p, s->create, dep->create);
    }
}

static void start_one(struct planner *p, struct plan_service *s)
{
    s->started = add_op(p, PLAN_START_CONTAINER, s->container_name, s->name,
                        s->create == NO_OP && s->have ? s->have->id : "",
                        s->create != NO_OP && !s->have ? "not there" : s->cause);
    after(p, s->started, s->create);
    after(p, s->started, s->create == NO_OP ? s->stop : NO_OP);
    for (size_t i = 0; i < s->want->n_depends; i++) {
        const struct plan_service *dep = find(p, s->want->depends[i].service);

        if (!dep)
            continue;
        if (dep->started != NO_OP)
            after(p, s->started, dep->started);
        else
            waits(p, s->started, plan_waits_for(dep, s->want->depends[i].condition));
    }
}

static void bring_in(struct planner *p)
{
    for (size_t k = 0; k < p->n_order; k++) {
        struct plan_service *s = &p->services[p->order[k]];

        if (!s->want)
            continue;
        if (s->have && being_removed(s->have))
            s->recreate = true;
        if (s->update && !s->recreate) {
            cleanup_free char *cause = plan_cause(&s->changes, "labels, restart or stop settings");
            size_t op =
                add_op(p, PLAN_UPDATE_CONTAINER, s->have->name, s->name, s->have->id, cause);

            strv_copy(&p->out->ops[op].changes, &s->changes);
        }
        if (s->recreate || !s->have)
            create_one(p, s);
        if (s->create != NO_OP || s->start || s->restart)
            start_one(p, s);
        else if (s->blocked)
            add_op(p, PLAN_BLOCKED, s->have->name, s->name, s->have->id, s->blocked);
    }
}

/* ------------------------------------------------------------------- whole */

static void planner_release(struct planner *p)
{
    for (size_t i = 0; i < p->n_services; i++) {
        free(p->services[i].container_name);
        free(p->services[i].cause);
        free(p->services[i].blocked);
        strv_release(&p->services[i].changes);
    }
    free(p->services);
    free(p->order);
}

void plan_app(const struct app *desired, const struct plan_world *world, struct plan *out)
{
    struct planner p = {.want = desired, .world = world, .out = out};

    *out = (struct plan){0};
    collect(&p);
    p.order = xcalloc(p.n_services + 1, sizeof *p.order);
    for (size_t i = 0; i < p.n_services; i++)
        visit(&p, &p.services[i]);
    follow_dependencies(&p);
    for (size_t i = 0; desired && i < desired->n_volumes; i++)
        volume_in(&p, &desired->volumes[i]);
    stop_all(&p);
    remove_all(&p);
    remove_surplus(&p);
    networks_out(&p);
    for (size_t i = 0; desired && i < desired->n_networks; i++)
        network_in(&p, &desired->networks[i]);
    bring_in(&p);
    planner_release(&p);
}

void plan_release(struct plan *p)
{
    for (size_t i = 0; i < p->n; i++) {
        struct plan_op *o = &p->ops[i];

        free(o->resource);
        free(o->service);
        free(o->object_id);
        free(o->cause);
        free(o->after);
        free(o->waiting_for);
        strv_release(&o->changes);
    }
    free(p->ops);
    *p = (struct plan){0};
}

void plan_write(const struct plan *p, struct jsonw *w)
{
    jsonw_obj(w);
    jsonw_key(w, "ops");
    jsonw_arr(w);
    for (size_t i = 0; i < p->n; i++) {
        const struct plan_op *o = &p->ops[i];

        jsonw_obj(w);
        jsonw_kstr(w, "op", plan_op_name(o->kind));
        jsonw_kstr(w, "resource", o->resource);
        jsonw_kstr(w, "service", o->service);
        jsonw_kstr(w, "cause", o->cause);
        jsonw_key(w, "changes");
        jsonw_strv(w, &o->changes);
        jsonw_key(w, "after");
        jsonw_arr(w);
        for (size_t k = 0; k < o->n_after; k++)
            jsonw_i64(w, (int64_t)o->after[k]);
        jsonw_end_arr(w);
        jsonw_kbool(w, "ready", o->ready);
        jsonw_kstr(w, "waiting_for", o->waiting_for);
        jsonw_end_obj(w);
    }
    jsonw_end_arr(w);
    jsonw_end_obj(w);
}
