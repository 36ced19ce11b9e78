/* container_settle: what moby makes of a create body before it stores it: fields that follow from
 * others. */
#include "core/core_internal.h"

/* The network "default" of a client is "bridge", as mode and as a key of EndpointsConfig. */
static void settle_network(struct container_spec *s)
{
    struct endpoint_config *of_mode = NULL;

    if (str_empty(s->network_mode) || str_eq(s->network_mode, "default"))
        str_set(&s->network_mode, "bridge");
    for (size_t i = 0; i < s->n_endpoints; i++) {
        struct endpoint_config *ec = &s->endpoints[i];

        if (str_eq(ec->network, "default"))
            str_set(&ec->network, "bridge");
        if (str_eq(ec->network, s->network_mode))
            of_mode = ec;
    }
    if (str_empty(s->mac_address) || s->network_disabled || str_eq(s->network_mode, "host") ||
        str_eq(s->network_mode, "none") || str_starts(s->network_mode, "container:"))
        return;
    /* The container-wide address is the one on the network of NetworkMode (API 1.44). */
    if (!of_mode) {
        of_mode = ARRAY_ADD(s->endpoints, s->n_endpoints);
        endpoint_config_copy(of_mode, &(struct endpoint_config){.network = s->network_mode});
    }
    if (str_empty(of_mode->mac))
        str_set(&of_mode->mac, s->mac_address);
}

/* What moby's daemon fills in from other fields. */
static void settle_host(struct container_spec *s)
{
    bool labelled = false;

    if (s->memory > 0 && s->memory_swap == 0)
        s->memory_swap = s->memory > INT64_MAX / 2 ? -1 : s->memory * 2;
    if (s->pids_limit < 0)
        s->pids_limit = 0;
    for (size_t i = 0; i < s->security_opt.n; i++)
        labelled = labelled || str_starts(s->security_opt.v[i], "label");
    if (!labelled && (s->privileged || str_eq(s->ipc_mode, "host") || str_eq(s->pid_mode, "host")))
        strv_add(&s->security_opt, "label=disable");
}

void container_spec_settle(struct container_spec *s)
{
    settle_network(s);
    settle_host(s);
}
