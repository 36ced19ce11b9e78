/*
 * container_reconcile: one look at one container.
 *
 * Observe, absorb what is news, then make the world as the goal says.  The same function starts,
 * stops, restarts after an exit, finishes what a crash cut short, and removes; nothing in it asks
 * why it was called.
 */
#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "reconciler/engine_internal.h"

static int look(struct engine *g, struct container **c, struct err *e)
{
    struct container_observed o = {0};

    if (g->rt->ops->observe(g->rt, (*c)->id, &o, e))
        return -1;
    return container_absorb(g, c, &o, e);
}

/* ------------------------------------------------------------ start */

struct start_failure {
    const struct err *why;
    bool again;
    int64_t generation; /* of the goal that could not be met */
};

/* Docker's exit codes for a process that never ran; its CLI and people's scripts look at them. */
static int failure_code(const struct err *why)
{
    static const struct {
        const char *text;
        int code;
    } rows[] = {
        {"executable file not found", 127},
        {"no such file or directory", 127},
        {"permission denied",         126},
        {"is a directory",            126},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (str_has_nocase(why->msg, rows[i].text)) /* other runtimes begin them with a capital */
            return rows[i].code;
    return 128;
}

static int write_failure(struct engine *g, struct container *c, void *arg, struct err *e)
{
    const struct start_failure *f = arg;
    bool began = c->state.started_ns != TIME_ZERO;

    (void)g;
    (void)e;
    str_set(&c->state.error, f->why->msg);
    c->state.pid = 0;
    c->state.exit_code = failure_code(f->why);
    if (c->state.status == STATUS_REMOVING)
        return 0;
    if (f->again && container_restarts_left(c->spec, &c->state)) {
        c->state.status = STATUS_RESTARTING;
        c->state.restart_count++;
        c->state.restart_tries++;
        return 0;
    }
    c->state.status = began ? STATUS_EXITED : STATUS_CREATED;
    if (c->generation != f->generation)
        return 0; /* asked for anew meanwhile: that one gets its own try and answer */
    if (c->goal == GOAL_RUNNING || c->goal == GOAL_PAUSED)
        c->goal = c->spec->auto_remove ? GOAL_ABSENT : began ? GOAL_STOPPED : GOAL_CREATED;
    c->keep = false;
    return 0;
}

/*
 * An API call's start is tried once: its caller gets the error.  A start that the restart policy
 * asked for is tried again, with its pauses.  Either way the record is settled, which START_FAILED
 * says.
 */
#define START_FAILED 1
static int start_failed(struct engine *g, struct container **c, int64_t generation, bool by_policy,
                        const struct err *why, struct err *e)
{
    struct start_failure f = {.why = why, .again = by_policy, .generation = generation};
    struct container *now = object_container(g, (*c)->id);

    if (now) { /* with the addresses that the attempt chose */
        container_unref(*c);
        *c = now;
    }
    if (container_down(g, *c, e))
        log_warn("leftovers of a failed start, will look again", "id=%.12s error=%s", (*c)->id,
                 log_quote(e->msg));
    if (by_policy)
        (void)restart_schedule(g, *c, 0);
    if (container_change(g, (*c)->id, container_durable(*c), write_failure, &f, c, e))
        return -1;
    if (!by_policy)
        waits_wake(g, *c, false, false); /* not the next exit's: there was none */
    queue_container(g, (*c)->id, 0);     /* --rm removes it; the policy waits for its time */
    *e = *why;
    return START_FAILED;
}

/*
 * Is a restart due?  0: start now; >0: in so many ms.  *by_policy: this start is one, and so is
 * that of a container which should have been running all along: after a boot, or a crash of ours.
 */
static int64_t restart_delay(struct engine *g, const struct container *c, bool *by_policy)
{
    int64_t at, now = time_mono_ms();

    mutex_lock(&g->lock);
    at = live_of(g, c->id)->restart_at_ms;
    mutex_unlock(&g->lock);
    *by_policy =
        at != 0 || (c->spec->restart != RESTART_NO && c->generation <= c->observed_generation);
    return at > now ? at - now : 0;
}

static void note_starter(struct engine *g, const struct container *c, bool by_policy)
{
    struct live *l;

    mutex_lock(&g->lock);
    l = live_of(g, c->id);
    str_set(&l->started_by, by_policy ? "restart policy" : l->removed_by);
    mutex_unlock(&g->lock);
}

static int ensure_running(struct engine *g, struct container **c, int64_t generation,
                          int64_t *again_ms, struct err *e)
{
    bool by_policy = false;
    struct err why = ERR_INIT;

    if (!container_is_up(*c)) {
        int64_t delay = restart_delay(g, *c, &by_policy);

        if (delay > 0) {
            *again_ms = delay;
            return 0;
        }
        note_starter(g, *c, by_policy);
        if (container_up(g, *c, &why)) {
            if (why.kind == ERR_CANCELLED && cancel_fired(g->stop)) {
                *e = why; /* the agent goes; the next one goes on with it */
                return -1;
            }
            return start_failed(g, c, generation, by_policy, &why, e);
        }
        mutex_lock(&g->lock);
        live_of(g, (*c)->id)->restart_at_ms = 0;
        mutex_unlock(&g->lock);
        if (look(g, c, e))
            return -1;
    }
    if ((*c)->state.status == STATUS_PAUSED) {
        if (g->rt->ops->ensure_paused(g->rt, (*c)->id, false, e))
            return -1;
        return look(g, c, e);
    }
    return 0;
}

static int write_unfrozen(struct engine *g, struct container *c, void *arg, struct err *e)
{
    (void)g;
    (void)e;
    if (c->goal == GOAL_PAUSED && c->generation == *(const int64_t *)arg)
        c->goal = GOAL_RUNNING;
    return 0;
}

/* Tried once: its caller is told, and nobody is surprised by a container that freezes later. */
static int ensure_paused(struct engine *g, struct container **c, int64_t generation, struct err *e)
{
    int r = 0;

    if (!container_is_up(*c))
        r = err_set(e, ERR_CONFLICT, "container %s is not running", (*c)->id);
    else
        r = g->rt->ops->ensure_paused(g->rt, (*c)->id, true, e);
    if (r == 0)
        return look(g, c, e);
    if (container_change(g, (*c)->id, container_durable(*c), write_unfrozen, &generation, c,
                         ERR_IGNORE))
        log_warn("container may be frozen later", "id=%.12s", (*c)->id);
    return START_FAILED;
}

/* ------------------------------------------------------------ stop */

static char *asked_by(struct engine *g, const char *id)
{
    char *by;

    mutex_lock(&g->lock);
    by = str_dup_or_null(live_of(g, id)->removed_by);
    mutex_unlock(&g->lock);
    return by;
}

static int stop_signal_of(const struct container *c)
{
    int sig = SIGNAL_TERM;

    if (c->stop_sig > 0)
        return c->stop_sig;
    if (!str_empty(c->spec->stop_signal))
        (void)!signal_parse(c->spec->stop_signal, &sig, ERR_IGNORE); /* checked at create */
    return sig;
}

static int write_ended(struct engine *g, struct container *c, void *arg, struct err *e)
{
    (void)g;
    (void)arg;
    (void)e;
    c->state.status = STATUS_EXITED;
    return 0;
}

/* Nothing runs; a restart that was due is called off. */
static int end_restarting(struct engine *g, struct container **c, const char *by, struct err *e)
{
    if ((*c)->state.status != STATUS_RESTARTING)
        return 0;
    if (container_change(g, (*c)->id, container_durable(*c), write_ended, NULL, c, e))
        return -1;
    waits_wake(g, *c, false, false);
    event_emit_container(g, "stop", *c, by);
    return 0;
}

static int ensure_stopped(struct engine *g, struct container **c, struct err *e)
{
    cleanup_free char *by = asked_by(g, (*c)->id);
    int sig = stop_signal_of(*c);
    int64_t grace_ms = (*c)->stop_grace_s < 0 ? (*c)->stop_grace_s : (*c)->stop_grace_s * 1000;
    int64_t began_ms;

    if (!container_is_up(*c))
        return end_restarting(g, c, by, e);
    if ((*c)->stop_grace_s == -2)
        grace_ms = 10 * 1000;
    event_emit_kill(g, *c, sig, by);
    if ((*c)->state.status == STATUS_PAUSED) /* nobody can stop who is frozen */
        event_emit_container(g, "unpause", *c, by);
    began_ms = time_mono_ms();
    if (g->rt->ops->ensure_stopped(g->rt, (*c)->id, sig, grace_ms, g->stop, e))
        return -1;
    if (grace_ms >= 0 && sig != SIGNAL_KILL && time_mono_ms() - began_ms >= grace_ms)
        event_emit_kill(g, *c, SIGNAL_KILL, by);
    if (look(g, c, e))
        return -1;
    event_emit_container(g, "stop", *c, by);
    return 0;
}

/* ------------------------------------------------------------ restart */

static bool comes_back(struct engine *g, const char *id)
{
    bool restart;

    mutex_lock(&g->lock);
    restart = live_of(g, id)->restart;
    mutex_unlock(&g->lock);
    return restart;
}

/* Looks again under the store lock: somebody may have asked for a plain stop since. */
static int write_again(struct engine *g, struct container *c, void *arg, struct err *e)
{
    bool restart, anew;
    struct live *l;

    (void)arg;
    (void)e;
    mutex_lock(&g->lock);
    l = live_of(g, c->id);
    restart = l->restart;
    anew = l->anew;
    l->restart = false;
    if (anew)
        l->backoff_ms = 0;
    mutex_unlock(&g->lock);
    if (restart && c->goal == GOAL_STOPPED) {
        if (anew)
            c->state.restart_count = c->state.restart_tries = 0;
        else
            c->state.restart_count++;
        c->goal = GOAL_RUNNING;
        c->keep = c->spec->restart != RESTART_NO || c->app[0];
        c->state.manually_stopped = false;
    }
    return 0;
}

/* The second half of `restart`, in the same pass as the first: its caller waits for both. */
static int start_again(struct engine *g, struct container **c, int64_t generation,
                       int64_t *again_ms, struct err *e)
{
    cleanup_free char *by = asked_by(g, (*c)->id);
    int r;

    if (container_change(g, (*c)->id, container_durable(*c), write_again, NULL, c, e))
        return -1;
    restart_intent_done(g, (*c)->id);
    if ((*c)->goal != GOAL_RUNNING)
        return 0;
    r = ensure_running(g, c, generation, again_ms, e);
    if (r == 0)
        event_emit_container(g, "restart", *c, by);
    return r;
}

/* ------------------------------------------------------------ removal */

/* Before the record goes: what is cut short here is found again with it. */
static void drop_anonymous_volumes(struct engine *g, const struct container *c, const char *by)
{
    bool asked;

    mutex_lock(&g->lock);
    asked = live_of(g, c->id)->remove_volumes;
    mutex_unlock(&g->lock);
    for (size_t i = 0; i < c->spec->n_mounts; i++) {
        const struct mount_spec *m = &c->spec->mounts[i];
        struct err e = ERR_INIT;

        if (m->type != MOUNT_VOLUME || !m->anonymous || !(asked || c->spec->auto_remove))
            continue;
        if (volume_remove_from(g, m->source, c->id, by, &e) && e.kind != ERR_CONFLICT &&
            e.kind != ERR_NOT_FOUND)
            log_warn("anonymous volume stays", "volume=%s error=%s", m->source, log_quote(e.msg));
    }
}

static int ensure_absent(struct engine *g, struct container **c, struct err *e)
{
    cleanup_free char *by = asked_by(g, (*c)->id);

    /* Its status says that it is being removed; whether a process is left, the pid says. */
    if ((*c)->state.pid &&
        (g->rt->ops->ensure_stopped(g->rt, (*c)->id, SIGNAL_KILL, 0, g->stop, e) || look(g, c, e)))
        return -1;
    if (container_erase(g, *c, e))
        return -1;
    if (FAULT("container.erased"))
        return err_set(e, ERR_IO, "remove container %s: injected", (*c)->name);
    drop_anonymous_volumes(g, *c, by);
    health_log_forget(g, (*c)->id);
    mutex_lock(&g->store);
    if (state_container_delete(g->st, (*c)->id, e)) {
        mutex_unlock(&g->store);
        return -1;
    }
    object_container_drop(g, (*c)->id);
    mutex_unlock(&g->store);
    event_emit_container(g, "destroy", *c, by);
    waits_wake(g, *c, false, true);
    return 0;
}

/* ------------------------------------------------------------ the whole */

/* What can change while it runs. */
static int follow(struct engine *g, struct container **c, int64_t generation, struct err *e)
{
    return endpoints_follow(g, c, e) || limits_follow(g, *c, generation, e) ? -1 : 0;
}

static int pass(struct engine *g, struct container **c, int64_t generation, int64_t *again_ms,
                struct err *e)
{
    int r;

    if (look(g, c, e))
        return -1;
    switch ((*c)->goal) {
    case GOAL_RUNNING:
        r = ensure_running(g, c, generation, again_ms, e);
        if (r)
            return r;
        if (container_is_up(*c) && follow(g, c, generation, e))
            return -1;
        break;
    case GOAL_PAUSED:
        r = ensure_paused(g, c, generation, e);
        return r == 0 && container_is_up(*c) ? follow(g, c, generation, e) : r;
    case GOAL_STOPPED:
        if (ensure_stopped(g, c, e))
            return -1;
        r = comes_back(g, (*c)->id) ? start_again(g, c, generation, again_ms, e) : 0;
        if (r)
            return r;
        break;
    case GOAL_CREATED:
    case GOAL_ABSENT:
        break;
    }
    /* An exit seen on the way may have changed the goal. */
    if ((*c)->goal == GOAL_ABSENT)
        return ensure_absent(g, c, e);
    if (!container_is_up(*c) && (*c)->goal != GOAL_RUNNING &&
        ((*c)->state.n_endpoints || container_holds_volumes(g, *c)))
        return container_down(g, *c, e);
    if ((*c)->state.status == STATUS_RUNNING)
        health_watch(g, *c);
    return 0;
}

static int write_observed(struct engine *g, struct container *c, void *arg, struct err *e)
{
    (void)g;
    (void)e;
    c->observed_generation = *(const int64_t *)arg;
    return 0;
}

static void settle(struct engine *g, const char *id, int64_t generation)
{
    cleanup_container struct container *now = object_container(g, id);

    if (now && now->observed_generation < generation)
        (void)!container_change(g, id, false, write_observed, &generation, NULL, ERR_IGNORE);
}

int container_reconcile(struct engine *g, const char *id, int64_t *again_ms, struct err *e)
{
    cleanup_container struct container *c = object_container(g, id);
    cleanup_free char *key = str_printf("container/%s", id);
    cleanup_free char *app = NULL;
    int64_t generation;
    int r;

    if (!c) {
        waiters_post(g, key, INT64_MAX, NULL);
        return 0;
    }
    generation = c->generation;
    app = xstrdup(c->app);
    r = pass(g, &c, generation, again_ms, e);
    settle(g, id, generation);
    waiters_post(g, key, generation, r ? e : NULL);
    if (app[0])
        queue_app(g, app, 0);
    if (r < 0 && c->goal == GOAL_ABSENT)
        e->kind = ERR_IO; /* a removal goes on until it is done */
    return r < 0 ? -1 : 0;
}
