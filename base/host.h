/* host: a few facts about the machine. */
#pragma once

#include <stddef.h>

#include "base/compiler.h"
#include "base/err.h"

int host_name(char *out, size_t size, struct err *e) MUST_USE;
/* Changes with every boot and with nothing else; at least 40 bytes. */
int host_boot_id(char *out, size_t size, struct err *e) MUST_USE;
/* Those that are on; at least 1. */
long host_processors(void);

/* How what is mounted and unmounted below a mount is passed on.  Both: shared. */
enum host_propagation { HOST_PRIVATE, HOST_SLAVE, HOST_SHARED };
/* The mount that path is on; the caller frees *point. */
int host_mount_of(const char *path, char **point, enum host_propagation *is,
                  struct err *e) MUST_USE;
