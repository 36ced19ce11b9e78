/*
 * pieces: which pieces of long lines belong together.
 *
 * A line longer than LOG_LINE_MAX comes in pieces; drivers that can say so send an ID that they
 * have in common, their number from 1, and which is the last.
 */
#pragma once

#include "core/log_driver.h"
#include "logdrivers/remote/remote.h"

struct pieces { /* of one stream; zero at first */
    bool open;
    unsigned ordinal;
    char id[65];
};

/* out points into line and p until the next call. */
void pieces_of(struct pieces *p, const struct log_line *line, struct remote_line *out);
