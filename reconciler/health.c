/*
 * health: probes of running containers, as Docker defines them.
 *
 * A container with a health check has the key "health/<id>" in the queue while it runs; a worker
 * that takes it runs one probe and comes back after the interval.  No thread waits in between, and
 * at most PROBES_MAX probes run at once.  The key "probe/<id>" comes due when a probe has used up
 * its time, and ends it.
 *
 * The verdict (starting, healthy, unhealthy) is part of the container's record; the last results
 * and the streak are in memory, and in a file for the next agent (health_log.c).
 */
#include <string.h>

#include "base/be.h"
#include "base/id.h"
#include "base/log.h"
#include "base/stream.h"
#include "reconciler/engine_internal.h"

#define INTERVAL_NS       (30 * NS_PER_SEC)
#define TIMEOUT_NS        (30 * NS_PER_SEC)
#define START_INTERVAL_NS (5 * NS_PER_SEC)
#define RETRIES           3
#define OUTPUT_MAX        4096
#define PROBES_MAX        64
#define BUSY_MS           200  /* until the next look when so many run */
#define ABANDON_MS        5000 /* a killed probe whose output does not end */

struct health_live {
    int64_t started_ns; /* of the life that is probed */
    bool watched;       /* the key is in the queue, or with a worker */
    int64_t due_ms;     /* monotonic: the first probe of this life is not before */
    struct health_log log;
    /* The probe under way. */
    char exec_id[ID_LEN + 1]; /* "": none */
    struct cancel *give_up;
    int64_t deadline_ms; /* monotonic */
    bool timed_out;
};

void health_live_free(struct health_live *h)
{
    if (!h)
        return;
    health_log_release(&h->log);
    free(h);
}

/* NULL: the container is gone, or was never watched.  Unlike live_of() it makes nothing. */
static struct health_live *health_of(struct engine *g, const char *id) REQUIRES(g->lock)
{
    struct live *l = map_get(&g->live, id);

    return l ? l->health : NULL;
}

/* ------------------------------------------------------------ what is asked */

/* A first word that is none of Docker's means no probe, as NONE does. */
static bool is_probed(const struct container_spec *s)
{
    const struct strv *test = &s->health.test;

    return s->health.set && test->n > 0 &&
           (str_eq(test->v[0], "CMD") || str_eq(test->v[0], "CMD-SHELL"));
}

const char *health_at_start(const struct container_spec *s)
{
    return is_probed(s) ? "starting" : "";
}

static int64_t or_default(int64_t v, int64_t standard)
{
    return v > 0 ? v : standard;
}

static bool in_start_period(const struct container *c, int64_t at_ns)
{
    return str_eq(c->state.health, "starting") &&
           at_ns - c->state.started_ns < c->spec->health.start_period_ns;
}

static int64_t pause_ms(const struct container *c)
{
    const struct health_spec *h = &c->spec->health;
    int64_t ns = in_start_period(c, time_wall_ns())
                     ? or_default(h->start_interval_ns, START_INTERVAL_NS)
                     : or_default(h->interval_ns, INTERVAL_NS);

    return ns < NS_PER_MS ? 1 : ns / NS_PER_MS;
}

static void compose_probe(const struct container *c, struct exec_spec *x)
{
    const struct strv *test = &c->spec->health.test;
    char id[ID_LEN + 1];

    id_new(id);
    *x = (struct exec_spec){.attach_stdout = true, .attach_stderr = true};
    x->id = xstrdup(id);
    if (str_eq(test->v[0], "CMD-SHELL")) {
        if (c->spec->shell.n) {
            strv_copy(&x->argv, &c->spec->shell);
        } else {
            strv_add(&x->argv, "/bin/sh");
            strv_add(&x->argv, "-c");
        }
    }
    for (size_t i = 1; i < test->n; i++)
        strv_add(&x->argv, test->v[i]);
    exec_compose(c, x);
}

/* ------------------------------------------------------------ one probe */

struct probe {
    struct exec_spec exec;
    struct health_result result;
    struct buf output;
    bool truncated, timed_out;
};

static int read_all(struct stream *io, void *into, size_t n, struct cancel *c, struct err *e)
{
    char *at = into;

    while (n) {
        size_t got = 0;

        if (stream_read(io, at, n, &got, c, e))
            return -1;
        if (got == 0)
            return err_set(e, ERR_IO, "the shim has ended");
        at += got;
        n -= got;
    }
    return 0;
}

static void keep_output(struct probe *p, const char *bytes, size_t n)
{
    size_t room = OUTPUT_MAX - p->output.len;

    p->truncated = p->truncated || n > room;
    buf_add(&p->output, bytes, n < room ? n : room);
}

/* Until the exit code: what was said is kept, what is too much is read all the same. */
static int listen_to(struct probe *p, struct stream *io, struct cancel *c, struct err *e)
{
    cleanup_free char *payload = xmalloc(FRAME_MAX);

    for (;;) {
        unsigned char head[FRAME_HEADER];
        size_t n;

        if (read_all(io, head, sizeof(head), c, e))
            return -1;
        n = get_be32(head + 4);
        if (n > FRAME_MAX)
            return err_set(e, ERR_INTERNAL, "a frame of %zu bytes", n);
        if (read_all(io, payload, n, c, e))
            return -1;
        if (head[0] == FRAME_EXIT) {
            p->result.exit_code = n < 4 ? -1 : (int)get_be32(payload);
            return 0;
        }
        keep_output(p, payload, n);
    }
}

/* From here on probe_reconcile() may end it.  NULL: the container has just been removed. */
static struct cancel *begin(struct engine *g, const struct container *c, const struct probe *p)
{
    int64_t timeout_ms = or_default(c->spec->health.timeout_ns, TIMEOUT_NS) / NS_PER_MS;
    cleanup_free char *key = str_printf("probe/%s", c->id);
    struct cancel *give_up = cancel_new_child(g->stop);
    struct health_live *h;

    mutex_lock(&g->lock);
    h = health_of(g, c->id);
    if (h) {
        str_copy(h->exec_id, sizeof(h->exec_id), p->exec.id);
        h->give_up = give_up;
        h->timed_out = false;
        h->deadline_ms = time_mono_ms() + timeout_ms;
    }
    mutex_unlock(&g->lock);
    if (!h) {
        cancel_free(give_up);
        return NULL;
    }
    workqueue_add_after(g->q, key, timeout_ms > 0 ? timeout_ms : 1);
    return give_up;
}

static void end(struct engine *g, const struct container *c, struct probe *p,
                struct cancel *give_up)
{
    struct health_live *h;

    mutex_lock(&g->lock);
    h = health_of(g, c->id);
    if (h && str_eq(h->exec_id, p->exec.id)) {
        p->timed_out = h->timed_out;
        h->exec_id[0] = '\0';
        h->give_up = NULL;
    }
    mutex_unlock(&g->lock);
    cancel_free(give_up);
}

/* As Go prints it: "1m30s", "500ms". */
static void duration_text(int64_t ns, char *out, size_t size)
{
    int64_t s = ns / NS_PER_SEC, ms = ns / NS_PER_MS % 1000;
    char *at = out, *stop = out + size;

    if (s == 0) {
        snprintf(out, size, "%lldms", (long long)ms);
        return;
    }
    if (s >= 3600)
        at += snprintf(at, (size_t)(stop - at), "%lldh", (long long)(s / 3600));
    if (s >= 60)
        at += snprintf(at, (size_t)(stop - at), "%lldm", (long long)(s / 60 % 60));
    at += snprintf(at, (size_t)(stop - at), "%lld", (long long)(s % 60));
    if (ms) {
        char fraction[8];
        size_t n = (size_t)snprintf(fraction, sizeof(fraction), ".%03lld", (long long)ms);

        while (fraction[n - 1] == '0')
            fraction[--n] = '\0';
        at += snprintf(at, (size_t)(stop - at), "%s", fraction);
    }
    snprintf(at, (size_t)(stop - at), "s");
}

static void emit_end(struct engine *g, const struct container *c, const struct probe *p)
{
    struct event ev;

    event_for_container(&ev, "exec_die", c, NULL);
    kvs_set(&ev.attributes, "execID", p->exec.id);
    kvs_setf(&ev.attributes, "exitCode", "%d", p->result.exit_code);
    engine_event_passing(g, &ev);
}

static void conclude(const struct container *c, struct probe *p, const struct err *why)
{
    cleanup_free char *said = str_ndup(p->output.data ? p->output.data : "", p->output.len);
    char timeout[40];

    if (p->timed_out) {
        duration_text(or_default(c->spec->health.timeout_ns, TIMEOUT_NS), timeout, sizeof(timeout));
        p->result.exit_code = -1;
        p->result.output =
            str_printf("Health check exceeded timeout (%s)%s%s", timeout, *said ? ": " : "", said);
    } else if (why->kind != ERR_OK) {
        p->result.exit_code = -1;
        p->result.output = xstrdup(why->msg);
    } else {
        p->result.output = str_printf("%s%s", said, p->truncated ? "..." : "");
    }
    p->result.end_ns = time_wall_ns();
}

static void run_probe(struct engine *g, const struct container *c, struct probe *p)
{
    struct cancel *give_up = begin(g, c, p);
    cleanup_stream struct stream *io = NULL;
    struct err why = ERR_INIT;

    if (!give_up)
        return;
    exec_emit(g, c, "exec_create", &p->exec, p->exec.id, true);
    exec_emit(g, c, "exec_start", &p->exec, p->exec.id, true);
    p->result.start_ns = time_wall_ns();
    if (g->rt->ops->exec(g->rt, c->id, &p->exec, &io, NULL, &why) == 0 &&
        listen_to(p, io, give_up, &why) == 0)
        emit_end(g, c, p);
    end(g, c, p, give_up);
    conclude(c, p, &why);
}

int probe_reconcile(struct engine *g, const char *id, int64_t *again_ms, struct err *e)
{
    char exec_id[ID_LEN + 1] = "";
    struct live *l;

    (void)e;
    mutex_lock(&g->lock);
    l = map_get(&g->live, id);
    if (l && l->health && l->health->exec_id[0]) {
        struct health_live *h = l->health;
        int64_t left = h->deadline_ms - time_mono_ms();

        if (left > 0) { /* of a later probe than the one this was queued for */
            *again_ms = left;
        } else if (h->timed_out) {
            cancel_fire(h->give_up);
        } else {
            h->timed_out = true;
            h->deadline_ms = time_mono_ms() + ABANDON_MS;
            *again_ms = ABANDON_MS;
            str_copy(exec_id, sizeof(exec_id), h->exec_id);
        }
    }
    mutex_unlock(&g->lock);
    if (exec_id[0])
        (void)!g->rt->ops->exec_signal(g->rt, id, exec_id, SIGNAL_KILL, ERR_IGNORE);
    return 0;
}

/* ------------------------------------------------------------ the verdict */

struct verdict {
    int64_t started_ns;
    const char *health; /* NULL: as it was */
    bool changed;
};

static int write_verdict(struct engine *g, struct container *c, void *arg, struct err *e)
{
    struct verdict *v = arg;

    (void)g;
    if (c->state.started_ns != v->started_ns || c->state.status != STATUS_RUNNING)
        return err_set(e, ERR_CANCELLED, "container %s is no longer the one probed", c->name);
    v->changed = !str_eq(c->state.health, v->health);
    str_set(&c->state.health, v->health);
    return 0;
}

/* Remembers the result; what the container's health is by it, or NULL when that stays. */
static const char *judge(struct engine *g, const struct container *c, struct probe *p)
{
    struct health_log now = {0};
    const char *verdict = NULL;
    struct health_live *h;
    struct health_log *l;

    mutex_lock(&g->lock);
    h = health_of(g, c->id);
    l = h ? &h->log : NULL;
    if (l && h->started_ns == c->state.started_ns) {
        if (l->n == HEALTH_RESULTS) {
            free(l->v[0].output);
            memmove(&l->v[0], &l->v[1], (HEALTH_RESULTS - 1) * sizeof(l->v[0]));
            l->n--;
        }
        l->v[l->n++] = p->result;
        p->result.output = NULL;
        if (p->result.exit_code == 0) {
            l->failing_streak = 0;
            verdict = "healthy";
        } else if (!in_start_period(c, p->result.start_ns) &&
                   ++l->failing_streak >= or_default(c->spec->health.retries, RETRIES)) {
            verdict = "unhealthy";
        }
        health_log_copy(&now, l);
    }
    mutex_unlock(&g->lock);
    if (now.n)
        health_log_save(g, c->id, c->state.started_ns, &now);
    health_log_release(&now);
    /* Being unhealthy is told each time: what it asks for may have been cut short. */
    return str_eq(verdict, "unhealthy") || !str_eq(verdict, c->state.health) ? verdict : NULL;
}

#define ON_UNHEALTHY_LABEL "ballast.on-unhealthy"

/* What its owner wants to be done: "restart" is the one thing there is. */
static int act(struct engine *g, const struct container *c, struct err *e)
{
    const char *wanted = kvs_get(&c->spec->labels, ON_UNHEALTHY_LABEL);
    struct goal_request rq = {
        .goal = GOAL_STOPPED, .by = "health check", .stop_grace_s = -2, .restart = true};
    cleanup_free char *key = NULL;

    if (!str_eq(wanted, "restart") || c->goal != GOAL_RUNNING)
        return 0;
    log_info("unhealthy container is restarted", "id=%.12s name=%s", c->id, c->name);
    key = str_printf("restart/%s", c->id); /* so that it comes back whatever happens to us */
    if (state_intent_put(g->st, key, "restart", e))
        return -1;
    return container_set_goal(g, c->id, &rq, NULL, NULL, e);
}

static int announce(struct engine *g, struct container **c, const char *health, struct err *e)
{
    struct verdict v = {.started_ns = (*c)->state.started_ns, .health = health};
    cleanup_free char *action = str_printf("health_status: %s", health);

    if (container_change(g, (*c)->id, false, write_verdict, &v, c, e))
        return e->kind == ERR_CANCELLED || e->kind == ERR_NOT_FOUND ? 0 : -1;
    if (v.changed) {
        log_info("health of a container changed", "id=%.12s name=%s health=%s", (*c)->id,
                 (*c)->name, health);
        event_emit_container(g, action, *c, NULL);
        if ((*c)->app[0])
            queue_app(g, (*c)->app, 0);
    }
    return str_eq(health, "unhealthy") ? act(g, *c, e) : 0;
}

/* ------------------------------------------------------------ the key */

static void queue_health(struct engine *g, const char *id, int64_t delay_ms)
{
    cleanup_free char *key = str_printf("health/%s", id);

    workqueue_add_after(g->q, key, delay_ms);
}

/* With what the agent before has found, if this one has not begun yet. */
static void ensure_health(struct engine *g, const struct container *c)
{
    struct health_live *fresh = NULL;
    struct live *l;
    bool there;

    mutex_lock(&g->lock);
    there = health_of(g, c->id) != NULL;
    mutex_unlock(&g->lock);
    if (there)
        return;
    fresh = xcalloc(1, sizeof(*fresh));
    (void)health_log_load(g, c->id, &fresh->started_ns, &fresh->log);
    mutex_lock(&g->lock);
    l = live_of(g, c->id);
    if (!l->health)
        l->health = take_ptr(fresh);
    mutex_unlock(&g->lock);
    health_live_free(fresh);
}

void health_watch(struct engine *g, const struct container *c)
{
    struct health_live *h;
    bool begin_now = false;

    if (!is_probed(c->spec))
        return;
    ensure_health(g, c);
    mutex_lock(&g->lock);
    h = live_of(g, c->id)->health;
    if (h->started_ns != c->state.started_ns) {
        h->log.failing_streak = 0; /* what was found in former lives can still be read */
        h->started_ns = c->state.started_ns;
        h->due_ms = time_mono_ms() + pause_ms(c); /* the key may still wait for the life before */
    }
    begin_now = !h->watched;
    h->watched = true;
    mutex_unlock(&g->lock);
    if (begin_now)
        queue_health(g, c->id, pause_ms(c));
}

/* 0: it is time, and a place among the probes under way is taken; else look again in so many ms. */
static int64_t take_place(struct engine *g, const char *id)
{
    struct health_live *h;
    int64_t wait_ms;

    mutex_lock(&g->lock);
    h = health_of(g, id);
    wait_ms = h ? h->due_ms - time_mono_ms() : 0;
    if (wait_ms <= 0)
        wait_ms = g->probes < PROBES_MAX ? 0 : BUSY_MS;
    g->probes += wait_ms == 0;
    mutex_unlock(&g->lock);
    return wait_ms;
}

static void leave_place(struct engine *g)
{
    mutex_lock(&g->lock);
    g->probes--;
    mutex_unlock(&g->lock);
}

static void stop_watching(struct engine *g, const char *id)
{
    struct health_live *h;

    mutex_lock(&g->lock);
    h = health_of(g, id);
    if (h)
        h->watched = false;
    mutex_unlock(&g->lock);
}

int health_reconcile(struct engine *g, const char *id, int64_t *again_ms, struct err *e)
{
    cleanup_container struct container *c = object_container(g, id);
    struct probe p = {.output = BUF_INIT(OUTPUT_MAX + 1)};
    const char *verdict;
    int64_t life_ns;
    bool same;
    int r = 0;

    if (!c || c->state.status != STATUS_RUNNING || !is_probed(c->spec)) {
        stop_watching(g, id); /* health_watch() begins again when it runs again */
        container_unref_p(&c);
        c = object_container(g, id);
        if (c && c->state.status == STATUS_RUNNING) /* since: its start took it for watched */
            health_watch(g, c);
        return 0;
    }
    *again_ms = take_place(g, id);
    if (*again_ms > 0)
        return 0;
    life_ns = c->state.started_ns;
    compose_probe(c, &p.exec);
    run_probe(g, c, &p);
    leave_place(g);
    container_unref_p(&c);
    c = object_container(g, id);
    /* What was found in one life is nothing about the next. */
    same = c && c->state.status == STATUS_RUNNING && c->state.started_ns == life_ns;
    verdict = same ? judge(g, c, &p) : NULL;
    if (verdict)
        r = announce(g, &c, verdict, e);
    if (c)
        *again_ms = pause_ms(c);
    else
        stop_watching(g, id);
    exec_spec_release(&p.exec);
    buf_release(&p.output);
    free(p.result.output);
    return r;
}

/* ------------------------------------------------------------ seen from outside */

void containers_health(struct engine *g, const char *id, struct health_log *out)
{
    struct health_live *h;
    int64_t ignored;

    *out = (struct health_log){0};
    mutex_lock(&g->lock);
    h = health_of(g, id);
    if (h)
        health_log_copy(out, &h->log);
    mutex_unlock(&g->lock);
    if (!h) /* it has not run since this agent is there */
        (void)health_log_load(g, id, &ignored, out);
}
