/*
 * stream_npipe: a stream over a connected named pipe, opened overlapped.
 *
 * A message-type pipe in byte read mode is what Docker's clients speak: data may be cut anywhere,
 * and a message of zero bytes is the half-close that pipes otherwise lack.  So a read of zero bytes
 * is the end of the stream, and we never write zero bytes but to say so.
 */
#include "base/mem.h"
#include "base/stream.h"
#include "base/win32/win_internal.h"

#define WRITE_MAX (64 * 1024)

struct npipe {
    struct stream base;
    HANDLE pipe;
    HANDLE read_event, write_event; /* one reader and one writer at a time */
    bool message, read_ended, write_closed;
};

static bool is_end(DWORD code)
{
    return code == ERROR_BROKEN_PIPE || code == ERROR_PIPE_NOT_CONNECTED ||
           code == ERROR_HANDLE_EOF || code == ERROR_NO_DATA;
}

static int npipe_read(struct stream *s, void *buf, size_t n, size_t *got, struct cancel *c,
                      struct err *e)
{
    struct npipe *np = (struct npipe *)s;
    OVERLAPPED ov = {.hEvent = np->read_event};
    DWORD want = n > WRITE_MAX ? WRITE_MAX : (DWORD)n, read = 0, code;
    BOOL ok;

    *got = 0;
    if (np->read_ended)
        return 0;
    ok = ReadFile(np->pipe, buf, want, NULL, &ov);
    if (win_finish(np->pipe, &ov, ok, c, &read, &code, e)) {
        if (code == ERROR_MORE_DATA) {
            *got = read; /* the rest of the message comes with the next read */
            return 0;
        }
        if (!is_end(code))
            return -1;
    }
    np->read_ended = read == 0;
    *got = read;
    return 0;
}

static int write_part(struct npipe *np, const void *p, DWORD n, DWORD *written, struct cancel *c,
                      struct err *e)
{
    OVERLAPPED ov = {.hEvent = np->write_event};
    DWORD code;
    BOOL ok = WriteFile(np->pipe, p, n, NULL, &ov);

    return win_finish(np->pipe, &ov, ok, c, written, &code, e);
}

static int npipe_write(struct stream *s, const void *buf, size_t n, struct cancel *c, struct err *e)
{
    struct npipe *np = (struct npipe *)s;
    const char *p = buf;

    if (np->write_closed)
        return err_set(e, ERR_IO, "write to a closed pipe");
    while (n > 0) {
        DWORD written;

        if (write_part(np, p, n > WRITE_MAX ? WRITE_MAX : (DWORD)n, &written, c, e))
            return -1;
        p += written;
        n -= written;
    }
    return 0;
}

static int npipe_close_write(struct stream *s, struct err *e)
{
    struct npipe *np = (struct npipe *)s;
    DWORD written;

    if (np->write_closed)
        return 0;
    np->write_closed = true;
    /* A byte pipe has no half to close: its end comes with the handle. */
    return np->message ? write_part(np, "", 0, &written, NULL, e) : 0;
}

static void npipe_free(struct stream *s)
{
    struct npipe *np = (struct npipe *)s;

    /* Not flushed: FlushFileBuffers() waits for the reader, however long.  What was written stays
     * readable for the peer after CloseHandle(). */
    win_close(np->pipe);
    win_close(np->read_event);
    win_close(np->write_event);
    free(np);
}

static const struct stream_ops npipe_ops = {
    .read = npipe_read,
    .write = npipe_write,
    .close_write = npipe_close_write,
    .free = npipe_free,
};

struct stream *stream_npipe_new(HANDLE pipe, const char *name)
{
    struct npipe *np = xcalloc(1, sizeof(*np));
    DWORD flags = 0;

    np->base.ops = &npipe_ops;
    np->base.name = name;
    np->pipe = pipe;
    np->read_event = win_event(true);
    np->write_event = win_event(true);
    np->message = GetNamedPipeInfo(pipe, &flags, NULL, NULL, NULL) && (flags & PIPE_TYPE_MESSAGE);
    return &np->base;
}
