/*
 * ports: host ports, reserved for as long as a container wants them.
 *
 * A reservation is a bound socket.  So the kernel arbitrates between us, other agents and every
 * other process of the host, without a race; a port that the kernel chooses is ours in the moment
 * it is chosen; and a program that wants a published port learns it from bind(2) instead of
 * listening where no packet arrives, as the firewall sends them on.  Nothing is ever read from
 * these sockets.
 *
 * A table of what this process holds gives the nicer answer when the other one is a container too.
 * The lock guards that table alone: sockets are made outside it, and an entry is in the table, as a
 * claim, before its socket is made.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/sync.h"
#include "core/net_driver.h"
#include "netdrivers/ipv4.h"

struct held {
    char *owner;
    uint16_t port, host_port; /* in the container, on the host; host_port 0: being chosen */
    enum proto proto;
    uint32_t host; /* 0: all addresses */
    int fd;        /* -1: claimed, or adopted when somebody else had bound it */
    uint64_t born; /* the call that made it */
    uint64_t mark; /* the last call that wanted it */
};

static struct mutex lock = MUTEX_INIT;
static struct held *table GUARDED_BY(lock);
static size_t n_table GUARDED_BY(lock);
static uint64_t last_mark GUARDED_BY(lock);

/* ------------------------------------------------------------------ the table, under the lock */

static bool clashes(const struct held *h, enum proto proto, uint32_t host, uint16_t port)
{
    return h->host_port == port && port && h->proto == proto &&
           (!h->host || !host || h->host == host);
}

static const struct held *find_clash(enum proto proto, uint32_t host, uint16_t port) REQUIRES(lock)
{
    for (size_t i = 0; i < n_table; i++)
        if (clashes(&table[i], proto, host, port))
            return &table[i];
    return NULL;
}

static void append(const struct held *h, const char *owner) REQUIRES(lock)
{
    if ((n_table & (n_table - 1)) == 0)
        table = xrealloc(table, (n_table ? 2 * n_table : 1) * sizeof(*table));
    table[n_table] = *h;
    table[n_table++].owner = xstrdup(owner);
}

enum drop { DROP_ALL, DROP_BORN_IN, DROP_NOT_WANTED_BY };

static bool is_dropped(const struct held *h, const char *owner, enum drop what, uint64_t mark)
{
    if (!str_eq(h->owner, owner))
        return false;
    return what == DROP_ALL || (what == DROP_BORN_IN ? h->born == mark : h->mark != mark);
}

/* Drops entries of the owner; their sockets go to *fds, to be closed outside the lock. */
static void drop(const char *owner, enum drop what, uint64_t mark, int **fds, size_t *n_fds)
    REQUIRES(lock)
{
    size_t kept = 0;

    for (size_t i = 0; i < n_table; i++) {
        if (!is_dropped(&table[i], owner, what, mark)) {
            table[kept++] = table[i];
            continue;
        }
        *fds = xrealloc(*fds, (*n_fds + 1) * sizeof(**fds));
        (*fds)[(*n_fds)++] = table[i].fd;
        free(table[i].owner);
    }
    /* append() grows at powers of two, so the room must match the count. */
    size_t room = 1;
    while (room < kept)
        room *= 2;
    n_table = kept;
    if (kept)
        table = xrealloc(table, room * sizeof(*table));
    else
        free(take_ptr(table));
}

static void close_all(int *fds, size_t n)
{
    for (size_t i = 0; i < n; i++)
        fd_close(fds[i]);
    free(fds);
}

/* ------------------------------------------------------------------ sockets */

static const struct {
    int type, proto;
} socket_kinds[] = {
    [PROTO_TCP] = {SOCK_STREAM, IPPROTO_TCP },
    [PROTO_UDP] = {SOCK_DGRAM,  IPPROTO_UDP },
    [PROTO_SCTP] = {SOCK_STREAM, IPPROTO_SCTP},
};

/* *port 0: the kernel chooses, and *port says what.  -1 with errno. */
static int bind_port(enum proto proto, uint32_t host, uint16_t *port)
{
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons(*port), .sin_addr.s_addr = htonl(host)};
    socklen_t len = sizeof(at);
    int small = 1;
    cleanup_fd int fd =
        socket(AF_INET, socket_kinds[proto].type | SOCK_CLOEXEC, socket_kinds[proto].proto);

    if (fd < 0)
        return -1;
    /* It receives nothing; should the firewall be flushed, little shall pile up. */
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    if (bind(fd, (struct sockaddr *)&at, len) < 0 ||
        getsockname(fd, (struct sockaddr *)&at, &len) < 0)
        return -1;
    *port = ntohs(at.sin_port);
    return take_fd(fd);
}

/* ------------------------------------------------------------------ one binding */

struct request {
    const char *owner;
    const struct port_binding *want;
    uint32_t host;
    char host_text[IPV4_TEXT_MAX];
    uint64_t mark;
};

static bool in_range(const struct port_binding *w, uint16_t port)
{
    if (!w->host_port)
        return true;
    return port >= w->host_port &&
           port <= (w->host_port_end > w->host_port ? w->host_port_end : w->host_port);
}

/* An entry the owner has already, from an earlier call or from adoption. */
static bool reuse(const struct request *r, struct port_map *out)
{
    bool found = false;

    mutex_lock(&lock);
    for (size_t i = 0; !found && i < n_table; i++) {
        struct held *h = &table[i];

        if (h->mark == r->mark || !h->host_port || !str_eq(h->owner, r->owner) ||
            h->port != r->want->port || h->proto != r->want->proto || h->host != r->host ||
            !in_range(r->want, h->host_port))
            continue;
        h->mark = r->mark;
        out->host_port = h->host_port;
        found = true;
    }
    mutex_unlock(&lock);
    return found;
}

enum claim { CLAIM_OK, CLAIM_TAKEN };

/* Enters a port into the table, so that no other thread takes it while its socket is made. */
static enum claim claim(const struct request *r, uint16_t port, int fd)
{
    struct held h = {.port = r->want->port,
                     .host_port = port,
                     .proto = r->want->proto,
                     .host = r->host,
                     .fd = fd,
                     .born = r->mark,
                     .mark = r->mark};
    enum claim result = CLAIM_TAKEN;

    mutex_lock(&lock);
    if (!find_clash(h.proto, h.host, port)) {
        append(&h, r->owner);
        result = CLAIM_OK;
    }
    mutex_unlock(&lock);
    return result;
}

/* Gives the claim its socket, or takes it back when there is none. */
static void settle(const struct request *r, uint16_t port, int fd)
{
    mutex_lock(&lock);
    for (size_t i = 0; i < n_table; i++) {
        struct held *h = &table[i];

        if (h->mark != r->mark || h->fd >= 0 || h->host_port != port || h->host != r->host ||
            h->proto != r->want->proto || h->port != r->want->port)
            continue;
        h->fd = fd;
        if (fd < 0)
            h->mark = h->host_port = 0; /* nobody's port; the end of the call drops it */
        break;
    }
    mutex_unlock(&lock);
}

static int refuse(const struct request *r, uint16_t port, int os_code, struct err *e)
{
    const struct {
        int code;
        enum err_kind kind;
        const char *why; /* as Go spells it, which is what clients look for */
    } known[] = {
        {EADDRINUSE,    ERR_CONFLICT, "address already in use"         },
        {EADDRNOTAVAIL, ERR_IO,       "cannot assign requested address"},
        {EACCES,        ERR_DENIED,   "permission denied"              },
    };
    const char *proto = proto_name(r->want->proto);

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (known[i].code == os_code)
            return err_set(e, known[i].kind, "failed to bind host port for %s:%u:%u/%s: %s",
                           r->host_text, port, r->want->port, proto, known[i].why);
    return err_os(e, os_code, "failed to bind host port for %s:%u:%u/%s", r->host_text, port,
                  r->want->port, proto);
}

static int take_port(const struct request *r, uint16_t port, struct err *e)
{
    uint16_t bound = port;
    int fd;

    if (claim(r, port, -1) == CLAIM_TAKEN)
        return err_set(e, ERR_CONFLICT, "Bind for %s:%u failed: port is already allocated",
                       r->host_text, port);
    fd = bind_port(r->want->proto, r->host, &bound);
    /* A kernel without SCTP sockets still forwards SCTP: then our table alone decides. */
    if (fd < 0 && (errno == EPROTONOSUPPORT || errno == ESOCKTNOSUPPORT))
        return 0;
    int code = errno;
    settle(r, port, fd);
    return fd < 0 ? refuse(r, port, code, e) : 0;
}

#define CHOICES_MAX 64

/* A port of the kernel's choice; it may choose one that an adopted entry without a socket has. */
static int take_any(const struct request *r, uint16_t *port, struct err *e)
{
    for (int i = 0; i < CHOICES_MAX; i++) {
        int fd;

        *port = 0;
        fd = bind_port(r->want->proto == PROTO_SCTP ? PROTO_TCP : r->want->proto, r->host, port);
        if (fd < 0)
            return refuse(r, 0, errno, e);
        if (claim(r, *port, fd) == CLAIM_OK)
            return 0;
        fd_close(fd);
    }
    return err_set(e, ERR_CONFLICT, "no free host port on %s for %s", r->host_text,
                   proto_name(r->want->proto));
}

static int take_one(const struct request *r, uint16_t *port, struct err *e)
{
    const struct port_binding *w = r->want;
    unsigned end = w->host_port_end > w->host_port ? w->host_port_end : w->host_port;

    if (!w->host_port)
        return take_any(r, port, e);
    for (unsigned p = w->host_port; p <= end; p++) {
        *port = (uint16_t)p;
        if (take_port(r, *port, e) == 0)
            return 0;
        if (e->kind != ERR_CONFLICT)
            return -1;
    }
    return -1;
}

static int request_init(struct request *r, const char *owner, const struct port_binding *want,
                        uint64_t mark, struct err *e)
{
    *r = (struct request){.owner = owner, .want = want, .mark = mark};
    if (!str_empty(want->host_ip) && !ipv4_parse(want->host_ip, &r->host))
        return err_set(e, ERR_UNSUPPORTED,
                       "publish port %u/%s on %s: only IPv4 addresses are supported", want->port,
                       proto_name(want->proto), want->host_ip);
    ipv4_format(r->host, r->host_text);
    return 0;
}

/* ------------------------------------------------------------------ the calls */

static void free_maps(struct port_map *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(v[i].host_ip);
    free(v);
}

/* Two passes: first what the owner has and still wants, whatever the order, then what is new. */
static int reserve_all(const char *owner, const struct port_binding *want, size_t n,
                       struct port_map *out, uint64_t mark, struct err *e)
{
    struct request r;

    for (size_t i = 0; i < n; i++) {
        if (request_init(&r, owner, &want[i], mark, e))
            return -1;
        out[i] = (struct port_map){
            .port = want[i].port, .proto = want[i].proto, .host_ip = xstrdup(r.host_text)};
        (void)reuse(&r, &out[i]);
    }
    for (size_t i = 0; i < n; i++) {
        if (out[i].host_port)
            continue;
        if (request_init(&r, owner, &want[i], mark, e) || take_one(&r, &out[i].host_port, e))
            return -1;
    }
    return 0;
}

static uint64_t new_mark(void)
{
    uint64_t mark;

    mutex_lock(&lock);
    mark = ++last_mark;
    mutex_unlock(&lock);
    return mark;
}

int net_ports_reserve(const char *owner, const struct port_binding *want, size_t n,
                      struct port_map **out, size_t *n_out, struct err *e)
{
    struct port_map *maps = xcalloc(n + 1, sizeof(*maps));
    uint64_t mark = new_mark();
    int *fds = NULL;
    size_t n_fds = 0;
    int r = reserve_all(owner, want, n, maps, mark, e);

    mutex_lock(&lock);
    /* All or nothing; what the owner had before a failed call it keeps. */
    drop(owner, r == 0 ? DROP_NOT_WANTED_BY : DROP_BORN_IN, mark, &fds, &n_fds);
    mutex_unlock(&lock);
    close_all(fds, n_fds);
    if (r) {
        free_maps(maps, n);
        return -1;
    }
    *out = maps;
    *n_out = n;
    return 0;
}

void net_ports_adopt(const char *owner, const struct port_map *ports, size_t n)
{
    uint64_t mark = new_mark();

    for (size_t i = 0; i < n; i++) {
        struct held h = {.port = ports[i].port,
                         .host_port = ports[i].host_port,
                         .proto = ports[i].proto,
                         .fd = -1,
                         .born = mark,
                         .mark = mark};
        bool known = false;

        if (!ports[i].host_port ||
            (!str_empty(ports[i].host_ip) && !ipv4_parse(ports[i].host_ip, &h.host)))
            continue; /* nothing of ours was ever published there */
        mutex_lock(&lock);
        for (size_t k = 0; k < n_table; k++)
            known = known || (str_eq(table[k].owner, owner) &&
                              clashes(&table[k], h.proto, h.host, h.host_port));
        mutex_unlock(&lock);
        if (known)
            continue;
        h.fd = bind_port(h.proto, h.host, &h.host_port);
        if (h.fd < 0)
            log_warn("published port is bound by another process", "container=%s port=%u/%s", owner,
                     h.host_port, proto_name(h.proto));
        mutex_lock(&lock);
        append(&h, owner);
        mutex_unlock(&lock);
    }
}

void net_ports_release(const char *owner)
{
    int *fds = NULL;
    size_t n_fds = 0;

    mutex_lock(&lock);
    drop(owner, DROP_ALL, 0, &fds, &n_fds);
    mutex_unlock(&lock);
    close_all(fds, n_fds);
}
