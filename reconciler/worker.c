/*
 * worker: the threads that take keys.
 *
 * A worker blocks (a stop waits for its grace period, a start for the shim), so the pool grows when
 * a key finds nobody idle, up to WORKERS_MAX, and shrinks again: a thread that got nothing for a
 * while ends, down to the configured number.
 *
 * Errors steer: a kind that may pass on its own comes back with growing pauses; a terminal one is
 * the object's last error and rests until something changes.
 */
#include <string.h>

#include "base/log.h"
#include "reconciler/engine_internal.h"

#define WORKERS_MAX     256
#define WORKERS_DEFAULT 4
#define IDLE_MS         5000
#define RETRY_FIRST_MS  500
#define RETRY_MAX_MS    60000

static const struct {
    const char *kind;
    int (*reconcile)(struct engine *g, const char *name, int64_t *again_ms, struct err *e);
} controllers[] = {
    {"container/", container_reconcile},
    {"network/",   network_reconcile  },
    {"app/",       app_reconcile      },
    {"pull/",      app_image_pull     },
    {"health/",    health_reconcile   },
    {"probe/",     probe_reconcile    },
};

static bool may_pass(enum err_kind kind)
{
    return kind == ERR_UNAVAILABLE || kind == ERR_TIMEOUT || kind == ERR_IO || kind == ERR_INTERNAL;
}

/* Pauses per key: doubled on each failure in a row, forgotten on success.  One worker has the key.
 */
static int64_t next_pause(struct engine *g, const char *key, bool failed)
{
    cleanup_free char *slot = str_printf("retry %s", key);
    int64_t pause;
    struct live *l;

    mutex_lock(&g->lock);
    if (failed) {
        l = live_of(g, slot);
        pause = l->backoff_ms ? l->backoff_ms * 2 : RETRY_FIRST_MS;
        l->backoff_ms = pause > RETRY_MAX_MS ? RETRY_MAX_MS : pause;
        pause = l->backoff_ms;
    } else {
        map_del(&g->live, slot);
        pause = 0;
    }
    mutex_unlock(&g->lock);
    return pause;
}

static void handle(struct engine *g, const char *key)
{
    struct err e = ERR_INIT;
    int64_t again_ms = 0;

    for (size_t i = 0; i < ARRAY_LEN(controllers); i++) {
        int64_t pause;

        if (!str_starts(key, controllers[i].kind))
            continue;
        if (controllers[i].reconcile(g, key + strlen(controllers[i].kind), &again_ms, &e) == 0) {
            (void)next_pause(g, key, false);
            if (again_ms > 0)
                workqueue_add_after(g->q, key, again_ms);
            return;
        }
        if (!may_pass(e.kind)) {
            log_debug("reconcile ended", "key=%s error=%s", key, log_quote(e.msg));
            return;
        }
        pause = next_pause(g, key, true);
        log_warn("reconcile failed, will try again", "key=%s in_ms=%lld error=%s", key,
                 (long long)pause, log_quote(e.msg));
        workqueue_add_after(g->q, key, pause);
        return;
    }
}

static void worker_main(void *arg)
{
    struct engine *g = arg;
    bool stay = true;

    while (stay) {
        char *key = workqueue_get(g->q, IDLE_MS);

        if (key) {
            workers_need(g); /* somebody must be free for what becomes due meanwhile */
            handle(g, key);
            workqueue_done(g->q, key);
            free(key);
            workers_need(g);
            continue;
        }
        mutex_lock(&g->lock);
        stay = !workqueue_stopping(g->q) &&
               (g->n_workers <= (size_t)g->cfg.workers || workqueue_backlog(g->q));
        if (!stay)
            g->n_workers--;
        cond_signal(&g->workers_gone);
        mutex_unlock(&g->lock);
    }
}

static void spawn(struct engine *g)
{
    struct err e = ERR_INIT;

    if (thread_start_detached("worker", worker_main, g, &e) == 0)
        return;
    mutex_lock(&g->lock);
    g->n_workers--;
    mutex_unlock(&g->lock);
    log_warn("no more workers", "error=%s", log_quote(e.msg));
}

void workers_need(struct engine *g)
{
    bool more;

    if (!workqueue_backlog(g->q))
        return;
    mutex_lock(&g->lock);
    more = g->open_for_work && g->n_workers < WORKERS_MAX;
    if (more)
        g->n_workers++;
    mutex_unlock(&g->lock);
    if (more)
        spawn(g);
}

int workers_start(struct engine *g, struct err *e)
{
    (void)e;
    if (g->cfg.workers <= 0)
        g->cfg.workers = WORKERS_DEFAULT;
    mutex_lock(&g->lock);
    g->open_for_work = true;
    g->n_workers++;
    mutex_unlock(&g->lock);
    spawn(g);
    workers_need(g);
    return 0;
}

void workers_stop(struct engine *g)
{
    mutex_lock(&g->lock);
    g->open_for_work = false;
    mutex_unlock(&g->lock);
    workqueue_shutdown(g->q);
    cancel_fire(g->stop);
    mutex_lock(&g->lock);
    while (g->n_workers > 0)
        cond_wait(&g->workers_gone, &g->lock);
    mutex_unlock(&g->lock);
}
