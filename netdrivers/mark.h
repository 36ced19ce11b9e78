/*
 * mark: whose an interface is.
 *
 * Interfaces of ours carry an alias (`ip link` shows it) that names the agent's instance and the
 * object: "ballast:<instance>:network:<id>" on a bridge, "ballast:<instance>:<container id>" on the
 * host's end of a pair.  Nothing without the mark of this instance is ever changed or removed.
 */
#pragma once

#include <stdbool.h>

#include "netdrivers/rtnl.h"

void mark_network(const char *instance, const char *network_id, char out[RTNL_ALIAS_MAX]);
void mark_container(const char *instance, const char *container_id, char out[RTNL_ALIAS_MAX]);

enum mark_kind { MARK_NONE, MARK_NETWORK, MARK_CONTAINER };
/* What the alias says, if it is of this instance; *id points into alias. */
enum mark_kind mark_read(const char *instance, const char *alias, const char **id);
