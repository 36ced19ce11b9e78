/* rlimits: names to numbers, and setting them.  RLIMIT_* texts as in the OCI specification. */
#include <errno.h>
#include <sys/resource.h>

#include "base/str.h"
#include "runtime-linux/launch_internal.h"

static const struct {
    const char *name;
    int resource;
} table[] = {
    {"RLIMIT_AS",         RLIMIT_AS        },
    {"RLIMIT_CORE",       RLIMIT_CORE      },
    {"RLIMIT_CPU",        RLIMIT_CPU       },
    {"RLIMIT_DATA",       RLIMIT_DATA      },
    {"RLIMIT_FSIZE",      RLIMIT_FSIZE     },
    {"RLIMIT_LOCKS",      RLIMIT_LOCKS     },
    {"RLIMIT_MEMLOCK",    RLIMIT_MEMLOCK   },
    {"RLIMIT_MSGQUEUE",   RLIMIT_MSGQUEUE  },
    {"RLIMIT_NICE",       RLIMIT_NICE      },
    {"RLIMIT_NOFILE",     RLIMIT_NOFILE    },
    {"RLIMIT_NPROC",      RLIMIT_NPROC     },
    {"RLIMIT_RSS",        RLIMIT_RSS       },
    {"RLIMIT_RTPRIO",     RLIMIT_RTPRIO    },
    {"RLIMIT_RTTIME",     RLIMIT_RTTIME    },
    {"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
    {"RLIMIT_STACK",      RLIMIT_STACK     },
};

static int by_name(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (str_eq(table[i].name, name))
            return table[i].resource;
    return -1;
}

int rlimits_check(const struct oci_process *p, struct err *e)
{
    for (size_t i = 0; i < p->n_rlimits; i++) {
        const struct oci_rlimit *r = &p->rlimits[i];

        if (by_name(r->type) < 0)
            return err_set(e, ERR_INVALID, "process.rlimits: unknown limit \"%s\"", r->type);
        if (r->soft > r->hard)
            return err_set(e, ERR_INVALID, "process.rlimits: %s: soft limit is above the hard one",
                           r->type);
    }
    return 0;
}

int rlimits_apply(const struct oci_process *p, struct err *e)
{
    for (size_t i = 0; i < p->n_rlimits; i++) {
        const struct oci_rlimit *r = &p->rlimits[i];
        const struct rlimit lim = {.rlim_cur = r->soft, .rlim_max = r->hard};

        if (setrlimit((__rlimit_resource_t)by_name(r->type), &lim))
            return err_os(e, errno, "error setting rlimits for %s (soft %llu, hard %llu)", r->type,
                          (unsigned long long)r->soft, (unsigned long long)r->hard);
    }
    return 0;
}
