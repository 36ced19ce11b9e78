/* services: the `services` mapping; what several keys of a service decide together. */
#include <ctype.h>

#include "base/mem.h"
#include "compose/compose_internal.h"
#include "core/container.h"

static bool service_name_valid(const char *s)
{
    if (!*s || strlen(s) > 63 || !isalnum((unsigned char)*s))
        return false;
    for (; *s; s++)
        if (!isalnum((unsigned char)*s) && !strchr("_.-", *s))
            return false;
    return true;
}

/* `environment` wins over env_file.  Sorted, because the order means nothing and must not count. */
static void finish_environment(struct service_in *in)
{
    for (size_t i = 0; i < in->env.n; i++)
        kvs_set(&in->env_files, in->env.v[i].k, in->env.v[i].v);
    kvs_sort(&in->env_files);
    for (size_t i = 0; i < in->env_files.n; i++)
        strv_addf(&in->spec->env, "%s=%s", in->env_files.v[i].k, in->env_files.v[i].v);
    for (size_t i = 0; i < in->labels.n; i++)
        kvs_set(&in->label_files, in->labels.v[i].k, in->labels.v[i].v);
    for (size_t i = 0; i < in->label_files.n; i++)
        kvs_set(&in->spec->labels, in->label_files.v[i].k, in->label_files.v[i].v);
}

static int finish_limits(const struct field *f, struct service_in *in, struct err *e)
{
    struct container_spec *s = in->spec;

    if (in->limit_memory && s->memory && in->limit_memory != s->memory)
        return field_error(f, e, "mem_limit and deploy.resources.limits.memory differ");
    if (in->limit_pids && s->pids_limit && in->limit_pids != s->pids_limit)
        return field_error(f, e, "pids_limit and deploy.resources.limits.pids differ");
    if (in->limit_cpus > 0 && in->cpus > 0 &&
        (in->limit_cpus > in->cpus || in->limit_cpus < in->cpus))
        return field_error(f, e, "cpus and deploy.resources.limits.cpus differ");
    if (in->limit_memory)
        s->memory = in->limit_memory;
    if (in->limit_pids)
        s->pids_limit = in->limit_pids;
    double cpus = in->limit_cpus > 0 ? in->limit_cpus : in->cpus;

    s->nano_cpus = (int64_t)(cpus * 1e9 + 0.5);
    return 0;
}

static int finish_restart(const struct field *f, struct service_in *in, struct err *e)
{
    static const struct {
        const char *text;
        enum restart_policy policy;
    } known[] = {
        {"no",             RESTART_NO            },
        {"none",           RESTART_NO            },
        {"always",         RESTART_ALWAYS        },
        {"any",            RESTART_ALWAYS        },
        {"unless-stopped", RESTART_UNLESS_STOPPED},
        {"on-failure",     RESTART_ON_FAILURE    },
    };
    const char *text = in->restart ? in->restart : in->deploy_restart ? in->deploy_restart : "no";
    const struct yaml_node *at = yaml_get(f->node, "restart");
    const char *colon = strchr(text, ':');
    cleanup_free char *name = colon ? str_ndup(text, (size_t)(colon - text)) : xstrdup(text);

    in->spec->restart_max = in->restart ? 0 : in->deploy_attempts;
    if (in->restart && colon &&
        (!str_eq(name, "on-failure") ||
         parse_i64(colon + 1, 0, INT32_MAX, "attempts", &in->spec->restart_max, ERR_IGNORE)))
        name[0] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (!str_eq(name, known[i].text))
            continue;
        in->spec->restart = known[i].policy;
        if (in->spec->restart != RESTART_ON_FAILURE)
            in->spec->restart_max = 0;
        if (in->spec->restart == RESTART_ALWAYS && !in->restart)
            in->spec->restart_attempts = in->deploy_attempts;
        if (in->spec->restart != RESTART_NO) {
            in->spec->restart_delay_ns = in->deploy_delay_ns;
            in->spec->restart_window_ns = in->deploy_window_ns;
        }
        return 0;
    }
    return yaml_error(at ? at : f->node, e,
                      "services.%s.restart: must be no, always, unless-stopped or on-failure[:N], "
                      "not \"%.60s\"",
                      f->key, text);
}

static int finish(const struct field *f, struct service_in *in, struct err *e)
{
    finish_environment(in);
    if (finish_limits(f, in, e))
        return -1;
    return finish_restart(f, in, e);
}

static int read_service(const struct field *f, struct load *ld, struct err *e)
{
    struct app *app = ld->app;

    if (!service_name_valid(f->key))
        return field_key_error(f, e, "is no valid name of a service");
    app->services = xrealloc(app->services, (app->n_services + 1) * sizeof *app->services);
    ld->extras = xrealloc(ld->extras, (app->n_services + 1) * sizeof *ld->extras);
    struct app_service *svc = &app->services[app->n_services];
    struct service_extra *x = &ld->extras[app->n_services];

    *x = (struct service_extra){.node = f->node};
    *svc = (struct app_service){
        .name = xstrdup(f->key),
        .container_name = xstrdup(""),
        .spec = container_spec_new(),
        .pull_policy = xstrdup(""),
        .stop_grace_s = -1,
        .hash_a = xstrdup(""),
        .hash_d = xstrdup(""),
        .pos = {xstrdup(f->node->file), f->key_line, f->key_column},
    };
    app->n_services++;
    ld->n_extras = app->n_services;
    struct service_in in = {.svc = svc, .spec = svc->spec, .x = x};
    int rc = f->node->kind == YAML_NULL ? field_key_error(f, e, "has no content")
                                        : read_service_keys(f, &in, e);

    if (!rc)
        rc = finish(f, &in, e);
    kvs_release(&in.env_files);
    kvs_release(&in.env);
    kvs_release(&in.label_files);
    kvs_release(&in.labels);
    free(in.restart);
    free(in.deploy_restart);
    return rc;
}

int read_services(const struct field *f, void *obj, struct err *e)
{
    if (f->node->kind != YAML_MAP)
        return field_error(f, e, "must be a mapping");
    for (size_t i = 0; i < f->node->n; i++) {
        struct field one = field_of(f, &f->node->pairs[i]);

        if (read_service(&one, obj, e))
            return -1;
    }
    return 0;
}
