/*
 * container: the noun.  What was asked for (struct container_spec), what is wanted now (goal) and
 * what was last seen (struct container_state), in one immutable snapshot.
 *
 * A `struct container` is never changed once others can see it: whoever changes a container makes a
 * copy, changes that, and puts it in the place of the old one (reconciler/containers.c).  Readers
 * hold a reference for as long as they look, and never wait for a worker.
 *
 * The spec has the shape of the Engine API's create body (Config, HostConfig, NetworkingConfig);
 * core/container_spec.c has one table row per field, which serves decode, encode, copy and free.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

enum proto { PROTO_TCP, PROTO_UDP, PROTO_SCTP };
const char *proto_name(enum proto p);
int proto_parse(const char *s, enum proto *out, struct err *e) MUST_USE;

/* One entry of HostConfig.PortBindings.  host_port 0: any free port; host_port_end is 8010
 * for "8000-8010", else 0. */
struct port_binding {
    uint16_t port;
    enum proto proto;
    char *host_ip; /* NULL or "": all addresses */
    uint16_t host_port, host_port_end;
    bool given_null, given_empty; /* PortBindings had null or [] here: inspect says so; any port */
};

/* An exposed port, Config.ExposedPorts. */
struct exposed_port {
    uint16_t port;
    enum proto proto;
};
/* "80", "80/tcp", "80-90/udp" -> lowest and highest port. */
int port_parse(const char *s, uint16_t *first, uint16_t *last, enum proto *proto,
               struct err *e) MUST_USE;

enum mount_type { MOUNT_BIND, MOUNT_VOLUME, MOUNT_TMPFS, MOUNT_IMAGE };
const char *mount_type_name(enum mount_type t);

/* From Binds, Mounts, Tmpfs and Config.Volumes alike. */
struct mount_spec {
    enum mount_type type;
    char *source; /* bind: host path; volume: name, "" = anonymous until create gives it one;
                     image: as typed */
    char *target;
    bool read_only;
    bool no_copy;          /* volume: do not copy the image's content into it */
    bool create_host_path; /* bind: make a missing source (Binds do, Mounts only when asked) */
    bool anonymous;        /* volume: made for this container, goes with `rm -v` and --rm */
    bool non_recursive;
    char *propagation;      /* "rprivate", ...; NULL: rprivate */
    char *subpath;          /* volume, image */
    char *image_id;         /* image: what it was when the container was created */
    char *driver;           /* volume: NULL = local */
    struct kvs driver_opts; /* volume */
    struct kvs labels;      /* volume */
    char *tmpfs_options;    /* "size=64m,mode=1777" */
    char *consistency;
    char *mode; /* Mode of inspect: the third part of a bind; a volume without one gets "z" when it
                   is local, which is not known before it is made */
    bool no_ro_recursive, force_ro_recursive; /* bind: ReadOnlyNonRecursive, ...ForceRecursive */
    bool implicit; /* from Config.Volumes, the image, or another container: others win */
};

enum restart_policy { RESTART_NO, RESTART_ALWAYS, RESTART_ON_FAILURE, RESTART_UNLESS_STOPPED };
const char *restart_policy_name(enum restart_policy p);

struct ulimit {
    char *name;
    int64_t soft, hard; /* -1: unlimited */
};

struct device_map {
    char *host_path, *container_path, *permissions;
    /* What a CDI spec says of the node; never stored.  Without: as it is on the host. */
    bool owned, with_mode;
    int64_t uid, gid, mode;
};

/* HostConfig.DeviceRequests: devices by what they can, or by a CDI name.  Met or refused when the
 * container starts, as dockerd does (reconciler/cdi.c). */
struct device_request {
    char *driver;
    int64_t count; /* -1: all */
    struct strv ids;
    struct strv capabilities; /* one group a string, its words separated by line feeds */
    bool ids_set, capabilities_set;
    struct kvs options;
};

/* HostConfig.BlkioWeightDevice, BlkioDeviceReadBps and its like. */
struct device_rate {
    char *path;   /* on the host */
    int64_t rate; /* bytes or operations per second; or a weight */
};
enum device_limit {
    DEVICE_WEIGHT,
    DEVICE_READ_BPS,
    DEVICE_WRITE_BPS,
    DEVICE_READ_IOPS,
    DEVICE_WRITE_IOPS,
    DEVICE_LIMITS
};
struct device_rates {
    struct device_rate *v;
    size_t n;
};

void device_rates_release(struct device_rates *r);

struct health_spec {
    bool set;
    struct strv test; /* {"NONE"} | {"CMD", ...} | {"CMD-SHELL", text}; empty: inherit */
    int64_t interval_ns, timeout_ns, start_period_ns, start_interval_ns; /* 0: default */
    int64_t retries;
};

/* Keys of an endpoint's driver_opts that this engine acts on; drivers take what they know. */
#define ENDPOINT_SYSCTLS "com.docker.network.endpoint.sysctls"
#define ENDPOINT_IFNAME  "com.docker.network.endpoint.ifname"

/* NetworkingConfig.EndpointsConfig[network] */
struct endpoint_config {
    char *network; /* as given: name or ID */
    struct strv aliases, links, link_local_ips;
    char *ipv4, *ipv6, *mac;
    struct kvs driver_opts;
    int64_t gw_priority;
    bool left; /* disconnected from the network of NetworkMode, which stays off it */
};

struct container_spec {
    /* Config */
    char *hostname, *domainname, *user;
    bool attach_stdin, attach_stdout, attach_stderr, tty, open_stdin, stdin_once, network_disabled;
    bool args_escaped; /* Windows; kept for inspect */
    struct exposed_port *exposed;
    size_t n_exposed;
    struct strv env; /* "K=V" */
    struct strv cmd; /* see cmd_set: [] is not null */
    bool cmd_set;
    struct strv entrypoint;
    bool entrypoint_set;
    struct health_spec health;
    char *image;         /* as typed */
    struct strv volumes; /* Config.Volumes: paths */
    char *working_dir;
    struct kvs labels;
    char *stop_signal;
    int64_t stop_timeout_s; /* -1: not set */
    struct strv on_build, shell;
    char *mac_address; /* before API 1.44 */

    /* HostConfig, resources */
    int64_t cpu_shares, memory, memory_reservation, memory_swap, memory_swappiness /* -1: unset */;
    int64_t nano_cpus, cpu_period, cpu_quota, cpu_rt_period, cpu_rt_runtime;
    char *cpuset_cpus, *cpuset_mems, *cgroup_parent;
    int64_t blkio_weight, pids_limit /* 0: unset, -1: unlimited */;
    struct device_rates device_rates[DEVICE_LIMITS];
    bool oom_kill_disable;
    struct device_map *devices;
    size_t n_devices;
    struct device_request *device_requests;
    size_t n_device_requests;
    struct strv device_cgroup_rules;
    struct ulimit *ulimits;
    size_t n_ulimits;

    /* HostConfig, the rest */
    struct strv binds;         /* as given, for inspect */
    struct mount_spec *mounts; /* everything: Binds, Mounts, Volumes and Tmpfs merged by create */
    size_t n_mounts;
    struct kvs tmpfs;
    char *mounts_json; /* HostConfig.Mounts as given, for inspect; NULL: none */
    char *network_mode;
    struct port_binding *ports;
    size_t n_ports;
    bool publish_all, auto_remove, privileged, readonly_rootfs;
    enum restart_policy restart;
    int64_t restart_max;
    /* What Compose's deploy.restart_policy has more than Docker's; not in inspect.  0: not set. */
    int64_t restart_delay_ns, restart_window_ns, restart_attempts;
    char *log_driver;
    struct kvs log_opts;
    char *volume_driver;
    struct strv volumes_from, cap_add, cap_drop, dns, dns_options, dns_search, extra_hosts,
        group_add;
    struct strv links, security_opt;
    char *ipc_mode, *pid_mode, *uts_mode, *userns_mode, *cgroupns_mode, *runtime,
        *container_id_file;
    char *cgroup, *isolation;                      /* kept for inspect; isolation: "", "default" */
    int64_t cpu_count, cpu_percent;                /* Windows; kept for inspect */
    int64_t io_maximum_iops, io_maximum_bandwidth; /* Windows; must be 0 */
    int64_t oom_score_adj, shm_size;
    struct kvs sysctls, storage_opt, annotations;
    bool init, init_set;
    struct strv masked_paths, readonly_paths;
    bool masked_paths_set, readonly_paths_set; /* set and empty: none */
    int64_t console_height, console_width;

    /* NetworkingConfig */
    struct endpoint_config *endpoints;
    size_t n_endpoints;

    /* Bit n: row n of the table in container_spec.c was given as [] or {}, which inspect tells from
     * null. */
    uint64_t empty_given[2];
};

struct container_spec *container_spec_new(void); /* with Docker's defaults */
struct container_spec *container_spec_copy(const struct container_spec *s);
void container_spec_free(struct container_spec *s);
/* What POST /containers/{id}/update asks for. */
struct container_update {
    struct container_spec *spec; /* resources and restart policy; 0 and "": as it is */
    bool pids, restart;          /* given, whatever their value */
};
int container_update_decode(const struct json *body, struct container_update *out,
                            struct err *e) MUST_USE;
int container_update_check(const struct container_update *u, struct err *e) MUST_USE;
void container_update_release(struct container_update *u);
#define cleanup_update CLEANUP(container_update_release)
/* Changes s; ERR_CONFLICT in Docker's words when the two do not go together. */
int container_update_apply(const struct container_update *up, struct container_spec *s,
                           struct err *e) MUST_USE;
/* Everything that an update can change is as it was. */
void container_update_undo(struct container_spec *s, const struct container_spec *before);

static inline void container_spec_free_p(struct container_spec **s)
{
    container_spec_free(*s);
}
#define cleanup_spec CLEANUP(container_spec_free_p)

/* A create body.  Unknown keys are ignored, as the Engine API has it; wrong types are ERR_INVALID.
 */
bool container_spec_has_config(const struct json *body);
int container_spec_decode(const struct json *body, struct container_spec *out,
                          struct err *e) MUST_USE;
/* Fills what follows from other fields, as moby does: "default" is "bridge", swap is twice the
 * memory, no label for the privileged, ...  decode calls it; who fills a spec by hand does.  Twice
 * is once. */
void container_spec_settle(struct container_spec *s);
/* The three objects as inspect prints them; one call per key, value only. */
void container_spec_encode_config(const struct container_spec *s, struct jsonw *w);
void container_spec_encode_host(const struct container_spec *s, struct jsonw *w);
/* The Config of `image inspect` as API 1.50 and later have it: only what an image can have. */
void container_spec_encode_image(const struct container_spec *s, struct jsonw *w);
/* What of NetworkingConfig was asked for one network: IPAMConfig, Links, Aliases, MacAddress,
 * DriverOpts, GwPriority as keys of an object that is open in w. */
void endpoint_config_encode(const struct endpoint_config *ec, struct jsonw *w);
void endpoint_config_release(struct endpoint_config *ec);
void endpoint_config_copy(struct endpoint_config *dst, const struct endpoint_config *src);
#define cleanup_endpoint CLEANUP(endpoint_config_release)
/* What can be told without looking at the network: "invalid endpoint settings:\n...". */
int endpoint_config_check(const struct endpoint_config *ec, struct err *e) MUST_USE;
/* One EndpointsConfig value (also of POST /networks/{id}/connect); network is left alone. */
int endpoint_config_decode(const struct json *j, struct endpoint_config *out,
                           struct err *e) MUST_USE;
/* Everything, for the database; container_spec_load() reads it back.  Round trip is the identity.
 */
void container_spec_store(const struct container_spec *s, struct jsonw *w);
int container_spec_load(const struct json *j, struct container_spec *out, struct err *e) MUST_USE;
/* "src:dst[:opts]" and Config.Volumes and HostConfig.Mounts and Tmpfs -> out->mounts (decode calls
 * it). */
int mount_parse_bind(const char *text, struct mount_spec *out, struct err *e) MUST_USE;
/* "container[:mode]" of VolumesFrom; the caller frees *container. */
int volumes_from_parse(const char *text, char **container, bool *read_only, struct err *e) MUST_USE;
void mount_spec_release(struct mount_spec *m);
void mount_spec_copy(struct mount_spec *dst, const struct mount_spec *src);
/* What can be refused without looking at the machine, in Docker's words (names, signals, ports,
 * ...). */
int container_spec_validate(const struct container_spec *s, struct err *e) MUST_USE;
bool container_name_valid(const char *name);
/* The profile that it runs under: "unconfined", the default, or the one that --security-opt names.
 * NULL: none is asked for, and without AppArmor none is the default.  Lives as long as the spec. */
#define APPARMOR_DEFAULT    "ballast-default"
#define APPARMOR_UNCONFINED "unconfined"
const char *container_apparmor(const struct container_spec *s, bool active);
int signal_parse(const char *s, int *out, struct err *e) MUST_USE; /* "TERM", "SIGTERM", "15" */
const char *signal_name(int sig);                                  /* "SIGTERM", NULL */

/* ------------------------------------------------------------------ state */

enum container_goal { GOAL_CREATED, GOAL_RUNNING, GOAL_PAUSED, GOAL_STOPPED, GOAL_ABSENT };
enum container_status {
    STATUS_CREATED,
    STATUS_RUNNING,
    STATUS_PAUSED,
    STATUS_RESTARTING,
    STATUS_REMOVING,
    STATUS_EXITED,
    STATUS_DEAD,
};
const char *container_status_name(enum container_status s); /* Docker's state strings */
int container_status_parse(const char *s, enum container_status *out);

/* An address on one network, kept while the container runs (and across a crash). */
struct endpoint {
    char *network_id, *network_name;
    char *id;                   /* 64 hex; "" while not joined */
    char *ipv4, *gateway, *mac; /* without prefix length */
    int64_t prefix_len;
    char *ifname;        /* in the container */
    struct strv aliases; /* without the container's own name and short ID */
    struct strv dns_names;
};

/* A port that is really open on the host. */
struct port_map {
    uint16_t port;
    enum proto proto;
    char *host_ip;
    uint16_t host_port;
};

struct container_state {
    enum container_status status;
    int64_t pid;
    int exit_code;
    bool oom_killed;
    int64_t ooms;                    /* of this life: those that were told */
    char *error;                     /* of the last start; "" */
    int64_t started_ns, finished_ns; /* TIME_ZERO: never */
    int64_t restart_count;
    int64_t
        restart_tries; /* restarts in a row that did not last; what the policy's maximum is of */
    bool manually_stopped; /* by an API call: the restart policy rests until the next start */
    char *health;          /* "", "starting", "healthy", "unhealthy" */
    struct endpoint *endpoints;
    size_t n_endpoints;
    struct port_map *ports;
    size_t n_ports;
};

struct container {
    _Atomic int refs;
    char *id, *name; /* name without the slash */
    int64_t created_ns;
    char *image_id; /* "sha256:..." */
    struct container_spec *spec;
    char *app, *service; /* "" when no app owns it */
    char *spec_hash;     /* of the app's service, "" */
    enum container_goal goal;
    bool keep;            /* intent: kept (policy, app) rather than once (an API call) */
    int64_t stop_grace_s; /* of the last stop request; -2: the spec's */
    int stop_sig;         /* of the last stop request; 0: the spec's */
    int64_t generation;   /* of the goal */
    int64_t observed_generation;
    struct container_state state;
};

/* It has a process: running or paused. */
static inline bool container_is_up(const struct container *c)
{
    return c->state.status == STATUS_RUNNING || c->state.status == STATUS_PAUSED;
}

/* As State.Running counts it: also one that its restart policy is about to start. */
static inline bool container_is_running(const struct container *c)
{
    return container_is_up(c) || c->state.status == STATUS_RESTARTING;
}

struct container *container_new(void);
struct container *container_copy(const struct container *c); /* refs 1 */
struct container *container_ref(const struct container *c);
void container_unref(const struct container *c);
static inline void container_unref_p(struct container **c)
{
    if (*c)
        container_unref(*c);
}
#define cleanup_container CLEANUP(container_unref_p)
/* Has its restart policy a try left?  Whether the policy wants one is another question. */
bool container_restarts_left(const struct container_spec *s, const struct container_state *st);
void container_state_store(const struct container_state *s, struct jsonw *w);
int container_state_load(const struct json *j, struct container_state *out, struct err *e) MUST_USE;
void container_state_release(struct container_state *s);
void container_state_copy(struct container_state *dst, const struct container_state *src);
void endpoint_release(struct endpoint *ep);
void endpoint_copy(struct endpoint *dst, const struct endpoint *src);
void port_map_copy(struct port_map *dst, const struct port_map *src);

/* argv of the first process: entrypoint followed by cmd. */
void container_argv(const struct container_spec *s, struct strv *out);
