/* compose_files: which Compose files a command means, as the agent wants to be told. */
#pragma once

#include "base/buf.h"
#include "cli/cli.h"

struct compose_args {
    struct strv files, profiles; /* a directory stands for the files in it */
    char *name, *dir, *format, *timeout;
    bool wait;
};

/* {"name","project_dir","files","env"} with absolute paths.  env holds those variables
 * of this process that the files mention, and COMPOSE_PROFILES; no others. */
int compose_body(const struct compose_args *a, struct buf *out, struct err *e) MUST_USE;
