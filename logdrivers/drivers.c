/* drivers: the table behind log_driver_find(), and the options all drivers have in common. */
#include "base/str.h"
#include "logdrivers/logdrivers.h"
#include "logdrivers/remote_opts.h"

static const struct log_driver_ops *const drivers[] = {
    &log_driver_json_file, &log_driver_local,   &log_driver_none,
    &log_driver_awslogs,   &log_driver_fluentd, &log_driver_gelf,
    &log_driver_journald,  &log_driver_splunk,  &log_driver_syslog,
};

const struct log_driver_ops *log_driver_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(drivers); i++)
        if (str_eq(drivers[i]->name, name))
            return drivers[i];
    return NULL;
}

bool log_driver_readable(const struct log_driver_ops *d, const struct kvs *opts)
{
    return d && d->readable && (!d->remote || remote_has_cache(opts));
}

bool log_opt_is_common(const char *key)
{
    static const char *const common[] = {"mode",           "max-buffer-size", "cache-disabled",
                                         "cache-max-size", "cache-max-file",  "cache-compress"};

    for (size_t i = 0; i < ARRAY_LEN(common); i++)
        if (str_eq(key, common[i]))
            return true;
    return false;
}

static int check_cache(const struct kvs *opts, struct err *e)
{
    const char *disabled = kvs_get(opts, "cache-disabled");
    bool flag;

    return remote_parse_bool(disabled, &flag, ERR_IGNORE)
               ? err_set(e, ERR_INVALID, "invalid value for option cache-disabled: %s", disabled)
               : 0;
}

/* mode and max-buffer-size: a driver that writes to a local file never makes the container wait
 * for a peer, so the two modes are the same there. */
int log_opts_check_common(const struct kvs *opts, struct err *e)
{
    const char *mode = kvs_get(opts, "mode"), *size = kvs_get(opts, "max-buffer-size");
    int64_t bytes;

    if (!str_empty(mode) && !str_eq(mode, "blocking") && !str_eq(mode, "non-blocking"))
        return err_set(e, ERR_INVALID, "logger: logging mode not supported: %s", mode);
    if (!size)
        return check_cache(opts, e);
    if (!str_eq(mode, "non-blocking"))
        return err_set(e, ERR_INVALID,
                       "logger: max-buffer-size option is only supported with 'mode=non-blocking'");
    if (parse_size(size, "max-buffer-size", &bytes, ERR_IGNORE))
        return err_set(e, ERR_INVALID, "error parsing option max-buffer-size: invalid size: '%s'",
                       size);
    return check_cache(opts, e);
}

int log_opts_check(const struct kvs *opts, const char *driver, const char *const *known, size_t n,
                   struct err *e)
{
    if (log_opts_check_common(opts, e))
        return -1;
    for (size_t i = 0; i < opts->n; i++) {
        const char *key = opts->v[i].k;
        bool found = log_opt_is_common(key);

        for (size_t k = 0; !found && k < n; k++)
            found = str_eq(key, known[k]);
        if (!found)
            return err_set(e, ERR_INVALID, "unknown log opt '%s' for %s log driver", key, driver);
    }
    return 0;
}
