/* fake_world: see fake_world.h. */
#include "tests/unit/reconciler/fake_world.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/mem.h"
#include "base/sync.h"
#include "base/time.h"
#include "core/log_driver.h"
#include "core/net_driver.h"
#include "core/vol_driver.h"
#include "images/images.h"

struct world world;
static struct mutex lock = MUTEX_INIT;
static struct runtime_events watcher;

void world_reset(void)
{
    memset(&world, 0, sizeof(world));
}

struct world_container *world_find(const char *id)
{
    for (int i = 0; i < WORLD_MAX; i++)
        if (world.c[i].exists && strcmp(world.c[i].id, id) == 0)
            return &world.c[i];
    return NULL;
}

static struct world_container *make(const char *id)
{
    struct world_container *c = world_find(id);

    for (int i = 0; !c && i < WORLD_MAX; i++)
        if (!world.c[i].exists) {
            c = &world.c[i];
            memset(c, 0, sizeof(*c));
            c->exists = true;
            memcpy(c->id, id, strlen(id) + 1);
        }
    return c;
}

int world_leftovers(void)
{
    int n = 0;

    for (int i = 0; i < WORLD_MAX; i++) {
        bool runs =
            world.c[i].o.phase == CONTAINER_RUNNING || world.c[i].o.phase == CONTAINER_PAUSED;

        if (world.c[i].exists && !runs)
            n += world.c[i].sandbox + world.c[i].endpoints;
    }
    return n;
}

/* Counts a change of the world; -1 when it is the one that is to fail. */
static int change(const char *what, struct err *e)
{
    int r = 0;

    mutex_lock(&lock);
    world.calls++;
    if (world.fail_at && world.calls == world.fail_at)
        r = err_set(e, ERR_IO, "%s: disk on fire", what);
    mutex_unlock(&lock);
    return r;
}

/* ------------------------------------------------------------ runtime */

static int rt_created(struct runtime *rt, const struct container *c, struct cancel *cn,
                      struct err *e)
{
    (void)rt;
    (void)cn;
    (void)e;
    mutex_lock(&lock);
    (void)make(c->id);
    mutex_unlock(&lock);
    return 0;
}

static int held(_Atomic bool *hold, struct cancel *cn, struct err *e)
{
    while (*hold)
        if (cancel_sleep_ms(cn, 1))
            return err_set(e, ERR_CANCELLED, "the agent is ending");
    return 0;
}

static int rt_running(struct runtime *rt, const struct container *c, const struct run_spec *s,
                      struct cancel *cn, struct err *e)
{
    struct world_container *w;

    (void)rt;
    world.starts++;
    if (held(&world.hold_starts, cn, e))
        return -1;
    if (s->argv.n && strcmp(s->argv.v[0], "/nope") == 0)
        return err_set(e, ERR_INVALID, "exec: \"/nope\": stat /nope: no such file or directory");
    if (world.fail_starts > 0) {
        world.fail_starts--;
        return err_set(e, ERR_IO, "no luck today");
    }
    if (change("start the process", e))
        return -1;
    mutex_lock(&lock);
    w = make(c->id);
    w->o = (struct container_observed){
        .phase = CONTAINER_RUNNING, .pid = 1000 + world.calls, .started_ns = time_wall_ns()};
    if (world.exit_fast) {
        w->o.phase = CONTAINER_EXITED;
        w->o.exit_code = world.exit_code;
        w->o.finished_ns = time_wall_ns();
    }
    mutex_unlock(&lock);
    return 0;
}

static int rt_paused(struct runtime *rt, const char *id, bool paused, struct err *e)
{
    (void)rt;
    if (change("freeze", e))
        return -1;
    if (world.fail_freeze)
        return err_set(e, ERR_INTERNAL, "the freezer is broken");
    mutex_lock(&lock);
    world_find(id)->o.phase = paused ? CONTAINER_PAUSED : CONTAINER_RUNNING;
    mutex_unlock(&lock);
    return 0;
}

static void end_process(struct world_container *w, int code)
{
    w->o.phase = CONTAINER_EXITED;
    w->o.exit_code = code;
    w->o.finished_ns = time_wall_ns();
}

static int rt_stopped(struct runtime *rt, const char *id, int sig, int64_t grace, struct cancel *cn,
                      struct err *e)
{
    struct world_container *w;

    (void)rt;
    (void)grace;
    if (change("stop", e) || (sig != 9 && held(&world.hold_stops, cn, e)))
        return -1;
    mutex_lock(&lock);
    w = world_find(id);
    if (w && (w->o.phase == CONTAINER_RUNNING || w->o.phase == CONTAINER_PAUSED))
        end_process(w, 128 + sig);
    mutex_unlock(&lock);
    return 0;
}

static int rt_absent(struct runtime *rt, const char *id, struct err *e)
{
    struct world_container *w;

    (void)rt;
    if (change("remove the bundle", e))
        return -1;
    mutex_lock(&lock);
    w = world_find(id);
    if (w && w->o.phase != CONTAINER_EXITED)
        w->o.phase = CONTAINER_ABSENT;
    mutex_unlock(&lock);
    return 0;
}

static int rt_observe(struct runtime *rt, const char *id, struct container_observed *out,
                      struct err *e)
{
    struct world_container *w;

    (void)rt;
    (void)e;
    mutex_lock(&lock);
    w = world_find(id);
    *out = w ? w->o : (struct container_observed){.phase = CONTAINER_ABSENT};
    mutex_unlock(&lock);
    return 0;
}

static int rt_list(struct runtime *rt, struct strv *ids, struct err *e)
{
    (void)rt;
    (void)e;
    for (int i = 0; i < WORLD_MAX; i++)
        if (world.c[i].exists)
            strv_add(ids, world.c[i].id);
    return 0;
}

static int rt_signal(struct runtime *rt, const char *id, int sig, struct err *e)
{
    (void)rt;
    (void)e;
    if (sig == 9)
        world_exit(id, 137);
    return 0;
}

/* Runs no program: it is as if there was none of that name. */
static int rt_exec(struct runtime *rt, const char *id, const struct exec_spec *x,
                   struct stream **io, int64_t *pid, struct err *e)
{
    (void)rt;
    (void)id;
    (void)io;
    (void)pid;
    world.execs++;
    return err_set(e, ERR_INVALID, "exec: \"%s\": no such file or directory", x->argv.v[0]);
}

static int rt_update(struct runtime *rt, const char *id, const struct container_spec *s,
                     struct err *e)
{
    struct world_container *w;
    int r = 0;

    (void)rt;
    mutex_lock(&lock);
    w = world_find(id);
    if (world.memory_used > s->memory)
        r = err_set(e, ERR_IO, "device or resource busy");
    else if (w)
        w->memory = s->memory;
    mutex_unlock(&lock);
    return r;
}

/* The machine in memory has one directory for the files of all containers. */
static int rt_open_root(struct runtime *rt, const struct run_spec *s, unsigned view, int *fd,
                        struct err *e)
{
    (void)rt;
    (void)view;
    *fd = world.files ? open(world.files, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    return *fd < 0 ? err_set(e, ERR_IO, "the files of %s: none", s->id) : 0;
}

static int rt_resolve_user(struct runtime *rt, int root_fd, const char *text, int64_t *uid,
                           int64_t *gid, struct err *e)
{
    (void)rt;
    (void)root_fd;
    (void)e;
    *uid = *gid = strtol(text, NULL, 10);
    return 0;
}

static int rt_watch(struct runtime *rt, const struct runtime_events *ev, struct err *e)
{
    (void)rt;
    (void)e;
    watcher = *ev;
    return 0;
}

static const struct runtime_ops ops = {
    .name = "fake",
    .ensure_created = rt_created,
    .ensure_running = rt_running,
    .ensure_paused = rt_paused,
    .ensure_stopped = rt_stopped,
    .ensure_absent = rt_absent,
    .observe = rt_observe,
    .list = rt_list,
    .signal = rt_signal,
    .exec = rt_exec,
    .update = rt_update,
    .open_root = rt_open_root,
    .resolve_user = rt_resolve_user,
    .watch = rt_watch,
};

struct runtime *world_runtime(void)
{
    static struct runtime rt = {.ops = &ops};

    return &rt;
}

void world_exit(const char *id, int code)
{
    struct world_container *w;

    mutex_lock(&lock);
    w = world_find(id);
    if (w && (w->o.phase == CONTAINER_RUNNING || w->o.phase == CONTAINER_PAUSED))
        end_process(w, code);
    mutex_unlock(&lock);
    if (watcher.changed)
        watcher.changed(watcher.arg, id);
}

void world_poke(const char *id)
{
    watcher.changed(watcher.arg, id);
}

/* ------------------------------------------------------------ networks */

static int net_check(const struct network *n, struct err *e)
{
    (void)n;
    (void)e;
    return 0;
}

static int net_ensure(const struct net_env *env, const struct network *n, struct err *e)
{
    (void)env;
    (void)n;
    return change("make the network", e);
}

static int net_remove(const struct net_env *env, const struct network *n, struct err *e)
{
    (void)env;
    (void)n;
    return change("remove the network", e);
}

static int ep_ensure(const struct net_env *env, const struct network *n,
                     const struct net_endpoint *ep, struct err *e)
{
    (void)env;
    (void)n;
    if (change("link", e))
        return -1;
    mutex_lock(&lock);
    make(ep->container_id)->endpoints = 1;
    mutex_unlock(&lock);
    return 0;
}

static int ep_remove(const struct net_env *env, const struct network *n,
                     const struct net_endpoint *ep, struct err *e)
{
    struct world_container *w;

    (void)env;
    (void)n;
    if (change("unlink", e))
        return -1;
    mutex_lock(&lock);
    w = world_find(ep->container_id);
    if (w)
        w->endpoints = 0;
    mutex_unlock(&lock);
    return 0;
}

static const struct net_driver_ops bridge = {.name = "bridge",
                                             .needs_address = true,
                                             .check = net_check,
                                             .ensure_network = net_ensure,
                                             .remove_network = net_remove,
                                             .ensure_endpoint = ep_ensure,
                                             .remove_endpoint = ep_remove};
static const struct net_driver_ops plain = {.name = "plain",
                                            .check = net_check,
                                            .ensure_network = net_ensure,
                                            .remove_network = net_remove,
                                            .ensure_endpoint = ep_ensure,
                                            .remove_endpoint = ep_remove};

const struct net_driver_ops *net_driver_find(const char *name)
{
    return strcmp(name, "bridge") == 0 ? &bridge : &plain;
}

static const char *id_of(const char *path)
{
    return strrchr(path, '/') + 1;
}

int net_sandbox_ensure(const char *path, struct err *e)
{
    if (change("namespace", e))
        return -1;
    mutex_lock(&lock);
    make(id_of(path))->sandbox = true;
    mutex_unlock(&lock);
    return 0;
}

void net_endpoint_wait_gone(const char *ipv4)
{
    (void)ipv4;
}

int net_sandbox_remove(const char *path, struct err *e)
{
    struct world_container *w;

    if (change("end the namespace", e))
        return -1;
    mutex_lock(&lock);
    w = world_find(id_of(path));
    if (w)
        w->sandbox = false;
    mutex_unlock(&lock);
    return 0;
}

int ipam_choose_pool(const struct net_pool_base *bases, size_t n, const struct strv *taken,
                     bool host, char **subnet, struct err *e)
{
    (void)bases;
    (void)n;
    (void)host;
    (void)e;
    *subnet = str_printf("172.%zu.0.0/16", 17 + taken->n);
    return 0;
}

int ipam_check_pool(struct ipam_pool *pool, struct err *e)
{
    (void)e;
    if (!pool->gateway)
        pool->gateway = xstrdup("172.17.0.1");
    return 0;
}

int ipam_allocate(const struct ipam_pool *pool, const struct strv *used, const char *want,
                  char **addr, struct err *e)
{
    (void)pool;
    (void)want;
    for (int i = 2; i < 250; i++) {
        char *a = str_printf("172.17.0.%d", i);

        if (!strv_has(used, a)) {
            *addr = a;
            return 0;
        }
        free(a);
    }
    return err_set(e, ERR_INTERNAL, "no address left");
}

int64_t ipam_prefix_len(const char *subnet)
{
    (void)subnet;
    return 16;
}

void net_mac_for(const char *ipv4, const char *id, char out[18])
{
    (void)ipv4;
    (void)id;
    str_copy(out, 18, "02:00:00:00:00:01");
}

int net_ports_reserve(const char *owner, const struct port_binding *want, size_t n,
                      struct port_map **out, size_t *n_out, struct err *e)
{
    (void)owner;
    (void)want;
    (void)n;
    (void)e;
    *out = NULL;
    *n_out = 0;
    return 0;
}

void net_ports_adopt(const char *owner, const struct port_map *ports, size_t n)
{
    (void)owner;
    (void)ports;
    (void)n;
}

void net_ports_release(const char *owner)
{
    (void)owner;
}

int net_sweep(const struct net_env *env, const struct strv *cs, const struct strv *ns,
              struct strv *removed, struct err *e)
{
    (void)env;
    (void)cs;
    (void)ns;
    (void)removed;
    (void)e;
    return 0;
}

int net_erase(const struct net_env *env, struct err *e)
{
    (void)env;
    (void)e;
    return 0;
}

/* ------------------------------------------------------------ volumes, logs */

static int vol_fine(const struct vol_env *env, const struct volume *v, struct err *e)
{
    (void)env;
    (void)v;
    (void)e;
    return 0;
}

static int vol_ensure(const struct vol_env *env, struct volume *v, struct err *e)
{
    (void)e;
    free(v->mountpoint);
    v->mountpoint = str_printf("%s/volumes/%s/_data", env->data_root, v->name);
    return 0;
}

static int vol_mounted(const struct vol_env *env, const struct volume *v, const char *user,
                       char **path, struct err *e)
{
    (void)env;
    (void)user;
    (void)e;
    *path = xstrdup(v->mountpoint);
    return 0;
}

static int vol_unmounted(const struct vol_env *env, const struct volume *v, const char *user,
                         bool last, struct err *e)
{
    (void)user;
    (void)last;
    return vol_fine(env, v, e);
}

const struct vol_driver_ops *vol_driver_find(const struct vol_env *env, const char *name,
                                             bool patient, struct err *e)
{
    static const struct vol_driver_ops local = {.check = vol_fine,
                                                .ensure = vol_ensure,
                                                .remove = vol_fine,
                                                .ensure_mounted = vol_mounted,
                                                .ensure_unmounted = vol_unmounted};

    (void)env;
    (void)patient;
    if (strcmp(name, "local") == 0)
        return &local;
    err_set(e, ERR_NOT_FOUND, "error looking up volume plugin %s: plugin \"%s\" not found", name,
            name);
    return NULL;
}

bool vol_driver_mounts(const struct vol_driver_ops *d, const struct volume *v)
{
    return d->remote || v->options.n > 0;
}

void vol_driver_plugins(const struct vol_env *env, struct strv *names)
{
    (void)env;
    (void)names;
}

static int log_fine(const struct kvs *opts, struct err *e)
{
    (void)opts;
    (void)e;
    return 0;
}

const struct log_driver_ops *log_driver_find(const char *name)
{
    static const struct log_driver_ops json = {
        .name = "json-file", .readable = true, .check = log_fine};

    return strcmp(name, "json-file") == 0 ? &json : NULL;
}

bool log_driver_readable(const struct log_driver_ops *d, const struct kvs *opts)
{
    (void)opts;
    return d && d->readable;
}

/* ------------------------------------------------------------ images */

int images_find(struct images *im, const char *ref, struct image **out, struct err *e)
{
    struct image *i;

    (void)im;
    if (strcmp(ref, "base") != 0 && strcmp(ref, "sha256:aaaa") != 0)
        return err_set(e, ERR_NOT_FOUND, "No such image: %s:latest", ref);
    i = image_new();
    str_set(&i->id, "sha256:aaaa");
    if (!i->config)
        i->config = container_spec_new();
    strv_add(&i->config->env, "PATH=/bin");
    strv_add(&i->config->cmd, "sh");
    i->config->cmd_set = true;
    kvs_set(&i->config->labels, "of-image", "yes");
    str_set(&i->config->stop_signal, "SIGQUIT");
    *out = i;
    return 0;
}

int images_pull(struct images *im, const struct pull_request *rq, progress_fn *progress, void *arg,
                struct cancel *c, struct image **out, bool *changed, struct err *e)
{
    (void)im;
    (void)progress;
    (void)arg;
    (void)out;
    (void)changed;
    world.pulls++;
    if (held(&world.hold_pulls, c, e))
        return -1;
    return err_set(e, ERR_UNAVAILABLE, "pull %s: no registry in this world", rq->ref);
}

int images_remove(struct images *im, const char *ref, bool force, bool no_prune,
                  image_in_use_fn *in_use, void *arg, struct image_removal *out, struct err *e)
{
    (void)im;
    (void)force;
    (void)no_prune;
    (void)in_use;
    (void)arg;
    (void)out;
    return err_set(e, ERR_NOT_FOUND, "No such image: %s", ref);
}

int images_rootfs_ensure(struct images *im, const char *image_id, const char *id,
                         struct rootfs *out, struct err *e)
{
    (void)im;
    (void)image_id;
    if (change("writable layer", e))
        return -1;
    out->upper = str_printf("/rw/%s", id);
    return 0;
}

int images_rootfs_describe(struct images *im, const char *image_id, const char *id,
                           struct rootfs *out, struct err *e)
{
    (void)im;
    (void)image_id;
    (void)e;
    *out = (struct rootfs){.overlay = true, .upper = str_printf("/rw/%s", id)};
    return 0;
}

int images_changes(struct images *im, const char *image_id, const char *id, int64_t id_base,
                   struct tree_changes *out, struct cancel *c, struct err *e)
{
    (void)id_base;
    (void)im;
    (void)image_id;
    (void)id;
    (void)c;
    (void)e;
    *out = (struct tree_changes){0};
    return 0;
}

int images_commit_name(const char *repo, const char *tag, char **ref, struct err *e)
{
    (void)e;
    *ref = str_empty(repo) ? NULL : str_printf("docker.io/library/%s:%s", repo, tag);
    return 0;
}

int images_commit(struct images *im, const struct image_commit *rq, struct cancel *c,
                  struct image **out, struct err *e)
{
    struct image *img;

    (void)im;
    (void)c;
    if (change("commit", e))
        return -1;
    if (world.at_commit)
        world.at_commit(rq->container_id);
    img = image_new();
    str_set(&img->id, "sha256:c0");
    container_spec_free(img->config);
    img->config = container_spec_copy(rq->config);
    *out = img;
    return 0;
}

bool images_rootfs_can_limit(struct images *im)
{
    (void)im;
    return false;
}

int images_rootfs_limit(struct images *im, const char *container_id, int64_t bytes, struct err *e)
{
    (void)im;
    (void)container_id;
    (void)bytes;
    (void)e;
    return 0;
}

int images_rootfs_remove(struct images *im, const char *id, struct err *e)
{
    (void)im;
    (void)id;
    return change("remove the writable layer", e);
}

int images_rootfs_list(struct images *im, struct strv *ids, struct err *e)
{
    (void)im;
    (void)ids;
    (void)e;
    return 0;
}
