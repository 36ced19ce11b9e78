/*
 * seccomp_profile: the filter a container gets, as an OCI "seccomp" object.
 *
 * Docker's profiles depend on the container's capabilities and on the machine ("includes",
 * "excludes", "archMap"); the OCI form does not.  So the condition is settled here, once.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"

struct jsonw;

/* Equal in effect to Docker's default; `caps` is the container's bounding set. */
void seccomp_profile_default(uint64_t caps, struct jsonw *w);
/* moby: neither an action nor calls, so no filter at all. */
bool seccomp_profile_is_empty(const char *json);
/* A profile in Docker's own JSON format, given by the user. */
int seccomp_profile_convert(const char *json, uint64_t caps, struct jsonw *w,
                            struct err *e) MUST_USE;
