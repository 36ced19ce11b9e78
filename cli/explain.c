/* explain: why a container is in its state. */
#include <stdio.h>

#include "base/mem.h"
#include "cli/cli.h"
#include "cli/http_client.h"

struct explain_options {
    bool json;
};

/* "2026-11-24T03:00:00.123Z" without what nobody reads. */
static void print_line(const struct json *line)
{
    const char *time = json_get_str(line, "time"), *last = json_get_str(line, "last");
    int64_t count = json_get_i64(line, "count");

    printf("  %.10s %.8s  %s", time, strlen(time) > 11 ? time + 11 : "",
           json_get_str(line, "text"));
    if (count > 1)
        printf(" (%lld times, the last at %.10s %.8s)", (long long)count, last,
               strlen(last) > 11 ? last + 11 : "");
    printf("\n");
}

static int run_explain(struct cli *cli, void *options, const struct strv *args, struct err *e)
{
    const struct explain_options *o = options;
    cleanup_json struct json_doc doc = {0};
    cleanup_target struct target t = {0};
    struct json root, history;

    target_init(&t, "/ballast/containers/");
    target_path(&t, args->v[0]);
    target_text(&t, "/explain");
    if (client_json(cli, "GET", &t, NULL, &doc, e))
        return -1;
    root = json_root(&doc);
    if (o->json) {
        print_json(&root);
        return 0;
    }
    history = json_get(&root, "history");
    printf("%s%s%s: %s.\n", color_on(cli, COLOR_BOLD), args->v[0], color_off(cli),
           json_get_str(&root, "state"));
    printf("Next: %s.\n", json_get_str(&root, "next"));
    if (json_len(&history))
        printf("\nWhat happened (UTC)%s:\n",
               json_get_bool(&root, "cut") ? ", the latest part of it" : "");
    for (size_t i = 0; i < json_len(&history); i++) {
        struct json line = json_at(&history, i);

        print_line(&line);
    }
    return 0;
}

static const struct flag explain_flags[] = {
    {"json", 0, FLAG_BOOL, offsetof(struct explain_options, json), NULL, "as the agent gives it"},
};

const struct command cmd_explain = {
    .name = "explain",
    .usage = "[--json] CONTAINER",
    .summary = "Tell why a container is in its state",
    .flags = explain_flags,
    .n_flags = 1,
    .options_size = sizeof(struct explain_options),
    .min_args = 1,
    .max_args = 1,
    .run = run_explain,
};
