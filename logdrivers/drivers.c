/* drivers: the table behind log_driver_find(), and the options all drivers have in common. */
#include "base/str.h"
#include "logdrivers/logdrivers.h"

static const struct log_driver_ops *const drivers[] = {
    &log_driver_json_file,
    &log_driver_none,
};

const struct log_driver_ops *log_driver_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(drivers); i++)
        if (str_eq(drivers[i]->name, name))
            return drivers[i];
    return NULL;
}

/* mode and max-buffer-size: a driver that writes to a local file never makes the container wait
 * for a peer, so the two modes are the same here. */
static int check_common(const struct kvs *opts, struct err *e)
{
    const char *mode = kvs_get(opts, "mode"), *size = kvs_get(opts, "max-buffer-size");
    int64_t bytes;

    if (!str_empty(mode) && !str_eq(mode, "blocking") && !str_eq(mode, "non-blocking"))
        return err_set(e, ERR_INVALID, "logger: logging mode not supported: %s", mode);
    if (!size)
        return 0;
    if (!str_eq(mode, "non-blocking"))
        return err_set(e, ERR_INVALID,
                       "logger: max-buffer-size option is only supported with 'mode=non-blocking'");
    if (parse_size(size, "max-buffer-size", &bytes, e))
        return err_wrap(e, "error parsing option max-buffer-size");
    return 0;
}

int log_opts_check(const struct kvs *opts, const char *driver, const char *const *known, size_t n,
                   struct err *e)
{
    for (size_t i = 0; i < opts->n; i++) {
        const char *key = opts->v[i].k;
        bool found = str_eq(key, "mode") || str_eq(key, "max-buffer-size");

        for (size_t k = 0; !found && k < n; k++)
            found = str_eq(key, known[k]);
        if (!found)
            return err_set(e, ERR_INVALID, "unknown log opt '%s' for %s log driver", key, driver);
    }
    return check_common(opts, e);
}
