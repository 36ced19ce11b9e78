/*
 * config: the agent's settings, from flags and from one YAML file.
 *
 * JSON is YAML, so a daemon.json is a valid file; dockerd's keys and flags keep their names and
 * meaning, and what this agent does not apply (yet) is said at start, not dropped.  `sources`,
 * `host` and `preload-images` are ours.  A key given as a flag and in the file is an error, as with
 * dockerd.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "core/runtime_command.h"

struct source_config {
    char *name;
    char *directory; /* absolute path */
    bool allow_empty;
};

struct pool_config {
    char *base;
    int64_t size;
};

struct config {
    struct strv hosts;
    char *data_root, *exec_root, *pidfile, *config_file, *group, *bridge, *cgroup_parent, *instance;
    char *storage_driver, *log_driver, *log_level, *log_format, *preload_images, *shim;
    bool debug, ip_forward, ip_masq, icc, init, no_new_privileges, live_restore, experimental,
        validate;
    bool show_version, show_help, erase;
    int64_t mtu, default_shm_size, default_stop_timeout, max_concurrent_downloads, shutdown_timeout,
        workers;
    char *plugin_sockets, *default_cgroupns, *default_ipc, *seccomp_profile, *userns_remap;
    char *seccomp_text; /* what the file named by seccomp_profile has; NULL: the built-in one */
    int64_t remap_base, remap_count; /* ids of userns_remap; count 0: none */
    struct strv plugin_specs;
    struct strv dns, insecure_registries, registry_mirrors, labels;
    struct strv host_gateways, cdi_dirs, default_ulimits;
    struct kvs log_opts, host_labels;
    struct runtime_commands runtimes;
    char *default_runtime;
    struct pool_config *pools;
    size_t n_pools;
    struct source_config *sources;
    size_t n_sources;
    struct strv notices; /* what was understood but is not applied, one sentence each */
};

void config_init(struct config *c, const char *program); /* the defaults; `dockerd` has its own */
void config_release(struct config *c);
/* Flags, then the file they name (or the default file, when it is there), then checks. */
int config_load(struct config *c, int argc, char *const *argv, struct err *e) MUST_USE;
/* The file alone: for tests and fuzzing. */
int config_parse(struct config *c, const char *text, size_t len, const char *file,
                 struct err *e) MUST_USE;
void config_usage(void); /* to stdout */
