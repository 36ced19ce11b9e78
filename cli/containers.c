/* containers: ps, logs, start, stop, rm. */
#include <stdio.h>

#include "base/mem.h"
#include "cli/http_client.h"
#include "cli/io.h"
#include "cli/table.h"

/* ----------------------------------------------------------------------- ps */

struct ps_options {
    char *format;
    bool all, quiet, no_trunc, latest;
    int64_t last;
    struct strv filters;
};

static void port_text(const struct json *p, struct buf *out)
{
    const char *ip = json_get_str(p, "IP");
    int64_t public = json_get_i64(p, "PublicPort");

    buf_addf(out, "%s", out->len ? ", " : "");
    if (public)
        buf_addf(out, strchr(ip, ':') ? "[%s]:%lld->" : "%s:%lld->", ip, (long long)public);
    buf_addf(out, "%lld/%s", (long long)json_get_i64(p, "PrivatePort"), json_get_str(p, "Type"));
}

static char *names_text(const struct json *c)
{
    struct json names = json_get(c, "Names");
    cleanup_buf struct buf b = BUF_INIT(64 * 1024);

    for (size_t i = 0; i < json_len(&names); i++) {
        struct json n = json_at(&names, i);
        cleanup_free char *text = NULL;

        if (!json_str(&n, &text, ERR_IGNORE) && text)
            buf_addf(&b, "%s%s", b.len ? "," : "", *text == '/' ? text + 1 : text);
    }
    return buf_take(&b);
}

/* At most n characters of UTF-8, with a mark when something was cut. */
static char *cut(const char *s, size_t n)
{
    size_t at = 0;

    for (size_t seen = 0; s[at]; at++) {
        if (((unsigned char)s[at] & 0xc0) == 0x80)
            continue;
        if (seen++ == n)
            return str_printf("%.*s…", (int)at, s);
    }
    return xstrdup(s);
}

static void add_container(struct table *t, const struct json *c, bool no_trunc)
{
    struct json ports = json_get(c, "Ports");
    cleanup_buf struct buf b = BUF_INIT(256 * 1024);
    cleanup_free char *command = cut(json_get_str(c, "Command"), no_trunc ? SIZE_MAX : 19);
    cleanup_free char *ago = ago_from_seconds(json_get_i64(c, "Created"));
    cleanup_free char *names = names_text(c);
    const char *image = json_get_str(c, "Image"), *state = json_get_str(c, "State");

    for (size_t i = 0; i < json_len(&ports); i++) {
        struct json p = json_at(&ports, i);

        port_text(&p, &b);
    }
    table_addf(t, no_trunc ? "%s" : "%.12s", json_get_str(c, "Id"));
    table_addf(t, no_trunc || !str_starts(image, "sha256:") ? "%s" : "%.19s", image);
    table_addf(t, "\"%s\"", command);
    table_add(t, ago);
    table_addc(t, str_eq(state, "running") ? COLOR_GREEN : COLOR_NONE, json_get_str(c, "Status"));
    table_add(t, b.data);
    table_add(t, names);
}

static int run_ps(struct cli *cli, void *options, const struct strv *args, struct err *e)
{
    static const char *const titles[] = {"CONTAINER ID", "IMAGE", "COMMAND", "CREATED",
                                         "STATUS",       "PORTS", "NAMES"};
    static const char *const keys[] = {"ID",     "Image", "Command", "RunningFor",
                                       "Status", "Ports", "Names"};
    const struct ps_options *o = options;
    cleanup_json struct json_doc doc = {0};
    cleanup_target struct target t = {0};
    cleanup_table struct table table = {0};
    cleanup_buf struct buf filters = BUF_INIT(64 * 1024);
    bool json;

    (void)args;
    target_init(&t, "/containers/json");
    if (format_is_json(o->format, &json, e) || filters_json(&o->filters, &filters, e))
        return -1;
    target_add(&t, "all", o->all ? "1" : NULL);
    if (o->filters.n)
        target_add(&t, "filters", filters.data);
    if (o->latest || o->last > 0) {
        cleanup_free char *limit = str_printf("%lld", o->latest ? 1LL : (long long)o->last);

        target_add(&t, "limit", limit);
    }
    if (client_json(cli, "GET", &t, NULL, &doc, e))
        return -1;
    struct json root = json_root(&doc);

    table_init(&table, keys, titles, ARRAY_LEN(titles));
    for (size_t i = 0; i < json_len(&root); i++) {
        struct json c = json_at(&root, i);

        if (o->quiet)
            printf(o->no_trunc ? "%s\n" : "%.12s\n", json_get_str(&c, "Id"));
        else
            add_container(&table, &c, o->no_trunc);
    }
    if (!o->quiet)
        table_print(cli, &table, json, true);
    return 0;
}

/* --------------------------------------------------------------------- logs */

struct logs_options {
    bool follow, timestamps, details;
    char *tail, *since, *until;
};

static int has_tty(struct cli *cli, const char *container, bool *tty, struct err *e)
{
    cleanup_json struct json_doc doc = {0};
    cleanup_target struct target t = {0};

    target_init(&t, "/containers/");
    target_path(&t, container);
    target_text(&t, "/json");
    if (client_json(cli, "GET", &t, NULL, &doc, e))
        return -1;
    struct json root = json_root(&doc), config = json_get(&root, "Config");

    *tty = json_get_bool(&config, "Tty");
    return 0;
}

static int run_logs(struct cli *cli, void *options, const struct strv *args, struct err *e)
{
    const struct logs_options *o = options;
    cleanup_reply struct reply r = {0};
    cleanup_target struct target t = {0};
    cleanup_free char *since = time_argument(o->since);
    cleanup_free char *until = time_argument(o->until);
    bool tty;

    target_init(&t, "/containers/");
    target_path(&t, args->v[0]);
    target_text(&t, "/logs");
    target_add(&t, "stdout", "1");
    target_add(&t, "stderr", "1");
    target_add(&t, "follow", o->follow ? "1" : NULL);
    target_add(&t, "timestamps", o->timestamps ? "1" : NULL);
    target_add(&t, "details", o->details ? "1" : NULL);
    target_add(&t, "tail", o->tail);
    target_add(&t, "since", since);
    target_add(&t, "until", until);
    if (has_tty(cli, args->v[0], &tty, e) || client_send(cli, "GET", &t, NULL, &r, e))
        return -1;
    return io_copy_body(&r, tty, e);
}

/* ---------------------------------------------------------- start, stop, rm */

struct stop_options {
    char *signal, *format, *time;
};

struct rm_options {
    bool force, volumes;
    char *format;
};

struct start_options {
    char *format;
};

typedef int one_fn(struct cli *cli, const void *options, const char *name, struct err *e);

/* All of them are tried; the last error is the command's, the others are told at once. */
static int each(struct cli *cli, const void *options, const char *format, const struct strv *names,
                one_fn *one, struct err *e)
{
    cleanup_strv struct strv done = {0};
    bool json, failed = false;

    if (format_is_json(format, &json, e))
        return -1;
    for (size_t i = 0; i < names->n; i++) {
        struct err mine = ERR_INIT;

        if (one(cli, options, names->v[i], &mine)) {
            if (failed)
                fprintf(stderr, "ballast: %s\n", e->msg);
            *e = mine;
            failed = true;
            continue;
        }
        strv_add(&done, names->v[i]);
        if (!json)
            printf("%s\n", names->v[i]);
    }
    if (json) {
        cleanup_buf struct buf b = BUF_INIT(4 * 1024 * 1024);
        struct jsonw w = JSONW_INIT(&b);

        jsonw_strv(&w, &done);
        printf("%s\n", b.data);
    }
    return failed ? -1 : 0;
}

static int stop_one(struct cli *cli, const void *options, const char *name, struct err *e)
{
    const struct stop_options *o = options;
    cleanup_target struct target t = {0};

    target_init(&t, "/containers/");
    target_path(&t, name);
    target_text(&t, "/stop");
    target_add(&t, "signal", o->signal);
    target_add(&t, "t", o->time);
    if (!client_json(cli, "POST", &t, NULL, NULL, e))
        return 0;
    return e->kind == ERR_NOT_MODIFIED ? 0 : -1; /* it was stopped already */
}

static int run_stop(struct cli *cli, void *options, const struct strv *args, struct err *e)
{
    const struct stop_options *o = options;
    int64_t seconds;

    if (o->time && parse_i64(o->time, -1, INT32_MAX, "time", &seconds, e))
        return -1;
    return each(cli, o, o->format, args, stop_one, e);
}

static int start_one(struct cli *cli, const void *options, const char *name, struct err *e)
{
    cleanup_target struct target t = {0};

    (void)options;
    target_init(&t, "/containers/");
    target_path(&t, name);
    target_text(&t, "/start");
    if (!client_json(cli, "POST", &t, NULL, NULL, e))
        return 0;
    return e->kind == ERR_NOT_MODIFIED ? 0 : -1;
}

static int run_start(struct cli *cli, void *options, const struct strv *args, struct err *e)
{
    return each(cli, options, ((struct start_options *)options)->format, args, start_one, e);
}

static int rm_one(struct cli *cli, const void *options, const char *name, struct err *e)
{
    const struct rm_options *o = options;
    cleanup_target struct target t = {0};

    target_init(&t, "/containers/");
    target_path(&t, name);
    target_add(&t, "force", o->force ? "1" : NULL);
    target_add(&t, "v", o->volumes ? "1" : NULL);
    return client_json(cli, "DELETE", &t, NULL, NULL, e);
}

static int run_rm(struct cli *cli, void *options, const struct strv *args, struct err *e)
{
    return each(cli, options, ((struct rm_options *)options)->format, args, rm_one, e);
}

/* ------------------------------------------------------------------- tables */

#define PS(member) offsetof(struct ps_options, member)
static const struct flag ps_flags[] = {
    {"all",      'a', FLAG_BOOL, PS(all),      NULL,     "also those that do not run"},
    {"quiet",    'q', FLAG_BOOL, PS(quiet),    NULL,     "only IDs"                  },
    {"latest",   'l', FLAG_BOOL, PS(latest),   NULL,     "only the newest"           },
    {"last",     'n', FLAG_INT,  PS(last),     "N",      "only the N newest"         },
    {"filter",   'f', FLAG_LIST, PS(filters),  "FILTER", "only those, name=value"    },
    {"no-trunc", 0,   FLAG_BOOL, PS(no_trunc), NULL,     "whole IDs and commands"    },
    {"format",   0,   FLAG_STR,  PS(format),   "FORMAT", "json or table"             },
};

const struct command cmd_ps = {
    .name = "ps",
    .usage = "",
    .summary = "List containers",
    .flags = ps_flags,
    .n_flags = ARRAY_LEN(ps_flags),
    .options_size = sizeof(struct ps_options),
    .run = run_ps,
};

#define LOGS(member) offsetof(struct logs_options, member)
static const struct flag logs_flags[] = {
    {"follow",     'f', FLAG_BOOL, LOGS(follow),     NULL,   "go on as lines come"          },
    {"timestamps", 't', FLAG_BOOL, LOGS(timestamps), NULL,   "with the time of each line"   },
    {"tail",       'n', FLAG_STR,  LOGS(tail),       "N",    "only the last N lines, or all"},
    {"since",      0,   FLAG_STR,  LOGS(since),      "TIME", "from this time on, or 10m ago"},
    {"until",      0,   FLAG_STR,  LOGS(until),      "TIME", "up to this time"              },
    {"details",    0,   FLAG_BOOL, LOGS(details),    NULL,   "with what the driver adds"    },
};

const struct command cmd_logs = {
    .name = "logs",
    .usage = "CONTAINER",
    .summary = "Show what a container has written",
    .flags = logs_flags,
    .n_flags = ARRAY_LEN(logs_flags),
    .options_size = sizeof(struct logs_options),
    .min_args = 1,
    .max_args = 1,
    .run = run_logs,
};

static const struct flag start_flags[] = {
    {"format", 0, FLAG_STR, offsetof(struct start_options, format), "FORMAT", "json or table"},
};

const struct command cmd_start = {
    .name = "start",
    .usage = "CONTAINER...",
    .summary = "Start containers",
    .flags = start_flags,
    .n_flags = ARRAY_LEN(start_flags),
    .options_size = sizeof(struct start_options),
    .min_args = 1,
    .max_args = SIZE_MAX,
    .run = run_start,
};

#define STOP(member) offsetof(struct stop_options, member)
static const struct flag stop_flags[] = {
    {"time",    't', FLAG_STR, STOP(time),   "SECONDS", "how long to wait before killing"},
    {"timeout", 0,   FLAG_STR, STOP(time),   "SECONDS", "the same"                       },
    {"signal",  's', FLAG_STR, STOP(signal), "SIGNAL",  "what to send first"             },
    {"format",  0,   FLAG_STR, STOP(format), "FORMAT",  "json or table"                  },
};

const struct command cmd_stop = {
    .name = "stop",
    .usage = "CONTAINER...",
    .summary = "Stop containers",
    .flags = stop_flags,
    .n_flags = ARRAY_LEN(stop_flags),
    .options_size = sizeof(struct stop_options),
    .min_args = 1,
    .max_args = SIZE_MAX,
    .run = run_stop,
};

#define RM(member) offsetof(struct rm_options, member)
static const struct flag rm_flags[] = {
    {"force",   'f', FLAG_BOOL, RM(force),   NULL,     "also those that run"         },
    {"volumes", 'v', FLAG_BOOL, RM(volumes), NULL,     "with their anonymous volumes"},
    {"format",  0,   FLAG_STR,  RM(format),  "FORMAT", "json or table"               },
};

const struct command cmd_rm = {
    .name = "rm",
    .usage = "CONTAINER...",
    .summary = "Remove containers",
    .flags = rm_flags,
    .n_flags = ARRAY_LEN(rm_flags),
    .options_size = sizeof(struct rm_options),
    .min_args = 1,
    .max_args = SIZE_MAX,
    .run = run_rm,
};
