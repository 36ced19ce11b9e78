/*
 * await: how an API call gets the outcome of its own write.
 *
 * The caller registers under the generation of its write before that write can be seen, so no
 * worker can have dealt with it unheard.  A worker that has dealt with generation G answers
 * everybody who waits for G or less.  Whoever hangs up is forgotten; the work goes on.
 */
#include <string.h>

#include "reconciler/engine_internal.h"

void waiter_register(struct engine *g, struct waiter *w, const char *key, int64_t generation)
{
    *w = (struct waiter){.key = key, .generation = generation, .bell = notify_new()};
    mutex_lock(&g->lock);
    w->next = g->waiters;
    g->waiters = w;
    mutex_unlock(&g->lock);
}

void waiter_forget(struct engine *g, struct waiter *w)
{
    struct waiter **link;

    if (!w->bell)
        return;
    mutex_lock(&g->lock);
    for (link = &g->waiters; *link && *link != w; link = &(*link)->next)
        ;
    if (*link)
        *link = w->next;
    mutex_unlock(&g->lock);
    notify_free(w->bell);
    w->bell = NULL;
}

int waiter_wait(struct engine *g, struct waiter *w, struct cancel *c, struct err *e)
{
    bool done = false;
    int r = 0;

    while (!done) {
        if (notify_wait(w->bell, c, -1, e) < 0) {
            r = -1;
            break;
        }
        mutex_lock(&g->lock);
        done = w->done;
        mutex_unlock(&g->lock);
    }
    waiter_forget(g, w);
    if (r == 0 && w->err.kind != ERR_OK) {
        *e = w->err;
        return -1;
    }
    return r;
}

void waiters_post(struct engine *g, const char *key, int64_t generation, const struct err *e)
{
    mutex_lock(&g->lock);
    for (struct waiter *w = g->waiters; w; w = w->next) {
        if (w->done || w->generation > generation || strcmp(w->key, key) != 0)
            continue;
        w->done = true;
        w->err = e ? *e : ERR_INIT;
        notify_ring(w->bell);
    }
    mutex_unlock(&g->lock);
}
