/*
 * compose_internal: what the files of this folder share.
 *
 * Reading goes through tables: a mapping of the file is read by read_map() with an array of
 * key_def rows, one per key that the Compose Specification has there.  A key without a row is an
 * error; a row says how the value is read, or what the user is told when it is not applied.  A
 * `struct field` is a value with the way to it, so that every error has a position and a path
 * ("services.web.ports[1].target") without anybody passing texts around.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "compose/compose.h"
#include "compose/yaml.h"
#include "core/app.h"

#define COMPOSE_MAX_FILES 32
#define COMPOSE_MAX_TEXT  (16 * 1024 * 1024) /* of all values of a file after interpolation */
#define COMPOSE_MAX_PORTS 4096               /* of one service, after ranges are expanded */

/* One run of compose_load(). */
struct load {
    const struct compose_opts *opts;
    char *project_dir; /* clean, absolute; NULL when only a text is read */
    struct kvs vars;   /* what interpolation sees */
    struct strv profiles;
    struct yaml_doc docs[COMPOSE_MAX_FILES];
    size_t n_docs;
    struct yaml_node *root; /* docs[0].root with the others merged in */
    struct app *app;
    struct service_extra *extras; /* one per app service, same order */
    size_t n_extras;
};

struct field {
    struct load *ld;
    const struct field *up; /* NULL: the root */
    const char *key;        /* NULL: item `index` of a list */
    size_t index;
    unsigned key_line, key_column;
    struct yaml_node *node;
};

/* What a service says that only normalisation needs. */
struct service_extra {
    struct yaml_node *node; /* the service's mapping */
    struct strv profiles;
    struct strv links;                    /* "service" or "service:alias" */
    char *network_mode, *ipc, *pid, *uts; /* as written, NULL */
    unsigned mode_line, mode_column;      /* of network_mode */
    bool replicas_set, build, has_restart, inactive;
    int64_t replicas;
    struct service_network *networks;
    size_t n_networks;
    bool networks_set;
    struct yaml_node **mount_at; /* one per mount of the spec */
    struct yaml_node **port_at;  /* one per port of the spec */
};

struct service_network {
    char *key;
    int64_t priority;
    struct endpoint_config ep;
    struct yaml_node *at;
};

/* What the readers of one service fill. */
struct service_in {
    struct app_service *svc;
    struct container_spec *spec;
    struct service_extra *x;
    struct kvs env_files, env, label_files, labels;
    char *restart, *deploy_restart;                             /* as written */
    int64_t deploy_attempts, deploy_delay_ns, deploy_window_ns; /* of deploy; 0: not set */
    int64_t limit_memory, limit_pids;
    double cpus, limit_cpus;
};

/* ----------------------------------------------------------------- read.c */

enum key_type {
    KEY_FN,
    KEY_STR,
    KEY_BOOL,
    KEY_INT,
    KEY_SIZE, /* bytes: number, or text with a unit */
    KEY_DURATION_NS,
    KEY_LIST,        /* of scalars -> struct strv, appended */
    KEY_LIST_OR_ONE, /* the same, one scalar is a list of one */
    KEY_PAIRS,       /* mapping or list of "k=v" -> struct kvs */
    KEY_NOTICE,      /* understood, not applied */
    KEY_NONE,        /* understood, has no effect by its nature */
};

struct key_def {
    const char *key;
    enum key_type type;
    size_t offset; /* into read_map()'s base */
    int (*read)(const struct field *f, void *obj, struct err *e);
    enum notice_level level;
    const char *text;
};
#define KEY_NOTE(key, level, text)            \
    {                                         \
        key, KEY_NOTICE, 0, NULL, level, text \
    }

/* Reads every key of a mapping: rows of type KEY_FN get obj, the others write into base. */
int read_map(const struct field *f, const struct key_def *defs, size_t n, void *obj, void *base,
             struct err *e) MUST_USE;
struct field field_of(const struct field *up, const struct yaml_pair *p);
struct field field_item(const struct field *up, size_t i);
/* At the value; at the key. */
int field_error(const struct field *f, struct err *e, const char *fmt, ...) PRINTF_LIKE(3, 4);
int field_key_error(const struct field *f, struct err *e, const char *fmt, ...) PRINTF_LIKE(3, 4);
char *field_path(const struct field *f);
void field_notice(const struct field *f, enum notice_level level, const char *text);
void app_notice_add(struct app *app, enum notice_level level, const char *service, const char *key,
                    const char *text, const struct yaml_node *at);

int read_str(const struct field *f, char **out, struct err *e) MUST_USE;
int read_bool(const struct field *f, bool *out, struct err *e) MUST_USE;
int read_int(const struct field *f, int64_t *out, struct err *e) MUST_USE;
int read_size(const struct field *f, int64_t *out, struct err *e) MUST_USE;
int read_duration(const struct field *f, int64_t *ns, struct err *e) MUST_USE;
int read_list(const struct field *f, bool or_one, struct strv *out, struct err *e) MUST_USE;
int read_pairs(const struct field *f, struct kvs *out, struct err *e) MUST_USE;
/* Calls fn for the one value or for each item of the list. */
int read_each(const struct field *f, int (*fn)(const struct field *f, void *obj, struct err *e),
              void *obj, struct err *e) MUST_USE;
/* The word of `known` that is nearest to `word`, or NULL when none is near. */
const char *nearest_word(const char *word, const char *const *known, size_t n);
bool service_key_known(const char *key);

/* ---------------------------------------------------------- interpolate.c */

/* One text.  The message has no position. */
int interpolate_text(const char *s, const struct kvs *vars, const struct kvs *more, struct buf *out,
                     struct err *e) MUST_USE;
/* Every value of the tree, in place. */
int interpolate_tree(struct yaml_node *root, const struct kvs *vars, struct err *e) MUST_USE;

/* --------------------------------------------------------------- dotenv.c */

/* Appends to out, later lines win.  vars are seen by expansion and by names without "=". */
int dotenv_parse(const char *text, size_t len, const char *file, bool raw, const struct kvs *vars,
                 struct kvs *out, struct err *e) MUST_USE;

/* ---------------------------------------------------------------- merge.c */

/* Lays `over` over `base`; both stay owned by their documents' trees, nodes move between them. */
int merge_documents(struct yaml_node *base, struct yaml_node *over, struct err *e) MUST_USE;
void resolve_resets(struct yaml_node *root);

/* ---------------------------------------------------------------- shell.c */

/* Words as Compose splits a command: quotes and backslashes, no expansion. */
int shell_split(const char *s, struct strv *out, struct err *e) MUST_USE;

/* ---------------------------------------------------------------- files.c */

/* Reads a file that the project names; it may not lie outside the project's directory. */
int project_read(struct load *ld, const char *path, struct buf *out, char **real,
                 struct err *e) MUST_USE;
/* A path as written, made absolute: "./x" and "x" below the project, "~" not at all. */
int project_path(const struct field *f, const char *path, char **out, struct err *e) MUST_USE;

/* ------------------------------------------- readers, one file per subject */

int read_services(const struct field *f, void *obj, struct err *e) MUST_USE;
int read_service_keys(const struct field *f, struct service_in *in, struct err *e) MUST_USE;
int read_cpus_value(const struct field *f, double *out, struct err *e) MUST_USE;
int read_scale(const struct field *f, void *obj, struct err *e) MUST_USE;
int read_ports(const struct field *f, void *obj, struct err *e) MUST_USE;
int read_expose(const struct field *f, void *obj, struct err *e) MUST_USE;
int read_volumes(const struct field *f, void *obj, struct err *e) MUST_USE;
int read_tmpfs(const struct field *f, void *obj, struct err *e) MUST_USE;
int read_service_networks(const struct field *f, void *obj, struct err *e) MUST_USE;
int read_depends_on(const struct field *f, void *obj, struct err *e) MUST_USE;
int read_healthcheck(const struct field *f, void *obj, struct err *e) MUST_USE;
int read_deploy(const struct field *f, void *obj, struct err *e) MUST_USE;
int read_environment(const struct field *f, void *obj, struct err *e) MUST_USE;
int read_env_file(const struct field *f, void *obj, struct err *e) MUST_USE;
int read_label_file(const struct field *f, void *obj, struct err *e) MUST_USE;
int read_service_configs(const struct field *f, void *obj, struct err *e) MUST_USE;
int read_service_secrets(const struct field *f, void *obj, struct err *e) MUST_USE;
int read_top_networks(const struct field *f, void *obj, struct err *e) MUST_USE;
int read_top_volumes(const struct field *f, void *obj, struct err *e) MUST_USE;
int check_top_files(const struct field *f, void *obj, struct err *e) MUST_USE;
struct mount_spec *add_mount(struct service_in *in, struct yaml_node *at);
void add_dependency(struct app_service *svc, const char *service, enum depends_condition c,
                    bool restart, bool required);
void service_network_add(struct service_extra *x, const char *key, struct yaml_node *at);

/* ------------------------------------------------------------ normalize.c */

/* Profiles, implicit network and dependencies, names, cross checks, labels. */
int normalize(struct load *ld, struct err *e) MUST_USE;
void extras_release(struct load *ld);
char *service_container_name(const struct app *app, const struct app_service *svc);
int service_error(const struct load *ld, size_t i, const struct yaml_node *at, struct err *e,
                  const char *fmt, ...) PRINTF_LIKE(5, 6);

/* --------------------------------------------------------------- checks.c */

/* Dependencies that loop, and what two services cannot both have. */
int check_cycles(const struct load *ld, struct err *e) MUST_USE;
int check_conflicts(const struct load *ld, struct err *e) MUST_USE;
int check_specs(const struct load *ld, struct err *e) MUST_USE;
