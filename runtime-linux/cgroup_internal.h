/*
 * cgroup_internal: what the two versions share.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "runtime-linux/cgroup.h"
#include "runtime-linux/launch_internal.h"

#define CGROUP_ROOT "/sys/fs/cgroup"

struct hierarchy {
    char *name; /* "memory", "cpu,cpuacct", "systemd" */
    char *dir;  /* mount point + path: the group's own directory; "" while it is not there */
};

struct cgroup_ops {
    int (*create)(struct cgroup *cg, struct err *e);
    int (*apply)(struct cgroup *cg, const struct oci_resources *r, struct err *e);
    int (*freeze)(struct cgroup *cg, bool frozen, struct err *e);
    bool (*is_frozen)(struct cgroup *cg);
    int64_t (*oom_kills)(struct cgroup *cg);
    int (*oom_fd)(struct cgroup *cg, uint32_t *events);
    bool (*oom_take)(struct cgroup *cg, int fd, int64_t *kills);
};
extern const struct cgroup_ops cgroup_v1_ops, cgroup_v2_ops;

struct cgroup {
    const struct cgroup_ops *ops;
    char *path;
    struct hierarchy *h; /* v2: one, named "" */
    size_t n;
};

/* The host's hierarchies, found once per process. */
struct cgroup_host {
    bool v2;
    struct hierarchy *h; /* dir is the mount point */
    size_t n;
};
const struct cgroup_host *cgroup_host(void);

/* Directory of the hierarchy that has `controller`, on v2 the only one; NULL: the host lacks it. */
const char *cgroup_dir(const struct cgroup *cg, const char *controller);

int cgroup_write(const char *dir, const char *file, const char *text, struct err *e) MUST_USE;
int cgroup_write_i64(const char *dir, const char *file, int64_t v, struct err *e) MUST_USE;
/* Whole file, trimmed; NULL with errno. */
char *cgroup_read(const char *dir, const char *file);
bool cgroup_file_exists(const char *dir, const char *file);
/* "key value" lines, as in memory.events; -1: not there */
int64_t cgroup_read_key(const char *dir, const char *file, const char *key);
int cgroup_no_controller(const char *what, const char *controller, struct err *e);

int cgroup_devices_attach(const char *dir, const struct oci_device_rule *rules, size_t n,
                          struct err *e) MUST_USE;
