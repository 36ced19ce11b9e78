/*
 * container_update: a body of POST /containers/{id}/update, and what it makes of a container.
 *
 * The body is HostConfig's resources and RestartPolicy, on the top level.  Whatever is 0 or missing
 * stays as it is; so a limit cannot be taken away, except that of the number of processes (-1) and
 * that of swap (-1).
 */
#include <string.h>

#include "core/core_internal.h"

void container_update_release(struct container_update *u)
{
    container_spec_free(u->spec);
    *u = (struct container_update){0};
}

static bool given(const struct json *body, const char *key)
{
    struct json v = json_get(body, key);

    return json_exists(&v);
}

int container_update_decode(const struct json *body, struct container_update *out, struct err *e)
{
    cleanup_buf struct buf text = BUF_INIT(1024 * 1024), own = BUF_INIT(1024 * 1024);
    cleanup_json struct json_doc doc = {0};
    struct jsonw w = JSONW_INIT(&text);
    struct json root;

    *out = (struct container_update){.spec = container_spec_new()};
    if (!json_exists(body))
        return 0;
    json_text(body, &own);
    if (buf_check(&own, "update", e))
        return -1;
    jsonw_obj(&w);
    jsonw_kstr(&w, "Image", "any"); /* a body of create has a Config */
    jsonw_key(&w, "HostConfig");
    jsonw_raw(&w, own.data);
    jsonw_end_obj(&w);
    if (buf_check(&text, "update", e) || json_parse(text.data, text.len, &doc, e))
        return -1;
    root = json_root(&doc);
    if (container_spec_decode(&root, out->spec, e))
        return -1;
    if (!given(body, "MemorySwap")) /* not twice the memory, as with create */
        out->spec->memory_swap = 0;
    out->pids = given(body, "PidsLimit");
    root = json_get(body, "RestartPolicy");
    out->restart = !str_empty(json_get_str(&root, "Name"));
    if (!out->restart)
        out->spec->restart_max = 0;
    return 0;
}

int container_update_check(const struct container_update *u, struct err *e)
{
    cleanup_spec struct container_spec *s = container_spec_copy(u->spec);

    if (s->memory == 0)
        s->memory_swap = 0; /* it goes with the memory that the container has: swap_fits() */
    return check_resources(s, e) || check_restart(s, e) ? -1 : 0;
}

/* Of the two together, as with create: else the container could not be started again. */
static int swap_fits(const struct container_spec *s, struct err *e)
{
    if (s->memory_swap > 0 && s->memory == 0)
        return err_set(e, ERR_INVALID,
                       "You should always set the Memory limit when using Memoryswap limit, see "
                       "usage");
    if (s->memory_swap > 0 && s->memory_swap < s->memory)
        return err_set(e, ERR_INVALID,
                       "Minimum memoryswap limit should be larger than memory limit, see usage");
    return 0;
}

static int conflict(const struct container_spec *now, const struct container_spec *u, struct err *e)
{
    static const char text[] =
        "Conflicting options: %s cannot be updated as %s has already been set";

    if (u->nano_cpus > 0 && now->cpu_period > 0)
        return err_set(e, ERR_CONFLICT, text, "Nano CPUs", "CPU Period");
    if (u->nano_cpus > 0 && now->cpu_quota > 0)
        return err_set(e, ERR_CONFLICT, text, "Nano CPUs", "CPU Quota");
    if (u->cpu_period > 0 && now->nano_cpus > 0)
        return err_set(e, ERR_CONFLICT, text, "CPU Period", "NanoCPUs");
    if (u->cpu_quota > 0 && now->nano_cpus > 0)
        return err_set(e, ERR_CONFLICT, text, "CPU Quota", "NanoCPUs");
    if (u->memory > 0 && u->memory_swap == 0 && now->memory_swap > 0 &&
        u->memory > now->memory_swap)
        return err_set(e, ERR_CONFLICT,
                       "Memory limit should be smaller than already set memoryswap limit, update "
                       "the memoryswap at the same time");
    return 0;
}

#define AT(member) offsetof(struct container_spec, member)
static const size_t numbers[] = {
    AT(blkio_weight),  AT(cpu_shares),     AT(nano_cpus),   AT(cpu_period),
    AT(cpu_quota),     AT(memory),         AT(memory_swap), AT(memory_reservation),
    AT(cpu_rt_period), AT(cpu_rt_runtime),
};

static int64_t *number(struct container_spec *s, size_t i)
{
    return (int64_t *)(void *)((char *)s + numbers[i]);
}

void container_update_undo(struct container_spec *s, const struct container_spec *before)
{
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        *number(s, i) = *number((struct container_spec *)before, i);
    str_set(&s->cpuset_cpus, before->cpuset_cpus);
    str_set(&s->cpuset_mems, before->cpuset_mems);
    s->pids_limit = before->pids_limit;
    s->restart = before->restart;
    s->restart_max = before->restart_max;
    s->restart_delay_ns = before->restart_delay_ns;
    s->restart_window_ns = before->restart_window_ns;
    s->restart_attempts = before->restart_attempts;
}

int container_update_apply(const struct container_update *up, struct container_spec *s,
                           struct err *e)
{
    const struct container_spec *u = up->spec;

    if (conflict(s, u, e))
        return -1;
    if (up->restart && s->auto_remove && u->restart != RESTART_NO)
        return err_set(e, ERR_CONFLICT,
                       "Restart policy cannot be updated because AutoRemove is enabled for the "
                       "container");
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        if (*number((struct container_spec *)u, i))
            *number(s, i) = *number((struct container_spec *)u, i);
    if (!str_empty(u->cpuset_cpus))
        str_set(&s->cpuset_cpus, u->cpuset_cpus);
    if (!str_empty(u->cpuset_mems))
        str_set(&s->cpuset_mems, u->cpuset_mems);
    if (up->pids)
        s->pids_limit = u->pids_limit;
    if (up->restart) {
        s->restart = u->restart;
        s->restart_max = u->restart_max;
        s->restart_delay_ns = s->restart_window_ns = s->restart_attempts = 0; /* of the former */
    }
    return u->memory_swap ? swap_fits(s, e) : 0;
}
