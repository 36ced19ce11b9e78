/*
 * compose: Compose files -> struct app.
 *
 * The phases and their order are declarative.md 5.2: YAML with positions and duplicate keys
 * refused, interpolation per file, merge of several files, schema (unknown keys are errors with
 * file:line:column), short forms to long ones, names, checks, hash.  Nothing outside project_dir's
 * tree and the files named is read; no variable of the agent's own environment is ever seen.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"
#include "core/app.h"

struct compose_opts {
    const char *name; /* project name; NULL: `name:` of the file, else the directory's base name */
    const char *default_name; /* instead of the directory's base name; NULL: that */
    const char *project_dir;  /* absolute */
    const struct strv
        *files;            /* absolute; later ones override; empty: compose.yaml, compose.yml,
                              docker-compose.yaml, docker-compose.yml, the first there is, plus its override */
    const struct kvs *env; /* for interpolation, before .env of project_dir */
    const struct strv *profiles;
    const char *source; /* "directory:local" */
};

/* The error of a bad file reads "<file>:<line>:<column>: services.web.prots: unknown key; did you
 * mean ports?" */
int compose_load(const struct compose_opts *o, struct app **out, struct err *e) MUST_USE;
/* One text without files around it, for tests and fuzzing; env_file is then an error. */
int compose_load_text(const char *text, size_t len, const char *file_name, const char *project,
                      const struct kvs *env, struct app **out, struct err *e) MUST_USE;
/* The Compose file of a directory, or NULL (then it is no project). */
char *compose_find_file(const char *dir);
