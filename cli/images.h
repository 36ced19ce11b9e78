/* images: what `run` needs of the commands about images. */
#pragma once

#include "cli/cli.h"

int image_pull(struct cli *cli, const char *ref, const char *platform, bool quiet, bool json,
               struct err *e) MUST_USE;
