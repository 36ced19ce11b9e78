/*
 * project_quota: a limit on the bytes below a directory, where the file system has project quotas
 * (xfs and ext4, mounted with prjquota).
 *
 * A project is a number on a directory that everything made in it inherits; the limit belongs to
 * the number.  Numbers are drawn by lot among those that the file system knows no use of, so that
 * whoever else limits directories there keeps theirs.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"

bool project_quota_there(const char *dir);
/* What is made in dir from now on counts; bytes > 0.  Again: the limit is another one. */
int project_quota_set(const char *dir, int64_t bytes, struct err *e) MUST_USE;
