/* commands: all of them, for tests; main.c, which has the real list, is no part of the library. */
#pragma once

#include "cli/cli.h"

static const struct command *const all_commands[] = {
    &cmd_apply,   &cmd_plan,   &cmd_diff,    &cmd_status, &cmd_suspend, &cmd_resume,
    &cmd_remove,  &cmd_ps,     &cmd_run,     &cmd_exec,   &cmd_logs,    &cmd_start,
    &cmd_stop,    &cmd_rm,     &cmd_images,  &cmd_pull,   &cmd_load,    &cmd_events,
    &cmd_version, &cmd_doctor, &cmd_explain, &cmd_volume, &cmd_stats,
};
