/* control_ops: what each request to the shim does, one function per row of the table. */
#include <errno.h>
#include <signal.h>

#include "base/mem.h"
#include "base/str.h"
#include "runtime-linux/shim_internal.h"

struct call {
    struct shim *shim;
    const struct json *args;
    struct jsonw *reply;
    enum conn_next *next;
    struct conn_stream *stream;
};

static int op_state(const struct call *c, struct err *e)
{
    const struct shim *s = c->shim;
    struct jsonw *w = c->reply;

    (void)e;
    jsonw_kstr(w, "phase", shim_phase_name(s->phase));
    jsonw_ki64(w, "pid", s->first.pid);
    jsonw_ki64(w, "exit_code", s->record.exit_code);
    jsonw_kbool(w, "oom_killed", s->record.oom_killed);
    jsonw_ki64(w, "ooms", s->record.ooms);
    jsonw_ki64(w, "started_ns", s->record.started_ns);
    jsonw_ki64(w, "finished_ns", s->record.finished_ns);
    return 0;
}

static int op_start(const struct call *c, struct err *e)
{
    if (supervise_start(c->shim, c->args, e))
        return -1;
    jsonw_ki64(c->reply, "pid", c->shim->first.pid);
    return 0;
}

static int op_attach(const struct call *c, struct err *e)
{
    (void)e;
    *c->next = CONN_STREAM;
    *c->stream = (struct conn_stream){
        .io = &c->shim->io,
        .in = json_get_bool(c->args, "in"),
        .out = json_get_bool(c->args, "out"),
        .err = json_get_bool(c->args, "err"),
    };
    return 0;
}

static int op_exec(const struct call *c, struct err *e)
{
    struct shim_exec *x = NULL;

    if (shim_exec_start(c->shim, c->args, &x, e))
        return -1;
    jsonw_ki64(c->reply, "pid", x->pid);
    if (json_get_bool(c->args, "detach"))
        return 0;
    *c->next = CONN_STREAM;
    *c->stream = (struct conn_stream){.io = &x->io, .in = true, .out = true, .err = true};
    return 0;
}

static int size_of(const struct json *args, unsigned *rows, unsigned *cols, struct err *e)
{
    int64_t h = json_get_i64(args, "rows"), w = json_get_i64(args, "cols");

    if (h < 0 || w < 0 || h > UINT16_MAX || w > UINT16_MAX)
        return err_set(e, ERR_INVALID, "a terminal of %lld rows and %lld columns is too large",
                       (long long)h, (long long)w);
    *rows = (unsigned)h;
    *cols = (unsigned)w;
    return 0;
}

static int op_resize(const struct call *c, struct err *e)
{
    struct shim *s = c->shim;
    unsigned rows, cols;

    if (size_of(c->args, &rows, &cols, e))
        return -1;
    if (s->phase == SHIM_CREATED) { /* clients that attach first send their size first */
        s->rows = rows;
        s->cols = cols;
        return 0;
    }
    return shim_require_running(s, e) || stdio_resize(&s->io, rows, cols, e) ? -1 : 0;
}

static int op_exec_resize(const struct call *c, struct err *e)
{
    const char *id = json_get_str(c->args, "id");
    struct shim_exec *x = shim_exec_find(c->shim, id);
    unsigned rows, cols;

    if (size_of(c->args, &rows, &cols, e))
        return -1;
    if (!x || !x->running)
        return err_set(e, ERR_NOT_FOUND, "exec %s is not running", id);
    return stdio_resize(&x->io, rows, cols, e);
}

static int op_signal(const struct call *c, struct err *e)
{
    int64_t signal = json_get_i64(c->args, "signal");

    if (signal < 1 || signal > SIGRTMAX)
        return err_set(e, ERR_INVALID, "Invalid signal: %lld", (long long)signal);
    return supervise_signal(c->shim, (int)signal, e);
}

/* Our own child, and not yet reaped: its number is nobody else's. */
static int op_exec_signal(const struct call *c, struct err *e)
{
    const char *id = json_get_str(c->args, "id");
    struct shim_exec *x = shim_exec_find(c->shim, id);
    int64_t signal = json_get_i64(c->args, "signal");

    if (signal < 1 || signal > SIGRTMAX)
        return err_set(e, ERR_INVALID, "Invalid signal: %lld", (long long)signal);
    if (!x || !x->running)
        return err_set(e, ERR_NOT_FOUND, "exec %s is not running", id);
    return kill((pid_t)x->pid, (int)signal) ? err_os(e, errno, "signal exec %s", id) : 0;
}

static int op_pause(const struct call *c, struct err *e)
{
    return supervise_pause(c->shim, json_get_bool(c->args, "paused"), e);
}

static int op_pids(const struct call *c, struct err *e)
{
    struct shim *s = c->shim;
    cleanup_free int64_t *pids = NULL;
    size_t n = 0;

    if (shim_require_running(s, e))
        return -1;
    if (s->runtime->pids(s, &pids, &n, e))
        return -1;
    jsonw_key(c->reply, "pids");
    jsonw_arr(c->reply);
    for (size_t i = 0; i < n; i++)
        jsonw_i64(c->reply, pids[i]);
    jsonw_end_arr(c->reply);
    return 0;
}

static int op_update(const struct call *c, struct err *e)
{
    struct json resources = json_get(c->args, "resources");

    if (shim_require_running(c->shim, e))
        return -1;
    return c->shim->runtime->update(c->shim, &resources, e);
}

static int op_watch(const struct call *c, struct err *e)
{
    (void)e;
    *c->next = CONN_WATCH;
    return 0;
}

static int op_quit(const struct call *c, struct err *e)
{
    if (c->shim->phase != SHIM_CREATED)
        return err_set(e, ERR_CONFLICT, "container %s was started", c->shim->id);
    *c->next = CONN_QUITS;
    return 0;
}

static int (*const ops[SHIM_OP_COUNT])(const struct call *c, struct err *e) = {
    [SHIM_STATE] = op_state,   [SHIM_START] = op_start,   [SHIM_ATTACH] = op_attach,
    [SHIM_EXEC] = op_exec,     [SHIM_RESIZE] = op_resize, [SHIM_EXEC_RESIZE] = op_exec_resize,
    [SHIM_SIGNAL] = op_signal, [SHIM_PAUSE] = op_pause,   [SHIM_PIDS] = op_pids,
    [SHIM_WATCH] = op_watch,   [SHIM_QUIT] = op_quit,     [SHIM_EXEC_SIGNAL] = op_exec_signal,
    [SHIM_UPDATE] = op_update,
};

int control_run(struct shim *s, uint16_t op, const struct json *args, struct jsonw *reply,
                enum conn_next *next, struct conn_stream *stream, struct err *e)
{
    struct call c = {s, args, reply, next, stream};

    *next = CONN_STAYS;
    if (op >= SHIM_OP_COUNT || !ops[op])
        return err_set(e, ERR_UNSUPPORTED, "this shim does not know the request %u", op);
    return ops[op](&c, e);
}
