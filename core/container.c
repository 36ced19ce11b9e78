/*
 * container: the snapshot.  References are counted atomically; the last one frees.  Nobody writes
 * to a snapshot that others can see, so a reader needs no lock, only a reference.
 */
#include "core/container.h"

#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "core/core_internal.h"

struct container *container_new(void)
{
    struct container *c = xcalloc(1, sizeof(*c));

    c->refs = 1;
    c->id = xstrdup("");
    c->name = xstrdup("");
    c->image_id = xstrdup("");
    c->app = xstrdup("");
    c->service = xstrdup("");
    c->spec_hash = xstrdup("");
    c->spec = container_spec_new();
    c->stop_grace_s = -2;
    c->state.error = xstrdup("");
    c->state.health = xstrdup("");
    c->state.started_ns = c->state.finished_ns = TIME_ZERO;
    return c;
}

struct container *container_copy(const struct container *c)
{
    struct container *d = xcalloc(1, sizeof(*d));

    d->refs = 1;
    d->id = str_dup_or_null(c->id);
    d->name = str_dup_or_null(c->name);
    d->created_ns = c->created_ns;
    d->image_id = str_dup_or_null(c->image_id);
    d->spec = c->spec ? container_spec_copy(c->spec) : NULL;
    d->app = str_dup_or_null(c->app);
    d->service = str_dup_or_null(c->service);
    d->spec_hash = str_dup_or_null(c->spec_hash);
    d->goal = c->goal;
    d->keep = c->keep;
    d->stop_grace_s = c->stop_grace_s;
    d->stop_sig = c->stop_sig;
    d->generation = c->generation;
    d->observed_generation = c->observed_generation;
    container_state_copy(&d->state, &c->state);
    return d;
}

/* The count is the one thing in a snapshot that changes, hence the cast. */
struct container *container_ref(const struct container *c)
{
    struct container *m = (struct container *)(uintptr_t)c;

    atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
    return m;
}

void container_unref(const struct container *c)
{
    struct container *m = (struct container *)(uintptr_t)c;

    if (!m || atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) != 1)
        return;
    free(m->id);
    free(m->name);
    free(m->image_id);
    container_spec_free(m->spec);
    free(m->app);
    free(m->service);
    free(m->spec_hash);
    container_state_release(&m->state);
    free(m);
}

void container_argv(const struct container_spec *s, struct strv *out)
{
    strv_release(out);
    for (size_t i = 0; i < s->entrypoint.n; i++)
        strv_add(out, s->entrypoint.v[i]);
    for (size_t i = 0; i < s->cmd.n; i++)
        strv_add(out, s->cmd.v[i]);
}

/* [a-zA-Z0-9][a-zA-Z0-9_.-]+ */
bool container_name_valid(const char *name)
{
    static const char alnum[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    size_t n = strlen(name);

    return n >= 2 && strspn(name, alnum) == n && !strchr("_.-", name[0]);
}
