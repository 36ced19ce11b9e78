/*
 * exit_record: how a container ended, in <data dir>/exit.json.
 *
 * The shim writes it, once, durably, before it tells anybody; from then on nobody needs the shim.
 * The agent removes it before the next life begins.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct exit_record {
    int exit_code; /* 128+n for signal n */
    bool oom_killed;
    int64_t started_ns, finished_ns;
};

int exit_record_write(const char *data_dir, const struct exit_record *r, struct err *e) MUST_USE;
/* ERR_NOT_FOUND when there is none. */
int exit_record_read(const char *data_dir, struct exit_record *out, struct err *e) MUST_USE;
int exit_record_remove(const char *data_dir, struct err *e) MUST_USE;
