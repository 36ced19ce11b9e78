/*
 * The drivers "host" and "null".
 *
 * On the network "host" a container has no namespace of its own; on the network "none" (whose
 * driver Docker calls "null") it has one with a loopback interface, which net_sandbox_ensure()
 * makes. Either way there is nothing to build, nothing to join and nothing to take down; what can
 * be wrong is a request for something such a network cannot give.
 */
#include "base/str.h"
#include "netdrivers/drivers.h"

static int check(const struct network *net, struct err *e)
{
    if (net->options.n)
        return err_set(e, ERR_INVALID, "unknown option \"%s\" for a network with driver %s",
                       net->options.v[0].k, net->driver);
    return 0;
}

static int nothing_to_build(const struct net_env *env, const struct network *net, struct err *e)
{
    (void)env;
    (void)net;
    (void)e;
    return 0;
}

/* Published ports of a container on "host" are discarded, with a warning where they are asked for.
 */
static int nothing_to_join(const struct net_env *env, const struct network *net,
                           const struct net_endpoint *ep, struct err *e)
{
    (void)ep;
    return nothing_to_build(env, net, e);
}

const struct net_driver_ops net_driver_host = {
    .name = "host",
    .check = check,
    .ensure_network = nothing_to_build,
    .remove_network = nothing_to_build,
    .ensure_endpoint = nothing_to_join,
    .remove_endpoint = nothing_to_join,
};

const struct net_driver_ops net_driver_none = {
    .name = "null",
    .check = check,
    .ensure_network = nothing_to_build,
    .remove_network = nothing_to_build,
    .ensure_endpoint = nothing_to_join,
    .remove_endpoint = nothing_to_join,
};
