/*
 * stream_fd on Windows: a stream over a C descriptor, in practice the console, a pipe or a file
 * that is our stdin or stdout.
 *
 * Such a handle was not opened overlapped, so a read or write blocks its thread and nothing but
 * data ends it.  Each direction therefore has a helper thread that does the blocking; the caller
 * waits for the helper's event and the cancel switch together.  A read that was given up goes on in
 * the helper, and its bytes are the next read's: nothing typed is lost.
 */
#include "base/stream_fd.h"

#include <io.h>
#include <string.h>

#include "base/mem.h"
#include "base/sync.h"
#include "base/win32/win_internal.h"

#define CHUNK (32 * 1024)

struct helper {
    struct thread thread;
    HANDLE file;
    HANDLE go, done; /* auto-reset: work is there, work is finished */
    bool writes, busy, quit;
    DWORD n, at, code; /* bytes in chunk, how many are consumed, the system's error or 0 */
    char chunk[CHUNK];
};

struct stream_fd {
    struct stream base;
    int fd;
    struct helper *reader, *writer; /* made with the first use */
};

static DWORD write_chunk(struct helper *h)
{
    DWORD at = 0, n;

    while (at < h->n) {
        if (!WriteFile(h->file, h->chunk + at, h->n - at, &n, NULL))
            return GetLastError();
        at += n;
    }
    return 0;
}

static void helper_main(void *arg)
{
    struct helper *h = arg;

    for (;;) {
        WaitForSingleObject(h->go, INFINITE);
        if (h->quit)
            return;
        if (h->writes)
            h->code = write_chunk(h);
        else
            h->code = ReadFile(h->file, h->chunk, CHUNK, &h->n, NULL) ? 0 : GetLastError();
        SetEvent(h->done);
    }
}

static struct helper *helper_new(HANDLE file, bool writes, struct err *e)
{
    struct helper *h = xcalloc(1, sizeof(*h));

    h->file = file;
    h->writes = writes;
    h->go = win_event(false);
    h->done = win_event(false);
    if (thread_start(&h->thread, writes ? "fd-write" : "fd-read", helper_main, h, e) == 0)
        return h;
    win_close(h->go);
    win_close(h->done);
    free(h);
    return NULL;
}

static void helper_free(struct helper *h)
{
    if (!h)
        return;
    h->quit = true;
    /* It may be about to block when asked to stop: ask until it has. */
    while (h->busy && WaitForSingleObject(h->done, 10) == WAIT_TIMEOUT)
        CancelIoEx(h->file, NULL), CancelSynchronousIo(pthread_gethandle(h->thread.t));
    SetEvent(h->go);
    thread_join(&h->thread);
    win_close(h->go);
    win_close(h->done);
    free(h);
}

static int helper_run(struct helper *h, struct cancel *c, struct err *e)
{
    if (!h->busy) {
        h->busy = true;
        SetEvent(h->go);
    }
    if (win_wait(h->done, -1, c, e) < 0)
        return -1;
    h->busy = false;
    return 0;
}

static int fd_read(struct stream *s, void *buf, size_t n, size_t *got, struct cancel *c,
                   struct err *e)
{
    struct stream_fd *sf = (struct stream_fd *)s;
    struct helper *h = sf->reader;

    if (!h) {
        h = sf->reader = helper_new((HANDLE)_get_osfhandle(sf->fd), false, e);
        if (!h)
            return -1;
    }
    if (h->busy || h->at == h->n) {
        if (helper_run(h, c, e))
            return -1;
        h->at = 0;
        if (h->code) {
            h->n = 0;
            if (h->code != ERROR_BROKEN_PIPE && h->code != ERROR_HANDLE_EOF)
                return win_error_code(e, h->code, "read");
        }
    }
    n = n < h->n - h->at ? n : h->n - h->at;
    memcpy(buf, h->chunk + h->at, n);
    h->at += (DWORD)n;
    *got = n;
    return 0;
}

static int fd_write(struct stream *s, const void *buf, size_t n, struct cancel *c, struct err *e)
{
    struct stream_fd *sf = (struct stream_fd *)s;
    const char *p = buf;

    if (!sf->writer) {
        sf->writer = helper_new((HANDLE)_get_osfhandle(sf->fd), true, e);
        if (!sf->writer)
            return -1;
    }
    /* What a cancelled write left behind goes first. */
    if (sf->writer->busy && helper_run(sf->writer, c, e))
        return -1;
    while (n > 0) {
        size_t part = n < CHUNK ? n : CHUNK;

        memcpy(sf->writer->chunk, p, part);
        sf->writer->n = (DWORD)part;
        if (helper_run(sf->writer, c, e))
            return -1;
        if (sf->writer->code)
            return win_error_code(e, sf->writer->code, "write");
        p += part;
        n -= part;
    }
    return 0;
}

/* There is no half to close: the peer sees the end when the descriptor is closed. */
static int fd_close_write(struct stream *s, struct err *e)
{
    (void)s;
    (void)e;
    return 0;
}

static void fd_free(struct stream *s)
{
    struct stream_fd *sf = (struct stream_fd *)s;

    helper_free(sf->reader);
    helper_free(sf->writer);
    _close(sf->fd);
    free(sf);
}

static const struct stream_ops fd_ops = {
    .read = fd_read,
    .write = fd_write,
    .close_write = fd_close_write,
    .free = fd_free,
};

struct stream *stream_fd_new(int fd, const char *name)
{
    struct stream_fd *sf = xcalloc(1, sizeof(*sf));

    sf->base.ops = &fd_ops;
    sf->base.name = name;
    sf->fd = fd;
    return &sf->base;
}
