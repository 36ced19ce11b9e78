/*
 * control: the shim's socket: who may connect, requests in, replies and events out.
 *
 * The socket has mode 0600, and the peer's uid is checked besides, as some file systems do not care
 * about a socket's mode.  A connection that does not take a reply at once is dropped: replies are
 * small, and the agent reads them.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "runtime-linux/shim_internal.h"
#include "runtime-linux/shim_socket.h"

#define REPLY_MAX (1024 * 1024)
#define BACKLOG   64

struct conn {
    struct shim *shim;
    struct conn *next;
    struct source src;
    bool watching;
    uint8_t head[SHIM_HEADER];
    size_t head_len;
    struct shim_header header; /* valid once head is complete */
    char *payload;
    size_t payload_len;
};

static void conn_free(struct conn *c)
{
    struct conn **p = &c->shim->conns;

    while (*p != c)
        p = &(*p)->next;
    *p = c->next;
    loop_drop(&c->shim->loop, &c->src);
    free(c->payload);
    free(c);
}

/* All or nothing; see the top. */
static bool conn_send(struct conn *c, const struct buf *b)
{
    return !b->overflow &&
           send(c->src.fd, b->data, b->len, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)b->len;
}

static bool send_failure(struct conn *c, const struct err *failure)
{
    cleanup_buf struct buf out = BUF_INIT(REPLY_MAX);

    shim_failure(c->header.kind, failure, &out);
    return conn_send(c, &out);
}

/* ------------------------------------------------------------------ events */

static void event_message(const char *event, const char *exec_id, int exit_code, struct buf *out)
{
    cleanup_buf struct buf json = BUF_INIT(4096);
    struct jsonw w = JSONW_INIT(&json);

    jsonw_obj(&w);
    jsonw_kstr(&w, "event", event);
    if (exec_id)
        jsonw_kstr(&w, "exec_id", exec_id);
    jsonw_ki64(&w, "exit_code", exit_code);
    jsonw_end_obj(&w);
    shim_message(SHIM_EVENT, 0, json.data, json.len, out);
}

static void tell_watchers(struct shim *s, const struct buf *out)
{
    for (struct conn *c = s->conns, *next; c; c = next) {
        next = c->next;
        /* Whoever does not read finds out by the connection's end, and asks. */
        if (c->watching && !conn_send(c, out))
            conn_free(c);
    }
}

void control_event(struct shim *s, const char *event, const char *exec_id, int exit_code)
{
    cleanup_buf struct buf out = BUF_INIT(8192);

    event_message(event, exec_id, exit_code, &out);
    tell_watchers(s, &out);
}

void control_log_lost(struct shim *s, uint64_t lines, const char *why)
{
    cleanup_buf struct buf json = BUF_INIT(8192), out = BUF_INIT(16384);
    struct jsonw w = JSONW_INIT(&json);

    jsonw_obj(&w);
    jsonw_kstr(&w, "event", "log_lost");
    jsonw_ki64(&w, "lines", (int64_t)lines);
    jsonw_kstr(&w, "reason", why);
    jsonw_end_obj(&w);
    shim_message(SHIM_EVENT, 0, json.data, json.len, &out);
    tell_watchers(s, &out);
}

/* A watcher learns first what it may have missed: the exits of execs. */
static bool replay(struct conn *c)
{
    for (const struct shim_exec *x = c->shim->execs; x; x = x->next) {
        cleanup_buf struct buf out = BUF_INIT(8192);

        if (x->running)
            continue;
        event_message("exec_exit", x->id, x->exit_code, &out);
        if (!conn_send(c, &out))
            return false;
    }
    return true;
}

/* ------------------------------------------------------------------ requests */

static void hand_over(struct conn *c, const struct conn_stream *stream)
{
    struct shim *s = c->shim;
    int fd;

    loop_unwatch(&s->loop, &c->src);
    fd = c->src.fd;
    c->src.fd = -1;
    conn_free(c);
    stdio_attach(stream->io, fd, stream->in, stream->out, stream->err);
    shim_idle_restart(s);
}

/* The reply, or the failure; false when the connection does not take it. */
static bool answer(struct conn *c, enum conn_next *next, struct conn_stream *stream)
{
    cleanup_json struct json_doc doc = {0};
    cleanup_buf struct buf json = BUF_INIT(REPLY_MAX), out = BUF_INIT(REPLY_MAX);
    struct jsonw w = JSONW_INIT(&json);
    struct err e = ERR_INIT;
    struct json args;

    *next = CONN_STAYS;
    if (json_parse(c->payload, c->header.length, &doc, &e))
        return send_failure(c, &e);
    args = json_root(&doc);
    jsonw_obj(&w);
    if (control_run(c->shim, c->header.kind, &args, &w, next, stream, &e)) {
        *next = CONN_STAYS;
        return send_failure(c, &e);
    }
    jsonw_end_obj(&w);
    shim_message(c->header.kind, 0, json.data, json.len, &out);
    return conn_send(c, &out);
}

/* Does one request; false when `c` is gone afterwards. */
static bool run(struct conn *c)
{
    struct shim *s = c->shim;
    struct conn_stream stream = {0};
    enum conn_next next;
    bool sent = answer(c, &next, &stream);

    if (next == CONN_STREAM) { /* a client that has vanished by now is dropped there, too */
        hand_over(c, &stream);
        return false;
    }
    if (next == CONN_QUITS) {
        control_close(s);
        s->loop.quit = true;
    }
    c->watching = next == CONN_WATCH;
    if (sent && (!c->watching || replay(c)))
        return true;
    conn_free(c);
    return false;
}

static void reset(struct conn *c)
{
    free(c->payload);
    c->payload = NULL;
    c->payload_len = c->head_len = 0;
}

/* 1: read something, 0: nothing there, -1: the connection is over. */
static int fill(struct conn *c, void *into, size_t want, size_t *have)
{
    ssize_t n;

    if (*have == want)
        return 1;
    do
        n = recv(c->src.fd, (char *)into + *have, want - *have, MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN)
        return 0;
    if (n <= 0)
        return -1;
    *have += (size_t)n;
    return 1;
}

static void conn_ready(void *owner, uint32_t events)
{
    struct conn *c = owner;
    struct err e = ERR_INIT;
    int r;

    (void)events;
    r = fill(c, c->head, SHIM_HEADER, &c->head_len);
    if (r > 0 && c->head_len < SHIM_HEADER)
        return;
    if (r > 0 && !c->payload) {
        if (c->watching || shim_header_decode(c->head, &c->header, &e)) {
            if (!c->watching)
                send_failure(c, &e);
            conn_free(c);
            return;
        }
        c->payload = xcalloc(1, c->header.length + 1);
    }
    if (r > 0)
        r = fill(c, c->payload, c->header.length, &c->payload_len);
    if (r < 0) {
        conn_free(c);
        return;
    }
    if (r > 0 && c->payload_len == c->header.length && run(c))
        reset(c);
}

/* ------------------------------------------------------------------ connections */

static bool peer_allowed(int fd)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
           (peer.uid == 0 || peer.uid == geteuid());
}

static void on_connection(void *owner, uint32_t events)
{
    struct shim *s = owner;
    int fd = accept4(s->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct conn *c;

    (void)events;
    if (fd < 0)
        return;
    if (!peer_allowed(fd)) {
        close(fd);
        return;
    }
    c = xcalloc(1, sizeof(*c));
    c->shim = s;
    c->src = (struct source){.fd = fd, .ready = conn_ready, .owner = c};
    c->next = s->conns;
    s->conns = c;
    loop_watch(&s->loop, &c->src, EPOLLIN);
}

int control_listen(struct shim *s, struct err *e)
{
    struct sockaddr_un address;
    mode_t mask;
    int r;

    shim_socket_address(s->exec_dir_fd, &address);
    s->listener = (struct source){.ready = on_connection, .owner = s};
    s->listener.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->listener.fd < 0)
        return err_os(e, errno, "socket");
    /* Ours to remove: we hold the lock, so nobody listens there. */
    if (unlinkat(s->exec_dir_fd, SHIM_SOCKET, 0) && errno != ENOENT)
        return err_os(e, errno, "remove %s/%s", s->exec_dir, SHIM_SOCKET);
    mask = umask(0177);
    r = bind(s->listener.fd, (struct sockaddr *)&address, sizeof(address));
    umask(mask);
    if (r || listen(s->listener.fd, BACKLOG))
        return err_os(e, errno, "listen on %s/%s", s->exec_dir, SHIM_SOCKET);
    loop_watch(&s->loop, &s->listener, EPOLLIN);
    return 0;
}

void control_close(struct shim *s)
{
    if (s->listener.fd < 0)
        return;
    if (unlinkat(s->exec_dir_fd, SHIM_SOCKET, 0) && errno != ENOENT)
        log_warn("socket is left over", "dir=%s", s->exec_dir);
    loop_drop(&s->loop, &s->listener);
}

void control_drop_all(struct shim *s)
{
    for (struct conn *c = s->conns, *next; c; c = next) {
        next = c->next;
        conn_free(c);
    }
}
