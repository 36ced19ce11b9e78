/*
 * directory: a source of desired state: a directory of Compose files.
 *
 *     <dir>/compose.yaml        the directory itself is one app
 *     <dir>/<app>/compose.yaml  every such subdirectory is an app (with its .env and override file)
 *     <dir>/<app>.yaml          without the first form: every other file is an app
 *
 * Changes are seen at once (after a pause of DEBOUNCE_MS in which more may come) and by a rescan
 * every minute.  What cannot be read keeps its last good state and says so in the status; a
 * directory that is unreadable, or has no app at all where there were some, never means "remove
 * everything" unless allow_empty says that it may.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"

struct directory_source;
struct engine;

struct directory_opts {
    const char *name, *path;
    bool allow_empty;
};

int directory_source_start(const struct directory_opts *o, struct engine *g,
                           struct directory_source **out, struct err *e) MUST_USE;
void directory_source_rescan(struct directory_source *s);
void directory_source_stop(struct directory_source *s);
