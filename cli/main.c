/* main: finds the command, the agent and the colours; prints the error; decides the exit code. */
#include <signal.h>
#include <stdio.h>

#include "base/cancel.h"
#include "base/fs.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/term.h"

/* clang-format off */
const struct command *const commands[] = {
    &cmd_apply, &cmd_plan, &cmd_diff, &cmd_status, &cmd_suspend, &cmd_resume, &cmd_remove,
    &cmd_ps, &cmd_run, &cmd_exec, &cmd_logs, &cmd_start, &cmd_stop, &cmd_rm, &cmd_explain, &cmd_stats,
    &cmd_cp, &cmd_export, &cmd_commit,
    &cmd_images, &cmd_pull, &cmd_load, &cmd_volume,
    &cmd_events, &cmd_version, &cmd_doctor,
    NULL,
};
/* clang-format on */

static void usage(FILE *out)
{
    fprintf(out, "Usage:  ballast [-H HOST] COMMAND [OPTIONS]\n\n"
                 "Keeps a machine the way its Compose files say; speaks to the agent, ballastd.\n\n"
                 "Commands:\n");
    for (size_t i = 0; commands[i]; i++)
        fprintf(out, "  %-10s  %s\n", commands[i]->name, commands[i]->summary);
    fprintf(out,
            "\nOptions:\n"
            "  -H, --host HOST   the agent's address, unix://PATH or tcp://HOST:PORT; also in\n"
            "                    BALLAST_HOST or DOCKER_HOST\n"
            "\n`ballast COMMAND --help` tells more about a command.\n");
}

static const struct command *find(const char *name)
{
    for (size_t i = 0; commands[i]; i++)
        if (str_eq(commands[i]->name, name))
            return commands[i];
    return NULL;
}

static char *default_host(void)
{
    static const char own[] = "/run/ballast/ballast.sock";
    const char *host = getenv("BALLAST_HOST");

    if (str_empty(host))
        host = getenv("DOCKER_HOST");
    if (!str_empty(host))
        return xstrdup(host);
    if (!fs_exists(own) && fs_exists("/var/run/docker.sock"))
        return xstrdup("unix:///var/run/docker.sock");
    return str_printf("unix://%s", own);
}

static bool may_color(void)
{
    const char *term = getenv("TERM");

    return term_is_tty(1) && str_empty(getenv("NO_COLOR")) && !str_eq(term, "dumb");
}

/* Flags before the command; the number of words used, -1 for a mistake. */
static int global_flags(struct cli *cli, int argc, char **argv, struct err *e)
{
    int at = 1;

    while (at < argc && argv[at][0] == '-') {
        const char *word = argv[at];

        if ((str_eq(word, "-H") || str_eq(word, "--host")) && at + 1 < argc) {
            str_set(&cli->host, argv[at + 1]);
            at += 2;
        } else if (str_starts(word, "--host=")) {
            str_set(&cli->host, word + strlen("--host="));
            at++;
        } else if (str_starts(word, "-H") && word[2]) {
            str_set(&cli->host, word + 2);
            at++;
        } else if (str_eq(word, "-h") || str_eq(word, "--help")) {
            usage(stdout);
            exit(0);
        } else if (str_eq(word, "-v") || str_eq(word, "--version")) {
            argv[at] = "version";
            return at;
        } else {
            return err_set(e, ERR_INVALID, "unknown flag: %s", word);
        }
    }
    return at;
}

static int fail(const struct err *e, int code)
{
    fflush(stdout);
    term_restore();
    fprintf(stderr, "ballast: %s\n", e->msg);
    return code;
}

static int run(struct cli *cli, const struct command *c, int argc, char **argv)
{
    cleanup_free void *options = xcalloc(1, c->options_size + 1);
    cleanup_strv struct strv args = {0};
    struct err e = ERR_INIT;
    bool help = false;
    int code;

    if (flags_parse(c, argc, argv, options, &args, &help, &e)) {
        flags_release(c, options);
        return fail(&e, EXIT_ENGINE);
    }
    if (help)
        command_help(c);
    code = help ? 0 : c->run(cli, options, &args, &e);
    flags_release(c, options);
    return code < 0 ? fail(&e, c->failure ? c->failure : EXIT_FAILED) : code;
}

int main(int argc, char **argv)
{
    struct cli cli = {.host = default_host(), .color = may_color(), .cancel = cancel_new()};
    struct err e = ERR_INIT;
    int at = global_flags(&cli, argc, argv, &e);
    int code;

    if (at < 0) {
        code = fail(&e, EXIT_ENGINE);
    } else if (at == argc) {
        usage(stderr);
        code = EXIT_FAILED;
    } else if (str_eq(argv[at], "help")) {
        const struct command *about = at + 1 < argc ? find(argv[at + 1]) : NULL;

        about ? command_help(about) : usage(stdout);
        code = 0;
    } else if (find(argv[at])) {
        code = run(&cli, find(argv[at]), argc - at - 1, argv + at + 1);
    } else {
        err_set(&e, ERR_INVALID, "\"%s\" is no command; `ballast --help` lists them", argv[at]);
        code = fail(&e, EXIT_FAILED);
    }
    if (fflush(stdout) || ferror(stdout))
        code = code ? code : EXIT_FAILED;
    cancel_free(cli.cancel);
    free(cli.host);
    return code;
}
