/* container_state: what was last seen of a container, and its stored form. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "core/core_internal.h"

static const char *const status_names[] = {
    [STATUS_CREATED] = "created",   [STATUS_RUNNING] = "running",
    [STATUS_PAUSED] = "paused",     [STATUS_RESTARTING] = "restarting",
    [STATUS_REMOVING] = "removing", [STATUS_EXITED] = "exited",
    [STATUS_DEAD] = "dead",
};

const char *container_status_name(enum container_status s)
{
    return status_names[s];
}

int container_status_parse(const char *s, enum container_status *out)
{
    for (size_t i = 0; i < ARRAY_LEN(status_names); i++)
        if (strcmp(s, status_names[i]) == 0) {
            *out = (enum container_status)i;
            return 0;
        }
    return -1;
}

bool container_restarts_left(const struct container_spec *s, const struct container_state *st)
{
    int64_t max = s->restart_attempts                ? s->restart_attempts
                  : s->restart == RESTART_ON_FAILURE ? s->restart_max
                                                     : 0;

    return max <= 0 || st->restart_tries < max;
}

/* ------------------------------------------------------------ endpoints and ports */

void endpoint_release(struct endpoint *ep)
{
    free(ep->network_id);
    free(ep->network_name);
    free(ep->id);
    free(ep->ipv4);
    free(ep->gateway);
    free(ep->mac);
    free(ep->ifname);
    strv_release(&ep->aliases);
    strv_release(&ep->dns_names);
    memset(ep, 0, sizeof(*ep));
}

void endpoint_copy(struct endpoint *dst, const struct endpoint *src)
{
    memset(dst, 0, sizeof(*dst));
    dst->network_id = str_dup_or_null(src->network_id);
    dst->network_name = str_dup_or_null(src->network_name);
    dst->id = str_dup_or_null(src->id);
    dst->ipv4 = str_dup_or_null(src->ipv4);
    dst->gateway = str_dup_or_null(src->gateway);
    dst->mac = str_dup_or_null(src->mac);
    dst->prefix_len = src->prefix_len;
    dst->ifname = str_dup_or_null(src->ifname);
    strv_copy(&dst->aliases, &src->aliases);
    strv_copy(&dst->dns_names, &src->dns_names);
}

void port_map_copy(struct port_map *dst, const struct port_map *src)
{
    *dst = *src;
    dst->host_ip = str_dup_or_null(src->host_ip);
}

static void endpoint_store(const struct endpoint *ep, struct jsonw *w)
{
    jsonw_obj(w);
    jsonw_opt_str(w, "NetworkID", ep->network_id);
    jsonw_opt_str(w, "Network", ep->network_name);
    jsonw_opt_str(w, "EndpointID", ep->id);
    jsonw_opt_str(w, "IPAddress", ep->ipv4);
    jsonw_opt_str(w, "Gateway", ep->gateway);
    jsonw_opt_str(w, "MacAddress", ep->mac);
    jsonw_opt_i64(w, "IPPrefixLen", ep->prefix_len);
    jsonw_opt_str(w, "Ifname", ep->ifname);
    jsonw_opt_strv(w, "Aliases", &ep->aliases);
    jsonw_opt_strv(w, "DNSNames", &ep->dns_names);
    jsonw_end_obj(w);
}

static int endpoint_load(const struct json *j, struct endpoint *ep, struct err *e)
{
    char **const strings[] = {&ep->network_id, &ep->network_name, &ep->id,    &ep->ipv4,
                              &ep->gateway,    &ep->mac,          &ep->ifname};

    for (size_t i = 0; i < ARRAY_LEN(strings); i++)
        *strings[i] = xstrdup("");
    if (want_type(j, JSON_OBJECT, e) || get_str(j, "NetworkID", &ep->network_id, e) ||
        get_str(j, "Network", &ep->network_name, e) || get_str(j, "EndpointID", &ep->id, e) ||
        get_str(j, "IPAddress", &ep->ipv4, e) || get_str(j, "Gateway", &ep->gateway, e) ||
        get_str(j, "MacAddress", &ep->mac, e) || get_i64(j, "IPPrefixLen", &ep->prefix_len, e) ||
        get_str(j, "Ifname", &ep->ifname, e) || get_strv(j, "Aliases", &ep->aliases, e) ||
        get_strv(j, "DNSNames", &ep->dns_names, e))
        return -1;
    return 0;
}

static void port_store(const struct port_map *p, struct jsonw *w)
{
    char key[16];

    port_text(p->port, p->proto, key);
    jsonw_obj(w);
    jsonw_kstr(w, "Port", key);
    jsonw_opt_str(w, "HostIp", p->host_ip);
    jsonw_opt_i64(w, "HostPort", p->host_port);
    jsonw_end_obj(w);
}

static int port_load(const struct json *j, struct port_map *p, struct err *e)
{
    uint16_t last;

    p->host_ip = xstrdup("");
    if (want_type(j, JSON_OBJECT, e) ||
        port_parse(json_get_str(j, "Port"), &p->port, &last, &p->proto, e) ||
        get_str(j, "HostIp", &p->host_ip, e))
        return -1;
    p->host_port = (uint16_t)json_get_i64(j, "HostPort");
    return 0;
}

/* ------------------------------------------------------------ the whole */

void container_state_release(struct container_state *s)
{
    free(s->error);
    free(s->health);
    for (size_t i = 0; i < s->n_endpoints; i++)
        endpoint_release(&s->endpoints[i]);
    for (size_t i = 0; i < s->n_ports; i++)
        free(s->ports[i].host_ip);
    free(s->endpoints);
    free(s->ports);
    memset(s, 0, sizeof(*s));
}

void container_state_copy(struct container_state *dst, const struct container_state *src)
{
    *dst = *src;
    dst->error = str_dup_or_null(src->error);
    dst->health = str_dup_or_null(src->health);
    dst->endpoints = NULL;
    dst->ports = NULL;
    dst->n_endpoints = dst->n_ports = 0;
    for (size_t i = 0; i < src->n_endpoints; i++)
        endpoint_copy(ARRAY_ADD(dst->endpoints, dst->n_endpoints), &src->endpoints[i]);
    for (size_t i = 0; i < src->n_ports; i++)
        port_map_copy(ARRAY_ADD(dst->ports, dst->n_ports), &src->ports[i]);
}

void container_state_store(const struct container_state *s, struct jsonw *w)
{
    jsonw_obj(w);
    jsonw_kstr(w, "Status", container_status_name(s->status));
    jsonw_opt_i64(w, "Pid", s->pid);
    jsonw_opt_i64(w, "ExitCode", s->exit_code);
    jsonw_opt_bool(w, "OOMKilled", s->oom_killed);
    jsonw_opt_i64(w, "Ooms", s->ooms);
    jsonw_opt_str(w, "Error", s->error);
    if (s->started_ns != TIME_ZERO)
        jsonw_ki64(w, "StartedNs", s->started_ns);
    if (s->finished_ns != TIME_ZERO)
        jsonw_ki64(w, "FinishedNs", s->finished_ns);
    jsonw_opt_i64(w, "RestartCount", s->restart_count);
    jsonw_opt_i64(w, "RestartTries", s->restart_tries);
    jsonw_opt_bool(w, "ManuallyStopped", s->manually_stopped);
    jsonw_opt_str(w, "Health", s->health);
    if (s->n_endpoints) {
        jsonw_key(w, "Endpoints");
        jsonw_arr(w);
        for (size_t i = 0; i < s->n_endpoints; i++)
            endpoint_store(&s->endpoints[i], w);
        jsonw_end_arr(w);
    }
    if (s->n_ports) {
        jsonw_key(w, "Ports");
        jsonw_arr(w);
        for (size_t i = 0; i < s->n_ports; i++)
            port_store(&s->ports[i], w);
        jsonw_end_arr(w);
    }
    jsonw_end_obj(w);
}

static int load_lists(const struct json *j, struct container_state *out, struct err *e)
{
    struct json endpoints = json_get(j, "Endpoints"), ports = json_get(j, "Ports");

    for (size_t i = 0; i < json_len(&endpoints); i++) {
        struct json item = json_at(&endpoints, i);

        if (endpoint_load(&item, ARRAY_ADD(out->endpoints, out->n_endpoints), e))
            return -1;
    }
    for (size_t i = 0; i < json_len(&ports); i++) {
        struct json item = json_at(&ports, i);

        if (port_load(&item, ARRAY_ADD(out->ports, out->n_ports), e))
            return -1;
    }
    return 0;
}

int container_state_load(const struct json *j, struct container_state *out, struct err *e)
{
    int64_t exit_code = 0;

    container_state_release(out);
    out->error = xstrdup("");
    out->health = xstrdup("");
    out->started_ns = out->finished_ns = TIME_ZERO;
    if (want_type(j, JSON_OBJECT, e))
        return -1;
    if (container_status_parse(json_get_str(j, "Status"), &out->status))
        return err_set(e, ERR_INVALID, "%s: unknown container status", j->path);
    if (get_i64(j, "Pid", &out->pid, e) || get_i64(j, "ExitCode", &exit_code, e) ||
        get_bool(j, "OOMKilled", &out->oom_killed, e) || get_i64(j, "Ooms", &out->ooms, e) ||
        get_str(j, "Error", &out->error, e) || get_i64(j, "StartedNs", &out->started_ns, e) ||
        get_i64(j, "FinishedNs", &out->finished_ns, e) ||
        get_i64(j, "RestartCount", &out->restart_count, e) ||
        get_i64(j, "RestartTries", &out->restart_tries, e) ||
        get_bool(j, "ManuallyStopped", &out->manually_stopped, e) ||
        get_str(j, "Health", &out->health, e) || load_lists(j, out, e))
        return -1;
    if (exit_code < INT_MIN || exit_code > INT_MAX)
        return err_set(e, ERR_INVALID, "%s: exit code out of range", j->path);
    out->exit_code = (int)exit_code;
    return 0;
}
