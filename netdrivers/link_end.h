/*
 * link_end: interfaces on their way out.
 *
 * The kernel answers the deletion of an interface only after everybody has let go of it, ten to
 * thirty milliseconds later, and nothing waits for that but who wants the name or the address
 * again.  So a thread deletes them, one after the other, and lives as long as there are any.  What
 * a process that ends leaves undone is no loss: the pair dies with the container's namespace.
 */
#pragma once

#include <stdint.h>

/* Deletes the interface with this index of the agent's own namespace, soon.  addr: the container's
 * address, by which it is waited for. */
void link_end_later(int index, uint32_t addr);

/* Until nothing with this address is on its way out; 0: until nothing is. */
void link_end_wait(uint32_t addr);
