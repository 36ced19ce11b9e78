/*
 * update: new limits for a container, also while it runs.
 *
 * The record is changed first; then the container's worker writes the limits to the kernel, and the
 * caller hears how that went.  When the kernel refuses them the record is as before.  A crash in
 * between leaves an intent, by which the next agent writes them.
 */
#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "reconciler/engine_internal.h"

struct change {
    const struct container_update *u;
    struct container_spec *before; /* out */
    struct waiter *w;
    bool runs; /* out */
};

/* The worker that sees the container run writes its limits to the kernel. */
static void mark(struct engine *g, const char *id)
{
    mutex_lock(&g->lock);
    live_of(g, id)->limits_changed = true;
    mutex_unlock(&g->lock);
}

static int write_update(struct engine *g, struct container *c, void *arg, struct err *e)
{
    struct change *ch = arg;

    ch->before = container_spec_copy(c->spec);
    if (container_update_apply(ch->u, c->spec, e))
        return -1;
    if (ch->u->restart && (c->goal == GOAL_RUNNING || c->goal == GOAL_PAUSED))
        c->keep = c->spec->restart != RESTART_NO || c->app[0];
    mark(g, c->id); /* for the start that may be under way with what was before, too */
    ch->runs = container_is_up(c);
    if (!ch->runs)
        return 0;
    c->generation++;
    waiter_register(g, ch->w, ch->w->key, c->generation);
    return 0;
}

static int write_back(struct engine *g, struct container *c, void *arg, struct err *e)
{
    struct change *ch = arg;

    (void)g;
    (void)e;
    container_update_undo(c->spec, ch->before);
    return 0;
}

static char *intent_key(const char *id)
{
    return str_printf("update/%s", id);
}

static int apply(struct engine *g, const struct container *c, struct change *ch, struct cancel *cn,
                 struct err *e)
{
    cleanup_free char *key = str_printf("container/%s", c->id);
    struct waiter w = {.key = key};

    ch->w = &w;
    if (container_change(g, c->id, container_durable(c), write_update, ch, NULL, e)) {
        waiter_forget(g, &w);
        return -1;
    }
    if (FAULT("update.written")) {
        waiter_forget(g, &w); /* it stands on this stack */
        return err_set(e, ERR_IO, "update of %s: injected", c->name);
    }
    queue_container(g, c->id, 0);
    return ch->runs ? waiter_wait(g, &w, cn, e) : 0;
}

/* Some of the limits may have been written before the one that was refused. */
static void take_back(struct engine *g, const struct container *c, struct change *ch)
{
    struct err e = ERR_INIT;

    if (container_change(g, c->id, true, write_back, ch, NULL, &e))
        log_warn("limits that were refused are still recorded", "id=%.12s error=%s", c->id,
                 log_quote(e.msg));
    mark(g, c->id);
    queue_container(g, c->id, 0);
}

int containers_update(struct engine *g, const char *ref, struct container_update *u,
                      struct strv *warnings, const char *by, struct cancel *cn, struct err *e)
{
    cleanup_container struct container *c = NULL;
    cleanup_free char *intent = NULL;
    struct change ch = {.u = u};
    struct err why = ERR_INIT;
    int r;

    if (create_for_host(g, u->spec, warnings, e) || container_update_check(u, e) ||
        containers_find(g, ref, &c, e))
        return -1;
    if (c->state.status == STATUS_REMOVING || c->state.status == STATUS_DEAD)
        return err_set(e, ERR_CONFLICT,
                       "Cannot update container %s: container is marked for removal and cannot be "
                       "updated",
                       c->id);
    intent = intent_key(c->id);
    if (state_intent_put(g->st, intent, "update", e))
        return -1;
    r = apply(g, c, &ch, cn, &why);
    if (r && why.kind == ERR_CANCELLED) { /* the caller has gone, the work goes on */
        container_spec_free(ch.before);
        *e = why;
        return -1;
    }
    if (r && ch.runs)
        take_back(g, c, &ch);
    container_spec_free(ch.before);
    if (state_intent_done(g->st, intent, ERR_IGNORE))
        log_debug("an update is still noted as under way", NULL);
    if (r) {
        *e = why;
        return err_wrap(e, "Cannot update container %s", c->id);
    }
    event_emit_container(g, "update", c, by);
    return 0;
}

/* ------------------------------------------------------------ the worker's half */

/*
 * The record is read under the lock that it was marked and changed under; the look's own copy may
 * be older than the mark.  What is newer than the look is written, and again by the look that its
 * caller waits for: nobody else hears if the kernel refuses it.
 */
int limits_follow(struct engine *g, const struct container *c, int64_t generation, struct err *e)
{
    cleanup_container struct container *now = NULL;
    bool changed;

    mutex_lock(&g->lock);
    changed = live_of(g, c->id)->limits_changed;
    mutex_unlock(&g->lock);
    if (!changed)
        return 0;
    mutex_lock(&g->store);
    now = object_container(g, c->id);
    mutex_lock(&g->lock);
    live_of(g, c->id)->limits_changed = now && now->generation > generation;
    mutex_unlock(&g->lock);
    mutex_unlock(&g->store);
    return now ? g->rt->ops->update(g->rt, c->id, now->spec, e) : 0;
}

int updates_finish(struct engine *g, struct err *e)
{
    cleanup_strv struct strv keys = {0};

    if (state_intents_of(g->st, "update/", &keys, e))
        return -1;
    for (size_t i = 0; i < keys.n; i++) {
        cleanup_container struct container *c = object_container(g, keys.v[i] + strlen("update/"));

        if (c)
            mark(g, c->id);
        if (state_intent_done(g->st, keys.v[i], e))
            return -1;
    }
    return 0;
}
