/*
 * shim_lock: is there a shim for this directory?
 *
 * An open-file-description lock on <exec dir>/lock: it goes when its holder dies, in whatever way,
 * and can be asked about without being taken, so that a question never gets in a shim's way.
 */
#pragma once

#include <stdbool.h>

/* 0 and the descriptor to hold; EAGAIN: another has it; else an errno. */
int shim_lock_take(int exec_dir_fd, int *out);
bool shim_lock_held(int exec_dir_fd); /* by anybody */
