/*
 * seccomp: from an OCI profile to a program for the kernel, and loading it.
 *
 * The launcher compiles, because libseccomp allocates and may fail; the child only loads.  A name
 * that this libseccomp does not know is left out, as runc does: it falls to the default action.
 */
#include <errno.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "runtime-linux/launch_internal.h"

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
    {"SCMP_CMP_NE",        SCMP_CMP_NE       },
    {"SCMP_CMP_LT",        SCMP_CMP_LT       },
    {"SCMP_CMP_LE",        SCMP_CMP_LE       },
    {"SCMP_CMP_EQ",        SCMP_CMP_EQ       },
    {"SCMP_CMP_GE",        SCMP_CMP_GE       },
    {"SCMP_CMP_GT",        SCMP_CMP_GT       },
    {"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ},
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

static int add_rule(scmp_filter_ctx ctx, uint32_t action, int nr, const struct oci_seccomp_rule *r,
                    struct err *e)
{
    struct scmp_arg_cmp cmp[6];
    unsigned n = 0;
    int rc = 0;

    for (size_t i = 0; i < r->n_args && n < 6; i++) {
        uint32_t op = 0;

        if (find(operators, ARRAY_LEN(operators), r->args[i].op, &op, e))
            return -1;
        cmp[n++] = (struct scmp_arg_cmp){.arg = r->args[i].index,
                                         .op = (enum scmp_compare)op,
                                         .datum_a = r->args[i].value,
                                         .datum_b = r->args[i].value_two};
    }
    if (!n) {
        rc = seccomp_rule_add_array(ctx, action, nr, 0, NULL);
    } else if (!an_index_is_there_twice(r)) {
        rc = seccomp_rule_add_array(ctx, action, nr, n, cmp);
    } else { /* libseccomp takes an argument once per rule: these are alternatives */
        for (unsigned i = 0; i < n && rc == 0; i++)
            rc = seccomp_rule_add_array(ctx, action, nr, 1, &cmp[i]);
    }
    /* EINVAL, EDOM: the call does not exist on one of the architectures */
    if (rc < 0 && rc != -EINVAL && rc != -EDOM && rc != -EEXIST)
        return err_os(e, -rc, "seccomp: add a rule");
    return 0;
}

static int add_rules(scmp_filter_ctx ctx, const struct oci_seccomp *s, uint32_t default_action,
                     struct err *e)
{
    for (size_t i = 0; i < s->n_rules; i++) {
        const struct oci_seccomp_rule *r = &s->rules[i];
        uint32_t action = 0;

        if (find_action(r->action, r->errno_ret, &action, e))
            return -1;
        if (action == default_action)
            continue;
        for (size_t k = 0; k < r->names.n; k++) {
            int nr = seccomp_syscall_resolve_name(r->names.v[k]);

            if (nr != __NR_SCMP_ERROR && add_rule(ctx, action, nr, r, e))
                return err_wrap(e, "%s", r->names.v[k]);
        }
    }
    return 0;
}

static int add_architectures(scmp_filter_ctx ctx, const struct oci_seccomp *s, struct err *e)
{
    for (size_t i = 0; i < s->architectures.n; i++) {
        uint32_t arch = 0;
        int rc;

        if (find(architectures, ARRAY_LEN(architectures), s->architectures.v[i], &arch, e))
            return -1;
        rc = seccomp_arch_add(ctx, arch);
        if (rc < 0 && rc != -EEXIST)
            return err_os(e, -rc, "seccomp: add the architecture %s", s->architectures.v[i]);
    }
    return 0;
}

static int export_program(scmp_filter_ctx ctx, struct seccomp_program *out, struct err *e)
{
    cleanup_fd int fd = memfd_create("seccomp", MFD_CLOEXEC);
    struct stat st;
    int rc;

    if (fd < 0)
        return err_os(e, errno, "memfd_create");
    rc = seccomp_export_bpf(ctx, fd);
    if (rc < 0)
        return err_os(e, -rc, "seccomp: compile the profile");
    if (fstat(fd, &st))
        return err_os(e, errno, "seccomp: stat the program");
    if (st.st_size / (off_t)sizeof(struct sock_filter) > BPF_MAXINSNS)
        return err_set(e, ERR_INVALID, "seccomp: the profile is too large for the kernel");
    out->code = xmalloc((size_t)st.st_size);
    out->n = (unsigned short)((size_t)st.st_size / sizeof(struct sock_filter));
    if (pread(fd, out->code, (size_t)st.st_size, 0) != st.st_size) {
        seccomp_program_release(out);
        return err_os(e, errno, "seccomp: read the program");
    }
    return 0;
}

int seccomp_compile(const struct oci_seccomp *s, struct seccomp_program *out, struct err *e)
{
    uint32_t default_action = 0;
    scmp_filter_ctx ctx;
    int failed;

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
    ctx = seccomp_init(default_action);
    if (!ctx)
        return err_set(e, ERR_UNSUPPORTED, "seccomp: libseccomp cannot be used here");
    (void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree; older ones have a list */
    failed = add_architectures(ctx, s, e) || add_rules(ctx, s, default_action, e) ||
             export_program(ctx, out, e);
    seccomp_release(ctx);
    return failed ? -1 : 0;
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
