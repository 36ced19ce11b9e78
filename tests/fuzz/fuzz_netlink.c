/* What the kernel says over netlink: links, addresses, routes, set elements, errors. */
#include "netdrivers/nftset.h"
#include "netdrivers/nl.h"
#include "netdrivers/rtnl.h"
#include "tests/fuzz/fuzz.h"

static int take(const struct nlmsghdr *h, void *arg, struct err *e)
{
    struct nft_elems *elems = arg;
    struct rtnl_link link;
    struct rtnl_addr addr;
    struct rtnl_route route;

    (void)e;
    (void)rtnl_parse_link(h, &link);
    (void)rtnl_parse_addr(h, &addr);
    (void)rtnl_parse_route(h, &route);
    (void)nft_parse_elems(h, elems);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* As malloc'd memory is, the receive buffer is aligned for the headers in it. */
    uint8_t *copy;
    struct nft_elems elems = {0};
    struct err e = ERR_INIT;
    size_t acks = 0;

    if (size > 32768)
        return 0;
    copy = malloc(size ? size : 1);
    if (!copy)
        return 0;
    memcpy(copy, data, size);
    (void)nl_parse(copy, size, 0, take, &elems, &acks, &e);
    nft_elems_release(&elems);
    free(copy);
    return 0;
}
