/*
 * client_conn: a connection from the agent to a shim.
 *
 * The socket is non-blocking and every wait has three ends: it is ready, the caller's switch has
 * fired, the time is over.  So a shim that was stopped by somebody cannot hang the agent.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/time.h"
#include "runtime-linux/client_internal.h"
#include "runtime-linux/shim_socket.h"

int client_connect(const struct runtime_linux *rl, const char *id, int *out, struct err *e)
{
    cleanup_free char *dir = client_exec_dir(rl, id);
    cleanup_fd int dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    cleanup_fd int fd = -1;
    struct sockaddr_un address;

    if (dir_fd < 0 && errno == ENOENT)
        return err_set(e, ERR_NOT_FOUND, "container %s has no shim", id);
    if (dir_fd < 0)
        return err_os(e, errno, "open %s", dir);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_os(e, errno, "socket");
    shim_socket_address(dir_fd, &address);
    while (connect(fd, (struct sockaddr *)&address, sizeof(address))) {
        if (errno == EINTR)
            continue;
        if (errno == ENOENT || errno == ECONNREFUSED)
            return err_set(e, ERR_NOT_FOUND, "container %s has no shim", id);
        return err_os(e, errno, "connect to the shim of container %s", id);
    }
    if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK))
        return err_os(e, errno, "set socket to non-blocking");
    *out = take_fd(fd);
    return 0;
}

static int wait_for(int fd, short events, int64_t until_ms, struct cancel *c, struct err *e)
{
    struct pollfd fds[2] = {
        {.fd = fd,                    .events = events},
        {.fd = c ? cancel_fd(c) : -1, .events = POLLIN},
    };

    for (;;) {
        int64_t left = until_ms < 0 ? -1 : until_ms - time_mono_ms();
        int n;

        if (until_ms >= 0 && left <= 0)
            return err_set(e, ERR_TIMEOUT, "the shim does not answer");
        n = poll(fds, 2, (int)left);
        if (n < 0 && errno != EINTR)
            return err_os(e, errno, "poll");
        if (n > 0 && fds[1].revents)
            return err_set(e, ERR_CANCELLED, "cancelled");
        if (n > 0)
            return 0;
    }
}

static int send_all(int fd, const char *p, size_t n, int64_t until_ms, struct cancel *c,
                    struct err *e)
{
    while (n > 0) {
        ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);

        if (sent >= 0) {
            p += sent;
            n -= (size_t)sent;
        } else if (errno == EPIPE || errno == ECONNRESET) {
            return err_set(e, ERR_UNAVAILABLE, "the shim is gone");
        } else if (errno != EAGAIN && errno != EINTR) {
            return err_os(e, errno, "send to the shim");
        } else if (errno == EAGAIN && wait_for(fd, POLLOUT, until_ms, c, e)) {
            return -1;
        }
    }
    return 0;
}

static int receive_all(int fd, char *p, size_t n, int64_t until_ms, struct cancel *c, struct err *e)
{
    while (n > 0) {
        ssize_t got = recv(fd, p, n, 0);

        if (got > 0) {
            p += got;
            n -= (size_t)got;
        } else if (got == 0 || errno == ECONNRESET) {
            return err_set(e, ERR_UNAVAILABLE, "the shim is gone");
        } else if (errno != EAGAIN && errno != EINTR) {
            return err_os(e, errno, "receive from the shim");
        } else if (errno == EAGAIN && wait_for(fd, POLLIN, until_ms, c, e)) {
            return -1;
        }
    }
    return 0;
}

int client_call(int fd, enum shim_op op, const struct buf *args, int64_t timeout_ms,
                struct cancel *c, struct json_doc *reply, struct err *e)
{
    int64_t until = timeout_ms < 0 ? -1 : time_mono_ms() + timeout_ms;
    cleanup_buf struct buf out = BUF_INIT(SHIM_PAYLOAD_MAX + SHIM_HEADER);
    cleanup_json struct json_doc doc = {0};
    cleanup_free char *payload = NULL;
    uint8_t head[SHIM_HEADER];
    struct shim_header h;

    if (args && buf_check(args, "the request to the shim", e))
        return -1;
    shim_message((uint16_t)op, 0, args ? args->data : "{}", args ? args->len : 2, &out);
    if (buf_check(&out, "the request to the shim", e) ||
        send_all(fd, out.data, out.len, until, c, e) ||
        receive_all(fd, (char *)head, sizeof(head), until, c, e) || shim_header_decode(head, &h, e))
        return -1;
    payload = xmalloc(h.length + 1);
    if (receive_all(fd, payload, h.length, until, c, e))
        return -1;
    if (h.status)
        return shim_failure_decode(&h, payload, h.length, e);
    if (json_parse(payload, h.length, &doc, e))
        return err_wrap(e, "read the shim's reply");
    if (reply) {
        *reply = doc;
        doc = (struct json_doc){0};
    }
    return 0;
}

int client_ask(const struct runtime_linux *rl, const char *id, enum shim_op op,
               const struct buf *args, struct json_doc *reply, struct err *e)
{
    cleanup_fd int fd = -1;

    return client_connect(rl, id, &fd, e) ||
                   client_call(fd, op, args, CALL_TIMEOUT_MS, NULL, reply, e)
               ? -1
               : 0;
}

int client_ask_running(const struct runtime_linux *rl, const char *id, enum shim_op op,
                       const struct buf *args, struct json_doc *reply, struct err *e)
{
    cleanup_fd int fd = -1;

    if (client_connect(rl, id, &fd, e))
        return e->kind == ERR_NOT_FOUND ? client_not_running(id, e) : -1;
    if (client_call(fd, op, args, CALL_TIMEOUT_MS, NULL, reply, e) == 0)
        return 0;
    /* A shim goes when its container has ended. */
    return e->kind == ERR_UNAVAILABLE ? client_not_running(id, e) : -1;
}

int client_not_running(const char *id, struct err *e)
{
    return err_set(e, ERR_CONFLICT, "container %s is not running", id);
}
