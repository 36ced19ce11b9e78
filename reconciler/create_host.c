/*
 * create_host: what this machine has to say about a new container: limits that its kernel does not
 * know are discarded with a warning, and processors that it does not have are refused, all in
 * Docker's words.
 */
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/host.h"
#include "base/mem.h"
#include "reconciler/engine_internal.h"

#define CGROUP_MISSING " or the cgroup is not mounted. "

static bool lacks(struct engine *g, const char *feature)
{
    return g->rt->ops->supports && !g->rt->ops->supports(g->rt, feature);
}

/* A number that is set, its feature, and the words for its loss. */
struct discard {
    const char *feature;
    int64_t *value;
    int64_t unset;
    const char *warning;
};

static void discard_numbers(struct engine *g, struct container_spec *s, struct strv *warnings)
{
    const struct discard rows[] = {
        {"memory",            &s->memory,             0,
         "Your kernel does not support memory limit capabilities" CGROUP_MISSING
         "Limitation discarded."                                                           },
        {"memory.swap",       &s->memory_swap,        0,
         "Your kernel does not support swap limit capabilities" CGROUP_MISSING
         "Memory limited without swap."                                                    },
        {"memory.swappiness", &s->memory_swappiness,  -1,
         "Your kernel does not support memory swappiness capabilities" CGROUP_MISSING
         "Memory swappiness discarded."                                                    },
        {"memory",            &s->memory_reservation, 0,
         "Your kernel does not support memory soft limit capabilities" CGROUP_MISSING
         "Limitation discarded."                                                           },
        {"pids",              &s->pids_limit,         0,
         "Your kernel does not support PIDs limit capabilities" CGROUP_MISSING
         "PIDs limit discarded."                                                           },
        {"cpu",               &s->cpu_shares,         0,
         "Your kernel does not support CPU shares" CGROUP_MISSING "Shares discarded."      },
        {"cpu",               &s->cpu_period,         0,
         "Your kernel does not support CPU CFS scheduler. CPU period/quota discarded."     },
        {"cpu",               &s->cpu_quota,          0,
         "Your kernel does not support CPU CFS scheduler. CPU period/quota discarded."     },
        {"blkio.weight",      &s->blkio_weight,       0,
         "Your kernel does not support Block I/O weight" CGROUP_MISSING "Weight discarded."},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (*rows[i].value == rows[i].unset || !lacks(g, rows[i].feature))
            continue;
        if (!strv_has(warnings, rows[i].warning))
            strv_add(warnings, rows[i].warning);
        *rows[i].value = rows[i].unset;
    }
}

/* ------------------------------------------------------------ processors */

/* "3" and "0-2"; false: no number. */
static bool parse_range(const char *text, unsigned *first, unsigned *last)
{
    int got = sscanf(text, "%u-%u", first, last);

    if (got == 1)
        *last = *first;
    return got >= 1;
}

static bool in_ranges(const struct strv *ranges, unsigned n)
{
    for (size_t i = 0; i < ranges->n; i++) {
        unsigned first, last;

        if (parse_range(ranges->v[i], &first, &last) && n >= first && n <= last)
            return true;
    }
    return false;
}

/* Is every number of "0-2,7" among those of `have`? */
static bool covers(const char *have, const char *wanted)
{
    cleanup_strv struct strv parts = {0}, ranges = {0};

    strv_split(&parts, wanted, ',');
    strv_split(&ranges, have, ',');
    for (size_t i = 0; i < parts.n; i++) {
        unsigned first, last;

        if (!parse_range(parts.v[i], &first, &last))
            return true; /* no number: container_spec_validate() says so */
        for (unsigned n = first; n <= last; n++)
            if (!in_ranges(&ranges, n))
                return false;
    }
    return true;
}

static int check_set(const char *what, const char *file, const char *wanted, struct err *e)
{
    cleanup_buf struct buf text = BUF_INIT(64 * 1024);
    char *have;

    if (str_empty(wanted) || fs_read(file, &text, ERR_IGNORE))
        return 0; /* the kernel says itself what it cannot do */
    have = str_trim(text.data);
    return covers(have, wanted)
               ? 0
               : err_set(e, ERR_INVALID,
                         "Requested %s are not available - requested %s, available: %s", what,
                         wanted, have);
}

static int check_processors(struct engine *g, struct container_spec *s, struct strv *warnings,
                            struct err *e)
{
    long n = host_processors();

    if (s->nano_cpus && lacks(g, "cpu"))
        return err_set(e, ERR_INVALID,
                       "NanoCPUs can not be set, as your kernel does not support CPU CFS scheduler "
                       "or the cgroup is not mounted");
    if (s->nano_cpus < 0 || (s->nano_cpus && s->nano_cpus < 10000000) ||
        s->nano_cpus > n * 1000000000LL)
        return err_set(e, ERR_INVALID,
                       "range of CPUs is from 0.01 to %ld.00, as there are only %ld CPUs available",
                       n, n);
    if ((!str_empty(s->cpuset_cpus) || !str_empty(s->cpuset_mems)) && lacks(g, "cpuset")) {
        strv_add(warnings, "Your kernel does not support cpuset" CGROUP_MISSING "CPUset "
                           "discarded.");
        str_set(&s->cpuset_cpus, "");
        str_set(&s->cpuset_mems, "");
    }
    return check_set("CPUs", "/sys/devices/system/cpu/online", s->cpuset_cpus, e) ||
                   check_set("memory nodes", "/sys/devices/system/node/online", s->cpuset_mems, e)
               ? -1
               : 0;
}

/* ------------------------------------------------------------ all */

int create_for_host(struct engine *g, struct container_spec *s, struct strv *warnings,
                    struct err *e)
{
    discard_numbers(g, s, warnings);
    if (s->oom_kill_disable && lacks(g, "memory.oom_kill_disable")) {
        strv_add(warnings,
                 "Your kernel does not support OomKillDisable. OomKillDisable discarded.");
        s->oom_kill_disable = false;
    }
    if (s->device_rates[DEVICE_WEIGHT].n && lacks(g, "blkio.weight_device")) {
        strv_add(warnings, "Your kernel does not support Block I/O weight_device" CGROUP_MISSING
                           "Weight-device discarded.");
        device_rates_release(&s->device_rates[DEVICE_WEIGHT]);
    }
    return check_processors(g, s, warnings, e);
}

const char *create_cgroupns(struct engine *g)
{
    return lacks(g, "cgroup.v2") ? "host" : "private";
}
