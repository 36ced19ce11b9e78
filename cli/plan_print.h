/* plan_print: a plan for people. */
#pragma once

#include "base/json.h"
#include "cli/cli.h"

/* One line per resource; with `details`, what changes in it on lines of their own. */
void plan_print(const struct cli *cli, const struct json *reply, bool details);
void notices_print(const struct cli *cli, const struct json *reply);
size_t plan_count(const struct json *reply); /* resources that something is done to */
