/*
 * engine_internal: what the files of this folder share.
 *
 * Two locks.  `lock` is a leaf: it guards the maps below and is held for memory operations only.
 * `store` is the write lock, the one lock that is held across the database: container_change() and
 * its sisters copy a snapshot, change the copy, write it down and put it in place, so memory and
 * database change in the same order.  Readers never take it.  Order: store before lock.
 *
 * What is lost with the process on purpose (back-off, who waits, execs) is in `live`, `waits`, ...;
 * everything else can be read back from state/ and by looking at the world.
 */
#pragma once

#include "base/cancel.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/notify.h"
#include "base/str.h"
#include "base/sync.h"
#include "base/time.h"
#include "reconciler/engine.h"
#include "reconciler/workqueue.h"

/* In Linux' numbers, whatever this is built for. */
enum { SIGNAL_KILL = 9, SIGNAL_TERM = 15 };

/* What is known of a container only while this process lives. */
struct live {
    int64_t backoff_ms;    /* of the restart policy; 0: none yet */
    int64_t restart_at_ms; /* monotonic; 0: no restart is due */
    int64_t killed_ms;     /* monotonic: when `kill` last sent a signal; 0: not */
    char *removed_by;      /* who asked for the removal */
    char *started_by;      /* of the start under way */
    bool remove_volumes;
    bool restart;                   /* the stop under way is the first half of a restart */
    bool joined;                    /* its networks, since this agent runs */
    bool limits_changed;            /* by an update that the kernel does not know of yet */
    bool anew;                      /* of that: restarts are counted from 0 again */
    struct container_stats *sample; /* the last one taken; NULL: none yet */
    int64_t sampled_ms;             /* monotonic */
    struct health_live *health;     /* health.c; NULL: nothing was probed yet */
};

/* One API call that waits for a worker to have dealt with its write. */
struct waiter {
    struct waiter *next;
    const char *key;
    int64_t generation;
    bool done;
    struct err err; /* kind ERR_OK: it went well */
    struct notify *bell;
};

struct container_wait {
    struct container_wait *next;
    struct engine *g;
    char *id;
    enum wait_condition cond;
    bool done;
    int exit_code;
    char *error;
    struct notify *bell;
};

struct exec {
    char *id;
    struct exec_info info;
    int64_t ended_ms; /* monotonic; 0: not yet */
    int64_t made_ms;
};

struct event_sub {
    struct event_sub *next;
    struct engine *g;
    struct event *queue; /* ring of EVENT_QUEUE */
    size_t head, count;
    int64_t past; /* the last number that came from the database */
    bool overflowed;
    struct notify *bell;
};
#define EVENT_QUEUE 1024

/* An app in memory.  `model` is never changed, only replaced, and counted by hand under lock. */
struct app_model {
    int refs;
    struct app *app;
};
struct retry {
    int64_t pause_ms, at_ms; /* monotonic */
};
struct app_live {
    struct app_record rec;
    struct app_model *model; /* the wanted one; NULL: none could be read yet */
    char *source_error;      /* of the last read of its files; NULL: fine */
    char *error;             /* of the last pass; NULL */
    int64_t error_since_ns;
    struct map failing; /* what failed -> struct retry: it is left alone for a while */
    struct map fetched; /* service -> see app_images.c */
    int hurried;        /* passes in a row that followed at once */
    bool was_ready;
    int64_t since_ns; /* of the present condition */
};

struct engine {
    struct engine_config cfg;
    struct state *st;
    struct images *im;
    struct runtime *rt;
    struct workqueue *q;
    struct cancel *stop; /* fires when the engine closes */
    char *id;

    struct mutex store;
    struct mutex lock;
    struct map containers, networks, volumes GUARDED_BY(lock); /* ID or name -> snapshot, counted */
    struct map names GUARDED_BY(lock);                         /* container name -> its ID */
    struct map live, execs, apps GUARDED_BY(lock);
    struct map volumes_claimed GUARDED_BY(lock); /* name -> struct claim, volumes.c */
    struct cond volumes_free;                    /* one of them was given up */
    struct map volume_holds GUARDED_BY(lock);    /* who needs which: volume_mounts.c */
    struct map mounting GUARDED_BY(lock); /* container -> struct mounting, container_files.c */
    struct cond mounting_changed;
    struct waiter *waiters GUARDED_BY(lock);
    struct container_wait *waits GUARDED_BY(lock);
    struct event_sub *subs GUARDED_BY(lock);
    size_t probes GUARDED_BY(lock); /* under way */
    struct thread *workers;
    size_t n_workers, max_workers GUARDED_BY(lock);
    struct cond workers_gone;
    bool open_for_work, stopped;
};

/* ---- objects.c: snapshots */
struct container *object_container(struct engine *g, const char *id); /* counted, or NULL */
struct network *object_network(struct engine *g, const char *id);
struct volume *object_volume(struct engine *g, const char *name);
void object_container_put(struct engine *g, struct container *c); /* takes the reference */
void object_container_drop(struct engine *g, const char *id);
void object_network_put(struct engine *g, struct network *n);
void object_network_drop(struct engine *g, const char *id);
void object_volume_put(struct engine *g, struct volume *v);
void object_volume_drop(struct engine *g, const char *name);
/* Read, copy, change, write down, put in place.  fn -1: nothing happened.  *after may be NULL. */
typedef int container_change_fn(struct engine *g, struct container *copy, void *arg, struct err *e);
int container_change(struct engine *g, const char *id, bool durable, container_change_fn *fn,
                     void *arg, struct container **after, struct err *e) MUST_USE;
/* Marks it for removal, unless a container is on it. */
int network_mark_absent(struct engine *g, const char *id, int64_t *generation,
                        struct err *e) MUST_USE;
/* Must the change survive the power going?  Not for containers that would be removed anyway. */
bool container_durable(const struct container *c);
struct live *live_of(struct engine *g, const char *id) REQUIRES(g->lock); /* made when missing */
void live_free(void *l);

/* ---- queue_keys: "container/<id>", "network/<id>", "app/<name>", "pull/<app>/<service>",
 * "health/<id>", "probe/<id>" */
void queue_container(struct engine *g, const char *id, int64_t delay_ms);
void queue_network(struct engine *g, const char *id);
void queue_app(struct engine *g, const char *name, int64_t delay_ms);
void queue_pull(struct engine *g, const char *app, const char *service);

/* ---- worker.c: a pool that grows with the backlog */
int workers_start(struct engine *g, struct err *e) MUST_USE;
void workers_stop(struct engine *g);
void workers_need(struct engine *g); /* after adding a key */

/* ---- await.c */
void waiter_register(struct engine *g, struct waiter *w, const char *key, int64_t generation);
void waiter_forget(struct engine *g, struct waiter *w); /* instead of waiting; twice is fine */
/* 0 when the worker said so; its error; or ERR_CANCELLED. */
int waiter_wait(struct engine *g, struct waiter *w, struct cancel *c, struct err *e) MUST_USE;
void waiters_post(struct engine *g, const char *key, int64_t generation,
                  const struct err *e /* NULL: fine */);

/* ---- the reconcile functions, one per kind of key.  0 or -1; *again_ms >0: look again then. */
int container_reconcile(struct engine *g, const char *id, int64_t *again_ms, struct err *e);
int network_reconcile(struct engine *g, const char *id, int64_t *again_ms, struct err *e);
int app_reconcile(struct engine *g, const char *name, int64_t *again_ms, struct err *e);

/* ---- container_steps.c */
int container_up(struct engine *g, const struct container *c, struct err *e) MUST_USE;
/* What a container that does not run must not hold: addresses, ports, namespace, mounts. */
int container_down(struct engine *g, const struct container *c, struct err *e) MUST_USE;
/* The volumes alone, where a driver mounts them on the host; and off again if nobody needs them. */
int container_volumes_up(struct engine *g, const struct container *c, struct err *e) MUST_USE;
int container_volumes_down(struct engine *g, const struct container *c, struct err *e) MUST_USE;
/* And what only its existence justifies: bundle, writable layer, directory. */
int container_erase(struct engine *g, const struct container *c, struct err *e) MUST_USE;

/* ---- container_create.c */
int spec_merge_image(struct container_spec *s, const struct image *img, struct err *e) MUST_USE;

/* ---- container_exit.c: exits, waits, restart policy */
int container_absorb(struct engine *g, struct container **c, const struct container_observed *o,
                     struct err *e) MUST_USE;
void waits_wake(struct engine *g, const struct container *c, bool exited, bool removed);
/* Sets the time of the next start after a run of ran_ns; the pause until then in ms: the policy's
 * delay, or one that doubles each time and begins anew after a steady run. */
int64_t restart_schedule(struct engine *g, const struct container *c, int64_t ran_ns);

/* ---- create_host.c: what this machine cannot do is discarded with a warning, or refused */
int create_for_host(struct engine *g, struct container_spec *s, struct strv *warnings,
                    struct err *e) MUST_USE;
const char *create_cgroupns(struct engine *g); /* CgroupnsMode when nothing was asked for */

/* ---- links.c */
/* HostConfig.Links as Docker shows them: "/db:/web/store". */
int links_settle(struct engine *g, const char *name, struct container_spec *s,
                 struct err *e) MUST_USE;
int links_ready(struct engine *g, const struct container *c, struct err *e) MUST_USE;
void links_add_hosts(struct engine *g, const struct container *c, struct buf *b);
void links_add_env(struct engine *g, const struct container *c, struct strv *env);
/* Its address may be another one now: those that link to it learn of it. */
void links_refresh(struct engine *g, const struct container *target);

/* ---- run_spec.c, endpoints.c, net_files.c */
int run_spec_compose(struct engine *g, const struct container *c, const struct rootfs *rootfs,
                     struct run_spec **out, struct err *e) MUST_USE;
/* Do its containers have ids of their own? */
bool engine_remaps(const struct engine *g, const struct container_spec *s);
/* HostConfig.DeviceRequests (device_requests.c) */
int device_requests_meet(struct engine *g, struct run_spec *rs, struct err *e) MUST_USE;
/* The part of it that says what is mounted: the root, and the rest if wanted. */
int run_spec_mounts(struct engine *g, const struct container *c, const struct rootfs *rootfs,
                    bool mounts, struct run_spec **out, struct err *e) MUST_USE;
/* What the ids of its files are shifted by; 0: nothing. */
int64_t container_id_base(struct engine *g, const struct container *c);
char *container_dir(struct engine *g, const char *id); /* <data_root>/containers/<id> */
char *container_netns(struct engine *g, const struct container *c); /* path, or NULL: the host's */
/* Chooses and writes down addresses and host ports for every network of c. */
int endpoints_allocate(struct engine *g, struct container **c, struct err *e) MUST_USE;
int endpoints_join(struct engine *g, const struct container *c, struct err *e) MUST_USE;
int endpoints_leave(struct engine *g, const struct container *c, struct err *e) MUST_USE;
/* The networks of a running container become those that its spec names now. */
int endpoints_follow(struct engine *g, struct container **c, struct err *e) MUST_USE;
const struct endpoint_config *endpoint_config_for(const struct container_spec *s, const char *name,
                                                  const char *id);
int net_files_write(struct engine *g, const struct container *c, struct err *e) MUST_USE;
void net_files_rewrite_hosts(struct engine *g, const struct container *c);
/* Rewrites /etc/hosts of every running container of the network. */
void net_files_refresh(struct engine *g, const char *network_id);
/* "container:<ref>" of a mode string -> that container, or NULL with *e set. */
struct container *mode_container(struct engine *g, const char *mode, struct err *e);

/* ---- networks.c */
int networks_ensure_predefined(struct engine *g, struct err *e) MUST_USE;
struct network *network_for_mode(struct engine *g, const char *mode, struct err *e);
void networks_taken(struct engine *g, struct strv *subnets);
int network_make(struct engine *g, struct network *wanted, const char *by, bool wait,
                 struct cancel *c, char **id, struct err *e) MUST_USE;

/* ---- volumes.c: the claim is waited for, and given up by the same thread */
void volume_claim(struct engine *g, const char *name, bool going);
void volume_unclaim(struct engine *g, const char *name);
int volume_moved(struct engine *g, const struct volume *v, const char *path,
                 struct err *e) MUST_USE;
void volumes_sweep(struct engine *g);
bool volume_is_going(struct engine *g, const char *name);
int volume_make(struct engine *g, struct volume *wanted, const char *by, struct volume **out,
                struct err *e) MUST_USE;
/* With its container: that one is no user any more. */
int volume_remove_from(struct engine *g, const char *name, const char *container, const char *by,
                       struct err *e) MUST_USE;

/* ---- volume_mounts.c */
int container_mount_volumes(struct engine *g, const struct container *c, struct err *e) MUST_USE;
int container_unmount_volumes(struct engine *g, const struct container *c, struct err *e) MUST_USE;
bool container_holds_volumes(struct engine *g, const struct container *c);
void hold_free(void *h);
void volume_mounts_adopt(struct engine *g, const struct container_list *all);

/* ---- mounts.c */
int mount_read_only_allowed(const struct mount_spec *m, struct err *e) MUST_USE;
int mount_tmpfs_allowed(const struct mount_spec *m, struct err *e) MUST_USE;
int mount_propagation_allowed(const struct mount_spec *m, struct err *e) MUST_USE;
char *image_mount_id(const char *container_id, size_t i); /* run_spec.c */
int mounts_inherit(struct engine *g, struct container_spec *s, struct err *e) MUST_USE;
int mounts_check(struct engine *g, struct container_spec *s, struct err *e) MUST_USE;
int mounts_make_volumes(struct engine *g, struct container_spec *s, const char *by,
                        struct err *e) MUST_USE;
int mounts_populate(struct engine *g, const struct container *c, struct err *e) MUST_USE;
/* Those of an earlier create, too, that was cut short. */
int mounts_make_anonymous(struct engine *g, const struct container_spec *s, const char *by,
                          struct err *e) MUST_USE;
bool mount_waits_for_volume(const struct mount_spec *m); /* its volume is there before it */

/* ---- update.c */
int limits_follow(struct engine *g, const struct container *c, int64_t generation,
                  struct err *e) MUST_USE;
/* Those that were cut short: their workers write the limits. */
int updates_finish(struct engine *g, struct err *e) MUST_USE;

/* ---- health.c */
/* To be called on every look at a container that runs: its probes go on, or begin. */
void health_watch(struct engine *g, const struct container *c);
/* What a container's health is before its first probe: "starting", or "" without one. */
const char *health_at_start(const struct container_spec *s);
void health_live_free(struct health_live *h);
/* health_log.c; false: there is none. */
bool health_log_load(struct engine *g, const char *id, int64_t *started_ns, struct health_log *out);
void health_log_save(struct engine *g, const char *id, int64_t started_ns,
                     const struct health_log *l);
void health_log_copy(struct health_log *dst, const struct health_log *src);
void health_log_forget(struct engine *g, const char *id);
void health_logs_sweep(struct engine *g, const struct strv *known); /* others' go */
int health_reconcile(struct engine *g, const char *id, int64_t *again_ms, struct err *e);
/* Ends a probe that takes too long. */
int probe_reconcile(struct engine *g, const char *id, int64_t *again_ms, struct err *e);

/* ---- execs.c: how an exec of this container finds itself */
void exec_compose(const struct container *c, struct exec_spec *x);
void exec_emit(struct engine *g, const struct container *c, const char *action,
               const struct exec_spec *x, const char *id, bool passing);

/* ---- container_files.c: a container's root is not mounted twice for writing */
int mounting_begin(struct engine *g, const char *id, struct err *e) MUST_USE; /* a start */
void mounting_end(struct engine *g, const char *id);

/* ---- container_commit.c: lets those go on whose commit was cut short */
int commits_finish(struct engine *g, bool fresh_boot, struct err *e) MUST_USE;

/* ---- events.c */
/* A signal was sent on purpose; `by` may be NULL. */
void event_emit_kill(struct engine *g, const struct container *c, int sig, const char *by);
void events_close(struct engine *g);
void event_emit_container(struct engine *g, const char *action, const struct container *c,
                          const char *by);

/* ---- execs.c */
void exec_free(void *exec);
void execs_forget(struct engine *g, const char *container_id) REQUIRES(g->lock);

/* ---- adopt.c */
int adopt(struct engine *g, struct err *e) MUST_USE;

/* ---- containers.c: setting a goal without waiting, as the app controller does it */
struct goal_request {
    enum container_goal goal;
    bool keep;
    const char *by;
    int64_t stop_grace_s; /* -2: the spec's */
    int stop_sig;         /* 0: the spec's */
    bool hold;            /* a stop that restart policy and app respect */
    bool remove_volumes;
    bool restart; /* GOAL_STOPPED: and started again when it has ended */
    bool anew;    /* its restarts are counted from 0 again */
};
/* w: its key is set by the caller, who waits with it when 0 comes back. */
int container_set_goal(struct engine *g, const char *id, const struct goal_request *rq,
                       struct waiter *w, struct container **after, struct err *e) MUST_USE;

void restart_intent_done(struct engine *g, const char *id);

/* ---- apps.c */
void app_live_free(void *a);
struct app_model *app_model_ref(struct engine *g, const char *name);
void app_model_unref(struct engine *g, struct app_model *m);
int apps_load(struct engine *g, struct err *e) MUST_USE;
/* Those that failed are looked at now instead of at their next time. */
void apps_try_again(struct engine *g);
void app_world(struct engine *g, const char *name, struct container_list *cs,
               struct network_list *ns, struct volume_list *vs);

/* desired NULL: the app is to go */
void app_plan_make(struct engine *g, const char *name, const struct app *desired, struct plan *out);
/* What failed is tried again with growing pauses, each by itself.  *wait_ms: until the first of
 * them may be tried; 0: none waits. */
bool app_held(struct engine *g, const char *name, const char *what, int64_t *wait_ms);
void app_failed(struct engine *g, const char *name, const char *what, int64_t *wait_ms);
void app_went_well(struct engine *g, const char *name, const char *what);
/* NULL: the last pass had none. */
void app_note_error(struct engine *g, const char *name, const struct err *e);

/* ---- app_images.c */
enum app_image {
    APP_IMAGE_THERE,
    APP_IMAGE_LATER,  /* it is being pulled, or its next pull has to wait */
    APP_IMAGE_FAILED, /* just now, see e */
};
enum app_image app_image_ensure(struct engine *g, const char *app, const struct app_service *s,
                                int64_t *wait_ms, struct err *e);
/* A container was made from it: the next one may ask again. */
void app_image_used(struct engine *g, const char *app, const char *service);
int app_image_pull(struct engine *g, const char *name, int64_t *again_ms, struct err *e);
bool app_is_ready(struct engine *g, const char *name);

/* ---- names.c */
void name_make_up(char *out, size_t size, unsigned attempt);
