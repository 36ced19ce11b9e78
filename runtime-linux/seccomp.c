/*
 * seccomp: from an OCI profile to a program for the kernel, and loading it.
 *
 * libseccomp knows the numbers of the calls on every architecture; seccomp_bpf.c makes the program.
 * The launcher compiles, the child only loads.  A name that this libseccomp does not know is left
 * out, as runc does: it falls to the default action.
 */
#include <errno.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "runtime-linux/launch_internal.h"
#include "runtime-linux/seccomp_bpf.h"

struct word {
    const char *name;
    uint32_t value;
};

static const struct word actions[] = {
    {"SCMP_ACT_KILL",         SCMP_ACT_KILL_THREAD },
    {"SCMP_ACT_KILL_THREAD",  SCMP_ACT_KILL_THREAD },
    {"SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS},
    {"SCMP_ACT_TRAP",         SCMP_ACT_TRAP        },
    {"SCMP_ACT_ERRNO",        SCMP_ACT_ERRNO(0)    },
    {"SCMP_ACT_TRACE",        SCMP_ACT_TRACE(0)    },
    {"SCMP_ACT_ALLOW",        SCMP_ACT_ALLOW       },
    {"SCMP_ACT_LOG",          SCMP_ACT_LOG         },
};

static const struct word operators[] = {
    {"SCMP_CMP_NE",        BPF_NE    },
    {"SCMP_CMP_LT",        BPF_LT    },
    {"SCMP_CMP_LE",        BPF_LE    },
    {"SCMP_CMP_EQ",        BPF_EQ    },
    {"SCMP_CMP_GE",        BPF_GE    },
    {"SCMP_CMP_GT",        BPF_GT    },
    {"SCMP_CMP_MASKED_EQ", BPF_MASKED},
};

static const struct word architectures[] = {
    {"SCMP_ARCH_X86",         SCMP_ARCH_X86        },
    {"SCMP_ARCH_X86_64",      SCMP_ARCH_X86_64     },
    {"SCMP_ARCH_X32",         SCMP_ARCH_X32        },
    {"SCMP_ARCH_ARM",         SCMP_ARCH_ARM        },
    {"SCMP_ARCH_AARCH64",     SCMP_ARCH_AARCH64    },
    {"SCMP_ARCH_MIPS",        SCMP_ARCH_MIPS       },
    {"SCMP_ARCH_MIPS64",      SCMP_ARCH_MIPS64     },
    {"SCMP_ARCH_MIPS64N32",   SCMP_ARCH_MIPS64N32  },
    {"SCMP_ARCH_MIPSEL",      SCMP_ARCH_MIPSEL     },
    {"SCMP_ARCH_MIPSEL64",    SCMP_ARCH_MIPSEL64   },
    {"SCMP_ARCH_MIPSEL64N32", SCMP_ARCH_MIPSEL64N32},
    {"SCMP_ARCH_PPC",         SCMP_ARCH_PPC        },
    {"SCMP_ARCH_PPC64",       SCMP_ARCH_PPC64      },
    {"SCMP_ARCH_PPC64LE",     SCMP_ARCH_PPC64LE    },
    {"SCMP_ARCH_S390",        SCMP_ARCH_S390       },
    {"SCMP_ARCH_S390X",       SCMP_ARCH_S390X      },
    {"SCMP_ARCH_RISCV64",     SCMP_ARCH_RISCV64    },
};

static const struct word filter_flags[] = {
    {"SECCOMP_FILTER_FLAG_TSYNC",      SECCOMP_FILTER_FLAG_TSYNC     },
    {"SECCOMP_FILTER_FLAG_LOG",        SECCOMP_FILTER_FLAG_LOG       },
    {"SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW},
};

static int find(const struct word *table, size_t n, const char *name, uint32_t *out, struct err *e)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(table[i].name, name)) {
            *out = table[i].value;
            return 0;
        }
    return err_set(e, ERR_INVALID, "seccomp: unknown word \"%s\"", name);
}

static int find_action(const char *name, int64_t errno_ret, uint32_t *out, struct err *e)
{
    if (find(actions, ARRAY_LEN(actions), name, out, e))
        return -1;
    if (*out == SCMP_ACT_ERRNO(0))
        *out = SCMP_ACT_ERRNO((uint32_t)(errno_ret < 0 ? EPERM : errno_ret) & 0xffff);
    else if (*out == SCMP_ACT_TRACE(0))
        *out = SCMP_ACT_TRACE((uint32_t)(errno_ret < 0 ? EPERM : errno_ret) & 0xffff);
    return 0;
}

static bool an_index_is_there_twice(const struct oci_seccomp_rule *r)
{
    unsigned seen = 0;

    for (size_t i = 0; i < r->n_args; i++) {
        if (seen & (1u << r->args[i].index))
            return true;
        seen |= 1u << r->args[i].index;
    }
    return false;
}

/*
 * Some architectures (32-bit x86, s390) also reach these calls through one that takes their number
 * as its first argument.  A rule must hold there too, or what is forbidden stays open.
 */
static const struct mux {
    const char *name;
    uint8_t socketcall, ipc;
} muxes[] = {
    {"socket",      1,  0 },
    {"bind",        2,  0 },
    {"connect",     3,  0 },
    {"listen",      4,  0 },
    {"accept",      5,  0 },
    {"getsockname", 6,  0 },
    {"getpeername", 7,  0 },
    {"socketpair",  8,  0 },
    {"send",        9,  0 },
    {"recv",        10, 0 },
    {"sendto",      11, 0 },
    {"recvfrom",    12, 0 },
    {"shutdown",    13, 0 },
    {"setsockopt",  14, 0 },
    {"getsockopt",  15, 0 },
    {"sendmsg",     16, 0 },
    {"recvmsg",     17, 0 },
    {"accept4",     18, 0 },
    {"recvmmsg",    19, 0 },
    {"sendmmsg",    20, 0 },
    {"semop",       0,  1 },
    {"semget",      0,  2 },
    {"semctl",      0,  3 },
    {"semtimedop",  0,  4 },
    {"msgsnd",      0,  11},
    {"msgrcv",      0,  12},
    {"msgget",      0,  13},
    {"msgctl",      0,  14},
    {"shmat",       0,  21},
    {"shmdt",       0,  22},
    {"shmget",      0,  23},
    {"shmctl",      0,  24},
};

/*
 * Their own numbers, which libseccomp does not tell by name: it answers with a stand-in for "both
 * ways".  By number it does, and they lie close together.
 */
#define MUX_DIRECT_FIRST 320
#define MUX_DIRECT_LAST  420
struct mux_direct {
    int nr[ARRAY_LEN(muxes)]; /* -1: only through the multiplexer */
};

static void find_direct(uint32_t scmp_arch, struct mux_direct *d)
{
    for (size_t i = 0; i < ARRAY_LEN(muxes); i++)
        d->nr[i] = -1;
    if (seccomp_syscall_resolve_name_arch(scmp_arch, "socketcall") < 0)
        return;
    for (int nr = MUX_DIRECT_FIRST; nr <= MUX_DIRECT_LAST; nr++) {
        cleanup_free char *name = seccomp_syscall_resolve_num_arch(scmp_arch, nr);

        for (size_t i = 0; name && i < ARRAY_LEN(muxes); i++)
            if (str_eq(muxes[i].name, name))
                d->nr[i] = nr;
    }
}

/* One kernel architecture being filled; x32 goes into x86_64's. */
struct filling {
    struct bpf_arch *archs;
    size_t n_archs;
    struct bpf_condition **pools; /* conditions live here until the program is made */
    size_t n_pools;
};

static void filling_release(struct filling *f)
{
    for (size_t i = 0; i < f->n_archs; i++)
        free(f->archs[i].calls);
    free(f->archs);
    for (size_t i = 0; i < f->n_pools; i++)
        free(f->pools[i]);
    free(f->pools);
}

static struct bpf_condition *conditions_new(struct filling *f, size_t n)
{
    f->pools = xrealloc(f->pools, (f->n_pools + 1) * sizeof(*f->pools));
    f->pools[f->n_pools] = xcalloc(n + 1, sizeof(**f->pools));
    return f->pools[f->n_pools++];
}

static void add_call(struct bpf_arch *a, int nr, uint32_t action, const struct bpf_condition *c,
                     size_t n)
{
    if ((a->n_calls & (a->n_calls - 1)) == 0) /* room for a power of two */
        a->calls = xrealloc(a->calls, (a->n_calls ? a->n_calls * 2 : 1) * sizeof(*a->calls));
    a->calls[a->n_calls] = (struct bpf_call){.nr = (uint32_t)nr,
                                             .action = action,
                                             .conditions = c,
                                             .n_conditions = n,
                                             .order = a->n_calls};
    a->n_calls++;
}

static const struct mux *mux_of(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(muxes); i++)
        if (str_eq(muxes[i].name, name))
            return &muxes[i];
    return NULL;
}

static void add_mux(struct filling *f, struct bpf_arch *a, uint32_t scmp_arch, const struct mux *m,
                    uint32_t action, bool conditional)
{
    const int nr =
        seccomp_syscall_resolve_name_arch(scmp_arch, m->socketcall ? "socketcall" : "ipc");
    struct bpf_condition *c;

    /* Arguments behind a pointer cannot be looked at: what is allowed with certain ones only is
     * not allowed here, and what is forbidden with certain ones is forbidden. */
    if (nr < 0 || (conditional && action == SCMP_ACT_ALLOW))
        return;
    c = conditions_new(f, 1);
    *c = (struct bpf_condition){.op = BPF_MASKED,
                                .value = m->socketcall ? 0xffffffff : 0xffff,
                                .two = m->socketcall ? m->socketcall : m->ipc};
    add_call(a, nr, action, c, 1);
}

static int make_conditions(struct filling *f, const struct oci_seccomp_rule *r,
                           struct bpf_condition **out, struct err *e)
{
    struct bpf_condition *c = conditions_new(f, r->n_args);

    for (size_t i = 0; i < r->n_args; i++) {
        uint32_t op = 0;

        if (find(operators, ARRAY_LEN(operators), r->args[i].op, &op, e))
            return -1;
        c[i] = (struct bpf_condition){.arg = r->args[i].index,
                                      .op = (enum bpf_compare)op,
                                      .value = r->args[i].value,
                                      .two = r->args[i].value_two};
    }
    *out = c;
    return 0;
}

static int add_rule(struct filling *f, struct bpf_arch *a, uint32_t scmp_arch,
                    const struct mux_direct *direct, const struct oci_seccomp_rule *r,
                    uint32_t action, struct err *e)
{
    const bool alternatives = an_index_is_there_twice(r);
    struct bpf_condition *c = NULL;

    if (r->n_args && make_conditions(f, r, &c, e))
        return -1;
    for (size_t k = 0; k < r->names.n; k++) {
        const struct mux *m = mux_of(r->names.v[k]);
        int nr = seccomp_syscall_resolve_name_arch(scmp_arch, r->names.v[k]);

        if (m) {
            add_mux(f, a, scmp_arch, m, action, r->n_args > 0);
            nr = nr < 0 ? direct->nr[m - muxes] : nr;
        }
        if (nr < 0)
            continue; /* unknown to this libseccomp, or not there on this architecture */
        if (!alternatives)
            add_call(a, nr, action, c, r->n_args);
        else /* libseccomp takes an argument once per rule, so runc makes these alternatives */
            for (size_t i = 0; i < r->n_args; i++)
                add_call(a, nr, action, c + i, 1);
    }
    return 0;
}

static int add_arch(struct filling *f, uint32_t scmp_arch, const struct oci_seccomp *s,
                    uint32_t default_action, struct err *e)
{
    const bool x32 = scmp_arch == SCMP_ARCH_X32;
    const uint32_t token = x32 ? SCMP_ARCH_X86_64 : scmp_arch;
    struct bpf_arch *a = NULL;
    struct mux_direct direct;

    find_direct(scmp_arch, &direct);
    for (size_t i = 0; i < f->n_archs; i++)
        if (f->archs[i].token == token)
            a = &f->archs[i];
    if (!a) {
        f->archs = xrealloc(f->archs, (f->n_archs + 1) * sizeof(*f->archs));
        a = &f->archs[f->n_archs++];
        *a = (struct bpf_arch){.token = token, .x32_is_foreign = token == SCMP_ARCH_X86_64};
    }
    if (x32)
        a->x32_is_foreign = false;
    for (size_t i = 0; i < s->n_rules; i++) {
        uint32_t action = 0;

        if (find_action(s->rules[i].action, s->rules[i].errno_ret, &action, e))
            return -1;
        if (action != default_action && add_rule(f, a, scmp_arch, &direct, &s->rules[i], action, e))
            return -1;
    }
    return 0;
}

/* The native one is always there; a second mention changes nothing. */
static int add_archs(struct filling *f, const struct oci_seccomp *s, uint32_t default_action,
                     struct err *e)
{
    const uint32_t native = seccomp_arch_native();
    uint32_t arch = 0;

    if (add_arch(f, native, s, default_action, e))
        return -1;
    for (size_t i = 0; i < s->architectures.n; i++) {
        bool again = false;

        if (find(architectures, ARRAY_LEN(architectures), s->architectures.v[i], &arch, e))
            return -1;
        for (size_t k = 0; k < i; k++)
            again |= str_eq(s->architectures.v[k], s->architectures.v[i]);
        if (arch != native && !again && add_arch(f, arch, s, default_action, e))
            return -1;
    }
    return 0;
}

int seccomp_compile(const struct oci_seccomp *s, struct seccomp_program *out, struct err *e)
{
    CLEANUP(filling_release) struct filling f = {0};
    uint32_t default_action = 0;

    *out = (struct seccomp_program){0};
    if (!s)
        return 0;
    if (find_action(s->default_action, s->default_errno, &default_action, e))
        return -1;
    for (size_t i = 0; i < s->flags.n; i++) {
        uint32_t flag = 0;

        if (find(filter_flags, ARRAY_LEN(filter_flags), s->flags.v[i], &flag, e))
            return -1;
        out->flags |= flag;
    }
    if (add_archs(&f, s, default_action, e))
        return -1;
    return seccomp_bpf_generate(f.archs, f.n_archs, default_action, &out->code, &out->n, e);
}

void seccomp_program_release(struct seccomp_program *p)
{
    free(p->code);
    p->code = NULL;
}

int seccomp_install(const struct seccomp_program *p, struct err *e)
{
    const struct sock_fprog prog = {.len = p->n, .filter = p->code};

    if (!p->code)
        return 0;
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, p->flags, &prog) == 0)
        return 0;
    if (errno == ENOSYS || errno == EINVAL)
        return err_os(e, errno, "seccomp: this kernel does not take the profile");
    return err_os(e, errno, "seccomp: load the profile");
}
