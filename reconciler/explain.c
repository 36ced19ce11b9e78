/*
 * explain: why a container is in its state, told from its record and from the stored events.
 *
 * The answer is a sentence about now, a sentence about what will happen next, and the history line
 * by line, oldest first.  An end and the restart that follows from it are one line, and a restart
 * loop is one line that is counted.  Only what was written down is told; nothing is guessed.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "reconciler/engine_internal.h"

#define LINES_MAX 50
#define BY_POLICY "restart policy" /* see ensure_running() */

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
static char *who(const char *preposition, const char *by)
{
    long long uid;

    if (!*by)
        return xstrdup("");
    if (sscanf(by, "api uid=%lld", &uid) == 1)
        return str_printf(" %s uid %lld", preposition, uid);
    return str_printf(" %s %s", preposition, str_eq(by, BY_POLICY) ? "its restart policy" : by);
}

/* ------------------------------------------------------------ history */

struct history {
    struct explanation *x;
    char *end;     /* how the last life ended; NULL: it has not */
    bool end_told; /* and the last line says so */
    char *hold;    /* "`docker stop` of uid 1000": the last that asked for an end; NULL */
    bool out_of_memory;
    int64_t restarted_ns; /* by the policy, the last time */
    char *restarted_for;  /* what had ended it then; NULL: never */
};

static void note_hold(struct history *h, const char *command, const struct event *ev)
{
    cleanup_free char *of = who("of", attribute(ev, "by"));

    free(h->hold);
    h->hold = str_printf("`docker %s`%s", command, of);
}

static char *tell_kill(const struct event *ev, struct history *h)
{
    int sig = number(ev, "signal");
    const char *name = signal_name(sig);
    cleanup_free char *by = who("by", attribute(ev, "by"));

    note_hold(h, "kill", ev);
    return name ? str_printf("%s was sent%s", name, by)
                : str_printf("signal %d was sent%s", sig, by);
}

static char *tell_die(const struct event *ev, struct history *h)
{
    cleanup_free char *code = exit_text(number(ev, "exitCode"));

    free(h->end);
    h->end = str_printf("%s%s", code,
                        h->out_of_memory && number(ev, "exitCode") ? ", out of memory" : "");
    return str_printf("ended after %s s: %s", attribute(ev, "execDuration"), h->end);
}

static char *tell_start(const struct event *ev, struct history *h)
{
    cleanup_free char *by = who("by", attribute(ev, "by"));
    struct explanation *x = h->x;

    h->out_of_memory = false;
    if (!str_eq(attribute(ev, "by"), BY_POLICY) || !h->end)
        return str_printf("started%s", by);
    h->restarted_ns = ev->time_ns;
    str_set(&h->restarted_for, h->end);
    if (h->end_told && x->n) /* that line would say the same */
        free(x->lines[--x->n].text);
    return str_printf("restarted%s: %s", by, h->end);
}

static char *tell_stop(const struct event *ev, struct history *h)
{
    cleanup_free char *by = who("by", attribute(ev, "by"));

    note_hold(h, "stop", ev);
    return str_printf("stopped%s", by);
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

static char *tell_log_lost(const struct event *ev, struct history *h)
{
    (void)h;
    return str_printf("%s lines of its log were lost: %s", attribute(ev, "lines"),
                      attribute(ev, "reason"));
}

static char *tell_plain(const struct event *ev, struct history *h)
{
    static const struct {
        const char *action, *text;
    } rows[] = {
        {"create",  "created"                },
        {"restart", "restarted"              },
        {"pause",   "paused"                 },
        {"unpause", "continued"              },
        {"update",  "its limits were changed"},
        {"commit",  "made into an image"     },
        {"rename",  "renamed"                },
    };
    cleanup_free char *by = who("by", attribute(ev, "by"));

    (void)h;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (str_eq(rows[i].action, ev->action))
            return str_printf("%s%s", rows[i].text, by);
    return NULL;
}

static void add_line(struct explanation *x, int64_t time_ns, char *text)
{
    struct explained *line;

    if (x->n && str_eq(x->lines[x->n - 1].text, text)) {
        line = &x->lines[x->n - 1];
        line->last_ns = time_ns;
        line->count++;
        free(text);
        return;
    }
    if (x->n == LINES_MAX) { /* the newest are the ones that explain */
        free(x->lines[0].text);
        memmove(x->lines, x->lines + 1, (x->n - 1) * sizeof(*x->lines));
        x->n--;
        x->cut = true;
    }
    line = ARRAY_ADD(x->lines, x->n);
    *line = (struct explained){time_ns, time_ns, 1, text};
}

static int tell(void *arg, const struct event *ev, struct err *e)
{
    static const struct {
        const char *action; /* what it begins with */
        char *(*fn)(const struct event *ev, struct history *h);
    } rows[] = {
        {"kill",          tell_kill    },
        {"die",           tell_die     },
        {"start",         tell_start   },
        {"oom",           tell_oom     },
        {"stop",          tell_stop    },
        {"health_status", tell_health  },
        {"log_lost",      tell_log_lost},
        {"",              tell_plain   },
    };
    struct history *h = arg;

    (void)e;
    if (strcmp(ev->type, "container") != 0)
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (str_starts(ev->action, rows[i].action)) {
            char *text = rows[i].fn(ev, h);

            if (text) {
                add_line(h->x, ev->time_ns, text);
                h->end_told = str_eq(ev->action, "die");
            }
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
    const char *oom = c->state.oom_killed ? ", out of memory" : "";

    if (!str_empty(c->state.error))
        return str_printf("it does not run%s: %s", when, c->state.error);
    if (c->state.manually_stopped)
        return str_printf("it does not run%s: it is held by %s; %s%s", when,
                          h->hold ? h->hold : "a stop", code, oom);
    if (c->state.oom_killed)
        return str_printf("it does not run%s: %s%s", when, code, oom);
    return str_printf("it does not run%s: it ended by itself, %s", when, code);
}

static char *tell_running(const struct container *c, const struct history *h)
{
    cleanup_free char *started = since(c->state.started_ns);
    cleanup_buf struct buf b = BUF_INIT(64 * 1024);
    char text[TIME_TEXT_MAX];

    buf_addf(&b, "it runs%s", started);
    if (!str_empty(c->state.health))
        buf_addf(&b, ", and is %s", c->state.health);
    if (c->state.oom_killed)
        buf_addf(&b, "; a process of it was killed, out of memory");
    if (h->restarted_for) {
        time_format(h->restarted_ns - h->restarted_ns % NS_PER_SEC, text);
        buf_addf(&b, "; it was restarted at %s: %s", text, h->restarted_for);
    }
    return buf_take(&b);
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
        return tell_running(c, h);
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

    if (container_is_up(c))
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
                       : c->spec->restart == RESTART_ALWAYS
                           ? "it stays down until it is started, or the machine boots"
                           : "it stays down until it is started");
    if (!container_restarts_left(c->spec, &c->state))
        return str_printf("its restart policy (%s) has given up after %lld restarts in a row",
                          policy, (long long)c->state.restart_tries);
    return c->app[0] ? str_printf("app %s decides", c->app)
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
    free(h.end);
    free(h.hold);
    free(h.restarted_for);
    return r;
}
