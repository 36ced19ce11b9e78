/*
 * oci_write_internal: the sections of config.json, one function each.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "core/runtime.h"

void oci_write_mounts(const struct run_spec *s, struct jsonw *w); /* oci_write_mounts.c */
int oci_write_devices(const struct run_spec *s, struct jsonw *w, struct err *e) MUST_USE;
/* "bounding": [names of the bits of caps] */
void oci_write_cap_set(struct jsonw *w, const char *key, uint64_t caps);
/* Memory, CPU, processes and block devices, as keys of an object that is open in w. */
int oci_write_limits(const struct container_spec *c, struct jsonw *w, struct err *e) MUST_USE;
int oci_write_resources(const struct run_spec *s, struct jsonw *w, struct err *e) MUST_USE;

/* Of the mode texts: "host", "container:...", "private", ... */
static inline bool mode_is(const char *mode, const char *want)
{
    return str_eq(mode, want);
}
/* v1 hosts share the cgroup namespace by default, v2 hosts do not, as dockerd decides. */
bool oci_own_cgroupns(const struct run_spec *s);
