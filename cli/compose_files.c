/*
 * compose_files: see compose_files.h.
 *
 * The agent sees no environment but the one it is given.  What is given are the variables that are
 * named in the files, so that a shell's other secrets stay in the shell.
 */
#include "cli/compose_files.h"

#include <ctype.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/term.h"

#define FILE_MAX (4 * 1024 * 1024)

static char *absolute(const char *path)
{
    cleanup_free char *dir = term_working_dir();

    return path_is_abs(path) ? path_clean(path) : path_join(dir, path);
}

/* The file of a directory, and the one that lies over it. */
static int find_files(const char *dir, struct strv *files, struct err *e)
{
    static const char *const names[][4] = {
        {"compose.yaml",          "compose.yml",          "docker-compose.yaml",          "docker-compose.yml"},
        {"compose.override.yaml", "compose.override.yml", "docker-compose.override.yaml",
         "docker-compose.override.yml"                                                                        },
    };

    for (size_t k = 0; k < ARRAY_LEN(names); k++) {
        bool found = false;

        for (size_t i = 0; i < ARRAY_LEN(names[k]) && !found; i++) {
            cleanup_free char *path = path_join(dir, names[k][i]);

            found = fs_exists(path) && !fs_is_dir(path);
            if (found)
                strv_add(files, path);
        }
        if (!found && k == 0)
            return err_set(e, ERR_NOT_FOUND,
                           "%s: no compose.yaml in this directory; name a file with -f", dir);
    }
    return 0;
}

/* $NAME and ${NAME: more than the agent will ask for, never less. */
static void mentioned(const char *text, struct kvs *env)
{
    for (const char *p = strchr(text, '$'); p; p = strchr(p + 1, '$')) {
        const char *start = p + 1 + (p[1] == '{');
        size_t n = 0;

        while (start[n] == '_' || isalnum((unsigned char)start[n]))
            n++;
        cleanup_free char *name = str_ndup(start, n);
        const char *value = n ? getenv(name) : NULL;

        if (value)
            kvs_set(env, name, value);
    }
}

/* "environment: [NAME]" and "NAME:" take their value from outside as well: any word that is a
 * variable of ours and stands alone in its line. */
static void bare_names(const char *text, struct kvs *env)
{
    while (*text) {
        size_t len = strcspn(text, "\n");
        size_t skip = strspn(text, " \t-\"'"), n = 0;

        while (skip + n < len && (text[skip + n] == '_' || isalnum((unsigned char)text[skip + n])))
            n++;
        cleanup_free char *name = str_ndup(text + skip, n);
        size_t rest = strspn(text + skip + n, " \t\"':\r");
        const char *value = n && skip + n + rest >= len ? getenv(name) : NULL;

        if (value)
            kvs_set(env, name, value);
        text += len + (text[len] == '\n');
    }
}

static int read_env(const struct strv *files, struct kvs *env, struct err *e)
{
    static const char *const always[] = {"COMPOSE_PROFILES", "COMPOSE_PROJECT_NAME"};

    for (size_t i = 0; i < files->n; i++) {
        cleanup_buf struct buf text = BUF_INIT(FILE_MAX);

        if (fs_read(files->v[i], &text, e) || buf_check(&text, files->v[i], e))
            return -1;
        mentioned(text.data, env);
        bare_names(text.data, env);
    }
    for (size_t i = 0; i < ARRAY_LEN(always); i++)
        if (!str_empty(getenv(always[i])))
            kvs_set(env, always[i], getenv(always[i]));
    return 0;
}

int compose_body(const struct compose_args *a, struct buf *out, struct err *e)
{
    cleanup_strv struct strv files = {0};
    cleanup_kvs struct kvs env = {0};
    cleanup_free char *dir = NULL;
    struct jsonw w = JSONW_INIT(out);

    for (size_t i = 0; i < a->files.n; i++) {
        cleanup_free char *path = absolute(a->files.v[i]);

        if (!fs_is_dir(path))
            strv_add(&files, path);
        else if (find_files(path, &files, e))
            return -1;
    }
    if (a->dir)
        dir = absolute(a->dir);
    else
        dir = files.n ? path_dir(files.v[0]) : term_working_dir();
    if (!files.n && find_files(dir, &files, e))
        return -1;
    if (read_env(&files, &env, e))
        return -1;
    if (a->profiles.n) {
        cleanup_free char *list = str_join((const char *const *)a->profiles.v, a->profiles.n, ",");

        kvs_set(&env, "COMPOSE_PROFILES", list);
    }
    jsonw_obj(&w);
    if (a->name)
        jsonw_kstr(&w, "name", a->name);
    jsonw_kstr(&w, "project_dir", dir);
    jsonw_key(&w, "files");
    jsonw_strv(&w, &files);
    jsonw_key(&w, "env");
    jsonw_kvs(&w, &env);
    jsonw_end_obj(&w);
    return buf_check(out, "the request", e);
}
