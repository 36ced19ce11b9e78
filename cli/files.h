/* files: what the commands about a container's files share. */
#pragma once

#include "cli/cli.h"
#include "cli/http_client.h"

/* What the container has changed, for `diff CONTAINER`. */
int files_diff(struct cli *cli, const char *container, const char *format, struct err *e) MUST_USE;
/* The rest of an answer into a file of term.h. */
int files_receive(struct reply *r, int fd, struct err *e) MUST_USE;
