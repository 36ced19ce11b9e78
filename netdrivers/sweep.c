/*
 * sweep: what a crash, a lost database or a deleted container left behind.
 *
 * Found by our mark alone: interfaces by alias, firewall elements by comment, namespaces by lying
 * in our directory.  What carries the mark and belongs to nobody who is listed goes; everything
 * else on the host is none of our business.
 */
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/net_driver.h"
#include "netdrivers/firewall.h"
#include "netdrivers/mark.h"

static bool is_stale(const char *instance, const struct rtnl_link *link,
                     const struct strv *container_ids, const struct strv *network_ids)
{
    const char *id = NULL;

    switch (mark_read(instance, link->alias, &id)) {
    case MARK_CONTAINER:
        return !strv_has(container_ids, id);
    case MARK_NETWORK:
        return !strv_has(network_ids, id);
    case MARK_NONE:
        break;
    }
    return false;
}

static int sweep_links(const struct net_env *env, const struct strv *container_ids,
                       const struct strv *network_ids, struct strv *removed, struct err *e)
{
    cleanup_nl struct nl nl = NL_INIT;
    struct rtnl_links links;
    int r = 0;

    if (nl_open(&nl, NETLINK_ROUTE, NULL, e) || rtnl_links(&nl, &links, e))
        return -1;
    for (size_t i = 0; r == 0 && i < links.n; i++) {
        if (!is_stale(env->instance, &links.v[i], container_ids, network_ids))
            continue;
        r = rtnl_link_del(&nl, links.v[i].index, e);
        if (r == 0)
            strv_addf(removed, "interface %s", links.v[i].name);
    }
    rtnl_links_release(&links);
    return r;
}

static int sweep_sandboxes(const struct net_env *env, const struct strv *container_ids,
                           struct strv *removed, struct err *e)
{
    cleanup_free char *dir = path_join(env->exec_root, "netns");
    cleanup_strv struct strv names = {0};

    if (!fs_is_dir(dir))
        return 0;
    if (fs_list(dir, &names, e))
        return -1;
    for (size_t i = 0; i < names.n; i++) {
        cleanup_free char *path = path_join(dir, names.v[i]);

        if (strv_has(container_ids, names.v[i]))
            continue;
        if (net_sandbox_remove(path, e))
            return -1;
        strv_addf(removed, "network namespace %s", names.v[i]);
    }
    return 0;
}

int net_sweep(const struct net_env *env, const struct strv *container_ids,
              const struct strv *network_ids, struct strv *removed, struct err *e)
{
    /* Elements first: no packet may be sent to an address that somebody else gets next. */
    if (firewall_sweep(env, container_ids, network_ids, removed, e) ||
        sweep_links(env, container_ids, network_ids, removed, e) ||
        sweep_sandboxes(env, container_ids, removed, e))
        return err_wrap(e, "sweep networks");
    return 0;
}

int net_erase(const struct net_env *env, struct err *e)
{
    struct strv none = {0};
    cleanup_strv struct strv removed = {0};

    return net_sweep(env, &none, &none, &removed, e) || firewall_remove(env, e) ? -1 : 0;
}
