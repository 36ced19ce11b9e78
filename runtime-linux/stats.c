/*
 * stats: what a running container has used, read from its cgroup and its network namespace.
 *
 * The agent reads the kernel's files itself; the shim is not asked.  A file that the host lacks is
 * a counter that stays 0, as with Docker.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/time.h"
#include "core/stats.h"
#include "runtime-linux/cgroup_internal.h"
#include "runtime-linux/stats_internal.h"

#define FILE_MAX (1024 * 1024)

/* Those of memory.stat that Docker's clients get; the rest differs between kernels. */
static const char *const v1_memory[] = {
    "cache",
    "rss",
    "rss_huge",
    "mapped_file",
    "dirty",
    "writeback",
    "pgpgin",
    "pgpgout",
    "pgfault",
    "pgmajfault",
    "inactive_anon",
    "active_anon",
    "inactive_file",
    "active_file",
    "unevictable",
    "hierarchical_memory_limit",
    "hierarchical_memsw_limit",
    "total_cache",
    "total_rss",
    "total_rss_huge",
    "total_mapped_file",
    "total_dirty",
    "total_writeback",
    "total_pgpgin",
    "total_pgpgout",
    "total_pgfault",
    "total_pgmajfault",
    "total_inactive_anon",
    "total_active_anon",
    "total_inactive_file",
    "total_active_file",
    "total_unevictable",
    NULL,
};
static const char *const v2_memory[] = {
    "anon",
    "file",
    "kernel_stack",
    "slab",
    "sock",
    "shmem",
    "file_mapped",
    "file_dirty",
    "file_writeback",
    "anon_thp",
    "inactive_anon",
    "active_anon",
    "inactive_file",
    "active_file",
    "unevictable",
    "slab_reclaimable",
    "slab_unreclaimable",
    "pgfault",
    "pgmajfault",
    "workingset_refault",
    "workingset_activate",
    "workingset_nodereclaim",
    "pgrefill",
    "pgscan",
    "pgsteal",
    "pgactivate",
    "pgdeactivate",
    "pglazyfree",
    "pglazyfreed",
    "thp_fault_alloc",
    "thp_collapse_alloc",
    NULL,
};

static uint64_t read_u64(const char *dir, const char *file)
{
    cleanup_free char *text = dir ? cgroup_read(dir, file) : NULL;

    return text ? strtoull(text, NULL, 10) : 0; /* "max" is 0: no limit */
}

static uint64_t read_key(const char *dir, const char *file, const char *key)
{
    int64_t v = dir ? cgroup_read_key(dir, file, key) : -1;

    return v < 0 ? 0 : (uint64_t)v;
}

static const char *next_line(const char *line)
{
    const char *end = strchr(line, '\n');

    return end ? end + 1 : NULL;
}

/* ------------------------------------------------------------------ memory */

static bool listed(const char *const *names, const char *key, size_t len)
{
    for (; *names; names++)
        if (strlen(*names) == len && memcmp(*names, key, len) == 0)
            return true;
    return false;
}

void stats_parse_memory(const char *text, bool v2, struct container_stats *out)
{
    const char *const *names = v2 ? v2_memory : v1_memory;

    for (const char *line = text; line && *line; line = next_line(line)) {
        size_t len = strcspn(line, " \n");
        struct memory_count *m;

        if (line[len] != ' ' || len >= sizeof(out->memory->name) || !listed(names, line, len))
            continue;
        m = ARRAY_ADD(out->memory, out->n_memory);
        memset(m, 0, sizeof(*m));
        memcpy(m->name, line, len);
        m->value = strtoull(line + len + 1, NULL, 10);
    }
}

/* A limit above what the machine has is none. */
static uint64_t sane_limit(uint64_t limit)
{
    uint64_t total = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);

    return limit == 0 || limit > total ? total : limit;
}

static void read_memory(const struct cgroup *cg, struct container_stats *out)
{
    const char *dir = cgroup_dir(cg, "memory");
    cleanup_free char *text = dir ? cgroup_read(dir, "memory.stat") : NULL;

    if (!dir)
        return;
    stats_parse_memory(text, out->v2, out);
    out->memory_usage = read_u64(dir, out->v2 ? "memory.current" : "memory.usage_in_bytes");
    out->memory_limit = sane_limit(read_u64(dir, out->v2 ? "memory.max" : "memory.limit_in_bytes"));
    if (out->v2)
        return;
    out->memory_max_usage = read_u64(dir, "memory.max_usage_in_bytes");
    out->memory_failures = read_u64(dir, "memory.failcnt");
}

/* ------------------------------------------------------------------ cpu, pids */

static void read_percpu(const char *dir, struct container_stats *out)
{
    cleanup_free char *text = cgroup_read(dir, "cpuacct.usage_percpu");
    char *at = text, *end;

    for (; at && *at; at = end) {
        uint64_t v = strtoull(at, &end, 10);

        if (end == at)
            break;
        *ARRAY_ADD(out->percpu_ns, out->n_percpu) = v;
    }
}

static void read_cpu(const struct cgroup *cg, struct container_stats *out)
{
    const char *dir = cgroup_dir(cg, "cpu"), *acct = cgroup_dir(cg, "cpuacct");
    uint64_t tick_ns = (uint64_t)(NS_PER_SEC / sysconf(_SC_CLK_TCK));

    out->periods = read_key(dir, "cpu.stat", "nr_periods");
    out->throttled_periods = read_key(dir, "cpu.stat", "nr_throttled");
    if (out->v2) {
        out->cpu_total_ns = read_key(dir, "cpu.stat", "usage_usec") * 1000;
        out->cpu_user_ns = read_key(dir, "cpu.stat", "user_usec") * 1000;
        out->cpu_kernel_ns = read_key(dir, "cpu.stat", "system_usec") * 1000;
        out->throttled_ns = read_key(dir, "cpu.stat", "throttled_usec") * 1000;
        return;
    }
    out->throttled_ns = read_key(dir, "cpu.stat", "throttled_time");
    if (!acct)
        return;
    out->cpu_total_ns = read_u64(acct, "cpuacct.usage");
    out->cpu_user_ns = read_key(acct, "cpuacct.stat", "user") * tick_ns;
    out->cpu_kernel_ns = read_key(acct, "cpuacct.stat", "system") * tick_ns;
    read_percpu(acct, out);
}

void stats_parse_proc_stat(const char *text, struct container_stats *out)
{
    uint64_t tick_ns = (uint64_t)(NS_PER_SEC / sysconf(_SC_CLK_TCK));
    uint64_t t[7] = {0};

    /* user nice system idle iowait irq softirq, as dockerd adds them up */
    if (sscanf(text,
               "cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
               " %" SCNu64,
               &t[0], &t[1], &t[2], &t[3], &t[4], &t[5], &t[6]) == 7)
        for (size_t i = 0; i < ARRAY_LEN(t); i++)
            out->system_cpu_ns += t[i] * tick_ns;
    for (const char *line = text; (line = strstr(line, "\ncpu")); line += 4)
        out->online_cpus++;
}

static int read_machine(struct container_stats *out, struct err *e)
{
    cleanup_buf struct buf text = BUF_INIT(FILE_MAX);

    if (fs_read("/proc/stat", &text, e))
        return -1;
    stats_parse_proc_stat(text.data, out);
    return 0;
}

/* ------------------------------------------------------------------ block devices */

static void add_count(struct blkio_list *to, uint64_t major, uint64_t minor, const char *op,
                      size_t len, uint64_t value)
{
    struct blkio_count *c = ARRAY_ADD(to->v, to->n);

    memset(c, 0, sizeof(*c));
    c->major = major;
    c->minor = minor;
    c->value = value;
    memcpy(c->op, op, len < sizeof(c->op) ? len : sizeof(c->op) - 1);
}

/* v1: "8:0 Read 4096" or "8:0 4096"; the sum at the end has no device. */
void stats_parse_blkio(const char *text, struct blkio_list *out)
{
    for (const char *line = text; line && *line; line = next_line(line)) {
        uint64_t major, minor, value;
        char op[16] = "";

        if (sscanf(line, "%" SCNu64 ":%" SCNu64 " %15s %" SCNu64, &major, &minor, op, &value) == 4)
            add_count(out, major, minor, op, strlen(op), value);
        else if (sscanf(line, "%" SCNu64 ":%" SCNu64 " %" SCNu64, &major, &minor, &value) == 3)
            add_count(out, major, minor, "", 0, value);
    }
}

/* v2: "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0" */
void stats_parse_io(const char *text, struct container_stats *out)
{
    static const struct {
        const char *key, *op;
        enum blkio_kind kind;
    } rows[] = {
        {" rbytes=", "read",  BLKIO_SERVICE_BYTES},
        {" wbytes=", "write", BLKIO_SERVICE_BYTES},
        {" rios=",   "read",  BLKIO_SERVICED     },
        {" wios=",   "write", BLKIO_SERVICED     },
    };

    for (const char *line = text; line && *line; line = next_line(line)) {
        cleanup_free char *one = str_printf("%.*s", (int)strcspn(line, "\n"), line);
        uint64_t major, minor;

        if (sscanf(one, "%" SCNu64 ":%" SCNu64, &major, &minor) != 2)
            continue;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
            const char *at = strstr(one, rows[i].key);

            if (at)
                add_count(&out->blkio[rows[i].kind], major, minor, rows[i].op, strlen(rows[i].op),
                          strtoull(at + strlen(rows[i].key), NULL, 10));
        }
    }
}

static void read_blkio(const struct cgroup *cg, struct container_stats *out)
{
    /* The policy of the present scheduler has bfq's names, or throttle's where there is none. */
    static const struct {
        const char *file, *other;
        enum blkio_kind kind;
    } rows[] = {
        {"blkio.bfq.io_service_bytes_recursive", "blkio.throttle.io_service_bytes_recursive",
         BLKIO_SERVICE_BYTES                                                                                    },
        {"blkio.bfq.io_serviced_recursive",      "blkio.throttle.io_serviced_recursive",      BLKIO_SERVICED    },
        {"blkio.bfq.io_queued_recursive",        NULL,                                        BLKIO_QUEUED      },
        {"blkio.bfq.io_service_time_recursive",  NULL,                                        BLKIO_SERVICE_TIME},
        {"blkio.bfq.io_wait_time_recursive",     NULL,                                        BLKIO_WAIT_TIME   },
        {"blkio.bfq.io_merged_recursive",        NULL,                                        BLKIO_MERGED      },
        {"blkio.bfq.time_recursive",             NULL,                                        BLKIO_TIME        },
        {"blkio.bfq.sectors_recursive",          NULL,                                        BLKIO_SECTORS     },
    };
    const char *dir = cgroup_dir(cg, out->v2 ? "io" : "blkio");

    if (!dir)
        return;
    if (out->v2) {
        cleanup_free char *text = cgroup_read(dir, "io.stat");

        stats_parse_io(text, out);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cleanup_free char *text = cgroup_read(dir, rows[i].file);

        if (!text && rows[i].other)
            text = cgroup_read(dir, rows[i].other);
        stats_parse_blkio(text, &out->blkio[rows[i].kind]);
    }
}

/* ------------------------------------------------------------------ network */

void stats_parse_net_dev(const char *text, struct container_stats *out)
{
    for (const char *line = text; line && *line; line = next_line(line)) {
        struct interface_stats s = {0};

        if (sscanf(line,
                   " %31[^: ]: %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
                   " %*u %*u %*u %*u %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64,
                   s.name, &s.rx_bytes, &s.rx_packets, &s.rx_errors, &s.rx_dropped, &s.tx_bytes,
                   &s.tx_packets, &s.tx_errors, &s.tx_dropped) != 9 ||
            strcmp(s.name, "lo") == 0)
            continue;
        *ARRAY_ADD(out->interfaces, out->n_interfaces) = s;
    }
}

/* It may have ended meanwhile: then there is nothing to add. */
static void read_network(int64_t pid, struct container_stats *out)
{
    cleanup_buf struct buf text = BUF_INIT(FILE_MAX);
    char path[64];

    snprintf(path, sizeof(path), "/proc/%lld/net/dev", (long long)pid);
    if (fs_read(path, &text, ERR_IGNORE) == 0)
        stats_parse_net_dev(text.data, out);
}

/* ------------------------------------------------------------------ all */

int stats_read(const char *cgroup, int64_t pid, bool own_network, struct container_stats *out,
               struct err *e)
{
    struct cgroup *cg;

    if (cgroup_open(cgroup, &cg, e))
        return -1;
    out->v2 = cgroup_is_v2(cg);
    out->read_ns = time_wall_ns();
    read_cpu(cg, out);
    read_memory(cg, out);
    read_blkio(cg, out);
    out->pids = read_u64(cgroup_dir(cg, "pids"), "pids.current");
    out->pids_limit = read_u64(cgroup_dir(cg, "pids"), "pids.max");
    cgroup_free(cg);
    if (own_network)
        read_network(pid, out);
    return read_machine(out, e);
}
