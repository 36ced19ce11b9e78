/*
 * deliver: the queue of ballast-log, and what happens when the peer is away.
 *
 * The main thread takes frames from the shim, one thread gives their lines to the driver.
 *
 * (1) blocking: a full queue is not read into, so the socket fills up and the shim stops reading
 *     the container's output.  non-blocking: a full queue loses the new frame, and the shim never
 *     waits.
 * (2) An outage begins with the first failure.  Tries follow with growing pauses.  Once it has
 *     lasted longer than the driver's patience (blocking mode only), lines are lost at once, except
 *     that one try is made whenever a pause is over.  The first success ends it.
 * (3) Every line is counted as handled exactly once, delivered or lost; the shim is told, so that
 *     it knows what is lost should this program die.
 * (4) When the shim closes its end, what is queued has DRAIN_MS to be delivered.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/sync.h"
#include "base/time.h"
#include "logdrivers/log_frame.h"
#include "logdrivers/remote/pieces.h"
#include "logdrivers/remote/remote.h"

#define DRAIN_MS       10000
#define STATUS_MS      1000
#define BLOCKING_BYTES (256 * 1024)
#define RING_BYTES     (1024 * 1024) /* dockerd's default for max-buffer-size */

struct node {
    struct node *next;
    size_t len;
    char bytes[];
};

struct delivery {
    int fd;
    const struct remote_ops *ops;
    struct remote *r;
    const char *name;
    struct remote_limits limits;

    struct mutex lock;
    struct cond changed; /* anything below */
    struct node *head, **tail;
    size_t bytes, lines;
    bool closed, over;
    int64_t deadline_ms;  /* once closed */
    uint64_t taken, lost; /* off the queue or never on it; of those, not delivered */
    char why[ERR_MSG_MAX];

    /* The delivering thread's own. */
    struct pieces pieces[2];
    int64_t down_since_ms, next_try_ms, pause_ms; /* 0: the peer takes what it gets */
    int64_t told_ms;
    uint64_t told_handled, told_lost;
};

/* ------------------------------------------------------------------ counting */

static void lose(struct delivery *d, uint64_t n, const struct err *e)
{
    mutex_lock(&d->lock);
    d->lost += n;
    (void)str_copy(d->why, sizeof(d->why), e->msg); /* same size */
    mutex_unlock(&d->lock);
}

static size_t gathered(const struct delivery *d)
{
    return d->ops->gathered ? d->ops->gathered(d->r) : 0;
}

/* Cumulative numbers: a message that does not fit is made up for by the next. */
static void tell(struct delivery *d)
{
    char out[LOG_FRAME_MAX];
    uint64_t handled, lost;
    size_t n;

    mutex_lock(&d->lock);
    handled = d->taken - gathered(d);
    lost = d->lost;
    n = handled == d->told_handled && lost == d->told_lost
            ? 0
            : log_frame_tell(out, LOG_FRAME_STATUS, handled, lost, d->why);
    mutex_unlock(&d->lock);
    d->told_ms = time_mono_ms();
    if (n > 0 && send(d->fd, out, n, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)n) {
        d->told_handled = handled;
        d->told_lost = lost;
    }
}

static void tell_when_due(struct delivery *d)
{
    if (time_mono_ms() - d->told_ms >= STATUS_MS)
        tell(d);
}

/* ------------------------------------------------------------------ outages */

static bool out_of_time(struct delivery *d)
{
    bool yes;

    mutex_lock(&d->lock);
    yes = d->closed && time_mono_ms() >= d->deadline_ms;
    mutex_unlock(&d->lock);
    return yes;
}

static void wait_until(struct delivery *d, int64_t until_ms)
{
    mutex_lock(&d->lock);
    while (time_mono_ms() < until_ms && !(d->closed && time_mono_ms() >= d->deadline_ms)) {
        int64_t stop = d->closed && d->deadline_ms < until_ms ? d->deadline_ms : until_ms;

        (void)cond_wait_until(&d->changed, &d->lock, stop);
    }
    mutex_unlock(&d->lock);
}

static void peer_is_up(struct delivery *d)
{
    if (d->down_since_ms)
        log_info("log server takes lines again", "driver=%s", d->ops->name);
    d->down_since_ms = d->next_try_ms = d->pause_ms = 0;
}

/* Rule (2).  True: try again, now; false: the patience is over. */
static bool peer_is_down(struct delivery *d, const struct err *e)
{
    struct remote_patience p = d->ops->patience(d->r);
    int64_t now = time_mono_ms();

    if (!d->down_since_ms) {
        d->down_since_ms = now;
        log_warn("log server does not take lines", "driver=%s reason=%s", d->ops->name,
                 log_quote(e->msg));
    }
    d->pause_ms = d->pause_ms ? d->pause_ms * 2 : p.first_ms;
    if (d->pause_ms > p.longest_ms)
        d->pause_ms = p.longest_ms;
    d->next_try_ms = now + d->pause_ms;
    if (d->limits.blocking && d->next_try_ms - d->down_since_ms > p.total_ms)
        return false;
    tell_when_due(d);
    wait_until(d, d->next_try_ms);
    return !out_of_time(d);
}

static bool patience_is_over(const struct delivery *d)
{
    return d->down_since_ms && d->limits.blocking && time_mono_ms() < d->next_try_ms;
}

/* ------------------------------------------------------------------ delivering */

/* Until it is taken, or lost. */
static void deliver_line(struct delivery *d, const struct remote_line *line)
{
    struct err e = ERR_INIT;

    if (patience_is_over(d)) {
        mutex_lock(&d->lock);
        d->lost++;
        mutex_unlock(&d->lock);
        return;
    }
    while (d->ops->write(d->r, line, &e))
        if (e.kind == ERR_INVALID || !peer_is_down(d, &e)) {
            lose(d, 1, &e);
            return;
        }
    if (!d->ops->flush)
        peer_is_up(d);
}

static void flush(struct delivery *d)
{
    struct err e = ERR_INIT;

    while (d->ops->flush(d->r, &e))
        if (e.kind == ERR_INVALID || !peer_is_down(d, &e)) {
            lose(d, d->ops->drop(d->r), &e);
            return;
        }
    peer_is_up(d);
}

static bool flush_is_due(const struct delivery *d)
{
    return gathered(d) > 0 && d->ops->due_ms(d->r) <= time_mono_ms();
}

static void deliver_frame(struct delivery *d, const struct node *node)
{
    struct log_frame_view v;
    struct log_line line;

    if (log_frame_parse(node->bytes, node->len, &v, ERR_IGNORE)) /* it was, when it came */
        return;
    while (log_frame_next(&v, &line)) {
        bool late = out_of_time(d);
        struct remote_line out;

        pieces_of(&d->pieces[line.from_stderr], &line, &out);
        if (!late)
            deliver_line(d, &out);
        mutex_lock(&d->lock);
        d->taken++;
        d->lost += late;
        mutex_unlock(&d->lock);
        if (flush_is_due(d))
            flush(d);
        tell_when_due(d);
    }
}

/* The next frame, or NULL when something else is due, or all is over (*end). */
static struct node *take(struct delivery *d, bool *end)
{
    int64_t due = gathered(d) > 0 ? d->ops->due_ms(d->r) : INT64_MAX;
    int64_t until = d->told_ms + STATUS_MS < due ? d->told_ms + STATUS_MS : due;
    struct node *node;

    mutex_lock(&d->lock);
    if (d->told_handled == d->taken - gathered(d) && d->told_lost == d->lost)
        until = due; /* nothing new to tell */
    while (!d->head && !d->closed && time_mono_ms() < until)
        (void)cond_wait_until(&d->changed, &d->lock, until);
    node = due <= time_mono_ms() ? NULL : d->head;
    *end = d->closed && !d->head;
    if (node) {
        d->head = node->next;
        if (!d->head)
            d->tail = &d->head;
        d->bytes -= node->len;
        d->lines -= log_frame_count(node->bytes, node->len);
        cond_broadcast(&d->changed);
    }
    mutex_unlock(&d->lock);
    return node;
}

static void deliver_all(void *arg)
{
    struct delivery *d = arg;
    bool end = false;

    while (!end && !out_of_time(d)) {
        cleanup_free struct node *node = take(d, &end);

        if (node)
            deliver_frame(d, node);
        else if (flush_is_due(d) || (end && gathered(d) > 0))
            flush(d);
        tell_when_due(d);
    }
    tell(d);
    mutex_lock(&d->lock);
    d->over = true;
    cond_broadcast(&d->changed);
    mutex_unlock(&d->lock);
}

/* ------------------------------------------------------------------ the shim's side */

static bool fits(const struct delivery *d, size_t len, uint32_t count)
{
    return !d->head || (d->bytes + len <= d->limits.max_bytes &&
                        (!d->limits.max_lines || d->lines + count <= d->limits.max_lines));
}

static void push(struct delivery *d, const char *bytes, size_t len)
{
    struct node *node = xmalloc(sizeof(*node) + len);
    uint32_t count = log_frame_count(bytes, len);

    node->next = NULL;
    node->len = len;
    memcpy(node->bytes, bytes, len);
    mutex_lock(&d->lock);
    while (d->limits.blocking && !fits(d, len, count))
        cond_wait(&d->changed, &d->lock);
    if (fits(d, len, count)) {
        *d->tail = node;
        d->tail = &node->next;
        d->bytes += len;
        d->lines += count;
        cond_broadcast(&d->changed);
        node = NULL;
    } else {
        d->taken += count;
        d->lost += count;
        (void)!snprintf(d->why, sizeof(d->why), "the buffer of %zu bytes was full",
                        d->limits.max_bytes);
    }
    mutex_unlock(&d->lock);
    free(node);
}

/* Until the other end is closed, by the shim or by its death. */
static void take_frames(struct delivery *d)
{
    cleanup_free char *bytes = xmalloc(LOG_FRAME_MAX + 1);
    struct log_frame_view v;
    ssize_t n;

    while ((n = recv(d->fd, bytes, LOG_FRAME_MAX + 1, 0)) != 0) {
        struct err e = ERR_INIT;

        /* A shim that goes without having read all of our news: what it has sent comes after that.
         */
        if (n < 0 && (errno == EINTR || errno == ECONNRESET))
            continue;
        if (n < 0)
            return; /* as good as closed */
        if (log_frame_parse(bytes, (size_t)n, &v, &e))
            log_warn("a frame of log lines is not understood", "reason=%s", log_quote(e.msg));
        else if (v.kind == LOG_FRAME_LINES && v.count > 0)
            push(d, bytes, (size_t)n);
    }
}

/* Rule (4); the thread may hang in a driver, whose calls have limits of their own. */
static void drain(struct delivery *d)
{
    uint64_t rest = 0;

    mutex_lock(&d->lock);
    d->closed = true;
    d->deadline_ms = time_mono_ms() + DRAIN_MS;
    cond_broadcast(&d->changed);
    while (!d->over && time_mono_ms() < d->deadline_ms + STATUS_MS)
        (void)cond_wait_until(&d->changed, &d->lock, d->deadline_ms + STATUS_MS);
    rest = d->lines + (d->over ? gathered(d) : 0);
    if (d->lost + rest > 0)
        log_warn(
            "log lines were not delivered", "driver=%s container=%s lines=%" PRIu64 " reason=%s",
            d->ops->name, log_quote(d->name), d->lost + rest,
            log_quote(*d->why ? d->why : "the container ended before the log server took them"));
    mutex_unlock(&d->lock);
}

static int set_limits(struct delivery *d, const struct remote_config *cfg, struct err *e)
{
    const char *size = kvs_get(&cfg->opts, "max-buffer-size");
    int64_t bytes = RING_BYTES;

    d->limits = (struct remote_limits){.blocking = true, .max_bytes = BLOCKING_BYTES};
    if (str_eq(kvs_get(&cfg->opts, "mode"), "non-blocking")) {
        if (size && parse_size(size, "max-buffer-size", &bytes, e))
            return -1;
        d->limits.blocking = false;
        d->limits.max_bytes = bytes > 0 ? (size_t)bytes : RING_BYTES;
    } else if (d->ops->limits) {
        d->ops->limits(d->r, &d->limits);
    }
    return 0;
}

static void say(int fd, enum log_frame_kind kind, const char *text)
{
    char out[LOG_FRAME_MAX];
    size_t n = log_frame_tell(out, kind, 0, 0, text);

    (void)!send(fd, out, n, MSG_NOSIGNAL); /* a shim that is gone is seen by the next recv() */
}

int deliver_run(int fd, const struct remote_config *cfg, struct err *e)
{
    struct delivery d = {.fd = fd, .name = cfg->name, .ops = remote_find(cfg->driver)};
    struct thread thread = {0};

    if (!d.ops)
        err_set(e, ERR_INVALID, "logger: no log driver named '%s' is registered", cfg->driver);
    if (!d.ops || d.ops->open(cfg, &d.r, e)) {
        say(fd, LOG_FRAME_FAILED, e->msg);
        return -1;
    }
    mutex_init(&d.lock);
    cond_init(&d.changed);
    d.tail = &d.head;
    if (set_limits(&d, cfg, e) || thread_start(&thread, "deliver", deliver_all, &d, e)) {
        d.ops->close(d.r);
        say(fd, LOG_FRAME_FAILED, e->msg);
        return -1;
    }
    say(fd, LOG_FRAME_READY, NULL);
    take_frames(&d);
    drain(&d);
    mutex_lock(&d.lock);
    if (!d.over)
        _exit(0); /* a driver hangs; there is nothing left that could be lost */
    mutex_unlock(&d.lock);
    thread_join(&thread);
    d.ops->close(d.r);
    cond_destroy(&d.changed);
    mutex_destroy(&d.lock);
    return 0;
}
