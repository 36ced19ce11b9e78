/*
 * runtime: what runtime-linux/ and runtime-windows/ implement, and all that anybody else knows of
 * them.
 *
 * ensure_*() calls are level-based: each says how things should be, may be repeated at will, and
 * does nothing when they are so already.  They may block; cancel ends them.  observe() is the only
 * source of truth about a container, and never a cached one.
 *
 * Every call may come from any thread.  Calls for one container never overlap (the reconciler's
 * queue sees to that), except signal(), observe(), pids() and the I/O calls, which may.
 *
 *              ensure_created          ensure_running
 *   ABSENT ─────────────────▶ CREATED ──────────────▶ RUNNING ◀──▶ PAUSED    ensure_paused
 *     ▲    (a shim listens)      │                       │
 *     │       ensure_absent      │                       │  the process ends (exit.json is durable)
 *     └──────────────────────────┴────── EXITED ◀────────┘
 *
 * EXITED -> ensure_created starts the next life: the old exit record is removed first.
 *
 * Streams.  attach() and exec() give one stream.  Written to it: the raw bytes of stdin,
 * close_write is its end.  Read from it: frames {kind, 0, 0, 0, length big endian}, the header of
 * Docker's stdcopy, for terminals too (kind 1).  FRAME_EXIT carries the exit code (4 bytes, big
 * endian) and is the last frame of an exec; an attach just ends.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "core/container.h"
#include "core/storage_driver.h"

struct cancel;
struct container_stats;
struct runtime_commands;
struct stream;

enum frame_kind {
    FRAME_STDIN = 0,
    FRAME_STDOUT = 1,
    FRAME_STDERR = 2,
    FRAME_SYSTEM = 3,
    FRAME_EXIT = 16
};
#define FRAME_HEADER 8
#define FRAME_MAX    (64 * 1024) /* payload */

enum container_phase {
    CONTAINER_ABSENT,
    CONTAINER_CREATED,
    CONTAINER_RUNNING,
    CONTAINER_PAUSED,
    CONTAINER_EXITED,
};

struct container_observed {
    enum container_phase phase;
    int64_t pid;
    int exit_code;   /* when EXITED */
    bool oom_killed; /* the kernel ended a process of this life for want of memory */
    int64_t ooms;    /* how often it ran out of memory; may be 0 when it was not counted */
    bool lost;       /* when EXITED: the shim died; exit_code is 137 and a guess */
    int64_t started_ns, finished_ns;
};

struct run_mount {
    enum mount_type type;
    char *source,
        *target; /* host path (bind and volume alike); target in the container, absolute */
    bool read_only, non_recursive;
    bool shallow_ro;    /* read_only: what is mounted below it stays as it is */
    char *subpath;      /* below source, which nothing in it can lead out of; NULL: source itself */
    struct strv layers; /* an image: its directories, topmost first, instead of source */
    bool copy_up;       /* fill an empty source with what the image has at target, first */
    bool is_file;       /* source is a file: the target is made as one */
    char *propagation;  /* NULL: rprivate */
    char *tmpfs_options; /* "size=64m,mode=1777" */
    char *options;       /* bind: "nosuid,nodev"; NULL: none */
};

/*
 * All that one start needs; the reconciler composes it (reconciler/run_spec.c).  Paths are the
 * host's.  `spec` gives what needs no composing: env, user, capabilities, limits, ulimits, sysctls,
 * masked paths, devices, tty, hostname, ...
 */
struct run_spec {
    char *id, *name;
    struct container_spec *spec;
    struct strv argv;
    struct strv env; /* final: PATH, HOSTNAME, TERM added */
    char *cwd;
    struct rootfs rootfs;
    struct run_mount *mounts; /* in order of mounting; /etc/hosts and the like are among them */
    size_t n_mounts;
    char *hostname, *domainname;
    char *netns_path;          /* NULL: the host's network */
    char *ipc_path, *pid_path; /* namespace to join; NULL: see the spec's mode */
    char *cgroup;              /* below every hierarchy's root: "/ballast/<id>" */
    char *log_driver, *log_path;
    struct kvs log_opts;
    char *seccomp;  /* NULL: default profile, "unconfined", or a profile's JSON */
    char *apparmor; /* profile; NULL: none is set, APPARMOR_DEFAULT: the runtime sees to it */
    bool no_new_privileges, writable_cgroups, userns_remap;
    int64_t uid_base, id_count; /* when userns_remap */
};
struct run_spec *run_spec_new(void);
void run_spec_free(struct run_spec *s);

struct attach_opts {
    bool in, out, err;
};

enum root_view {
    ROOT_WRITABLE = 1, /* else everything is read-only */
    ROOT_BARE = 2,     /* the root file system alone, without volumes and binds */
};

struct exec_spec {
    char *id; /* 64 hex */
    struct strv argv, env;
    char *cwd, *user;
    bool tty, privileged, attach_stdin, attach_stdout, attach_stderr;
    int64_t height, width; /* 0: unset */
};
void exec_spec_release(struct exec_spec *s);

/* What the runtime tells without being asked.  Called on the runtime's own thread; must not block.
 */
struct runtime_events {
    void (*changed)(void *arg, const char *id); /* phase may differ: look */
    void (*exec_exited)(void *arg, const char *id, const char *exec_id, int exit_code);
    void *arg;
    /* Lines of its log could not be kept or delivered; may be NULL. */
    void (*log_lost)(void *arg, const char *id, int64_t lines, const char *why);
};

struct runtime_config {
    const char *data_root; /* <data_root>/containers/<id>/ holds the log and exit.json */
    const char *exec_root; /* <exec_root>/containers/<id>/ holds the bundle and the shim's socket */
    const char *shim_path; /* NULL: beside the running program */
    const char *init_path; /* unused on Linux: the shim is the init */
    const struct runtime_commands *commands; /* outlives the runtime; NULL: none */
};

struct runtime {
    const struct runtime_ops *ops; /* the implementation's own struct starts with this one */
};

struct runtime_ops {
    const char *name;

    /* A shim for the container exists and can be attached to.  tty, open_stdin are fixed here. */
    int (*ensure_created)(struct runtime *rt, const struct container *c, struct cancel *cn,
                          struct err *e);
    /* Calls ensure_created itself.  An error text from inside reaches the user word for word. */
    int (*ensure_running)(struct runtime *rt, const struct container *c, const struct run_spec *s,
                          struct cancel *cn, struct err *e);
    int (*ensure_paused)(struct runtime *rt, const char *id, bool paused, struct err *e);
    /* Signal, wait up to grace_ms (-1: for ever), SIGKILL, wait.  Done when the exit is durable. */
    int (*ensure_stopped)(struct runtime *rt, const char *id, int signal, int64_t grace_ms,
                          struct cancel *cn, struct err *e);
    /* No process, shim, cgroup or bundle is left; the log stays (it goes with the data directory).
     */
    int (*ensure_absent)(struct runtime *rt, const char *id, struct err *e);

    int (*observe)(struct runtime *rt, const char *id, struct container_observed *out,
                   struct err *e);
    /* Every id this exec_root knows: for re-adoption and for leftovers. */
    int (*list)(struct runtime *rt, struct strv *ids, struct err *e);

    int (*signal)(struct runtime *rt, const char *id, int signal, struct err *e);
    int (*attach)(struct runtime *rt, const char *id, const struct attach_opts *o,
                  struct stream **io, struct err *e);
    /* io NULL: detached.  Returns when the process runs or could not be started (its own words). */
    int (*exec)(struct runtime *rt, const char *id, const struct exec_spec *spec,
                struct stream **io, int64_t *pid, struct err *e);
    int (*exec_signal)(struct runtime *rt, const char *id, const char *exec_id, int signal,
                       struct err *e);
    int (*exec_resize)(struct runtime *rt, const char *id, const char *exec_id, unsigned rows,
                       unsigned cols, struct err *e);
    int (*resize_tty)(struct runtime *rt, const char *id, unsigned rows, unsigned cols,
                      struct err *e);
    /* Host pids of every process in the container. */
    int (*pids)(struct runtime *rt, const char *id, int64_t **out, size_t *n, struct err *e);

    /* The limits of s, on a container that runs; what is 0 there stays. */
    int (*update)(struct runtime *rt, const char *id, const struct container_spec *s,
                  struct err *e);
    /* *out is fresh; own_network: not the host's.  ERR_CONFLICT when it does not run. */
    int (*stats)(struct runtime *rt, const char *id, bool own_network, struct container_stats *out,
                 struct err *e);

    /*
     * The container's files from outside: *fd is the root of a copy of its mounts, which nothing
     * that happens in the container changes.  No device can be opened through it.  Of a container
     * that does not run, spec says what the mounts would be.  See enum root_view.
     */
    int (*open_root)(struct runtime *rt, const struct run_spec *spec, unsigned view, int *fd,
                     struct err *e);
    /* "web", "web:staff", "1000:50" by the files of the container whose root this is. */
    int (*resolve_user)(struct runtime *rt, int root_fd, const char *text, int64_t *uid,
                        int64_t *gid, struct err *e);

    int (*watch)(struct runtime *rt, const struct runtime_events *ev, struct err *e);
    /* A limit or a facility that containers may ask for: "memory.swap", "blkio.weight", "pids", ...
     */
    bool (*supports)(struct runtime *rt, const char *feature);
    /* What the host lacks, one "feature\tstate\twhat is off" line each: for `doctor` and /info. */
    void (*doctor)(struct runtime *rt, struct strv *lines);
    void (*free)(struct runtime *rt); /* leaves everything running */
};

/* Defined by the platform's folder. */
int runtime_open(const struct runtime_config *cfg, struct runtime **out, struct err *e) MUST_USE;
