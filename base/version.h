/* version: the one place that knows the name and the number. */
#pragma once

#define BALLAST_VERSION "0.1.0"
const char *ballast_git_commit(void); /* 7 hex digits, or "unknown" */
