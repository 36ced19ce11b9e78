/* peer: see peer.h.  Errors are in the words of Go's net package, which dockerd's users know. */
#include "logdrivers/remote/peer.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/time.h"

void peer_init(struct peer *p, const char *network, const char *host, const char *port,
               const char *path)
{
    *p = (struct peer){.network = network,
                       .host = xstrdup(host ? host : ""),
                       .port = xstrdup(port ? port : ""),
                       .path = xstrdup(path ? path : ""),
                       .timeout_ms = PEER_TIMEOUT_MS,
                       .fd = -1};
}

void peer_release(struct peer *p)
{
    peer_disconnect(p);
    SSL_CTX_free(p->tls);
    free(p->host);
    free(p->port);
    free(p->path);
    free(p->server_name);
    *p = (struct peer){.fd = -1};
}

void peer_disconnect(struct peer *p)
{
    if (p->ssl) {
        (void)SSL_shutdown(p->ssl); /* one way: nobody waits for the answer */
        SSL_free(p->ssl);
    }
    fd_close(p->fd);
    p->ssl = NULL;
    p->fd = -1;
    ERR_clear_error();
}

/* ------------------------------------------------------------------ errors */

static const char *go_errno(int code, char *out, size_t size)
{
    (void)str_copy(out, size, strerror(code)); /* long enough for all of them */
    *out = (char)tolower((unsigned char)*out);
    return out;
}

static int dial_failed(const struct peer *p, const char *call, int code, struct err *e)
{
    bool local = *p->path != '\0';
    char why[128];

    return err_set(e, ERR_UNAVAILABLE, "dial %s %s%s%s: %s: %s", p->network,
                   local ? p->path : p->host, local ? "" : ":", local ? "" : p->port, call,
                   go_errno(code, why, sizeof(why)));
}

static int tls_failed(const struct peer *p, const char *what, struct err *e)
{
    unsigned long code = ERR_peek_last_error();
    const char *why = code ? ERR_reason_error_string(code) : "the connection was closed";
    long verify = p->ssl ? SSL_get_verify_result(p->ssl) : X509_V_OK;

    if (verify != X509_V_OK)
        return err_set(e, ERR_UNAVAILABLE, "tls: %s: %s", what,
                       X509_verify_cert_error_string(verify));
    /* OpenSSL has no words for what the system says. */
    return err_set(e, ERR_UNAVAILABLE, "tls: %s: %s", what,
                   why ? why : strerror((int)ERR_GET_REASON(code)));
}

/* ------------------------------------------------------------------ TLS */

int peer_use_tls(struct peer *p, const struct peer_tls *t, struct err *e)
{
    p->tls = SSL_CTX_new(TLS_client_method());
    if (!p->tls)
        return tls_failed(p, "set up", e);
    (void)SSL_CTX_set_min_proto_version(p->tls, TLS1_2_VERSION);
    SSL_CTX_set_mode(p->tls, SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_verify(p->tls, t->skip_verify ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    p->skip_verify = t->skip_verify;
    p->server_name = xstrdup(t->server_name ? t->server_name : p->host);
    if (!str_empty(t->ca_file)) {
        char why[128];

        if (access(t->ca_file, R_OK))
            return err_set(e, ERR_INVALID, "could not read CA certificate \"%s\": open %s: %s",
                           t->ca_file, t->ca_file, go_errno(errno, why, sizeof(why)));
        if (SSL_CTX_load_verify_locations(p->tls, t->ca_file, NULL) != 1)
            return err_set(e, ERR_INVALID, "failed to append certificates from PEM file: \"%s\"",
                           t->ca_file);
    } else if (SSL_CTX_set_default_verify_paths(p->tls) != 1) {
        return tls_failed(p, "the system's certificates", e);
    }
    if (str_empty(t->cert_file) && str_empty(t->key_file))
        return 0;
    if (str_empty(t->cert_file) || str_empty(t->key_file) ||
        SSL_CTX_use_certificate_chain_file(p->tls, t->cert_file) != 1 ||
        SSL_CTX_use_PrivateKey_file(p->tls, t->key_file, SSL_FILETYPE_PEM) != 1)
        return err_set(e, ERR_INVALID,
                       "Could not load X509 key pair: certificate \"%s\", key \"%s\"",
                       t->cert_file ? t->cert_file : "", t->key_file ? t->key_file : "");
    return 0;
}

static bool is_address(const char *host)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST}, *found = NULL;
    bool yes = getaddrinfo(host, NULL, &hints, &found) == 0;

    if (yes)
        freeaddrinfo(found);
    return yes;
}

static int start_tls(struct peer *p, struct err *e)
{
    bool numeric = is_address(p->server_name);

    p->ssl = SSL_new(p->tls);
    if (!p->ssl || SSL_set_fd(p->ssl, p->fd) != 1)
        return tls_failed(p, "set up", e);
    if (!numeric)
        (void)SSL_set_tlsext_host_name(p->ssl, p->server_name);
    if (!p->skip_verify &&
        (numeric ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(p->ssl), p->server_name)
                 : SSL_set1_host(p->ssl, p->server_name)) != 1)
        return tls_failed(p, "host name", e);
    return SSL_connect(p->ssl) == 1 ? 0 : tls_failed(p, "handshake", e);
}

/* ------------------------------------------------------------------ connecting */

static int set_timeouts(const struct peer *p, int fd)
{
    const struct timeval t = {.tv_sec = p->timeout_ms / 1000,
                              .tv_usec = p->timeout_ms % 1000 * 1000};

    return setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t)) ||
                   setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t))
               ? -1
               : 0;
}

/* 0 or an errno.  SO_SNDTIMEO bounds connect() too; it says EINPROGRESS then. */
static int connect_one(const struct peer *p, int family, int type, const struct sockaddr *sa,
                       socklen_t len, int *out)
{
    int fd = socket(family, type | SOCK_CLOEXEC, 0), code;

    if (fd < 0)
        return errno;
    if (set_timeouts(p, fd) == 0 && connect(fd, sa, len) == 0) {
        *out = fd;
        return 0;
    }
    code = errno == EINPROGRESS || errno == EAGAIN ? ETIMEDOUT : errno;
    fd_close(fd);
    return code;
}

static int connect_host(struct peer *p, struct err *e)
{
    int type = str_eq(p->network, "udp") ? SOCK_DGRAM : SOCK_STREAM;
    struct addrinfo hints = {.ai_socktype = type}, *found = NULL;
    int code = EADDRNOTAVAIL, r;

    r = getaddrinfo(*p->host ? p->host : "127.0.0.1", p->port, &hints, &found);
    if (r)
        return err_set(e, ERR_UNAVAILABLE, "dial %s: lookup %s: %s", p->network, p->host,
                       r == EAI_SYSTEM ? strerror(errno) : gai_strerror(r));
    for (struct addrinfo *a = found; a && code; a = a->ai_next)
        code = connect_one(p, a->ai_family, type, a->ai_addr, a->ai_addrlen, &p->fd);
    freeaddrinfo(found);
    return code ? dial_failed(p, "connect", code, e) : 0;
}

static int connect_path(struct peer *p, struct err *e)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    int code;

    if (!str_copy(sa.sun_path, sizeof(sa.sun_path), p->path))
        return dial_failed(p, "connect", ENAMETOOLONG, e);
    code = connect_one(p, AF_UNIX, str_eq(p->network, "unixgram") ? SOCK_DGRAM : SOCK_STREAM,
                       (const struct sockaddr *)&sa, sizeof(sa), &p->fd);
    return code ? dial_failed(p, "connect", code, e) : 0;
}

/* The other side has closed: the first send would seem to succeed. */
static bool closed_by_peer(const struct peer *p)
{
    struct pollfd f = {.fd = p->fd, .events = POLLIN | POLLRDHUP};
    char byte;

    if (str_eq(p->network, "udp") || poll(&f, 1, 0) <= 0)
        return false;
    if (f.revents & (POLLERR | POLLHUP | POLLRDHUP | POLLNVAL))
        return true;
    return !p->ssl && recv(p->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

int peer_connect(struct peer *p, struct err *e)
{
    if (p->fd >= 0 && !closed_by_peer(p))
        return 0;
    peer_disconnect(p);
    if ((*p->path ? connect_path(p, e) : connect_host(p, e)))
        return -1;
    if (!p->tls || start_tls(p, e) == 0)
        return 0;
    peer_disconnect(p);
    return -1;
}

/* ------------------------------------------------------------------ bytes */

static int io_failed(struct peer *p, const char *call, struct err *e)
{
    int code = errno;
    char why[128];

    if (p->ssl)
        tls_failed(p, call, e);
    else
        err_set(e, ERR_UNAVAILABLE, "%s %s: %s", call, p->network,
                code == EAGAIN ? "i/o timeout" : go_errno(code, why, sizeof(why)));
    peer_disconnect(p);
    return -1;
}

static ssize_t put(const struct peer *p, const char *bytes, size_t n)
{
    return p->ssl ? SSL_write(p->ssl, bytes, (int)n) : send(p->fd, bytes, n, MSG_NOSIGNAL);
}

/* One datagram.  What an earlier one has met (port unreachable) is told now, and is not this one's.
 */
static int send_datagram(struct peer *p, const char *bytes, size_t n, struct err *e)
{
    if (put(p, bytes, n) >= 0)
        return 0;
    if (str_eq(p->network, "udp") && (errno == ECONNREFUSED || errno == EHOSTUNREACH) &&
        put(p, bytes, n) >= 0)
        return 0;
    if (errno == EMSGSIZE) {
        (void)io_failed(p, "write", e);
        e->kind = ERR_INVALID;
        return -1;
    }
    return io_failed(p, "write", e);
}

int peer_send(struct peer *p, const void *bytes, size_t n, struct err *e)
{
    const char *at = bytes, *end = at + n;

    if (peer_connect(p, e))
        return -1;
    if (str_eq(p->network, "udp") || str_eq(p->network, "unixgram"))
        return send_datagram(p, bytes, n, e);
    while (at < end) {
        size_t rest = (size_t)(end - at);
        ssize_t done = put(p, at, rest < 1 << 20 ? rest : 1 << 20);

        if (done < 0 && !p->ssl && errno == EINTR)
            continue;
        if (done <= 0)
            return io_failed(p, "write", e);
        at += done;
    }
    return 0;
}

int peer_receive(struct peer *p, void *bytes, size_t max, size_t *got, struct err *e)
{
    ssize_t n;

    do
        n = p->ssl ? SSL_read(p->ssl, bytes, (int)max) : recv(p->fd, bytes, max, 0);
    while (n < 0 && !p->ssl && errno == EINTR);
    if (n == 0 && !p->ssl)
        errno = ECONNRESET;
    if (n <= 0)
        return io_failed(p, "read", e);
    *got = (size_t)n;
    return 0;
}
