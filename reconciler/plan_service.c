/*
 * plan_service: what one service needs, from what is there, without looking at other services.
 *
 * The rules for a container that does not run:
 *   stopped by hand (docker stop)         held, until its model changes or somebody starts it
 *   stopped for a change by us            started again: the change is done or was taken back
 *   ended by itself, and the policy would have restarted it
 *                                         the engine does that; here only when the policy is newer
 *   ended by itself, and that was it      done at this revision; said aloud when it failed
 */
#include "base/mem.h"
#include "base/time.h"
#include "core/container.h"
#include "core/network.h"
#include "core/volume.h"
#include "reconciler/plan_internal.h"

const struct network *plan_find_network(const struct plan_world *w, const char *name)
{
    for (size_t i = 0; i < w->n_networks; i++)
        if (str_eq(w->networks[i]->name, name) && !w->networks[i]->absent)
            return w->networks[i];
    return NULL;
}

const struct volume *plan_find_volume(const struct plan_world *w, const char *name)
{
    for (size_t i = 0; i < w->n_volumes; i++)
        if (str_eq(w->volumes[i]->name, name))
            return w->volumes[i];
    return NULL;
}

/* Ours, and made from another definition than the file has now. */
bool plan_network_stale(const struct planner *p, const struct app_network *n)
{
    const struct network *have = plan_find_network(p->world, n->net->name);

    return have && !n->external && str_eq(have->app, p->want->name) &&
           !str_eq(have->spec_hash, n->net->spec_hash);
}

bool plan_uses_network(const struct container *c, const struct network *n)
{
    for (size_t i = 0; i < c->state.n_endpoints; i++)
        if (str_eq(c->state.endpoints[i].network_id, n->id))
            return true;
    for (size_t i = 0; i < c->spec->n_endpoints; i++)
        if (str_eq(c->spec->endpoints[i].network, n->name) ||
            str_eq(c->spec->endpoints[i].network, n->id))
            return true;
    return str_eq(c->spec->network_mode, n->name) || str_eq(c->spec->network_mode, n->id);
}

bool plan_shares_namespace(const struct app_service *s, const char *container_name)
{
    const struct container_spec *spec = s->spec;
    const char *modes[] = {spec->network_mode, spec->ipc_mode, spec->pid_mode, spec->uts_mode};

    for (size_t i = 0; i < ARRAY_LEN(modes); i++)
        if (modes[i] && str_starts(modes[i], "container:") &&
            str_eq(modes[i] + strlen("container:"), container_name))
            return true;
    for (size_t i = 0; i < spec->volumes_from.n; i++) {
        size_t n = strlen(container_name);

        if (str_starts(spec->volumes_from.v[i], container_name) &&
            (!spec->volumes_from.v[i][n] || spec->volumes_from.v[i][n] == ':'))
            return true;
    }
    return false;
}

/* ---------------------------------------------------------------- recreate */

static bool networks_hold(const struct planner *p, const struct app_service *s, char **cause)
{
    for (size_t i = 0; i < s->networks.n; i++) {
        const struct app_network *n = app_find_network(p->want, s->networks.v[i]);

        if (!n || n->external)
            continue;
        if (plan_network_stale(p, n)) {
            *cause = str_printf("network %s changed", n->net->name);
            return false;
        }
        if (!plan_find_network(p->world, n->net->name)) {
            *cause = str_printf("network %s is gone", n->net->name);
            return false;
        }
    }
    return true;
}

/* What is not ours to make is not waited for by taking a container away. */
static bool volumes_hold(const struct planner *p, const struct app_service *s, char **cause)
{
    for (size_t i = 0; i < p->want->n_volumes; i++) {
        const struct app_volume *v = &p->want->volumes[i];

        if (v->external || plan_find_volume(p->world, v->vol->name))
            continue;
        for (size_t k = 0; k < s->spec->n_mounts; k++) {
            const struct mount_spec *m = &s->spec->mounts[k];

            if (m->type == MOUNT_VOLUME && str_eq(m->source, v->vol->name)) {
                *cause = str_printf("volume %s is gone", m->source);
                return false;
            }
        }
    }
    return true;
}

static bool image_holds(const struct planner *p, const struct plan_service *s, char **cause)
{
    const struct plan_world *w = p->world;
    const char *now = w->image_id ? w->image_id(w->image_arg, s->want->spec->image) : NULL;

    if (!now || str_empty(s->have->image_id) || str_eq(now, s->have->image_id))
        return true;
    *cause = str_printf("%s is another image now", s->want->spec->image);
    return false;
}

/* Healthcheck, exposed ports and annotations are in the class of what the engine alone uses, but
 * cannot be changed in place yet.  What the image adds is no difference. */
static bool health_holds(const struct plan_service *s)
{
    const struct health_spec *want = &s->want->spec->health, *have = &s->have->spec->health;

    if (!want->set)
        return !s->was || !s->was->spec->health.set;
    return have->set && (want->test.n == 0 || strv_eq(&want->test, &have->test)) &&
           (!want->interval_ns || want->interval_ns == have->interval_ns) &&
           (!want->timeout_ns || want->timeout_ns == have->timeout_ns) &&
           (!want->start_period_ns || want->start_period_ns == have->start_period_ns) &&
           (!want->start_interval_ns || want->start_interval_ns == have->start_interval_ns) &&
           (!want->retries || want->retries == have->retries);
}

static bool exposed_hold(const struct plan_service *s)
{
    const struct container_spec *want = s->want->spec, *have = s->have->spec;

    for (size_t i = 0; i < want->n_exposed; i++) {
        bool there = false;

        for (size_t k = 0; k < have->n_exposed && !there; k++)
            there = have->exposed[k].port == want->exposed[i].port &&
                    have->exposed[k].proto == want->exposed[i].proto;
        if (!there)
            return false;
    }
    return true;
}

static bool kvs_within(const struct kvs *part, const struct kvs *all)
{
    for (size_t i = 0; i < part->n; i++)
        if (!str_eq(kvs_get(all, part->v[i].k), part->v[i].v))
            return false;
    return true;
}

static bool needs_recreate(const struct planner *p, struct plan_service *s)
{
    const struct container *c = s->have;

    if (!str_eq(c->spec_hash, s->want->hash_d)) {
        plan_changes(s->was, s->want, &s->changes);
        s->cause = plan_cause(&s->changes, "its definition changed");
        return true;
    }
    if (!str_eq(c->name, s->container_name)) {
        s->cause = str_printf("container_name: %s -> %s", c->name, s->container_name);
        strv_add(&s->changes, s->cause);
        return true;
    }
    if (!image_holds(p, s, &s->cause) || !networks_hold(p, s->want, &s->cause) ||
        !volumes_hold(p, s->want, &s->cause))
        return true;
    if (health_holds(s) && exposed_hold(s) &&
        kvs_within(&s->want->spec->annotations, &c->spec->annotations))
        return false;
    plan_changes(s->was, s->want, &s->changes);
    s->cause = plan_cause(&s->changes, "its healthcheck, exposed ports or annotations changed");
    return true;
}

/* ------------------------------------------------------------------ update */

/* Labels that the former model had and this one has not. */
static bool labels_gone(const struct plan_service *s)
{
    for (size_t i = 0; s->was && i < s->was->spec->labels.n; i++) {
        const char *k = s->was->spec->labels.v[i].k;

        if (!kvs_get(&s->want->spec->labels, k) &&
            str_eq(kvs_get(&s->have->spec->labels, k), s->was->spec->labels.v[i].v))
            return true;
    }
    return false;
}

static bool needs_update(const struct plan_service *s)
{
    const struct container_spec *want = s->want->spec, *have = s->have->spec;

    if (want->restart != have->restart || want->restart_max != have->restart_max ||
        want->restart_delay_ns != have->restart_delay_ns ||
        want->restart_window_ns != have->restart_window_ns ||
        want->restart_attempts != have->restart_attempts)
        return true;
    if (want->stop_timeout_s != have->stop_timeout_s)
        return true;
    if (!str_empty(want->stop_signal) && !str_eq(want->stop_signal, have->stop_signal))
        return true;
    return !kvs_within(&want->labels, &have->labels) || labels_gone(s);
}

/* ------------------------------------------------------ what does not run */

static bool new_revision(const struct planner *p)
{
    return p->world->previous && !str_eq(p->world->previous->revision, p->want->revision);
}

static void decide_exited(const struct planner *p, struct plan_service *s)
{
    const struct container *c = s->have;
    const struct container_spec *spec = s->want->spec;
    int code = c->state.exit_code;

    if (c->goal == GOAL_RUNNING || c->goal == GOAL_PAUSED)
        return; /* on its way already: a start or a restart */
    if (c->state.manually_stopped && !new_revision(p)) {
        s->blocked = xstrdup("stopped by hand; held until its file changes or it is started");
        return;
    }
    if (c->state.manually_stopped || c->keep) {
        s->start = true;
        s->cause = xstrdup(c->state.manually_stopped ? "a new revision ends the hold"
                                                     : "was stopped for a change");
        return;
    }
    if (container_restarts_left(spec, &c->state) &&
        (spec->restart == RESTART_ALWAYS || spec->restart == RESTART_UNLESS_STOPPED ||
         (spec->restart == RESTART_ON_FAILURE && code))) {
        s->start = true;
        s->cause =
            str_printf("exited (%d), and restart is %s", code, restart_policy_name(spec->restart));
        return;
    }
    if (!code && (spec->restart == RESTART_NO || spec->restart == RESTART_ON_FAILURE))
        return; /* a job, done at this revision */
    if (spec->restart != RESTART_NO)
        s->blocked = str_printf("exited (%d) and was restarted %lld times: no more attempts", code,
                                (long long)c->state.restart_tries);
    else
        s->blocked = str_printf("exited (%d); restart is no, so it is not run again at this "
                                "revision",
                                code);
}

static void decide_state(const struct planner *p, struct plan_service *s)
{
    const struct container *c = s->have;

    switch (c->state.status) {
    case STATUS_CREATED:
        if (c->goal == GOAL_RUNNING)
            break;
        if (c->state.manually_stopped && !new_revision(p)) {
            s->blocked = xstrdup("stopped by hand; held until its file changes or it is started");
            break;
        }
        s->start = true;
        s->cause = str_empty(c->state.error) ? xstrdup("not started")
                                             : str_printf("did not start: %s", c->state.error);
        break;
    case STATUS_EXITED:
        decide_exited(p, s);
        break;
    case STATUS_PAUSED:
        s->blocked = xstrdup("paused by hand; held until it is unpaused");
        break;
    case STATUS_DEAD:
        s->recreate = true;
        s->cause = xstrdup("its removal did not succeed");
        break;
    default:
        break;
    }
}

void plan_decide(const struct planner *p, struct plan_service *s)
{
    if (!s->have || !s->want)
        return;
    if (needs_recreate(p, s)) {
        s->recreate = true;
        return;
    }
    if (needs_update(s)) {
        s->update = true;
        plan_changes(s->was, s->want, &s->changes);
    }
    decide_state(p, s);
}

/* -------------------------------------------------------------- conditions */

static char *waits_for_start(const struct plan_service *dep)
{
    const struct container *c = dep->have;

    if (c->state.status == STATUS_RUNNING || c->state.status == STATUS_RESTARTING)
        return NULL;
    if (c->state.manually_stopped && c->state.status != STATUS_PAUSED)
        return str_printf("%s is stopped by hand", dep->name);
    if (c->state.status == STATUS_EXITED && c->goal != GOAL_RUNNING)
        return NULL; /* it did start */
    return str_printf("%s does not run yet", dep->name);
}

/* An empty health means that nobody probes: then running is all there is to wait for. */
static char *waits_for_health(const struct plan_service *dep)
{
    const struct container *c = dep->have;

    if (c->state.status != STATUS_RUNNING)
        return str_printf("%s does not run", dep->name);
    if (str_empty(c->state.health) || str_eq(c->state.health, "healthy"))
        return NULL;
    return str_printf("%s is not healthy yet (%s)", dep->name, c->state.health);
}

char *plan_waits_for(const struct plan_service *dep, enum depends_condition condition)
{
    const struct container *c = dep->have;

    if (!c)
        return str_printf("%s is not there", dep->name);
    switch (condition) {
    case DEPENDS_STARTED:
        return waits_for_start(dep);
    case DEPENDS_HEALTHY:
        return waits_for_health(dep);
    case DEPENDS_COMPLETED:
        if (c->state.status == STATUS_EXITED && c->state.exit_code == 0)
            return NULL;
        if (c->state.status == STATUS_EXITED && c->goal != GOAL_RUNNING)
            return str_printf("%s failed with exit code %d", dep->name, c->state.exit_code);
        return str_printf("%s has not completed yet", dep->name);
    }
    return NULL;
}
