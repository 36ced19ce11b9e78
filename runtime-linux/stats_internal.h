/* stats_internal: the parsers of the kernel's files, for the unit tests; and all of them at once.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "core/stats.h"

void stats_parse_memory(const char *text, bool v2, struct container_stats *out);
void stats_parse_proc_stat(const char *text, struct container_stats *out);
void stats_parse_blkio(const char *text, struct blkio_list *out);
void stats_parse_io(const char *text, struct container_stats *out);
void stats_parse_net_dev(const char *text, struct container_stats *out);

/* cgroup: below every hierarchy's root.  own_network: the process has interfaces of its own. */
int stats_read(const char *cgroup, int64_t pid, bool own_network, struct container_stats *out,
               struct err *e) MUST_USE;
