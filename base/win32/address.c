/* address: texts into pipe names and socket addresses. */
#include "base/win32/address_internal.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

wchar_t *address_npipe(const char *address, struct err *e)
{
    const char *path = address + strlen("npipe://");
    cleanup_free char *name = NULL;

    /* Docker's clients write slashes; people write backslashes as well. */
    name = xstrdup(path);
    for (char *p = name; *p; p++)
        if (*p == '/')
            *p = '\\';
    if (!str_starts(name, "\\\\.\\pipe\\") || !name[strlen("\\\\.\\pipe\\")]) {
        (void)err_set(e, ERR_INVALID,
                      "invalid address \"%s\": a pipe is written npipe:////./pipe/<name>", address);
        return NULL;
    }
    return win_wide(name);
}

int address_tcp(const char *host_port, int flags, struct addrinfo **out, struct err *e)
{
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
        .ai_flags = AI_NUMERICSERV | flags,
    };
    const char *colon = strrchr(host_port, ':');
    cleanup_free char *host = NULL;
    int64_t port;
    size_t n;
    int rc;

    if (!colon)
        return err_set(e, ERR_INVALID, "invalid address \"tcp://%s\": it needs a port", host_port);
    if (parse_i64(colon + 1, 0, 65535, "port", &port, e))
        return err_wrap(e, "invalid address \"tcp://%s\"", host_port);
    n = (size_t)(colon - host_port);
    if (n >= 2 && host_port[0] == '[' && host_port[n - 1] == ']')
        host = str_ndup(host_port + 1, n - 2);
    else
        host = str_ndup(host_port, n);
    if (strchr(host, ':') && host_port[0] != '[')
        return err_set(e, ERR_INVALID, "invalid address \"tcp://%s\": write IPv6 in brackets",
                       host_port);
    if (!*host && !(flags & AI_PASSIVE))
        str_set(&host, "localhost");
    rc = getaddrinfo(*host ? host : NULL, colon + 1, &hints, out);
    if (rc) {
        (void)win_error_code(e, (DWORD)rc, "resolve \"%s\"", host);
        e->kind = rc == WSATRY_AGAIN ? ERR_UNAVAILABLE : ERR_INVALID;
        return -1;
    }
    return 0;
}

void address_text(const struct sockaddr_storage *sa, char *out, size_t size)
{
    char host[INET6_ADDRSTRLEN] = "";

    if (sa->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;

        inet_ntop(AF_INET6, (void *)&in6->sin6_addr, host, sizeof(host));
        (void)!snprintf(out, size, "[%s]:%u", host, ntohs(in6->sin6_port));
    } else {
        const struct sockaddr_in *in = (const struct sockaddr_in *)sa;

        inet_ntop(AF_INET, (void *)&in->sin_addr, host, sizeof(host));
        (void)!snprintf(out, size, "%s:%u", host, ntohs(in->sin_port));
    }
}

void socket_tune_tcp(SOCKET s)
{
    BOOL on = TRUE;

    /* Small messages go at once; a peer that vanished is noticed.  Losing either is no error. */
    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, (const char *)&on, sizeof(on));
    setsockopt(s, SOL_SOCKET, SO_KEEPALIVE, (const char *)&on, sizeof(on));
}
