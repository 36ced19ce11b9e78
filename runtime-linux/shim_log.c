/* shim_log: see shim_log.h. */
#include "runtime-linux/shim_log.h"

#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"
#include "core/log_driver.h"
#include "runtime-linux/shim_remote.h"

struct carry { /* a line whose end was not seen yet */
    char *bytes;
    size_t len;
};

struct shim_log {
    const struct log_driver_ops *ops;
    struct log_writer *writer;
    struct shim_remote *remote; /* NULL: the driver's file is all there is */
    struct shim_log_events events;
    struct carry carry[2]; /* stdout, stderr */
    bool failing;
    char why[ERR_MSG_MAX]; /* it fails, or did */
};

int shim_log_open(const char *driver, const char *path, const struct kvs *opts,
                  struct shim_log **out, struct err *e)
{
    const struct log_driver_ops *ops = log_driver_find(driver);
    struct log_writer *writer = NULL;

    if (!ops)
        return err_set(e, ERR_INVALID, "logger: no log driver named '%s' is registered", driver);
    if (ops->open(path, opts, &writer, e))
        return err_wrap(e, "failed to create the logger");
    *out = xcalloc(1, sizeof(**out));
    (*out)->ops = ops;
    (*out)->writer = writer;
    return 0;
}

/* One warning when it begins, one when it is over. */
static void note(struct shim_log *l, int r, const struct err *e)
{
    if (r)
        (void)str_copy(l->why, sizeof(l->why), e->msg);
    if (r && !l->failing)
        log_warn("container log cannot be written, lines are lost", "reason=%s", log_quote(e->msg));
    else if (!r && l->failing)
        log_warn("container log is written again", NULL);
    l->failing = r != 0;
}

void shim_log_watch(struct shim_log *l, const struct shim_log_events *events)
{
    l->events = *events;
}

/* What the driver could not write, told together: seldom, and at the end. */
static void tell_lost(struct shim_log *l)
{
    uint64_t lines = l->ops->lost && l->events.lost ? l->ops->lost(l->writer) : 0;

    if (lines > 0)
        l->events.lost(l->events.arg, lines, l->why);
}

/* Says in the local copy what the other one misses: that is where `docker logs` looks. */
static void on_lost(void *arg, uint64_t lines, const char *why)
{
    struct shim_log *l = arg;
    cleanup_free char *text = str_printf(
        "[ballast: %" PRIu64 " log lines were not delivered to %s: %s]", lines, l->ops->name, why);
    struct log_line line = {.unix_ns = time_wall_ns(), .from_stderr = true, .bytes = text};
    struct err e = ERR_INIT;

    if (l->events.lost)
        l->events.lost(l->events.arg, lines, why);
    line.len = strlen(text);
    log_warn("log lines were not delivered", "driver=%s lines=%" PRIu64 " reason=%s", l->ops->name,
             lines, log_quote(why));
    note(l, l->ops->write(l->writer, &line, &e) || l->ops->flush(l->writer, &e), &e);
}

static void on_room(void *arg)
{
    struct shim_log *l = arg;

    if (l->events.room)
        l->events.room(l->events.arg);
}

int shim_log_deliver(struct shim_log *l, struct loop *loop, const struct json *request,
                     struct err *e)
{
    const struct shim_remote_sink sink = {.room = on_room, .lost = on_lost, .arg = l};

    return shim_remote_open(loop, request, &sink, &l->remote, e);
}

bool shim_log_blocks(const struct shim_log *l)
{
    return l && l->remote && shim_remote_blocks(l->remote);
}

/* e: the caller's, since clearing one for every line costs as much as writing the line. */
static void emit(struct shim_log *l, bool from_stderr, int64_t now, bool partial, const char *bytes,
                 size_t n, struct err *e)
{
    struct log_line line = {
        .unix_ns = now, .from_stderr = from_stderr, .partial = partial, .bytes = bytes, .len = n};

    if (l->ops->write(l->writer, &line, e))
        note(l, -1, e);
    if (l->remote)
        shim_remote_line(l->remote, &line);
}

static void keep(struct carry *c, const char *bytes, size_t n)
{
    if (n == 0)
        return;
    if (!c->bytes)
        c->bytes = xmalloc(LOG_LINE_MAX);
    memcpy(c->bytes + c->len, bytes, n);
    c->len += n;
}

void shim_log_feed(struct shim_log *l, bool from_stderr, const char *bytes, size_t n)
{
    struct carry *c = &l->carry[from_stderr];
    const char *p = bytes, *end = bytes + n, *newline;
    int64_t now = time_wall_ns();
    struct err e = ERR_INIT;

    while (p < end) {
        size_t rest, take;

        newline = memchr(p, '\n', (size_t)(end - p));
        rest = (size_t)((newline ? newline : end) - p);
        while (c->len + rest > LOG_LINE_MAX) {
            take = LOG_LINE_MAX - c->len;
            if (c->len > 0) {
                keep(c, p, take);
                emit(l, from_stderr, now, true, c->bytes, c->len, &e);
                c->len = 0;
            } else {
                emit(l, from_stderr, now, true, p, take, &e);
            }
            p += take;
            rest -= take;
        }
        if (!newline || c->len > 0)
            keep(c, p, rest);
        if (newline) {
            emit(l, from_stderr, now, false, c->len > 0 ? c->bytes : p, c->len > 0 ? c->len : rest,
                 &e);
            c->len = 0;
        }
        p += rest + (newline ? 1 : 0);
    }
}

void shim_log_flush(struct shim_log *l)
{
    struct err e = ERR_INIT;

    note(l, l->ops->flush(l->writer, &e), &e);
    if (l->remote)
        shim_remote_flush(l->remote);
}

void shim_log_trim(struct shim_log *l)
{
    shim_log_flush(l);
    shim_log_flush(l); /* with nothing to write: the driver frees its buffer */
    tell_lost(l);
    if (l->remote)
        shim_remote_trim(l->remote);
    for (int i = 0; i < 2; i++)
        if (l->carry[i].len == 0) {
            free(l->carry[i].bytes);
            l->carry[i].bytes = NULL;
        }
}

void shim_log_close(struct shim_log *l)
{
    struct err e = ERR_INIT;

    if (!l)
        return;
    for (int i = 0; i < 2; i++) {
        if (l->carry[i].len > 0)
            emit(l, i == 1, time_wall_ns(), true, l->carry[i].bytes, l->carry[i].len, &e);
        free(l->carry[i].bytes);
    }
    shim_log_flush(l);
    tell_lost(l);
    shim_remote_close(l->remote);
    l->remote = NULL;
    l->ops->close(l->writer);
    free(l);
}
