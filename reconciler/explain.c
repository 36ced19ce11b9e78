/*
 * explain: why a container is in its state, told from its record and from the stored events.
 *
 * The answer is a sentence about now, a sentence about what will happen next, and the history line
 * by line, oldest first.  Only what was written down is told; nothing is guessed.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "reconciler/engine_internal.h"

#define LINES_MAX 50

void explanation_release(struct explanation *x)
{
    free(x->state);
    free(x->next);
    for (size_t i = 0; i < x->n; i++)
        free(x->lines[i].text);
    free(x->lines);
    *x = (struct explanation){0};
}

/* ------------------------------------------------------------ words */

static const char *attribute(const struct event *ev, const char *key)
{
    const char *v = kvs_get(&ev->attributes, key);

    return v ? v : "";
}

static int number(const struct event *ev, const char *key)
{
    int64_t v = 0;

    (void)!parse_i64(attribute(ev, key), INT32_MIN, INT32_MAX, key, &v, ERR_IGNORE);
    return (int)v;
}

/* "exit code 137 (SIGKILL)" */
static char *exit_text(int code)
{
    static const struct {
        int code;
        const char *meaning;
    } rows[] = {
        {0,   "success"                          },
        {125, "the engine could not run it"      },
        {126, "the command could not be executed"},
        {127, "the command was not found"        },
        {137, "killed: SIGKILL"                  },
        {139, "killed: SIGSEGV, a memory fault"  },
        {143, "ended by SIGTERM"                 },
    };
    const char *name = code > 128 && code < 160 ? signal_name(code - 128) : NULL;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].code == code)
            return str_printf("exit code %d (%s)", code, rows[i].meaning);
    return name ? str_printf("exit code %d (killed: %s)", code, name)
                : str_printf("exit code %d", code);
}

/* "api uid=1000 pid=17" for people: who asked. */
static char *who(const char *by)
{
    if (!*by)
        return xstrdup("");
    if (str_starts(by, "api "))
        return str_printf(" by a client of the API (%s)", by + strlen("api "));
    return str_printf(" by %s", by);
}

/* ------------------------------------------------------------ history */

struct history {
    struct explanation *x;
    bool ended;    /* the last event but this was an end */
    char *last_by; /* who has asked for the end, "" */
    bool out_of_memory;
};

static char *tell_kill(const struct event *ev, struct history *h)
{
    int sig = number(ev, "signal");
    const char *name = signal_name(sig);
    cleanup_free char *by = who(attribute(ev, "by"));

    str_set(&h->last_by, attribute(ev, "by"));
    return name ? str_printf("%s was sent%s", name, by)
                : str_printf("signal %d was sent%s", sig, by);
}

static char *tell_die(const struct event *ev, struct history *h)
{
    cleanup_free char *code = exit_text(number(ev, "exitCode"));
    const char *oom = h->out_of_memory ? ", out of memory" : "";

    h->ended = true;
    h->out_of_memory = false;
    return str_printf("ended after %s s: %s%s", attribute(ev, "execDuration"), code, oom);
}

static char *tell_start(const struct event *ev, struct history *h)
{
    cleanup_free char *by = who(attribute(ev, "by"));
    bool again = h->ended && !*attribute(ev, "by");

    h->ended = false;
    return again ? xstrdup("started again") : str_printf("started%s", by);
}

static char *tell_oom(const struct event *ev, struct history *h)
{
    (void)ev;
    h->out_of_memory = true;
    return xstrdup("the kernel ended a process: the memory limit was reached");
}

static char *tell_health(const struct event *ev, struct history *h)
{
    const char *colon = strchr(ev->action, ':');

    (void)h;
    return str_printf("health check: %s", colon ? colon + 2 : ev->action);
}

static char *tell_plain(const struct event *ev, struct history *h)
{
    static const struct {
        const char *action, *text;
    } rows[] = {
        {"create",  "created"                },
        {"stop",    "stopped"                },
        {"restart", "restarted"              },
        {"pause",   "paused"                 },
        {"unpause", "continued"              },
        {"update",  "its limits were changed"},
        {"rename",  "renamed"                },
    };
    cleanup_free char *by = who(attribute(ev, "by"));

    (void)h;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (str_eq(rows[i].action, ev->action))
            return str_printf("%s%s", rows[i].text, by);
    return NULL;
}

static void add_line(struct explanation *x, int64_t time_ns, char *text)
{
    struct explained *line;

    if (x->n == LINES_MAX) { /* the newest are the ones that explain */
        free(x->lines[0].text);
        memmove(x->lines, x->lines + 1, (x->n - 1) * sizeof(*x->lines));
        x->n--;
        x->cut = true;
    }
    line = ARRAY_ADD(x->lines, x->n);
    line->time_ns = time_ns;
    line->text = text;
}

static int tell(void *arg, const struct event *ev, struct err *e)
{
    static const struct {
        const char *action; /* what it begins with */
        char *(*fn)(const struct event *ev, struct history *h);
    } rows[] = {
        {"kill",          tell_kill  },
        {"die",           tell_die   },
        {"start",         tell_start },
        {"oom",           tell_oom   },
        {"health_status", tell_health},
        {"",              tell_plain },
    };
    struct history *h = arg;

    (void)e;
    if (strcmp(ev->type, "container") != 0)
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (str_starts(ev->action, rows[i].action)) {
            char *text = rows[i].fn(ev, h);

            if (text)
                add_line(h->x, ev->time_ns, text);
            break;
        }
    return 0;
}

/* ------------------------------------------------------------ now, and next */

static char *since(int64_t ns)
{
    char text[TIME_TEXT_MAX];

    if (ns == TIME_ZERO)
        return xstrdup("");
    time_format(ns - ns % NS_PER_SEC, text);
    return str_printf(" since %s", text);
}

static char *tell_exited(const struct container *c, const struct history *h)
{
    cleanup_free char *code = exit_text(c->state.exit_code);
    cleanup_free char *when = since(c->state.finished_ns);
    cleanup_free char *by = who(h->last_by ? h->last_by : "");

    if (!str_empty(c->state.error))
        return str_printf("it does not run%s: %s", when, c->state.error);
    if (c->state.oom_killed)
        return str_printf("it does not run%s: %s, out of memory", when, code);
    if (c->state.manually_stopped)
        return str_printf("it does not run%s: it was stopped%s; %s", when, by, code);
    return str_printf("it does not run%s: it ended by itself, %s", when, code);
}

static char *tell_state(const struct container *c, const struct history *h)
{
    cleanup_free char *started = since(c->state.started_ns);
    cleanup_free char *code = NULL;

    switch (c->state.status) {
    case STATUS_CREATED:
        return str_empty(c->state.error)
                   ? xstrdup("it was created and has never been started")
                   : str_printf("it could not be started: %s", c->state.error);
    case STATUS_RUNNING:
        return str_printf("it runs%s%s%s", started, str_empty(c->state.health) ? "" : ", and is ",
                          c->state.health ? c->state.health : "");
    case STATUS_PAUSED:
        return str_printf("it is paused; it runs%s", started);
    case STATUS_RESTARTING:
        code = exit_text(c->state.exit_code);
        return str_printf("it waits to be started again (start number %lld): %s",
                          (long long)c->state.restart_count,
                          str_empty(c->state.error) ? code : c->state.error);
    case STATUS_REMOVING:
        return xstrdup("it is being removed");
    case STATUS_DEAD:
        return xstrdup("it could not be removed as a whole");
    case STATUS_EXITED:
        break;
    }
    return tell_exited(c, h);
}

static char *tell_next(struct engine *g, const struct container *c)
{
    const char *policy = restart_policy_name(c->spec->restart);
    int64_t due;

    if (c->state.status == STATUS_RUNNING || c->state.status == STATUS_PAUSED)
        return c->app[0] ? str_printf("app %s keeps it running", c->app)
               : c->spec->restart == RESTART_NO
                   ? xstrdup("when it ends it stays down: it has no restart policy")
                   : str_printf("when it ends its restart policy (%s) decides", policy);
    if (c->state.status == STATUS_RESTARTING) {
        mutex_lock(&g->lock);
        due = live_of(g, c->id)->restart_at_ms;
        mutex_unlock(&g->lock);
        due -= time_mono_ms();
        return str_printf("its restart policy (%s) starts it in %lld ms", policy,
                          (long long)(due > 0 ? due : 0));
    }
    if (c->state.manually_stopped)
        return xstrdup(c->app[0] ? "the stop is held: the app does not start it until `start`"
                                 : "it stays down until it is started");
    if (c->app[0])
        return str_printf("app %s decides", c->app);
    return c->spec->restart == RESTART_ON_FAILURE && c->state.exit_code
               ? str_printf("its restart policy has given up after %lld attempts",
                            (long long)c->state.restart_count)
               : xstrdup("it stays down until it is started");
}

int containers_explain(struct engine *g, const char *ref, struct explanation *out, struct err *e)
{
    cleanup_container struct container *c = NULL;
    struct history h = {.x = out};
    int r;

    *out = (struct explanation){0};
    if (containers_find(g, ref, &c, e))
        return -1;
    r = state_event_each(g->st, TIME_ZERO, TIME_ZERO, c->id, tell, &h, e);
    if (r == 0) {
        out->state = tell_state(c, &h);
        out->next = tell_next(g, c);
    } else {
        explanation_release(out);
    }
    free(h.last_by);
    return r;
}
