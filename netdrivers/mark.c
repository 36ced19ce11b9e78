/* mark: see mark.h. */
#include "netdrivers/mark.h"

#include "base/str.h"

#define PROGRAM "ballast:"
#define NETWORK "network:"

void mark_network(const char *instance, const char *network_id, char out[RTNL_ALIAS_MAX])
{
    snprintf(out, RTNL_ALIAS_MAX, PROGRAM "%.64s:" NETWORK "%.64s", instance, network_id);
}

void mark_container(const char *instance, const char *container_id, char out[RTNL_ALIAS_MAX])
{
    snprintf(out, RTNL_ALIAS_MAX, PROGRAM "%.64s:%.64s", instance, container_id);
}

enum mark_kind mark_read(const char *instance, const char *alias, const char **id)
{
    size_t n = strlen(instance);

    if (!str_starts(alias, PROGRAM))
        return MARK_NONE;
    alias += strlen(PROGRAM);
    if (strncmp(alias, instance, n) != 0 || alias[n] != ':')
        return MARK_NONE;
    alias += n + 1;
    if (!str_starts(alias, NETWORK)) {
        *id = alias;
        return MARK_CONTAINER;
    }
    *id = alias + strlen(NETWORK);
    return MARK_NETWORK;
}
