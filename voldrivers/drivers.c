/* drivers: which driver a name means: the one that is built in, else a plugin. */
#include "voldrivers/drivers.h"

#include "base/str.h"
#include "voldrivers/plugin_internal.h"

const struct vol_driver_ops *vol_driver_find(const struct vol_env *env, const char *name,
                                             bool patient, struct err *e)
{
    if (str_eq(name, "local"))
        return &vol_driver_local;
    if (plugin_activate(env, name, patient, e)) {
        err_wrap(e, "error looking up volume plugin %s", name);
        return NULL;
    }
    return &vol_driver_plugin;
}

bool vol_driver_mounts(const struct vol_driver_ops *d, const struct volume *v)
{
    return d->remote || v->options.n > 0;
}
