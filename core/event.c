/* event: life of an event. */
#include "core/event.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/time.h"

void event_init(struct event *ev, const char *type, const char *action, const char *id)
{
    memset(ev, 0, sizeof(*ev));
    ev->time_ns = time_wall_ns();
    ev->type = xstrdup(type);
    ev->action = xstrdup(action);
    ev->id = xstrdup(id);
}

void event_release(struct event *ev)
{
    free(ev->type);
    free(ev->action);
    free(ev->id);
    kvs_release(&ev->attributes);
    memset(ev, 0, sizeof(*ev));
}

void event_copy(struct event *dst, const struct event *src)
{
    memset(dst, 0, sizeof(*dst));
    dst->seq = src->seq;
    dst->time_ns = src->time_ns;
    dst->type = str_dup_or_null(src->type);
    dst->action = str_dup_or_null(src->action);
    dst->id = str_dup_or_null(src->id);
    kvs_copy(&dst->attributes, &src->attributes);
}
