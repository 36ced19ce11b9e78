/*
 * stats: what one container has used, at one moment.  Counters only grow; rates are the reader's
 * business.  Which fields mean something depends on the cgroup version, as in the Engine API.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

/* One counter of a block device. */
struct blkio_count {
    uint64_t major, minor, value;
    char op[16]; /* "read", "write", ..., as the kernel spells it; v2: lower case */
};

enum blkio_kind {
    BLKIO_SERVICE_BYTES,
    BLKIO_SERVICED,
    BLKIO_QUEUED,
    BLKIO_SERVICE_TIME,
    BLKIO_WAIT_TIME,
    BLKIO_MERGED,
    BLKIO_TIME,
    BLKIO_SECTORS,
    BLKIO_KINDS,
};

struct blkio_list {
    struct blkio_count *v;
    size_t n;
};

struct memory_count {
    char name[40]; /* a key of memory.stat */
    uint64_t value;
};

struct interface_stats {
    char name[32];
    uint64_t rx_bytes, rx_packets, rx_errors, rx_dropped;
    uint64_t tx_bytes, tx_packets, tx_errors, tx_dropped;
};

struct container_stats {
    _Atomic int refs;
    int64_t read_ns; /* wall clock; TIME_ZERO: it did not run */
    bool v2;
    uint64_t cpu_total_ns, cpu_kernel_ns, cpu_user_ns;
    uint64_t *percpu_ns; /* v1 */
    size_t n_percpu;
    uint64_t system_cpu_ns; /* of the whole machine */
    uint64_t online_cpus;
    uint64_t periods, throttled_periods, throttled_ns;
    uint64_t memory_usage, memory_max_usage, memory_failures, memory_limit; /* bytes */
    struct memory_count *memory;
    size_t n_memory;
    uint64_t pids, pids_limit; /* 0: none */
    struct blkio_list blkio[BLKIO_KINDS];
    struct interface_stats *interfaces; /* without lo */
    size_t n_interfaces;
};

struct container_stats *container_stats_new(void); /* refs 1, read_ns TIME_ZERO */
struct container_stats *container_stats_ref(const struct container_stats *s);
void container_stats_unref(const struct container_stats *s);
static inline void container_stats_unref_p(struct container_stats **s)
{
    container_stats_unref(*s);
}
#define cleanup_stats CLEANUP(container_stats_unref_p)
