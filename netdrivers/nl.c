/* nl: see nl.h.  Sequence numbers tie replies to requests; a late reply to an older one is skipped.
 */
#include "netdrivers/nl.h"

#include <errno.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/sync.h"
#include "netdrivers/netns.h"

/* What libmnl recommends for dumps; the kernel fills at most this much per datagram. */
#define RECV_BYTES 32768
/* A table that changes faster than it can be read this often is taken as last seen. */
#define DUMP_ATTEMPTS 10

struct open_request {
    int bus;
    int fd;
};

static int open_socket(void *arg, struct err *e)
{
    struct open_request *r = arg;
    struct sockaddr_nl self = {.nl_family = AF_NETLINK};
    int on = 1;
    cleanup_fd int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, r->bus);

    if (fd < 0)
        return err_os(e, errno, "open netlink socket");
    /* Both only improve messages and checks; old kernels do without. */
    (void)setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
    (void)setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *)&self, sizeof(self)) < 0)
        return err_os(e, errno, "bind netlink socket");
    r->fd = take_fd(fd);
    return 0;
}

int nl_open(struct nl *nl, int bus, const char *netns_path, struct err *e)
{
    struct open_request r = {.bus = bus, .fd = -1};

    *nl = NL_INIT;
    if (netns_path ? netns_call(netns_path, open_socket, &r, e) : open_socket(&r, e))
        return -1;
    nl->fd = r.fd;
    return 0;
}

/* As many as there are threads that change rules at once, in practice. */
#define SHELF_MAX 8

static struct mutex shelf_lock = MUTEX_INIT;
static struct nl shelf[SHELF_MAX] GUARDED_BY(shelf_lock);
static size_t n_shelf GUARDED_BY(shelf_lock);

int nl_open_shared(struct nl *nl, struct err *e)
{
    bool found = false;

    mutex_lock(&shelf_lock);
    if (n_shelf) {
        *nl = shelf[--n_shelf];
        found = true;
    }
    mutex_unlock(&shelf_lock);
    if (!found && nl_open(nl, NETLINK_NETFILTER, NULL, e))
        return -1;
    nl->keep = true;
    return 0;
}

static bool put_on_shelf(const struct nl *nl)
{
    bool done = false;

    mutex_lock(&shelf_lock);
    if (n_shelf < SHELF_MAX) {
        shelf[n_shelf++] = *nl;
        done = true;
    }
    mutex_unlock(&shelf_lock);
    return done;
}

void nl_close(struct nl *nl)
{
    if (nl->fd >= 0 && !(nl->keep && put_on_shelf(nl)))
        fd_close(nl->fd);
    *nl = NL_INIT;
}

void *nl_msg_start(struct nl_msg *m, unsigned type, unsigned flags, size_t extra)
{
    memset(m, 0, sizeof(*m));
    mnl_nlmsg_put_header(m->bytes);
    m->h.nlmsg_type = (uint16_t)type;
    m->h.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
    return mnl_nlmsg_put_extra_header(&m->h, extra);
}

int nl_send(struct nl *nl, const void *bytes, size_t n, struct err *e)
{
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    ssize_t r;

    do
        r = sendto(nl->fd, bytes, n, 0, (struct sockaddr *)&kernel, sizeof(kernel));
    while (r < 0 && errno == EINTR);
    if (r < 0)
        return err_os(e, errno, "netlink: send");
    return 0;
}

int nl_make_room(struct nl *nl, size_t n, struct err *e)
{
    int have = 0, want = (int)n * 2 + 4096;
    socklen_t len = sizeof(have);

    if (getsockopt(nl->fd, SOL_SOCKET, SO_SNDBUF, &have, &len) == 0 && have / 2 > (int)n)
        return 0;
    if (setsockopt(nl->fd, SOL_SOCKET, SO_SNDBUFFORCE, &want, sizeof(want)) < 0)
        return err_os(e, errno, "netlink: make room for %zu bytes", n);
    return 0;
}

/* -1 with EAGAIN in errno: nothing there.  Datagrams of other processes are dropped. */
static ssize_t receive(struct nl *nl, char *into, int flags)
{
    for (;;) {
        struct sockaddr_nl from = {0};
        socklen_t len = sizeof(from);
        ssize_t n = recvfrom(nl->fd, into, RECV_BYTES, flags, (struct sockaddr *)&from, &len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n >= 0 && from.nl_pid != 0)
            continue;
        return n;
    }
}

static int exchange(struct nl *nl, struct nl_msg *m, nl_reply_fn fn, void *arg, bool *torn,
                    struct err *e)
{
    cleanup_free char *in = NULL;
    enum nl_outcome outcome;
    size_t acks = 0;

    m->h.nlmsg_seq = ++nl->seq;
    if ((m->h.nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP)
        m->h.nlmsg_flags |= NLM_F_ACK;
    if (nl_send(nl, m->bytes, m->h.nlmsg_len, e))
        return -1;
    in = xmalloc(RECV_BYTES);
    do {
        ssize_t n = receive(nl, in, 0);

        if (n < 0) {
            nl->keep = false;
            return err_os(e, errno, "netlink: receive");
        }
        if (n >= (ssize_t)sizeof(struct nlmsghdr) &&
            ((const struct nlmsghdr *)(const void *)in)->nlmsg_flags & NLM_F_DUMP_INTR)
            *torn = true;
        outcome = nl_parse(in, (size_t)n, nl->seq, fn, arg, &acks, e);
    } while (outcome == NL_MORE);
    if (outcome == NL_DONE)
        return 0;
    nl->keep = false;
    return -1;
}

int nl_request(struct nl *nl, struct nl_msg *m, nl_reply_fn fn, void *arg, struct err *e)
{
    return exchange(nl, m, fn, arg, &(bool){false}, e);
}

int nl_dump(struct nl *nl, struct nl_msg *m, nl_reply_fn fn, void *arg, struct err *e)
{
    bool torn;

    m->h.nlmsg_flags |= NLM_F_DUMP;
    for (int i = 0; i < DUMP_ATTEMPTS; i++) {
        torn = false;
        if (fn(NULL, arg, e) || exchange(nl, m, fn, arg, &torn, e))
            return -1;
        if (!torn)
            break;
    }
    return 0;
}

/* mnl_nlmsg_ok() takes a length above INT_MAX for a negative one, and so for a fitting one. */
static bool is_whole(const struct nlmsghdr *h, int left)
{
    return left >= (int)sizeof(*h) && h->nlmsg_len >= sizeof(*h) && h->nlmsg_len <= (unsigned)left;
}

int nl_collect(struct nl *nl, size_t *acks, struct err *e)
{
    cleanup_free char *in = xmalloc(RECV_BYTES);
    bool failed = false;

    *acks = 0;
    for (;;) {
        ssize_t n = receive(nl, in, MSG_DONTWAIT);

        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return failed ? -1 : 0;
        if (n < 0) {
            nl->keep = false;
            return err_os(e, errno, "netlink: receive");
        }
        /* A batch answers once per message: the first refusal is the cause, the rest are echoes. */
        const char *at = in;
        int left = (int)n;
        while (is_whole((const struct nlmsghdr *)at, left)) {
            const struct nlmsghdr *h = (const struct nlmsghdr *)at;

            if (nl_parse(h, h->nlmsg_len, 0, NULL, NULL, acks, failed ? ERR_IGNORE : e) ==
                NL_FAILED)
                failed = true;
            at = (const char *)mnl_nlmsg_next(h, &left);
        }
    }
}

/* The kernel's own words, which follow the echoed request. */
static void explain(const struct nlmsghdr *h, const struct nlmsgerr *err, char *out, size_t size)
{
    size_t skip = sizeof(*err);
    const struct nlattr *a;

    out[0] = '\0';
    if (!(h->nlmsg_flags & NLM_F_ACK_TLVS))
        return;
    if (!(h->nlmsg_flags & NLM_F_CAPPED)) {
        if (err->msg.nlmsg_len < sizeof(err->msg) || err->msg.nlmsg_len > h->nlmsg_len)
            return;
        skip += err->msg.nlmsg_len - sizeof(err->msg);
    }
    if (MNL_ALIGN(skip) >= mnl_nlmsg_get_payload_len(h))
        return;
    NL_FOREACH(a, h, skip)
    {
        if (mnl_attr_get_type(a) == NLMSGERR_ATTR_MSG)
            (void)nl_attr_text(a, out, size);
    }
}

static enum nl_outcome refuse(int error, const char *why, struct err *e)
{
    /* The kernel sends -errno; anything else is not a number strerror should see. */
    int code = error < 0 && error > -4096 ? -error : EPROTO;

    if (why[0])
        err_os(e, code, "netlink (%s)", why);
    else
        err_os(e, code, "netlink");
    return NL_FAILED;
}

/* The end of a dump carries a number, negative when the dump failed midway. */
static enum nl_outcome dump_end(const struct nlmsghdr *h, struct err *e)
{
    int error = 0;

    if (mnl_nlmsg_get_payload_len(h) >= sizeof(error))
        memcpy(&error, mnl_nlmsg_get_payload(h), sizeof(error));
    return error < 0 ? refuse(error, "", e) : NL_DONE;
}

static enum nl_outcome answer(const struct nlmsghdr *h, size_t *acks, struct err *e)
{
    const struct nlmsgerr *err = mnl_nlmsg_get_payload(h);
    char why[160];

    if (mnl_nlmsg_get_payload_len(h) < sizeof(*err)) {
        err_set(e, ERR_IO, "netlink: answer of %u bytes is too short", h->nlmsg_len);
        return NL_FAILED;
    }
    if (err->error == 0) {
        (*acks)++;
        return NL_DONE;
    }
    explain(h, err, why, sizeof(why));
    return refuse(err->error, why, e);
}

enum nl_outcome nl_parse(const void *bytes, size_t n, uint32_t seq, nl_reply_fn fn, void *arg,
                         size_t *acks, struct err *e)
{
    const struct nlmsghdr *h = bytes;
    int left = n > INT32_MAX ? INT32_MAX : (int)n;

    for (; is_whole(h, left); h = mnl_nlmsg_next(h, &left)) {
        if (seq && h->nlmsg_seq != seq)
            continue;
        switch (h->nlmsg_type) {
        case NLMSG_NOOP:
            break;
        case NLMSG_OVERRUN:
            err_set(e, ERR_IO, "netlink: the kernel lost messages");
            return NL_FAILED;
        case NLMSG_ERROR:
            return answer(h, acks, e);
        case NLMSG_DONE:
            return dump_end(h, e);
        default:
            if (fn && fn(h, arg, e))
                return NL_FAILED;
        }
    }
    return NL_MORE;
}

bool nl_attr_fixed(const struct nlattr *a, void *out, size_t size)
{
    if (mnl_attr_get_payload_len(a) != size)
        return false;
    memcpy(out, mnl_attr_get_payload(a), size);
    return true;
}

bool nl_attr_text(const struct nlattr *a, char *out, size_t size)
{
    size_t n = strnlen(mnl_attr_get_payload(a), mnl_attr_get_payload_len(a));

    out[0] = '\0';
    if (n >= size)
        return false;
    memcpy(out, mnl_attr_get_payload(a), n);
    out[n] = '\0';
    return true;
}
