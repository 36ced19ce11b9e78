/*
 * listener on Windows: named pipes ("npipe:////./pipe/ballast") and TCP.
 *
 * A pipe is a row of instances: one waits for the next client while the others are served.  The
 * first is created with FILE_FLAG_FIRST_PIPE_INSTANCE, so that a second listener, or somebody who
 * squats on the name, is an error and not a silent neighbour.  Who may connect is in the security
 * descriptor: SYSTEM, Administrators and the group.
 */
#include "base/listener.h"

#include "base/win32/win_internal.h"

#include <sddl.h>
#include <stdio.h>
#include <string.h>
#include <ws2tcpip.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/win32/address_internal.h"

#define PIPE_BUFFER (64 * 1024)

struct listener {
    char *address;
    HANDLE event;
    /* a pipe */
    wchar_t *pipe_name;
    PSECURITY_DESCRIPTOR security;
    HANDLE waiting; /* the instance the next client gets */
    /* TCP */
    SOCKET socket;
};

/* "(A;;GRGW;;;<sid>)" of a group's name, or of a SID written out. */
static int group_ace(const char *group, char **ace, struct err *e)
{
    cleanup_free wchar_t *name = win_wide(group);
    unsigned char sid[SECURITY_MAX_SID_SIZE];
    wchar_t domain[256], *text = NULL;
    DWORD sid_size = sizeof(sid), domain_len = 256;
    SID_NAME_USE use;
    cleanup_free char *utf8 = NULL;

    if (str_starts(group, "S-1-")) {
        *ace = str_printf("(A;;GRGW;;;%s)", group);
        return 0;
    }
    if (!LookupAccountNameW(NULL, name, sid, &sid_size, domain, &domain_len, &use))
        return err_set(e, ERR_NOT_FOUND, "group %s not found", group);
    if (!ConvertSidToStringSidW(sid, &text))
        return win_error(e, "group %s", group);
    utf8 = win_utf8(text);
    LocalFree(text);
    *ace = str_printf("(A;;GRGW;;;%s)", utf8);
    return 0;
}

static int make_security(const char *group, PSECURITY_DESCRIPTOR *out, struct err *e)
{
    cleanup_free char *ace = NULL, *sddl = NULL;
    cleanup_free wchar_t *wide = NULL;

    if (!str_empty(group) && group_ace(group, &ace, e))
        return -1;
    sddl = str_printf("D:P(A;;GA;;;BA)(A;;GA;;;SY)%s", ace ? ace : "");
    wide = win_wide(sddl);
    if (!ConvertStringSecurityDescriptorToSecurityDescriptorW(wide, SDDL_REVISION_1, out, NULL))
        return win_error(e, "security descriptor");
    return 0;
}

static HANDLE new_instance(const struct listener *l, bool first)
{
    SECURITY_ATTRIBUTES sa = {
        .nLength = sizeof(sa),
        .lpSecurityDescriptor = l->security,
    };
    DWORD mode = PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED;

    return CreateNamedPipeW(l->pipe_name, first ? mode | FILE_FLAG_FIRST_PIPE_INSTANCE : mode,
                            PIPE_TYPE_MESSAGE | PIPE_READMODE_BYTE | PIPE_REJECT_REMOTE_CLIENTS,
                            PIPE_UNLIMITED_INSTANCES, PIPE_BUFFER, PIPE_BUFFER, 0, &sa);
}

static int open_npipe(const char *address, const char *group, struct listener *l, struct err *e)
{
    l->pipe_name = address_npipe(address, e);
    if (!l->pipe_name || make_security(group, &l->security, e))
        return -1;
    l->waiting = new_instance(l, true);
    if (l->waiting == INVALID_HANDLE_VALUE) {
        DWORD code = GetLastError();

        l->waiting = NULL;
        if (code == ERROR_ACCESS_DENIED || code == ERROR_PIPE_BUSY)
            return err_set(e, ERR_CONFLICT, "another process listens there");
        return win_error_code(e, code, "create the pipe");
    }
    l->address = xstrdup(address);
    return 0;
}

static int open_tcp(const char *host_port, struct listener *l, struct err *e)
{
    struct addrinfo *list = NULL;
    struct sockaddr_storage sa;
    int len = sizeof(sa), code = 0;
    BOOL on = TRUE;
    char text[64];

    if (socket_start(e) || address_tcp(host_port, AI_PASSIVE, &list, e))
        return -1;
    for (const struct addrinfo *a = list; a && l->socket == INVALID_SOCKET; a = a->ai_next) {
        SOCKET s = WSASocketW(a->ai_family, SOCK_STREAM, 0, NULL, 0,
                              WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);

        /* Not SO_REUSEADDR, which here would let anybody take the port over. */
        setsockopt(s, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, (const char *)&on, sizeof(on));
        if (s != INVALID_SOCKET && bind(s, a->ai_addr, (int)a->ai_addrlen) == 0 &&
            listen(s, SOMAXCONN) == 0) {
            l->socket = s;
            break;
        }
        code = WSAGetLastError();
        closesocket(s);
    }
    freeaddrinfo(list);
    if (l->socket == INVALID_SOCKET) {
        (void)win_error_code(e, (DWORD)code, "listen");
        e->kind = code == WSAEADDRINUSE || code == WSAEACCES ? ERR_CONFLICT : ERR_IO;
        return -1;
    }
    if (getsockname(l->socket, (struct sockaddr *)&sa, &len) ||
        WSAEventSelect(l->socket, l->event, FD_ACCEPT))
        return win_error_code(e, (DWORD)WSAGetLastError(), "listen");
    address_text(&sa, text, sizeof(text));
    l->address = str_printf("tcp://%s", text);
    return 0;
}

static void listener_free_p(struct listener **l)
{
    listener_free(*l);
}

int listener_open(const char *address, const char *group, struct listener **out, struct err *e)
{
    CLEANUP(listener_free_p) struct listener *l = xcalloc(1, sizeof(*l));
    int rc;

    l->socket = INVALID_SOCKET;
    l->event = win_event(true);
    if (str_starts(address, "npipe://"))
        rc = open_npipe(address, group, l, e);
    else if (str_starts(address, "tcp://"))
        rc = open_tcp(address + strlen("tcp://"), l, e);
    else
        return err_set(e, ERR_INVALID,
                       "invalid address \"%s\": it must begin with npipe:// or tcp://", address);
    if (rc)
        return err_wrap(e, "listen on %s", address);
    *out = take_ptr(l);
    return 0;
}

int listener_from_fd(int fd, struct listener **out, struct err *e)
{
    (void)out;
    return err_set(e, ERR_UNSUPPORTED, "descriptor %d: sockets are not inherited on Windows", fd);
}

static int accept_npipe(struct listener *l, struct cancel *c, HANDLE *out, struct err *e)
{
    OVERLAPPED ov = {.hEvent = l->event};
    DWORD n, code;
    HANDLE next;
    BOOL ok;

    if (!l->waiting) { /* the last one could not be replaced */
        next = new_instance(l, false);
        if (next == INVALID_HANDLE_VALUE)
            return win_error(e, "create the pipe");
        l->waiting = next;
    }
    ok = ConnectNamedPipe(l->waiting, &ov);
    if (!ok && GetLastError() == ERROR_PIPE_CONNECTED) {
        /* a client was faster: there is nothing to wait for */
    } else if (win_finish(l->waiting, &ov, ok, c, &n, &code, e)) {
        if (code) { /* it came and went: start afresh */
            win_close(l->waiting);
            l->waiting = NULL;
            e->kind = ERR_UNAVAILABLE;
        }
        return -1;
    }
    *out = l->waiting;
    next = new_instance(l, false);
    l->waiting = next == INVALID_HANDLE_VALUE ? NULL : next;
    return 0;
}

static int accept_tcp(struct listener *l, struct cancel *c, SOCKET *out,
                      struct sockaddr_storage *sa, struct err *e)
{
    for (;;) {
        int len = sizeof(*sa), code;
        u_long blocking = 0;
        SOCKET s = accept(l->socket, (struct sockaddr *)sa, &len);

        if (s != INVALID_SOCKET) {
            WSAEventSelect(s, NULL, 0); /* what it inherited from the listener */
            ioctlsocket(s, FIONBIO, &blocking);
            socket_tune_tcp(s);
            *out = s;
            return 0;
        }
        code = WSAGetLastError();
        if (code != WSAEWOULDBLOCK && code != WSAECONNRESET) {
            (void)win_error_code(e, (DWORD)code, "accept on %s", l->address);
            e->kind = code == WSAEMFILE || code == WSAENOBUFS ? ERR_UNAVAILABLE : ERR_IO;
            return -1;
        }
        if (win_wait(l->event, -1, c, e) < 0)
            return -1;
        ResetEvent(l->event);
    }
}

int listener_accept(struct listener *l, struct cancel *c, struct stream **out, struct peer *peer,
                    struct err *e)
{
    struct peer who = {.pid = -1, .uid = -1, .gid = -1, .address = "npipe"};
    struct sockaddr_storage sa;
    HANDLE pipe;
    ULONG pid;
    SOCKET s;

    if (l->pipe_name) {
        if (accept_npipe(l, c, &pipe, e))
            return -1;
        if (GetNamedPipeClientProcessId(pipe, &pid))
            who.pid = pid;
        *out = stream_npipe_new(pipe, "npipe");
    } else {
        if (accept_tcp(l, c, &s, &sa, e))
            return -1;
        address_text(&sa, who.address, sizeof(who.address));
        *out = stream_socket_new(s, "tcp");
    }
    if (peer)
        *peer = who;
    return 0;
}

const char *listener_address(const struct listener *l)
{
    return l->address;
}

void listener_free(struct listener *l)
{
    if (!l)
        return;
    win_close(l->waiting);
    win_close(l->event);
    if (l->socket != INVALID_SOCKET)
        closesocket(l->socket);
    if (l->security)
        LocalFree(l->security);
    free(l->pipe_name);
    free(l->address);
    free(l);
}
