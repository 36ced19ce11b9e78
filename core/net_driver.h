/*
 * net_driver: what netdrivers/ implements and the reconciler calls.
 *
 * A driver owns no state.  What a network should look like comes in as an argument; what it does
 * look like is read from the kernel on every call.  Hence the two rules that every driver obeys and
 * tests/unit/netdrivers checks for each of them:
 *
 *   - ensure_*() may be called any number of times; the second call changes nothing.
 *   - remove_*() succeeds when the thing is already gone.
 *
 * `struct net_env` names this agent among others on the host: bridges, the nft table and namespaces
 * carry its prefix, and nothing without that prefix is ever touched.
 */
#pragma once

#include "base/compiler.h"
#include "base/err.h"
#include "core/container.h"
#include "core/network.h"

struct net_env {
    const char *instance;       /* "ballast"; the nft table is called so */
    const char *default_bridge; /* "ballast0" */
    const char *exec_root;      /* namespaces are pinned at <exec_root>/netns/<container id> */
    bool ip_forward, ip_masq, icc;
    int64_t mtu; /* 0: 1500 */
};

/* One container's place on one network. */
struct net_endpoint {
    const char *container_id;
    const char *netns_path;
    const struct endpoint *ep;    /* addresses, MAC, name inside */
    const char *sysctls;          /* "net.ipv4.conf.IFNAME.x=1,..." of the interface; NULL: none */
    bool default_route;           /* this endpoint's gateway is the container's */
    const struct port_map *ports; /* to publish through this endpoint */
    size_t n_ports;
};

struct net_driver_ops {
    const char *name; /* the value of `docker network create --driver` */
    bool needs_address;

    /* Options it knows, and their values; unknown ones are ERR_INVALID naming the option. */
    int (*check)(const struct network *net, struct err *e);
    int (*ensure_network)(const struct net_env *env, const struct network *net, struct err *e);
    int (*remove_network)(const struct net_env *env, const struct network *net, struct err *e);
    int (*ensure_endpoint)(const struct net_env *env, const struct network *net,
                           const struct net_endpoint *ep, struct err *e);
    int (*remove_endpoint)(const struct net_env *env, const struct network *net,
                           const struct net_endpoint *ep, struct err *e);
};

/* NULL when no driver of that name is built in. */
const struct net_driver_ops *net_driver_find(const char *name);

/* A network namespace with lo up, pinned at path; and its end. */
int net_sandbox_ensure(const char *path, struct err *e) MUST_USE;
int net_sandbox_remove(const char *path, struct err *e) MUST_USE;
/* Until the interface of a removed endpoint is really gone: where its namespace stays. */
void net_endpoint_wait_gone(const char *ipv4);

/*
 * IPAM, pure but for the look at live routes.  Subnets in `taken` (of known networks) are avoided;
 * so are subnets that overlap a live route or address when `against_host`.
 */
struct net_pool_base {
    const char *base; /* "172.17.0.0/16" */
    int size;         /* prefix length of one network */
};
int ipam_choose_pool(const struct net_pool_base *bases, size_t n_bases, const struct strv *taken,
                     bool against_host, char **subnet, struct err *e) MUST_USE;
/* Fills what is missing in pool (gateway: first address) and checks what is there, in Docker's
 * words. */
int ipam_check_pool(struct ipam_pool *pool, struct err *e) MUST_USE;
/* "invalid pool request: Pool overlaps ..." when it overlaps with one of `taken`. */
int ipam_check_overlap(const char *subnet, const struct strv *taken, struct err *e) MUST_USE;
/* The lowest free address, or `want` if given and free.  used: addresses without prefix length. */
int ipam_allocate(const struct ipam_pool *pool, const struct strv *used, const char *want,
                  char **addr, struct err *e) MUST_USE;
int64_t ipam_prefix_len(const char *subnet);
/* Docker's MAC of an IPv4 address: 02:42:... is no longer used since 28; a stable one from the id.
 */
void net_mac_for(const char *ipv4, const char *endpoint_id, char out[18]);

/*
 * Chooses host ports for the bindings and reserves them in this process.  Conflicts with another
 * reservation or a listening socket are ERR_CONFLICT in Docker's words ("Bind for 0.0.0.0:80
 * failed: port is already allocated").  Reserving again for the same owner gives the same ports.
 */
int net_ports_reserve(const char *owner, const struct port_binding *want, size_t n,
                      struct port_map **out, size_t *n_out, struct err *e) MUST_USE;
/* Re-adoption: these are taken by owner. */
void net_ports_adopt(const char *owner, const struct port_map *ports, size_t n);
void net_ports_release(const char *owner);

/* Removes what carries our prefix and belongs to none of the given containers and networks. */
int net_sweep(const struct net_env *env, const struct strv *container_ids,
              const struct strv *network_ids, struct strv *removed, struct err *e) MUST_USE;
/* Nothing of ours is left in the kernel: for taking the engine off a machine. */
int net_erase(const struct net_env *env, struct err *e) MUST_USE;
/* "feature\tstate\twhat is off" lines */
void net_doctor(struct strv *lines);
