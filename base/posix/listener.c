/*
 * listener on POSIX: unix and TCP sockets, our own or inherited.
 *
 * A unix socket is born under a temporary name with mode 0600, gets its group and mode, listens,
 * and only then takes its real name: nobody ever connects to one that is half made.
 */
#include "base/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/fs.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/posix/address_internal.h"
#include "base/posix/fd_internal.h"
#include "base/str.h"
#include "base/stream_fd.h"

#define BACKLOG       512
#define FD_BACKOFF_MS 50

struct listener {
    int fd;
    char *address;
    char *unlink_path; /* ours to remove */
    dev_t dev;         /* ... if it is still the one we made */
    ino_t ino;
};

static int find_group(const char *group, gid_t *gid, struct err *e)
{
    cleanup_free char *space = xmalloc(64 * 1024);
    struct group entry, *found = NULL;
    int64_t number;

    if (parse_i64(group, 0, INT32_MAX, "group", &number, ERR_IGNORE) == 0) {
        *gid = (gid_t)number;
        return 0;
    }
    getgrnam_r(group, &entry, space, 64 * 1024, &found);
    if (!found)
        return err_set(e, ERR_NOT_FOUND, "group %s not found", group);
    *gid = found->gr_gid;
    return 0;
}

static int new_socket(int family, struct err *e)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    return fd < 0 ? err_os(e, errno, "socket") : fd;
}

/* 1: somebody answers at path; 0: nobody does (or there is nothing); -1: it is no socket. */
static int somebody_listens(const char *path, struct err *e)
{
    cleanup_fd int fd = -1, dir_fd = -1;
    struct sockaddr_un sa;
    struct stat st;

    if (lstat(path, &st))
        return errno == ENOENT ? 0 : err_os(e, errno, "%s", path);
    if (!S_ISSOCK(st.st_mode))
        return err_set(e, ERR_CONFLICT, "%s exists and is not a socket", path);
    if (address_unix(path, &sa, &dir_fd, e))
        return -1;
    fd = new_socket(AF_UNIX, e);
    if (fd < 0)
        return -1;
    /* EAGAIN: alive, with a full backlog */
    return connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0 || errno == EAGAIN;
}

static int bind_unix(int fd, const char *tmp, const char *group, struct err *e)
{
    cleanup_fd int dir_fd = -1;
    struct sockaddr_un sa;
    gid_t gid;

    if (address_unix(tmp, &sa, &dir_fd, e))
        return -1;
    /* The socket's own mode is what bind() gives the name, without touching the process's umask. */
    fchmod(fd, 0600);
    if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)))
        return err_os(e, errno, "bind");
    if (!str_empty(group)) {
        if (find_group(group, &gid, e))
            return -1;
        if (lchown(tmp, (uid_t)-1, gid))
            return err_os(e, errno, "give it to group %s", group);
    }
    if (chmod(tmp, 0660))
        return err_os(e, errno, "set its mode");
    return listen(fd, BACKLOG) ? err_os(e, errno, "listen") : 0;
}

static int open_unix(const char *path, const char *group, struct listener *l, struct err *e)
{
    cleanup_free char *tmp = NULL;
    char id[ID_LEN + 1];
    struct stat st;
    int live;

    if (!path_is_abs(path))
        return err_set(e, ERR_INVALID, "the path must be absolute");
    live = somebody_listens(path, e);
    if (live)
        return live < 0 ? -1 : err_set(e, ERR_CONFLICT, "another process listens there");
    l->fd = new_socket(AF_UNIX, e);
    if (l->fd < 0)
        return -1;
    id_new(id);
    tmp = str_printf("%s.%.8s", path, id);
    if (bind_unix(l->fd, tmp, group, e) || lstat(tmp, &st) || fs_rename(tmp, path, e)) {
        unlink(tmp);
        return -1;
    }
    l->dev = st.st_dev;
    l->ino = st.st_ino;
    l->unlink_path = xstrdup(path);
    return 0;
}

static int open_tcp(const char *host_port, struct listener *l, struct err *e)
{
    struct addrinfo *list = NULL;
    int on = 1;

    if (address_tcp(host_port, AI_PASSIVE, &list, e))
        return -1;
    /* "host" may have several addresses; the first that can be bound is the one. */
    err_set(e, ERR_IO, "no address to listen on");
    for (const struct addrinfo *a = list; a && l->fd < 0; a = a->ai_next) {
        int fd = new_socket(a->ai_family, e);

        if (fd < 0)
            continue;
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        if (bind(fd, a->ai_addr, a->ai_addrlen) || listen(fd, BACKLOG)) {
            err_os(e, errno, "listen");
            e->kind = errno == EADDRINUSE ? ERR_CONFLICT : ERR_IO;
            fd_close(fd);
            continue;
        }
        l->fd = fd;
    }
    freeaddrinfo(list);
    return l->fd < 0 ? -1 : 0;
}

/* "127.0.0.1:53412", "[::1]:53412" */
static void inet_text(const struct sockaddr_storage *sa, char *out, size_t size)
{
    char host[INET6_ADDRSTRLEN] = "";

    if (sa->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;

        inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
        (void)!snprintf(out, size, "[%s]:%u", host, ntohs(in6->sin6_port));
    } else if (sa->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)sa;

        inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
        (void)!snprintf(out, size, "%s:%u", host, ntohs(in->sin_port));
    } else {
        str_copy(out, size, "unix");
    }
}

static int describe(struct listener *l, struct err *e)
{
    struct sockaddr_storage sa = {0};
    socklen_t len = sizeof(sa);
    char text[64];

    if (getsockname(l->fd, (struct sockaddr *)&sa, &len))
        return err_os(e, errno, "getsockname");
    if (sa.ss_family == AF_UNIX) {
        const struct sockaddr_un *un = (const struct sockaddr_un *)&sa;

        l->address = str_printf("unix://%s", l->unlink_path ? l->unlink_path : un->sun_path);
        return 0;
    }
    inet_text(&sa, text, sizeof(text));
    l->address = str_printf("tcp://%s", text);
    return 0;
}

static void listener_free_p(struct listener **l)
{
    listener_free(*l);
}

int listener_from_fd(int fd, struct listener **out, struct err *e)
{
    CLEANUP(listener_free_p) struct listener *l = xcalloc(1, sizeof(*l));
    int listening = 0;
    socklen_t len = sizeof(listening);

    l->fd = -1;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len))
        return err_os(e, errno, "descriptor %d", fd);
    if (!listening)
        return err_set(e, ERR_INVALID, "descriptor %d is not a listening socket", fd);
    l->fd = fd;
    fd_set_nonblocking(fd);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    if (describe(l, e)) {
        l->fd = -1; /* the caller's again */
        return -1;
    }
    *out = take_ptr(l);
    return 0;
}

int listener_open(const char *address, const char *group, struct listener **out, struct err *e)
{
    CLEANUP(listener_free_p) struct listener *l = NULL;
    int64_t fd;
    int rc;

    if (str_starts(address, "fd://")) {
        if (parse_i64(address + strlen("fd://"), 0, INT32_MAX, "descriptor", &fd, e))
            return -1;
        return listener_from_fd((int)fd, out, e);
    }
    l = xcalloc(1, sizeof(*l));
    l->fd = -1;
    if (str_starts(address, "unix://"))
        rc = open_unix(address + strlen("unix://"), group, l, e);
    else if (str_starts(address, "tcp://"))
        rc = open_tcp(address + strlen("tcp://"), l, e);
    else
        return err_set(e, ERR_INVALID,
                       "invalid address \"%s\": it must begin with unix://, tcp:// or fd://",
                       address);
    if (rc || describe(l, e))
        return err_wrap(e, "listen on %s", address);
    *out = take_ptr(l);
    return 0;
}

static void describe_peer(int fd, const struct sockaddr_storage *sa, struct peer *peer)
{
    struct ucred cred;
    socklen_t len = sizeof(cred);

    *peer = (struct peer){.pid = -1, .uid = -1, .gid = -1};
    inet_text(sa, peer->address, sizeof(peer->address));
    if (sa->ss_family == AF_UNIX && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0) {
        peer->pid = cred.pid;
        peer->uid = cred.uid;
        peer->gid = cred.gid;
    }
}

static bool peer_gave_up(int code)
{
    /* accept(2): errors of the new connection, not of ours */
    return code == EAGAIN || code == EINTR || code == ECONNABORTED || code == EPROTO ||
           code == ENETDOWN || code == ENOPROTOOPT || code == EHOSTDOWN || code == ENONET ||
           code == EHOSTUNREACH || code == EOPNOTSUPP || code == ENETUNREACH;
}

int listener_accept(struct listener *l, struct cancel *c, struct stream **out, struct peer *peer,
                    struct err *e)
{
    struct sockaddr_storage sa = {0};
    socklen_t len;
    int fd;

    for (;;) {
        if (fd_wait(l->fd, POLLIN, -1, c, e) < 0)
            return -1;
        len = sizeof(sa);
        fd = accept4(l->fd, (struct sockaddr *)&sa, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0)
            break;
        if (peer_gave_up(errno))
            continue;
        err_os(e, errno, "accept on %s", l->address);
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            e->kind = ERR_UNAVAILABLE; /* passes; the caller's loop must not spin meanwhile */
            cancel_sleep_ms(c, FD_BACKOFF_MS);
        }
        return -1;
    }
    if (sa.ss_family != AF_UNIX)
        socket_tune_tcp(fd);
    if (peer)
        describe_peer(fd, &sa, peer);
    *out = stream_fd_new(fd, sa.ss_family == AF_UNIX ? "unix" : "tcp");
    return 0;
}

const char *listener_address(const struct listener *l)
{
    return l->address;
}

void listener_free(struct listener *l)
{
    struct stat st;

    if (!l)
        return;
    /* A successor may have put its own socket there meanwhile. */
    if (l->unlink_path && lstat(l->unlink_path, &st) == 0 && st.st_dev == l->dev &&
        st.st_ino == l->ino)
        unlink(l->unlink_path);
    fd_close(l->fd);
    free(l->unlink_path);
    free(l->address);
    free(l);
}
