/* memory: what the process gives back. */
#pragma once

/* Once, when the agent is ready: pages of programs and libraries that only their start has used. */
void memory_after_start(void);
/* Now and then: what a burst of containers took. */
void memory_trim(void);
