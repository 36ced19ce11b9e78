/*
 * drivers: the table of storage drivers, best first, and the life of core/storage_driver.h's
 * struct.  A table row is all that a new driver needs here.
 */
#include "images/storage/drivers.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

static const struct storage_driver_ops *const drivers[] = {
    &storage_overlay2,
    &storage_vfs,
};

const struct storage_driver_ops *storage_driver_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(drivers); i++)
        if (str_eq(drivers[i]->name, name))
            return drivers[i];
    return NULL;
}

const struct storage_driver_ops *storage_driver_choose(const char *root, char **why)
{
    cleanup_buf struct buf text = BUF_INIT(4096);

    for (size_t i = 0; i < ARRAY_LEN(drivers); i++) {
        struct err e = ERR_INIT;

        if (!drivers[i]->usable(root, &e)) {
            *why = buf_take(&text);
            return drivers[i];
        }
        buf_addf(&text, "%s%s: %s", text.len ? "; " : "", drivers[i]->name, e.msg);
    }
    *why = buf_take(&text);
    return NULL;
}
