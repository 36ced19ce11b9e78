/* stats: GET /containers/{id}/stats, in the shape that its clients compute percentages from. */
#include <string.h>

#include "api/handlers.h"
#include "base/cancel.h"
#include "base/mem.h"
#include "base/time.h"
#include "reconciler/engine.h"

#define STEP_MS 1000

static void pair(struct jsonw *w, const char *key, uint64_t v)
{
    jsonw_ki64(w, key, (int64_t)v);
}

/* Go leaves out a zero that is marked so. */
static void pair_unless_zero(struct jsonw *w, const char *key, uint64_t v)
{
    if (v)
        pair(w, key, v);
}

static void write_cpu(struct jsonw *w, const char *key, const struct container_stats *s)
{
    jsonw_key(w, key);
    jsonw_obj(w);
    jsonw_key(w, "cpu_usage");
    jsonw_obj(w);
    pair(w, "total_usage", s->cpu_total_ns);
    if (s->n_percpu) {
        jsonw_key(w, "percpu_usage");
        jsonw_arr(w);
        for (size_t i = 0; i < s->n_percpu; i++)
            jsonw_i64(w, (int64_t)s->percpu_ns[i]);
        jsonw_end_arr(w);
    }
    pair(w, "usage_in_kernelmode", s->cpu_kernel_ns);
    pair(w, "usage_in_usermode", s->cpu_user_ns);
    jsonw_end_obj(w);
    pair_unless_zero(w, "system_cpu_usage", s->system_cpu_ns);
    pair_unless_zero(w, "online_cpus", s->online_cpus);
    jsonw_key(w, "throttling_data");
    jsonw_obj(w);
    pair(w, "periods", s->periods);
    pair(w, "throttled_periods", s->throttled_periods);
    pair(w, "throttled_time", s->throttled_ns);
    jsonw_end_obj(w);
    jsonw_end_obj(w);
}

static void write_memory(struct jsonw *w, const struct container_stats *s)
{
    jsonw_key(w, "memory_stats");
    jsonw_obj(w);
    pair_unless_zero(w, "usage", s->memory_usage);
    pair_unless_zero(w, "max_usage", s->memory_max_usage);
    if (s->n_memory) {
        jsonw_key(w, "stats");
        jsonw_obj(w);
        for (size_t i = 0; i < s->n_memory; i++)
            pair(w, s->memory[i].name, s->memory[i].value);
        jsonw_end_obj(w);
    }
    pair_unless_zero(w, "failcnt", s->memory_failures);
    pair_unless_zero(w, "limit", s->memory_limit);
    jsonw_end_obj(w);
}

/* null where the version has no such counters, [] where nothing was read or written yet. */
static void write_blkio(struct jsonw *w, const struct container_stats *s)
{
    static const char *const keys[BLKIO_KINDS] = {
        [BLKIO_SERVICE_BYTES] = "io_service_bytes_recursive",
        [BLKIO_SERVICED] = "io_serviced_recursive",
        [BLKIO_QUEUED] = "io_queue_recursive",
        [BLKIO_SERVICE_TIME] = "io_service_time_recursive",
        [BLKIO_WAIT_TIME] = "io_wait_time_recursive",
        [BLKIO_MERGED] = "io_merged_recursive",
        [BLKIO_TIME] = "io_time_recursive",
        [BLKIO_SECTORS] = "sectors_recursive",
    };

    jsonw_key(w, "blkio_stats");
    jsonw_obj(w);
    for (size_t k = 0; k < BLKIO_KINDS; k++) {
        const struct blkio_list *list = &s->blkio[k];

        jsonw_key(w, keys[k]);
        if (s->read_ns == TIME_ZERO || (s->v2 && k != BLKIO_SERVICE_BYTES)) {
            jsonw_null(w);
            continue;
        }
        jsonw_arr(w);
        for (size_t i = 0; i < list->n; i++) {
            jsonw_obj(w);
            pair(w, "major", list->v[i].major);
            pair(w, "minor", list->v[i].minor);
            jsonw_kstr(w, "op", list->v[i].op);
            pair(w, "value", list->v[i].value);
            jsonw_end_obj(w);
        }
        jsonw_end_arr(w);
    }
    jsonw_end_obj(w);
}

static void write_networks(struct jsonw *w, const struct container_stats *s)
{
    if (s->n_interfaces == 0)
        return;
    jsonw_key(w, "networks");
    jsonw_obj(w);
    for (size_t i = 0; i < s->n_interfaces; i++) {
        const struct interface_stats *f = &s->interfaces[i];

        jsonw_key(w, f->name);
        jsonw_obj(w);
        pair(w, "rx_bytes", f->rx_bytes);
        pair(w, "rx_packets", f->rx_packets);
        pair(w, "rx_errors", f->rx_errors);
        pair(w, "rx_dropped", f->rx_dropped);
        pair(w, "tx_bytes", f->tx_bytes);
        pair(w, "tx_packets", f->tx_packets);
        pair(w, "tx_errors", f->tx_errors);
        pair(w, "tx_dropped", f->tx_dropped);
        jsonw_end_obj(w);
    }
    jsonw_end_obj(w);
}

/* c NULL: without a name, as dockerd has it for one-shot. */
static int send_sample(struct request *rq, const struct container *c,
                       const struct container_stats *before, const struct container_stats *s,
                       struct err *e)
{
    cleanup_buf struct buf out = BUF_INIT(REPLY_MAX);
    cleanup_free char *name = c ? str_printf("/%s", c->name) : NULL;
    struct jsonw w = JSONW_INIT(&out);

    jsonw_obj(&w);
    if (c) {
        jsonw_kstr(&w, "name", name);
        jsonw_kstr(&w, "id", c->id);
    }
    jsonw_key(&w, "read");
    jsonw_time(&w, s->read_ns);
    jsonw_key(&w, "preread");
    jsonw_time(&w, before->read_ns);
    jsonw_key(&w, "pids_stats");
    jsonw_obj(&w);
    pair_unless_zero(&w, "current", s->pids);
    pair_unless_zero(&w, "limit", s->pids_limit);
    jsonw_end_obj(&w);
    write_blkio(&w, s);
    jsonw_ki64(&w, "num_procs", 0);
    jsonw_key(&w, "storage_stats");
    jsonw_obj(&w);
    jsonw_end_obj(&w);
    write_cpu(&w, "cpu_stats", s);
    write_cpu(&w, "precpu_stats", before);
    write_memory(&w, s);
    write_networks(&w, s);
    jsonw_end_obj(&w);
    buf_add(&out, "\n", 1);
    if (buf_check(&out, "statistics", e))
        return -1;
    return res_write(rq, out.data, out.len, e);
}

/* One object: of two samples a second apart, unless one-shot. */
static int once(struct request *rq, const struct container *c, struct err *e)
{
    cleanup_stats struct container_stats *before = container_stats_new(), *s = NULL;
    bool running;

    if (containers_stats(rq->engine, c->id, &s, e))
        return -1;
    running = s->read_ns != TIME_ZERO;
    if (running && query_bool(rq, "one-shot", false)) {
        c = NULL;
    } else if (running) {
        if (request_watch(rq, e))
            return -1;
        if (cancel_sleep_ms(rq->cancel, STEP_MS))
            return err_set(e, ERR_CANCELLED, "the client has gone");
        container_stats_unref(before);
        before = take_ptr(s);
        if (containers_stats(rq->engine, c->id, &s, e))
            return -1;
    }
    return res_stream(rq, 200, "application/json", e) || send_sample(rq, c, before, s, e) ? -1 : 0;
}

/* Until the client goes or the container does; while it does not run the samples are empty. */
static int stream(struct request *rq, const struct container *c, struct err *e)
{
    cleanup_stats struct container_stats *before = container_stats_new(), *s = NULL;

    if (res_stream(rq, 200, "application/json", e) || request_watch(rq, e))
        return -1;
    do {
        if (containers_stats(rq->engine, c->id, &s, e))
            return e->kind == ERR_NOT_FOUND ? 0 : -1;
        if (send_sample(rq, c, before, s, e))
            return -1;
        container_stats_unref(before);
        before = take_ptr(s);
    } while (!cancel_sleep_ms(rq->cancel, STEP_MS));
    return 0;
}

int container_stats_stream(struct request *rq, struct err *e)
{
    cleanup_container struct container *c = NULL;

    if (query_bool(rq, "stream", true) && query_bool(rq, "one-shot", false))
        return err_set(e, ERR_INVALID, "cannot have stream=true and one-shot=true");
    if (containers_find(rq->engine, rq->arg[0], &c, e))
        return -1;
    return query_bool(rq, "stream", true) ? stream(rq, c, e) : once(rq, c, e);
}
