/*
 * stats: samples of what containers use, shared between those who watch the same one.
 *
 * Nobody samples while nobody asks.  A sample is taken outside the lock, so two who ask at the same
 * moment may take one each; the later one stays.
 */
#include "base/mem.h"
#include "reconciler/engine_internal.h"

#define SAMPLE_MS 400 /* below the second that clients wait between two */

static struct container_stats *recent(struct engine *g, const char *id)
{
    struct container_stats *s = NULL;
    struct live *l;

    mutex_lock(&g->lock);
    l = map_get(&g->live, id); /* it may have been removed: nothing is made for it */
    if (l && l->sample && time_mono_ms() - l->sampled_ms < SAMPLE_MS)
        s = container_stats_ref(l->sample);
    mutex_unlock(&g->lock);
    return s;
}

static void keep(struct engine *g, const char *id, struct container_stats *s)
{
    struct container_stats *old = NULL;
    struct live *l;

    mutex_lock(&g->lock);
    if (map_get(&g->containers, id)) {
        l = live_of(g, id);
        old = l->sample;
        l->sample = container_stats_ref(s);
        l->sampled_ms = time_mono_ms();
    }
    mutex_unlock(&g->lock);
    container_stats_unref(old);
}

int containers_stats(struct engine *g, const char *ref, struct container_stats **out, struct err *e)
{
    cleanup_container struct container *c = NULL;
    cleanup_stats struct container_stats *s = NULL;
    cleanup_free char *netns = NULL;

    if (containers_find(g, ref, &c, e))
        return -1;
    if (!container_is_up(c)) {
        *out = container_stats_new();
        return 0;
    }
    *out = recent(g, c->id);
    if (*out)
        return 0;
    s = container_stats_new();
    netns = container_netns(g, c);
    if (g->rt->ops->stats(g->rt, c->id, netns != NULL, s, e)) {
        if (e->kind != ERR_CONFLICT)
            return -1;
        *out = container_stats_new(); /* it has just ended */
        return 0;
    }
    keep(g, c->id, s);
    *out = take_ptr(s);
    return 0;
}
