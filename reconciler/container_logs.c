/* container_logs: the log of a container, from where its driver keeps it. */
#include "base/mem.h"
#include "core/log_driver.h"
#include "reconciler/engine_internal.h"

char *containers_log_path(struct engine *g, const char *id)
{
    cleanup_free char *dir = container_dir(g, id);

    return str_printf("%s/%s-json.log", dir, id);
}

struct log_end {
    struct engine *g;
    const char *id;
};

static bool no_more_output(void *arg)
{
    struct log_end *end = arg;
    cleanup_container struct container *c = object_container(end->g, end->id);

    return !c || c->state.status == STATUS_EXITED || c->state.status == STATUS_CREATED ||
           c->state.status == STATUS_DEAD || c->state.status == STATUS_REMOVING;
}

int containers_logs(struct engine *g, const char *ref, const struct log_read_opts *o,
                    struct cancel *cn, log_each_fn *each, void *arg, struct err *e)
{
    cleanup_container struct container *c = NULL;
    cleanup_free char *path = NULL;
    struct log_read_opts opts = *o;
    const struct log_driver_ops *d;
    struct log_end end = {.g = g};

    if (containers_find(g, ref, &c, e))
        return -1;
    d = log_driver_find(c->spec->log_driver);
    if (!log_driver_readable(d, &c->spec->log_opts))
        return err_set(e, ERR_UNSUPPORTED, "configured logging driver does not support reading");
    end.id = c->id;
    path = containers_log_path(g, c->id);
    opts.ended = no_more_output;
    opts.ended_arg = &end;
    return d->read(path, &opts, cn, each, arg, e);
}
