/* announce: see announce.h.  Sent by the host from the bridge itself, which floods it to all ports.
 */
#include "netdrivers/announce.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if_arp.h>
#include <netinet/if_ether.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "base/fs.h"

/*
 * One socket for the life of the process: closing one waits for an RCU grace period, milliseconds
 * that a container's start would pay.  It is bound to nothing and receives nothing.
 */
static int packet_socket(struct err *e)
{
    static _Atomic int shared = -1;
    int none = -1, fd = shared;

    if (fd >= 0)
        return fd;
    fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_os(e, errno, "open packet socket");
    if (atomic_compare_exchange_strong(&shared, &none, fd))
        return fd;
    fd_close(fd); /* another thread was first */
    return none;
}

int announce_address(int bridge_index, uint32_t addr, const uint8_t mac[MAC_LEN], struct err *e)
{
    struct sockaddr_ll to = {
        .sll_family = AF_PACKET,
        .sll_protocol = htons(ETH_P_ARP),
        .sll_ifindex = bridge_index,
        .sll_halen = MAC_LEN,
        .sll_addr = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
    };
    struct ether_arp arp = {
        .ea_hdr = {.ar_hrd = htons(ARPHRD_ETHER),
                   .ar_pro = htons(ETHERTYPE_IP),
                   .ar_hln = MAC_LEN,
                   .ar_pln = sizeof(addr),
                   .ar_op = htons(ARPOP_REQUEST)},
    };
    uint32_t wire = htonl(addr);
    int fd = packet_socket(e);

    if (fd < 0)
        return -1;
    memcpy(arp.arp_sha, mac, MAC_LEN);
    memcpy(arp.arp_spa, &wire, sizeof(wire));
    memcpy(arp.arp_tpa, &wire, sizeof(wire));
    if (sendto(fd, &arp, sizeof(arp), MSG_DONTWAIT, (struct sockaddr *)&to, sizeof(to)) < 0)
        return err_os(e, errno, "announce address");
    return 0;
}
