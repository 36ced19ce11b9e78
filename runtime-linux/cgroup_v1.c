/*
 * cgroup_v1: limits where every controller has its own tree (and on hybrid hosts).
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/time.h"
#include "runtime-linux/cgroup_internal.h"

#define FREEZE_TRIES 500 /* at 2 ms */

/* A new cpuset has no CPUs and no memory nodes, and takes no process before it has both. */
static int inherit_cpuset(const char *dir, const char *parent, struct err *e)
{
    static const char *const files[] = {"cpuset.cpus", "cpuset.mems"};

    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        cleanup_free char *own = cgroup_read(dir, files[i]);
        cleanup_free char *theirs = cgroup_read(parent, files[i]);

        if (!str_empty(own) || str_empty(theirs))
            continue;
        if (cgroup_write(dir, files[i], theirs, e))
            return -1;
    }
    return 0;
}

static int make_dir(const char *dir, bool cpuset, struct err *e)
{
    cleanup_free char *parent = path_dir(dir);
    int rc = mkdir(dir, 0755);

    if (rc && errno == ENOENT) {
        if (make_dir(parent, cpuset, e))
            return -1;
        rc = mkdir(dir, 0755);
    }
    if (rc && errno != EEXIST)
        return err_os(e, errno, "mkdir %s", dir);
    return cpuset ? inherit_cpuset(dir, parent, e) : 0;
}

static int v1_create(struct cgroup *cg, struct err *e)
{
    const char *cpuset = cgroup_dir(cg, "cpuset");

    for (size_t i = 0; i < cg->n; i++)
        if (make_dir(cg->h[i].dir, cg->h[i].dir == cpuset, e))
            return -1;
    return 0;
}

/* ------------------------------------------------------------------ memory */

static int write_memory(const char *dir, const char *file, int64_t v, struct err *e)
{
    if (v == OCI_UNSET || (v == 0 && !str_eq(file, "memory.swappiness")))
        return 0;
    return cgroup_write_i64(dir, file, v, e);
}

/*
 * memory + swap may never be below memory, not even between two writes: the order depends on
 * whether the limit grows.
 */
static int write_limits(const char *dir, const struct oci_resources *r, struct err *e)
{
    const bool swap = cgroup_file_exists(dir, "memory.memsw.limit_in_bytes");
    cleanup_free char *now = cgroup_read(dir, "memory.memsw.limit_in_bytes");
    int64_t current = INT64_MAX;

    if (r->memory_swap != OCI_UNSET && r->memory_swap > 0 && !swap)
        return err_set(e, ERR_UNSUPPORTED,
                       "swap cannot be limited: the kernel was started without "
                       "swap accounting");
    if (!swap)
        return write_memory(dir, "memory.limit_in_bytes", r->memory_limit, e);
    if (now)
        (void)!parse_i64(now, 0, INT64_MAX, "memsw", &current, ERR_IGNORE);
    if (r->memory_swap != OCI_UNSET && (r->memory_swap == -1 || current < r->memory_swap))
        return write_memory(dir, "memory.memsw.limit_in_bytes", r->memory_swap, e) ||
                       write_memory(dir, "memory.limit_in_bytes", r->memory_limit, e)
                   ? -1
                   : 0;
    return write_memory(dir, "memory.limit_in_bytes", r->memory_limit, e) ||
                   write_memory(dir, "memory.memsw.limit_in_bytes", r->memory_swap, e)
               ? -1
               : 0;
}

static bool set(int64_t v)
{
    return v != OCI_UNSET && v != 0;
}

static int apply_memory(struct cgroup *cg, const struct oci_resources *r, struct err *e)
{
    const char *dir = cgroup_dir(cg, "memory");

    if (!set(r->memory_limit) && !set(r->memory_reservation) && !set(r->memory_swap) &&
        r->memory_swappiness == OCI_UNSET && !r->disable_oom_killer)
        return 0;
    if (!dir)
        return cgroup_no_controller("memory", "memory", e);
    if (write_limits(dir, r, e) ||
        write_memory(dir, "memory.soft_limit_in_bytes", r->memory_reservation, e) ||
        write_memory(dir, "memory.swappiness", r->memory_swappiness, e))
        return -1;
    return r->disable_oom_killer ? cgroup_write(dir, "memory.oom_control", "1", e) : 0;
}

/* ------------------------------------------------------------------ cpu, cpuset, pids, blkio */

static int apply_cpu(struct cgroup *cg, const struct oci_resources *r, struct err *e)
{
    const char *dir = cgroup_dir(cg, "cpu");
    const struct {
        const char *file;
        int64_t v;
    } files[] = {
        {"cpu.shares",        r->cpu_shares    },
        {"cpu.cfs_period_us", r->cpu_period    },
        {"cpu.cfs_quota_us",  r->cpu_quota     },
        {"cpu.rt_period_us",  r->cpu_rt_period },
        {"cpu.rt_runtime_us", r->cpu_rt_runtime}
    };

    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        if (!set(files[i].v))
            continue;
        if (!dir)
            return cgroup_no_controller("CPU", "cpu", e);
        if (cgroup_write_i64(dir, files[i].file, files[i].v, e))
            return -1;
    }
    return 0;
}

static int apply_cpuset(struct cgroup *cg, const struct oci_resources *r, struct err *e)
{
    const char *dir = cgroup_dir(cg, "cpuset");

    if (str_empty(r->cpuset_cpus) && str_empty(r->cpuset_mems))
        return 0;
    if (!dir)
        return cgroup_no_controller("CPU placement", "cpuset", e);
    if (!str_empty(r->cpuset_cpus) && cgroup_write(dir, "cpuset.cpus", r->cpuset_cpus, e))
        return -1;
    return str_empty(r->cpuset_mems) ? 0 : cgroup_write(dir, "cpuset.mems", r->cpuset_mems, e);
}

static int apply_pids(struct cgroup *cg, const struct oci_resources *r, struct err *e)
{
    const char *dir = cgroup_dir(cg, "pids");

    if (r->pids_limit == OCI_UNSET)
        return 0;
    if (!dir)
        return r->pids_limit > 0 ? cgroup_no_controller("the number of processes", "pids", e) : 0;
    return r->pids_limit > 0 ? cgroup_write_i64(dir, "pids.max", r->pids_limit, e)
                             : cgroup_write(dir, "pids.max", "max", e);
}

static int apply_blkio(struct cgroup *cg, const struct oci_resources *r, struct err *e)
{
    static const char *const files[OCI_THROTTLE_KINDS] = {
        [OCI_THROTTLE_RBPS] = "blkio.throttle.read_bps_device",
        [OCI_THROTTLE_WBPS] = "blkio.throttle.write_bps_device",
        [OCI_THROTTLE_RIOPS] = "blkio.throttle.read_iops_device",
        [OCI_THROTTLE_WIOPS] = "blkio.throttle.write_iops_device",
        [OCI_THROTTLE_WEIGHT] = "blkio.weight_device"};
    static const char *const weights[] = {"blkio.weight", "blkio.bfq.weight"};
    const char *dir = cgroup_dir(cg, "blkio");

    for (size_t k = 0; k < OCI_THROTTLE_KINDS; k++)
        for (size_t i = 0; i < r->n_throttle[k]; i++) {
            const struct oci_throttle *t = &r->throttle[k][i];
            cleanup_free char *text = str_printf("%lld:%lld %llu", (long long)t->major,
                                                 (long long)t->minor, (unsigned long long)t->rate);

            if (!dir)
                return cgroup_no_controller("block I/O", "blkio", e);
            if (cgroup_write(dir,
                             k == OCI_THROTTLE_WEIGHT && !cgroup_file_exists(dir, files[k])
                                 ? "blkio.bfq.weight_device"
                                 : files[k],
                             text, e))
                return -1;
        }
    if (!set(r->blkio_weight))
        return 0;
    for (size_t i = 0; dir && i < ARRAY_LEN(weights); i++)
        if (cgroup_file_exists(dir, weights[i]))
            return cgroup_write_i64(dir, weights[i], r->blkio_weight, e);
    return cgroup_no_controller("the block I/O weight", "blkio", e);
}

/* ------------------------------------------------------------------ devices */

static void number_text(int64_t v, char *out, size_t size)
{
    if (v < 0)
        (void)str_copy(out, size, "*");
    else
        (void)snprintf(out, size, "%lld", (long long)v);
}

static int apply_devices(struct cgroup *cg, const struct oci_resources *r, struct err *e)
{
    const char *dir = cgroup_dir(cg, "devices");

    if (!r->n_devices)
        return 0;
    if (!dir)
        return cgroup_no_controller("access to devices", "devices", e);
    for (size_t i = 0; i < r->n_devices; i++) {
        const struct oci_device_rule *d = &r->devices[i];
        const char *file = d->allow ? "devices.allow" : "devices.deny";
        char major[24], minor[24], text[80];

        number_text(d->major, major, sizeof(major));
        number_text(d->minor, minor, sizeof(minor));
        (void)snprintf(text, sizeof(text), "%c %s:%s %s%s%s", d->type, major, minor,
                       d->read ? "r" : "", d->write ? "w" : "", d->mknod ? "m" : "");
        if (cgroup_write(dir, file, d->type == 'a' ? "a" : text, e))
            return -1;
    }
    return 0;
}

static int v1_apply(struct cgroup *cg, const struct oci_resources *r, struct err *e)
{
    if (r->unified.n)
        return err_set(e, ERR_UNSUPPORTED,
                       "linux.resources.unified: this host does not use cgroup v2");
    return apply_memory(cg, r, e) || apply_cpu(cg, r, e) || apply_cpuset(cg, r, e) ||
                   apply_pids(cg, r, e) || apply_blkio(cg, r, e) || apply_devices(cg, r, e)
               ? -1
               : 0;
}

/* ------------------------------------------------------------------ freezer, oom */

static bool state_is(const char *dir, const char *want)
{
    cleanup_free char *state = cgroup_read(dir, "freezer.state");

    return str_eq(state, want);
}

/* FREEZING can last while a process is forked: writing again helps (kernel's own advice). */
static int v1_freeze(struct cgroup *cg, bool frozen, struct err *e)
{
    const char *dir = cgroup_dir(cg, "freezer"), *want = frozen ? "FROZEN" : "THAWED";

    if (!dir)
        return err_set(e, ERR_UNSUPPORTED,
                       "cannot pause: this host has no cgroup controller \"freezer\"");
    for (int i = 0; i < FREEZE_TRIES; i++) {
        if (cgroup_write(dir, "freezer.state", want, e))
            return -1;
        if (state_is(dir, want))
            return 0;
        time_sleep_ms(2);
    }
    if (frozen)
        (void)!cgroup_write(dir, "freezer.state", "THAWED", ERR_IGNORE);
    return err_set(e, ERR_TIMEOUT, "the cgroup %s could not be %s", cg->path,
                   frozen ? "frozen" : "thawed");
}

static bool v1_is_frozen(struct cgroup *cg)
{
    const char *dir = cgroup_dir(cg, "freezer");

    return dir && (state_is(dir, "FROZEN") || state_is(dir, "FREEZING"));
}

static int64_t v1_oom_kills(struct cgroup *cg)
{
    const char *dir = cgroup_dir(cg, "memory");
    int64_t n = dir ? cgroup_read_key(dir, "memory.oom_control", "oom_kill") : 0;

    return n < 0 ? 0 : n;
}

/* The kernel counts into an eventfd; it is told which by cgroup.event_control. */
static int v1_oom_fd(struct cgroup *cg, uint32_t *events)
{
    const char *dir = cgroup_dir(cg, "memory");
    cleanup_free char *path = dir ? path_join(dir, "memory.oom_control") : NULL;
    cleanup_free char *text = NULL;
    cleanup_fd int control = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    cleanup_fd int fd = control >= 0 ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1;

    if (fd < 0)
        return -1;
    text = str_printf("%d %d", fd, control);
    if (cgroup_write(dir, "cgroup.event_control", text, ERR_IGNORE))
        return -1;
    *events = EPOLLIN;
    return take_fd(fd);
}

static bool v1_oom_take(struct cgroup *cg, int fd, int64_t *kills)
{
    uint64_t n;

    (void)cg;
    (void)kills;
    return read(fd, &n, sizeof(n)) == sizeof(n);
}

const struct cgroup_ops cgroup_v1_ops = {.create = v1_create,
                                         .apply = v1_apply,
                                         .freeze = v1_freeze,
                                         .is_frozen = v1_is_frozen,
                                         .oom_kills = v1_oom_kills,
                                         .oom_fd = v1_oom_fd,
                                         .oom_take = v1_oom_take};
