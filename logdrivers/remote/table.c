/* table: the drivers behind remote_find(). */
#include "logdrivers/remote/remote.h"

static const struct remote_ops *const drivers[] = {
    &remote_awslogs,  &remote_fluentd, &remote_gelf,
    &remote_journald, &remote_splunk,  &remote_syslog,
};

const struct remote_ops *remote_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(drivers); i++)
        if (str_eq(drivers[i]->name, name))
            return drivers[i];
    return NULL;
}
