/* ipv4: addresses and subnets as numbers in host order, and back. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define IPV4_TEXT_MAX 20 /* "255.255.255.255/32" */

struct ipv4_net {
    uint32_t addr;
    int prefix;
};

bool ipv4_parse(const char *s, uint32_t *out);
/* "10.1.2.3/24"; host bits are kept. */
bool ipv4_net_parse(const char *s, struct ipv4_net *out);
void ipv4_format(uint32_t addr, char out[IPV4_TEXT_MAX]);
void ipv4_net_format(const struct ipv4_net *net, char out[IPV4_TEXT_MAX]);

static inline uint32_t ipv4_mask(int prefix)
{
    return prefix <= 0 ? 0 : ~(uint32_t)0 << (32 - prefix);
}
static inline uint32_t ipv4_first(const struct ipv4_net *n)
{
    return n->addr & ipv4_mask(n->prefix);
}
static inline uint32_t ipv4_last(const struct ipv4_net *n)
{
    return n->addr | ~ipv4_mask(n->prefix);
}
static inline bool ipv4_contains(const struct ipv4_net *n, uint32_t addr)
{
    return (addr & ipv4_mask(n->prefix)) == ipv4_first(n);
}
static inline bool ipv4_overlap(const struct ipv4_net *a, const struct ipv4_net *b)
{
    return ipv4_first(a) <= ipv4_last(b) && ipv4_first(b) <= ipv4_last(a);
}
