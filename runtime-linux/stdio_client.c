/*
 * stdio_client: those who are attached to a process; see stdio.h for the rules.
 *
 * A client that has closed its socket is `gone`: it gets nothing more, but the stdin it has sent
 * before is still read, up to its end, as soon as the process can take it.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/be.h"
#include "base/log.h"
#include "base/mem.h"
#include "runtime-linux/stdio_internal.h"

#define STDIN_CHUNK (16 * 1024)

struct client {
    struct stdio *io;
    struct client *next;
    struct source src;
    bool in, out, err;
    bool gone;   /* the other end is closed */
    bool ending; /* closed here as soon as `bytes` are sent */
    char *bytes; /* not sent yet */
    size_t off, len;
    struct timer stall;
};

static void client_free(struct client *c)
{
    struct stdio *io = c->io;
    struct client **p = &io->clients;

    while (*p != c)
        p = &(*p)->next;
    *p = c->next;
    loop_timer_clear(io->loop, &c->stall);
    /* Bytes that nobody has read would make the close a reset: the peer shall see an end. */
    shutdown(c->src.fd, SHUT_RDWR);
    for (char sink[512]; recv(c->src.fd, sink, sizeof(sink), MSG_DONTWAIT) > 0;)
        ;
    loop_drop(io->loop, &c->src);
    free(c->bytes);
    free(c);
    if (io->sink.left)
        io->sink.left(io->sink.arg);
}

static bool can_read(const struct client *c)
{
    return c->in && c->io->started && !c->io->pending;
}

static bool has_pending(const struct client *c)
{
    return c->off < c->len;
}

/* Frees a client that nothing more can come of; false when it is gone from the list. */
static bool client_update(struct client *c)
{
    uint32_t events = (has_pending(c) ? EPOLLOUT : 0) | (can_read(c) ? EPOLLIN : 0);

    if ((c->gone && !c->in) || (c->ending && !has_pending(c))) {
        client_free(c);
        return false;
    }
    if (c->gone && !can_read(c))
        loop_unwatch(c->io->loop, &c->src); /* EPOLLHUP would come for ever */
    else
        loop_watch(c->io->loop, &c->src, events);
    return true;
}

void clients_update(struct stdio *io)
{
    for (struct client *c = io->clients, *next; c; c = next) {
        next = c->next;
        client_update(c);
    }
}

bool clients_block(const struct stdio *io, enum frame_kind kind)
{
    for (const struct client *c = io->clients; c; c = c->next)
        if (has_pending(c) && (kind == FRAME_STDERR ? c->err : c->out))
            return true;
    return false;
}

static void client_is_gone(struct client *c)
{
    c->gone = true;
    c->out = c->err = false;
    c->off = c->len = 0;
    loop_timer_clear(c->io->loop, &c->stall);
}

static void stalled(void *owner)
{
    struct client *c = owner;
    struct stdio *io = c->io;

    log_warn("attached client takes no output, dropped", NULL);
    client_free(c);
    stdio_update(io);
}

static ssize_t send_some(struct client *c, const char *bytes, size_t n)
{
    ssize_t sent;

    do
        sent = send(c->src.fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    if (sent < 0 && errno == EAGAIN)
        return 0;
    if (sent < 0)
        client_is_gone(c);
    return sent;
}

static void set_stall(struct client *c)
{
    loop_timer_set(c->io->loop, &c->stall, c->ending ? STDIO_LINGER_MS : STDIO_STALL_MS);
}

static void client_send(struct client *c, const char *bytes, size_t n)
{
    ssize_t sent = 0;

    if (c->gone)
        return;
    if (!has_pending(c))
        sent = send_some(c, bytes, n);
    if (sent < 0 || (size_t)sent == n)
        return;
    c->bytes = xrealloc(c->bytes, c->len + n - (size_t)sent);
    memcpy(c->bytes + c->len, bytes + sent, n - (size_t)sent);
    c->len += n - (size_t)sent;
    set_stall(c);
}

static void client_flush(struct client *c)
{
    ssize_t sent = send_some(c, c->bytes + c->off, c->len - c->off);

    if (sent < 0)
        return;
    c->off += (size_t)sent;
    if (has_pending(c)) {
        if (sent > 0)
            set_stall(c);
        return;
    }
    loop_timer_clear(c->io->loop, &c->stall);
    free(c->bytes);
    c->bytes = NULL;
    c->off = c->len = 0;
}

static void client_read(struct client *c)
{
    char bytes[STDIN_CHUNK];
    ssize_t n = recv(c->src.fd, bytes, sizeof(bytes), MSG_DONTWAIT);

    if (n > 0) {
        stdio_feed(c->io, bytes, (size_t)n);
        return;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    c->in = false;
    stdio_feed_end(c->io);
}

static void client_ready(void *owner, uint32_t events)
{
    struct client *c = owner;
    struct stdio *io = c->io;

    if (events & (EPOLLHUP | EPOLLERR))
        client_is_gone(c);
    else if (events & EPOLLOUT)
        client_flush(c);
    if (can_read(c) && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        client_read(c);
    clients_update(io); /* this one, and all of them when the process's stdin is full now */
    stdio_update(io);
}

void stdio_attach(struct stdio *io, int fd, bool in, bool out, bool err)
{
    struct client *c = xcalloc(1, sizeof(*c));

    c->io = io;
    c->in = in && io->stdin_open;
    c->out = out;
    c->err = err && !io->tty;
    c->src = (struct source){.fd = fd, .ready = client_ready, .owner = c};
    c->stall = (struct timer){.fire = stalled, .owner = c};
    c->ending = io->ended;
    c->next = io->clients;
    io->clients = c;
    client_update(c);
}

bool stdio_has_clients(const struct stdio *io)
{
    return io->clients != NULL;
}

static void frame_header(char *p, enum frame_kind kind, size_t n)
{
    memset(p, 0, FRAME_HEADER);
    p[0] = (char)kind;
    put_be32(p + 4, (uint32_t)n);
}

void clients_send(struct stdio *io, enum frame_kind kind, size_t n)
{
    if (!io->clients)
        return;
    frame_header(stdio_frame, kind, n);
    for (struct client *c = io->clients, *next; c; c = next) {
        next = c->next;
        if (kind == FRAME_STDERR ? !c->err : !c->out)
            continue;
        client_send(c, stdio_frame, FRAME_HEADER + n);
        client_update(c);
    }
}

void clients_end(struct stdio *io, const int *exit_code)
{
    char frame[FRAME_HEADER + 4];

    frame_header(frame, FRAME_EXIT, 4);
    for (struct client *c = io->clients, *next; c; c = next) {
        next = c->next;
        c->in = false;
        c->ending = true;
        if (exit_code) {
            unsigned code = (unsigned)*exit_code;

            for (int i = 0; i < 4; i++)
                frame[FRAME_HEADER + i] = (char)(code >> (24 - 8 * i));
            client_send(c, frame, sizeof(frame));
        }
        if (has_pending(c))
            set_stall(c);
        client_update(c);
    }
}

void clients_free(struct stdio *io)
{
    io->sink.left = NULL;
    for (struct client *c = io->clients, *next; c; c = next) {
        next = c->next;
        client_free(c);
    }
}
