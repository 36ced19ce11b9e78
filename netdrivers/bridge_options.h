/* bridge_options: the `--opt` values of a bridge network, read and checked in one place. */
#pragma once

#include <net/if.h>
#include <stdbool.h>

#include "core/net_driver.h"

struct bridge_options {
    char name[IFNAMSIZ]; /* of the bridge device */
    bool own_name;       /* derived from the network's id, so nobody else's */
    bool icc, masquerade, inhibit_ipv4;
    int mtu;
};

/* env NULL: only check, with an agent's defaults. */
int bridge_options_read(const struct net_env *env, const struct network *net,
                        struct bridge_options *out, struct err *e) MUST_USE;
