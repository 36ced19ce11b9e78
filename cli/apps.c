/* apps: the declarative commands: apply, plan, diff, status, suspend, resume, remove. */
#include <stdio.h>

#include "base/mem.h"
#include "base/time.h"
#include "cli/compose_files.h"
#include "cli/files.h"
#include "cli/http_client.h"
#include "cli/plan_print.h"
#include "cli/table.h"

#define BODY_MAX (4 * 1024 * 1024)

static int post_files(struct cli *cli, const char *path, const struct buf *body,
                      struct json_doc *out, struct err *e)
{
    cleanup_target struct target t = {0};

    target_init(&t, "%s", path);
    return client_json(cli, "POST", &t, body, out, e);
}

/* ------------------------------------------------------------ plan and diff */

static int plan(struct cli *cli, const struct compose_args *a, bool details, size_t *changes,
                struct err *e)
{
    cleanup_buf struct buf body = BUF_INIT(BODY_MAX);
    cleanup_json struct json_doc doc = {0};
    bool json;

    if (format_is_json(a->format, &json, e) || compose_body(a, &body, e) ||
        post_files(cli, "/ballast/plan", &body, &doc, e))
        return -1;
    struct json root = json_root(&doc);

    *changes = plan_count(&root);
    if (json) {
        print_json(&root);
        return 0;
    }
    notices_print(cli, &root);
    plan_print(cli, &root, details);
    return 0;
}

static int run_plan(struct cli *cli, void *options, const struct strv *args, struct err *e)
{
    size_t changes;

    (void)args;
    return plan(cli, options, false, &changes, e);
}

static int run_diff(struct cli *cli, void *options, const struct strv *args, struct err *e)
{
    const struct compose_args *o = options;
    size_t changes = 0;

    if (args->n) /* docker's meaning of the word */
        return files_diff(cli, args->v[0], o->format, e);
    if (plan(cli, options, true, &changes, e))
        return -1;
    return changes ? 1 : 0;
}

/* -------------------------------------------------------------------- apply */

#define WAIT_DEFAULT_S 60

/* "90", "90s", "1m30s" */
static int read_timeout(const char *text, int64_t *seconds, struct err *e)
{
    int64_t ns;

    *seconds = WAIT_DEFAULT_S;
    if (!text)
        return 0;
    if (strspn(text, "0123456789") == strlen(text))
        return parse_i64(text, 1, INT32_MAX, "timeout", seconds, e);
    if (parse_duration(text, "timeout", &ns, e))
        return -1;
    *seconds = (ns + NS_PER_SEC - 1) / NS_PER_SEC;
    return *seconds > 0 ? 0 : err_set(e, ERR_INVALID, "invalid timeout: %s", text);
}

/* The agent answers when the app is Ready or the time is over. */
static int wait_ready(struct cli *cli, const char *name, int64_t timeout_s, struct err *e)
{
    cleanup_target struct target t = {0};
    cleanup_free char *timeout = str_printf("%lld", (long long)timeout_s);

    target_init(&t, "/ballast/apps/");
    target_path(&t, name);
    target_text(&t, "/wait");
    target_add(&t, "timeout", timeout);
    return client_json(cli, "GET", &t, NULL, NULL, e);
}

static int run_apply(struct cli *cli, void *options, const struct strv *args, struct err *e)
{
    const struct compose_args *a = options;
    cleanup_buf struct buf body = BUF_INIT(BODY_MAX);
    cleanup_json struct json_doc planned = {0};
    cleanup_json struct json_doc applied = {0};
    int64_t timeout_s;
    bool json;

    (void)args;
    if (read_timeout(a->timeout, &timeout_s, e) || format_is_json(a->format, &json, e) ||
        compose_body(a, &body, e) || post_files(cli, "/ballast/plan", &body, &planned, e) ||
        post_files(cli, "/ballast/apply", &body, &applied, e))
        return -1;
    struct json plan_root = json_root(&planned), root = json_root(&applied);
    const char *name = json_get_str(&root, "name");

    if (json) {
        print_json(&plan_root);
    } else {
        notices_print(cli, &plan_root);
        plan_print(cli, &plan_root, false);
    }
    if (!a->wait)
        return 0;
    fflush(stdout);
    if (wait_ready(cli, name, timeout_s, e))
        return -1;
    if (!json)
        printf("%s is %sready%s\n", name, color_on(cli, COLOR_GREEN), color_off(cli));
    return 0;
}

/* ------------------------------------------------------------------- status */

struct status_options {
    char *format, *timeout;
    bool wait, exit_code, details;
};

static enum color color_of(const struct json *app)
{
    const char *reason = json_get_str(app, "reason");

    if (json_get_bool(app, "ready"))
        return COLOR_GREEN;
    return str_eq(reason, "Reconciling") || str_eq(reason, "Suspended") ||
                   str_eq(reason, "Removing")
               ? COLOR_YELLOW
               : COLOR_RED;
}

/* "2/2": those that run, or have done their work, of all. */
static char *services_text(const struct json *app)
{
    struct json services = json_get(app, "services");
    size_t up = 0;

    for (size_t i = 0; i < json_len(&services); i++) {
        struct json s = json_at(&services, i);
        const char *state = json_get_str(&s, "state");

        up += str_eq(state, "running") ||
              (str_eq(state, "exited") && json_get_i64(&s, "exit_code") == 0);
    }
    return str_printf("%zu/%zu", up, json_len(&services));
}

static void print_apps(const struct cli *cli, const struct json *apps)
{
    static const char *const titles[] = {"APP",      "STATUS", "SERVICES",
                                         "REVISION", "SOURCE", "MESSAGE"};
    cleanup_table struct table t = {0};

    table_init(&t, titles, titles, ARRAY_LEN(titles));
    for (size_t i = 0; i < json_len(apps); i++) {
        struct json app = json_at(apps, i);
        struct json revision = json_get(&app, "revision");
        cleanup_free char *services = services_text(&app);

        table_add(&t, json_get_str(&app, "name"));
        table_addc(&t, color_of(&app), json_get_str(&app, "reason"));
        table_add(&t, services);
        table_addf(&t, "%.12s", json_get_str(&revision, "observed"));
        table_add(&t, json_get_str(&app, "source"));
        table_add(&t, json_get_str(&app, "message"));
    }
    table_print(cli, &t, false, true);
}

static char *since_text(const struct json *service)
{
    int64_t ns;
    char text[64];

    if (time_parse(json_get_str(service, "started"), &ns, ERR_IGNORE) || ns == TIME_ZERO)
        return xstrdup("");
    time_human(time_wall_ns() - ns, text, sizeof(text));
    return str_printf(" %s", text);
}

static void print_services(const struct cli *cli, const struct json *services)
{
    static const char *const titles[] = {"  SERVICE", "STATE", "CONTAINER",
                                         "IMAGE",     "PORTS", "MESSAGE"};
    cleanup_table struct table t = {0};

    table_init(&t, titles, titles, ARRAY_LEN(titles));
    for (size_t i = 0; i < json_len(services); i++) {
        struct json s = json_at(services, i);
        struct json ports = json_get(&s, "ports");
        cleanup_strv struct strv list = {0};
        const char *state = json_get_str(&s, "state"), *health = json_get_str(&s, "health");
        bool running = str_eq(state, "running"), exited = str_eq(state, "exited");
        cleanup_free char *since = running ? since_text(&s) : xstrdup("");
        cleanup_free char *shown =
            exited ? str_printf("exited (%lld)", (long long)json_get_i64(&s, "exit_code"))
                   : str_printf("%s%s%s%s%s", state, since, *health ? " (" : "", health,
                                *health ? ")" : "");

        if (json_strv(&ports, &list, ERR_IGNORE))
            strv_release(&list);
        cleanup_free char *joined = str_join((const char *const *)list.v, list.n, ", ");

        table_addf(&t, "  %s", json_get_str(&s, "name"));
        table_addc(&t, running ? COLOR_GREEN : COLOR_RED, shown);
        table_add(&t, json_get_str(&s, "container"));
        table_add(&t, json_get_str(&s, "image"));
        table_add(&t, joined);
        table_add(&t, json_get_str(&s, "message"));
    }
    table_print(cli, &t, false, true);
}

static void print_open_plan(const struct json *app)
{
    struct json plan = json_get(app, "plan");

    for (size_t i = 0; i < json_len(&plan); i++) {
        struct json op = json_at(&plan, i);
        const char *waits = json_get_str(&op, "waiting_for");

        printf("  %s: %s %s: %s%s%s\n", json_get_str(&op, "state"), json_get_str(&op, "op"),
               json_get_str(&op, "resource"), json_get_str(&op, "cause"),
               *waits ? "; waits for: " : "", waits);
    }
}

static void print_notices(const struct cli *cli, const struct json *app)
{
    struct json notices = json_get(app, "notices");

    for (size_t i = 0; i < json_len(&notices); i++) {
        struct json n = json_at(&notices, i);
        const char *service = json_get_str(&n, "service");

        printf("  %s%s%s: %s%s%s: %s (%s:%lld:%lld)\n", color_on(cli, COLOR_YELLOW),
               json_get_str(&n, "level"), color_off(cli), service, *service ? "." : "",
               json_get_str(&n, "key"), json_get_str(&n, "text"), json_get_str(&n, "file"),
               (long long)json_get_i64(&n, "line"), (long long)json_get_i64(&n, "column"));
    }
}

static void print_app(const struct cli *cli, const struct json *app)
{
    struct json revision = json_get(app, "revision"), files = json_get(app, "files");
    struct json services = json_get(app, "services");
    const char *message = json_get_str(app, "message");
    const char *applied = json_get_str(&revision, "applied");

    printf("%s%s%s is %s%s%s", color_on(cli, COLOR_BOLD), json_get_str(app, "name"), color_off(cli),
           color_on(cli, color_of(app)), json_get_str(app, "reason"), color_off(cli));
    printf("%s%s\n", *message ? ": " : "", message);
    printf("  revision %.12s, applied %.12s, from %s\n", json_get_str(&revision, "observed"),
           *applied ? applied : "none", json_get_str(app, "source"));
    for (size_t i = 0; i < json_len(&files); i++) {
        struct json f = json_at(&files, i);
        cleanup_free char *text = NULL;

        if (!json_str(&f, &text, ERR_IGNORE) && text)
            printf("  file %s\n", text);
    }
    if (json_len(&services))
        print_services(cli, &services);
    print_open_plan(app);
    print_notices(cli, app);
}

static bool all_ready(const struct json *apps)
{
    for (size_t i = 0; i < json_len(apps); i++) {
        struct json app = json_at(apps, i);

        if (!json_get_bool(&app, "ready"))
            return false;
    }
    return true;
}

/* The named apps, or all of them, as one list. */
static int get_apps(struct cli *cli, const struct strv *names, struct json_doc *out, struct err *e)
{
    cleanup_buf struct buf list = BUF_INIT(64 * 1024 * 1024);

    if (!names->n) {
        cleanup_target struct target t = {0};

        target_init(&t, "/ballast/apps");
        return client_json(cli, "GET", &t, NULL, out, e);
    }
    buf_add(&list, "[", 1);
    for (size_t i = 0; i < names->n; i++) {
        cleanup_target struct target t = {0};
        cleanup_json struct json_doc one = {0};

        target_init(&t, "/ballast/apps/");
        target_path(&t, names->v[i]);
        if (client_json(cli, "GET", &t, NULL, &one, e))
            return -1;
        struct json root = json_root(&one);

        buf_add(&list, ",", i ? 1 : 0);
        json_text(&root, &list);
    }
    buf_add(&list, "]", 1);
    return json_parse(list.data, list.len, out, e);
}

/* An agent that has just been started may not have found its files yet: none is not ready. */
static int wait_for_all(struct cli *cli, const struct strv *names, int64_t timeout_s,
                        struct json_doc *doc, struct err *e)
{
    int64_t deadline = time_mono_ms() + timeout_s * 1000;

    for (;;) {
        struct json apps = json_root(doc);
        int64_t left_ms = deadline - time_mono_ms();

        if ((json_len(&apps) && all_ready(&apps)) || left_ms <= 0)
            return 0;
        for (size_t i = 0; i < json_len(&apps); i++) {
            struct json app = json_at(&apps, i);

            if (!json_get_bool(&app, "ready"))
                (void)!wait_ready(cli, json_get_str(&app, "name"), left_ms / 1000 + 1, ERR_IGNORE);
        }
        time_sleep_ms(json_len(&apps) ? 20 : 100);
        json_release(doc);
        if (get_apps(cli, names, doc, e))
            return -1;
    }
}

static int run_status(struct cli *cli, void *options, const struct strv *args, struct err *e)
{
    const struct status_options *o = options;
    cleanup_json struct json_doc doc = {0};
    int64_t timeout_s;
    bool json;

    if (read_timeout(o->timeout, &timeout_s, e) || format_is_json(o->format, &json, e) ||
        get_apps(cli, args, &doc, e) || (o->wait && wait_for_all(cli, args, timeout_s, &doc, e)))
        return -1;
    struct json apps = json_root(&doc);

    if (json) {
        print_json(&apps);
    } else if (args->n || o->details) {
        for (size_t i = 0; i < json_len(&apps); i++) {
            struct json app = json_at(&apps, i);

            print_app(cli, &app);
        }
    } else {
        print_apps(cli, &apps);
    }
    return (o->wait && !json_len(&apps)) || ((o->wait || o->exit_code) && !all_ready(&apps)) ? 1
                                                                                             : 0;
}

/* -------------------------------------------------- suspend, resume, remove */

static int each_app(struct cli *cli, const char *method, const char *suffix,
                    const struct strv *names, struct err *e)
{
    for (size_t i = 0; i < names->n; i++) {
        cleanup_target struct target t = {0};

        target_init(&t, "/ballast/apps/");
        target_path(&t, names->v[i]);
        target_text(&t, suffix);
        if (client_json(cli, method, &t, NULL, NULL, e))
            return -1;
        printf("%s\n", names->v[i]);
    }
    return 0;
}

static int run_suspend(struct cli *cli, void *options, const struct strv *args, struct err *e)
{
    (void)options;
    return each_app(cli, "POST", "/suspend", args, e);
}

static int run_resume(struct cli *cli, void *options, const struct strv *args, struct err *e)
{
    (void)options;
    return each_app(cli, "POST", "/resume", args, e);
}

static int run_remove(struct cli *cli, void *options, const struct strv *args, struct err *e)
{
    (void)options;
    return each_app(cli, "DELETE", "", args, e);
}

/* ------------------------------------------------------------------- tables */

#define FILES(member) offsetof(struct compose_args, member)
#define FILE_FLAGS                                                                              \
    {"file", 'f', FLAG_LIST, FILES(files), "FILE", "Compose file; later ones lie over it"},     \
        {"project-name", 'p', FLAG_STR, FILES(name), "NAME", "name of the app"},                \
        {"project-directory", 0, FLAG_STR, FILES(dir), "DIR", "where relative paths begin"},    \
        {"profile", 0, FLAG_LIST, FILES(profiles), "NAME", "profile whose services take part"}, \
    {                                                                                           \
        "format", 0, FLAG_STR, FILES(format), "FORMAT", "json or table"                         \
    }

static const struct flag plan_flags[] = {FILE_FLAGS};
static const struct flag apply_flags[] = {
    FILE_FLAGS,
    {"wait",    0, FLAG_BOOL, FILES(wait),    NULL,   "until the app is ready"          },
    {"timeout", 0, FLAG_STR,  FILES(timeout), "TIME", "how long to wait; 60s by default"},
};

const struct command cmd_plan = {
    .name = "plan",
    .usage = "[-f FILE]",
    .summary = "Show what apply would do",
    .flags = plan_flags,
    .n_flags = ARRAY_LEN(plan_flags),
    .options_size = sizeof(struct compose_args),
    .run = run_plan,
};

const struct command cmd_diff = {
    .name = "diff",
    .usage = "[-f FILE] | CONTAINER",
    .summary = "Show what differs between the file and the machine; exit code 1 when something "
               "does.  With a container: what it has changed in its files",
    .flags = plan_flags,
    .n_flags = ARRAY_LEN(plan_flags),
    .options_size = sizeof(struct compose_args),
    .max_args = 1,
    .run = run_diff,
    .failure = 2,
};

const struct command cmd_apply = {
    .name = "apply",
    .usage = "[-f FILE] [--wait]",
    .summary = "Make the machine as a Compose file says, and keep it so",
    .flags = apply_flags,
    .n_flags = ARRAY_LEN(apply_flags),
    .options_size = sizeof(struct compose_args),
    .run = run_apply,
};

#define STATUS(member) offsetof(struct status_options, member)
static const struct flag status_flags[] = {
    {"format",    0,   FLAG_STR,  STATUS(format),    "FORMAT", "json or table"                        },
    {"details",   'd', FLAG_BOOL, STATUS(details),   NULL,     "services, open operations and notices"},
    {"wait",      0,   FLAG_BOOL, STATUS(wait),      NULL,     "until all are ready"                  },
    {"timeout",   0,   FLAG_STR,  STATUS(timeout),   "TIME",   "how long to wait; 60s by default"     },
    {"exit-code", 0,   FLAG_BOOL, STATUS(exit_code), NULL,     "exit code 1 unless all are ready"     },
};

const struct command cmd_status = {
    .name = "status",
    .usage = "[APP...]",
    .summary = "Show the apps; with a name, all about it",
    .flags = status_flags,
    .n_flags = ARRAY_LEN(status_flags),
    .options_size = sizeof(struct status_options),
    .max_args = SIZE_MAX,
    .run = run_status,
};

const struct command cmd_suspend = {
    .name = "suspend",
    .usage = "APP...",
    .summary = "Change nothing of an app until it is resumed",
    .min_args = 1,
    .max_args = SIZE_MAX,
    .run = run_suspend,
};

const struct command cmd_resume = {
    .name = "resume",
    .usage = "APP...",
    .summary = "Keep a suspended app again",
    .min_args = 1,
    .max_args = SIZE_MAX,
    .run = run_resume,
};

const struct command cmd_remove = {
    .name = "remove",
    .usage = "APP...",
    .summary = "Remove an app: its containers and networks, not its volumes",
    .min_args = 1,
    .max_args = SIZE_MAX,
    .run = run_remove,
};
