/* config_table: one row per setting, shared by the flags and the file.  Private to config*.c. */
#pragma once

#include <stddef.h>

#include "agent/config.h"

enum setting_type {
    SET_STR,
    SET_PATH, /* made absolute */
    SET_BOOL,
    SET_INT,
    SET_SIZE,
    SET_LIST,  /* flag: repeatable */
    SET_PAIRS, /* "k=v" as flag, a map in the file */
    SET_POOLS,
    SET_ULIMITS, /* "nofile=64:128" as flag; Docker's {"nofile": {"Soft": 64, "Hard": 128}} */
    SET_SOURCES,
    SET_HOST,
    SET_RUNTIMES, /* "name=path" as flag, see config_runtimes.c for the file */
    SET_IGNORED,  /* dockerd's; not applied: `help` says why */
};

struct setting {
    const char *key;  /* in the file; NULL: flag only */
    const char *flag; /* without dashes; NULL: file only */
    char letter;      /* 0: none */
    enum setting_type type;
    size_t offset;
    const char *help;
};

/* config_security.c: seccomp-profile, userns-remap and the default modes are read and checked. */
int config_security(struct config *c, struct err *e) MUST_USE;
/* "nofile=64[:128]" as a normal "nofile=64:128" */
int config_add_ulimit(struct strv *out, const char *text, struct err *e) MUST_USE;

extern const struct setting config_settings[];
extern const size_t config_n_settings;

struct yaml_node;
/* config_runtimes.c */
int config_flag_runtime(struct runtime_commands *l, const char *text, struct err *e) MUST_USE;
int config_file_runtimes(struct runtime_commands *l, const struct yaml_node *n,
                         struct err *e) MUST_USE;
int config_check_runtimes(const struct config *c, struct err *e) MUST_USE;
