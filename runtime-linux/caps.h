/*
 * caps: capability sets as 64-bit masks, their names, and putting them in force.
 */
#pragma once

#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"

struct oci_caps;

#define CAPS_COUNT 41 /* names known here; the kernel may have fewer or more */
#define CAP_BIT(n) (1ULL << (n))

const char *cap_name(unsigned n); /* "CAP_CHOWN"; NULL */
/* With or without "CAP_", any case; -1: unknown. */
int cap_by_name(const char *name);
int caps_parse(const struct strv *names, uint64_t *out, struct err *e) MUST_USE;
/* Those that this process could still give away: its bounding set. */
uint64_t caps_bounding(void);
uint64_t caps_effective_possible(void); /* this process's permitted set */
/* Docker's 14. */
uint64_t caps_docker_default(void);
/*
 * HostConfig.CapAdd and CapDrop over the default, in moby's order: privileged is everything; "ALL"
 * in add starts from everything, in drop from nothing; then the single names.
 */
int caps_compose(const struct strv *add, const struct strv *drop, bool privileged, uint64_t *out,
                 struct err *e) MUST_USE;

/* In the child, in this order around the change of user. */
int caps_bound(const struct oci_caps *c, struct err *e) MUST_USE;
int caps_apply(const struct oci_caps *c, struct err *e) MUST_USE;
