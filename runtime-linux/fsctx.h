/*
 * fsctx: making a file system with the new mount API, with the kernel's own words on failure.
 *
 * fsctx_open(), then strings and flags, then fsctx_mount(), which gives a detached mount: nobody
 * sees it before it is moved somewhere, and closing the descriptor is its end.
 */
#pragma once

#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"

int fsctx_open(const char *type, struct err *e) MUST_USE;
int fsctx_string(int fs, const char *key, const char *value, struct err *e) MUST_USE;
int fsctx_flag(int fs, const char *key, struct err *e) MUST_USE;
/* "key=value" or "key" */
int fsctx_option(int fs, const char *option, struct err *e) MUST_USE;
int fsctx_mount(int fs, uint64_t attrs, struct err *e) MUST_USE;
/* Appends what the kernel logged to the context to an error about it. */
int fsctx_err(int fs, int os_code, const char *what, struct err *e);

/* Moves a detached mount onto target (O_PATH). */
int mount_attach(int mount, int target, const char *name, struct err *e) MUST_USE;
/* Sets and clears attributes; flags may be AT_RECURSIVE. */
int mount_attrs(int mount, uint64_t set, uint64_t clear, uint64_t propagation, unsigned flags,
                const char *name, struct err *e) MUST_USE;
