/*
 * cgroup_v2: limits in the one tree.  Files and conversions as in the OCI specification's mapping
 * and the kernel's admin-guide/cgroup-v2.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/time.h"
#include "runtime-linux/cgroup_internal.h"

#define FREEZE_TRIES 500 /* at 2 ms */

static bool set(int64_t v)
{
    return v != OCI_UNSET && v != 0;
}

/* Hands every controller that dir has to its children.  One at a time: one that cannot be given
 * (threaded, processes in the way) must not keep the others back. */
static void delegate(const char *dir)
{
    cleanup_free char *all = cgroup_read(dir, "cgroup.controllers");
    cleanup_free char *given = cgroup_read(dir, "cgroup.subtree_control");
    cleanup_strv struct strv have = {0}, done = {0};

    strv_split(&have, all ? all : "", ' ');
    strv_split(&done, given ? given : "", ' ');
    for (size_t i = 0; i < have.n; i++) {
        cleanup_free char *word = str_printf("+%s", have.v[i]);

        if (*have.v[i] && !strv_has(&done, have.v[i]))
            (void)!cgroup_write(dir, "cgroup.subtree_control", word, ERR_IGNORE);
    }
}

static int v2_create(struct cgroup *cg, struct err *e)
{
    const char *dir = cg->h[0].dir;
    cleanup_free char *at = xstrdup(dir);

    /* From the root of the tree down: delegate in the parent, then make the child. */
    for (char *p = at + strlen(CGROUP_ROOT); p; p = strchr(p + 1, '/')) {
        *p = '\0';
        delegate(at);
        *p = '/';
        char *next = strchr(p + 1, '/');

        if (next)
            *next = '\0';
        if (mkdir(at, 0755) && errno != EEXIST)
            return err_os(e, errno, "mkdir %s", at);
        if (next)
            *next = '/';
    }
    return 0;
}

static bool has(const char *dir, const char *controller)
{
    cleanup_free char *all = cgroup_read(dir, "cgroup.controllers");
    cleanup_strv struct strv words = {0};

    strv_split(&words, all ? all : "", ' ');
    return strv_has(&words, controller);
}

static int write_max(const char *dir, const char *file, int64_t v, struct err *e)
{
    return v < 0 ? cgroup_write(dir, file, "max", e) : cgroup_write_i64(dir, file, v, e);
}

/* memory.swap.max is swap alone; the specification's number is memory and swap together. */
static int write_swap(const char *dir, const struct oci_resources *r, struct err *e)
{
    if (!set(r->memory_swap))
        return 0;
    if (!cgroup_file_exists(dir, "memory.swap.max"))
        return r->memory_swap < 0 || r->memory_swap == r->memory_limit
                   ? 0 /* no swap: nothing to limit */
                   : err_set(e, ERR_UNSUPPORTED,
                             "swap cannot be limited: the kernel has no swap "
                             "accounting");
    if (r->memory_swap < 0)
        return cgroup_write(dir, "memory.swap.max", "max", e);
    if (!set(r->memory_limit) || r->memory_limit < 0)
        return err_set(e, ERR_INVALID, "memory.swap: a limit of memory is needed as well");
    if (r->memory_swap < r->memory_limit)
        return err_set(e, ERR_INVALID, "memory.swap: must not be below memory.limit");
    return cgroup_write_i64(dir, "memory.swap.max", r->memory_swap - r->memory_limit, e);
}

static int apply_memory(const char *dir, const struct oci_resources *r, struct err *e)
{
    if (!set(r->memory_limit) && !set(r->memory_reservation) && !set(r->memory_swap))
        return 0;
    if (!has(dir, "memory"))
        return cgroup_no_controller("memory", "memory", e);
    if (write_swap(dir, r, e) ||
        (set(r->memory_limit) && write_max(dir, "memory.max", r->memory_limit, e)) ||
        (set(r->memory_reservation) && write_max(dir, "memory.low", r->memory_reservation, e)))
        return -1;
    return 0;
}

/* 2..262144 to 1..10000, as runc and crun convert. */
static int64_t weight_of_shares(int64_t shares)
{
    return 1 + ((shares - 2) * 9999) / 262142;
}

static int write_quota(const char *dir, const struct oci_resources *r, struct err *e)
{
    cleanup_free char *text = NULL;
    const int64_t period = set(r->cpu_period) ? r->cpu_period : 100000;

    if (!set(r->cpu_quota) && !set(r->cpu_period))
        return 0;
    text = r->cpu_quota > 0 ? str_printf("%lld %lld", (long long)r->cpu_quota, (long long)period)
                            : str_printf("max %lld", (long long)period);
    return cgroup_write(dir, "cpu.max", text, e);
}

static int apply_cpu(const char *dir, const struct oci_resources *r, struct err *e)
{
    if (set(r->cpu_rt_runtime) || set(r->cpu_rt_period))
        return err_set(e, ERR_UNSUPPORTED, "realtime CPU limits: cgroup v2 has none");
    if (!set(r->cpu_shares) && !set(r->cpu_quota) && !set(r->cpu_period))
        return 0;
    if (!has(dir, "cpu"))
        return cgroup_no_controller("CPU", "cpu", e);
    if (set(r->cpu_shares) &&
        cgroup_write_i64(dir, "cpu.weight", weight_of_shares(r->cpu_shares < 2 ? 2 : r->cpu_shares),
                         e))
        return -1;
    return write_quota(dir, r, e);
}

static int apply_cpuset(const char *dir, const struct oci_resources *r, struct err *e)
{
    if (str_empty(r->cpuset_cpus) && str_empty(r->cpuset_mems))
        return 0;
    if (!has(dir, "cpuset"))
        return cgroup_no_controller("CPU placement", "cpuset", e);
    if (!str_empty(r->cpuset_cpus) && cgroup_write(dir, "cpuset.cpus", r->cpuset_cpus, e))
        return -1;
    return str_empty(r->cpuset_mems) ? 0 : cgroup_write(dir, "cpuset.mems", r->cpuset_mems, e);
}

static int apply_pids(const char *dir, const struct oci_resources *r, struct err *e)
{
    if (r->pids_limit == OCI_UNSET)
        return 0;
    if (!has(dir, "pids"))
        return r->pids_limit > 0 ? cgroup_no_controller("the number of processes", "pids", e) : 0;
    return write_max(dir, "pids.max", r->pids_limit > 0 ? r->pids_limit : -1, e);
}

/* 10..1000 of v1's blkio; io.weight takes 1..10000, io.bfq.weight v1's numbers. */
static int write_io_weight(const char *dir, int64_t weight, struct err *e)
{
    cleanup_free char *text = NULL;

    if (cgroup_file_exists(dir, "io.bfq.weight"))
        return cgroup_write_i64(dir, "io.bfq.weight", weight, e);
    if (!cgroup_file_exists(dir, "io.weight"))
        return cgroup_no_controller("the block I/O weight", "io", e);
    text = str_printf("default %" PRId64, 1 + (weight - 10) * 9999 / 990);
    return cgroup_write(dir, "io.weight", text, e);
}

static int write_device_weight(const char *dir, const struct oci_throttle *t, struct err *e)
{
    bool bfq = cgroup_file_exists(dir, "io.bfq.weight");
    cleanup_free char *text =
        str_printf("%lld:%lld %lld", (long long)t->major, (long long)t->minor,
                   bfq ? (long long)t->rate : 1 + ((long long)t->rate - 10) * 9999 / 990);

    return cgroup_write(dir, bfq ? "io.bfq.weight" : "io.weight", text, e);
}

static int apply_io(const char *dir, const struct oci_resources *r, struct err *e)
{
    static const char *const keys[OCI_THROTTLE_KINDS] = {[OCI_THROTTLE_RBPS] = "rbps",
                                                         [OCI_THROTTLE_WBPS] = "wbps",
                                                         [OCI_THROTTLE_RIOPS] = "riops",
                                                         [OCI_THROTTLE_WIOPS] = "wiops",
                                                         [OCI_THROTTLE_WEIGHT] = ""};

    for (size_t k = 0; k < OCI_THROTTLE_KINDS; k++)
        for (size_t i = 0; i < r->n_throttle[k]; i++) {
            const struct oci_throttle *t = &r->throttle[k][i];
            cleanup_free char *text =
                str_printf("%lld:%lld %s=%llu", (long long)t->major, (long long)t->minor, keys[k],
                           (unsigned long long)t->rate);

            if (!has(dir, "io"))
                return cgroup_no_controller("block I/O", "io", e);
            if (k == OCI_THROTTLE_WEIGHT) {
                if (write_device_weight(dir, t, e))
                    return -1;
                continue;
            }
            if (cgroup_write(dir, "io.max", text, e))
                return -1;
        }
    return set(r->blkio_weight) ? write_io_weight(dir, r->blkio_weight, e) : 0;
}

/* Written as given, so the name must be a file of this directory. */
static int apply_unified(const char *dir, const struct oci_resources *r, struct err *e)
{
    for (size_t i = 0; i < r->unified.n; i++) {
        const char *file = r->unified.v[i].k;

        if (strchr(file, '/') || *file == '.' || str_starts(file, "cgroup."))
            return err_set(e, ERR_INVALID, "linux.resources.unified: \"%s\" is not a limit", file);
        if (cgroup_write(dir, file, r->unified.v[i].v, e))
            return -1;
    }
    return 0;
}

static int v2_apply(struct cgroup *cg, const struct oci_resources *r, struct err *e)
{
    const char *dir = cg->h[0].dir;

    if (apply_memory(dir, r, e) || apply_cpu(dir, r, e) || apply_cpuset(dir, r, e) ||
        apply_pids(dir, r, e) || apply_io(dir, r, e) || apply_unified(dir, r, e))
        return -1;
    return r->n_devices ? cgroup_devices_attach(dir, r->devices, r->n_devices, e) : 0;
}

static int v2_freeze(struct cgroup *cg, bool frozen, struct err *e)
{
    const char *dir = cg->h[0].dir;

    if (cgroup_write(dir, "cgroup.freeze", frozen ? "1" : "0", e))
        return -1;
    for (int i = 0; i < FREEZE_TRIES; i++) {
        if (cgroup_read_key(dir, "cgroup.events", "frozen") == (frozen ? 1 : 0))
            return 0;
        time_sleep_ms(2);
    }
    if (frozen)
        (void)!cgroup_write(dir, "cgroup.freeze", "0", ERR_IGNORE);
    return err_set(e, ERR_TIMEOUT, "the cgroup %s could not be %s", cg->path,
                   frozen ? "frozen" : "thawed");
}

static bool v2_is_frozen(struct cgroup *cg)
{
    cleanup_free char *text = cgroup_read(cg->h[0].dir, "cgroup.freeze");

    return str_eq(text, "1");
}

static int64_t v2_oom_kills(struct cgroup *cg)
{
    int64_t n = cgroup_read_key(cg->h[0].dir, "memory.events", "oom_kill");

    return n < 0 ? 0 : n;
}

/* Every change of memory.events is told, also those that are none of ours. */
static int v2_oom_fd(struct cgroup *cg, uint32_t *events)
{
    cleanup_free char *path = path_join(cg->h[0].dir, "memory.events");

    *events = EPOLLPRI;
    return open(path, O_RDONLY | O_CLOEXEC);
}

/* Reading it through this descriptor is what makes it wait for the next change. */
static bool v2_oom_take(struct cgroup *cg, int fd, int64_t *kills)
{
    char ignored[512];
    int64_t now;

    (void)!pread(fd, ignored, sizeof(ignored), 0);
    now = v2_oom_kills(cg);
    if (now <= *kills)
        return false;
    *kills = now;
    return true;
}

const struct cgroup_ops cgroup_v2_ops = {.create = v2_create,
                                         .apply = v2_apply,
                                         .freeze = v2_freeze,
                                         .is_frozen = v2_is_frozen,
                                         .oom_kills = v2_oom_kills,
                                         .oom_fd = v2_oom_fd,
                                         .oom_take = v2_oom_take};
