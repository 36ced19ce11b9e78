/* progress: Docker's stream of progress messages, as bars on a terminal and as lines elsewhere. */
#pragma once

#include "cli/cli.h"
#include "cli/http_client.h"

/* Reads to the end; a message with an error ends it as that error. */
int progress_show(struct reply *r, bool on_stderr, bool quiet, bool json, struct err *e) MUST_USE;
