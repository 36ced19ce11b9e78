/* exec: commands in a running container.  Start is a second attach. */
#include <string.h>

#include "api/detach_keys.h"
#include "api/frames.h"
#include "api/handlers.h"
#include "api/hijack.h"
#include "base/mem.h"
#include "reconciler/engine.h"

/* In the words of Go's decoder. */
static int check_type(const struct json *v, enum json_type want, const char *key, const char *go,
                      struct err *e)
{
    static const char *const names[] = {
        [JSON_BOOL] = "bool",     [JSON_INT] = "number",  [JSON_DOUBLE] = "number",
        [JSON_STRING] = "string", [JSON_ARRAY] = "array", [JSON_OBJECT] = "object",
    };
    enum json_type is = json_typeof(v);

    if (is == want || is == JSON_NONE)
        return 0;
    return err_set(e, ERR_INVALID,
                   "invalid JSON: json: cannot unmarshal %s into Go struct field ExecOptions.%s of "
                   "type %s",
                   names[is], key, go);
}

static int decode_console(const struct json *body, int64_t *height, int64_t *width, struct err *e)
{
    struct json size = json_get(body, "ConsoleSize");
    struct json h = json_at(&size, 0), w = json_at(&size, 1);

    if (json_len(&size) != 2)
        return 0;
    return json_i64(&h, height, e) || json_i64(&w, width, e) ? -1 : 0;
}

static int decode_exec(const struct json *body, struct exec_spec *x, char **detach_keys,
                       struct err *e)
{
    struct {
        const char *key;
        bool *out;
    } flags[] = {
        {"Tty",          &x->tty          },
        {"Privileged",   &x->privileged   },
        {"AttachStdin",  &x->attach_stdin },
        {"AttachStdout", &x->attach_stdout},
        {"AttachStderr", &x->attach_stderr},
    };
    struct {
        const char *key;
        char **out;
    } texts[] = {
        {"User",       &x->user   },
        {"WorkingDir", &x->cwd    },
        {"DetachKeys", detach_keys},
    };
    struct {
        const char *key;
        struct strv *out;
    } lists[] = {
        {"Env", &x->env },
        {"Cmd", &x->argv},
    };

    for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
        struct json v = json_get(body, flags[i].key);

        if (check_type(&v, JSON_BOOL, flags[i].key, "bool", e) || json_bool(&v, flags[i].out, e))
            return -1;
    }
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct json v = json_get(body, texts[i].key);

        if (check_type(&v, JSON_STRING, texts[i].key, "string", e) || json_str(&v, texts[i].out, e))
            return -1;
    }
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        struct json v = json_get(body, lists[i].key);

        if (check_type(&v, JSON_ARRAY, lists[i].key, "[]string", e) ||
            json_strv(&v, lists[i].out, e))
            return -1;
    }
    return decode_console(body, &x->height, &x->width, e);
}

static int create(struct request *rq, struct exec_spec *x, const char *keys, struct err *e)
{
    cleanup_buf struct buf out = BUF_INIT(REPLY_MAX);
    struct jsonw w = JSONW_INIT(&out);
    cleanup_free char *id = NULL;
    struct detach_keys parsed;

    if (x->argv.n == 0)
        return err_set(e, ERR_INVALID, "No exec command specified");
    if (!detach_keys_parse(keys, &parsed))
        return err_set(e, ERR_INTERNAL, "Invalid escape keys (%s) provided", keys);
    if (execs_create(rq->engine, rq->arg[0], x, keys, &id, e))
        return -1;
    jsonw_obj(&w);
    jsonw_kstr(&w, "Id", id);
    jsonw_end_obj(&w);
    return res_json(rq, 201, &out, e);
}

int exec_create(struct request *rq, struct err *e)
{
    cleanup_json struct json_doc doc = {0};
    cleanup_free char *keys = NULL;
    struct exec_spec x = {0};
    struct json body;
    int rc;

    if (request_json(rq, false, &doc, e))
        return -1;
    body = json_root(&doc);
    rc = decode_exec(&body, &x, &keys, e) || create(rq, &x, keys ? keys : "", e) ? -1 : 0;
    exec_spec_release(&x);
    return rc;
}

/* ------------------------------------------------------------------- start */

/* tty: what the client expects, bytes without frames; whether there is a terminal is the exec's. */
struct start {
    bool detach, tty;
    int64_t height, width;
};

static int decode_start(struct request *rq, struct start *s, struct err *e)
{
    cleanup_json struct json_doc doc = {0};
    struct json body, detach, tty;

    if (request_json(rq, false, &doc, e))
        return -1;
    body = json_root(&doc);
    detach = json_get(&body, "Detach");
    tty = json_get(&body, "Tty");
    if (json_bool(&detach, &s->detach, e) || json_bool(&tty, &s->tty, e))
        return -1;
    if (!request_shape(rq, SHAPE_CONSOLE_SIZE) || !s->tty)
        return 0;
    return decode_console(&body, &s->height, &s->width, e);
}

/* After the upgrade an error is the command's output, which is where people look for it. */
static int say_error(struct request *rq, bool raw, const struct err *why, struct err *e)
{
    cleanup_buf struct buf out = BUF_INIT(2 * ERR_MSG_MAX);
    cleanup_free char *text = str_printf("%s\r\n", why->msg);

    if (raw)
        buf_addf(&out, "%s", text);
    else
        frame_add(&out, FRAME_STDOUT, text, strlen(text));
    return hijack_write(rq, out.data, out.len, e);
}

static void tell_detached(struct request *rq, const struct exec_info *x)
{
    cleanup_container struct container *c = NULL;
    struct event ev;

    if (containers_find(rq->engine, x->container_id, &c, ERR_IGNORE))
        return;
    event_for_container(&ev, "exec_detach", c, rq->by);
    kvs_set(&ev.attributes, "execID", rq->arg[0]);
    engine_event(rq->engine, &ev);
}

/* Clients ask for the exit code as soon as the stream ends. */
static void note_exit(void *arg, int exit_code)
{
    struct request *rq = arg;

    execs_exited(rq->engine, rq->arg[0], exit_code);
}

static void pump(struct request *rq, const struct exec_info *x, const struct start *s,
                 struct stream *io)
{
    bool tty = x->spec.tty;
    int exit_code = -1;
    struct detach_keys keys;
    struct hijack h = {
        .raw = s->tty,
        .in = x->spec.attach_stdin,
        .out = x->spec.attach_stdout,
        .err = x->spec.attach_stderr,
        .close_stdin = !tty,
        .output_ended = note_exit,
        .arg = rq,
    };

    if (h.in && tty && detach_keys_parse(x->detach_keys, &keys))
        h.detach = &keys;
    switch (hijack_run(rq, io, &h, &exit_code)) {
    case HIJACK_DETACHED:
        tell_detached(rq, x);
        break;
    case HIJACK_OUTPUT_ENDED:
    case HIJACK_CLIENT_GONE:
    case HIJACK_FAILED:
        break; /* the command goes on, if it has not ended; the runtime tells the engine when it
                  ends */
    }
}

static int start_attached(struct request *rq, const struct exec_info *x, const struct start *s,
                          struct err *e)
{
    cleanup_stream struct stream *io = NULL;
    struct err why = ERR_INIT;
    int failed = execs_start(rq->engine, rq->arg[0], s->height, s->width, &io, &why);

    if (failed)
        start_error(&why);
    if (hijack_begin(rq, !s->tty, true, e))
        return -1;
    if (failed) {
        io = NULL;
        if (say_error(rq, s->tty, &why, e))
            return -1;
    } else {
        pump(rq, x, s, io);
    }
    hijack_finish(rq);
    return 0;
}

int exec_start(struct request *rq, struct err *e)
{
    struct start s = {0};
    struct exec_info x = {0};
    int rc;

    if (decode_start(rq, &s, e) || execs_inspect(rq->engine, rq->arg[0], &x, e))
        return -1;
    if (!s.detach) {
        rc = start_attached(rq, &x, &s, e);
    } else if (execs_start(rq->engine, rq->arg[0], s.height, s.width, NULL, e)) {
        start_error(e);
        rc = -1;
    } else {
        rc = res_empty(rq, 200, e);
    }
    exec_info_release(&x);
    return rc;
}

int exec_inspect(struct request *rq, struct err *e)
{
    cleanup_buf struct buf out = BUF_INIT(REPLY_MAX);
    struct jsonw w = JSONW_INIT(&out);
    struct exec_info x = {0};

    if (execs_inspect(rq->engine, rq->arg[0], &x, e))
        return -1;
    exec_write(&w, rq->arg[0], &x);
    exec_info_release(&x);
    return res_json(rq, 200, &out, e);
}

int exec_resize(struct request *rq, struct err *e)
{
    unsigned rows, cols;

    if (request_resize(rq, &rows, &cols, e) || execs_resize(rq->engine, rq->arg[0], rows, cols, e))
        return -1;
    return res_empty(rq, 200, e);
}
