/* systemd: see systemd.h. */
#include "agent/systemd.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/str.h"

#define FIRST_FD 3

void systemd_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd;

    if (!path || (path[0] != '/' && path[0] != '@') ||
        !str_copy(to.sun_path, sizeof(to.sun_path), path))
        return;
    if (path[0] == '@')
        to.sun_path[0] = '\0';
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    (void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to,
                  (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path)));
    close(fd);
}

size_t systemd_listen_fds(void)
{
    const char *pid = getenv("LISTEN_PID"), *n = getenv("LISTEN_FDS");
    struct err e = ERR_INIT;
    int64_t who, count;

    if (!pid || !n || parse_i64(pid, 1, INT32_MAX, "LISTEN_PID", &who, &e) || who != getpid() ||
        parse_i64(n, 0, 64, "LISTEN_FDS", &count, &e))
        return 0;
    for (int fd = FIRST_FD; fd < FIRST_FD + (int)count; fd++)
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    return (size_t)count;
}
