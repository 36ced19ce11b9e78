/*
 * cli: what the commands share.
 *
 * A command is a row of the table in commands.c: a name, its flags, and a function that gets the
 * parsed words and returns the exit code.  It talks to the agent through http_client.h only.
 * What people read goes to stdout through table.h; what went wrong goes to stderr, once, in main.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

#define EXIT_FAILED 1
#define EXIT_ENGINE 125 /* docker's: the engine, not the program in the container, failed */

struct cancel;

struct cli {
    char *host; /* "unix:///run/ballast/ballast.sock" */
    bool color; /* stdout is a terminal that may have colours */
    struct cancel *cancel;
};

/* ------------------------------------------------------------------- flags */

enum flag_kind {
    FLAG_BOOL,
    FLAG_STR,
    FLAG_LIST, /* struct strv, may occur often */
    FLAG_INT,
};
struct flag {
    const char *name;
    char letter; /* 0: none */
    enum flag_kind kind;
    size_t offset;     /* into the options of the command */
    const char *value; /* what the help calls the value */
    const char *help;
};

struct command {
    const char *name, *usage, *summary;
    const struct flag *flags;
    size_t n_flags;
    size_t options_size;
    size_t min_args, max_args;
    bool stop_at_first; /* flags end at the first word: run, exec */
    int (*run)(struct cli *cli, void *options, const struct strv *args, struct err *e);
    int failure; /* exit code when run() returns -1 */
};

/* Words after the command's name.  *help is set by --help. */
int flags_parse(const struct command *c, int argc, char **argv, void *options, struct strv *args,
                bool *help, struct err *e) MUST_USE;
void flags_release(const struct command *c, void *options);
void command_help(const struct command *c);

extern const struct command *const commands[]; /* NULL ends */

/* Each file of commands exports its rows. */
extern const struct command cmd_apply, cmd_plan, cmd_diff, cmd_status, cmd_remove, cmd_suspend,
    cmd_resume;
extern const struct command cmd_ps, cmd_logs, cmd_stop, cmd_start, cmd_rm, cmd_explain, cmd_stats;
extern const struct command cmd_run, cmd_exec;
extern const struct command cmd_cp, cmd_export, cmd_commit;
extern const struct command cmd_images, cmd_pull, cmd_load, cmd_volume;
extern const struct command cmd_events, cmd_version, cmd_doctor;

/* ------------------------------------------------------------------ output */

enum color { COLOR_NONE, COLOR_RED, COLOR_GREEN, COLOR_YELLOW, COLOR_BOLD, COLOR_DIM };
const char *color_on(const struct cli *cli, enum color c); /* "" without colours */
const char *color_off(const struct cli *cli);

/* --format: "json", "table" or NULL.  Anything else is refused by name. */
int format_is_json(const char *format, bool *json, struct err *e) MUST_USE;
/* The reply as it is, one line. */
void print_json(const struct json *j);
/* {"status":{"running":true}} of "status=running"... as the API takes them. */
int filters_json(const struct strv *filters, struct buf *out, struct err *e) MUST_USE;
/* "10m", RFC 3339 and local times become seconds since 1970; anything else is passed on. */
char *time_argument(const char *text);
/* "3 hours ago" from seconds since 1970, or from RFC 3339. */
char *ago_from_seconds(int64_t unix_s);
