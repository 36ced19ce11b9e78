/* random_spec: container specs with every member set at random, and a comparison that does not go
 * through the codec it is to judge. */
#pragma once

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "core/container.h"
#include "tests/unit/unit.h"

static unsigned rnd_state;

static inline unsigned rnd(unsigned below)
{
    rnd_state = rnd_state * 1103515245u + 12345u;
    return (rnd_state >> 8) % below;
}

static inline bool rnd_bool(void)
{
    return rnd(2) == 1;
}

static inline int64_t rnd_i64(void)
{
    static const int64_t odd[] = {0, 1, -1, INT64_MAX, INT64_MIN, 4096, -2};

    return rnd(3) ? odd[rnd(7)] : (int64_t)rnd(1 << 20) * (int64_t)rnd(1 << 20);
}

static inline void rnd_str(char **out)
{
    static const char *const words[] = {"",  "a",   "hello world", "\"quoted\" \\", "ä€😀",
                                        "/", "k=v", "null",        "line\nfeed\t",  "[]"};

    str_set(out, words[rnd(10)]);
}

static inline void rnd_strv(struct strv *sv)
{
    strv_release(sv);
    for (unsigned n = rnd(4); n; n--) {
        cleanup_free char *s = NULL;

        rnd_str(&s);
        strv_add(sv, s);
    }
}

static inline void rnd_kvs(struct kvs *kvs)
{
    kvs_release(kvs);
    for (unsigned n = rnd(4); n; n--) {
        cleanup_free char *s = NULL;

        rnd_str(&s);
        kvs_setf(kvs, s, "%u", rnd(100));
    }
}

static inline void rnd_port(struct port_binding *b)
{
    *b = (struct port_binding){.port = (uint16_t)(1 + rnd(65535)),
                               .proto = (enum proto)rnd(3),
                               .host_port = (uint16_t)rnd(65536)};
    if (rnd_bool())
        b->host_port_end = (uint16_t)(b->host_port + rnd(10));
    b->given_null = rnd(8) == 0;
    rnd_str(&b->host_ip);
}

static inline void rnd_mount(struct mount_spec *m)
{
    *m = (struct mount_spec){.type = (enum mount_type)rnd(3),
                             .read_only = rnd_bool(),
                             .no_copy = rnd_bool(),
                             .create_host_path = rnd_bool(),
                             .anonymous = rnd_bool(),
                             .non_recursive = rnd_bool(),
                             .no_ro_recursive = rnd_bool(),
                             .force_ro_recursive = rnd_bool()};
    rnd_str(&m->source);
    rnd_str(&m->target);
    if (rnd_bool())
        rnd_str(&m->propagation);
    if (rnd_bool())
        rnd_str(&m->subpath);
    if (rnd_bool())
        rnd_str(&m->driver);
    rnd_kvs(&m->driver_opts);
    rnd_kvs(&m->labels);
    if (rnd_bool())
        rnd_str(&m->tmpfs_options);
    if (rnd_bool())
        rnd_str(&m->consistency);
    if (rnd_bool())
        rnd_str(&m->mode);
}

static inline void rnd_endpoint(struct endpoint_config *ec, unsigned n)
{
    *ec = (struct endpoint_config){.network = str_printf("net%u", n), .gw_priority = rnd_i64()};
    rnd_strv(&ec->aliases);
    rnd_strv(&ec->links);
    rnd_strv(&ec->link_local_ips);
    rnd_str(&ec->ipv4);
    rnd_str(&ec->ipv6);
    rnd_str(&ec->mac);
    rnd_kvs(&ec->driver_opts);
}

#define RND_ARRAY(v, count, max, fill)            \
    do {                                          \
        (count) = rnd((max) + 1);                 \
        (v) = xcalloc((count) + 1, sizeof(*(v))); \
        for (size_t i_ = 0; i_ < (count); i_++)   \
            fill;                                 \
    } while (0)

/* The formatter takes them for calls and never comes to an end with them. */
/* clang-format off */
#define SPEC_STRINGS(X) \
    X(hostname) X(domainname) X(user) X(image) X(working_dir) X(stop_signal) X(mac_address) \
    X(cpuset_cpus) X(cpuset_mems) X(cgroup_parent) X(network_mode) X(log_driver) \
    X(volume_driver) X(ipc_mode) X(pid_mode) X(uts_mode) X(userns_mode) X(cgroupns_mode) \
    X(runtime) X(container_id_file) X(cgroup) X(isolation)
#define SPEC_BOOLS(X) \
    X(attach_stdin) X(attach_stdout) X(attach_stderr) X(tty) X(open_stdin) X(stdin_once) \
    X(network_disabled) X(args_escaped) X(oom_kill_disable) X(publish_all) X(auto_remove) \
    X(privileged) X(readonly_rootfs)
#define SPEC_INTS(X) \
    X(stop_timeout_s) X(cpu_shares) X(memory) X(memory_reservation) X(memory_swap) \
    X(memory_swappiness) X(nano_cpus) X(cpu_period) X(cpu_quota) X(cpu_rt_period) \
    X(cpu_rt_runtime) X(blkio_weight) X(pids_limit) X(oom_score_adj) X(shm_size) X(cpu_count) \
    X(cpu_percent) X(io_maximum_iops) X(io_maximum_bandwidth) X(console_height) \
    X(console_width) X(restart_max)
#define SPEC_LISTS(X) \
    X(env) X(on_build) X(shell) X(device_cgroup_rules) X(binds) X(volumes_from) X(cap_add) \
    X(cap_drop) X(dns) X(dns_options) X(dns_search) X(extra_hosts) X(group_add) X(links) \
    X(security_opt)
#define SPEC_MAPS(X) \
    X(labels) X(tmpfs) X(log_opts) X(sysctls) X(storage_opt) X(annotations)
/* clang-format on */

static inline void rnd_shapes(struct container_spec *s)
{
    static const char *const paths[] = {"/a", "/b b", "/c\"d"};

    RND_ARRAY(s->ports, s->n_ports, 3, rnd_port(&s->ports[i_]));
    RND_ARRAY(s->mounts, s->n_mounts, 3, rnd_mount(&s->mounts[i_]));
    RND_ARRAY(s->endpoints, s->n_endpoints, 2, rnd_endpoint(&s->endpoints[i_], (unsigned)i_));
    RND_ARRAY(s->exposed, s->n_exposed, 3,
              s->exposed[i_] =
                  ((struct exposed_port){(uint16_t)(i_ * 1000 + rnd(1000)), (enum proto)rnd(3)}));
    RND_ARRAY(s->ulimits, s->n_ulimits, 2, {
        s->ulimits[i_].soft = rnd_i64();
        s->ulimits[i_].hard = rnd_i64();
        rnd_str(&s->ulimits[i_].name);
    });
    RND_ARRAY(s->devices, s->n_devices, 2, {
        rnd_str(&s->devices[i_].host_path);
        rnd_str(&s->devices[i_].container_path);
        rnd_str(&s->devices[i_].permissions);
    });
    for (size_t i = 0; i < 3; i++)
        if (rnd_bool())
            strv_add(&s->volumes, paths[i]);
    if (rnd_bool())
        str_set(&s->mounts_json, "[{\"Type\":\"tmpfs\",\"Target\":\"/x\"}]");
}

static inline struct container_spec *random_spec(unsigned seed)
{
    struct container_spec *s = container_spec_new();

    rnd_state = seed * 2654435761u;
#define X(m) rnd_str(&s->m);
    SPEC_STRINGS(X)
#undef X
#define X(m) s->m = rnd_bool();
    SPEC_BOOLS(X)
#undef X
#define X(m) s->m = rnd_i64();
    SPEC_INTS(X)
#undef X
#define X(m) rnd_strv(&s->m);
    SPEC_LISTS(X)
#undef X
#define X(m) rnd_kvs(&s->m);
    SPEC_MAPS(X)
#undef X
    s->cmd_set = rnd_bool();
    s->entrypoint_set = rnd_bool();
    s->masked_paths_set = rnd_bool();
    s->readonly_paths_set = rnd_bool();
    s->init_set = rnd_bool();
    s->health.set = rnd_bool();
    if (s->cmd_set)
        rnd_strv(&s->cmd);
    if (s->entrypoint_set)
        rnd_strv(&s->entrypoint);
    if (s->masked_paths_set)
        rnd_strv(&s->masked_paths);
    if (s->readonly_paths_set)
        rnd_strv(&s->readonly_paths);
    if (s->init_set)
        s->init = rnd_bool();
    if (s->health.set) {
        rnd_strv(&s->health.test);
        s->health.interval_ns = rnd_i64();
        s->health.retries = rnd_i64();
    }
    s->restart = (enum restart_policy)rnd(4);
    rnd_shapes(s);
    return s;
}

static inline void same_mount(const struct mount_spec *a, const struct mount_spec *b)
{
    assert_int_equal(a->type, b->type);
    assert_true(str_eq(a->source, b->source) && str_eq(a->target, b->target));
    assert_true(str_eq(a->propagation, b->propagation) && str_eq(a->subpath, b->subpath));
    assert_true(str_eq(a->driver, b->driver) && str_eq(a->mode, b->mode));
    assert_true(str_eq(a->tmpfs_options, b->tmpfs_options));
    assert_true(str_eq(a->consistency, b->consistency));
    assert_true(a->read_only == b->read_only && a->no_copy == b->no_copy);
    assert_true(a->create_host_path == b->create_host_path && a->anonymous == b->anonymous);
    assert_true(a->non_recursive == b->non_recursive);
    assert_true(a->no_ro_recursive == b->no_ro_recursive);
    assert_true(a->force_ro_recursive == b->force_ro_recursive);
    assert_true(kvs_eq(&a->labels, &b->labels) && kvs_eq(&a->driver_opts, &b->driver_opts));
}

static inline void same_shapes(const struct container_spec *a, const struct container_spec *b)
{
    assert_true(a->n_ports == b->n_ports && a->n_mounts == b->n_mounts);
    assert_true(a->n_endpoints == b->n_endpoints && a->n_exposed == b->n_exposed);
    assert_true(a->n_ulimits == b->n_ulimits && a->n_devices == b->n_devices);
    for (size_t i = 0; i < a->n_ports; i++) {
        const struct port_binding *p = &a->ports[i], *q = &b->ports[i];

        assert_true(p->port == q->port && p->proto == q->proto && str_eq(p->host_ip, q->host_ip));
        assert_true(p->host_port == q->host_port && p->host_port_end == q->host_port_end);
        assert_true(p->given_null == q->given_null && p->given_empty == q->given_empty);
    }
    for (size_t i = 0; i < a->n_mounts; i++)
        same_mount(&a->mounts[i], &b->mounts[i]);
    for (size_t i = 0; i < a->n_endpoints; i++) {
        const struct endpoint_config *p = &a->endpoints[i], *q = &b->endpoints[i];

        assert_string_equal(p->network, q->network);
        assert_true(strv_eq(&p->aliases, &q->aliases) && strv_eq(&p->links, &q->links));
        assert_true(strv_eq(&p->link_local_ips, &q->link_local_ips));
        assert_string_equal(p->ipv4, q->ipv4 ? q->ipv4 : "");
        assert_string_equal(p->ipv6, q->ipv6 ? q->ipv6 : "");
        assert_string_equal(p->mac, q->mac ? q->mac : "");
        assert_true(kvs_eq(&p->driver_opts, &q->driver_opts));
        assert_int_equal(p->gw_priority, q->gw_priority);
    }
    for (size_t i = 0; i < a->n_exposed; i++)
        assert_true(a->exposed[i].port == b->exposed[i].port &&
                    a->exposed[i].proto == b->exposed[i].proto);
    for (size_t i = 0; i < a->n_ulimits; i++)
        assert_true(str_eq(a->ulimits[i].name, b->ulimits[i].name) &&
                    a->ulimits[i].soft == b->ulimits[i].soft &&
                    a->ulimits[i].hard == b->ulimits[i].hard);
    for (size_t i = 0; i < a->n_devices; i++)
        assert_true(str_eq(a->devices[i].host_path, b->devices[i].host_path) &&
                    str_eq(a->devices[i].container_path, b->devices[i].container_path) &&
                    str_eq(a->devices[i].permissions, b->devices[i].permissions));
}

static inline void assert_specs_equal(const struct container_spec *a,
                                      const struct container_spec *b)
{
#define X(m) assert_string_equal(a->m, b->m);
    SPEC_STRINGS(X)
#undef X
#define X(m) assert_int_equal(a->m, b->m);
    SPEC_BOOLS(X)
    SPEC_INTS(X)
#undef X
#define X(m) assert_true(strv_eq(&a->m, &b->m));
    SPEC_LISTS(X)
#undef X
#define X(m) assert_true(kvs_eq(&a->m, &b->m));
    SPEC_MAPS(X)
#undef X
    assert_true(a->cmd_set == b->cmd_set && strv_eq(&a->cmd, &b->cmd));
    assert_true(a->entrypoint_set == b->entrypoint_set && strv_eq(&a->entrypoint, &b->entrypoint));
    assert_true(a->masked_paths_set == b->masked_paths_set);
    assert_true(strv_eq(&a->masked_paths, &b->masked_paths));
    assert_true(a->readonly_paths_set == b->readonly_paths_set);
    assert_true(strv_eq(&a->readonly_paths, &b->readonly_paths));
    assert_true(a->init == b->init && a->init_set == b->init_set);
    assert_true(a->health.set == b->health.set && strv_eq(&a->health.test, &b->health.test));
    assert_int_equal(a->health.interval_ns, b->health.interval_ns);
    assert_int_equal(a->health.retries, b->health.retries);
    assert_true(strv_eq(&a->volumes, &b->volumes));
    assert_int_equal(a->restart, b->restart);
    assert_true(str_eq(a->mounts_json, b->mounts_json));
    assert_memory_equal(a->empty_given, b->empty_given, sizeof(a->empty_given));
    same_shapes(a, b);
}
