/* connect: the client's side of a listener. */
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/fs.h"
#include "base/listener.h"
#include "base/posix/address_internal.h"
#include "base/posix/fd_internal.h"
#include "base/str.h"
#include "base/stream_fd.h"

#define BACKLOG_RETRY_MS 20

static int connect_error(int code, const char *address, struct err *e)
{
    err_os(e, code, "connect to %s", address);
    if (code == EACCES || code == EPERM)
        e->kind = ERR_DENIED;
    else
        e->kind = ERR_UNAVAILABLE;
    return -1;
}

/* The socket is non-blocking: waits for the answer, or for the switch. */
static int connect_fd(int fd, const struct sockaddr *sa, socklen_t len, const char *address,
                      struct cancel *c, struct err *e)
{
    int code = 0;
    socklen_t size = sizeof(code);

    while (connect(fd, sa, len)) {
        if (errno == EINPROGRESS || errno == EINTR)
            break;
        /* EAGAIN of a unix socket: its backlog is full, and no event tells when it is not */
        if (errno != EAGAIN)
            return connect_error(errno, address, e);
        if (cancel_sleep_ms(c, BACKLOG_RETRY_MS))
            return err_set(e, ERR_CANCELLED, "cancelled");
    }
    if (fd_wait(fd, POLLOUT, -1, c, e) < 0)
        return -1;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size))
        code = errno;
    return code ? connect_error(code, address, e) : 0;
}

static int connect_unix(const char *address, const char *path, struct cancel *c, int *out,
                        struct err *e)
{
    cleanup_fd int fd = -1, dir_fd = -1;
    struct sockaddr_un sa;

    if (address_unix(path, &sa, &dir_fd, e))
        return -1;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_os(e, errno, "socket");
    if (connect_fd(fd, (struct sockaddr *)&sa, sizeof(sa), address, c, e))
        return -1;
    *out = take_fd(fd);
    return 0;
}

static int connect_tcp(const char *address, const char *host_port, struct cancel *c, int *out,
                       struct err *e)
{
    struct addrinfo *list = NULL;
    int rc = -1;

    if (address_tcp(host_port, 0, &list, e))
        return -1;
    for (const struct addrinfo *a = list; a && rc; a = a->ai_next) {
        cleanup_fd int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        if (fd < 0) {
            err_os(e, errno, "socket");
            continue;
        }
        rc = connect_fd(fd, a->ai_addr, a->ai_addrlen, address, c, e);
        if (rc == 0) {
            socket_tune_tcp(fd);
            *out = take_fd(fd);
        } else if (e->kind == ERR_CANCELLED) {
            break;
        }
    }
    freeaddrinfo(list);
    return rc;
}

int stream_connect(const char *address, struct cancel *c, struct stream **out, struct err *e)
{
    bool is_unix = str_starts(address, "unix://"), is_tcp = str_starts(address, "tcp://");
    int fd = -1;

    if (!is_unix && !is_tcp)
        return err_set(e, str_starts(address, "npipe://") ? ERR_UNSUPPORTED : ERR_INVALID,
                       "invalid address \"%s\": it must begin with unix:// or tcp://", address);
    if (is_unix ? connect_unix(address, address + strlen("unix://"), c, &fd, e)
                : connect_tcp(address, address + strlen("tcp://"), c, &fd, e))
        return -1;
    *out = stream_fd_new(fd, is_unix ? "unix" : "tcp");
    return 0;
}
