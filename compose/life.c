/* life: when a service starts, restarts and counts as healthy: depends_on, healthcheck, deploy. */
#include "base/mem.h"
#include "base/time.h"
#include "compose/compose_internal.h"

/* -------------------------------------------------------------- depends_on */

void add_dependency(struct app_service *svc, const char *service, enum depends_condition c,
                    bool restart, bool required)
{
    for (size_t i = 0; i < svc->n_depends; i++)
        if (str_eq(svc->depends[i].service, service))
            return;
    svc->depends = xrealloc(svc->depends, (svc->n_depends + 1) * sizeof *svc->depends);
    svc->depends[svc->n_depends++] = (struct service_dependency){
        .service = xstrdup(service), .condition = c, .restart = restart, .required = required};
}

static int read_condition(const struct field *f, void *obj, struct err *e)
{
    static const struct {
        const char *text;
        enum depends_condition condition;
    } known[] = {
        {"service_started",                DEPENDS_STARTED  },
        {"service_healthy",                DEPENDS_HEALTHY  },
        {"service_completed_successfully", DEPENDS_COMPLETED},
    };

    if (f->node->kind != YAML_SCALAR)
        return field_error(f, e, "must be a text");
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (str_eq(f->node->text, known[i].text)) {
            ((struct service_dependency *)obj)->condition = known[i].condition;
            return 0;
        }
    }
    return field_error(f, e,
                       "must be service_started, service_healthy or "
                       "service_completed_successfully, not \"%.60s\"",
                       f->node->text);
}

static int read_dependency_name(const struct field *f, void *obj, struct err *e)
{
    if (f->node->kind != YAML_SCALAR)
        return field_error(f, e, "must be the name of a service");
    add_dependency(obj, f->node->text, DEPENDS_STARTED, false, true);
    return 0;
}

int read_depends_on(const struct field *f, void *obj, struct err *e)
{
    static const struct key_def keys[] = {
        {"condition", KEY_FN,                             0,         read_condition, 0, NULL},
        { "restart",   KEY_BOOL, offsetof(struct service_dependency,  restart),           NULL, 0, NULL},
        { "required",   KEY_BOOL, offsetof(struct service_dependency, required),           NULL, 0, NULL},
    };
    struct app_service *svc = ((struct service_in *)obj)->svc;

    if (f->node->kind == YAML_SEQ)
        return read_each(f, read_dependency_name, svc, e);
    if (f->node->kind != YAML_MAP)
        return field_error(f, e, "must be a list of names or a mapping");
    for (size_t i = 0; i < f->node->n; i++) {
        struct field one = field_of(f, &f->node->pairs[i]);
        struct service_dependency d = {.required = true};

        if (one.node->kind != YAML_NULL && read_map(&one, keys, ARRAY_LEN(keys), &d, &d, e))
            return -1;
        add_dependency(svc, one.key, d.condition, d.restart, d.required);
    }
    return 0;
}

/* ------------------------------------------------------------- healthcheck */

static int read_test(const struct field *f, void *obj, struct err *e)
{
    struct health_spec *h = obj;

    strv_release(&h->test);
    if (f->node->kind == YAML_SCALAR) {
        strv_add(&h->test, "CMD-SHELL");
        strv_add(&h->test, f->node->text);
        return 0;
    }
    if (read_list(f, false, &h->test, e))
        return -1;
    if (h->test.n && !str_eq(h->test.v[0], "NONE") && !str_eq(h->test.v[0], "CMD") &&
        !str_eq(h->test.v[0], "CMD-SHELL"))
        return field_error(f, e, "the first word must be NONE, CMD or CMD-SHELL, not \"%.60s\"",
                           h->test.v[0]);
    if (h->test.n == 1 && !str_eq(h->test.v[0], "NONE"))
        return field_error(f, e, "nothing follows %s", h->test.v[0]);
    return 0;
}

static int read_disable(const struct field *f, void *obj, struct err *e)
{
    struct health_spec *h = obj;
    bool disable = false;

    if (read_bool(f, &disable, e))
        return -1;
    if (disable) {
        strv_release(&h->test);
        strv_add(&h->test, "NONE");
    }
    return 0;
}

int read_healthcheck(const struct field *f, void *obj, struct err *e)
{
#define HEALTH(member) offsetof(struct health_spec, member)
    static const struct key_def keys[] = {
        {"test",           KEY_FN,          0,                         read_test,    0, NULL},
        {"disable",        KEY_FN,          0,                         read_disable, 0, NULL},
        {"interval",       KEY_DURATION_NS, HEALTH(interval_ns),       NULL,         0, NULL},
        {"timeout",        KEY_DURATION_NS, HEALTH(timeout_ns),        NULL,         0, NULL},
        {"start_period",   KEY_DURATION_NS, HEALTH(start_period_ns),   NULL,         0, NULL},
        {"start_interval", KEY_DURATION_NS, HEALTH(start_interval_ns), NULL,         0, NULL},
        {"retries",        KEY_INT,         HEALTH(retries),           NULL,         0, NULL},
    };
    struct health_spec *h = &((struct service_in *)obj)->spec->health;

    h->set = true;
    return read_map(f, keys, ARRAY_LEN(keys), h, h, e);
}

/* ------------------------------------------------------------------ deploy */

static int read_replicas(const struct field *f, void *obj, struct err *e)
{
    struct service_extra *x = ((struct service_in *)obj)->x;

    x->replicas_set = true;
    if (read_int(f, &x->replicas, e))
        return -1;
    if (x->replicas < 0)
        return field_error(f, e, "cannot be negative");
    if (x->replicas > 1)
        field_notice(f, NOTICE_DEGRADED, "one container is kept; more than one is not applied yet");
    return 0;
}

int read_scale(const struct field *f, void *obj, struct err *e)
{
    return read_replicas(f, obj, e);
}

static int read_limit_cpus(const struct field *f, void *obj, struct err *e)
{
    return read_cpus_value(f, &((struct service_in *)obj)->limit_cpus, e);
}

static int read_limits(const struct field *f, void *obj, struct err *e)
{
    static const struct key_def keys[] = {
        {"cpus",    KEY_FN,                     0,             read_limit_cpus, 0, NULL},
        { "memory", KEY_SIZE, offsetof(struct service_in, limit_memory),            NULL, 0, NULL},
        { "pids",  KEY_INT, offsetof(struct service_in,   limit_pids),            NULL, 0, NULL},
    };

    return read_map(f, keys, ARRAY_LEN(keys), obj, obj, e);
}

static int read_reserved_memory(const struct field *f, void *obj, struct err *e)
{
    return read_size(f, &((struct service_in *)obj)->spec->memory_reservation, e);
}

static int read_reservations(const struct field *f, void *obj, struct err *e)
{
    static const struct key_def keys[] = {
        {"memory", KEY_FN, 0, read_reserved_memory, 0, NULL},
        KEY_NOTE("cpus", NOTICE_IGNORED, "a reservation of CPU is for schedulers of clusters"),
        KEY_NOTE("generic_resources", NOTICE_IGNORED, "is for schedulers of clusters"),
        KEY_NOTE("devices", NOTICE_REFUSED, "devices by driver (GPUs) are not given"),
    };

    return read_map(f, keys, ARRAY_LEN(keys), obj, obj, e);
}

static int read_resources(const struct field *f, void *obj, struct err *e)
{
    static const struct key_def keys[] = {
        {"limits",       KEY_FN, 0, read_limits,       0, NULL},
        {"reservations", KEY_FN, 0, read_reservations, 0, NULL},
    };

    return read_map(f, keys, ARRAY_LEN(keys), obj, obj, e);
}

static int read_restart_policy(const struct field *f, void *obj, struct err *e)
{
#define IN(member) offsetof(struct service_in, member)
    static const struct key_def keys[] = {
        {"condition",    KEY_STR,         IN(deploy_restart),   NULL, 0, NULL},
        {"max_attempts", KEY_INT,         IN(deploy_attempts),  NULL, 0, NULL},
        {"delay",        KEY_DURATION_NS, IN(deploy_delay_ns),  NULL, 0, NULL},
        {"window",       KEY_DURATION_NS, IN(deploy_window_ns), NULL, 0, NULL},
    };
    struct service_in *in = obj;

    if (read_map(f, keys, ARRAY_LEN(keys), obj, obj, e))
        return -1;
    if (in->deploy_restart && !str_eq(in->deploy_restart, "none") &&
        !str_eq(in->deploy_restart, "on-failure") && !str_eq(in->deploy_restart, "any"))
        return field_error(f, e, "condition must be none, on-failure or any, not \"%.60s\"",
                           in->deploy_restart);
    if (in->deploy_attempts < 0)
        return field_error(f, e, "max_attempts cannot be negative");
    if (in->deploy_delay_ns < 0 || in->deploy_window_ns < 0)
        return field_error(f, e, "delay and window cannot be negative");
    if (!in->deploy_restart)
        str_set(&in->deploy_restart, "any");
    return 0;
}

static int read_mode(const struct field *f, void *obj, struct err *e)
{
    cleanup_free char *mode = NULL;

    (void)obj;
    if (read_str(f, &mode, e))
        return -1;
    if (!str_eq(mode, "replicated") && !str_eq(mode, "global"))
        field_notice(f, NOTICE_DEGRADED, "jobs of a cluster are kept like any service");
    return 0;
}

int read_deploy(const struct field *f, void *obj, struct err *e)
{
    static const char rollout[] = "changes are applied at once, stop first; rollouts come later";
    static const struct key_def keys[] = {
        {"mode",           KEY_FN, 0, read_mode,           0, NULL},
        {"replicas",       KEY_FN, 0, read_replicas,       0, NULL},
        {"resources",      KEY_FN, 0, read_resources,      0, NULL},
        {"restart_policy", KEY_FN, 0, read_restart_policy, 0, NULL},
        KEY_NOTE("update_config", NOTICE_DEGRADED, rollout),
        KEY_NOTE("rollback_config", NOTICE_DEGRADED, rollout),
        KEY_NOTE("placement", NOTICE_DEGRADED, "the service runs here in any case"),
        KEY_NOTE("endpoint_mode", NOTICE_IGNORED, "is for clusters"),
        KEY_NOTE("labels", NOTICE_IGNORED, "are labels of a cluster's service, not of containers"),
    };

    return read_map(f, keys, ARRAY_LEN(keys), obj, obj, e);
}
