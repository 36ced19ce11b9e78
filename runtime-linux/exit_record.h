/*
 * exit_record: how a container ended, in <data dir>/exit.json.
 *
 * The shim writes it, once, durably, before it tells anybody; from then on nobody needs the shim.
 * The agent removes it before the next life begins.  Of a container that goes with its end nobody
 * asks after the power was gone: its record does not wait for the disk.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct exit_record {
    int exit_code; /* 128+n for signal n */
    bool oom_killed;
    bool lost; /* its shim was killed, and who has found that wrote this */
    int64_t ooms;
    int64_t started_ns, finished_ns;
};

int exit_record_write(const char *data_dir, const struct exit_record *r, bool durable,
                      struct err *e) MUST_USE;
/* ERR_NOT_FOUND when there is none, ERR_INVALID when it is damaged. */
int exit_record_read(const char *data_dir, struct exit_record *out, struct err *e) MUST_USE;
/* When it was written, whatever it says; the same every time. */
int64_t exit_record_time(const char *data_dir);
int exit_record_remove(const char *data_dir, struct err *e) MUST_USE;
