/* containers_io: attach, resize, top: what carries a container's output while it runs. */
#include <string.h>

#include "api/conn.h"
#include "api/detach_keys.h"
#include "api/frames.h"
#include "api/handlers.h"
#include "api/hijack.h"
#include "api/websocket.h"
#include "base/mem.h"
#include "base/time.h"
#include "core/log_driver.h"
#include "reconciler/engine.h"

/* ------------------------------------------------------------------ attach */

struct attach {
    bool logs, stream;
    bool raw; /* without frame headers: a terminal, or a websocket */
    struct attach_opts want;
    struct detach_keys keys;
    struct container *c;
    struct stream *io; /* when `stream` */
};

static void attach_release(struct attach *a)
{
    if (a->c)
        container_unref(a->c);
    stream_free(a->io);
}
#define cleanup_attach CLEANUP(attach_release)

static int read_attach(struct request *rq, struct attach *a, struct err *e)
{
    const char *keys = query_str(rq, "detachKeys");

    a->logs = query_bool(rq, "logs", false);
    a->stream = query_bool(rq, "stream", false);
    a->want.in = query_bool(rq, "stdin", false);
    a->want.out = query_bool(rq, "stdout", false);
    a->want.err = query_bool(rq, "stderr", false);
    if (!detach_keys_parse(keys, &a->keys))
        return err_set(e, ERR_INVALID, "Invalid detach keys (%s) provided", keys);
    if (containers_find(rq->engine, rq->arg[0], &a->c, e))
        return -1;
    if (a->c->state.status == STATUS_PAUSED)
        return err_set(e, ERR_CONFLICT,
                       "container %s is paused, unpause the container before attach", rq->arg[0]);
    if (a->c->state.status == STATUS_RESTARTING)
        return err_set(e, ERR_CONFLICT,
                       "container %s is restarting, wait until the container is running",
                       rq->arg[0]);
    a->raw = a->c->spec->tty;
    return 0;
}

static int replay(struct request *rq, const struct attach *a, struct err *e)
{
    if (!a->logs || (!a->want.out && !a->want.err))
        return 0;
    return logs_replay(rq, a->c, a->raw, a->want.out, a->want.err, e);
}

static void tell(struct request *rq, const struct container *c, const char *action)
{
    struct event ev;

    event_for_container(&ev, action, c, rq->by);
    engine_event(rq->engine, &ev);
}

static void pump(struct request *rq, struct attach *a)
{
    const struct container_spec *spec = a->c->spec;
    struct hijack h = {
        .raw = a->raw,
        .in = a->want.in && spec->open_stdin,
        .out = a->want.out,
        .err = a->want.err,
        .close_stdin = spec->stdin_once && !spec->tty,
        .detach = a->want.in && spec->tty ? &a->keys : NULL,
    };
    int exit_code = 0;

    if (hijack_run(rq, a->io, &h, &exit_code) == HIJACK_DETACHED)
        tell(rq, a->c, "detach");
}

/* Errors before the head go out without JSON, as dockerd has it here and nowhere else. */
int container_attach(struct request *rq, struct err *e)
{
    cleanup_attach struct attach a = {0};

    if (read_attach(rq, &a, e) ||
        (a.stream && containers_attach(rq->engine, a.c->id, &a.want, &a.io, e))) {
        hijack_refuse(rq, e);
        return 0;
    }
    if (hijack_begin(rq, !a.c->spec->tty, false, e) || replay(rq, &a, e))
        return -1;
    if (a.stream)
        pump(rq, &a);
    else
        tell(rq, a.c, "attach");
    hijack_finish(rq);
    return 0;
}

/* The connection's stream and reader are a websocket's while it lasts. */
int container_attach_ws(struct request *rq, struct err *e)
{
    cleanup_attach struct attach a = {0};
    cleanup_stream struct stream *ws = NULL;
    struct stream *plain = rq->conn->io;
    struct http_reader head;
    int r;

    if (read_attach(rq, &a, e))
        return -1;
    if (!request_shape(rq, SHAPE_WS_STREAMS))
        a.want = (struct attach_opts){true, true, true};
    if ((a.stream && containers_attach(rq->engine, a.c->id, &a.want, &a.io, e)) || ws_begin(rq, e))
        return -1;
    a.raw = true;
    head = rq->conn->in;
    ws = ws_stream_new(&head, plain, rq->conn->api->closing);
    rq->conn->io = ws;
    http_reader_init(&rq->conn->in, ws, rq->cancel);
    r = replay(rq, &a, e);
    if (r == 0 && a.stream)
        pump(rq, &a);
    hijack_finish(rq);
    http_reader_release(&rq->conn->in);
    rq->conn->io = plain;
    rq->conn->in = head;
    return r;
}

/* ------------------------------------------------------------ resize, top */

static bool is_number(const char *text)
{
    text += *text == '-' || *text == '+';
    return *text && text[strspn(text, "0123456789")] == '\0';
}

static int read_size(struct request *rq, const char *key, const char *what, unsigned *out,
                     struct err *e)
{
    const char *text = query_str(rq, key);
    int64_t n;

    if (parse_i64(text, 0, UINT32_MAX, what, &n, ERR_IGNORE))
        return err_set(e, ERR_INVALID, "invalid resize %s \"%s\": %s", what, text,
                       is_number(text) ? "value out of range" : "invalid syntax");
    *out = (unsigned)n;
    return 0;
}

int request_resize(struct request *rq, unsigned *rows, unsigned *cols, struct err *e)
{
    return read_size(rq, "h", "height", rows, e) || read_size(rq, "w", "width", cols, e) ? -1 : 0;
}

int container_resize(struct request *rq, struct err *e)
{
    unsigned rows, cols;

    if (request_resize(rq, &rows, &cols, e) ||
        containers_resize(rq->engine, rq->arg[0], rows, cols, e))
        return -1;
    return res_empty(rq, 200, e);
}

static void write_top(struct jsonw *w, const struct top *t)
{
    jsonw_obj(w);
    jsonw_key(w, "Processes");
    jsonw_arr(w);
    for (size_t i = 0; i < t->n; i++)
        jsonw_strv(w, &t->rows[i]);
    jsonw_end_arr(w);
    jsonw_key(w, "Titles");
    jsonw_strv(w, &t->titles);
    jsonw_end_obj(w);
}

int container_top(struct request *rq, struct err *e)
{
    cleanup_buf struct buf out = BUF_INIT(REPLY_MAX);
    struct jsonw w = JSONW_INIT(&out);
    const char *args = query_str(rq, "ps_args");
    struct top t = {0};

    if (containers_top(rq->engine, rq->arg[0], *args ? args : "-ef", &t, e))
        return -1;
    write_top(&w, &t);
    top_release(&t);
    return res_json(rq, 200, &out, e);
}

int container_checkpoint(struct request *rq, struct err *e)
{
    (void)rq;
    return err_set(e, ERR_UNSUPPORTED,
                   "This experimental feature is disabled by default. Start the Docker daemon in "
                   "experimental mode in order to enable it.");
}
