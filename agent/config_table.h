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
    SET_SOURCES,
    SET_HOST,
    SET_IGNORED, /* dockerd's; not applied: `help` says why */
};

struct setting {
    const char *key;  /* in the file; NULL: flag only */
    const char *flag; /* without dashes; NULL: file only */
    char letter;      /* 0: none */
    enum setting_type type;
    size_t offset;
    const char *help;
};

extern const struct setting config_settings[];
extern const size_t config_n_settings;
