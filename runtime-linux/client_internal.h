/*
 * client_internal: the agent's half of the runtime.
 *
 *     client.c        runtime_open() and the table of operations
 *     client_conn.c   one connection to a shim: requests and replies
 *     client_life.c   ensure_created, ensure_running, ensure_stopped, ensure_absent
 *     adopt.c         observe and list: what is there, whoever has started it
 *     open_root.c     the files of a container, from outside
 *     run_bundle.c    the files that a shim starts from
 *     watch.c         one thread that hears all shims
 *     doctor.c        what the host lacks
 *     apparmor.c      the profile of containers that name none
 *
 * Any thread may enter any of these.  Nothing is cached: a question goes to the shim, or to what it
 * left on disk.  What is shared has a lock: the watch, and whether the AppArmor profile is loaded.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/sync.h"
#include "core/runtime.h"
#include "runtime-linux/shim_protocol.h"

struct cancel;
struct watch;

struct runtime_linux {
    struct runtime base; /* must be first */
    char *data_root, *exec_root, *shim_path;
    int shim_fd;     /* the shim, out of containers' reach, as exe_guard.h says; -1: none */
    char *shim_exec; /* what is executed: the descriptor, or shim_path */
    const struct runtime_commands *commands;
    struct watch *watch;
    struct mutex apparmor_lock;
    /* By this agent: an older one's text is not ours. */
    bool apparmor_loaded GUARDED_BY(apparmor_lock);
};

static inline struct runtime_linux *runtime_linux_of(struct runtime *rt)
{
    return (struct runtime_linux *)rt;
}

/* <exec_root>/containers/<id> and <data_root>/containers/<id>; caller frees. */
char *client_exec_dir(const struct runtime_linux *rl, const char *id);
char *client_data_dir(const struct runtime_linux *rl, const char *id);

/* ------------------------------------------------------------------ client_conn.c */
#define CALL_TIMEOUT_MS 30000 /* for what a shim answers at once */
#define CALL_FOR_EVER   (-1)  /* for what starts a process */
#define REPLY_MAX       (1024 * 1024)

/* ERR_NOT_FOUND when no shim listens. */
int client_connect(const struct runtime_linux *rl, const char *id, int *fd, struct err *e) MUST_USE;
/* One request on `fd`; args may be NULL.  A failure of the shim's is returned in its own words. */
int client_call(int fd, enum shim_op op, const struct buf *args, int64_t timeout_ms,
                struct cancel *c, struct json_doc *reply, struct err *e) MUST_USE;
/* Connects, asks, closes.  reply may be NULL. */
int client_ask(const struct runtime_linux *rl, const char *id, enum shim_op op,
               const struct buf *args, struct json_doc *reply, struct err *e) MUST_USE;
/* The same for what only a running container can do: without a shim it is ERR_CONFLICT. */
int client_ask_running(const struct runtime_linux *rl, const char *id, enum shim_op op,
                       const struct buf *args, struct json_doc *reply, struct err *e) MUST_USE;
int client_not_running(const char *id, struct err *e);

/* ------------------------------------------------------------------ client_life.c */
int client_ensure_created(struct runtime *rt, const struct container *c, struct cancel *cn,
                          struct err *e);
int client_ensure_running(struct runtime *rt, const struct container *c, const struct run_spec *s,
                          struct cancel *cn, struct err *e);
int client_ensure_paused(struct runtime *rt, const char *id, bool paused, struct err *e);
int client_ensure_stopped(struct runtime *rt, const char *id, int signal, int64_t grace_ms,
                          struct cancel *cn, struct err *e);
int client_ensure_absent(struct runtime *rt, const char *id, struct err *e);

/* ------------------------------------------------------------------ adopt.c */
enum shim_presence {
    SHIM_ALIVE, /* it answers; *out is what it says */
    SHIM_BUSY,  /* it holds the lock but does not listen: beginning or ending */
    SHIM_NONE,
};
/* Looks once. */
int adopt_look(const struct runtime_linux *rl, const char *id, enum shim_presence *presence,
               struct container_observed *out, struct err *e) MUST_USE;
int adopt_observe(struct runtime *rt, const char *id, struct container_observed *out,
                  struct err *e);
/* Writes to the cgroup; the shim is not asked. */
int adopt_update(struct runtime *rt, const char *id, const struct container_spec *s, struct err *e);
/* From the kernel's files; the shim is not asked. */
int adopt_stats(struct runtime *rt, const char *id, bool own_network, struct container_stats *out,
                struct err *e);
int adopt_list(struct runtime *rt, struct strv *ids, struct err *e);
/* After a shim was killed: no process of the container is left, nor its cgroup. */
int adopt_clean_lost(const struct runtime_linux *rl, const char *id, struct err *e) MUST_USE;

/* ------------------------------------------------------------------ open_root.c */
int client_open_root(struct runtime *rt, const struct run_spec *spec, unsigned view, int *fd,
                     struct err *e);
int client_resolve_user(struct runtime *rt, int root_fd, const char *text, int64_t *uid,
                        int64_t *gid, struct err *e);

/* ------------------------------------------------------------------ run_bundle.c */
int run_bundle_make_dirs(const struct runtime_linux *rl, const char *id, struct err *e) MUST_USE;
/* Removes what the life before has left, but for the log. */
int run_bundle_reset(const struct runtime_linux *rl, const char *id, struct err *e) MUST_USE;
int run_bundle_write(const struct runtime_linux *rl, const struct container *c,
                     const struct run_spec *s, struct err *e) MUST_USE;
/* The arguments of START. */
int run_bundle_start_args(const struct runtime_linux *rl, const struct container *c,
                          const struct run_spec *s, struct buf *out, struct err *e) MUST_USE;

/* ------------------------------------------------------------------ apparmor.c */
/* The kernel has it and profiles can be loaded. */
bool apparmor_active(void);
/* APPARMOR_DEFAULT is in the kernel, as this agent has it. */
int apparmor_ensure_default(struct runtime_linux *rl, struct cancel *c, struct err *e) MUST_USE;

/* ------------------------------------------------------------------ run_log.c */
struct log_attrs_source;
char *run_log_program(const struct runtime_linux *rl); /* ballast-log; caller frees */
/* One key more of them, for a log that is delivered elsewhere. */
int run_log_write(const struct runtime_linux *rl, const struct container *c,
                  const struct run_spec *s, const struct log_attrs_source *src, struct jsonw *w,
                  struct err *e) MUST_USE;

/* ------------------------------------------------------------------ watch.c */
struct watch *watch_new(void);
void watch_free(struct watch *w);
int watch_start(struct watch *w, struct runtime_linux *rl, const struct runtime_events *ev,
                struct err *e) MUST_USE;
/* Listens to this container's shim from now on, if watching has begun. */
int watch_add(struct watch *w, const struct runtime_linux *rl, const char *id,
              struct err *e) MUST_USE;

/* ------------------------------------------------------------------ doctor.c */
bool doctor_supports(struct runtime *rt, const char *feature);
void doctor_report(struct runtime *rt, struct strv *lines);
