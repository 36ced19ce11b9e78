/* announce: a gratuitous ARP in a container's name. */
#pragma once

#include <stdint.h>

#include "netdrivers/rtnl.h"

/*
 * Tells everybody on the bridge that `addr` is at `mac` now (RFC 5227, ARP announcement).  A new
 * container often gets the address of one that just went, whose MAC its neighbours still remember;
 * without this they talk into the void until their entries expire.
 */
int announce_address(int bridge_index, uint32_t addr, const uint8_t mac[MAC_LEN],
                     struct err *e) MUST_USE;
