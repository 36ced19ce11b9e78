/* fake_engine: see fake_engine.h. */
#include "tests/unit/api/fake_engine.h"

#include <stdio.h>
#include <string.h>

#include "base/cancel.h"
#include "base/mem.h"
#include "base/time.h"
#include "core/log_driver.h"

#define ID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

struct engine *fake_engine_new(void)
{
    struct engine *g = xcalloc(1, sizeof(*g));

    mutex_init(&g->lock);
    g->bell = notify_new();
    g->cfg = (struct engine_config){.data_root = "/data", .exec_root = "/exec"};
    return g;
}

void fake_engine_free(struct engine *g)
{
    for (size_t i = 0; i < g->n_containers; i++)
        container_unref(g->containers[i]);
    for (size_t i = 0; i < g->n_networks; i++)
        network_unref(g->networks[i]);
    for (size_t i = 0; i < g->n_volumes; i++)
        volume_unref(g->volumes[i]);
    for (size_t i = 0; i < g->n_images; i++)
        image_unref(g->images[i]);
    for (size_t i = 0; i < g->n_events; i++)
        event_release(&g->events[i]);
    exec_info_release(&g->exec);
    notify_free(g->bell);
    mutex_destroy(&g->lock);
    free(g);
}

struct container *fake_container(struct engine *g, const char *id, const char *name,
                                 enum container_status status)
{
    struct container *c = container_new();

    str_set(&c->id, id);
    str_set(&c->name, name);
    str_set(&c->image_id, "sha256:" ID_A);
    if (!c->spec)
        c->spec = container_spec_new();
    str_set(&c->spec->image, "busybox");
    strv_add(&c->spec->cmd, "sh");
    c->created_ns = 1000 * NS_PER_SEC;
    c->state.status = status;
    c->state.started_ns = status == STATUS_CREATED ? TIME_ZERO : 1001 * NS_PER_SEC;
    c->state.finished_ns = status == STATUS_EXITED ? 1002 * NS_PER_SEC : TIME_ZERO;
    g->containers[g->n_containers++] = c;
    return c;
}

struct image *fake_image(struct engine *g, const char *id, const char *tag)
{
    struct image *i = image_new();

    str_set(&i->id, id);
    if (tag)
        strv_add(&i->repo_tags, tag);
    i->created_ns = 500 * NS_PER_SEC;
    g->images[g->n_images++] = i;
    return i;
}

struct volume *fake_volume(struct engine *g, const char *name)
{
    cleanup_free char *mountpoint = str_printf("/data/volumes/%s/_data", name);
    struct volume *v = volume_new();

    str_set(&v->name, name);
    str_set(&v->driver, "local");
    str_set(&v->mountpoint, mountpoint);
    g->volumes[g->n_volumes++] = v;
    return v;
}

struct network *fake_network(struct engine *g, const char *id, const char *name)
{
    struct network *n = network_new();

    str_set(&n->id, id);
    str_set(&n->name, name);
    str_set(&n->driver, "bridge");
    g->networks[g->n_networks++] = n;
    return n;
}

void fake_fail(struct engine *g, enum err_kind kind, const char *text)
{
    err_set(&g->fail, kind, "%s", text);
}

void fake_exit(struct engine *g, int code)
{
    mutex_lock(&g->lock);
    g->exited = true;
    g->exit_code = code;
    mutex_unlock(&g->lock);
    notify_ring(g->bell);
}

void fake_event(struct engine *g, const char *type, const char *action, const char *id,
                const char *name)
{
    struct event ev;

    event_init(&ev, type, action, id);
    kvs_set(&ev.attributes, "name", name);
    engine_event(g, &ev);
}

bool fake_called(struct engine *g, const char *part)
{
    bool found;

    mutex_lock(&g->lock);
    found = strstr(g->calls, part) != NULL;
    mutex_unlock(&g->lock);
    return found;
}

int fake_waiting(struct engine *g)
{
    int n;

    mutex_lock(&g->lock);
    n = g->waiting;
    mutex_unlock(&g->lock);
    return n;
}

int fake_subscribers(struct engine *g)
{
    int n;

    mutex_lock(&g->lock);
    n = g->subscribers;
    mutex_unlock(&g->lock);
    return n;
}

size_t fake_events(struct engine *g)
{
    size_t n;

    mutex_lock(&g->lock);
    n = g->n_events;
    mutex_unlock(&g->lock);
    return n;
}

int fake_call(struct engine *g, struct err *e, const char *fmt, ...)
{
    cleanup_free char *text = NULL;
    size_t used;
    va_list ap;
    int rc = 0;

    va_start(ap, fmt);
    text = str_vprintf(fmt, ap);
    va_end(ap);
    mutex_lock(&g->lock);
    used = strlen(g->calls);
    snprintf(g->calls + used, sizeof(g->calls) - used, "%s;", text);
    if (g->fail.kind) {
        *e = g->fail;
        g->fail = ERR_INIT;
        rc = -1;
    }
    mutex_unlock(&g->lock);
    return rc;
}
#define called fake_call

static int wait_for_bell(struct engine *g, struct cancel *c, struct err *e)
{
    int rc;

    mutex_lock(&g->lock);
    g->waiting++;
    mutex_unlock(&g->lock);
    rc = notify_wait(g->bell, c, -1, e);
    mutex_lock(&g->lock);
    g->waiting--;
    mutex_unlock(&g->lock);
    return rc < 0 ? -1 : 0;
}

const struct engine_config *engine_config(const struct engine *g)
{
    return &g->cfg;
}

struct images *engine_images(struct engine *g)
{
    return (struct images *)g;
}

struct state *engine_state(struct engine *g)
{
    return (struct state *)g;
}

bool engine_supports(const struct engine *g, const char *feature)
{
    (void)g;
    (void)feature;
    return false;
}

const char *engine_id(const struct engine *g)
{
    (void)g;
    return "fake";
}

/* -------------------------------------------------------------- containers */

int containers_create(struct engine *g, const struct container_create *rq, char **id,
                      struct strv *warnings, struct err *e)
{
    (void)warnings;
    if (called(g, e, "create %s image=%s by=%s", rq->name ? rq->name : "", rq->spec->image, rq->by))
        return -1;
    *id = xstrdup(ID_A);
    return 0;
}

int containers_find(struct engine *g, const char *ref, struct container **out, struct err *e)
{
    for (size_t i = 0; i < g->n_containers; i++)
        if (str_eq(g->containers[i]->id, ref) || str_eq(g->containers[i]->name, ref)) {
            *out = container_ref(g->containers[i]);
            return 0;
        }
    return err_set(e, ERR_NOT_FOUND, "No such container: %s", ref);
}

void containers_list(struct engine *g, struct container_list *out)
{
    out->n = g->n_containers;
    out->v = xcalloc(out->n + 1, sizeof(*out->v));
    for (size_t i = 0; i < out->n; i++)
        out->v[i] = container_ref(g->containers[i]);
}

void container_list_release(struct container_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        container_unref(l->v[i]);
    free(l->v);
    *l = (struct container_list){0};
}

int containers_start(struct engine *g, const char *id, const char *by, struct cancel *c,
                     struct err *e)
{
    (void)c;
    return called(g, e, "start %s by=%s", id, by);
}

int containers_stop(struct engine *g, const char *id, const char *signal, int64_t timeout_s,
                    const char *by, struct cancel *c, struct err *e)
{
    (void)c;
    (void)by;
    return called(g, e, "stop %s signal=%s t=%lld", id, signal ? signal : "-",
                  (long long)timeout_s);
}

int containers_restart(struct engine *g, const char *id, const char *signal, int64_t timeout_s,
                       const char *by, struct cancel *c, struct err *e)
{
    (void)c;
    (void)by;
    return called(g, e, "restart %s signal=%s t=%lld", id, signal ? signal : "-",
                  (long long)timeout_s);
}

int containers_kill(struct engine *g, const char *id, const char *signal, const char *by,
                    struct err *e)
{
    (void)by;
    return called(g, e, "kill %s signal=%s", id, signal ? signal : "-");
}

int containers_pause(struct engine *g, const char *id, bool paused, const char *by,
                     struct cancel *c, struct err *e)
{
    (void)c;
    (void)by;
    return called(g, e, "%s %s", paused ? "pause" : "unpause", id);
}

int containers_rename(struct engine *g, const char *id, const char *name, const char *by,
                      struct err *e)
{
    (void)by;
    return called(g, e, "rename %s %s", id, name);
}

int containers_remove(struct engine *g, const char *id, bool force, bool volumes, const char *by,
                      struct cancel *c, struct err *e)
{
    (void)c;
    (void)by;
    return called(g, e, "remove %s force=%d v=%d", id, force, volumes);
}

struct container_wait {
    struct engine *g;
};

int containers_wait_begin(struct engine *g, const char *id, enum wait_condition cond,
                          struct container_wait **out, struct err *e)
{
    if (called(g, e, "wait %s %d", id, (int)cond))
        return -1;
    *out = xcalloc(1, sizeof(**out));
    (*out)->g = g;
    return 0;
}

int containers_wait_end(struct container_wait *w, struct cancel *c, int *exit_code, char **error,
                        struct err *e)
{
    struct engine *g = w->g;
    bool exited;

    free(w);
    *error = NULL;
    for (;;) {
        mutex_lock(&g->lock);
        exited = g->exited;
        *exit_code = g->exit_code;
        mutex_unlock(&g->lock);
        if (exited)
            return 0;
        if (wait_for_bell(g, c, e))
            return -1;
    }
}

int containers_attach(struct engine *g, const char *id, const struct attach_opts *o,
                      struct stream **io, struct err *e)
{
    if (called(g, e, "attach %s in=%d out=%d err=%d", id, o->in, o->out, o->err))
        return -1;
    *io = g->attach_io;
    g->attach_io = NULL;
    return 0;
}

int containers_resize(struct engine *g, const char *id, unsigned rows, unsigned cols, struct err *e)
{
    return called(g, e, "resize %s %ux%u", id, rows, cols);
}

int containers_logs(struct engine *g, const char *id, const struct log_read_opts *o,
                    struct cancel *c, log_each_fn *each, void *arg, struct err *e)
{
    (void)id;
    for (size_t i = 0; i < g->n_lines; i++)
        if ((g->lines[i].from_stderr ? o->err : o->out) && each(arg, &g->lines[i], e))
            return -1;
    if (o->follow && o->pause && o->pause(arg, e))
        return -1;
    while (o->follow)
        if (wait_for_bell(g, c, e))
            return -1;
    return 0;
}

char *containers_log_path(struct engine *g, const char *id)
{
    return str_printf("%s/containers/%s/%s-json.log", g->cfg.data_root, id, id);
}

int containers_top(struct engine *g, const char *id, const char *ps_args, struct top *out,
                   struct err *e)
{
    if (called(g, e, "top %s %s", id, ps_args))
        return -1;
    strv_add(&out->titles, "PID");
    out->rows = xcalloc(1, sizeof(*out->rows));
    strv_add(&out->rows[0], "17");
    out->n = 1;
    return 0;
}

void top_release(struct top *t)
{
    for (size_t i = 0; i < t->n; i++)
        strv_release(&t->rows[i]);
    free(t->rows);
    strv_release(&t->titles);
}

/* ------------------------------------------------------------------- execs */

void exec_info_release(struct exec_info *x)
{
    free(x->container_id);
    free(x->detach_keys);
    exec_spec_release(&x->spec);
    *x = (struct exec_info){0};
}

int execs_create(struct engine *g, const char *container, struct exec_spec *spec,
                 const char *detach_keys, char **id, struct err *e)
{
    (void)detach_keys;
    if (called(g, e, "exec %s %s user=%s tty=%d", container, spec->argv.v[0],
               spec->user ? spec->user : "", spec->tty))
        return -1;
    *id = xstrdup("e1");
    return 0;
}

int execs_inspect(struct engine *g, const char *id, struct exec_info *out, struct err *e)
{
    if (!str_eq(id, "e1"))
        return err_set(e, ERR_NOT_FOUND, "No such exec instance: %s", id);
    *out = g->exec;
    out->container_id = str_dup_or_null(g->exec.container_id);
    out->detach_keys = str_dup_or_null(g->exec.detach_keys);
    out->spec.id = out->spec.cwd = out->spec.user = NULL;
    out->spec.argv = out->spec.env = (struct strv){0};
    strv_copy(&out->spec.argv, &g->exec.spec.argv);
    return 0;
}

int execs_start(struct engine *g, const char *id, int64_t height, int64_t width, struct stream **io,
                struct err *e)
{
    if (called(g, e, "exec start %s %lldx%lld", id, (long long)height, (long long)width))
        return -1;
    if (io) {
        *io = g->attach_io;
        g->attach_io = NULL;
    }
    return 0;
}

void execs_exited(struct engine *g, const char *id, int exit_code)
{
    (void)!called(g, ERR_IGNORE, "exec exited %s %d", id, exit_code);
}

int execs_resize(struct engine *g, const char *id, unsigned rows, unsigned cols, struct err *e)
{
    return called(g, e, "exec resize %s %ux%u", id, rows, cols);
}

void execs_of(struct engine *g, const char *container_id, struct strv *ids)
{
    (void)g;
    (void)container_id;
    (void)ids;
}

/* ------------------------------------------------------------------ images */

static struct engine *engine_of(const struct images *im)
{
    return (struct engine *)(uintptr_t)im;
}

const char *images_driver_name(const struct images *im)
{
    (void)im;
    return "overlay2";
}

const char *images_backing_fs(const struct images *im)
{
    (void)im;
    return "extfs";
}

int images_find(struct images *im, const char *ref, struct image **out, struct err *e)
{
    struct engine *g = engine_of(im);
    cleanup_free char *tagged = str_printf("%s:latest", ref);

    for (size_t i = 0; i < g->n_images; i++)
        if (str_eq(g->images[i]->id, ref) || strv_has(&g->images[i]->repo_tags, ref) ||
            strv_has(&g->images[i]->repo_tags, tagged)) {
            *out = image_ref(g->images[i]);
            return 0;
        }
    return err_set(e, ERR_NOT_FOUND, "No such image: %s", tagged);
}

void images_list(struct images *im, struct image_list *out)
{
    struct engine *g = engine_of(im);

    out->n = g->n_images;
    out->v = xcalloc(out->n + 1, sizeof(*out->v));
    for (size_t i = 0; i < out->n; i++)
        out->v[i] = image_ref(g->images[i]);
}

void image_list_release(struct image_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        image_unref(l->v[i]);
    free(l->v);
    *l = (struct image_list){0};
}

int images_pull(struct images *im, const struct pull_request *rq, progress_fn *progress, void *arg,
                struct cancel *c, struct image **out, bool *changed, struct err *e)
{
    struct engine *g = engine_of(im);

    (void)out;
    if (called(g, e, "pull %s platform=%s auth=%s", rq->ref, rq->platform ? rq->platform : "",
               rq->auth ? rq->auth : ""))
        return -1;
    if (progress(
            arg,
            &(struct progress){
                .id = "latest", .status = "Pulling from library/x", .current = -1, .total = -1},
            e) ||
        progress(arg,
                 &(struct progress){
                     .id = "0123456789ab", .status = "Downloading", .current = 5, .total = 10},
                 e))
        return -1;
    if (g->pull_fails_late)
        return err_set(e, ERR_UNAVAILABLE, "the registry went away");
    while (g->pull_blocks)
        if (wait_for_bell(g, c, e))
            return -1;
    *changed = true;
    return 0;
}

int images_load(struct images *im, images_read_fn *read, void *read_arg, progress_fn *progress,
                void *arg, struct cancel *c, struct strv *loaded, struct err *e)
{
    struct engine *g = engine_of(im);
    size_t got, n = 0;

    (void)c;
    (void)loaded;
    /* Says something before it reads anything: full duplex. */
    if (progress(arg, &(struct progress){.stream = "Loading\n", .current = -1, .total = -1}, e))
        return -1;
    do {
        if (read(read_arg, g->loaded + n, sizeof(g->loaded) - 1 - n, &got, e))
            return -1;
        n += got;
    } while (got > 0);
    return 0;
}

int images_save(struct images *im, const struct strv *refs, images_write_fn *write, void *arg,
                struct cancel *c, struct err *e)
{
    (void)im;
    (void)c;
    return write(arg, refs->v[0], strlen(refs->v[0]), e);
}

int images_import(struct images *im, const struct import_request *rq, images_read_fn *read,
                  void *read_arg, struct cancel *c, struct image **out, struct err *e)
{
    (void)rq;
    (void)read;
    (void)read_arg;
    (void)c;
    if (called(engine_of(im), e, "import"))
        return -1;
    return images_find(im, "sha256:" ID_A, out, e);
}

int images_tag(struct images *im, const char *source, const char *repo, const char *tag,
               struct err *e)
{
    return called(engine_of(im), e, "tag %s %s:%s", source, repo, tag ? tag : "");
}

int64_t images_layers_size(struct images *im)
{
    (void)im;
    return 12;
}

void images_shared_sizes(struct images *im, const struct image_list *l, int64_t *out)
{
    (void)im;
    for (size_t i = 0; i < l->n; i++)
        out[i] = (int64_t)i;
}

int images_rootfs_describe(struct images *im, const char *image_id, const char *container_id,
                           struct rootfs *out, struct err *e)
{
    (void)im;
    (void)image_id;
    (void)out;
    return err_set(e, ERR_NOT_FOUND, "no root of %s", container_id);
}

int container_sizes(struct engine *g, const char *id, int64_t *rw, int64_t *rootfs, struct err *e)
{
    (void)g;
    (void)id;
    (void)e;
    *rw = 5;
    *rootfs = 17;
    return 0;
}

void image_removal_release(struct image_removal *r)
{
    for (size_t i = 0; i < r->n; i++)
        free(r->v[i].what);
    free(r->v);
    free(r->image_id);
    *r = (struct image_removal){0};
}

int engine_image_remove(struct engine *g, const char *ref, bool force, bool no_prune,
                        const char *by, struct image_removal *out, struct err *e)
{
    (void)by;
    if (called(g, e, "rmi %s force=%d noprune=%d", ref, force, no_prune))
        return -1;
    out->v = xcalloc(1, sizeof(*out->v));
    out->v[0].what = xstrdup(ref);
    out->n = 1;
    return 0;
}

int state_layer_each(struct state *st, state_layer_fn *fn, void *arg, struct err *e)
{
    struct layer_record r = {.chain_id = (char *)"sha256:chain", .size = 77};

    (void)st;
    return fn(arg, &r, e);
}

/* ------------------------------------------------------- networks, volumes */

int networks_create(struct engine *g, struct network *wanted, const char *by, struct cancel *c,
                    char **id, struct err *e)
{
    cleanup_network struct network *n = wanted;

    (void)by;
    (void)c;
    if (called(g, e, "network %s driver=%s", n->name, n->driver ? n->driver : ""))
        return -1;
    *id = xstrdup(ID_A);
    return 0;
}

int networks_find(struct engine *g, const char *ref, struct network **out, struct err *e)
{
    for (size_t i = 0; i < g->n_networks; i++)
        if (str_eq(g->networks[i]->id, ref) || str_eq(g->networks[i]->name, ref)) {
            *out = network_ref(g->networks[i]);
            return 0;
        }
    return err_set(e, ERR_NOT_FOUND, "network %s not found", ref);
}

void networks_list(struct engine *g, struct network_list *out)
{
    out->n = g->n_networks;
    out->v = xcalloc(out->n + 1, sizeof(*out->v));
    for (size_t i = 0; i < out->n; i++)
        out->v[i] = network_ref(g->networks[i]);
}

void network_list_release(struct network_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        network_unref(l->v[i]);
    free(l->v);
    *l = (struct network_list){0};
}

int containers_update(struct engine *g, const char *id, struct container_update *u,
                      struct strv *warnings, const char *by, struct cancel *c, struct err *e)
{
    (void)warnings;
    (void)by;
    (void)c;
    return called(g, e, "update %s memory=%lld", id, (long long)u->spec->memory);
}

int containers_explain(struct engine *g, const char *id, struct explanation *out, struct err *e)
{
    *out = (struct explanation){0};
    return called(g, e, "explain %s", id);
}

void explanation_release(struct explanation *x)
{
    (void)x;
}

void containers_health(struct engine *g, const char *id, struct health_log *out)
{
    (void)g;
    (void)id;
    *out = (struct health_log){0};
}

void health_log_release(struct health_log *l)
{
    (void)l;
}

int containers_stats(struct engine *g, const char *id, struct container_stats **out, struct err *e)
{
    cleanup_container struct container *c = NULL;

    if (containers_find(g, id, &c, e) || called(g, e, "stats %s", id))
        return -1;
    *out = container_stats_new();
    if (c->state.status == STATUS_RUNNING) {
        (*out)->read_ns = 1700000000 * NS_PER_SEC;
        (*out)->memory_usage = 4096;
    }
    return 0;
}

int networks_connect(struct engine *g, const char *network, const char *container,
                     const struct endpoint_config *cfg, const char *by, struct cancel *c,
                     struct err *e)
{
    (void)by;
    (void)c;
    return called(g, e, "network connect %s %s %s", network, container ? container : "",
                  cfg->ipv4 ? cfg->ipv4 : "-");
}

int networks_disconnect(struct engine *g, const char *network, const char *container, bool force,
                        const char *by, struct cancel *c, struct err *e)
{
    (void)by;
    (void)c;
    return called(g, e, "network disconnect %s %s force=%d", network, container, force);
}

int networks_remove(struct engine *g, const char *ref, const char *by, struct cancel *c,
                    struct err *e)
{
    (void)by;
    (void)c;
    return called(g, e, "network rm %s", ref);
}

int volumes_create(struct engine *g, struct volume *wanted, const char *by, struct volume **out,
                   struct err *e)
{
    cleanup_volume struct volume *v = wanted;

    (void)by;
    if (called(g, e, "volume %s", v->name ? v->name : ""))
        return -1;
    *out = take_ptr(v);
    return 0;
}

int volumes_inspect(struct engine *g, const char *name, struct volume **out, struct err *e)
{
    return volumes_find(g, name, out, e);
}

void volumes_list_all(struct engine *g, struct volume_list *out, struct strv *warnings)
{
    (void)warnings;
    volumes_list(g, out);
}

int volumes_find(struct engine *g, const char *name, struct volume **out, struct err *e)
{
    for (size_t i = 0; i < g->n_volumes; i++)
        if (str_eq(g->volumes[i]->name, name)) {
            *out = volume_ref(g->volumes[i]);
            return 0;
        }
    return err_set(e, ERR_NOT_FOUND, "get %s: no such volume", name);
}

void volumes_list(struct engine *g, struct volume_list *out)
{
    out->n = g->n_volumes;
    out->v = xcalloc(out->n + 1, sizeof(*out->v));
    for (size_t i = 0; i < out->n; i++)
        out->v[i] = volume_ref(g->volumes[i]);
}

void volume_list_release(struct volume_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        volume_unref(l->v[i]);
    free(l->v);
    *l = (struct volume_list){0};
}

int volumes_remove(struct engine *g, const char *name, bool force, const char *by, struct err *e)
{
    (void)by;
    return called(g, e, "volume rm %s force=%d", name, force);
}

void volumes_users(struct engine *g, const char *name, struct strv *ids)
{
    for (size_t i = 0; i < g->n_containers; i++)
        for (size_t k = 0; k < g->containers[i]->spec->n_mounts; k++)
            if (str_eq(g->containers[i]->spec->mounts[k].source, name))
                strv_add(ids, g->containers[i]->id);
}

/* ------------------------------------------------------------------ events */

struct event_sub {
    struct engine *g;
    size_t at;
};

void engine_event(struct engine *g, struct event *ev)
{
    mutex_lock(&g->lock);
    g->events[g->n_events++] = *ev;
    mutex_unlock(&g->lock);
    notify_ring(g->bell);
}

void event_for_container(struct event *ev, const char *action, const struct container *c,
                         const char *by)
{
    event_init(ev, "container", action, c->id);
    kvs_copy(&ev->attributes, &c->spec->labels);
    kvs_set(&ev->attributes, "image", c->spec->image);
    kvs_set(&ev->attributes, "name", c->name);
    if (by)
        kvs_set(&ev->attributes, "by", by);
}

int events_subscribe(struct engine *g, int64_t since_ns, struct event_sub **out, struct err *e)
{
    (void)e;
    *out = xcalloc(1, sizeof(**out));
    (*out)->g = g;
    mutex_lock(&g->lock);
    (*out)->at = since_ns == TIME_ZERO ? g->n_events : 0;
    g->subscribers++;
    mutex_unlock(&g->lock);
    return 0;
}

int events_next(struct event_sub *s, int64_t deadline_ms, struct cancel *c, struct event *out,
                struct err *e)
{
    struct engine *g = s->g;

    for (;;) {
        bool got;
        int rc;

        mutex_lock(&g->lock);
        got = s->at < g->n_events;
        if (got)
            event_copy(out, &g->events[s->at++]);
        mutex_unlock(&g->lock);
        if (got)
            return 0;
        rc = notify_wait(g->bell, c, deadline_ms, e);
        if (rc < 0)
            return -1;
        if (rc == 0)
            return err_set(e, ERR_TIMEOUT, "none");
    }
}

void events_unsubscribe(struct event_sub *s)
{
    mutex_lock(&s->g->lock);
    s->g->subscribers--;
    mutex_unlock(&s->g->lock);
    free(s);
}

/* -------------------------------------------------------------------- apps */

int apps_put(struct engine *g, struct app *model, struct err *e)
{
    cleanup_app struct app *a = model;

    return called(g, e, "app put %s source=%s", a->name, a->source);
}

int apps_remove(struct engine *g, const char *name, const char *by, struct err *e)
{
    (void)by;
    return called(g, e, "app rm %s", name);
}

int apps_plan(struct engine *g, const struct app *model, struct plan *out, struct err *e)
{
    (void)out;
    return called(g, e, "app plan %s", model->name);
}

int apps_wait_ready(struct engine *g, const char *name, struct cancel *c, int64_t timeout_ms,
                    struct err *e)
{
    (void)c;
    return called(g, e, "app wait %s %lld", name, (long long)timeout_ms);
}

int apps_suspend(struct engine *g, const char *name, bool suspended, const char *by, struct err *e)
{
    (void)by;
    return called(g, e, "app suspend %s %d", name, suspended);
}

int apps_status(struct engine *g, const char *name, struct jsonw *w, struct err *e)
{
    (void)g;
    if (!str_eq(name, "shop"))
        return err_set(e, ERR_NOT_FOUND, "no app is called %s", name);
    jsonw_obj(w);
    jsonw_kstr(w, "name", name);
    jsonw_end_obj(w);
    return 0;
}

void apps_names(struct engine *g, struct strv *out)
{
    (void)g;
    strv_add(out, "shop");
}

void plan_release(struct plan *p)
{
    *p = (struct plan){0};
}

void plan_write(const struct plan *p, struct jsonw *w)
{
    (void)p;
    jsonw_raw(w, "{\"ops\":[]}");
}

/* ----------------------------------------------------------------- drivers */

const struct log_driver_ops *log_driver_find(const char *name)
{
    static const struct log_driver_ops file = {.name = "json-file", .readable = true};

    return str_eq(name, "none") ? NULL : &file;
}

bool log_driver_readable(const struct log_driver_ops *d, const struct kvs *opts)
{
    (void)opts;
    return d && d->readable;
}

const struct net_driver_ops *net_driver_find(const char *name)
{
    (void)name;
    return NULL;
}
