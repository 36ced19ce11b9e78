/*
 * engine: the one way to change anything, seen by its two writers, api/ and agent/sources.
 *
 * A call that changes something writes the desired record, queues the object's key and waits until
 * a worker has dealt with *that* write; the worker's struct err comes back, in Docker's words,
 * ready to be a reply.  The waiting ends early only when `c` fires; the work does not.  Reading
 * calls look at immutable snapshots and never wait for a worker.
 *
 * `by` says who asked; it ends up in events and history: "api uid=0 pid=17", "app shop".
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "core/app.h"
#include "core/container.h"
#include "core/event.h"
#include "core/image.h"
#include "core/log_driver.h"
#include "core/net_driver.h"
#include "core/network.h"
#include "core/runtime.h"
#include "core/runtime_command.h"
#include "core/stats.h"
#include "core/vol_driver.h"
#include "core/volume.h"
#include "images/images.h"
#include "reconciler/plan.h"
#include "state/state.h"

struct cancel;
struct engine;
struct stream;

struct engine_config {
    const char *data_root, *exec_root;
    struct net_env net;
    struct vol_env vol; /* data_root and stop are filled in by engine_open() */
    struct net_pool_base pools[32];
    size_t n_pools;
    const char *cgroup_parent;      /* "/ballast" */
    const char *default_log_driver; /* "json-file" */
    struct kvs default_log_opts;
    struct strv default_dns;
    int64_t default_shm_size, default_stop_timeout_s;
    bool default_init, no_new_privileges;
    /* HostConfig when the client says nothing; NULL and "": as Docker has it. */
    const char *default_cgroupns_mode, *default_ipc_mode;
    const char *seccomp_profile; /* NULL: built in; "unconfined", or a profile's JSON */
    const char *seccomp_name;    /* its file, or the word */
    struct strv default_ulimits; /* "nofile=1024:2048" */
    struct strv host_gateways;   /* addresses for host-gateway; none: the default bridge's */
    struct strv cdi_dirs;        /* the later, the higher its rank */
    bool userns_remap;           /* containers get a user namespace with these ids */
    int64_t remap_base, remap_count;
    const struct runtime_commands *runtimes; /* NULL: the built-in one alone */
    const char *default_runtime;             /* NULL: RUNTIME_DEFAULT */
    struct kvs host_labels;
    int workers; /* 0: 4 */
};

int engine_open(const struct engine_config *cfg, struct state *st, struct images *im,
                struct runtime *rt, struct engine **out, struct err *e) MUST_USE;
/* Re-adopts what runs, resolves intents by looking, removes leftovers, starts the workers. */
int engine_start(struct engine *g, struct err *e) MUST_USE;
/* The workers end; containers keep running.  The runtime may still call in, so it is freed between.
 */
void engine_stop(struct engine *g);
void engine_close(struct engine *g); /* stops, too, if need be */

/* Removes every app, container, network and volume, and every trace in the kernel. */
int engine_erase(struct engine *g, struct err *e) MUST_USE;

const struct engine_config *engine_config(const struct engine *g);
struct images *engine_images(struct engine *g);
struct runtime *engine_runtime(struct engine *g);
/* The runtime has it, as core/runtime.h says; a runtime that knows no features has none. */
bool engine_supports(const struct engine *g, const char *feature);
struct state *engine_state(struct engine *g);
const char *engine_id(const struct engine *g);

/* ------------------------------------------------------------- containers */

struct container_create {
    const char *name; /* NULL: made up ("brave_turing") */
    const char *platform;
    struct container_spec *spec;           /* as decoded; create merges the image into a copy */
    const char *app, *service, *spec_hash; /* NULL */
    const char *by;
};
/* id: 64 hex, caller frees.  Warnings may be empty. */
int containers_create(struct engine *g, const struct container_create *rq, char **id,
                      struct strv *warnings, struct err *e) MUST_USE;
/* Full ID, exact name (with or without "/"), unique ID prefix.  "No such container: x". */
int containers_find(struct engine *g, const char *ref, struct container **out,
                    struct err *e) MUST_USE;
struct container_list {
    struct container **v;
    size_t n;
};
void containers_list(struct engine *g, struct container_list *out); /* newest first */
void container_list_release(struct container_list *l);

int containers_start(struct engine *g, const char *id, const char *by, struct cancel *c,
                     struct err *e) MUST_USE;
/* signal NULL: the spec's; timeout_s: -2 the spec's or 10, -1 for ever. ERR_NOT_MODIFIED when
 * stopped. */
int containers_stop(struct engine *g, const char *id, const char *signal, int64_t timeout_s,
                    const char *by, struct cancel *c, struct err *e) MUST_USE;
int containers_restart(struct engine *g, const char *id, const char *signal, int64_t timeout_s,
                       const char *by, struct cancel *c, struct err *e) MUST_USE;
int containers_kill(struct engine *g, const char *id, const char *signal, const char *by,
                    struct err *e) MUST_USE;
int containers_pause(struct engine *g, const char *id, bool paused, const char *by,
                     struct cancel *c, struct err *e) MUST_USE;
int containers_update(struct engine *g, const char *id, struct container_update *u,
                      struct strv *warnings, const char *by, struct cancel *c,
                      struct err *e) MUST_USE;
int containers_rename(struct engine *g, const char *id, const char *name, const char *by,
                      struct err *e) MUST_USE;
int containers_remove(struct engine *g, const char *id, bool force, bool volumes, const char *by,
                      struct cancel *c, struct err *e) MUST_USE;
enum wait_condition { WAIT_NOT_RUNNING, WAIT_NEXT_EXIT, WAIT_REMOVED };
/*
 * Two halves, so that the reply's head can be sent in between: nothing that happens after
 * containers_wait_begin() is missed.
 */
struct container_wait;
int containers_wait_begin(struct engine *g, const char *id, enum wait_condition cond,
                          struct container_wait **out, struct err *e) MUST_USE;
int containers_wait_end(struct container_wait *w, struct cancel *c, int *exit_code, char **error,
                        struct err *e) MUST_USE; /* frees w in any case */

/* A stream of frames as core/runtime.h has them; works before the first start. */
int containers_attach(struct engine *g, const char *id, const struct attach_opts *o,
                      struct stream **io, struct err *e) MUST_USE;
int containers_resize(struct engine *g, const char *id, unsigned rows, unsigned cols,
                      struct err *e) MUST_USE;
int containers_logs(struct engine *g, const char *id, const struct log_read_opts *o,
                    struct cancel *c, log_each_fn *each, void *arg, struct err *e) MUST_USE;
char *containers_log_path(struct engine *g, const char *id);
/*
 * What a container has used, for everybody who asks within SAMPLE_MS: thousands of watchers cost no
 * more than one.  A container that does not run has a sample with read_ns TIME_ZERO.
 */
int containers_stats(struct engine *g, const char *id, struct container_stats **out,
                     struct err *e) MUST_USE;
/* ps_args: default "-ef".  rows: one strv per process, of n titles. */
struct top {
    struct strv titles;
    struct strv *rows;
    size_t n;
};
int containers_top(struct engine *g, const char *id, const char *ps_args, struct top *out,
                   struct err *e) MUST_USE;
void top_release(struct top *t);

/* Bytes of the writable layer, and of that with the image below it. */
int container_sizes(struct engine *g, const char *id, int64_t *rw, int64_t *rootfs,
                    struct err *e) MUST_USE;

/* ------------------------------------------------------------------- exec */

/* What is known of one exec; a snapshot that the caller releases. */
struct exec_info {
    char *container_id;
    struct exec_spec spec;
    char *detach_keys;
    bool running, exited;
    int exit_code; /* when exited */
    int64_t pid;
};
void exec_info_release(struct exec_info *x);
int execs_create(struct engine *g, const char *container, struct exec_spec *spec,
                 const char *detach_keys, char **id,
                 struct err *e) MUST_USE; /* takes what is in spec */
/* io NULL: detached.  After the stream's FRAME_EXIT the caller calls execs_exited(). */
int execs_start(struct engine *g, const char *id, int64_t height, int64_t width, struct stream **io,
                struct err *e) MUST_USE;
void execs_exited(struct engine *g, const char *id, int exit_code);
int execs_inspect(struct engine *g, const char *id, struct exec_info *out, struct err *e) MUST_USE;
int execs_resize(struct engine *g, const char *id, unsigned rows, unsigned cols,
                 struct err *e) MUST_USE;
void execs_of(struct engine *g, const char *container_id, struct strv *ids);

/* ---------------------------------------------------------------- explain */

struct explained {
    int64_t time_ns, last_ns; /* when it happened first and last, count times in a row */
    int64_t count;
    char *text;
};
/* Why a container is in its state: a sentence each about now and next, and what led to it. */
struct explanation {
    char *state, *next;
    struct explained *lines; /* oldest first */
    size_t n;
    bool cut; /* there was more */
};
int containers_explain(struct engine *g, const char *id, struct explanation *out,
                       struct err *e) MUST_USE;
void explanation_release(struct explanation *x);
#define cleanup_explanation CLEANUP(explanation_release)

/* ----------------------------------------------------------------- health */

#define HEALTH_RESULTS 5
struct health_result {
    int64_t start_ns, end_ns;
    int exit_code; /* -1: it could not be run, or took too long */
    char *output;
};
/* What the probes of a container have found since it, or this process, started. */
struct health_log {
    int64_t failing_streak;
    struct health_result v[HEALTH_RESULTS]; /* oldest first */
    size_t n;
};
void containers_health(struct engine *g, const char *id, struct health_log *out);
void health_log_release(struct health_log *l);

/* -------------------------------------------------- images (events, in use) */

int engine_image_remove(struct engine *g, const char *ref, bool force, bool no_prune,
                        const char *by, struct image_removal *out, struct err *e) MUST_USE;

/* --------------------------------------------------------------- networks */

int networks_create(struct engine *g, struct network *wanted, const char *by, struct cancel *c,
                    char **id, struct err *e) MUST_USE; /* takes wanted */
int networks_find(struct engine *g, const char *ref, struct network **out, struct err *e) MUST_USE;
struct network_list {
    struct network **v;
    size_t n;
};
void networks_list(struct engine *g, struct network_list *out);
void network_list_release(struct network_list *l);
/* cfg: what is asked of the network, its .network left alone.  A running container is on it when
 * the call returns; another one will be when it starts. */
int networks_connect(struct engine *g, const char *network, const char *container,
                     const struct endpoint_config *cfg, const char *by, struct cancel *c,
                     struct err *e) MUST_USE;
int networks_disconnect(struct engine *g, const char *network, const char *container, bool force,
                        const char *by, struct cancel *c, struct err *e) MUST_USE;
int networks_remove(struct engine *g, const char *ref, const char *by, struct cancel *c,
                    struct err *e) MUST_USE;

/* ---------------------------------------------------------------- volumes */

int volumes_create(struct engine *g, struct volume *wanted, const char *by, struct volume **out,
                   struct err *e) MUST_USE; /* takes wanted; name "": made up */
int volumes_find(struct engine *g, const char *name, struct volume **out, struct err *e) MUST_USE;
/* Asks its plugin, or all plugins when there is no record of it. */
int volumes_inspect(struct engine *g, const char *name, struct volume **out,
                    struct err *e) MUST_USE;
struct volume_list {
    struct volume **v;
    size_t n;
};
void volumes_list(struct engine *g, struct volume_list *out); /* that have a record */
/* And those that only plugins know.  warnings: who did not answer. */
void volumes_list_all(struct engine *g, struct volume_list *out, struct strv *warnings);
void volume_list_release(struct volume_list *l);
int volumes_remove(struct engine *g, const char *name, bool force, const char *by,
                   struct err *e) MUST_USE;
/* IDs of the containers that use it. */
void volumes_users(struct engine *g, const char *name, struct strv *ids);

/* ----------------------------------------------------------------- events */

void engine_event(struct engine *g, struct event *ev); /* stores, publishes and releases it */
/* Only for those who listen now: what would push the rest of the history out. */
void engine_event_passing(struct engine *g, struct event *ev);
/* Attributes of a container's event: labels, image, name, and `by`. */
void event_for_container(struct event *ev, const char *action, const struct container *c,
                         const char *by);
struct event_sub;
/* From since_ns (TIME_ZERO: only new ones) on; the past comes first, without gap or repeat. */
int events_subscribe(struct engine *g, int64_t since_ns, struct event_sub **out,
                     struct err *e) MUST_USE;
/* The next one (caller releases), ERR_TIMEOUT at deadline_ms (monotonic; <0: none), ERR_CANCELLED.
 */
int events_next(struct event_sub *s, int64_t deadline_ms, struct cancel *c, struct event *out,
                struct err *e) MUST_USE;
void events_unsubscribe(struct event_sub *s);

/* ------------------------------------------------------------------- apps */

/*
 * A source says: this is what `name` should be.  The model replaces the former one when its
 * revision differs.  `error` (may be NULL) instead of a model: the old state stays and status shows
 * the text.
 */
int apps_put(struct engine *g, struct app *model, struct err *e) MUST_USE; /* takes model */
int apps_put_error(struct engine *g, const char *name, const char *source, const char *error,
                   struct err *e) MUST_USE;
/* The app's file is gone: containers and networks that it owns go, volumes stay. */
int apps_remove(struct engine *g, const char *name, const char *by, struct err *e) MUST_USE;
/* What would be done, without doing it.  Also against no engine state at all: see plan.h. */
int apps_plan(struct engine *g, const struct app *model, struct plan *out, struct err *e) MUST_USE;
/* The stored model of the revision in force, or NULL. */
int apps_model(struct engine *g, const char *name, struct app **out, struct err *e) MUST_USE;
int apps_wait_ready(struct engine *g, const char *name, struct cancel *c, int64_t timeout_ms,
                    struct err *e) MUST_USE;
int apps_suspend(struct engine *g, const char *name, bool suspended, const char *by,
                 struct err *e) MUST_USE;

/* Status as declarative.md 5.8, written as one JSON object per app:
 * {"name","source","files":[],"ready":bool,"reason","message","revision":{"observed","applied"},
 *  "suspended":bool,"conditions":[{"type","status","reason","message","since"}],
 *  "services":[{"name","container","id","state","health","image","ports":[],"exit_code","message"}],
 *  "networks":[..],"volumes":[..],"notices":[{"level","service","key","text","file","line","column"}],
 *  "plan":[{"op","resource","cause","state"}]} */
int apps_status(struct engine *g, const char *name, struct jsonw *w, struct err *e) MUST_USE;
void apps_names(struct engine *g, struct strv *out);
/* Those that this source keeps and that are not on their way out. */
void apps_of_source(struct engine *g, const char *source, struct strv *out);
