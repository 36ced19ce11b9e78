/* host: a few facts about the machine. */
#pragma once

#include <stddef.h>

#include "base/compiler.h"
#include "base/err.h"

int host_name(char *out, size_t size, struct err *e) MUST_USE;
/* Changes with every boot and with nothing else; at least 40 bytes. */
int host_boot_id(char *out, size_t size, struct err *e) MUST_USE;
