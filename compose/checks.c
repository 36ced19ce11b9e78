/* checks: what is wrong between services although each of them is right. */
#include "base/mem.h"
#include "compose/compose_internal.h"
#include "core/container.h"

/* ------------------------------------------------------------------ cycles */

struct visit {
    const struct load *ld;
    unsigned char *state; /* 0 new, 1 on the way, 2 done */
    struct strv way;
};

static size_t index_of(const struct app *app, const char *name)
{
    size_t i = 0;

    while (i < app->n_services && !str_eq(app->services[i].name, name))
        i++;
    return i;
}

static int loop_error(struct visit *v, size_t i, struct err *e)
{
    const char *name = v->ld->app->services[i].name;
    size_t start = 0;

    while (start < v->way.n && !str_eq(v->way.v[start], name))
        start++;
    cleanup_free char *way =
        str_join((const char *const *)v->way.v + start, v->way.n - start, " -> ");
    const struct yaml_node *at = yaml_get(v->ld->extras[i].node, "depends_on");

    return service_error(v->ld, i, at, e, ".depends_on: a cycle: %s -> %s", way, name);
}

/* Depth first; the depth is limited because a chain of thousands is no app but an attack. */
static int visit(struct visit *v, size_t i, struct err *e)
{
    const struct app_service *svc = &v->ld->app->services[i];

    if (v->state[i] == 2)
        return 0;
    if (v->state[i] == 1)
        return loop_error(v, i, e);
    if (v->way.n >= 500)
        return service_error(v->ld, i, NULL, e, ".depends_on: the chain is longer than 500");
    v->state[i] = 1;
    strv_add(&v->way, svc->name);
    for (size_t k = 0; k < svc->n_depends; k++)
        if (visit(v, index_of(v->ld->app, svc->depends[k].service), e))
            return -1;
    strv_remove_at(&v->way, v->way.n - 1);
    v->state[i] = 2;
    return 0;
}

int check_cycles(const struct load *ld, struct err *e)
{
    cleanup_free unsigned char *state = xcalloc(ld->app->n_services + 1, 1);
    struct visit v = {.ld = ld, .state = state};
    int rc = 0;

    for (size_t i = 0; i < ld->app->n_services && !rc; i++)
        rc = visit(&v, i, e);
    strv_release(&v.way);
    return rc;
}

/* --------------------------------------------------------------- conflicts */

static int check_names(const struct load *ld, struct err *e)
{
    const struct app *app = ld->app;

    for (size_t i = 0; i < app->n_services; i++) {
        cleanup_free char *mine = service_container_name(app, &app->services[i]);

        for (size_t k = 0; k < i; k++) {
            cleanup_free char *other = service_container_name(app, &app->services[k]);

            if (str_eq(mine, other))
                return service_error(ld, i, yaml_get(ld->extras[i].node, "container_name"), e,
                                     ".container_name: %s is the container of service %s already",
                                     mine, app->services[k].name);
        }
    }
    return 0;
}

static bool any_address(const char *ip)
{
    return str_empty(ip) || str_eq(ip, "0.0.0.0") || str_eq(ip, "::");
}

static bool ports_clash(const struct port_binding *a, const struct port_binding *b)
{
    return a->host_port && a->host_port == b->host_port && a->proto == b->proto &&
           !a->host_port_end && !b->host_port_end &&
           (any_address(a->host_ip) || any_address(b->host_ip) || str_eq(a->host_ip, b->host_ip)) &&
           !(str_eq(a->host_ip, "0.0.0.0") && str_eq(b->host_ip, "::")) &&
           !(str_eq(a->host_ip, "::") && str_eq(b->host_ip, "0.0.0.0"));
}

static int check_port(const struct load *ld, size_t i, size_t p, struct err *e)
{
    const struct app *app = ld->app;
    const struct port_binding *mine = &app->services[i].spec->ports[p];

    for (size_t k = 0; k <= i; k++) {
        const struct container_spec *other = app->services[k].spec;
        size_t n = k == i ? p : other->n_ports;

        for (size_t q = 0; q < n; q++)
            if (ports_clash(mine, &other->ports[q]))
                return service_error(ld, i, ld->extras[i].port_at[p], e,
                                     ".ports: port %u/%s of the host is taken by service %s",
                                     mine->host_port, proto_name(mine->proto),
                                     app->services[k].name);
    }
    return 0;
}

int check_conflicts(const struct load *ld, struct err *e)
{
    if (check_names(ld, e))
        return -1;
    for (size_t i = 0; i < ld->app->n_services; i++)
        for (size_t p = 0; p < ld->app->services[i].spec->n_ports; p++)
            if (check_port(ld, i, p, e))
                return -1;
    return 0;
}

/* What core/ refuses in a create request is refused here already, with the service's position. */
int check_specs(const struct load *ld, struct err *e)
{
    for (size_t i = 0; i < ld->app->n_services; i++) {
        if (str_empty(ld->app->services[i].spec->image))
            return service_error(ld, i, NULL, e, "%s",
                                 ld->extras[i].build
                                     ? ": images cannot be built yet; image must name one"
                                     : ": image is missing");
        if (!container_spec_validate(ld->app->services[i].spec, e))
            continue;
        cleanup_free char *why = xstrdup(e->msg);

        return service_error(ld, i, NULL, e, ": %s", why);
    }
    return 0;
}
