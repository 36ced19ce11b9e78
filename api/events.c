/*
 * events: /events, past and future, until the client or `until` ends it.
 *
 * The filters are moby's daemon/events/filter.go: `container`, `volume` and `network` match the
 * beginning of an ID or a name; `image` matches events of containers of that image too.  What it
 * does not know it does not mind.
 */
#include <string.h>

#include "api/filters.h"
#include "api/handlers.h"
#include "base/time.h"
#include "reconciler/engine.h"

struct event_query {
    struct request *rq;
    struct filters f;
    int64_t since_ns, until_ns; /* TIME_ZERO: none */
};

/* ---------------------------------------------------------------- matching */

static const char *attribute(const struct event *ev, const char *key)
{
    const char *value = kvs_get(&ev->attributes, key);

    return value ? value : "";
}

static bool action_matches(const struct filters *f, const struct event *ev)
{
    static const char *const loose[] = {"health_status", "exec_create", "exec_start"};

    for (size_t i = 0; i < ARRAY_LEN(loose); i++)
        if (filters_has_value(f, "event", loose[i]))
            return filters_prefix(f, "event", ev->action);
    return filters_exact(f, "event", ev->action);
}

static bool object_matches(const struct filters *f, const struct event *ev)
{
    static const char *const kinds[] = {"container", "volume", "network", "plugin", "daemon",
                                        "node",      "secret", "service", "config"};

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (!filters_prefix(f, kinds[i], ev->id ? ev->id : "") &&
            !filters_prefix(f, kinds[i], attribute(ev, "name")))
            return false;
    return true;
}

static bool image_matches(const struct filters *f, const struct event *ev)
{
    const char *name = attribute(ev, str_eq(ev->type, "container") ? "image" : "name");
    const char *slash = strrchr(name, '/'), *colon = strrchr(name, ':');
    char bare[256];

    if (filters_exact(f, "image", ev->id ? ev->id : "") || filters_exact(f, "image", name))
        return true;
    if (!colon || (slash && slash > colon) || (size_t)(colon - name) >= sizeof(bare))
        return false;
    snprintf(bare, sizeof(bare), "%.*s", (int)(colon - name), name);
    return filters_exact(f, "image", bare);
}

static bool matches(const struct event_query *q, const struct event *ev)
{
    const struct filters *f = &q->f;

    /* "image create" came with API 1.46; clients before that do not expect it. */
    if (str_eq(ev->type, "image") && str_eq(ev->action, "create") &&
        !request_shape(q->rq, SHAPE_IMAGE_CREATE_EVENT))
        return false;
    return action_matches(f, ev) && filters_exact(f, "type", ev->type) &&
           filters_exact(f, "scope", "local") && object_matches(f, ev) && image_matches(f, ev) &&
           filters_labels(f, "label", &ev->attributes);
}

/* --------------------------------------------------------------- streaming */

static int send_event(struct request *rq, const struct event *ev, struct err *e)
{
    cleanup_buf struct buf out = BUF_INIT(REPLY_MAX);
    struct jsonw w = JSONW_INIT(&out);

    event_write(&w, ev);
    buf_add(&out, "\n", 1);
    return buf_check(&out, "event", e) || res_write(rq, out.data, out.len, e) ? -1 : 0;
}

/* Monotonic; events that are stored already are given without waiting. */
static int64_t deadline_of(const struct event_query *q)
{
    int64_t left_ns;

    if (q->until_ns == TIME_ZERO)
        return -1;
    left_ns = q->until_ns - time_wall_ns();
    return time_mono_ms() + (left_ns > 0 ? left_ns / NS_PER_MS : 0);
}

static int stream_events(struct event_query *q, struct event_sub *sub, struct err *e)
{
    int64_t deadline = deadline_of(q);

    for (;;) {
        cleanup_event struct event ev = {0};

        if (events_next(sub, deadline, q->rq->cancel, &ev, e))
            return e->kind == ERR_TIMEOUT ? 0 : -1;
        if (q->until_ns != TIME_ZERO && ev.time_ns > q->until_ns)
            return 0;
        if (matches(q, &ev) && send_event(q->rq, &ev, e))
            return -1;
    }
}

static int read_query(struct event_query *q, struct err *e)
{
    const struct request *rq = q->rq;

    q->since_ns = q->until_ns = TIME_ZERO;
    if (query_time(rq, "since", &q->since_ns, e) || query_time(rq, "until", &q->until_ns, e))
        return -1;
    if (q->until_ns != TIME_ZERO && q->since_ns != TIME_ZERO && q->since_ns > q->until_ns)
        return err_set(e, ERR_INVALID, "`since` time (%lld) cannot be after `until` time (%lld)",
                       (long long)(q->since_ns / NS_PER_SEC),
                       (long long)(q->until_ns / NS_PER_SEC));
    return filters_parse(query_get(rq, "filters"), &q->f, e);
}

int events_stream(struct request *rq, struct err *e)
{
    struct event_query q = {.rq = rq};
    struct event_sub *sub;
    int rc;

    if (read_query(&q, e)) {
        filters_release(&q.f);
        return -1;
    }
    /* `until` alone asks for the whole past. */
    rc = events_subscribe(
        rq->engine, q.since_ns == TIME_ZERO && q.until_ns != TIME_ZERO ? 0 : q.since_ns, &sub, e);
    if (!rc) {
        if (res_stream(rq, 200, "application/json", e) || request_watch(rq, e))
            rc = -1;
        else
            rc = stream_events(&q, sub, e);
        events_unsubscribe(sub);
    }
    filters_release(&q.f);
    return rc;
}
