/* local: the driver `local` for others, who have a file of their own: the copies of the remote
 * ones.
 */
#pragma once

#include "core/log_driver.h"

int local_open_at(const char *path, const struct kvs *opts, struct log_writer **out,
                  struct err *e) MUST_USE;
int local_read_at(const char *path, const struct log_read_opts *opts, struct cancel *c,
                  log_each_fn *each, void *arg, struct err *e) MUST_USE;
