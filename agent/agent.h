/*
 * agent: everything put together, in the order in which it must come up and, backwards, go down.
 *
 *     lock, directories -> state -> images -> runtime -> engine -> listeners -> sources
 *
 * Nothing is served before what runs has been adopted; closing leaves every container running.
 */
#pragma once

#include "agent/config.h"
#include "base/err.h"

struct agent;

int agent_open(const struct config *c, struct agent **out, struct err *e) MUST_USE;
void agent_rescan(struct agent *a);
/* Without serving: removes what data-root knows of, then data-root and exec-root themselves. */
int agent_erase(const struct config *c, struct err *e) MUST_USE;
void agent_close(struct agent *a);
