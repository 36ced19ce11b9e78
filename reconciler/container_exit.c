/*
 * container_exit: what the runtime saw becomes what the record says.
 *
 * container_absorb() compares an observation with the record and writes down what is news: that the
 * process runs, that it is paused, that it ended.  An end is news once; it is told apart from the
 * last one by its time.  What follows from an end (restart policy, auto-remove) is decided here and
 * nowhere else.
 */
#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "reconciler/engine_internal.h"

#define BACKOFF_FIRST_MS 100
#define BACKOFF_MAX_MS   60000
#define STEADY_NS        (10 * NS_PER_SEC) /* having run this long starts the pauses anew */
#define KILL_COUNTS_MS   10000             /* an end this soon after `kill` was asked for by it */

/* ------------------------------------------------------------ waits */

static bool wait_over(const struct container_wait *w, const struct container *c, bool exited,
                      bool removed)
{
    if (removed)
        return true;
    switch (w->cond) {
    case WAIT_NOT_RUNNING:
        return exited || (c->state.status != STATUS_RUNNING && c->state.status != STATUS_PAUSED &&
                          c->state.status != STATUS_RESTARTING);
    case WAIT_NEXT_EXIT:
        return exited;
    case WAIT_REMOVED:
        return false;
    }
    return false;
}

void waits_wake(struct engine *g, const struct container *c, bool exited, bool removed)
{
    mutex_lock(&g->lock);
    for (struct container_wait *w = g->waits; w; w = w->next) {
        if (w->done || strcmp(w->id, c->id) != 0 || !wait_over(w, c, exited, removed))
            continue;
        w->done = true;
        w->exit_code = c->state.exit_code;
        w->error = str_empty(c->state.error) ? NULL : xstrdup(c->state.error);
        notify_ring(w->bell);
    }
    mutex_unlock(&g->lock);
}

int containers_wait_begin(struct engine *g, const char *ref, enum wait_condition cond,
                          struct container_wait **out, struct err *e)
{
    cleanup_container struct container *c = NULL;
    struct container_wait *w;

    if (containers_find(g, ref, &c, e))
        return -1;
    w = xcalloc(1, sizeof(*w));
    w->g = g;
    w->id = xstrdup(c->id);
    w->cond = cond;
    w->bell = notify_new();
    mutex_lock(&g->lock);
    w->next = g->waits;
    g->waits = w;
    mutex_unlock(&g->lock);

    /* Registered first: an end between the two is seen by one of them. */
    container_unref_p(&c);
    c = object_container(g, w->id);
    if (!c) {
        notify_ring(w->bell);
        mutex_lock(&g->lock);
        w->done = true;
        mutex_unlock(&g->lock);
    } else if (cond == WAIT_NOT_RUNNING) {
        waits_wake(g, c, false, false);
    }
    *out = w;
    return 0;
}

int containers_wait_end(struct container_wait *w, struct cancel *c, int *exit_code, char **error,
                        struct err *e)
{
    struct engine *g = w->g;
    struct container_wait **link;
    bool done = false;
    int r = 0;

    while (!done && r == 0) {
        r = notify_wait(w->bell, c, -1, e) < 0 ? -1 : 0;
        mutex_lock(&g->lock);
        done = w->done;
        mutex_unlock(&g->lock);
    }
    mutex_lock(&g->lock);
    for (link = &g->waits; *link && *link != w; link = &(*link)->next)
        ;
    if (*link)
        *link = w->next;
    mutex_unlock(&g->lock);
    if (done) {
        *exit_code = w->exit_code;
        *error = take_ptr(w->error);
        r = 0;
    }
    free(w->error);
    free(w->id);
    notify_free(w->bell);
    free(w);
    return r;
}

/* ------------------------------------------------------------ restart policy */

static bool policy_wants(const struct container *c, bool api_killed)
{
    const struct container_spec *s = c->spec;

    if (c->goal != GOAL_RUNNING && c->goal != GOAL_PAUSED)
        return false;
    if (c->app[0] && api_killed) /* what an app owns comes back, whoever ended it */
        return true;
    if (c->state.manually_stopped || !container_restarts_left(s, &c->state))
        return false;
    switch (s->restart) {
    case RESTART_NO:
        return false;
    case RESTART_ALWAYS:
    case RESTART_UNLESS_STOPPED:
        return true;
    case RESTART_ON_FAILURE:
        return c->state.exit_code != 0;
    }
    return false;
}

int64_t restart_schedule(struct engine *g, const struct container *c, int64_t ran_ns)
{
    int64_t delay_ms = c->spec->restart_delay_ns / NS_PER_MS, pause;
    struct live *l;

    mutex_lock(&g->lock);
    l = live_of(g, c->id);
    if (ran_ns >= STEADY_NS || l->backoff_ms == 0)
        l->backoff_ms = BACKOFF_FIRST_MS;
    else
        l->backoff_ms = l->backoff_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : l->backoff_ms * 2;
    pause = delay_ms > 0 ? delay_ms : l->backoff_ms;
    l->restart_at_ms = time_mono_ms() + pause;
    mutex_unlock(&g->lock);
    return pause;
}

/* ------------------------------------------------------------ absorbing */

struct exit_news {
    const struct container_observed *o;
    bool restart, api_killed;
    bool comes_back; /* the end is the first half of `restart` */
};

static int write_exit(struct engine *g, struct container *c, void *arg, struct err *e)
{
    struct exit_news *news = arg;
    int64_t window_ns = c->spec->restart_window_ns;

    (void)g;
    (void)e;
    if (!str_empty(c->state.health)) /* nobody looks any more, which Docker calls so */
        str_set(&c->state.health, "unhealthy");
    c->state.pid = 0;
    c->state.exit_code = news->o->exit_code;
    c->state.oom_killed = news->o->oom_killed;
    c->state.ooms = news->o->ooms;
    c->state.started_ns = news->o->started_ns;
    c->state.finished_ns = news->o->finished_ns;
    if (news->o->lost)
        str_set(&c->state.error,
                "the shim ended before the container did; its exit code is a guess");
    if (window_ns > 0 && news->o->finished_ns - news->o->started_ns >= window_ns)
        c->state.restart_tries = 0; /* the last restart did last */
    if (news->api_killed && !c->app[0])
        c->state.manually_stopped = true;
    news->restart = policy_wants(c, news->api_killed);
    if (c->state.status != STATUS_REMOVING)
        c->state.status = news->restart ? STATUS_RESTARTING : STATUS_EXITED;
    if (news->restart) {
        c->state.restart_count++;
        c->state.restart_tries++;
        c->goal = GOAL_RUNNING; /* what was frozen is not frozen again */
    } else if (c->goal == GOAL_RUNNING || c->goal == GOAL_PAUSED) {
        c->goal = c->spec->auto_remove ? GOAL_ABSENT : GOAL_STOPPED;
        c->keep = false;
    } else if (c->goal == GOAL_STOPPED && c->spec->auto_remove && !news->comes_back) {
        c->goal = GOAL_ABSENT;
    }
    return 0;
}

/* Has it run out of memory since it was last looked at? */
static bool oom_is_news(const struct container *c, const struct container_observed *o)
{
    const struct container_state *s = &c->state;

    if (s->started_ns != o->started_ns)
        return o->oom_killed;
    return o->ooms > s->ooms || (o->oom_killed && !s->oom_killed);
}

static void emit_exit(struct engine *g, const struct container *c,
                      const struct container_observed *o, bool oom)
{
    int64_t ran_s = o->started_ns > 0 ? (o->finished_ns - o->started_ns) / NS_PER_SEC : 0;
    struct event ev;

    if (oom)
        event_emit_container(g, "oom", c, NULL);
    event_for_container(&ev, "die", c, NULL);
    kvs_setf(&ev.attributes, "exitCode", "%d", o->exit_code);
    kvs_setf(&ev.attributes, "execDuration", "%lld", (long long)(ran_s > 0 ? ran_s : 0));
    engine_event(g, &ev);
}

static int absorb_exit(struct engine *g, struct container **c, const struct container_observed *o,
                       struct err *e)
{
    struct exit_news news = {.o = o};
    bool oom = oom_is_news(*c, o);
    struct live *l;

    mutex_lock(&g->lock);
    l = live_of(g, (*c)->id);
    news.api_killed = l->killed_ms && time_mono_ms() - l->killed_ms < KILL_COUNTS_MS;
    news.comes_back = l->restart;
    mutex_unlock(&g->lock);
    if (FAULT("container.exit"))
        return err_set(e, ERR_IO, "the end of %s: injected", (*c)->name);
    if (container_change(g, (*c)->id, container_durable(*c), write_exit, &news, c, e))
        return -1;
    mutex_lock(&g->lock);
    live_of(g, (*c)->id)->killed_ms = 0;
    mutex_unlock(&g->lock);
    log_info("container ended", "id=%.12s name=%s exit=%d oom=%d", (*c)->id, (*c)->name,
             o->exit_code, o->oom_killed);
    emit_exit(g, *c, o, oom);
    if (news.restart)
        queue_container(g, (*c)->id, restart_schedule(g, *c, o->finished_ns - o->started_ns));
    waits_wake(g, *c, true, false);
    return 0;
}

static int write_running(struct engine *g, struct container *c, void *arg, struct err *e)
{
    const struct container_observed *o = arg;

    (void)g;
    (void)e;
    if (c->state.started_ns != o->started_ns) {
        str_set(&c->state.health, health_at_start(c->spec));
        c->state.oom_killed = false;
        c->state.ooms = 0;
    }
    c->state.pid = o->pid;
    c->state.started_ns = o->started_ns;
    c->state.exit_code = 0;
    str_set(&c->state.error, "");
    if (c->state.status != STATUS_REMOVING)
        c->state.status = o->phase == CONTAINER_PAUSED ? STATUS_PAUSED : STATUS_RUNNING;
    return 0;
}

/* Who it was that started, paused or unpaused it. */
static void emit_change(struct engine *g, const struct container *c, const char *action)
{
    cleanup_free char *by = NULL;
    struct live *l;

    mutex_lock(&g->lock);
    l = live_of(g, c->id);
    by = l->started_by ? take_ptr(l->started_by) : str_dup_or_null(l->removed_by);
    mutex_unlock(&g->lock);
    event_emit_container(g, action, c, by);
}

static int write_oom(struct engine *g, struct container *c, void *arg, struct err *e)
{
    const struct container_observed *o = arg;

    (void)g;
    (void)e;
    c->state.oom_killed = true;
    c->state.ooms = o->ooms;
    return 0;
}

/* It goes on all the same, or ends soon. */
static int absorb_oom(struct engine *g, struct container **c, const struct container_observed *o,
                      struct err *e)
{
    if (!oom_is_news(*c, o))
        return 0;
    if (container_change(g, (*c)->id, false, write_oom, (void *)o, c, e))
        return -1;
    log_info("container is out of memory", "id=%.12s name=%s", (*c)->id, (*c)->name);
    event_emit_container(g, "oom", *c, NULL);
    return 0;
}

int container_absorb(struct engine *g, struct container **c, const struct container_observed *o,
                     struct err *e)
{
    struct container_observed gone = {.phase = CONTAINER_EXITED, .exit_code = 137, .lost = true};
    enum container_status seen;
    bool was;

    switch (o->phase) {
    case CONTAINER_RUNNING:
    case CONTAINER_PAUSED:
        seen = o->phase == CONTAINER_PAUSED ? STATUS_PAUSED : STATUS_RUNNING;
        was = (*c)->state.pid == o->pid && (*c)->state.started_ns == o->started_ns;
        if (was && ((*c)->state.status == seen || (*c)->state.status == STATUS_REMOVING))
            return absorb_oom(g, c, o, e);
        if (container_change(g, (*c)->id, false, write_running, (void *)o, c, e))
            return -1;
        emit_change(g, *c, !was ? "start" : seen == STATUS_PAUSED ? "pause" : "unpause");
        return absorb_oom(g, c, o, e);
    case CONTAINER_EXITED:
        if ((*c)->state.finished_ns == o->finished_ns)
            return 0;
        if ((*c)->state.started_ns != o->started_ns) /* it began and ended between two looks */
            emit_change(g, *c, "start");
        return absorb_exit(g, c, o, e);
    case CONTAINER_ABSENT:
    case CONTAINER_CREATED:
        if (!container_is_up(*c) && (*c)->state.pid == 0)
            return 0;
        gone.started_ns =
            (*c)->state.started_ns; /* the host rebooted, or its runtime directory went */
        gone.finished_ns = time_wall_ns();
        return absorb_exit(g, c, &gone, e);
    }
    return 0;
}
