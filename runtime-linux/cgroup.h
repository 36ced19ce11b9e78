/*
 * cgroup: one control group of a container, whatever the host has.
 *
 * Three kinds of host: v2 alone (one tree), v1 (one tree per controller), and hybrid, which is v1
 * with an additional v2 tree that has no controllers of use; the last is treated as v1.  A struct
 * cgroup is a name below the root of every tree: it may be opened again by another process, before
 * or after the directory exists.
 *
 * A controller that the host lacks is an error only when a limit asks for it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "runtime-linux/oci.h"

struct cgroup;

/* `path` is absolute below the roots: "/ballast/<id>". */
int cgroup_open(const char *path, struct cgroup **out, struct err *e) MUST_USE;
void cgroup_free(struct cgroup *cg); /* the directories stay */
const char *cgroup_path(const struct cgroup *cg);
bool cgroup_is_v2(const struct cgroup *cg);

int cgroup_create(struct cgroup *cg, struct err *e) MUST_USE; /* there already: success */
/* Only what is set in *r is written.  For update as for the first time; device rules as a whole. */
int cgroup_apply(struct cgroup *cg, const struct oci_resources *r, struct err *e) MUST_USE;
int cgroup_add(struct cgroup *cg, int64_t pid, struct err *e) MUST_USE;
/* Blocks until all are frozen or thawed. */
int cgroup_freeze(struct cgroup *cg, bool frozen, struct err *e) MUST_USE;
bool cgroup_is_frozen(struct cgroup *cg);
/* SIGKILL to everything in it and below, frozen or not; does not wait. */
int cgroup_kill(struct cgroup *cg, struct err *e) MUST_USE;
/* How many processes the kernel's OOM killer has ended here; 0 when that is unknown. */
int64_t cgroup_oom_kills(struct cgroup *cg);
/*
 * A descriptor to poll for *events, which come when the group runs out of memory: on v1 before the
 * kernel kills, on v2 after.  -1: this host cannot tell.  cgroup_oom_take() says whether that has
 * happened since the last time, and makes the descriptor wait again; *kills is kept for it by the
 * caller, 0 at first.
 */
int cgroup_oom_fd(struct cgroup *cg, uint32_t *events);
bool cgroup_oom_take(struct cgroup *cg, int fd, int64_t *kills);
/* Pids in our pid namespace, of this group and those below; caller frees *pids. */
int cgroup_pids(struct cgroup *cg, int64_t **pids, size_t *n, struct err *e) MUST_USE;
/* Kills what is left, then removes it and what is below; the absent is success. */
int cgroup_remove(struct cgroup *cg, struct err *e) MUST_USE;

/* "memory", "cpu", ...: can the host limit it? */
bool cgroup_has_controller(const char *controller);
bool cgroup_counts_swap(void);
