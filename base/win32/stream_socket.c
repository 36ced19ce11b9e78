/* stream_socket: a stream over a connected TCP socket, with overlapped calls. */
#include "base/mem.h"
#include "base/stream.h"
#include "base/win32/win_internal.h"

#include <pthread.h>

#define PART_MAX (1U << 20)

struct socket_stream {
    struct stream base;
    SOCKET s;
    HANDLE read_event, write_event;
};

static int started_error;
static pthread_once_t start_once = PTHREAD_ONCE_INIT;

static void start_winsock(void)
{
    WSADATA data;

    started_error = WSAStartup(MAKEWORD(2, 2), &data);
}

int socket_start(struct err *e)
{
    pthread_once(&start_once, start_winsock);
    return started_error ? win_error_code(e, (DWORD)started_error, "start Winsock") : 0;
}

/* WSAGetLastError() and GetLastError() are the same number, so win_finish() serves both. */
static int sock_read(struct stream *s, void *buf, size_t n, size_t *got, struct cancel *c,
                     struct err *e)
{
    struct socket_stream *ss = (struct socket_stream *)s;
    OVERLAPPED ov = {.hEvent = ss->read_event};
    WSABUF b = {.buf = buf, .len = n > PART_MAX ? PART_MAX : (ULONG)n};
    DWORD flags = 0, read, code;
    BOOL ok = WSARecv(ss->s, &b, 1, NULL, &flags, &ov, NULL) == 0;

    if (win_finish((HANDLE)ss->s, &ov, ok, c, &read, &code, e))
        return -1;
    *got = read;
    return 0;
}

static int sock_write(struct stream *s, const void *buf, size_t n, struct cancel *c, struct err *e)
{
    struct socket_stream *ss = (struct socket_stream *)s;
    const char *p = buf;

    while (n > 0) {
        OVERLAPPED ov = {.hEvent = ss->write_event};
        WSABUF b = {.buf = (char *)p, .len = n > PART_MAX ? PART_MAX : (ULONG)n};
        DWORD written, code;
        BOOL ok = WSASend(ss->s, &b, 1, NULL, 0, &ov, NULL) == 0;

        if (win_finish((HANDLE)ss->s, &ov, ok, c, &written, &code, e))
            return -1;
        p += written;
        n -= written;
    }
    return 0;
}

static int sock_close_write(struct stream *s, struct err *e)
{
    struct socket_stream *ss = (struct socket_stream *)s;

    if (shutdown(ss->s, SD_SEND) && WSAGetLastError() != WSAENOTCONN)
        return win_error_code(e, (DWORD)WSAGetLastError(), "shutdown");
    return 0;
}

static void sock_free(struct stream *s)
{
    struct socket_stream *ss = (struct socket_stream *)s;

    closesocket(ss->s);
    win_close(ss->read_event);
    win_close(ss->write_event);
    free(ss);
}

static const struct stream_ops sock_ops = {
    .read = sock_read,
    .write = sock_write,
    .close_write = sock_close_write,
    .free = sock_free,
};

struct stream *stream_socket_new(SOCKET s, const char *name)
{
    struct socket_stream *ss = xcalloc(1, sizeof(*ss));

    ss->base.ops = &sock_ops;
    ss->base.name = name;
    ss->s = s;
    ss->read_event = win_event(true);
    ss->write_event = win_event(true);
    return &ss->base;
}
