/* bridge_internal: what bridge.c (networks) and bridge_endpoint.c (containers on them) share. */
#pragma once

#include "core/net_driver.h"
#include "netdrivers/bridge_options.h"
#include "netdrivers/rtnl.h"

int bridge_network_ensure(const struct net_env *env, const struct network *net, struct err *e);
int bridge_endpoint_ensure(const struct net_env *env, const struct network *net,
                           const struct net_endpoint *ep, struct err *e);
int bridge_endpoint_remove(const struct net_env *env, const struct network *net,
                           const struct net_endpoint *ep, struct err *e);
/* This network's elements in the firewall. */
int bridge_firewall(const struct net_env *env, const struct network *net,
                    const struct bridge_options *o, struct err *e);
