/*
 * oci: an OCI runtime-spec config.json as C structs, plus what the specification lacks.
 *
 * Our own keys live in one object, "io.ballast", that other runtimes ignore as unknown:
 *
 *     "io.ballast": {
 *         "rootfs": {"overlay": true, "lower": ["/top", "/base"], "upper": "/u", "work": "/w"},
 *         "user": "name[:group]", "groups": ["wheel", "1000"],
 *         "init": true,
 *         "uidBase": 100000,            (rootfs is shown shifted: idmapped layers)
 *         "mounts": {"/data": {"copyUp": true, "subpath": "a/b"}, "/tools": {"layers": ["/top"]}}
 *     }
 *
 * Unknown keys are ignored, as the specification says; a wrong type is ERR_INVALID and names the
 * JSON path.  What this runtime cannot do (hooks, intelRdt, a foreign namespace type) is refused
 * rather than dropped.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"

/* In the order of the kernel's nsfs names in namespaces.c. */
enum oci_ns {
    OCI_NS_MNT,
    OCI_NS_PID,
    OCI_NS_NET,
    OCI_NS_IPC,
    OCI_NS_UTS,
    OCI_NS_USER,
    OCI_NS_CGROUP,
    OCI_NS_COUNT
};

struct oci_namespace {
    bool wanted; /* false: the runtime's own */
    char *path;  /* NULL: a new one */
};

struct oci_idmap {
    int64_t container_id, host_id, size;
};

struct oci_rlimit {
    char *type; /* "RLIMIT_NOFILE" */
    uint64_t soft, hard;
};

struct oci_mount {
    char *destination, *type, *source;
    struct strv options;
    bool copy_up;       /* "io.ballast": fill an empty source with the image's content first */
    char *subpath;      /* "io.ballast": below source; followed without leaving it */
    struct strv layers; /* "io.ballast": what is mounted is these directories, topmost first */
};

struct oci_device {
    char type; /* 'c', 'b', 'p' */
    char *path;
    int64_t major, minor;
    int64_t mode; /* -1: 0666 */
    int64_t uid, gid;
};

struct oci_device_rule {
    bool allow;
    char type;            /* 'a', 'b', 'c' */
    int64_t major, minor; /* -1: any */
    bool read, write, mknod;
};

struct oci_throttle { /* blkio per device */
    int64_t major, minor;
    uint64_t rate;
};
enum {
    OCI_THROTTLE_RBPS,
    OCI_THROTTLE_WBPS,
    OCI_THROTTLE_RIOPS,
    OCI_THROTTLE_WIOPS,
    OCI_THROTTLE_WEIGHT, /* weightDevice: its rate is a weight */
    OCI_THROTTLE_KINDS
};

/* A number that was not given is OCI_UNSET (0 is a value for some of them). */
#define OCI_UNSET INT64_MIN
struct oci_resources {
    struct oci_device_rule *devices;
    size_t n_devices;
    int64_t memory_limit, memory_reservation, memory_swap, memory_swappiness; /* -1: unlimited */
    bool disable_oom_killer;
    int64_t cpu_shares, cpu_quota, cpu_period, cpu_rt_runtime, cpu_rt_period;
    char *cpuset_cpus, *cpuset_mems;
    int64_t pids_limit; /* <= 0 (set): unlimited */
    int64_t blkio_weight;
    struct oci_throttle *throttle[OCI_THROTTLE_KINDS];
    size_t n_throttle[OCI_THROTTLE_KINDS];
    struct kvs unified; /* v2 file -> text, written as given */
};

struct oci_seccomp_arg {
    unsigned index;
    char *op; /* "SCMP_CMP_EQ" */
    uint64_t value, value_two;
};
struct oci_seccomp_rule {
    struct strv names;
    char *action;      /* "SCMP_ACT_ALLOW" */
    int64_t errno_ret; /* -1: EPERM */
    struct oci_seccomp_arg *args;
    size_t n_args;
};
struct oci_seccomp {
    char *default_action;
    int64_t default_errno; /* -1: EPERM */
    struct strv architectures, flags;
    struct oci_seccomp_rule *rules;
    size_t n_rules;
};

struct oci_caps {
    uint64_t bounding, effective, inheritable, permitted, ambient; /* bit n: capability n */
};

struct oci_process {
    struct strv args, env;
    char *cwd;
    int64_t uid, gid, umask; /* umask -1: not given */
    int64_t *groups;
    size_t n_groups;
    char *user_text;         /* "io.ballast": resolved in the image; NULL: uid and gid count */
    struct strv group_texts; /* "io.ballast": additional groups, names or numbers */
    bool terminal;
    int64_t console_height, console_width; /* 0: unset */
    bool caps_set;                         /* false: the specification leaves it to us: none */
    struct oci_caps caps;
    struct oci_rlimit *rlimits;
    size_t n_rlimits;
    bool no_new_privileges;
    int64_t oom_score_adj; /* OCI_UNSET: as it is */
    char *apparmor, *selinux;
};

struct oci_config {
    char *bundle; /* directory of config.json; relative paths start here */
    struct oci_process process;
    /* Root: either a directory, or the overlay below. */
    char *root;
    bool root_readonly;
    bool overlay;
    struct strv lower; /* topmost first */
    char *upper, *work;
    bool volatile_root; /* what is written need not survive the machine: never wait for the disk */
    int64_t uid_base;   /* >= 0: idmap the layers to this; -1: as they are */
    char *hostname, *domainname;
    struct oci_mount *mounts;
    size_t n_mounts;
    struct oci_namespace ns[OCI_NS_COUNT];
    struct oci_idmap *uid_map, *gid_map;
    size_t n_uid_map, n_gid_map;
    struct oci_device *devices;
    size_t n_devices;
    char *cgroups_path; /* absolute, below every hierarchy's root; NULL: no cgroup of its own */
    struct oci_resources resources;
    struct oci_seccomp *seccomp; /* NULL: unconfined */
    struct strv masked, readonly;
    struct kvs sysctl;
    char *rootfs_propagation; /* NULL: "rprivate" */
    struct kvs annotations;
    bool init; /* a reaper is pid 1 and the process its child */
};

/* `path` is the config.json itself. */
int oci_config_read(const char *path, struct oci_config **out, struct err *e) MUST_USE;
int oci_config_parse(const char *text, size_t len, const char *bundle, struct oci_config **out,
                     struct err *e) MUST_USE;
void oci_config_free(struct oci_config *cfg);
static inline void oci_config_free_p(struct oci_config **cfg)
{
    oci_config_free(*cfg);
}
#define cleanup_oci_config CLEANUP(oci_config_free_p)

/* A resources object alone ("linux.resources" of the specification), for cgroup_apply(). */
int oci_resources_parse(const char *text, size_t len, struct oci_resources *out,
                        struct err *e) MUST_USE;
void oci_resources_init(struct oci_resources *r);
void oci_resources_release(struct oci_resources *r);
