/*
 * oci_command: an OCI runtime command (runc, crun) in place of the built-in runtime.
 *
 *     oci_command.c         what a shim asks of a runtime, as command lines
 *     oci_command_run.c     one command: its process, its log, its words
 *     oci_command_bundle.c  what the command reads, made from the agent's config.json
 *     oci_command_keeper.c  who ends the container when the shim was killed
 *
 *     <exec dir>/runtime/       the command's own state (--root), for this container alone
 *     <exec dir>/runtime.log    of the last command
 *     <exec dir>/bundle/        config.json, process.json, rootfs/, mounts/, pids, the console's
 * socket
 *
 * (1) `create` runs in a mount namespace of its own, where the container's root and the sources of
 *     its mounts are attached.  The namespace ends with the command, so nothing shows on the host
 *     and nothing is to be cleaned up, however it ends.
 * (2) The command's children become the shim's (PR_SET_CHILD_SUBREAPER), which reaps them as it
 *     reaps its own.
 * (3) A command dies with the shim.  The container's processes have another parent at first, so
 *     the kernel cannot be told to do the same with them; a keeper does it, a child of the shim
 * that waits for nothing else.  It holds the shim's lock: to the agent the shim ends when the
 * keeper is done.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/str.h"
#include "runtime-linux/launch.h"
#include "runtime-linux/shim_internal.h"

#define OCI_COMMAND_ROOT   "runtime"
#define OCI_COMMAND_BUNDLE "bundle"

struct oci_command {
    char *name, *path, *id;
    struct strv args;
    char *init;              /* the program that is the container's init, when it wants one */
    char *exec_dir, *bundle; /* <exec dir>/bundle */
    pid_t keeper;            /* -1: none */
};

/* ------------------------------------------------------------------ oci_command_run.c */
struct oci_run {
    const char *verb;           /* "create"; in the error's text, too */
    struct strv words;          /* after the verb, the container's name among them */
    const struct launch_io *io; /* NULL: /dev/null */
    struct buf *out;            /* its stdout; NULL: see io */
    /* In the command's process, before it is one; NULL: nothing to do. */
    int (*prepare)(void *arg, struct err *e);
    void *arg;
};
/* Until it has ended.  A failure is told in the words of the command's log, as Docker has it. */
int oci_command_run(const struct oci_command *c, struct oci_run *r, struct err *e) MUST_USE;
/* The message of the last line of a log that is an error; false: there is none. */
bool oci_command_log_error(const char *log, size_t len, struct buf *out);

/* ------------------------------------------------------------------ oci_command_bundle.c */
struct oci_bundle {
    const struct oci_command *command;
    const struct oci_config *cfg;
    /* An exec alone: */
    const struct launch_exec_spec *exec;
    int64_t pid; /* the container's first process */
};
/* prepare() of `create`: enters a mount namespace of its own. */
int oci_bundle_make(void *bundle, struct err *e);
/* prepare() of `exec`: process.json. */
int oci_bundle_make_process(void *bundle, struct err *e);

/* ------------------------------------------------------------------ oci_command_keeper.c */
/* cgroup: NULL when the container has none. */
int oci_keeper_start(struct oci_command *c, const char *cgroup, int lock_fd,
                     struct err *e) MUST_USE;
void oci_keeper_stop(struct oci_command *c);

/* ------------------------------------------------------------------ oci_command.c */
/* `runtime` is an object of the START request; s->runtime and s->command are set. */
int oci_command_use(struct shim *s, const struct json *runtime, struct err *e) MUST_USE;
/* Back to the built-in one. */
void oci_command_drop(struct shim *s);
/* A child that is none of the container's has ended. */
void oci_command_reaped(struct shim *s, int64_t pid);
