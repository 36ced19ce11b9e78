/*
 * cgroup_devices: device rules on cgroup v2, where an eBPF program decides.
 *
 * The rules are applied in order and the last one that matches wins, as v1's devices.allow and
 * devices.deny do; so the program tests them from the last to the first and returns at the first
 * match.  No match: denied.
 *
 *     context (struct bpf_cgroup_dev_ctx): access_type = access << 16 | type, major, minor
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "runtime-linux/cgroup_internal.h"

#define INSNS_PER_RULE 12
#define PROGRAMS_MAX   64

/* r2 type, r3 access, r4 major, r5 minor; r1 is the context */
struct code {
    struct bpf_insn *v;
    size_t n;
};

static void emit(struct code *c, uint8_t op, uint8_t dst, uint8_t src, int16_t off, int32_t imm)
{
    c->v[c->n++] = (struct bpf_insn){
        .code = op, .dst_reg = dst & 15, .src_reg = src & 15, .off = off, .imm = imm};
}

static void load_context(struct code *c)
{
    emit(c, BPF_LDX | BPF_MEM | BPF_W, BPF_REG_2, BPF_REG_1, 0, 0);
    emit(c, BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_3, BPF_REG_2, 0, 0);
    emit(c, BPF_ALU64 | BPF_AND | BPF_K, BPF_REG_2, 0, 0, 0xffff);
    emit(c, BPF_ALU64 | BPF_RSH | BPF_K, BPF_REG_3, 0, 0, 16);
    emit(c, BPF_LDX | BPF_MEM | BPF_W, BPF_REG_4, BPF_REG_1, 4, 0);
    emit(c, BPF_LDX | BPF_MEM | BPF_W, BPF_REG_5, BPF_REG_1, 8, 0);
}

static void finish(struct code *c, bool allow)
{
    emit(c, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, allow);
    emit(c, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

static void skip_unless_equal(struct code *c, uint8_t reg, int64_t value)
{
    emit(c, BPF_JMP | BPF_JNE | BPF_K, reg, 0, 0, (int32_t)value);
}

static int32_t access_mask(const struct oci_device_rule *d)
{
    return (d->mknod ? BPF_DEVCG_ACC_MKNOD : 0) | (d->read ? BPF_DEVCG_ACC_READ : 0) |
           (d->write ? BPF_DEVCG_ACC_WRITE : 0);
}

/*
 * An allow rule matches when all that is asked for is in it; a deny rule when any of it is.
 * Jumps are patched to the end of the rule once that is known.  True when there is none: whatever
 * would follow is dead, which the kernel's verifier does not accept.
 */
static bool emit_rule(struct code *c, const struct oci_device_rule *d)
{
    const size_t start = c->n;
    const int32_t mask = access_mask(d),
                  all = BPF_DEVCG_ACC_MKNOD | BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE;
    size_t end;

    if (d->type != 'a')
        skip_unless_equal(c, BPF_REG_2, d->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
    if (mask != all) {
        emit(c, BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_0, BPF_REG_3, 0, 0);
        emit(c, BPF_ALU64 | BPF_AND | BPF_K, BPF_REG_0, 0, 0, mask);
        if (d->allow)
            emit(c, BPF_JMP | BPF_JNE | BPF_X, BPF_REG_0, BPF_REG_3, 0, 0);
        else
            emit(c, BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_0, 0, 0, 0);
    }
    if (d->major >= 0)
        skip_unless_equal(c, BPF_REG_4, d->major);
    if (d->minor >= 0)
        skip_unless_equal(c, BPF_REG_5, d->minor);
    finish(c, d->allow);
    end = c->n;
    for (size_t i = start; i < end - 2; i++)
        if (BPF_CLASS(c->v[i].code) == BPF_JMP)
            c->v[i].off = (int16_t)(end - i - 1);
    return end - start == 2;
}

static int bpf(enum bpf_cmd cmd, union bpf_attr *attr)
{
    return (int)syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

static int load(const struct code *c, struct err *e)
{
    static const char license[] = "Apache-2.0";
    union bpf_attr attr = {0};
    int fd;

    attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
    attr.insns = (uint64_t)(uintptr_t)c->v;
    attr.insn_cnt = (uint32_t)c->n;
    attr.license = (uint64_t)(uintptr_t)license;
    fd = bpf(BPF_PROG_LOAD, &attr);
    if (fd < 0 && (errno == EINVAL || errno == ENOSYS))
        return err_os(e, errno,
                      "access to devices cannot be limited: the kernel takes no eBPF "
                      "program for cgroup devices (CONFIG_CGROUP_BPF)");
    return fd < 0 ? err_os(e, errno, "load the device rules") : fd;
}

/* Programs that an earlier call attached: they go once the new one is in force. */
static size_t attached(int dir, uint32_t *ids)
{
    union bpf_attr attr = {0};

    attr.query.target_fd = (uint32_t)dir;
    attr.query.attach_type = BPF_CGROUP_DEVICE;
    attr.query.prog_ids = (uint64_t)(uintptr_t)ids;
    attr.query.prog_cnt = PROGRAMS_MAX;
    return bpf(BPF_PROG_QUERY, &attr) ? 0 : attr.query.prog_cnt;
}

static void detach(int dir, uint32_t id)
{
    union bpf_attr attr = {0};
    cleanup_fd int prog = -1;

    attr.prog_id = id;
    prog = bpf(BPF_PROG_GET_FD_BY_ID, &attr);
    if (prog < 0)
        return;
    attr = (union bpf_attr){0};
    attr.target_fd = (uint32_t)dir;
    attr.attach_bpf_fd = (uint32_t)prog;
    attr.attach_type = BPF_CGROUP_DEVICE;
    (void)bpf(BPF_PROG_DETACH, &attr);
}

static int attach(int dir, int prog, struct err *e)
{
    union bpf_attr attr = {0};

    attr.target_fd = (uint32_t)dir;
    attr.attach_bpf_fd = (uint32_t)prog;
    attr.attach_type = BPF_CGROUP_DEVICE;
    attr.attach_flags = BPF_F_ALLOW_MULTI;
    return bpf(BPF_PROG_ATTACH, &attr) ? err_os(e, errno, "attach the device rules") : 0;
}

int cgroup_devices_attach(const char *path, const struct oci_device_rule *rules, size_t n,
                          struct err *e)
{
    cleanup_fd int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), prog = -1;
    cleanup_free struct bpf_insn *space = xcalloc((n + 1) * INSNS_PER_RULE, sizeof(*space));
    struct code c = {.v = space};
    uint32_t old[PROGRAMS_MAX];
    bool decided = false;
    size_t n_old;

    if (dir < 0)
        return err_os(e, errno, "open %s", path);
    load_context(&c);
    for (size_t i = n; i-- > 0 && !decided;)
        decided = emit_rule(&c, &rules[i]);
    if (!decided)
        finish(&c, false);
    prog = load(&c, e);
    if (prog < 0)
        return -1;
    n_old = attached(dir, old);
    if (attach(dir, prog, e))
        return -1;
    for (size_t i = 0; i < n_old; i++)
        detach(dir, old[i]);
    return 0;
}
