/*
 * stats: what running containers use, once a second.
 *
 * Two samples make a line: what was used between them.  Each is asked for on its own; the agent
 * gives the same one to all who ask at the same time.
 */
#include <stdio.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/time.h"
#include "cli/cli.h"
#include "cli/http_client.h"
#include "cli/table.h"
#include "cli/term.h"

#define STEP_MS 1000

struct stats_options {
    bool once, all;
    char *format;
};

struct sample {
    int64_t cpu_ns, system_ns, cpus;
    int64_t memory, memory_limit, pids;
    int64_t received, sent, read, written;
    bool running;
};

/* "12.3MiB" */
static void add_bytes(struct buf *out, int64_t n, int64_t base, const char *const *units)
{
    double v = (double)n;
    size_t u = 0;

    for (; v >= (double)base && u < 4; u++)
        v /= (double)base;
    buf_addf(out, v >= 100 || u == 0 ? "%.0f%s" : "%.3g%s", v, units[u]);
}

static const char *const binary[] = {"B", "KiB", "MiB", "GiB", "TiB"};
static const char *const decimal[] = {"B", "kB", "MB", "GB", "TB"};

static void add_pair(struct table *t, int64_t a, int64_t b, int64_t base, const char *const *units)
{
    cleanup_buf struct buf text = BUF_INIT(64);

    add_bytes(&text, a, base, units);
    buf_addf(&text, " / ");
    add_bytes(&text, b, base, units);
    table_add(t, text.data);
}

/* ----------------------------------------------------------------- samples */

/* As `docker stats` counts: without the file pages that can go at once. */
static int64_t memory_used(const struct json *memory)
{
    struct json counts = json_get(memory, "stats");
    int64_t used = json_get_i64(memory, "usage");
    int64_t idle =
        json_get_i64(&counts, json_has(&counts, "total_inactive_file") ? "total_inactive_file"
                                                                       : "inactive_file");

    return idle < used ? used - idle : used;
}

static void sum_networks(const struct json *root, struct sample *s)
{
    struct json all = json_get(root, "networks");
    struct json_iter it = json_iter(&all);

    while (json_next(&it)) {
        s->received += json_get_i64(&it.value, "rx_bytes");
        s->sent += json_get_i64(&it.value, "tx_bytes");
    }
}

static void sum_devices(const struct json *root, struct sample *s)
{
    struct json blkio = json_get(root, "blkio_stats");
    struct json rows = json_get(&blkio, "io_service_bytes_recursive");

    for (size_t i = 0; i < json_len(&rows); i++) {
        struct json row = json_at(&rows, i);
        char first = json_get_str(&row, "op")[0];

        if (first == 'r' || first == 'R')
            s->read += json_get_i64(&row, "value");
        else if (first == 'w' || first == 'W')
            s->written += json_get_i64(&row, "value");
    }
}

static void decode(const struct json *root, struct sample *s)
{
    struct json cpu = json_get(root, "cpu_stats"), usage = json_get(&cpu, "cpu_usage");
    struct json memory = json_get(root, "memory_stats"), pids = json_get(root, "pids_stats");

    *s = (struct sample){
        .cpu_ns = json_get_i64(&usage, "total_usage"),
        .system_ns = json_get_i64(&cpu, "system_cpu_usage"),
        .cpus = json_get_i64(&cpu, "online_cpus"),
        .memory = memory_used(&memory),
        .memory_limit = json_get_i64(&memory, "limit"),
        .pids = json_get_i64(&pids, "current"),
    };
    s->running = s->system_ns > 0;
    sum_networks(root, s);
    sum_devices(root, s);
}

static int take_sample(struct cli *cli, const char *id, struct sample *s, struct err *e)
{
    cleanup_json struct json_doc doc = {0};
    cleanup_target struct target t = {0};
    struct json root;

    target_init(&t, "/containers/");
    target_path(&t, id);
    target_text(&t, "/stats");
    target_add(&t, "stream", "0");
    target_add(&t, "one-shot", "1");
    if (client_json(cli, "GET", &t, NULL, &doc, e))
        return -1;
    root = json_root(&doc);
    decode(&root, s);
    return 0;
}

/* -------------------------------------------------------------------- rows */

static void add_row(struct table *t, const char *id, const char *name, const struct sample *was,
                    const struct sample *s)
{
    int64_t system = s->system_ns - was->system_ns;
    double cpu = was->running && system > 0
                     ? (double)(s->cpu_ns - was->cpu_ns) / (double)system * (double)s->cpus * 100
                     : 0;

    table_addf(t, "%.12s", id);
    table_add(t, name);
    table_addf(t, "%.2f%%", cpu);
    add_pair(t, s->memory, s->memory_limit, 1024, binary);
    table_addf(t, "%.2f%%",
               s->memory_limit ? (double)s->memory / (double)s->memory_limit * 100 : 0);
    add_pair(t, s->received, s->sent, 1000, decimal);
    add_pair(t, s->read, s->written, 1000, decimal);
    table_addf(t, "%lld", (long long)s->pids);
}

static int list(struct cli *cli, const struct stats_options *o, const struct strv *args,
                struct strv *ids, struct strv *names, struct err *e)
{
    cleanup_json struct json_doc doc = {0};
    cleanup_target struct target t = {0};
    struct json root;

    target_init(&t, "/containers/json");
    target_add(&t, "all", o->all || args->n ? "1" : NULL);
    if (client_json(cli, "GET", &t, NULL, &doc, e))
        return -1;
    root = json_root(&doc);
    for (size_t i = 0; i < json_len(&root); i++) {
        struct json c = json_at(&root, i), all = json_get(&c, "Names"), first = json_at(&all, 0);
        cleanup_free char *name = NULL;
        const char *id = json_get_str(&c, "Id");
        bool wanted = args->n == 0;

        if (json_str(&first, &name, e))
            return -1;
        name = name ? name : xstrdup("/");
        for (size_t k = 0; k < args->n; k++)
            wanted = wanted || str_eq(args->v[k], name + 1) || str_starts(id, args->v[k]);
        if (!wanted)
            continue;
        strv_add(ids, id);
        strv_add(names, name + 1);
    }
    return 0;
}

/* One look at all of them; *before has the look before it. */
static int look(struct cli *cli, const struct stats_options *o, const struct strv *args,
                struct map *before, struct table *t, struct err *e)
{
    cleanup_strv struct strv ids = {0}, names = {0};
    struct map now = MAP_INIT(free);

    if (list(cli, o, args, &ids, &names, e))
        return -1;
    for (size_t i = 0; i < ids.n; i++) {
        struct sample *s = xcalloc(1, sizeof(*s));
        const struct sample *was = map_get(before, ids.v[i]);

        if (take_sample(cli, ids.v[i], s, e)) {
            free(s);
            if (e->kind == ERR_NOT_FOUND)
                continue; /* it has just gone */
            map_release(&now);
            return -1;
        }
        add_row(t, ids.v[i], names.v[i], was ? was : &(struct sample){0}, s);
        map_put(&now, ids.v[i], s);
    }
    map_release(before);
    *before = now;
    return 0;
}

/* A name that nobody has is an error at once, not an empty table for ever. */
static int check_names(struct cli *cli, const struct strv *args, struct err *e)
{
    struct sample s;

    for (size_t i = 0; i < args->n; i++)
        if (take_sample(cli, args->v[i], &s, e))
            return -1;
    return 0;
}

static int run_stats(struct cli *cli, void *options, const struct strv *args, struct err *e)
{
    static const char *const titles[] = {"CONTAINER ID",      "NAME",  "CPU %",
                                         "MEM USAGE / LIMIT", "MEM %", "NET I/O",
                                         "BLOCK I/O",         "PIDS"};
    static const char *const keys[] = {"ID",      "Name",  "CPUPerc", "MemUsage",
                                       "MemPerc", "NetIO", "BlockIO", "PIDs"};
    const struct stats_options *o = options;
    struct map before = MAP_INIT(free);
    bool json, first = true;
    int r;

    if (format_is_json(o->format, &json, e) || check_names(cli, args, e))
        return -1;
    do {
        cleanup_table struct table t = {0};

        table_init(&t, keys, titles, ARRAY_LEN(titles));
        r = look(cli, o, args, &before, &t, e);
        if (r == 0 && !first) {
            if (!json && !o->once && term_is_tty(1))
                printf("\033[H\033[J");
            table_print(cli, &t, json, true);
            fflush(stdout);
            if (o->once)
                break;
        }
        first = false;
        if (r == 0)
            time_sleep_ms(STEP_MS);
    } while (r == 0 && !ferror(stdout));
    map_release(&before);
    return r;
}

#define STATS(member) offsetof(struct stats_options, member)
static const struct flag stats_flags[] = {
    {"no-stream", 0,   FLAG_BOOL, STATS(once),   NULL,     "print one table and end"      },
    {"all",       'a', FLAG_BOOL, STATS(all),    NULL,     "those that do not run as well"},
    {"format",    0,   FLAG_STR,  STATS(format), "FORMAT", "json or table"                },
};

const struct command cmd_stats = {
    .name = "stats",
    .usage = "[CONTAINER...]",
    .summary = "Show what containers use",
    .flags = stats_flags,
    .n_flags = ARRAY_LEN(stats_flags),
    .options_size = sizeof(struct stats_options),
    .max_args = SIZE_MAX,
    .run = run_stats,
};
