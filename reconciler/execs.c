/*
 * execs: commands started inside a running container.
 *
 * An exec is not desired state: it lives in memory and is forgotten some minutes after it ended, or
 * with the agent.  The process itself is the shim's child and does not mind.
 */
#include <string.h>

#include "base/fs.h"
#include "base/id.h"
#include "reconciler/engine_internal.h"

#define KEPT_MS       (5 * 60 * 1000)
#define NEVER_USED_MS (60 * 60 * 1000) /* made, and not started since */

void exec_free(void *p)
{
    struct exec *x = p;

    exec_info_release(&x->info);
    free(x->id);
    free(x);
}

void exec_info_release(struct exec_info *x)
{
    free(x->container_id);
    free(x->detach_keys);
    exec_spec_release(&x->spec);
    *x = (struct exec_info){0};
}

static void forget_old(struct engine *g) REQUIRES(g->lock)
{
    int64_t now = time_mono_ms();
    struct strv old = {0};
    const char *key;
    void *value;

    for (size_t i = 0; map_at(&g->execs, &i, &key, &value); i++) {
        const struct exec *x = value;

        if ((x->ended_ms && now - x->ended_ms > KEPT_MS) ||
            (!x->info.running && !x->info.exited && now - x->made_ms > NEVER_USED_MS))
            strv_add(&old, key);
    }
    for (size_t i = 0; i < old.n; i++)
        map_del(&g->execs, old.v[i]);
    strv_release(&old);
}

/* They go with their container. */
void execs_forget(struct engine *g, const char *container_id)
{
    struct strv gone = {0};
    const char *key;
    void *value;

    for (size_t i = 0; map_at(&g->execs, &i, &key, &value); i++) {
        const struct exec *x = value;

        if (strcmp(x->info.container_id, container_id) == 0)
            strv_add(&gone, key);
    }
    for (size_t i = 0; i < gone.n; i++)
        map_del(&g->execs, gone.v[i]);
    strv_release(&gone);
}

static int check_state(const struct container *c, const char *ref, struct err *e)
{
    if (c->state.status == STATUS_PAUSED)
        return err_set(e, ERR_CONFLICT, "Container %s is paused, unpause the container before exec",
                       ref);
    if (c->state.status == STATUS_RESTARTING)
        return err_set(e, ERR_CONFLICT,
                       "Container %s is restarting, wait until the container is running", c->id);
    if (c->state.status != STATUS_RUNNING)
        return err_set(e, ERR_CONFLICT, "container %s is not running", c->id);
    return 0;
}

static bool env_has(const struct strv *env, const char *key)
{
    size_t n = strlen(key);

    for (size_t i = 0; i < env->n; i++)
        if (strncmp(env->v[i], key, n) == 0 && env->v[i][n] == '=')
            return true;
    return false;
}

/* The container's environment, then the exec's own; the last one of a name counts. */
static void compose_env(const struct container *c, struct exec_spec *x)
{
    struct strv env = {0};

    if (!env_has(&c->spec->env, "PATH"))
        strv_add(&env, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    strv_addf(&env, "HOSTNAME=%s", c->spec->hostname ? c->spec->hostname : "");
    if (x->tty && !env_has(&c->spec->env, "TERM") && !env_has(&x->env, "TERM"))
        strv_add(&env, "TERM=xterm");
    for (size_t i = 0; i < c->spec->env.n; i++) {
        cleanup_free char *key = str_ndup(c->spec->env.v[i], strcspn(c->spec->env.v[i], "="));

        if (!env_has(&x->env, key))
            strv_add(&env, c->spec->env.v[i]);
    }
    for (size_t i = 0; i < x->env.n; i++)
        strv_add(&env, x->env.v[i]);
    strv_release(&x->env);
    x->env = env;
}

void exec_compose(const struct container *c, struct exec_spec *x)
{
    compose_env(c, x);
    if (str_empty(x->user))
        str_set(&x->user, c->spec->user ? c->spec->user : "");
    if (str_empty(x->cwd))
        str_set(&x->cwd, str_empty(c->spec->working_dir) ? "/" : c->spec->working_dir);
}

/* Asked of the container's own files, before anything is started.  A number needs no entry. */
static int check_user(struct engine *g, const struct container *c, const char *user, struct err *e)
{
    cleanup_free char *path = str_printf("/proc/%lld/root", (long long)c->state.pid);
    cleanup_fd int root = -1;
    int64_t uid, gid;

    if (str_empty(user))
        return 0;
    root = fs_open_dir(path, ERR_IGNORE);
    if (root < 0) /* it has just ended: whoever starts the exec is told */
        return 0;
    if (!g->rt->ops->resolve_user(g->rt, root, user, &uid, &gid, e))
        return 0;
    if (e->kind == ERR_NOT_FOUND)
        e->kind = ERR_INVALID;
    return -1;
}

int execs_create(struct engine *g, const char *ref, struct exec_spec *spec, const char *detach_keys,
                 char **id, struct err *e)
{
    cleanup_container struct container *c = NULL;
    char fresh[ID_LEN + 1];
    struct exec *x;

    if (containers_find(g, ref, &c, e) || check_state(c, ref, e))
        return -1;
    if (spec->argv.n == 0)
        return err_set(e, ERR_INVALID, "No exec command specified");
    if (check_user(g, c, spec->user, e))
        return -1;
    exec_compose(c, spec);
    id_new(fresh);
    str_set(&spec->id, fresh);
    x = xcalloc(1, sizeof(*x));
    x->id = xstrdup(fresh);
    x->made_ms = time_mono_ms();
    x->info.container_id = xstrdup(c->id);
    x->info.detach_keys = str_dup_or_null(detach_keys);
    x->info.spec = *spec;
    *spec = (struct exec_spec){0};
    exec_emit(g, c, "exec_create", &x->info.spec, fresh, false);
    mutex_lock(&g->lock);
    forget_old(g);
    map_put(&g->execs, fresh, x);
    mutex_unlock(&g->lock);
    *id = xstrdup(fresh);
    return 0;
}

static void copy_spec(struct exec_spec *dst, const struct exec_spec *src)
{
    *dst = *src;
    dst->id = str_dup_or_null(src->id);
    dst->cwd = str_dup_or_null(src->cwd);
    dst->user = str_dup_or_null(src->user);
    dst->argv = (struct strv){0};
    dst->env = (struct strv){0};
    strv_copy(&dst->argv, &src->argv);
    strv_copy(&dst->env, &src->env);
}

int execs_inspect(struct engine *g, const char *id, struct exec_info *out, struct err *e)
{
    struct exec *x;

    mutex_lock(&g->lock);
    x = map_get(&g->execs, id);
    if (x) {
        *out = x->info;
        out->container_id = xstrdup(x->info.container_id);
        out->detach_keys = str_dup_or_null(x->info.detach_keys);
        copy_spec(&out->spec, &x->info.spec);
    }
    mutex_unlock(&g->lock);
    return x ? 0 : err_set(e, ERR_NOT_FOUND, "No such exec instance: %s", id);
}

/* The space after a command without arguments is dockerd's. */
void exec_emit(struct engine *g, const struct container *c, const char *action,
               const struct exec_spec *x, const char *id, bool passing)
{
    cleanup_free char *args =
        x->argv.n ? str_join((const char *const *)x->argv.v + 1, x->argv.n - 1, " ") : xstrdup("");
    cleanup_free char *full = str_printf("%s: %s %s", action, x->argv.n ? x->argv.v[0] : "", args);
    struct event ev;

    event_for_container(&ev, full, c, NULL);
    kvs_set(&ev.attributes, "execID", id);
    (passing ? engine_event_passing : engine_event)(g, &ev);
}

/* Marks it as running; twice is an error, as nothing is run twice. */
static int claim(struct engine *g, const char *id, struct err *e)
{
    struct exec *x;
    int r = 0;

    mutex_lock(&g->lock);
    x = map_get(&g->execs, id);
    if (!x)
        r = err_set(e, ERR_NOT_FOUND, "No such exec instance: %s", id);
    else if (x->info.running)
        r = err_set(e, ERR_CONFLICT, "exec command %s is already running", id);
    else if (x->info.exited)
        r = err_set(e, ERR_CONFLICT, "exec command %s has already run", id);
    else
        x->info.running = true;
    mutex_unlock(&g->lock);
    return r;
}

static void set_pid(struct engine *g, const char *id, int64_t pid)
{
    struct exec *x;

    mutex_lock(&g->lock);
    x = map_get(&g->execs, id);
    if (x)
        x->info.pid = pid;
    mutex_unlock(&g->lock);
}

static int failure_code(const struct err *e)
{
    return strstr(e->msg, "permission denied") || strstr(e->msg, "is a directory") ? 126 : 127;
}

int execs_start(struct engine *g, const char *id, int64_t height, int64_t width, struct stream **io,
                struct err *e)
{
    cleanup_container struct container *c = NULL;
    struct exec_info x = {0};
    int64_t pid = 0;
    int r = -1;

    if (execs_inspect(g, id, &x, e))
        return -1;
    if (containers_find(g, x.container_id, &c, e) || check_state(c, c->id, e) || claim(g, id, e))
        goto out;
    if (height > 0 && width > 0) {
        x.spec.height = height;
        x.spec.width = width;
    }
    exec_emit(g, c, "exec_start", &x.spec, id, false);
    r = g->rt->ops->exec(g->rt, c->id, &x.spec, io, &pid, e);
    if (r)
        execs_exited(g, id, failure_code(e));
    else
        set_pid(g, id, pid);
out:
    exec_info_release(&x);
    return r;
}

void execs_exited(struct engine *g, const char *id, int exit_code)
{
    cleanup_container struct container *c = NULL;
    bool first = false;
    struct event ev;
    struct exec *x;

    mutex_lock(&g->lock);
    x = map_get(&g->execs, id);
    if (x && !x->info.exited) {
        x->info.running = false;
        x->info.exited = first = true;
        x->info.exit_code = exit_code;
        x->ended_ms = time_mono_ms();
        strv_release(&x->info.spec.env); /* what is kept of it is what inspect shows */
        c = map_get(&g->containers, x->info.container_id);
        c = c ? container_ref(c) : NULL;
    }
    mutex_unlock(&g->lock);
    if (!first || !c)
        return;
    event_for_container(&ev, "exec_die", c, NULL);
    kvs_set(&ev.attributes, "execID", id);
    kvs_setf(&ev.attributes, "exitCode", "%d", exit_code);
    engine_event(g, &ev);
}

int execs_resize(struct engine *g, const char *id, unsigned rows, unsigned cols, struct err *e)
{
    struct exec_info x = {0};
    int r;

    if (execs_inspect(g, id, &x, e))
        return -1;
    if (!x.running)
        r = err_set(e, ERR_CONFLICT, "exec %s is not running", id);
    else
        r = g->rt->ops->exec_resize(g->rt, x.container_id, id, rows, cols, e);
    exec_info_release(&x);
    return r;
}

void execs_of(struct engine *g, const char *container_id, struct strv *ids)
{
    const char *key;
    void *value;

    mutex_lock(&g->lock);
    for (size_t i = 0; map_at(&g->execs, &i, &key, &value); i++) {
        const struct exec *x = value;

        if (!x->info.exited && strcmp(x->info.container_id, container_id) == 0)
            strv_add(ids, key);
    }
    mutex_unlock(&g->lock);
}
