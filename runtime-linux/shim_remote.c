/* shim_remote: see shim_remote.h. */
#include "runtime-linux/shim_remote.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/process.h"
#include "base/time.h"
#include "logdrivers/log_frame.h"

#define OPEN_MS       30000 /* for the driver to reach its server */
#define RESTART_MS    100   /* doubles up to */
#define RESTART_MAX   5000
#define STEADY_MS     10000 /* one that has lived so long starts with RESTART_MS again */
#define LOST_EVERY_MS 5000  /* of reports on losses */
#define LAST_WORDS    (4 * 1024 * 1024)

struct pending {
    struct pending *next;
    size_t len;
    char bytes[];
};

struct shim_remote {
    struct loop *loop;
    struct shim_remote_sink sink;
    char *program;
    int config_fd;
    bool blocking;

    struct source conn; /* .fd -1: there is no program */
    int64_t since_ms;   /* of the program, or of there being none */
    int64_t delay_ms;
    struct timer restart, report;
    uint64_t sent, handled, lost; /* of this program; lines */

    struct log_frame frame; /* being filled */
    struct pending *head, **tail;
    size_t bytes;

    uint64_t unreported;
    char why[ERR_MSG_MAX];
};

/* ------------------------------------------------------------------ losses */

static void report(struct shim_remote *r)
{
    uint64_t n = r->unreported;

    r->unreported = 0;
    if (n > 0)
        r->sink.lost(r->sink.arg, n, r->why);
}

static void on_report(void *owner)
{
    struct shim_remote *r = owner;

    if (r->unreported > 0)
        loop_timer_set(r->loop, &r->report, LOST_EVERY_MS);
    report(r);
}

static void lose(struct shim_remote *r, uint64_t lines, const char *why, size_t n)
{
    if (lines == 0)
        return;
    r->unreported += lines;
    if (n >= sizeof(r->why))
        n = sizeof(r->why) - 1;
    memcpy(r->why, why, n);
    r->why[n] = '\0';
    if (!r->report.linked)
        on_report(r);
}

/* ------------------------------------------------------------------ the program */

static void conn_ready(void *owner, uint32_t events);

static int spawn(struct shim_remote *r, bool again, struct err *e)
{
    static const char *const env[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};
    const char *argv[] = {r->program, "deliver", again ? "--again" : NULL, NULL};
    cleanup_fd int ours = -1, theirs = -1;
    struct process p;
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
        return err_os(e, errno, "socket pair for the log driver");
    ours = pair[0];
    theirs = pair[1];
    {
        const struct process_fd map[] = {
            {STDERR_FILENO, STDERR_FILENO},
            {theirs,        LOG_FRAME_FDS},
            {r->config_fd,  LOG_CONFIG_FD}
        };
        const struct process_opts opts = {
            .argv = argv, .envp = env, .fds = map, .n_fds = ARRAY_LEN(map)};

        if (process_spawn(&opts, &p, e)) /* it is waited for with all other children */
            return -1;
    }
    r->conn.fd = take_fd(ours);
    r->since_ms = time_mono_ms();
    r->sent = r->handled = r->lost = 0;
    return 0;
}

static void gone(struct shim_remote *r)
{
    static const char why[] = "ballast-log ended before it had reported on them";
    int64_t now = time_mono_ms();

    lose(r, r->sent - r->handled, why, strlen(why));
    loop_drop(r->loop, &r->conn);
    r->conn.fd = -1;
    r->sent = r->handled = r->lost = 0;
    r->delay_ms = now - r->since_ms > STEADY_MS || r->delay_ms == 0 ? RESTART_MS : r->delay_ms * 2;
    if (r->delay_ms > RESTART_MAX)
        r->delay_ms = RESTART_MAX;
    r->since_ms = now;
    loop_timer_set(r->loop, &r->restart, r->delay_ms);
}

/* ------------------------------------------------------------------ sending */

/* 1: sent; 0: not now; -1: the program is gone. */
static int put(struct shim_remote *r, const char *bytes, size_t len)
{
    ssize_t n;

    if (r->conn.fd < 0)
        return 0;
    do
        n = send(r->conn.fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n >= 0) {
        r->sent += log_frame_count(bytes, len);
        return 1;
    }
    return errno == EAGAIN || errno == ENOBUFS ? 0 : -1;
}

static void send_pending(struct shim_remote *r)
{
    while (r->head) {
        struct pending *p = r->head;
        int sent = put(r, p->bytes, p->len);

        if (sent < 0)
            gone(r);
        if (sent <= 0)
            return;
        r->head = p->next;
        r->bytes -= p->len;
        free(p);
    }
    r->tail = &r->head;
}

static void watch(struct shim_remote *r)
{
    if (r->conn.fd >= 0)
        loop_watch(r->loop, &r->conn, r->head ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

bool shim_remote_blocks(const struct shim_remote *r)
{
    return r->blocking && r->head &&
           (r->conn.fd >= 0 || time_mono_ms() - r->since_ms < REMOTE_GONE_MS);
}

static void keep(struct shim_remote *r, const char *bytes, size_t len)
{
    struct pending *p;

    if (!shim_remote_blocks(r) && r->bytes + len > REMOTE_PENDING_MAX) {
        static const char why[] = "ballast-log does not take them";

        lose(r, log_frame_count(bytes, len), why, strlen(why));
        return;
    }
    p = xmalloc(sizeof(*p) + len);
    p->next = NULL;
    p->len = len;
    memcpy(p->bytes, bytes, len);
    *r->tail = p;
    r->tail = &p->next;
    r->bytes += len;
}

static void send_frame(struct shim_remote *r)
{
    int sent;

    if (r->frame.len == 0)
        return;
    sent = r->head ? 0 : put(r, r->frame.bytes, r->frame.len);
    if (sent < 0)
        gone(r);
    if (sent <= 0)
        keep(r, r->frame.bytes, r->frame.len);
    r->frame.len = 0;
    watch(r);
}

void shim_remote_line(struct shim_remote *r, const struct log_line *line)
{
    if (!r->frame.bytes)
        r->frame.bytes = xmalloc(LOG_FRAME_MAX);
    if (log_frame_add(&r->frame, line))
        return;
    send_frame(r);
    (void)log_frame_add(&r->frame, line); /* an empty one takes any line */
}

void shim_remote_flush(struct shim_remote *r)
{
    send_frame(r);
}

void shim_remote_trim(struct shim_remote *r)
{
    send_frame(r);
    free(r->frame.bytes);
    r->frame.bytes = NULL;
}

/* ------------------------------------------------------------------ listening */

static void on_status(struct shim_remote *r, const struct log_frame_view *v)
{
    uint64_t lost = v->lost;

    if (v->kind != LOG_FRAME_STATUS || v->number > r->sent || lost < r->lost)
        return; /* READY after a restart, or nonsense */
    r->handled = v->number;
    lose(r, lost - r->lost, v->rest, v->rest_len);
    r->lost = lost;
}

/* False when the program is gone. */
static bool hear(struct shim_remote *r)
{
    char bytes[LOG_FRAME_HEAD + 8 + ERR_MSG_MAX];
    struct log_frame_view v;

    for (;;) {
        ssize_t n = recv(r->conn.fd, bytes, sizeof(bytes), MSG_DONTWAIT);

        if (n < 0 && (errno == EINTR || errno == ECONNRESET)) /* which comes before what it said */
            continue;
        if (n <= 0)
            return n < 0 && errno == EAGAIN;
        if (log_frame_parse(bytes, (size_t)n, &v, ERR_IGNORE) == 0)
            on_status(r, &v);
    }
}

static void changed(struct shim_remote *r, bool blocked)
{
    watch(r);
    if (blocked && !shim_remote_blocks(r))
        r->sink.room(r->sink.arg);
}

static void conn_ready(void *owner, uint32_t events)
{
    struct shim_remote *r = owner;
    bool blocked = shim_remote_blocks(r);

    (void)events;
    if (!hear(r))
        gone(r);
    else
        send_pending(r);
    changed(r, blocked);
}

static void on_restart(void *owner)
{
    struct shim_remote *r = owner;
    struct err e = ERR_INIT;

    if (spawn(r, true, &e)) {
        log_warn("log driver is not started again", "reason=%s", log_quote(e.msg));
        r->delay_ms = r->delay_ms * 2 > RESTART_MAX ? RESTART_MAX : r->delay_ms * 2;
        loop_timer_set(r->loop, &r->restart, r->delay_ms);
    } else {
        send_pending(r);
    }
    changed(r, true); /* it may also be that it was waited for long enough */
}

/* ------------------------------------------------------------------ beginning and end */

static int wait_until_open(struct shim_remote *r, struct err *e)
{
    char bytes[LOG_FRAME_HEAD + 8 + ERR_MSG_MAX];
    struct pollfd f = {.fd = r->conn.fd, .events = POLLIN};
    int64_t until = time_mono_ms() + OPEN_MS;
    struct log_frame_view v;
    ssize_t n;
    int ready;

    do
        ready = poll(&f, 1, (int)(until - time_mono_ms() > 0 ? until - time_mono_ms() : 0));
    while (ready < 0 && errno == EINTR);
    if (ready <= 0)
        return err_set(e, ERR_TIMEOUT, "the log server does not answer");
    n = recv(r->conn.fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    if (n <= 0)
        return err_set(e, ERR_INTERNAL, "ballast-log ended unexpectedly");
    if (log_frame_parse(bytes, (size_t)n, &v, e))
        return -1;
    if (v.kind == LOG_FRAME_READY)
        return 0;
    err_fill(e, ERR_INTERNAL, "%.*s", (int)v.rest_len, v.rest);
    if (strstr(e->msg, "no such file or directory")) /* the caller's mistake, for dockerd */
        e->kind = ERR_INVALID;
    return -1;
}

/* A file in memory: it is not in ours, and each instance of the program reads it anew. */
static int write_config(struct shim_remote *r, const struct json *config, struct err *e)
{
    cleanup_buf struct buf text = BUF_INIT(1024 * 1024);

    json_text(config, &text);
    if (buf_check(&text, "the log configuration", e))
        return -1;
    r->config_fd = memfd_create("log-config", MFD_CLOEXEC);
    if (r->config_fd < 0)
        return err_os(e, errno, "memfd_create");
    if (write(r->config_fd, text.data, text.len) != (ssize_t)text.len)
        return err_os(e, errno ? errno : EIO, "write the log configuration");
    return 0;
}

static void release(struct shim_remote *r)
{
    loop_timer_clear(r->loop, &r->restart);
    loop_timer_clear(r->loop, &r->report);
    loop_drop(r->loop, &r->conn);
    fd_close(r->config_fd);
    free(r->frame.bytes);
    while (r->head) {
        struct pending *p = r->head;

        r->head = p->next;
        free(p);
    }
    free(r->program);
    free(r);
}

int shim_remote_open(struct loop *l, const struct json *request,
                     const struct shim_remote_sink *sink, struct shim_remote **out, struct err *e)
{
    struct shim_remote *r = xcalloc(1, sizeof(*r));
    struct json config = json_get(request, "config");

    r->loop = l;
    r->sink = *sink;
    r->program = xstrdup(json_get_str(request, "program"));
    r->blocking = json_get_bool(request, "blocking");
    r->config_fd = -1;
    r->tail = &r->head;
    r->conn = (struct source){.fd = -1, .ready = conn_ready, .owner = r};
    r->restart = (struct timer){.fire = on_restart, .owner = r};
    r->report = (struct timer){.fire = on_report, .owner = r};
    if (write_config(r, &config, e) || spawn(r, false, e) || wait_until_open(r, e)) {
        release(r);
        return -1;
    }
    watch(r);
    *out = r;
    return 0;
}

/* Rule (4): the socket takes what a shim may hold, and the program reads it after we are gone. */
static void hand_over(struct shim_remote *r)
{
    static const char why[] = "the container ended while ballast-log did not take them";
    const int size = LAST_WORDS;

    if (!r->head)
        return;
    if (r->conn.fd < 0 && spawn(r, true, ERR_IGNORE)) {
        log_warn("log driver is not started again", NULL);
    } else {
        if (setsockopt(r->conn.fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)))
            (void)setsockopt(r->conn.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
        send_pending(r);
    }
    for (const struct pending *p = r->head; p; p = p->next)
        lose(r, log_frame_count(p->bytes, p->len), why, strlen(why));
}

void shim_remote_close(struct shim_remote *r)
{
    if (!r)
        return;
    send_frame(r);
    hand_over(r);
    report(r);
    release(r);
}
