/* images: what `run` needs of the commands about images. */
#pragma once

#include "cli/cli.h"

struct pull_options {
    char *platform, *format;
    bool quiet;
    bool on_stderr; /* stdout is somebody else's */
};
int image_pull(struct cli *cli, const char *ref, const struct pull_options *o, bool json,
               struct err *e) MUST_USE;
