/* connect: the client's side of a listener. */
#include "base/win32/address_internal.h"

#include <string.h>

#include "base/cancel.h"
#include "base/listener.h"
#include "base/mem.h"
#include "base/str.h"

#define BUSY_RETRY_MS 20

static int connect_error(DWORD code, const char *address, struct err *e)
{
    (void)win_error_code(e, code, "connect to %s", address);
    e->kind = code == ERROR_ACCESS_DENIED ? ERR_DENIED : ERR_UNAVAILABLE;
    return -1;
}

static int connect_npipe(const char *address, struct cancel *c, struct stream **out, struct err *e)
{
    cleanup_free wchar_t *name = address_npipe(address, e);
    HANDLE pipe;

    if (!name)
        return -1;
    for (;;) {
        /* SQOS: the server may know who we are, but not act in our name. */
        pipe = CreateFileW(name, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING,
                           FILE_FLAG_OVERLAPPED | SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION,
                           NULL);
        if (pipe != INVALID_HANDLE_VALUE)
            break;
        if (GetLastError() != ERROR_PIPE_BUSY)
            return connect_error(GetLastError(), address, e);
        /* All instances are taken for the moment; WaitNamedPipe() could not be cancelled. */
        if (cancel_sleep_ms(c, BUSY_RETRY_MS))
            return err_set(e, ERR_CANCELLED, "cancelled");
    }
    *out = stream_npipe_new(pipe, "npipe");
    return 0;
}

/* Connects without blocking, waiting for the answer or the switch. */
static int connect_socket(SOCKET s, const struct addrinfo *a, const char *address, struct cancel *c,
                          struct err *e)
{
    cleanup_handle HANDLE event = win_event(true);
    WSANETWORKEVENTS events = {0};
    u_long blocking = 0;
    int code = 0;

    if (WSAEventSelect(s, event, FD_CONNECT))
        return connect_error((DWORD)WSAGetLastError(), address, e);
    if (connect(s, a->ai_addr, (int)a->ai_addrlen)) {
        code = WSAGetLastError();
        if (code == WSAEWOULDBLOCK) {
            if (win_wait(event, -1, c, e) < 0)
                return -1;
            WSAEnumNetworkEvents(s, event, &events);
            code = events.iErrorCode[FD_CONNECT_BIT];
        }
    }
    WSAEventSelect(s, NULL, 0);
    ioctlsocket(s, FIONBIO, &blocking);
    return code ? connect_error((DWORD)code, address, e) : 0;
}

static int connect_tcp(const char *address, struct cancel *c, struct stream **out, struct err *e)
{
    struct addrinfo *list = NULL;
    int rc = -1;

    if (socket_start(e) || address_tcp(address + strlen("tcp://"), 0, &list, e))
        return -1;
    for (const struct addrinfo *a = list; a && rc; a = a->ai_next) {
        SOCKET s = WSASocketW(a->ai_family, SOCK_STREAM, 0, NULL, 0,
                              WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);

        if (s == INVALID_SOCKET) {
            (void)connect_error((DWORD)WSAGetLastError(), address, e);
            continue;
        }
        rc = connect_socket(s, a, address, c, e);
        if (rc == 0) {
            socket_tune_tcp(s);
            *out = stream_socket_new(s, "tcp");
            break;
        }
        closesocket(s);
        if (e->kind == ERR_CANCELLED)
            break;
    }
    freeaddrinfo(list);
    return rc;
}

int stream_connect(const char *address, struct cancel *c, struct stream **out, struct err *e)
{
    if (str_starts(address, "npipe://"))
        return connect_npipe(address, c, out, e);
    if (str_starts(address, "tcp://"))
        return connect_tcp(address, c, out, e);
    return err_set(e, str_starts(address, "unix://") ? ERR_UNSUPPORTED : ERR_INVALID,
                   "invalid address \"%s\": it must begin with npipe:// or tcp://", address);
}
