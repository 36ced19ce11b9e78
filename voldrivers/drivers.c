/* The table of built-in volume drivers. */
#include "voldrivers/drivers.h"

#include "base/str.h"

static const struct vol_driver_ops *const drivers[] = {
    &vol_driver_local,
};

const struct vol_driver_ops *vol_driver_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(drivers); i++)
        if (str_eq(drivers[i]->name, name))
            return drivers[i];
    return NULL;
}
