/* stdio: the process's side of its streams; see stdio.h for the rules. */
#include "runtime-linux/stdio.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "runtime-linux/console.h"
#include "runtime-linux/stdio_internal.h"

#define TTY_RETRY_MS 250
#define PIPE_BYTES   (256 * 1024) /* of output: fewer changes between writer and reader */

_Alignas(4096) char stdio_frame[FRAME_HEADER + STDIO_CHUNK];

static void out_ready(void *owner, uint32_t events);
static void in_ready(void *owner, uint32_t events);
static void tty_retry(void *owner);

void stdio_init(struct stdio *io, struct loop *loop, bool tty, bool stdin_open, bool stdin_once)
{
    *io = (struct stdio){
        .loop = loop, .tty = tty, .stdin_open = stdin_open, .stdin_once = stdin_once};
    io->out = (struct stdio_out){.io = io, .kind = FRAME_STDOUT};
    io->err = (struct stdio_out){.io = io, .kind = FRAME_STDERR};
    io->out.src = (struct source){.fd = -1, .ready = out_ready, .owner = &io->out};
    io->err.src = (struct source){.fd = -1, .ready = out_ready, .owner = &io->err};
    io->in = (struct source){.fd = -1, .ready = in_ready, .owner = io};
    io->tty_retry = (struct timer){.fire = tty_retry, .owner = io};
}

static int set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    return flags < 0 ? -1 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

/* Our end is non-blocking, the child's is as a program expects it. */
static int make_pipe(int *ours, int *theirs, bool we_read, struct err *e)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC))
        return err_os(e, errno, "pipe for the container's output");
    if (we_read)
        (void)fcntl(fds[0], F_SETPIPE_SZ, PIPE_BYTES); /* or what there is */
    *ours = fds[we_read ? 0 : 1];
    *theirs = fds[we_read ? 1 : 0];
    if (set_nonblocking(*ours))
        return err_os(e, errno, "set pipe to non-blocking");
    return 0;
}

int stdio_prepare(struct stdio *io, bool out, bool err, struct launch_io *child, struct err *e)
{
    child->in = child->out = child->err = -1;
    if ((io->stdin_open && make_pipe(&io->in.fd, &child->in, false, e)) ||
        (out && make_pipe(&io->out.src.fd, &child->out, true, e)) ||
        (err && make_pipe(&io->err.src.fd, &child->err, true, e))) {
        stdio_close_child(child);
        stdio_abandon(io);
        return -1;
    }
    return 0;
}

void stdio_close_child(struct launch_io *child)
{
    fd_close(child->in);
    fd_close(child->out);
    fd_close(child->err);
    child->in = child->out = child->err = -1;
}

static void drop_pending(struct stdio *io)
{
    free(io->pending);
    io->pending = NULL;
    io->pending_off = io->pending_len = 0;
}

static void close_in(struct stdio *io)
{
    loop_drop(io->loop, &io->in);
    drop_pending(io);
}

void stdio_abandon(struct stdio *io)
{
    close_in(io);
    loop_drop(io->loop, &io->out.src);
    loop_drop(io->loop, &io->err.src);
}

void stdio_started(struct stdio *io, int pty_master)
{
    if (pty_master >= 0) {
        (void)set_nonblocking(pty_master); /* a blocking read of what epoll reports returns, too */
        io->out.src.fd = pty_master;
        if (io->stdin_open)
            io->in.fd = fcntl(pty_master, F_DUPFD_CLOEXEC, 3);
    }
    io->started = true;
    stdio_update(io);
    clients_update(io);
}

/* ------------------------------------------------------------------ output */

static bool held_up(const struct stdio *io, enum frame_kind kind)
{
    return clients_block(io, kind) || (io->sink.full && io->sink.full(io->sink.arg));
}

void stdio_resume(struct stdio *io)
{
    stdio_update(io);
}

void stdio_update(struct stdio *io)
{
    struct stdio_out *const outs[] = {&io->out, &io->err};

    if (!io->started || io->ended)
        return;
    for (size_t i = 0; i < 2; i++) {
        if (held_up(io, outs[i]->kind) || io->tty_retry.linked)
            loop_unwatch(io->loop, &outs[i]->src); /* EPOLLHUP would come in any case */
        else
            loop_watch(io->loop, &outs[i]->src, EPOLLIN);
    }
}

/* Reads once; false when nothing is left for now or for good. */
static bool read_out(struct stdio_out *o)
{
    struct stdio *io = o->io;
    ssize_t n = read(o->src.fd, stdio_frame + FRAME_HEADER, STDIO_CHUNK);

    if (n > 0) {
        if (io->sink.output)
            io->sink.output(io->sink.arg, o->kind == FRAME_STDERR, stdio_frame + FRAME_HEADER,
                            (size_t)n);
        clients_send(io, o->kind, (size_t)n);
        return true;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return errno == EINTR;
    if (io->tty && !io->ended) {
        /* Nobody has the terminal open at the moment.  A process may open it again. */
        loop_timer_set(io->loop, &io->tty_retry, TTY_RETRY_MS);
        return false;
    }
    loop_drop(io->loop, &o->src);
    return false;
}

static void tty_retry(void *owner)
{
    stdio_update(owner);
}

static void out_ready(void *owner, uint32_t events)
{
    struct stdio_out *o = owner;
    struct stdio *io = o->io;
    bool more = true;

    (void)events;
    /* Twice, as a short first read often means that the writer was in the middle of a burst. */
    for (int i = 0; i < 2 && more && !held_up(io, o->kind); i++)
        more = read_out(o);
    if (io->sink.pause && (!more || held_up(io, o->kind)))
        io->sink.pause(io->sink.arg);
    stdio_update(io);
}

/* ------------------------------------------------------------------ stdin */

static void write_pending(struct stdio *io)
{
    while (io->pending_off < io->pending_len) {
        ssize_t n =
            write(io->in.fd, io->pending + io->pending_off, io->pending_len - io->pending_off);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN) {
            loop_watch(io->loop, &io->in, EPOLLOUT);
            return;
        }
        if (n < 0) { /* the process has closed its stdin, or its terminal */
            close_in(io);
            return;
        }
        io->pending_off += (size_t)n;
    }
    drop_pending(io);
    if (io->in_closing)
        close_in(io);
    else if (io->tty)
        loop_unwatch(io->loop, &io->in);
    else
        loop_watch(io->loop, &io->in, 0); /* EPOLLERR says that the process closed its stdin */
}

static void in_ready(void *owner, uint32_t events)
{
    struct stdio *io = owner;

    if (events & (EPOLLERR | EPOLLHUP))
        close_in(io);
    else
        write_pending(io);
    clients_update(io);
}

void stdio_feed(struct stdio *io, const char *bytes, size_t n)
{
    if (io->in.fd < 0 || io->in_closing)
        return;
    io->pending = xmalloc(n);
    memcpy(io->pending, bytes, n);
    io->pending_off = 0;
    io->pending_len = n;
    write_pending(io);
}

void stdio_feed_end(struct stdio *io)
{
    /* The end of a terminal's input is a character, and whoever has typed is gone: it stays open.
     */
    if (!io->stdin_once || io->tty)
        return;
    io->in_closing = true;
    if (!io->pending)
        close_in(io);
}

int stdio_resize(struct stdio *io, unsigned rows, unsigned cols, struct err *e)
{
    return io->tty && io->out.src.fd >= 0 ? console_resize(io->out.src.fd, rows, cols, e) : 0;
}

/* ------------------------------------------------------------------ the end */

void stdio_drain(struct stdio *io)
{
    struct stdio_out *const outs[] = {&io->out, &io->err};

    io->ended = true;
    loop_timer_clear(io->loop, &io->tty_retry);
    for (size_t i = 0; i < 2; i++) {
        /* Until the pipe is empty rather than closed: an orphan may hold it for ever. */
        for (int left = 64; left > 0 && outs[i]->src.fd >= 0 && read_out(outs[i]); left--)
            ;
        loop_drop(io->loop, &outs[i]->src);
    }
    if (io->sink.pause)
        io->sink.pause(io->sink.arg);
    close_in(io);
    clients_update(io);
}

void stdio_end(struct stdio *io, const int *exit_code)
{
    if (!io->ended)
        stdio_drain(io);
    clients_end(io, exit_code);
}

void stdio_release(struct stdio *io)
{
    loop_timer_clear(io->loop, &io->tty_retry);
    stdio_abandon(io);
    clients_free(io);
}

void stdio_trim(void)
{
    /* Whole pages only: what lies behind the array shares its last page. */
    madvise(stdio_frame, sizeof(stdio_frame) & ~(size_t)4095, MADV_DONTNEED);
}
