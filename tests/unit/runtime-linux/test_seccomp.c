/*
 * Our filter generator against libseccomp's: both programs are run, by a small interpreter, over
 * every call and a set of arguments, and must say the same.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/unit.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "runtime-linux/caps.h"
#include "runtime-linux/launch_internal.h"
#include "runtime-linux/oci.h"
#include "runtime-linux/seccomp_profile.h"

static uint32_t simulate(const struct sock_filter *p, size_t n, const struct seccomp_data *d)
{
    uint32_t a = 0;

    for (size_t pc = 0; pc < n; pc++) {
        const struct sock_filter *f = &p[pc];
        bool yes = false;

        switch (f->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            memcpy(&a, (const char *)d + f->k, sizeof(a));
            continue;
        case BPF_ALU | BPF_AND | BPF_K:
            a &= f->k;
            continue;
        case BPF_RET | BPF_K:
            return f->k;
        case BPF_JMP | BPF_JA:
            pc += f->k;
            continue;
        case BPF_JMP | BPF_JEQ | BPF_K:
            yes = a == f->k;
            break;
        case BPF_JMP | BPF_JGE | BPF_K:
            yes = a >= f->k;
            break;
        case BPF_JMP | BPF_JGT | BPF_K:
            yes = a > f->k;
            break;
        case BPF_JMP | BPF_JSET | BPF_K:
            yes = a & f->k;
            break;
        default:
            fail_msg("unexpected instruction %#x", f->code);
        }
        pc += yes ? f->jt : f->jf;
    }
    fail_msg("the program ran off its end");
    return 0;
}

/* The same profile through libseccomp, as runc does it. */
static struct sock_filter *oracle(const struct oci_seccomp *s, size_t *n)
{
    static const struct {
        const char *name;
        enum scmp_compare op;
    } ops[] = {
        {"SCMP_CMP_NE",        SCMP_CMP_NE       },
        {"SCMP_CMP_LT",        SCMP_CMP_LT       },
        {"SCMP_CMP_LE",        SCMP_CMP_LE       },
        {"SCMP_CMP_EQ",        SCMP_CMP_EQ       },
        {"SCMP_CMP_GE",        SCMP_CMP_GE       },
        {"SCMP_CMP_GT",        SCMP_CMP_GT       },
        {"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ},
    };
    const bool deny = str_eq(s->default_action, "SCMP_ACT_ERRNO");
    scmp_filter_ctx ctx = seccomp_init(deny ? SCMP_ACT_ERRNO(EPERM) : SCMP_ACT_ALLOW);
    int fd = memfd_create("oracle", MFD_CLOEXEC);
    struct sock_filter *code;
    struct stat st;

    assert_non_null(ctx);
    for (size_t i = 0; i < s->architectures.n; i++)
        (void)seccomp_arch_add(ctx, str_eq(s->architectures.v[i], "SCMP_ARCH_X86") ? SCMP_ARCH_X86
                                    : str_eq(s->architectures.v[i], "SCMP_ARCH_X32")
                                        ? SCMP_ARCH_X32
                                        : SCMP_ARCH_X86_64);
    for (size_t i = 0; i < s->n_rules; i++) {
        const struct oci_seccomp_rule *r = &s->rules[i];
        uint32_t action = str_eq(r->action, "SCMP_ACT_ALLOW")
                              ? SCMP_ACT_ALLOW
                              : SCMP_ACT_ERRNO((uint32_t)(r->errno_ret < 0 ? EPERM : r->errno_ret));
        struct scmp_arg_cmp cmp[6];

        if (action == (deny ? SCMP_ACT_ERRNO(EPERM) : SCMP_ACT_ALLOW))
            continue;
        for (size_t k = 0; k < r->n_args; k++) {
            cmp[k].arg = r->args[k].index;
            for (size_t o = 0; o < ARRAY_LEN(ops); o++)
                if (str_eq(ops[o].name, r->args[k].op))
                    cmp[k].op = ops[o].op;
            cmp[k].datum_a = r->args[k].value;
            cmp[k].datum_b = r->args[k].value_two;
        }
        for (size_t k = 0; k < r->names.n; k++) {
            int nr = seccomp_syscall_resolve_name(r->names.v[k]);

            if (nr != __NR_SCMP_ERROR)
                (void)seccomp_rule_add_array(ctx, action, nr, (unsigned)r->n_args, cmp);
        }
    }
    assert_int_equal(seccomp_export_bpf(ctx, fd), 0);
    seccomp_release(ctx);
    assert_int_equal(fstat(fd, &st), 0);
    code = xmalloc((size_t)st.st_size);
    assert_int_equal(pread(fd, code, (size_t)st.st_size, 0), st.st_size);
    close(fd);
    *n = (size_t)st.st_size / sizeof(*code);
    return code;
}

static const uint64_t samples[] = {
    0,          1,           2,
    5,          8,           16,
    39,         40,          41,
    0x8,        0x20000,     0x20008,
    0x20001,    0xffffffff,  0x10000000,
    0x7e020000, 0x00020000,  0x3d0f00,
    0x80000000, 1ULL << 32,  (1ULL << 32) + 40,
    UINT64_MAX, 0x100000028, 0x28ffffffff,
};

static void compare_call(const struct seccomp_program *mine, const struct sock_filter *theirs,
                         size_t n, uint32_t arch, uint32_t nr)
{
    for (size_t i = 0; i < ARRAY_LEN(samples); i++)
        for (size_t k = 0; k < 3; k++) {
            struct seccomp_data d = {.arch = arch, .nr = (int)nr};
            uint32_t a, b;

            d.args[0] = samples[i];
            d.args[1] = samples[(i + k) % ARRAY_LEN(samples)];
            d.args[2] = samples[k];
            a = simulate(mine->code, mine->n, &d);
            b = simulate(theirs, n, &d);
            if (a != b)
                fail_msg("arch %#x, call %u (%#llx, %#llx): ours %#x, libseccomp's %#x", arch, nr,
                         (unsigned long long)d.args[0], (unsigned long long)d.args[1], a, b);
        }
}

static void compare(const struct oci_seccomp *s)
{
    static const uint32_t archs[] = {AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, AUDIT_ARCH_AARCH64};
    struct seccomp_program mine;
    size_t n = 0;
    cleanup_free struct sock_filter *theirs = oracle(s, &n);

    assert_ok(seccomp_compile(s, &mine, &e));
    if (n > 200) /* the reason for having our own */
        assert_true(mine.n < n);
    for (size_t i = 0; i < ARRAY_LEN(archs); i++) {
        for (uint32_t nr = 0; nr < 600; nr++) {
            compare_call(&mine, theirs, n, archs[i], nr);
            compare_call(&mine, theirs, n, archs[i], nr | 0x40000000);
        }
        compare_call(&mine, theirs, n, archs[i], UINT32_MAX);
        compare_call(&mine, theirs, n, archs[i], 0x3fffffff);
    }
    seccomp_program_release(&mine);
}

static void compare_text(const char *seccomp)
{
    cleanup_free char *text = str_printf("{\"root\":{\"path\":\"r\"},\"linux\":{\"namespaces\":[{"
                                         "\"type\":\"mount\"}],\"seccomp\":%s}}",
                                         seccomp);
    struct oci_config *cfg = NULL;

    assert_ok(oci_config_parse(text, strlen(text), "/", &cfg, &e));
    compare(cfg->seccomp);
    oci_config_free(cfg);
}

static void the_default_profile_means_the_same_as_by_libseccomp(void **state)
{
    static const uint64_t caps[] = {0, 0xa80425fb, 0x1ffffffffff, CAP_BIT(21), CAP_BIT(23)};

    (void)state;
#ifndef __x86_64__
    skip();
#endif
    for (size_t i = 0; i < ARRAY_LEN(caps); i++) {
        cleanup_buf struct buf b = BUF_INIT(1 << 20);
        struct jsonw w = JSONW_INIT(&b);

        seccomp_profile_default(caps[i], &w);
        compare_text(b.data);
    }
}

static void every_comparison_means_the_same_as_by_libseccomp(void **state)
{
    static const char *const ops[] = {"NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"};

    (void)state;
#ifndef __x86_64__
    skip();
#endif
    for (size_t i = 0; i < ARRAY_LEN(ops); i++)
        for (size_t k = 0; k < ARRAY_LEN(samples); k++) {
            cleanup_free char *text = str_printf(
                "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"architectures\":[\"SCMP_ARCH_X86_64\","
                "\"SCMP_ARCH_X86\"],\"syscalls\":[{\"names\":[\"read\",\"close\"],\"action\":"
                "\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":1,\"op\":\"SCMP_CMP_%s\",\"value\":%llu,"
                "\"valueTwo\":%llu},{\"index\":2,\"op\":\"SCMP_CMP_NE\",\"value\":1}]},"
                "{\"names\":[\"write\"],\"action\":\"SCMP_ACT_ALLOW\"}]}",
                ops[i], (unsigned long long)samples[k],
                (unsigned long long)(samples[k] & 0xffff00000000ffffULL));

            compare_text(text);
        }
}

static void a_list_of_what_is_forbidden_closes_the_other_doors_too(void **state)
{
    (void)state;
#ifndef __x86_64__
    skip();
#endif
    /* socketcall(SYS_SOCKET) on 32-bit x86, and x32's numbers when x32 is not named */
    compare_text("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":[\"SCMP_ARCH_X86_64\","
                 "\"SCMP_ARCH_X86\"],\"syscalls\":[{\"names\":[\"socket\",\"bind\",\"mount\"],"
                 "\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":38}]}");
    compare_text("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"ptrace\"],"
                 "\"action\":\"SCMP_ACT_ERRNO\"}]}");
}

static void a_profile_of_dockers_is_reduced_to_what_holds_here(void **state)
{
    static const char profile[] =
        "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"archMap\":[{\"architecture\":\"SCMP_ARCH_X86_64\","
        "\"subArchitectures\":[\"SCMP_ARCH_X86\"]}],\"syscalls\":["
        "{\"names\":[\"a\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"caps\":[\"CAP_SYS_"
        "ADMIN\"]}},"
        "{\"names\":[\"b\"],\"action\":\"SCMP_ACT_ALLOW\",\"excludes\":{\"caps\":[\"CAP_SYS_"
        "ADMIN\"]}},"
        "{\"names\":[\"c\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"minKernel\":\"4.8\"}},"
        "{\"names\":[\"d\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"minKernel\":\"99.0\"}},"
        "{\"name\":\"e\",\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"arches\":[\"mars\"]}},"
        "{\"name\":\"f\",\"action\":\"SCMP_ACT_ALLOW\"}]}";
    cleanup_buf struct buf b = BUF_INIT(1 << 16);
    struct jsonw w = JSONW_INIT(&b);

    (void)state;
    assert_ok(seccomp_profile_convert(profile, 0, &w, &e));
    assert_non_null(strstr(b.data, "[{\"names\":[\"b\"],\"action\":\"SCMP_ACT_ALLOW\"},"
                                   "{\"names\":[\"c\"],\"action\":\"SCMP_ACT_ALLOW\"},"
                                   "{\"names\":[\"f\"],\"action\":\"SCMP_ACT_ALLOW\"}]"));
    buf_reset(&b);
    w = JSONW_INIT(&b);
    assert_err(seccomp_profile_convert("{", 0, &w, &e), ERR_INVALID);
    w = JSONW_INIT(&b);
    assert_err(seccomp_profile_convert("{\"syscalls\":[{\"name\":\"a\"}]}", 0, &w, &e),
               ERR_INVALID);
    assert_true(seccomp_profile_is_empty("{}"));
    assert_true(seccomp_profile_is_empty("{\"syscalls\":[],\"architectures\":null}"));
    assert_false(seccomp_profile_is_empty("{\"defaultAction\":\"SCMP_ACT_ALLOW\"}"));
    assert_false(seccomp_profile_is_empty("[]"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_default_profile_means_the_same_as_by_libseccomp),
        cmocka_unit_test(every_comparison_means_the_same_as_by_libseccomp),
        cmocka_unit_test(a_list_of_what_is_forbidden_closes_the_other_doors_too),
        cmocka_unit_test(a_profile_of_dockers_is_reduced_to_what_holds_here),
    };
    return cmocka_run_group_tests_name("runtime-linux/seccomp", tests, NULL, NULL);
}
