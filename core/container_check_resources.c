/* container_check_resources: limits of a create body, part of container_spec_validate(). */
#include <stdlib.h>
#include <string.h>

#include "core/core_internal.h"

#define MEMORY_MIN (6 << 20)

static int check_memory(const struct container_spec *s, struct err *e)
{
    if (s->memory != 0 && s->memory < MEMORY_MIN)
        return err_set(e, ERR_INVALID, "Minimum memory limit allowed is 6MB");
    if (s->memory > 0 && s->memory_swap > 0 && s->memory_swap < s->memory)
        return err_set(e, ERR_INVALID,
                       "Minimum memoryswap limit should be larger than memory limit, see usage");
    if (s->memory == 0 && s->memory_swap > 0)
        return err_set(e, ERR_INVALID,
                       "You should always set the Memory limit when using Memoryswap limit, see "
                       "usage");
    if (s->memory_swappiness < -1 || s->memory_swappiness > 100)
        return err_set(e, ERR_INVALID,
                       "Invalid value: %lld, valid memory swappiness range is 0-100",
                       (long long)s->memory_swappiness);
    if (s->memory_reservation != 0 && s->memory_reservation < MEMORY_MIN)
        return err_set(e, ERR_INVALID, "Minimum memory reservation allowed is 6MB");
    if (s->memory > 0 && s->memory < s->memory_reservation)
        return err_set(e, ERR_INVALID,
                       "Minimum memory limit can not be less than memory reservation limit, see "
                       "usage");
    if (s->shm_size < 0)
        return err_set(e, ERR_INVALID, "SHM size can not be less than 0");
    if (s->oom_score_adj < -1000 || s->oom_score_adj > 1000)
        return err_set(e, ERR_INVALID,
                       "Invalid value %lld, range for oom score adj is [-1000, 1000]",
                       (long long)s->oom_score_adj);
    return 0;
}

/* How many there are is the machine's business. */
static int check_cpu(const struct container_spec *s, struct err *e)
{
    if (s->nano_cpus != 0 && s->cpu_period != 0)
        return err_set(e, ERR_INVALID,
                       "Conflicting options: Nano CPUs and CPU Period cannot both be set");
    if (s->nano_cpus != 0 && s->cpu_quota != 0)
        return err_set(e, ERR_INVALID,
                       "Conflicting options: Nano CPUs and CPU Quota cannot both be set");
    if (s->cpu_shares < 0)
        return err_set(e, ERR_INVALID,
                       "invalid CPU shares (%lld): value must be a positive integer",
                       (long long)s->cpu_shares);
    if (s->cpu_period != 0 && (s->cpu_period < 1000 || s->cpu_period > 1000000))
        return err_set(e, ERR_INVALID,
                       "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s "
                       "(i.e. 1000000)");
    if (s->cpu_quota > 0 && s->cpu_quota < 1000)
        return err_set(e, ERR_INVALID, "CPU cfs quota can not be less than 1ms (i.e. 1000)");
    if (s->cpu_rt_runtime > s->cpu_rt_period && s->cpu_rt_period > 0)
        return err_set(e, ERR_INVALID,
                       "cpu real-time runtime cannot be higher than cpu real-time period");
    return 0;
}

/* "0-3,7": numbers and rising ranges. */
static bool cpuset_valid(const char *text)
{
    cleanup_strv struct strv parts = {0};

    strv_split(&parts, text, ',');
    for (size_t i = 0; i < parts.n; i++) {
        cleanup_strv struct strv ends = {0};
        int64_t first, last;

        strv_split(&ends, parts.v[i], '-');
        if (ends.n > 2 || parse_i64(ends.v[0], 0, 1 << 16, "cpu", &first, ERR_IGNORE))
            return false;
        if (ends.n == 2 && parse_i64(ends.v[1], first, 1 << 16, "cpu", &last, ERR_IGNORE))
            return false;
    }
    return true;
}

static int check_cpuset(const struct container_spec *s, struct err *e)
{
    if (!str_empty(s->cpuset_cpus) && !cpuset_valid(s->cpuset_cpus))
        return err_set(e, ERR_INVALID,
                       "Invalid value %.100s for cpuset cpus: invalid format: %.100s",
                       s->cpuset_cpus, s->cpuset_cpus);
    if (!str_empty(s->cpuset_mems) && !cpuset_valid(s->cpuset_mems))
        return err_set(e, ERR_INVALID,
                       "Invalid value %.100s for cpuset mems: invalid format: %.100s",
                       s->cpuset_mems, s->cpuset_mems);
    return 0;
}

static int check_other_kernels(const struct container_spec *s, struct err *e)
{
    if (s->io_maximum_iops != 0)
        return err_set(e, ERR_INVALID,
                       "invalid option: QoS maximum IOPs configuration is not supported on linux");
    if (s->io_maximum_bandwidth != 0)
        return err_set(e, ERR_INVALID,
                       "invalid option: QoS maximum bandwidth configuration is not supported on "
                       "linux");
    if (s->blkio_weight != 0 && (s->blkio_weight < 10 || s->blkio_weight > 1000))
        return err_set(e, ERR_INVALID, "Range of blkio weight is from 10 to 1000");
    return 0;
}

static int check_ulimits(const struct container_spec *s, struct err *e)
{
    static const char *const known[] = {
        "core",   "cpu",   "data", "fsize",  "locks",  "memlock",    "msgqueue", "nice",
        "nofile", "nproc", "rss",  "rtprio", "rttime", "sigpending", "stack",
    };

    for (size_t i = 0; i < s->n_ulimits; i++) {
        const struct ulimit *u = &s->ulimits[i];
        bool found = false;

        for (size_t k = 0; k < ARRAY_LEN(known); k++)
            found = found || str_eq(u->name, known[k]);
        if (!found)
            return err_set(e, ERR_INVALID, "invalid ulimit type: %.60s", u->name ? u->name : "");
        if (u->hard != -1 && (u->soft == -1 || u->soft > u->hard))
            return err_set(e, ERR_INVALID,
                           "ulimit soft limit must be less than or equal to hard limit: %lld > "
                           "%lld",
                           (long long)u->soft, (long long)u->hard);
    }
    return 0;
}

int check_resources(const struct container_spec *s, struct err *e)
{
    return check_memory(s, e) || check_cpu(s, e) || check_cpuset(s, e) ||
                   check_other_kernels(s, e) || check_ulimits(s, e)
               ? -1
               : 0;
}
