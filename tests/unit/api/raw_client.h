/*
 * raw_client: the real server on a real unix socket, and a client that sends bytes as they are and
 * shows what came back, so that a test sees exactly what a Docker client would.
 */
#pragma once

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "api/api.h"
#include "api/conn.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/time.h"
#include "tests/unit/api/fake_engine.h"
#include "tests/unit/unit.h"

struct server {
    struct engine *g;
    struct api *api;
    char dir[64], path[96];
};

static inline void server_start_with(struct server *s, const struct api_config *cfg,
                                     const struct route *table, size_t n)
{
    struct listener *l;
    char address[128];

    snprintf(s->dir, sizeof(s->dir), "/tmp/ballast-api-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    snprintf(s->path, sizeof(s->path), "%s/s", s->dir);
    snprintf(address, sizeof(address), "unix://%s", s->path);
    s->g = fake_engine_new();
    assert_ok(api_new(cfg, s->g, &s->api, &e));
    if (table)
        api_set_routes(s->api, table, n);
    assert_ok(listener_open(address, NULL, &l, &e));
    assert_ok(api_listen(s->api, l, &e));
}

static inline void server_start(struct server *s)
{
    server_start_with(s, &(struct api_config){.root_dir = "/data"}, NULL, 0);
}

static inline void server_stop(struct server *s)
{
    if (s->api)
        api_close(s->api, 1000);
    fake_engine_free(s->g);
    unlink(s->path);
    rmdir(s->dir);
}

static inline int client_connect(const struct server *s)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(str_copy(a.sun_path, sizeof(a.sun_path), s->path));
    while (connect(fd, (struct sockaddr *)&a, sizeof(a))) /* the backlog may be full */
        if (errno != EAGAIN)
            fail_msg("connect: %s", strerror(errno));
    return fd;
}

static inline void client_send(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* What comes until `until` is in it (NULL: until the end).  A test waits ten seconds at most. */
static inline const char *client_receive(int fd, const char *until)
{
    static char text[1 << 20];
    size_t n = 0;

    text[0] = '\0';
    while (!until || !memmem(text, n, until, strlen(until))) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ssize_t got;

        if (poll(&p, 1, 10000) <= 0)
            fail_msg("nothing came any more after: %s", text);
        got = recv(fd, text + n, sizeof(text) - 1 - n, 0);
        if (got <= 0 && until)
            fail_msg("the end came before \"%s\": %s", until, text);
        if (got <= 0)
            break;
        n += (size_t)got;
        text[n] = '\0';
    }
    return text;
}

/* Exactly one head, so that what follows it is still there to be read. */
static inline const char *client_receive_head(int fd)
{
    static char text[4096];
    size_t n = 0;

    while (n < 4 || memcmp(text + n - 4, "\r\n\r\n", 4) != 0) {
        struct pollfd p = {.fd = fd, .events = POLLIN};

        assert_true(n < sizeof(text) - 1);
        if (poll(&p, 1, 10000) <= 0 || recv(fd, text + n, 1, 0) != 1)
            fail_msg("no whole head came");
        text[++n] = '\0';
    }
    return text;
}

/* One request on a connection of its own, closed by the server. */
static inline const char *client_ask(const struct server *s, const char *method, const char *target,
                                     const char *headers, const char *body)
{
    cleanup_free char *text = NULL;
    const char *answer;
    int fd = client_connect(s);

    text = str_printf("%s %s HTTP/1.1\r\nHost: d\r\nConnection: close\r\n%s", method, target,
                      headers ? headers : "");
    client_send(fd, text);
    if (body) {
        cleanup_free char *rest = str_printf("Content-Length: %zu\r\n\r\n%s", strlen(body), body);

        client_send(fd, rest);
    } else {
        client_send(fd, "\r\n");
    }
    answer = client_receive(fd, NULL);
    close(fd);
    return answer;
}

#define JSON_TYPE "Content-Type: application/json\r\n"

static inline bool soon(bool (*is)(void *), void *arg)
{
    for (int i = 0; i < 1000; i++) {
        if (is(arg))
            return true;
        time_sleep_ms(10);
    }
    return false;
}

static inline void assert_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("no \"%s\" in: %s", part, text);
}

static inline void assert_has_not(const char *text, const char *part)
{
    if (strstr(text, part))
        fail_msg("\"%s\" in: %s", part, text);
}
