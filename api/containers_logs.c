/*
 * containers_logs: a container's log as clients want it: framed, stamped, with its attributes.
 *
 * Lines are gathered and leave in large pieces: when LOG_BATCH bytes are there, and, for who
 * follows, when the reader has to wait for the next one.
 */
#include <string.h>

#include "api/conn.h"
#include "api/frames.h"
#include "api/handlers.h"
#include "api/hijack.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/time.h"
#include "core/log_driver.h"
#include "reconciler/engine.h"

#define LOG_BATCH   (64 * 1024)
#define LOG_CAP     (LOG_BATCH + LOG_LINE_MAX + 1024)
#define DETAILS_MAX (256 * 1024) /* of what a driver may keep, escaped */

struct log_reply {
    struct request *rq;
    char *out;
    size_t len, cap;
    bool raw;      /* a terminal's log has no frames */
    bool hijacked; /* attach?logs=1 */
    bool timestamps, details;

    /* The last line's, since the next one's are often the same. */
    int64_t stamp_ns;
    char stamp[TIME_TEXT_MAX];
    size_t stamp_len;
    struct buf attrs, shown; /* as the driver has them, and as clients get them */
};

static void reply_init(struct log_reply *r)
{
    r->stamp_ns = TIME_ZERO;
    r->attrs = BUF_INIT(DETAILS_MAX);
    r->shown = BUF_INIT(4 * DETAILS_MAX);
}

static void reply_release(struct log_reply *r)
{
    free(r->out);
    buf_release(&r->attrs);
    buf_release(&r->shown);
}
#define cleanup_reply CLEANUP(reply_release)

static int flush_logs(void *arg, struct err *e)
{
    struct log_reply *r = arg;
    size_t n = r->len;

    r->len = 0;
    if (n == 0)
        return 0;
    return r->hijacked ? hijack_write(r->rq, r->out, n, e) : res_write(r->rq, r->out, n, e);
}

/* The reader is about to wait: so may we, without memory. */
static int pause_logs(void *arg, struct err *e)
{
    struct log_reply *r = arg;

    if (flush_logs(r, e))
        return -1;
    free(take_ptr(r->out));
    r->cap = 0;
    return 0;
}

static int make_room(struct log_reply *r, size_t n, struct err *e)
{
    if (r->cap - r->len >= n)
        return 0;
    if (flush_logs(r, e))
        return -1;
    if (r->cap < n || r->cap == 0) {
        r->cap = n > LOG_CAP ? n : LOG_CAP;
        r->out = xrealloc(r->out, r->cap);
    }
    return 0;
}

static void put(struct log_reply *r, const void *bytes, size_t n)
{
    memcpy(r->out + r->len, bytes, n);
    r->len += n;
}

static void set_stamp(struct log_reply *r, int64_t ns)
{
    if (r->stamp_len > 0 && ns == r->stamp_ns)
        return;
    time_format_fixed(ns, r->stamp);
    r->stamp_len = strlen(r->stamp);
    r->stamp[r->stamp_len++] = ' ';
    r->stamp_ns = ns;
}

/* As Go's url.QueryEscape. */
static void add_escaped(struct buf *out, const char *s)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~";

    while (*s) {
        size_t n = strspn(s, plain);

        buf_add(out, s, n);
        s += n;
        if (*s == ' ')
            buf_add(out, "+", 1);
        else if (*s)
            buf_addf(out, "%%%02X", (unsigned char)*s);
        if (*s)
            s++;
    }
}

/* "k=v,k2=v2 ", sorted; a driver that keeps none still gives the space. */
static void set_details(struct log_reply *r, const struct log_line *line)
{
    cleanup_json struct json_doc doc = {0};
    cleanup_kvs struct kvs attrs = {0};

    if (r->shown.len > 0 && r->attrs.len == line->attrs_len &&
        (line->attrs_len == 0 || memcmp(r->attrs.data, line->attrs, line->attrs_len) == 0))
        return;
    buf_reset(&r->attrs);
    buf_reset(&r->shown);
    buf_add(&r->attrs, line->attrs ? line->attrs : "", line->attrs_len);
    if (r->attrs.len > 0 && json_parse(r->attrs.data, r->attrs.len, &doc, ERR_IGNORE) == 0) {
        struct json root = json_root(&doc);

        if (json_kvs(&root, &attrs, ERR_IGNORE)) /* what is no text is none of a driver's */
            kvs_release(&attrs);
    }
    kvs_sort(&attrs);
    for (size_t i = 0; i < attrs.n; i++) {
        if (i > 0)
            buf_add(&r->shown, ",", 1);
        add_escaped(&r->shown, attrs.v[i].k);
        buf_add(&r->shown, "=", 1);
        add_escaped(&r->shown, attrs.v[i].v ? attrs.v[i].v : "");
    }
    buf_add(&r->shown, " ", 1);
}

/* One line is one frame, so that a client never sees a header cut in two. */
static int add_line(void *arg, const struct log_line *line, struct err *e)
{
    struct log_reply *r = arg;
    size_t stamp = 0, details = 0, n;

    if (r->timestamps) {
        set_stamp(r, line->unix_ns);
        stamp = r->stamp_len;
    }
    if (r->details) {
        set_details(r, line);
        details = r->shown.len;
    }
    n = stamp + details + line->len + (line->partial ? 0 : 1);
    if (make_room(r, n + FRAME_HEADER, e))
        return -1;
    if (!r->raw) {
        frame_header((unsigned char *)r->out + r->len,
                     line->from_stderr ? FRAME_STDERR : FRAME_STDOUT, n);
        r->len += FRAME_HEADER;
    }
    put(r, r->stamp, stamp);
    put(r, r->shown.data, details);
    put(r, line->bytes, line->len);
    if (!line->partial)
        r->out[r->len++] = '\n';
    return r->len >= LOG_BATCH ? flush_logs(r, e) : 0;
}

static int send_logs(struct log_reply *r, const char *id, const struct log_read_opts *o,
                     struct err *e)
{
    if (containers_logs(r->rq->engine, id, o, r->rq->cancel, add_line, r, e))
        return -1;
    return flush_logs(r, e);
}

static int log_options(const struct request *rq, struct log_read_opts *o, struct err *e)
{
    const char *tail = query_str(rq, "tail");

    *o = (struct log_read_opts){
        .since_ns = TIME_ZERO,
        .until_ns = TIME_ZERO,
        .tail = -1,
        .out = query_bool(rq, "stdout", false),
        .err = query_bool(rq, "stderr", false),
        .follow = query_bool(rq, "follow", false),
        .pause = pause_logs,
    };
    if (!o->out && !o->err)
        return err_set(e, ERR_INVALID, "Bad parameters: you must choose at least one stream");
    if (query_time(rq, "since", &o->since_ns, e) || query_time(rq, "until", &o->until_ns, e))
        return -1;
    if (o->since_ns == 0)
        o->since_ns = TIME_ZERO;
    if (o->until_ns == 0)
        o->until_ns = TIME_ZERO;
    if (parse_i64(tail, 0, INT64_MAX, "tail", &o->tail, ERR_IGNORE))
        o->tail = -1; /* "all", and whatever else is no number */
    return 0;
}

int container_logs(struct request *rq, struct err *e)
{
    cleanup_reply struct log_reply r = {.rq = rq};
    cleanup_container struct container *c = NULL;
    const struct log_driver_ops *driver;
    struct log_read_opts o;

    reply_init(&r);
    if (log_options(rq, &o, e) || containers_find(rq->engine, rq->arg[0], &c, e))
        return -1;
    driver = log_driver_find(c->spec->log_driver);
    if (!log_driver_readable(driver, &c->spec->log_opts))
        return err_set(e, ERR_UNSUPPORTED, "configured logging driver does not support reading");
    r.raw = c->spec->tty;
    r.timestamps = query_bool(rq, "timestamps", false);
    r.details = query_bool(rq, "details", false);
    /* Out before the first line: a client that follows waits for the head. */
    if (res_stream(rq, 200,
                   !r.raw && request_shape(rq, SHAPE_MULTIPLEXED_TYPE) ? TYPE_MULTIPLEXED_STREAM
                                                                       : TYPE_RAW_STREAM,
                   e) ||
        request_watch(rq, e))
        return -1;
    return send_logs(&r, c->id, &o, e);
}

int logs_replay(struct request *rq, const struct container *c, bool raw, bool out, bool err,
                struct err *e)
{
    cleanup_reply struct log_reply r = {.rq = rq, .raw = raw, .hijacked = true};
    struct log_read_opts o = {
        .since_ns = TIME_ZERO, .until_ns = TIME_ZERO, .tail = -1, .out = out, .err = err};

    reply_init(&r);
    return send_logs(&r, c->id, &o, e);
}
