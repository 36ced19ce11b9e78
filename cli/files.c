/* files: what a container has changed, export, commit.  cp is in cp.c. */
#include "cli/files.h"

#include <stdio.h>

#include "base/mem.h"
#include "cli/term.h"

#define PIECE (256 * 1024)

/* --------------------------------------------------------------------- diff */

int files_diff(struct cli *cli, const char *container, const char *format, struct err *e)
{
    cleanup_json struct json_doc doc = {0};
    cleanup_target struct target t = {0};
    bool json;

    target_init(&t, "/containers/");
    target_path(&t, container);
    target_text(&t, "/changes");
    if (format_is_json(format, &json, e) || client_json(cli, "GET", &t, NULL, &doc, e))
        return -1;
    struct json root = json_root(&doc);

    for (size_t i = 0; i < json_len(&root); i++) {
        struct json change = json_at(&root, i);
        int64_t kind = json_get_i64(&change, "Kind");

        if (json)
            print_json(&change);
        else
            printf("%c %s\n", kind >= 0 && kind < 3 ? "CAD"[kind] : '?',
                   json_get_str(&change, "Path"));
    }
    return 0;
}

/* ------------------------------------------------------------------- export */

struct export_options {
    char *output;
};

int files_receive(struct reply *r, int fd, struct err *e)
{
    cleanup_free char *piece = xmalloc(PIECE);
    size_t got;

    do
        if (http_body_read(&r->body, piece, PIECE, &got, e) || term_write(fd, piece, got, e))
            return -1;
    while (got > 0);
    return 0;
}

static int run_export(struct cli *cli, void *options, const struct strv *args, struct err *e)
{
    const struct export_options *o = options;
    cleanup_reply struct reply r = {0};
    cleanup_target struct target t = {0};
    int fd = 1, rc;

    if (!o->output && term_is_tty(1))
        return err_set(e, ERR_INVALID,
                       "an archive is not written to a terminal; use -o FILE or redirect it");
    target_init(&t, "/containers/");
    target_path(&t, args->v[0]);
    target_text(&t, "/export");
    if (client_send(cli, "GET", &t, NULL, &r, e) ||
        (o->output && term_create_file(o->output, &fd, e)))
        return -1;
    rc = files_receive(&r, fd, e);
    if (o->output)
        term_close_file(fd);
    return rc;
}

/* ------------------------------------------------------------------- commit */

struct commit_options {
    char *author, *message;
    bool no_pause;
    struct strv changes;
};

/* "repo:tag" has its colon after the last slash. */
static int run_commit(struct cli *cli, void *options, const struct strv *args, struct err *e)
{
    const struct commit_options *o = options;
    const char *name = args->n > 1 ? args->v[1] : "", *slash = strrchr(name, '/');
    const char *colon = strchr(slash ? slash : name, ':');
    cleanup_free char *repo = str_ndup(name, colon ? (size_t)(colon - name) : strlen(name));
    cleanup_json struct json_doc doc = {0};
    cleanup_target struct target t = {0};

    target_init(&t, "/commit");
    target_add(&t, "container", args->v[0]);
    target_add(&t, "repo", repo);
    target_add(&t, "tag", colon ? colon + 1 : NULL);
    target_add(&t, "author", o->author);
    target_add(&t, "comment", o->message);
    target_add(&t, "pause", o->no_pause ? "0" : "1");
    for (size_t i = 0; i < o->changes.n; i++)
        target_add(&t, "changes", o->changes.v[i]);
    if (client_json(cli, "POST", &t, NULL, &doc, e))
        return -1;
    struct json root = json_root(&doc);

    printf("%s\n", json_get_str(&root, "Id"));
    return 0;
}

/* ------------------------------------------------------------------- tables */

static const struct flag export_flags[] = {
    {"output", 'o', FLAG_STR, offsetof(struct export_options, output), "FILE",
     "instead of standard output"},
};

const struct command cmd_export = {
    .name = "export",
    .usage = "CONTAINER",
    .summary = "Write a container's root file system as a tar archive",
    .flags = export_flags,
    .n_flags = ARRAY_LEN(export_flags),
    .options_size = sizeof(struct export_options),
    .min_args = 1,
    .max_args = 1,
    .run = run_export,
};

#define COMMIT(member) offsetof(struct commit_options, member)
static const struct flag commit_flags[] = {
    {"author",   'a', FLAG_STR,  COMMIT(author),   "NAME",        "who made it"                    },
    {"message",  'm', FLAG_STR,  COMMIT(message),  "TEXT",        "kept in its history"            },
    {"change",   'c', FLAG_LIST, COMMIT(changes),  "INSTRUCTION", "as in a Dockerfile: CMD, ENV..."},
    {"no-pause", 0,   FLAG_BOOL, COMMIT(no_pause), NULL,          "the container goes on meanwhile"},
};

const struct command cmd_commit = {
    .name = "commit",
    .usage = "CONTAINER [REPOSITORY[:TAG]]",
    .summary = "Make an image of a container",
    .flags = commit_flags,
    .n_flags = ARRAY_LEN(commit_flags),
    .options_size = sizeof(struct commit_options),
    .min_args = 1,
    .max_args = 2,
    .run = run_commit,
};
