/*
 * shim_memory: a shim is one of hundreds, so it gives back what a start or a burst has used.
 *
 * Counts are what the kernel charges (PSS): dirty heap pages above all, and pages of the program
 * that were needed once and are mapped still.
 */
#pragma once

/* Once, before anything is allocated. */
void shim_memory_init(void);
/* Rarely: after a start, after an exec, when output has paused for a while. */
void shim_memory_trim(void);
