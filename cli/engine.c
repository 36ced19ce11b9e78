/* engine: commands about the agent itself: version, events, doctor. */
#include <stdio.h>

#include "base/mem.h"
#include "base/time.h"
#include "base/version.h"
#include "cli/http_client.h"
#include "cli/table.h"

/* ------------------------------------------------------------------ version */

struct format_options {
    char *format;
};

static int run_version(struct cli *cli, void *options, const struct strv *args, struct err *e)
{
    const struct format_options *o = options;
    cleanup_json struct json_doc doc = {0};
    cleanup_target struct target t = {0};
    struct err server = ERR_INIT;
    bool json;

    (void)args;
    if (format_is_json(o->format, &json, e))
        return -1;
    target_init(&t, "/version");
    int rc = client_json(cli, "GET", &t, NULL, &doc, &server);
    struct json root = json_root(&doc);

    if (json) {
        cleanup_buf struct buf b = BUF_INIT(1024 * 1024);
        cleanup_buf struct buf s = BUF_INIT(1024 * 1024);
        struct jsonw w = JSONW_INIT(&b);

        if (!rc)
            json_text(&root, &s);
        jsonw_obj(&w);
        jsonw_key(&w, "Client");
        jsonw_obj(&w);
        jsonw_kstr(&w, "Version", BALLAST_VERSION);
        jsonw_kstr(&w, "GitCommit", ballast_git_commit());
        jsonw_end_obj(&w);
        jsonw_key(&w, "Server");
        jsonw_raw(&w, rc ? "null" : s.data);
        jsonw_end_obj(&w);
        printf("%s\n", b.data);
    } else {
        printf("client  ballast %s (%s)\n", BALLAST_VERSION, ballast_git_commit());
        if (!rc)
            printf("agent   %s (%s), API %s, %s/%s, kernel %s\n", json_get_str(&root, "Version"),
                   json_get_str(&root, "GitCommit"), json_get_str(&root, "ApiVersion"),
                   json_get_str(&root, "Os"), json_get_str(&root, "Arch"),
                   json_get_str(&root, "KernelVersion"));
    }
    if (rc)
        *e = server;
    return rc;
}

/* ------------------------------------------------------------------- events */

struct events_options {
    char *since, *until, *format;
    struct strv filters;
};

struct event_printer {
    const struct cli *cli;
    bool json;
};

static int print_event(void *arg, const char *line, size_t n, struct err *e)
{
    const struct event_printer *p = arg;
    cleanup_json struct json_doc doc = {0};
    char when[TIME_TEXT_MAX];

    if (p->json) {
        printf("%.*s\n", (int)n, line);
        fflush(stdout);
        return 0;
    }
    if (json_parse(line, n, &doc, e))
        return -1;
    struct json root = json_root(&doc), actor = json_get(&root, "Actor");
    struct json attributes = json_get(&actor, "Attributes");
    cleanup_buf struct buf b = BUF_INIT(1024 * 1024);
    size_t count = 0;

    for (struct json_iter it = json_iter(&attributes); json_next(&it);) {
        cleanup_free char *v = NULL;

        if (str_starts(it.key, "com.docker.compose.") || json_str(&it.value, &v, ERR_IGNORE))
            continue;
        buf_addf(&b, "%s%s=%s", count++ ? ", " : "", it.key, v ? v : "");
    }
    time_format_fixed(json_get_i64(&root, "timeNano"), when);
    printf("%s%s%s %s %s%s%s %s", color_on(p->cli, COLOR_DIM), when, color_off(p->cli),
           json_get_str(&root, "Type"), color_on(p->cli, COLOR_BOLD), json_get_str(&root, "Action"),
           color_off(p->cli), json_get_str(&actor, "ID"));
    printf(count ? " (%s)\n" : "\n", b.data);
    fflush(stdout);
    return 0;
}

static int run_events(struct cli *cli, void *options, const struct strv *args, struct err *e)
{
    const struct events_options *o = options;
    cleanup_buf struct buf filters = BUF_INIT(64 * 1024);
    cleanup_reply struct reply r = {0};
    cleanup_target struct target t = {0};
    struct event_printer p = {.cli = cli};

    (void)args;
    target_init(&t, "/events");
    if (format_is_json(o->format, &p.json, e) || filters_json(&o->filters, &filters, e))
        return -1;
    cleanup_free char *since = time_argument(o->since);
    cleanup_free char *until = time_argument(o->until);

    target_add(&t, "since", since);
    target_add(&t, "until", until);
    if (o->filters.n)
        target_add(&t, "filters", filters.data);
    if (client_send(cli, "GET", &t, NULL, &r, e))
        return -1;
    return client_lines(&r, print_event, &p, e);
}

/* ------------------------------------------------------------------- doctor */

static int run_doctor(struct cli *cli, void *options, const struct strv *args, struct err *e)
{
    static const char *const titles[] = {"FEATURE", "STATE", "WHAT IS OFF"};
    static const char *const keys[] = {"feature", "state", "off"};
    const struct format_options *o = options;
    cleanup_json struct json_doc doc = {0};
    cleanup_target struct target t = {0};
    cleanup_table struct table table = {0};
    bool json;

    (void)args;
    target_init(&t, "/ballast/doctor");
    if (format_is_json(o->format, &json, e) || client_json(cli, "GET", &t, NULL, &doc, e))
        return -1;
    struct json root = json_root(&doc);

    if (json) {
        print_json(&root);
        return 0;
    }
    table_init(&table, keys, titles, ARRAY_LEN(titles));
    for (size_t i = 0; i < json_len(&root); i++) {
        struct json line = json_at(&root, i);
        const char *state = json_get_str(&line, "state");

        table_add(&table, json_get_str(&line, "feature"));
        table_addc(&table, str_empty(json_get_str(&line, "off")) ? COLOR_GREEN : COLOR_YELLOW,
                   state);
        table_add(&table, json_get_str(&line, "off"));
    }
    table_print(cli, &table, false, true);
    return 0;
}

/* ------------------------------------------------------------------- tables */

static const struct flag format_flags[] = {
    {"format", 0, FLAG_STR, offsetof(struct format_options, format), "FORMAT", "json or table"},
};

const struct command cmd_version = {
    .name = "version",
    .usage = "",
    .summary = "Show the versions of this program and of the agent",
    .flags = format_flags,
    .n_flags = ARRAY_LEN(format_flags),
    .options_size = sizeof(struct format_options),
    .run = run_version,
};

const struct command cmd_doctor = {
    .name = "doctor",
    .usage = "",
    .summary = "Say what the host lacks, and what that turns off",
    .flags = format_flags,
    .n_flags = ARRAY_LEN(format_flags),
    .options_size = sizeof(struct format_options),
    .run = run_doctor,
};

#define EVENTS(member) offsetof(struct events_options, member)
static const struct flag events_flags[] = {
    {"since",  0,   FLAG_STR,  EVENTS(since),   "TIME",   "from this time on"     },
    {"until",  0,   FLAG_STR,  EVENTS(until),   "TIME",   "up to this time"       },
    {"filter", 'f', FLAG_LIST, EVENTS(filters), "FILTER", "only those, name=value"},
    {"format", 0,   FLAG_STR,  EVENTS(format),  "FORMAT", "json: one per line"    },
};

const struct command cmd_events = {
    .name = "events",
    .usage = "",
    .summary = "Follow what happens",
    .flags = events_flags,
    .n_flags = ARRAY_LEN(events_flags),
    .options_size = sizeof(struct events_options),
    .run = run_events,
};
