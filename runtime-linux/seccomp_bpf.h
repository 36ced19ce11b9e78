/*
 * seccomp_bpf: a filter program from rules, without libseccomp's generator.
 *
 * libseccomp takes ten milliseconds for a profile of Docker's size, longer than all the rest of a
 * start.  This takes 0.3.  Profiles of that shape (long lists without conditions, a few with) need
 * little: per architecture the numbers are cut into intervals with the same verdict, and a binary
 * tree over the intervals finds the one of a call: nine steps instead of hundreds, which every
 * system call of the container would pay for.  test_seccomp runs both programs over all calls and
 * compares.
 */
#pragma once

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"

enum bpf_compare { BPF_NE, BPF_LT, BPF_LE, BPF_EQ, BPF_GE, BPF_GT, BPF_MASKED };

struct bpf_condition {
    unsigned arg; /* 0..5 */
    enum bpf_compare op;
    uint64_t value; /* MASKED: the mask */
    uint64_t two;   /* MASKED: what is left under it */
};

/* One call on one architecture.  All conditions must hold; none: always. */
struct bpf_call {
    uint32_t nr;
    uint32_t action; /* SECCOMP_RET_* with its data */
    const struct bpf_condition *conditions;
    size_t n_conditions;
    size_t order; /* the earlier rule wins; one without conditions wins over those with */
};

struct bpf_arch {
    uint32_t token;         /* AUDIT_ARCH_* */
    struct bpf_call *calls; /* sorted in place */
    size_t n_calls;
    bool x32_is_foreign; /* x86_64 without x32: its numbers are killed, as libseccomp does */
};

/* Calls of other architectures are killed.  *code is the caller's to free. */
int seccomp_bpf_generate(struct bpf_arch *archs, size_t n, uint32_t default_action,
                         struct sock_filter **code, unsigned short *len, struct err *e) MUST_USE;
