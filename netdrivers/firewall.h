/*
 * firewall: our nftables table, `ip <instance>`, and what is in it for networks and ports.
 *
 * The rules are constant (README.md draws them).  What depends on networks and containers are
 * elements of sets and maps, so a packet costs the same with one container and with a thousand, and
 * a change touches one element.  No other table is ever changed: verdicts there still count, so the
 * host's own policy stays in force.
 *
 * Every call compares with what the kernel has and sends only the difference; a table that somebody
 * flushed is set up again.
 */
#pragma once

#include "base/compiler.h"
#include "base/err.h"
#include "core/net_driver.h"
#include "netdrivers/nftset.h"

/* *rebuilt (may be NULL): the table was not as it should be, elements may be missing. */
int firewall_ensure(const struct net_env *env, bool *rebuilt, struct err *e) MUST_USE;

struct firewall_network {
    const char *id, *bridge;
    bool masquerade; /* what leaves the host gets the host's address */
    bool icc;        /* containers of this network may talk to each other */
    bool internal;   /* nothing in, nothing out */
};
int firewall_network_set(const struct net_env *env, const struct firewall_network *n,
                         struct err *e) MUST_USE;
int firewall_network_clear(const struct net_env *env, const char *network_id,
                           struct err *e) MUST_USE;

/* Exactly these ports lead to that address for this container on this network. */
int firewall_ports_set(const struct net_env *env, const char *container_id, const char *network_id,
                       const char *address, const struct port_map *ports, size_t n,
                       struct err *e) MUST_USE;

/* Elements whose container or network is not listed go. */
int firewall_sweep(const struct net_env *env, const struct strv *container_ids,
                   const struct strv *network_ids, struct strv *removed, struct err *e) MUST_USE;

/* The table itself goes; success when there is none. */
int firewall_remove(const struct net_env *env, struct err *e) MUST_USE;
