/* exec: a command in a container that runs already. */
#include <stdio.h>

#include "base/mem.h"
#include "cli/http_client.h"
#include "cli/io.h"
#include "cli/run_options.h"
#include "cli/term.h"

struct exec_options {
    bool detach, interactive, tty, privileged;
    char *user, *workdir, *detach_keys;
    struct strv env, env_file;
};

static int exec_body(const struct exec_options *o, const struct strv *args, struct buf *out,
                     struct err *e)
{
    cleanup_strv struct strv env = {0};
    struct jsonw w = JSONW_INIT(out);
    unsigned rows, columns;

    if (env_collect(&o->env, &o->env_file, &env, e))
        return -1;
    jsonw_obj(&w);
    jsonw_kbool(&w, "AttachStdin", o->interactive && !o->detach);
    jsonw_kbool(&w, "AttachStdout", !o->detach);
    jsonw_kbool(&w, "AttachStderr", !o->detach);
    jsonw_kbool(&w, "Tty", o->tty);
    jsonw_kbool(&w, "Privileged", o->privileged);
    jsonw_kstr(&w, "User", o->user);
    jsonw_kstr(&w, "WorkingDir", o->workdir);
    if (o->detach_keys)
        jsonw_kstr(&w, "DetachKeys", o->detach_keys);
    if (o->tty && term_size(&rows, &columns)) {
        jsonw_key(&w, "ConsoleSize");
        jsonw_arr(&w);
        jsonw_i64(&w, rows);
        jsonw_i64(&w, columns);
        jsonw_end_arr(&w);
    }
    jsonw_key(&w, "Env");
    jsonw_strv(&w, &env);
    jsonw_key(&w, "Cmd");
    jsonw_arr(&w);
    for (size_t i = 1; i < args->n; i++)
        jsonw_str(&w, args->v[i]);
    jsonw_end_arr(&w);
    jsonw_end_obj(&w);
    return buf_check(out, "the request", e);
}

static int create(struct cli *cli, const struct exec_options *o, const struct strv *args, char **id,
                  struct err *e)
{
    cleanup_buf struct buf body = BUF_INIT(1024 * 1024);
    cleanup_json struct json_doc doc = {0};
    cleanup_target struct target t = {0};

    target_init(&t, "/containers/");
    target_path(&t, args->v[0]);
    target_text(&t, "/exec");
    if (exec_body(o, args, &body, e) || client_json(cli, "POST", &t, &body, &doc, e))
        return -1;
    struct json root = json_root(&doc);

    *id = xstrdup(json_get_str(&root, "Id"));
    return **id ? 0 : err_set(e, ERR_INTERNAL, "the agent's answer has no ID");
}

static int exit_code(struct cli *cli, const char *id, int *code, struct err *e)
{
    cleanup_json struct json_doc doc = {0};
    cleanup_target struct target t = {0};

    target_init(&t, "/exec/%s/json", id);
    if (client_json(cli, "GET", &t, NULL, &doc, e))
        return -1;
    struct json root = json_root(&doc);

    *code = (int)json_get_i64(&root, "ExitCode");
    return 0;
}

static int run_exec(struct cli *cli, void *options, const struct strv *args, struct err *e)
{
    static struct reply joined; /* a thread may use it until the process ends */
    const struct exec_options *o = options;
    cleanup_buf struct buf body = BUF_INIT(256);
    cleanup_free char *id = NULL;
    cleanup_target struct target t = {0};
    int code = 0;

    buf_addf(&body, "{\"Detach\":%s,\"Tty\":%s}", o->detach ? "true" : "false",
             o->tty ? "true" : "false");
    target_init(&t, "/exec/");
    if (create(cli, o, args, &id, e))
        return -1;
    target_text(&t, id);
    target_text(&t, "/start");
    if (o->detach)
        return client_json(cli, "POST", &t, &body, NULL, e);
    cleanup_free char *path = str_printf("/exec/%s", id);
    struct io_opts io = {.tty = o->tty, .stdin_ = o->interactive, .resize_path = path};

    if (io_prepare(cli, &io, e) || client_hijack(cli, &t, &body, &joined, e) || io_raw(&io, e))
        return -1;
    io_resize();
    if (io_join(&joined, &io, e) || exit_code(cli, id, &code, e))
        return -1;
    return code;
}

#define EXEC(member) offsetof(struct exec_options, member)
static const struct flag exec_flags[] = {
    {"detach",      'd', FLAG_BOOL, EXEC(detach),      NULL,           "in the background"      },
    {"detach-keys", 0,   FLAG_STR,  EXEC(detach_keys), "KEYS",         "keys that detach"       },
    {"env",         'e', FLAG_LIST, EXEC(env),         "NAME[=VALUE]", "variable"               },
    {"env-file",    0,   FLAG_LIST, EXEC(env_file),    "FILE",         "variables, one per line"},
    {"interactive", 'i', FLAG_BOOL, EXEC(interactive), NULL,           "pass stdin on"          },
    {"privileged",  0,   FLAG_BOOL, EXEC(privileged),  NULL,           "with all privileges"    },
    {"tty",         't', FLAG_BOOL, EXEC(tty),         NULL,           "give it a terminal"     },
    {"user",        'u', FLAG_STR,  EXEC(user),        "USER[:GROUP]", "user"                   },
    {"workdir",     'w', FLAG_STR,  EXEC(workdir),     "PATH",         "working directory"      },
};

const struct command cmd_exec = {
    .name = "exec",
    .usage = "[OPTIONS] CONTAINER COMMAND [ARG...]",
    .summary = "Run a command in a container that runs",
    .flags = exec_flags,
    .n_flags = ARRAY_LEN(exec_flags),
    .options_size = sizeof(struct exec_options),
    .min_args = 2,
    .max_args = SIZE_MAX,
    .stop_at_first = true,
    .run = run_exec,
    .failure = EXIT_FAILED,
};
