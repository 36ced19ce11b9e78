/*
 * nl: a netlink socket, requests and their replies.
 *
 * A socket stays in the network namespace it was made in, whoever uses it afterwards.  So to work
 * inside a container's namespace, a short-lived helper thread enters it, opens the socket, hands
 * the descriptor over and ends; the agent neither forks nor moves its own threads.
 *
 * Everything read from the kernel goes through nl_parse(), which is a pure function of bytes and
 * therefore what tests/fuzz/fuzz_netlink.c feeds.
 */
#pragma once

#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"

struct nl {
    int fd;
    uint32_t seq;
    bool keep; /* goes back to the shelf, see nl_open_shared() */
};

#define NL_INIT ((struct nl){.fd = -1})

/* bus: NETLINK_ROUTE, NETLINK_NETFILTER.  netns_path: NULL for the namespace of the caller. */
int nl_open(struct nl *nl, int bus, const char *netns_path, struct err *e) MUST_USE;
/*
 * A socket for nftables in our own namespace, from a shelf of open ones.  Closing one waits for the
 * kernel to finish freeing what was deleted through anybody's (milliseconds, an RCU grace period),
 * so they are kept.  One that saw an error is not: replies might still be under way.
 */
int nl_open_shared(struct nl *nl, struct err *e) MUST_USE;
void nl_close(struct nl *nl);
#define cleanup_nl CLEANUP(nl_close)

/* A request under construction; every request of ours fits. */
struct nl_msg {
    union {
        struct nlmsghdr h;
        char bytes[2048];
    };
};
/* Starts a request of `type`, with room for its `extra` header of that size, which is returned. */
void *nl_msg_start(struct nl_msg *m, unsigned type, unsigned flags, size_t extra);

/* Called for each message of a reply that is neither the acknowledgement nor an error.  Returns -1
 * with *e filled to stop. */
typedef int (*nl_reply_fn)(const struct nlmsghdr *h, void *arg, struct err *e);

/*
 * Sends and waits for the acknowledgement (or the end of a dump).  The kernel's refusal is ERR_IO
 * with os_code set, its own explanation in the message where it gives one.  fn may be NULL.
 */
int nl_request(struct nl *nl, struct nl_msg *m, nl_reply_fn fn, void *arg, struct err *e) MUST_USE;
/*
 * A dump.  fn(NULL, arg, e) is called before each attempt, so that what an interrupted one gathered
 * is dropped: the kernel says when its table changed under the dump, and then it is taken again.
 */
int nl_dump(struct nl *nl, struct nl_msg *m, nl_reply_fn fn, void *arg, struct err *e) MUST_USE;
/* Sends bytes as they are; for nfnetlink's batches, whose replies nl_collect() reads. */
int nl_send(struct nl *nl, const void *bytes, size_t n, struct err *e) MUST_USE;
/* Lets a datagram of n bytes be sent. */
int nl_make_room(struct nl *nl, size_t n, struct err *e) MUST_USE;
/* Reads what has arrived without waiting, until nothing is left; *acks counts acknowledgements and
 * the first refusal is the error. */
int nl_collect(struct nl *nl, size_t *acks, struct err *e) MUST_USE;

enum nl_outcome { NL_MORE, NL_DONE, NL_FAILED };
/* One datagram.  seq 0: of any request. */
enum nl_outcome nl_parse(const void *bytes, size_t n, uint32_t seq, nl_reply_fn fn, void *arg,
                         size_t *acks, struct err *e);

/*
 * The attributes of a message, after a header of `extra` bytes.  mnl_attr_for_each() rounds the end
 * of the message up and so may read past it.
 */
static inline bool nl_attr_ok(const struct nlattr *a, const struct nlmsghdr *h)
{
    return mnl_attr_ok(a, (int)((const char *)h + h->nlmsg_len - (const char *)a));
}
#define NL_FOREACH(a, h, extra)                                                  \
    for ((a) = mnl_nlmsg_get_payload_offset((h), (extra)); nl_attr_ok((a), (h)); \
         (a) = mnl_attr_next(a))

/* An attribute's payload, when it has exactly (nl_attr_fixed) or at most (nl_attr_text) that size.
 */
bool nl_attr_fixed(const struct nlattr *a, void *out, size_t size);
bool nl_attr_text(const struct nlattr *a, char *out, size_t size);
