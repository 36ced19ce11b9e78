/*
 * container_validate: what can be refused without looking at the machine, in moby's words (each
 * text below was read off a dockerd 28.5).  Where moby waits until the start to fail, we fail here.
 */
#include <string.h>

#include "core/core_internal.h"

static int check_env(const struct container_spec *s, struct err *e)
{
    for (size_t i = 0; i < s->env.n; i++)
        if (!s->env.v[i][0] || s->env.v[i][0] == '=')
            return err_set(e, ERR_INVALID, "invalid environment variable: %.200s", s->env.v[i]);
    return 0;
}

static int check_health(const struct health_spec *h, struct err *e)
{
    const struct {
        const char *name;
        int64_t ns;
    } times[] = {
        {"Interval",      h->interval_ns      },
        {"Timeout",       h->timeout_ns       },
        {"StartPeriod",   h->start_period_ns  },
        {"StartInterval", h->start_interval_ns},
    };

    for (size_t i = 0; i < ARRAY_LEN(times); i++)
        if (times[i].ns != 0 && times[i].ns < 1000000)
            return err_set(e, ERR_INVALID, "%s in Healthcheck cannot be less than 1ms",
                           times[i].name);
    if (h->retries < 0)
        return err_set(e, ERR_INVALID, "Retries in Healthcheck cannot be negative");
    return 0;
}

int check_restart(const struct container_spec *s, struct err *e)
{
    if (s->restart_max != 0 && s->restart != RESTART_ON_FAILURE)
        return err_set(e, ERR_INVALID,
                       "invalid restart policy: maximum retry count can only be used with "
                       "'on-failure'");
    if (s->restart_max < 0)
        return err_set(e, ERR_INVALID,
                       "invalid restart policy: maximum retry count cannot be negative");
    if (s->auto_remove && s->restart != RESTART_NO)
        return err_set(e, ERR_INVALID, "can't create 'AutoRemove' container with restart policy");
    return 0;
}

/* It goes to sethostname(2), which takes 64 bytes, and as a word into /etc/hosts. */
static int check_hostname(const char *name, struct err *e)
{
    if (str_empty(name))
        return 0;
    if (strlen(name) > 64)
        return err_set(e, ERR_INVALID, "invalid hostname: %.100s is longer than 64 characters",
                       name);
    for (const char *p = name; *p; p++)
        if ((unsigned char)*p <= ' ' || *p == 127 || *p == '/')
            return err_set(e, ERR_INVALID, "invalid hostname format: %s", name);
    return 0;
}

int check_config(const struct container_spec *s, struct err *e)
{
    int sig;

    if (!str_empty(s->working_dir) && s->working_dir[0] != '/')
        return err_set(e, ERR_INVALID,
                       "the working directory '%.300s' is invalid, it needs to be an absolute path",
                       s->working_dir);
    if (!str_empty(s->stop_signal) && signal_parse(s->stop_signal, &sig, e))
        return -1;
    return check_env(s, e) || check_health(&s->health, e) || check_hostname(s->hostname, e) ||
                   check_restart(s, e)
               ? -1
               : 0;
}

int check_mounts(const struct container_spec *s, struct err *e)
{
    for (size_t i = 0; i < s->n_mounts; i++) {
        const struct mount_spec *m = &s->mounts[i];

        if (mount_check_target(m->target ? m->target : "", mount_type_name(m->type), e))
            return -1;
        for (size_t k = 0; k < i; k++)
            if (str_eq(s->mounts[k].target, m->target) && m->type != MOUNT_TMPFS)
                return err_set(e, ERR_INVALID, "Duplicate mount point: %.300s", m->target);
    }
    for (size_t i = 0; i < s->volumes_from.n; i++) {
        cleanup_free char *id = NULL;
        bool read_only;

        if (volumes_from_parse(s->volumes_from.v[i], &id, &read_only, e))
            return -1;
    }
    return 0;
}

int container_spec_validate(const struct container_spec *s, struct err *e)
{
    static int (*const parts[])(const struct container_spec *, struct err *) = {
        check_config, check_networking, check_security, check_resources, check_mounts,
    };

    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (parts[i](s, e))
            return -1;
    return 0;
}
