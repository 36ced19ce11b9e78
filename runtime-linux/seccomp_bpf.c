/* seccomp_bpf: code generation.  See seccomp_bpf.h. */
#include "runtime-linux/seccomp_bpf.h"

#include <endian.h>
#include <linux/audit.h>
#include <linux/seccomp.h>

#include "base/mem.h"

#define X32_BIT 0x40000000u
#define FAIL    0xff /* in jt or jf: to the end of the rule, patched when that is known */

/* All calls with one number, or the default between two of them. */
struct interval {
    uint32_t start;
    uint32_t otherwise;           /* when no condition holds */
    const struct bpf_call *rules; /* with conditions; NULL: none */
    size_t n_rules;
};

struct program {
    struct sock_filter *v;
    size_t n, cap;
};

static size_t emit(struct program *p, uint16_t code, uint8_t jt, uint8_t jf, uint32_t k)
{
    if (p->n == p->cap) {
        p->cap = p->cap ? p->cap * 2 : 256;
        p->v = xrealloc(p->v, p->cap * sizeof(*p->v));
    }
    p->v[p->n] = (struct sock_filter){.code = code, .jt = jt, .jf = jf, .k = k};
    return p->n++;
}

static void load(struct program *p, size_t offset)
{
    emit(p, BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)offset);
}

static void jump(struct program *p, uint16_t test, uint32_t k, uint8_t jt, uint8_t jf)
{
    emit(p, (uint16_t)(BPF_JMP | test | BPF_K), jt, jf, k);
}

static void ret(struct program *p, uint32_t action)
{
    emit(p, BPF_RET | BPF_K, 0, 0, action);
}

/* ------------------------------------------------------------------ conditions */

static size_t low_half(unsigned arg)
{
    return offsetof(struct seccomp_data, args) + 8 * arg + (BYTE_ORDER == BIG_ENDIAN ? 4 : 0);
}

static size_t high_half(unsigned arg)
{
    return offsetof(struct seccomp_data, args) + 8 * arg + (BYTE_ORDER == BIG_ENDIAN ? 0 : 4);
}

static void equal(struct program *p, const struct bpf_condition *c, bool wide)
{
    const bool masked = c->op == BPF_MASKED;
    const uint64_t want = masked ? c->two : c->value;

    if (wide) {
        load(p, high_half(c->arg));
        if (masked)
            emit(p, BPF_ALU | BPF_AND | BPF_K, 0, 0, (uint32_t)(c->value >> 32));
        jump(p, BPF_JEQ, (uint32_t)(want >> 32), 0, FAIL);
    }
    load(p, low_half(c->arg));
    if (masked)
        emit(p, BPF_ALU | BPF_AND | BPF_K, 0, 0, (uint32_t)c->value);
    jump(p, BPF_JEQ, (uint32_t)want, 0, FAIL);
}

static void not_equal(struct program *p, const struct bpf_condition *c, bool wide)
{
    if (wide) {
        load(p, high_half(c->arg));
        jump(p, BPF_JEQ, (uint32_t)(c->value >> 32), 0, 2);
    }
    load(p, low_half(c->arg));
    jump(p, BPF_JEQ, (uint32_t)c->value, FAIL, 0);
}

/* GE and GT, and their opposites LT and LE: the low half decides only when the high ones are equal.
 */
static void ordered(struct program *p, const struct bpf_condition *c, bool wide)
{
    const bool upward = c->op == BPF_GE || c->op == BPF_GT;
    const uint16_t test = c->op == BPF_GE || c->op == BPF_LT ? BPF_JGE : BPF_JGT;

    if (wide) {
        load(p, high_half(c->arg));
        jump(p, BPF_JGT, (uint32_t)(c->value >> 32), upward ? 3 : FAIL, 0);
        jump(p, BPF_JEQ, (uint32_t)(c->value >> 32), 0, upward ? FAIL : 2);
    }
    load(p, low_half(c->arg));
    jump(p, test, (uint32_t)c->value, upward ? 0 : FAIL, upward ? FAIL : 0);
}

static void condition(struct program *p, const struct bpf_condition *c, bool wide)
{
    if (c->op == BPF_EQ || c->op == BPF_MASKED)
        equal(p, c, wide);
    else if (c->op == BPF_NE)
        not_equal(p, c, wide);
    else
        ordered(p, c, wide);
}

static void rule(struct program *p, const struct bpf_call *call, bool wide)
{
    const size_t start = p->n;

    for (size_t i = 0; i < call->n_conditions; i++)
        condition(p, &call->conditions[i], wide);
    ret(p, call->action);
    for (size_t i = start; i < p->n; i++) {
        struct sock_filter *f = &p->v[i];

        if (BPF_CLASS(f->code) != BPF_JMP)
            continue;
        if (f->jt == FAIL)
            f->jt = (uint8_t)(p->n - i - 1);
        if (f->jf == FAIL)
            f->jf = (uint8_t)(p->n - i - 1);
    }
}

/* ------------------------------------------------------------------ the tree */

static void leaf(struct program *p, const struct interval *iv, bool wide)
{
    for (size_t i = 0; i < iv->n_rules; i++)
        if (iv->rules[i].n_conditions)
            rule(p, &iv->rules[i], wide && iv->rules[i].nr < X32_BIT);
    ret(p, iv->otherwise);
}

/* The number is in the accumulator.  Every path ends in a return, so nothing falls through. */
static void tree(struct program *p, const struct interval *iv, size_t n, bool wide)
{
    const size_t half = n / 2;
    size_t at, skip;

    if (n == 1) {
        leaf(p, iv, wide);
        return;
    }
    at = emit(p, BPF_JMP | BPF_JGE | BPF_K, 0, 1, iv[half].start);
    emit(p, BPF_JMP | BPF_JA, 0, 0, 0);
    tree(p, iv, half, wide);
    skip = p->n - at - 2;
    if (skip < 255) { /* near: without the long jump in between */
        memmove(&p->v[at + 1], &p->v[at + 2], skip * sizeof(*p->v));
        p->n--;
        p->v[at].jt = (uint8_t)skip;
        p->v[at].jf = 0;
    } else {
        p->v[at + 1].k = (uint32_t)skip;
    }
    tree(p, iv + half, n - half, wide);
}

/* ------------------------------------------------------------------ intervals */

static int by_number(const void *a, const void *b)
{
    const struct bpf_call *x = a, *y = b;

    if (x->nr != y->nr)
        return x->nr < y->nr ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

struct cuts {
    struct interval *v;
    size_t n;
};

static void cut(struct cuts *c, struct interval iv)
{
    const struct interval *last;

    if (c->n && c->v[c->n - 1].start == iv.start)
        c->n--;
    last = c->n ? &c->v[c->n - 1] : NULL;
    if (last && !last->rules && !iv.rules && last->otherwise == iv.otherwise)
        return; /* goes on as before */
    c->v[c->n++] = iv;
}

static struct interval verdict(const struct bpf_call *calls, size_t n, uint32_t default_action)
{
    struct interval iv = {.start = calls->nr, .otherwise = default_action};

    for (size_t i = 0; i < n; i++)
        if (!calls[i].n_conditions) {
            iv.otherwise = calls[i].action;
            return iv;
        }
    iv.rules = calls;
    iv.n_rules = n;
    return iv;
}

static void intervals(struct bpf_arch *a, uint32_t default_action, struct cuts *c)
{
    const struct interval fallback = {.otherwise = default_action};

    c->v = xcalloc(2 * a->n_calls + 4, sizeof(*c->v));
    if (a->n_calls)
        qsort(a->calls, a->n_calls, sizeof(*a->calls), by_number);
    cut(c, fallback);
    for (size_t i = 0, n; i < a->n_calls; i += n) {
        struct interval after = fallback;

        for (n = 1; i + n < a->n_calls && a->calls[i + n].nr == a->calls[i].nr;)
            n++;
        cut(c, verdict(&a->calls[i], n, default_action));
        after.start = a->calls[i].nr + 1;
        cut(c, after);
    }
    if (!a->x32_is_foreign)
        return;
    cut(c, (struct interval){.start = X32_BIT, .otherwise = SECCOMP_RET_KILL_THREAD});
    cut(c, (struct interval){.start = UINT32_MAX, .otherwise = default_action}); /* a tracer's -1 */
}

static void architecture(struct program *p, struct bpf_arch *a, uint32_t default_action)
{
    struct cuts c = {0};
    size_t at;

    /* "if (arch != token) goto next": the distance may be long */
    jump(p, BPF_JEQ, a->token, 1, 0);
    at = emit(p, BPF_JMP | BPF_JA, 0, 0, 0);
    intervals(a, default_action, &c);
    load(p, offsetof(struct seccomp_data, nr));
    tree(p, c.v, c.n, a->token & __AUDIT_ARCH_64BIT);
    free(c.v);
    p->v[at].k = (uint32_t)(p->n - at - 1);
}

int seccomp_bpf_generate(struct bpf_arch *archs, size_t n, uint32_t default_action,
                         struct sock_filter **code, unsigned short *len, struct err *e)
{
    struct program p = {0};

    load(&p, offsetof(struct seccomp_data, arch));
    for (size_t i = 0; i < n; i++)
        architecture(&p, &archs[i], default_action);
    ret(&p, SECCOMP_RET_KILL_THREAD);
    if (p.n > BPF_MAXINSNS) {
        free(p.v);
        return err_set(e, ERR_INVALID, "seccomp: the profile is too large for the kernel");
    }
    *code = p.v;
    *len = (unsigned short)p.n;
    return 0;
}
