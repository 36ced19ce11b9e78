/*
 * netns: work inside another network namespace, on a helper thread that ends afterwards.
 *
 * net_sandbox_ensure() and net_sandbox_remove() of core/net_driver.h live here too.
 */
#pragma once

#include <stdbool.h>

#include "base/compiler.h"
#include "base/err.h"

/* Runs fn(arg) in the namespace pinned at path; its result is ours.  /proc/sys/net is that
 * namespace's while fn runs. */
int netns_call(const char *path, int (*fn)(void *arg, struct err *e), void *arg,
               struct err *e) MUST_USE;

/* Is a network namespace mounted there? */
bool netns_is_pinned(const char *path);
