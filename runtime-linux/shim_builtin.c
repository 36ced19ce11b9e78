/* shim_builtin: the built-in runtime (launch.h), as a shim asks it. */
#include <errno.h>
#include <signal.h>

#include "base/mem.h"
#include "runtime-linux/shim_internal.h"

static int builtin_start(struct shim *s, const struct oci_config *cfg, const struct launch_io *io,
                         struct err *e)
{
    int r = launch_container(cfg, io, &s->first, e);

    if (r)
        (void)launch_error_wrap(e, false);
    return r;
}

static int builtin_exec(struct shim *s, const struct oci_config *cfg,
                        const struct launch_exec_spec *spec, const struct launch_io *io,
                        struct launched *out, struct err *e)
{
    int r = launch_exec(cfg, s->first.pid, spec, io, out, e);

    if (r)
        (void)launch_error_wrap(e, true);
    return r;
}

static int builtin_signal(struct shim *s, int signal, struct err *e)
{
    /* Our own child, not reaped yet: the number is its own.  (And never -1, which is everybody.) */
    if (s->first.pid <= 1 || kill((pid_t)s->first.pid, signal))
        return err_os(e, errno, "send signal %d to container %s", signal, s->id);
    return 0;
}

static int builtin_freeze(struct shim *s, bool frozen, struct err *e)
{
    if (!s->first.cgroup)
        return err_set(e, ERR_UNSUPPORTED, "container %s has no cgroup and cannot be paused",
                       s->id);
    return cgroup_freeze(s->first.cgroup, frozen, e);
}

static int builtin_pids(struct shim *s, int64_t **pids, size_t *n, struct err *e)
{
    if (s->first.cgroup)
        return cgroup_pids(s->first.cgroup, pids, n, e);
    *pids = xcalloc(1, sizeof(**pids));
    (*pids)[0] = s->first.pid;
    *n = 1;
    return 0;
}

/* The agent writes to the cgroup itself: see adopt_update(). */
static int builtin_update(struct shim *s, const struct json *resources, struct err *e)
{
    (void)resources;
    return err_set(e, ERR_UNSUPPORTED, "the limits of container %s are not the shim's", s->id);
}

static void builtin_ended(struct shim *s)
{
    (void)s;
}

const struct shim_runtime shim_builtin = {
    .start = builtin_start,
    .exec = builtin_exec,
    .signal = builtin_signal,
    .freeze = builtin_freeze,
    .update = builtin_update,
    .pids = builtin_pids,
    .ended = builtin_ended,
};
