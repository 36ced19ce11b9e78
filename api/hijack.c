/*
 * hijack: two threads and a switch.  See hijack.h.
 *
 * The handler's thread carries output, another one carries input and notices that the client is
 * gone.  Whoever sees the end first says why and fires the request's cancel, which ends the other.
 */
#include "api/hijack.h"

#include <string.h>

#include "api/conn.h"
#include "api/detach_keys.h"
#include "api/frames.h"
#include "api/request.h"
#include "base/cancel.h"
#include "base/mem.h"
#include "base/time.h"

#define INPUT_CHUNK (8 * 1024)
#define LINGER_MS   1000

struct pump {
    struct request *rq;
    struct stream *io;
    const struct hijack *h;
    struct cancel *stop_input;
    struct thread input;

    struct mutex lock;
    struct cond input_over;
    bool input_done GUARDED_BY(lock);
    bool ended GUARDED_BY(lock);
    enum hijack_end end GUARDED_BY(lock);
};

#define BODY_MAX      (64 * 1024)
#define HEAD_TAKEN_MS 50

/* ------------------------------------------------------------------- heads */

int hijack_begin(struct request *rq, bool multiplexed, bool common_headers, struct err *e)
{
    cleanup_buf struct buf out = BUF_INIT(4096);

    /* dockerode repeats its options as a body, which is not the process's input */
    if (rq->head->body == HTTP_BODY_LENGTH && !http_body_drain(&rq->body, BODY_MAX))
        return err_set(e, ERR_INVALID, "the body of this request is too long");
    rq->res.hijacked = rq->res.sent = rq->res.ended = rq->res.close = true;
    conn_ends_at_close(rq->conn);
    if (request_upgrades(rq)) {
        http_start_response(&out, 101, "UPGRADED");
        http_add_header(&out, "Content-Type",
                        multiplexed && request_shape(rq, SHAPE_MULTIPLEXED_TYPE)
                            ? TYPE_MULTIPLEXED_STREAM
                            : TYPE_RAW_STREAM);
        buf_addf(&out, "Connection: Upgrade\r\nUpgrade: tcp\r\n");
    } else {
        http_start_response(&out, 200, NULL);
        http_add_header(&out, "Content-Type", TYPE_RAW_STREAM);
    }
    if (common_headers)
        res_common_headers(&out);
    http_end_head(&out);
    if (hijack_write(rq, out.data, out.len, e))
        return -1;
    /*
     * Clients whose HTTP library reads ahead lose what comes in one piece with the head (docker-py
     * does).  dockerd is slow enough for them.
     */
    stream_wait_read(rq->conn->io, HEAD_TAKEN_MS);
    return 0;
}

int hijack_write(struct request *rq, const void *bytes, size_t n, struct err *e)
{
    return stream_write(rq->conn->io, bytes, n, rq->cancel, e);
}

void hijack_refuse(struct request *rq, const struct err *why)
{
    cleanup_buf struct buf out = BUF_INIT(4096);

    rq->res.hijacked = rq->res.sent = rq->res.ended = rq->res.close = true;
    http_start_response(&out, res_status_of(why->kind), NULL);
    http_add_header(&out, "Content-Type", TYPE_RAW_STREAM);
    http_end_head(&out);
    buf_addf(&out, "%s\r\n", why->msg);
    (void)stream_write(rq->conn->io, out.data, out.len, rq->cancel, ERR_IGNORE);
    hijack_finish(rq);
}

/* ----------------------------------------------------------------- the end */

static void end_with(struct pump *p, enum hijack_end how)
{
    mutex_lock(&p->lock);
    if (!p->ended) {
        p->ended = true;
        p->end = how;
    }
    mutex_unlock(&p->lock);
}

static bool has_ended(struct pump *p)
{
    bool ended;

    mutex_lock(&p->lock);
    ended = p->ended;
    mutex_unlock(&p->lock);
    return ended;
}

/* ------------------------------------------------------------------- input */

/* False when the client asked to be let go. */
static bool pass_input(struct pump *p, const char *bytes, size_t n, bool *deaf)
{
    cleanup_buf struct buf clean = BUF_INIT(INPUT_CHUNK + DETACH_KEYS_MAX);
    bool detached = false;

    if (!p->h->in || *deaf)
        return true;
    if (p->h->detach) {
        detached = detach_keys_filter(p->h->detach, (const unsigned char *)bytes, n, &clean);
        bytes = clean.data;
        n = clean.len;
    }
    /* A process that no longer reads is no reason to stop its output. */
    if (n > 0 && stream_write(p->io, bytes, n, p->rq->cancel, ERR_IGNORE))
        *deaf = true;
    return !detached;
}

static void carry_input(struct pump *p)
{
    struct http_reader *in = &p->rq->conn->in;
    struct err e = ERR_INIT;
    char chunk[INPUT_CHUNK];
    bool deaf = false;
    size_t got;

    for (;;) {
        if (http_reader_read(in, chunk, sizeof(chunk), &got, &e)) {
            if (e.kind != ERR_CANCELLED)
                end_with(p, HIJACK_CLIENT_GONE);
            return;
        }
        if (got == 0)
            break;
        if (!pass_input(p, chunk, got, &deaf)) {
            end_with(p, HIJACK_DETACHED);
            return;
        }
    }
    if (p->h->in && p->h->close_stdin && !deaf)
        (void)stream_close_write(p->io, ERR_IGNORE);
    /* Half-closed it is still listening.  Has it closed the rest too? */
    if (!has_ended(p) && !stream_wait_gone(p->rq->conn->io, p->stop_input, ERR_IGNORE))
        end_with(p, HIJACK_CLIENT_GONE);
}

static void input_thread(void *arg)
{
    struct pump *p = arg;

    carry_input(p);
    if (has_ended(p))
        cancel_fire(p->rq->cancel);
    mutex_lock(&p->lock);
    p->input_done = true;
    cond_broadcast(&p->input_over);
    mutex_unlock(&p->lock);
}

/* ------------------------------------------------------------------ output */

static bool wanted(const struct hijack *h, const struct frame *f)
{
    switch (f->kind) {
    case FRAME_STDOUT:
        return h->out;
    case FRAME_STDERR:
        return h->err;
    case FRAME_SYSTEM:
        return true;
    default:
        return false;
    }
}

/*
 * Frames that are wanted and lie one behind the other in the reader's buffer go out in one write.
 * *have_next: *f is the frame that ended the run, and not part of it.
 */
static int pass_run(struct pump *p, struct frame_reader *r, struct frame *f, bool *have_next,
                    struct err *e)
{
    const unsigned char *start = p->h->raw ? f->payload : f->head;
    const unsigned char *end = f->payload + f->len;
    bool got;

    *have_next = false;
    while (!p->h->raw && frame_reader_pending(r)) {
        if (frame_read(r, p->rq->cancel, f, &got, e))
            return -1;
        if (!wanted(p->h, f)) {
            *have_next = true;
            break;
        }
        end = f->payload + f->len;
    }
    return hijack_write(p->rq, start, (size_t)(end - start), e);
}

/* One frame, or a run of them.  1: go on, 0: the end. */
static int carry_some(struct pump *p, struct frame_reader *r, int *exit_code)
{
    bool have = true, again = false;
    struct frame f;
    struct err e = ERR_INIT;

    if (frame_read(r, p->rq->cancel, &f, &have, &e)) {
        end_with(p, e.kind == ERR_CANCELLED ? HIJACK_CLIENT_GONE : HIJACK_FAILED);
        return 0;
    }
    if (have && wanted(p->h, &f)) {
        if (pass_run(p, r, &f, &again, &e)) {
            end_with(p, HIJACK_CLIENT_GONE);
            return 0;
        }
        if (!again)
            return 1;
    }
    if (have && f.kind == FRAME_EXIT)
        *exit_code = frame_exit_code(&f);
    if (have && f.kind != FRAME_EXIT)
        return 1;
    end_with(p, HIJACK_OUTPUT_ENDED);
    return 0;
}

/* Unread bytes would turn the client's end of file into "connection reset". */
static void linger(struct pump *p)
{
    int64_t deadline = time_mono_ms() + LINGER_MS;

    if (stream_close_write(p->rq->conn->io, ERR_IGNORE))
        return;
    mutex_lock(&p->lock);
    while (!p->input_done && cond_wait_until(&p->input_over, &p->lock, deadline))
        ;
    mutex_unlock(&p->lock);
}

static enum hijack_end run(struct pump *p, int *exit_code)
{
    struct frame_reader r;
    struct err e = ERR_INIT;

    p->rq->conn->in.cancel = p->stop_input;
    if (thread_start(&p->input, "api-stdin", input_thread, p, &e)) {
        hijack_finish(p->rq);
        return HIJACK_FAILED;
    }
    frame_reader_init(&r, p->io);
    while (carry_some(p, &r, exit_code) > 0)
        ;
    frame_reader_release(&r);
    if (p->end == HIJACK_OUTPUT_ENDED && p->h->output_ended)
        p->h->output_ended(p->h->arg, *exit_code);
    if (p->end == HIJACK_OUTPUT_ENDED || p->end == HIJACK_FAILED)
        linger(p);
    cancel_fire(p->stop_input);
    cancel_fire(p->rq->cancel); /* it may be writing to a process that does not read */
    thread_join(&p->input);
    p->rq->conn->in.cancel = p->rq->cancel;
    return p->end;
}

enum hijack_end hijack_run(struct request *rq, struct stream *io, const struct hijack *h,
                           int *exit_code)
{
    struct pump p = {.rq = rq, .io = io, .h = h, .stop_input = cancel_new()};
    enum hijack_end end;

    mutex_init(&p.lock);
    cond_init(&p.input_over);
    end = run(&p, exit_code);
    cond_destroy(&p.input_over);
    mutex_destroy(&p.lock);
    cancel_free(p.stop_input);
    return end;
}

void hijack_finish(struct request *rq)
{
    (void)stream_close_write(rq->conn->io, ERR_IGNORE);
}
