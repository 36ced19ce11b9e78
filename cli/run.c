/*
 * run: create, attach, wait, start, and be the container's terminal until it ends.
 *
 * The order matters: attached and waiting before the start, so that neither the first byte nor the
 * exit of a container that lives for a millisecond is missed.
 */
#include <stdio.h>

#include "base/fs.h"
#include "base/mem.h"
#include "cli/http_client.h"
#include "cli/images.h"
#include "cli/io.h"
#include "cli/run_options.h"

#define BODY_MAX (1024 * 1024)

/* ------------------------------------------------------------------- create */

static int create_once(struct cli *cli, const struct run_options *o, const struct buf *body,
                       char **id, struct err *e)
{
    cleanup_json struct json_doc doc = {0};
    cleanup_target struct target t = {0};

    target_init(&t, "/containers/create");
    target_add(&t, "name", o->name);
    target_add(&t, "platform", o->platform);
    if (client_json(cli, "POST", &t, body, &doc, e))
        return -1;
    struct json root = json_root(&doc), warnings = json_get(&root, "Warnings");

    for (size_t i = 0; i < json_len(&warnings); i++) {
        struct json w = json_at(&warnings, i);
        cleanup_free char *text = NULL;

        if (!json_str(&w, &text, ERR_IGNORE) && text)
            fprintf(stderr, "WARNING: %s\n", text);
    }
    *id = xstrdup(json_get_str(&root, "Id"));
    return **id ? 0 : err_set(e, ERR_INTERNAL, "the agent's answer has no ID");
}

/* An image that is not there is fetched, as the policy allows. */
static int create(struct cli *cli, const struct run_options *o, const struct strv *args, char **id,
                  struct err *e)
{
    cleanup_buf struct buf body = BUF_INIT(BODY_MAX);
    bool always = str_eq(o->pull, "always"), never = str_eq(o->pull, "never");
    const char *image = args->v[0];

    if (o->pull && !always && !never && !str_eq(o->pull, "missing"))
        return err_set(e, ERR_INVALID,
                       "invalid pull option: '%s': must be one of \"always\", "
                       "\"missing\" or \"never\"",
                       o->pull);
    if (run_body(o, args, &body, e))
        return -1;
    if (!always) {
        if (!create_once(cli, o, &body, id, e))
            return 0;
        if (e->kind != ERR_NOT_FOUND || !strstr(e->msg, "No such image") || never)
            return -1;
        fprintf(stderr, "Unable to find image '%s' locally\n", image);
    }
    *e = ERR_INIT;
    struct pull_options pull = {.platform = o->platform, .quiet = o->quiet, .on_stderr = true};

    if (image_pull(cli, image, &pull, false, e))
        return -1;
    return create_once(cli, o, &body, id, e);
}

/* ----------------------------------------------------------------- exit code */

/* Docker's table: what kept a program from starting, by the words. */
static int start_failure(const struct err *e)
{
    static const struct {
        const char *words;
        int code;
    } known[] = {
        {"executable file not found",   127},
        {"no such file or directory",   127},
        {"system cannot find the file", 127},
        {"permission denied",           126},
        {"is a directory",              126},
    };
    cleanup_free char *low = str_lower(e->msg);

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (strstr(low, known[i].words))
            return known[i].code;
    return EXIT_ENGINE;
}

static int wait_result(struct reply *wait, int *code, struct err *e)
{
    cleanup_buf struct buf text = BUF_INIT(64 * 1024);
    cleanup_json struct json_doc doc = {0};

    if (http_body_read_all(&wait->body, &text, e) || json_parse(text.data, text.len, &doc, e))
        return -1;
    struct json root = json_root(&doc), error = json_get(&root, "Error");

    if (json_exists(&error) && *json_get_str(&error, "Message"))
        return err_set(e, ERR_INTERNAL, "%s", json_get_str(&error, "Message"));
    *code = (int)json_get_i64(&root, "StatusCode");
    return 0;
}

/* ------------------------------------------------------------------- phases */

static int begin_wait(struct cli *cli, const char *id, bool rm, struct reply *out, struct err *e)
{
    cleanup_target struct target t = {0};

    target_init(&t, "/containers/%s/wait", id);
    target_add(&t, "condition", rm ? "removed" : "next-exit");
    return client_send(cli, "POST", &t, NULL, out, e);
}

static int begin_attach(struct cli *cli, const char *id, const struct run_options *o,
                        struct reply *out, struct err *e)
{
    cleanup_target struct target t = {0};

    target_init(&t, "/containers/%s/attach", id);
    target_add(&t, "stream", "1");
    target_add(&t, "stdin", o->interactive ? "1" : NULL);
    target_add(&t, "stdout", "1");
    target_add(&t, "stderr", "1");
    target_add(&t, "detachKeys", o->detach_keys);
    return client_hijack(cli, &t, NULL, out, e);
}

static int start(struct cli *cli, const char *id, struct err *e)
{
    cleanup_target struct target t = {0};

    target_init(&t, "/containers/%s/start", id);
    return client_json(cli, "POST", &t, NULL, NULL, e);
}

/* What could not be started is not left behind when --rm was asked for. */
static void drop(struct cli *cli, const char *id)
{
    cleanup_target struct target t = {0};

    target_init(&t, "/containers/%s", id);
    target_add(&t, "force", "1");
    (void)!client_json(cli, "DELETE", &t, NULL, NULL, ERR_IGNORE);
}

static int report(const struct err *e, int code)
{
    fflush(stdout);
    fprintf(stderr, "ballast: %s\n", e->msg);
    return code;
}

static int in_background(struct cli *cli, const struct run_options *o, const char *id)
{
    struct err e = ERR_INIT;

    if (start(cli, id, &e)) {
        if (o->rm)
            drop(cli, id);
        return report(&e, start_failure(&e));
    }
    printf("%s\n", id);
    return 0;
}

static int in_foreground(struct cli *cli, const struct run_options *o, const char *id,
                         struct err *e)
{
    static struct reply attached; /* a thread may use it until the process ends */
    cleanup_reply struct reply wait = {0};
    cleanup_free char *path = str_printf("/containers/%s", id);
    bool proxy = !o->tty && !str_eq(o->sig_proxy, "false");
    struct io_opts io = {.tty = o->tty,
                         .stdin_ = o->interactive,
                         .resize_path = path,
                         .kill_path = proxy ? path : NULL};
    int code = 0;

    if (io_prepare(cli, &io, e) || begin_attach(cli, id, o, &attached, e) ||
        begin_wait(cli, id, o->rm, &wait, e))
        return -1;
    if (start(cli, id, e)) {
        if (o->rm)
            drop(cli, id);
        return report(e, start_failure(e));
    }
    if (io_raw(&io, e))
        return -1;
    io_resize();
    if (io_join(&attached, &io, e) || wait_result(&wait, &code, e))
        return -1;
    return code;
}

static int run_run(struct cli *cli, void *options, const struct strv *args, struct err *e)
{
    const struct run_options *o = options;
    cleanup_free char *id = NULL;

    if (o->detach && o->attach.n)
        return err_set(e, ERR_INVALID,
                       "conflicting options: cannot specify both --attach and "
                       "--detach");
    if (o->rm && o->restart && !str_eq(o->restart, "no"))
        return err_set(e, ERR_INVALID,
                       "conflicting options: cannot specify both --restart and "
                       "--rm");
    if (create(cli, o, args, &id, e))
        return -1;
    if (o->cidfile && fs_write_atomic(o->cidfile, id, strlen(id), 0644, false, e))
        return -1;
    return o->detach ? in_background(cli, o, id) : in_foreground(cli, o, id, e);
}

const struct command cmd_run = {
    .name = "run",
    .usage = "[OPTIONS] IMAGE [COMMAND [ARG...]]",
    .summary = "Run a command in a new container",
    .flags = run_flags,
    .n_flags = N_RUN_FLAGS,
    .options_size = sizeof(struct run_options),
    .min_args = 1,
    .max_args = SIZE_MAX,
    .stop_at_first = true,
    .run = run_run,
    .failure = EXIT_ENGINE,
};
