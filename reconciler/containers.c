/*
 * containers: the calls that change a container's life.
 *
 * Each writes a goal, queues the key and waits for the worker's word on that very write.  What may
 * not be asked for in the present state is refused from the snapshot, before anything is written.
 */
#include <string.h>

#include "base/log.h"
#include "reconciler/engine_internal.h"

#define STOP_DEFAULT_S 10

/* Its start has been asked for and is neither done nor refused yet. */
static bool is_starting(const struct container *c)
{
    return c->goal == GOAL_RUNNING && c->generation > c->observed_generation;
}

/* ------------------------------------------------------------ goals */

struct goal_write {
    const struct goal_request *rq;
    struct waiter *w; /* NULL: nobody waits */
    bool restart_off; /* a restart under way was called off by this */
};

/* Who asked, and how: gone with the process, unlike the goal itself. */
static void write_live(struct engine *g, const char *id, struct goal_write *gw)
{
    const struct goal_request *rq = gw->rq;
    struct live *l;

    mutex_lock(&g->lock);
    l = live_of(g, id);
    gw->restart_off = l->restart && !rq->restart;
    l->restart = rq->restart;
    l->anew = rq->anew;
    if (rq->anew)
        l->backoff_ms = 0;
    if (rq->goal == GOAL_ABSENT || rq->by) {
        str_set(&l->removed_by, rq->by);
        l->remove_volumes = l->remove_volumes || rq->remove_volumes;
        l->restart_at_ms = 0;
    }
    mutex_unlock(&g->lock);
}

static int write_goal(struct engine *g, struct container *c, void *arg, struct err *e)
{
    struct goal_write *gw = arg;
    const struct goal_request *rq = gw->rq;

    if (c->goal == GOAL_ABSENT && rq->goal != GOAL_ABSENT)
        return err_set(e, ERR_CONFLICT, "container is marked for removal and cannot be started");
    c->goal = rq->goal;
    c->keep = rq->keep;
    c->generation++;
    if (rq->goal == GOAL_RUNNING && rq->anew)
        c->state.restart_count = c->state.restart_tries = 0;
    if (rq->goal == GOAL_RUNNING)
        c->state.manually_stopped = false;
    else if (rq->hold)
        c->state.manually_stopped = true;
    if (rq->goal == GOAL_STOPPED) {
        c->stop_grace_s = rq->stop_grace_s;
        c->stop_sig = rq->stop_sig;
    }
    if (rq->goal == GOAL_ABSENT)
        c->state.status = STATUS_REMOVING;
    write_live(g, c->id, gw);
    if (gw->w)
        waiter_register(g, gw->w, gw->w->key, c->generation);
    return 0;
}

/* A start that nobody would miss after a power cut need not wait for the disk. */
static bool goal_durable(struct engine *g, const char *id)
{
    cleanup_container struct container *c = object_container(g, id);

    return c && container_durable(c) && (c->spec->restart != RESTART_NO || c->app[0]);
}

void restart_intent_done(struct engine *g, const char *id)
{
    cleanup_free char *key = str_printf("restart/%s", id);
    struct err e = ERR_INIT;

    if (state_intent_done(g->st, key, &e))
        log_warn("restart is still noted as under way", "id=%.12s error=%s", id, log_quote(e.msg));
}

int container_set_goal(struct engine *g, const char *id, const struct goal_request *rq,
                       struct waiter *w, struct container **after, struct err *e)
{
    bool durable = rq->goal == GOAL_ABSENT || goal_durable(g, id);
    struct goal_write gw = {.rq = rq, .w = w};
    cleanup_container struct container *c = NULL;

    if (container_change(g, id, durable, write_goal, &gw, &c, e)) {
        if (w)
            waiter_forget(g, w);
        return -1;
    }
    if (gw.restart_off)
        restart_intent_done(g, id);
    if (after)
        *after = container_ref(c);
    queue_container(g, id, 0);
    return 0;
}

static int set_goal_and_wait(struct engine *g, const char *id, const struct goal_request *rq,
                             struct cancel *c, struct err *e)
{
    cleanup_free char *key = str_printf("container/%s", id);
    struct waiter w = {.key = key};

    if (container_set_goal(g, id, rq, &w, NULL, e))
        return -1;
    return waiter_wait(g, &w, c, e);
}

/* ------------------------------------------------------------ start, stop, restart */

int containers_start(struct engine *g, const char *ref, const char *by, struct cancel *c,
                     struct err *e)
{
    cleanup_container struct container *ct = NULL;
    struct goal_request rq = {.goal = GOAL_RUNNING, .by = by, .anew = true};

    if (containers_find(g, ref, &ct, e))
        return -1;
    if (ct->state.status == STATUS_PAUSED)
        return err_set(e, ERR_CONFLICT, "cannot start a paused container, try unpause instead");
    if (ct->state.status == STATUS_RUNNING || ct->state.status == STATUS_RESTARTING)
        return err_set(e, ERR_NOT_MODIFIED, "container %s is already running", ct->name);
    if (ct->state.status == STATUS_REMOVING || ct->state.status == STATUS_DEAD)
        return err_set(e, ERR_CONFLICT, "container is marked for removal and cannot be started");
    rq.keep = ct->spec->restart != RESTART_NO;
    return set_goal_and_wait(g, ct->id, &rq, c, e);
}

static int stop_request(struct engine *g, const struct container *ct, const char *signal,
                        int64_t timeout_s, struct goal_request *rq, struct err *e)
{
    if (signal && *signal && signal_parse(signal, &rq->stop_sig, e))
        return err_wrap(e, "cannot %s container: %s", rq->restart ? "restart" : "stop", ct->name);
    rq->goal = GOAL_STOPPED;
    rq->stop_grace_s = timeout_s;
    if (timeout_s == -2)
        rq->stop_grace_s = ct->spec->stop_timeout_s >= 0   ? ct->spec->stop_timeout_s
                           : g->cfg.default_stop_timeout_s ? g->cfg.default_stop_timeout_s
                                                           : STOP_DEFAULT_S;
    return 0;
}

int containers_stop(struct engine *g, const char *ref, const char *signal, int64_t timeout_s,
                    const char *by, struct cancel *c, struct err *e)
{
    cleanup_container struct container *ct = NULL;
    struct goal_request rq = {.by = by, .hold = true};

    if (containers_find(g, ref, &ct, e) || stop_request(g, ct, signal, timeout_s, &rq, e))
        return -1;
    if (!container_is_up(ct) && ct->state.status != STATUS_RESTARTING && !is_starting(ct))
        return err_set(e, ERR_NOT_MODIFIED, "container %s is already stopped", ct->name);
    return set_goal_and_wait(g, ct->id, &rq, c, e);
}

/*
 * One goal, not two calls in a row: a caller who hangs up does not leave it stopped.  The intent
 * survives the agent; adopt() finishes what was cut between stop and start.
 */
int containers_restart(struct engine *g, const char *ref, const char *signal, int64_t timeout_s,
                       const char *by, struct cancel *c, struct err *e)
{
    cleanup_container struct container *ct = NULL;
    struct goal_request rq = {.by = by, .restart = true, .anew = true};
    cleanup_free char *key = NULL;

    if (containers_find(g, ref, &ct, e) || stop_request(g, ct, signal, timeout_s, &rq, e))
        return -1;
    key = str_printf("restart/%s", ct->id);
    if (state_intent_put(g->st, key, "restart", e))
        return -1;
    if (set_goal_and_wait(g, ct->id, &rq, c, e)) {
        if (e->kind != ERR_CANCELLED)
            restart_intent_done(g, ct->id);
        return -1;
    }
    return 0;
}

static int not_running(const struct container *c, const char *what, struct err *e)
{
    return err_set(e, ERR_CONFLICT, "%scontainer %s is not running", what, c->id);
}

static int mark_manual(struct engine *g, struct container *c, void *arg, struct err *e)
{
    (void)g;
    (void)arg;
    (void)e;
    c->state.manually_stopped = true;
    return 0;
}

/* Does the restart policy rest when the container ends by this?  With a stop signal of its own,
 * others than that and KILL are only messages: dockerd's rule. */
static bool kill_ends(const struct container *c, int sig)
{
    int own;

    if (sig == SIGNAL_KILL || str_empty(c->spec->stop_signal))
        return true;
    return signal_parse(c->spec->stop_signal, &own, ERR_IGNORE) == 0 && own == sig;
}

static int note_kill(struct engine *g, const struct container *c, int sig, struct err *e)
{
    if (!kill_ends(c, sig))
        return 0;
    mutex_lock(&g->lock);
    live_of(g, c->id)->killed_ms = time_mono_ms();
    mutex_unlock(&g->lock);
    /* Of the others it is only known when the container has ended. */
    return sig == SIGNAL_KILL && !c->app[0]
               ? container_change(g, c->id, false, mark_manual, NULL, NULL, e)
               : 0;
}

/* Between two lives there is nothing to send a signal to; the next one is called off.  An app's
 * container would come back in any case. */
static int kill_next_life(struct engine *g, const struct container *c, int sig, const char *by,
                          struct err *e)
{
    struct goal_request rq = {.goal = GOAL_STOPPED, .by = by, .hold = true, .stop_sig = sig};

    return c->app[0] ? 0 : set_goal_and_wait(g, c->id, &rq, NULL, e);
}

/*
 * A kill is no goal: the signal goes straight to the process.  One that ends it counts as a manual
 * stop for the restart policy, as with Docker, but not for an app: what an app owns comes back.
 */
int containers_kill(struct engine *g, const char *ref, const char *signal, const char *by,
                    struct err *e)
{
    cleanup_container struct container *c = NULL;
    cleanup_free char *what = NULL;
    int sig = SIGNAL_KILL;

    if (containers_find(g, ref, &c, e) || (signal && *signal && signal_parse(signal, &sig, e)))
        return err_wrap(e, "cannot kill container: %s", ref);
    what = str_printf("cannot kill container: %s: ", ref);
    if (c->state.status == STATUS_RESTARTING)
        return kill_next_life(g, c, sig, by, e);
    if (!container_is_up(c))
        return not_running(c, what, e);
    if (note_kill(g, c, sig, e))
        return -1;
    event_emit_kill(g, c, sig, by);
    if (g->rt->ops->signal(g->rt, c->id, sig, e))
        return err_wrap(e, "cannot kill container: %s", ref);
    if (sig == SIGNAL_KILL &&
        c->state.status == STATUS_PAUSED) /* a frozen process dies when it thaws */
        (void)g->rt->ops->ensure_paused(g->rt, c->id, false, ERR_IGNORE);
    return 0;
}

int containers_pause(struct engine *g, const char *ref, bool paused, const char *by,
                     struct cancel *cn, struct err *e)
{
    cleanup_container struct container *c = NULL, *after = NULL;
    struct goal_request rq = {.goal = paused ? GOAL_PAUSED : GOAL_RUNNING, .by = by};

    if (containers_find(g, ref, &c, e))
        return -1;
    if (!paused && c->state.status != STATUS_PAUSED)
        return err_set(e, ERR_INTERNAL, "Container %s is not paused", c->id);
    if (paused && c->state.status == STATUS_PAUSED)
        return err_set(e, ERR_CONFLICT, "Container %s is already paused", c->id);
    if (paused && c->state.status == STATUS_RESTARTING)
        return err_set(e, ERR_CONFLICT,
                       "Container %s is restarting, wait until the container is running", c->id);
    if (paused && c->state.status != STATUS_RUNNING)
        return not_running(c, "", e);
    rq.keep = c->spec->restart != RESTART_NO;
    if (set_goal_and_wait(g, c->id, &rq, cn, e))
        return -1;
    after = object_container(g, c->id);
    if (paused && (!after || !container_is_up(after))) /* it ended before it could be frozen */
        return not_running(c, "", e);
    return 0;
}

/* ------------------------------------------------------------ rename, remove */

struct rename {
    const char *name;
};

static int change_name(struct engine *g, struct container *c, void *arg, struct err *e)
{
    const struct rename *r = arg;
    char taken_by[80] = "";
    const char *id;

    mutex_lock(&g->lock);
    id = map_get(&g->names, r->name);
    if (id)
        str_copy(taken_by, sizeof(taken_by), id);
    mutex_unlock(&g->lock);
    if (taken_by[0])
        return err_set(e, ERR_CONFLICT,
                       "Error when allocating new name: Conflict. The container name \"/%s\" is "
                       "already in use "
                       "by container \"%s\". You have to remove (or rename) that container to be "
                       "able to reuse "
                       "that name.",
                       r->name, taken_by);
    for (size_t i = 0; i < c->state.n_endpoints; i++) {
        struct strv *names = &c->state.endpoints[i].dns_names;

        for (size_t k = 0; k < names->n; k++)
            if (strcmp(names->v[k], c->name) == 0)
                str_set(&names->v[k], r->name);
    }
    str_set(&c->name, r->name);
    return 0;
}

int containers_rename(struct engine *g, const char *ref, const char *name, const char *by,
                      struct err *e)
{
    cleanup_container struct container *c = NULL, *after = NULL;
    struct rename r = {.name = name && name[0] == '/' ? name + 1 : name};
    struct event ev;

    if (str_empty(r.name))
        return err_set(e, ERR_INVALID, "Neither old nor new names may be empty");
    if (containers_find(g, ref, &c, e))
        return -1;
    if (strcmp(c->name, r.name) == 0)
        return err_set(e, ERR_INVALID,
                       "Renaming a container with the same name as its current name");
    if (!container_name_valid(r.name))
        return err_set(e, ERR_INVALID,
                       "Error when allocating new name: Invalid container name (/%s), only "
                       "[a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
                       r.name);
    if (container_change(g, c->id, true, change_name, &r, &after, e))
        return -1;
    for (size_t i = 0; i < after->state.n_endpoints; i++) /* whose hosts files have the old name */
        queue_network(g, after->state.endpoints[i].network_id);
    event_for_container(&ev, "rename", after, by);
    kvs_setf(&ev.attributes, "oldName", "/%s", c->name);
    engine_event(g, &ev);
    return 0;
}

static int refuse_removal(const struct container *c, const char *ref, struct err *e)
{
    static const struct {
        enum container_status status;
        const char *why;
    } rows[] = {
        {STATUS_RUNNING,
         "container is running: stop the container before removing or force remove"   },
        {STATUS_PAUSED,     "container is paused and must be unpaused first"          },
        {STATUS_RESTARTING,
         "container is restarting: stop the container before removing or force remove"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (c->state.status == rows[i].status)
            return err_set(e, ERR_CONFLICT, "cannot remove container \"%s\": %s", ref, rows[i].why);
    if (is_starting(c))
        return err_set(e, ERR_CONFLICT, "cannot remove container \"%s\": %s", ref, rows[0].why);
    return 0;
}

int containers_remove(struct engine *g, const char *ref, bool force, bool volumes, const char *by,
                      struct cancel *cn, struct err *e)
{
    cleanup_container struct container *c = NULL;
    struct goal_request rq = {.goal = GOAL_ABSENT, .by = by, .remove_volumes = volumes};

    if (containers_find(g, ref, &c, e) || (!force && refuse_removal(c, c->name, e)))
        return -1;
    if (container_is_up(c)) { /* a worker may be waiting for its grace to pass */
        event_emit_kill(g, c, SIGNAL_KILL, by);
        (void)g->rt->ops->signal(g->rt, c->id, SIGNAL_KILL, ERR_IGNORE);
        if (c->state.status == STATUS_PAUSED)
            (void)g->rt->ops->ensure_paused(g->rt, c->id, false, ERR_IGNORE);
    }
    if (set_goal_and_wait(g, c->id, &rq, cn, e))
        return e->kind == ERR_NOT_FOUND ? 0 : -1;
    return 0;
}
