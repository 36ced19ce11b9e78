/*
 * project_quota: a limit on the bytes below a directory, where the file system has project quotas
 * (xfs and ext4, mounted with prjquota).
 *
 * A project is a number on a directory that everything made in it inherits; the limit belongs to
 * the number.  Numbers are handed out below one parent: the next one is above all that its
 * directories have.  One process at a time hands out numbers below a parent.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"

bool project_quota_there(const char *dir);
/* dir is a fresh (or already limited) directory two levels or one below parent; bytes > 0. */
int project_quota_set(const char *parent, const char *dir, int64_t bytes, struct err *e) MUST_USE;
