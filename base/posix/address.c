/* address: texts into socket addresses. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/posix/address_internal.h"
#include "base/str.h"

int address_unix(const char *path, struct sockaddr_un *sa, int *dir_fd, struct err *e)
{
    cleanup_free char *dir = NULL;
    int n;

    *sa = (struct sockaddr_un){.sun_family = AF_UNIX};
    *dir_fd = -1;
    if (str_copy(sa->sun_path, sizeof(sa->sun_path), path))
        return 0;
    dir = path_dir(path);
    *dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (*dir_fd < 0)
        return err_os(e, errno, "open %s", dir);
    n = snprintf(sa->sun_path, sizeof(sa->sun_path), "/proc/self/fd/%d/%s", *dir_fd,
                 path_base(path));
    if (n < 0 || (size_t)n >= sizeof(sa->sun_path)) {
        fd_close(*dir_fd);
        *dir_fd = -1;
        return err_set(e, ERR_INVALID, "socket name too long: %s", path_base(path));
    }
    return 0;
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
    if (rc)
        return err_set(e, rc == EAI_AGAIN ? ERR_UNAVAILABLE : ERR_INVALID, "resolve \"%s\": %s",
                       host, rc == EAI_SYSTEM ? strerror(errno) : gai_strerror(rc));
    return 0;
}

void socket_tune_tcp(int fd)
{
    int on = 1, idle_s = 30, interval_s = 15;
    unsigned vanished_ms = 120 * 1000; /* with something under way that nobody acknowledges */

    /* Small messages go at once; a peer that vanished is noticed.  Losing either is no error. */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof(interval_s));
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &vanished_ms, sizeof(vanished_ms));
}
