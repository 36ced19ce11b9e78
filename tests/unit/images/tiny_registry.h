/*
 * tiny_registry: a registry on loopback that misbehaves when told to.
 *
 * Documents are put under their path ("/v2/x/blobs/sha256:..."); the knobs say what goes wrong with
 * those whose path holds `victim`.  One thread accepts, one more serves each connection.
 */
#pragma once

#include <arpa/inet.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/map.h"
#include "base/str.h"
#include "base/sync.h"
#include "tests/unit/unit.h"

struct tiny_doc {
    char *type;
    struct buf body;
};

struct tiny {
    int fd;
    unsigned port;
    struct map docs;
    struct thread acceptor;
    atomic_bool stop;
    atomic_int live, requests, blob_requests, token_requests, head_requests;
    /* knobs */
    const char *victim;
    size_t cut_at; /* the connection ends after so many bytes of the body */
    atomic_int cut_times;
    bool no_ranges, stall, redirect_loop, lie_length, plain_errors;
    size_t flip_at;             /* a bit of this byte is wrong; 0: none */
    const char *bearer, *basic; /* Authorization that is wanted: "Bearer x", "Basic x" */
    const char *token_basic;    /* what the token server wants */
};

static void tiny_doc_free(void *p)
{
    struct tiny_doc *d = p;

    free(d->type);
    buf_release(&d->body);
    free(d);
}

static inline void tiny_put(struct tiny *t, const char *path, const char *type, const void *bytes,
                            size_t n)
{
    struct tiny_doc *d = xcalloc(1, sizeof(*d));

    d->type = xstrdup(type);
    d->body = BUF_INIT(64 << 20);
    buf_add(&d->body, bytes, n);
    map_put(&t->docs, path, d);
}

static inline bool tiny_send(int fd, const void *p, size_t n)
{
    const char *at = p;

    while (n > 0) {
        ssize_t done = send(fd, at, n, MSG_NOSIGNAL);

        if (done <= 0)
            return false;
        at += done;
        n -= (size_t)done;
    }
    return true;
}

static inline bool tiny_reply(int fd, const char *status, const char *extra, const char *body,
                              bool head)
{
    cleanup_free char *text = str_printf("HTTP/1.1 %s\r\nContent-Length: %zu\r\n%s\r\n%s", status,
                                         strlen(body), extra, head ? "" : body);

    return tiny_send(fd, text, strlen(text));
}

static inline char *tiny_header(const char *head, const char *name)
{
    cleanup_free char *key = str_printf("\r\n%s: ", name);
    const char *at = strcasestr(head, key);

    return at ? str_ndup(at + strlen(key), strcspn(at + strlen(key), "\r")) : NULL;
}

static inline bool tiny_authorized(struct tiny *t, int fd, const char *head, bool is_head)
{
    cleanup_free char *given = tiny_header(head, "Authorization"), *extra = NULL;
    const char *want = t->bearer ? t->bearer : t->basic;

    if (!want || str_eq(given, want))
        return true;
    extra = t->bearer ? str_printf("Content-Type: application/json\r\nWWW-Authenticate: Bearer "
                                   "realm=\"http://127.0.0.1:%u/token\",service=\"tiny\"\r\n",
                                   t->port)
                      : xstrdup("Content-Type: application/json\r\nWWW-Authenticate: Basic "
                                "realm=\"x\"\r\n");
    tiny_reply(fd, "401 Unauthorized", extra,
               "{\"errors\":[{\"code\":\"UNAUTHORIZED\",\"message\":\"authentication "
               "required\"}]}",
               is_head);
    return false;
}

static inline bool tiny_token(struct tiny *t, int fd, const char *head)
{
    cleanup_free char *given = tiny_header(head, "Authorization"), *body = NULL;

    t->token_requests++;
    if (t->token_basic && !str_eq(given, t->token_basic))
        return tiny_reply(fd, "401 Unauthorized", "Content-Type: application/json\r\n",
                          "{\"details\":\"incorrect username or password\"}", false);
    body = str_printf("{\"token\":\"%s\"}", t->bearer + strlen("Bearer "));
    return tiny_reply(fd, "200 OK", "Content-Type: application/json\r\n", body, false);
}

static inline bool tiny_document(struct tiny *t, int fd, const char *path, const char *head,
                                 bool is_head)
{
    struct tiny_doc *d = map_get(&t->docs, path);
    bool victim = t->victim && strstr(path, t->victim);
    cleanup_free char *range = tiny_header(head, "Range"), *text = NULL, *bytes = NULL;
    size_t from = 0, n;

    if (victim && t->redirect_loop) {
        text = str_printf("Location: %s\r\n", path);
        return tiny_reply(fd, "307 Temporary Redirect", text, "", is_head);
    }
    if (!d)
        return tiny_reply(fd, "404 Not Found", "Content-Type: application/json\r\n",
                          t->plain_errors ? "nope"
                                          : "{\"errors\":[{\"code\":\"MANIFEST_UNKNOWN\","
                                            "\"message\":\"manifest unknown\"}]}",
                          is_head);
    if (range && !t->no_ranges)
        from = strtoul(range + strlen("bytes="), NULL, 10);
    if (from > d->body.len)
        from = d->body.len;
    n = d->body.len - from;
    text = str_printf("HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n",
                      from ? "206 Partial Content" : "200 OK", d->type,
                      n + (victim && t->lie_length ? 1000 : 0));
    if (!tiny_send(fd, text, strlen(text)) || is_head)
        return is_head;
    bytes = xmalloc(n + 1);
    memcpy(bytes, d->body.data + from, n);
    if (victim && t->flip_at && t->flip_at >= from && t->flip_at < from + n)
        bytes[t->flip_at - from] ^= 4;
    if (victim && t->stall) {
        tiny_send(fd, bytes, n / 2);
        while (!t->stop)
            poll(NULL, 0, 5);
        return false;
    }
    if (victim && t->cut_times > 0) {
        t->cut_times--;
        tiny_send(fd, bytes, t->cut_at < n ? t->cut_at : n);
        return false;
    }
    return tiny_send(fd, bytes, n) && !(victim && t->lie_length);
}

static inline bool tiny_request(struct tiny *t, int fd, const char *head)
{
    bool is_head = str_starts(head, "HEAD ");
    const char *start = strchr(head, ' ') + 1;
    cleanup_free char *path = str_ndup(start, strcspn(start, " ?"));

    t->requests++;
    t->head_requests += is_head;
    if (str_eq(path, "/token"))
        return tiny_token(t, fd, head);
    if (!tiny_authorized(t, fd, head, is_head))
        return true;
    if (str_eq(path, "/v2/"))
        return tiny_reply(fd, "200 OK", "", "{}", is_head);
    t->blob_requests += strstr(path, "/blobs/") != NULL;
    return tiny_document(t, fd, path, head, is_head);
}

struct tiny_conn {
    struct tiny *t;
    int fd;
};

static inline void tiny_serve(void *arg)
{
    struct tiny_conn *c = arg;
    struct tiny *t = c->t;
    struct buf in = BUF_INIT(65536);
    bool open = true;

    while (open && !t->stop) {
        struct pollfd p = {.fd = c->fd, .events = POLLIN};
        char *end = strstr(in.data, "\r\n\r\n"), piece[4096];
        ssize_t n;

        if (end) {
            end[2] = '\0';
            open = tiny_request(t, c->fd, in.data);
            buf_reset(&in); /* clients here send one request at a time, and no bodies */
            continue;
        }
        if (poll(&p, 1, 10) <= 0)
            continue;
        n = recv(c->fd, piece, sizeof(piece), 0);
        if (n <= 0)
            break;
        buf_add(&in, piece, (size_t)n);
    }
    close(c->fd);
    buf_release(&in);
    free(c);
    t->live--;
}

static inline void tiny_accept(void *arg)
{
    struct tiny *t = arg;

    while (!t->stop) {
        struct pollfd p = {.fd = t->fd, .events = POLLIN};
        struct tiny_conn *c;

        if (poll(&p, 1, 10) <= 0)
            continue;
        c = xcalloc(1, sizeof(*c));
        c->t = t;
        c->fd = accept(t->fd, NULL, NULL);
        t->live++;
        if (c->fd < 0 || thread_start_detached("tiny", tiny_serve, c, ERR_IGNORE))
            abort();
    }
}

static inline void tiny_start(struct tiny *t)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(a);

    memset(t, 0, sizeof(*t));
    t->docs = MAP_INIT(tiny_doc_free);
    t->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(t->fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(t->fd, 64), 0);
    assert_int_equal(getsockname(t->fd, (struct sockaddr *)&a, &n), 0);
    t->port = ntohs(a.sin_port);
    assert_ok(thread_start(&t->acceptor, "tiny-accept", tiny_accept, t, &e));
}

static inline void tiny_stop(struct tiny *t)
{
    t->stop = true;
    thread_join(&t->acceptor);
    while (t->live > 0)
        poll(NULL, 0, 1);
    close(t->fd);
    map_release(&t->docs);
}
