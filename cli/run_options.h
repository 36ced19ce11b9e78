/* run_options: docker's flags of `run`, and the create request that they mean. */
#pragma once

#include "base/buf.h"
#include "cli/cli.h"

struct run_options {
    bool detach, interactive, tty, rm, init, privileged, read_only, publish_all, no_healthcheck;
    bool oom_kill_disable, quiet;
    char *name, *hostname, *domainname, *user, *workdir, *entrypoint, *restart, *memory,
        *memory_swap, *memory_reservation, *cpus, *cpuset_cpus, *cpuset_mems, *shm_size, *ipc, *pid,
        *uts, *userns, *cgroupns, *cgroup_parent, *stop_signal, *ip, *mac, *log_driver, *platform,
        *pull, *runtime, *cidfile, *sig_proxy, *detach_keys, *volume_driver;
    int64_t pids_limit, cpu_shares, cpu_period, cpu_quota, oom_score_adj;
    char *stop_timeout;
    struct strv env, env_file, label, publish, expose, volume, mount, tmpfs, network, network_alias,
        cap_add, cap_drop, security_opt, dns, dns_option, dns_search, add_host, device, group_add,
        ulimit, sysctl, log_opt, volumes_from, attach, annotation;
};

#define N_RUN_FLAGS 74
extern const struct flag run_flags[N_RUN_FLAGS];

/* args: image, then the command. */
int run_body(const struct run_options *o, const struct strv *args, struct buf *out,
             struct err *e) MUST_USE;
/* "NAME=value" lines; "NAME" alone takes ours, and is left out when we have none. */
int env_collect(const struct strv *env, const struct strv *files, struct strv *out,
                struct err *e) MUST_USE;
