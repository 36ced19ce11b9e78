/*
 * oci_write: what the agent wants run (struct run_spec) as an OCI config.json, with Docker's
 * defaults: namespaces, mounts, devices, capabilities, masked paths, limits, seccomp.
 *
 * Works in the agent: it looks at the host (devices, cgroup version) and changes nothing.
 */
#pragma once

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"

struct run_spec;

int oci_write(const struct run_spec *s, struct buf *out, struct err *e) MUST_USE;
