/* The table of built-in network drivers. */
#include "netdrivers/drivers.h"

#include "base/str.h"

static const struct net_driver_ops *const drivers[] = {
    &net_driver_bridge,
    &net_driver_host,
    &net_driver_none,
};

const struct net_driver_ops *net_driver_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(drivers); i++)
        if (str_eq(drivers[i]->name, name))
            return drivers[i];
    return NULL;
}
