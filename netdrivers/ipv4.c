/* ipv4: see ipv4.h. */
#include "netdrivers/ipv4.h"

#include <arpa/inet.h>

#include "base/str.h"

bool ipv4_parse(const char *s, uint32_t *out)
{
    struct in_addr a;

    if (!s || inet_pton(AF_INET, s, &a) != 1)
        return false;
    *out = ntohl(a.s_addr);
    return true;
}

bool ipv4_net_parse(const char *s, struct ipv4_net *out)
{
    char addr[IPV4_TEXT_MAX];
    const char *slash = s ? strchr(s, '/') : NULL;
    int prefix = 0;

    if (!slash || (size_t)(slash - s) >= sizeof(addr))
        return false;
    memcpy(addr, s, (size_t)(slash - s));
    addr[slash - s] = '\0';
    for (const char *p = slash + 1; *p; p++) {
        if (*p < '0' || *p > '9' || p - slash > 2)
            return false;
        prefix = prefix * 10 + (*p - '0');
    }
    if (!slash[1] || prefix > 32 || !ipv4_parse(addr, &out->addr))
        return false;
    out->prefix = prefix;
    return true;
}

void ipv4_format(uint32_t addr, char out[IPV4_TEXT_MAX])
{
    snprintf(out, IPV4_TEXT_MAX, "%u.%u.%u.%u", addr >> 24, addr >> 16 & 255, addr >> 8 & 255,
             addr & 255);
}

void ipv4_net_format(const struct ipv4_net *net, char out[IPV4_TEXT_MAX])
{
    char addr[IPV4_TEXT_MAX];

    ipv4_format(net->addr, addr);
    snprintf(out, IPV4_TEXT_MAX, "%.15s/%d", addr, net->prefix & 63);
}
