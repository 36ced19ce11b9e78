/*
 * shim_exec: processes that are started in a running container.
 *
 * Each has its own streams, without a log.  What an exec leaves in its pipes when it ends belongs
 * to its clients; what its background children write later does not, so nobody waits for those. The
 * exit codes of the last SHIM_KEPT_EXECS are kept, for an agent that was away.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/time.h"
#include "runtime-linux/shim_internal.h"

#define DEATH_MS 2000 /* a killed process that is not gone by then hangs in the kernel */
#define KILLED   (128 + SIGKILL)

struct request {
    struct strv argv, env;
    char *id, *cwd, *user;
    bool tty, privileged, in, out, err;
    int64_t height, width;
};

static void request_release(struct request *r)
{
    strv_release(&r->argv);
    strv_release(&r->env);
    free(r->id);
    free(r->cwd);
    free(r->user);
}
#define cleanup_request CLEANUP(request_release)

static int request_decode(const struct json *args, struct request *r, struct err *e)
{
    struct json argv = json_get(args, "argv"), env = json_get(args, "env");

    if (json_strv(&argv, &r->argv, e) || json_strv(&env, &r->env, e))
        return -1;
    r->id = xstrdup(json_get_str(args, "id"));
    r->cwd = xstrdup(json_get_str(args, "cwd"));
    r->user = xstrdup(json_get_str(args, "user"));
    r->tty = json_get_bool(args, "tty");
    r->privileged = json_get_bool(args, "privileged");
    r->in = json_get_bool(args, "in");
    r->out = json_get_bool(args, "out");
    r->err = json_get_bool(args, "err");
    r->height = json_get_i64(args, "height");
    r->width = json_get_i64(args, "width");
    if (str_empty(r->id) || r->argv.n == 0)
        return err_set(e, ERR_INVALID, "No exec command specified");
    return 0;
}

struct shim_exec *shim_exec_find(struct shim *s, const char *id)
{
    for (struct shim_exec *x = s->execs; x; x = x->next)
        if (str_eq(x->id, id))
            return x;
    return NULL;
}

static void exec_free(struct shim_exec *x)
{
    stdio_release(&x->io);
    free(x->id);
    free(x);
}

/* Forgets the oldest of the ended ones; new ones are put in front. */
static void forget_old(struct shim *s)
{
    struct shim_exec **p = &s->execs;
    unsigned ended = 0;

    while (*p) {
        struct shim_exec *x = *p;

        if (!x->running && !stdio_has_clients(&x->io) && ++ended > SHIM_KEPT_EXECS) {
            *p = x->next;
            exec_free(x);
        } else {
            p = &x->next;
        }
    }
}

static void on_left(void *arg)
{
    struct shim_exec *x = arg;

    shim_check_over(x->shim);
}

static size_t name_len(const char *assignment)
{
    return strcspn(assignment, "=");
}

static bool assigns(const struct strv *env, const char *assignment)
{
    size_t n = name_len(assignment);

    for (size_t i = 0; i < env->n; i++)
        if (name_len(env->v[i]) == n && strncmp(env->v[i], assignment, n) == 0)
            return true;
    return false;
}

/* The container's environment, with the request's own on top. */
static void merge_env(const struct strv *container, const struct strv *own, struct strv *out)
{
    for (size_t i = 0; i < container->n; i++)
        if (!assigns(own, container->v[i]))
            strv_add(out, container->v[i]);
    for (size_t i = 0; i < own->n; i++)
        strv_add(out, own->v[i]);
}

static int launch(struct shim *s, const struct request *r, struct shim_exec *x, struct err *e)
{
    cleanup_strv struct strv env = {0};
    cleanup_free char *path = path_join(s->exec_dir, "config.json");
    cleanup_oci_config struct oci_config *cfg = NULL;
    struct launched l = LAUNCHED_INIT;
    struct launch_io child = {-1, -1, -1, true};
    struct launch_exec_spec spec = {
        .args = &r->argv,
        .env = &env,
        .cwd = r->cwd,
        .user = r->user,
        .terminal = r->tty,
        .privileged = r->privileged,
        .console_height = r->height,
        .console_width = r->width,
    };
    int bad;

    if (oci_config_read(path, &cfg, e))
        return -1;
    merge_env(&cfg->process.env, &r->env, &env);
    if (!r->tty && stdio_prepare(&x->io, r->out, r->err, &child, e))
        return -1;
    bad = s->runtime->exec(s, cfg, &spec, &child, &l, e);
    stdio_close_child(&child);
    if (bad)
        return -1;
    x->pid = l.pid;
    stdio_started(&x->io, l.pty_master);
    l.pty_master = -1;
    launched_release(&l);
    return 0;
}

int shim_exec_start(struct shim *s, const struct json *args, struct shim_exec **out, struct err *e)
{
    cleanup_request struct request r = {0};
    struct shim_exec *x;

    if (shim_require_running(s, e) || request_decode(args, &r, e))
        return -1;
    if (s->phase == SHIM_PAUSED)
        return err_set(e, ERR_CONFLICT, "Container %s is paused, unpause the container before exec",
                       s->id);
    if (shim_exec_find(s, r.id))
        return err_set(e, ERR_CONFLICT, "exec command %s has already run", r.id);
    forget_old(s);
    x = xcalloc(1, sizeof(*x));
    x->shim = s;
    x->id = take_ptr(r.id);
    stdio_init(&x->io, &s->loop, r.tty, r.in, true);
    x->io.sink = (struct stdio_sink){.left = on_left, .arg = x};
    if (launch(s, &r, x, e)) {
        exec_free(x);
        return -1;
    }
    x->running = true;
    x->next = s->execs;
    s->execs = x;
    if (!s->quiet.linked) /* parsing has left some pages behind */
        loop_timer_set(&s->loop, &s->quiet, SHIM_QUIET_MS);
    *out = x;
    return 0;
}

static void exec_ended(struct shim_exec *x, int exit_code)
{
    x->running = false;
    x->exit_code = exit_code;
    stdio_end(&x->io, &exit_code);
    control_event(x->shim, "exec_exit", x->id, exit_code);
}

bool shim_exec_reaped(struct shim *s, int64_t pid, int exit_code)
{
    for (struct shim_exec *x = s->execs; x; x = x->next)
        if (x->running && x->pid == pid) {
            exec_ended(x, exit_code);
            return true;
        }
    return false;
}

/* Killed by now, but it may not have died yet. */
static int wait_for_death(struct shim_exec *x)
{
    int64_t until = time_mono_ms() + DEATH_MS;
    int status;

    (void)kill((pid_t)x->pid, SIGKILL);
    while (time_mono_ms() < until) {
        pid_t r = waitpid((pid_t)x->pid, &status, WNOHANG);

        if (r == (pid_t)x->pid)
            return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
        if (r < 0 && errno != EINTR)
            break;
        time_sleep_ms(1);
    }
    return KILLED;
}

void shim_exec_end_all(struct shim *s)
{
    for (struct shim_exec *x = s->execs; x; x = x->next)
        if (x->running)
            exec_ended(x, wait_for_death(x));
}

bool shim_exec_has_clients(const struct shim *s)
{
    for (const struct shim_exec *x = s->execs; x; x = x->next)
        if (stdio_has_clients(&x->io))
            return true;
    return false;
}
