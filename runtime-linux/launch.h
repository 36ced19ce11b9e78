/*
 * launch: from a configuration to a running process.
 *
 * The caller is single-threaded (the shim, ballast-oci): launching clones.  It becomes the parent
 * of what it starts and reaps it with waitpid() or the pidfd.  A call returns when the new process
 * has reached execve(), or with the reason why it has not, in which case nothing is left: no
 * process, no mount, and of launch_container() no cgroup.
 *
 * What the error's kind says about a process that could not be started, and Docker's exit code:
 *     ERR_NOT_FOUND   the command is not there                    127
 *     ERR_DENIED      it is there and cannot be executed          126
 *     anything else   the container could not be set up           128
 * (launch_exit_code()).  The texts are runc's own from `exec: "...": ...` or the step's name on;
 * launch_error_wrap() puts what Docker's clients expect in front of them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"
#include "runtime-linux/cgroup.h"
#include "runtime-linux/oci.h"

/*
 * The child's descriptors 0, 1, 2; -1 is /dev/null.  Not looked at when it gets a terminal.
 * die_with_parent: SIGKILL when the caller ends, in whatever way, so that no container runs on
 * unsupervised; the caller's own death meanwhile is seen by the child at the sync pipe.
 */
struct launch_io {
    int in, out, err;
    bool die_with_parent;
};

struct launched {
    int64_t pid;
    int pidfd;             /* -1 where the kernel has none (before 5.3) */
    int pty_master;        /* -1 without a terminal; CLOEXEC */
    struct cgroup *cgroup; /* launch_container() only; NULL when cgroupsPath is missing */
};
#define LAUNCHED_INIT ((struct launched){.pid = -1, .pidfd = -1, .pty_master = -1})
/* Closes and frees; the process is left alone. */
void launched_release(struct launched *l);

/* With cfg->process.terminal the pty is made inside the container and its master comes back. */
int launch_container(const struct oci_config *cfg, const struct launch_io *io, struct launched *out,
                     struct err *e) MUST_USE;

struct launch_exec_spec {
    const struct strv *args;
    const struct strv *env; /* whole: nothing is inherited from the container's */
    const char *cwd;        /* NULL or "": the container's */
    const char *user;       /* NULL or "": the container's */
    bool terminal;
    bool privileged; /* all capabilities of the container's user namespace, no seccomp */
    int64_t console_height, console_width;
};
/* Enters the namespaces and the cgroup of the container whose first process is container_pid. */
int launch_exec(const struct oci_config *cfg, int64_t container_pid,
                const struct launch_exec_spec *spec, const struct launch_io *io,
                struct launched *out, struct err *e) MUST_USE;

/* A session keyring for the caller and what it launches: keys of whoever has started the caller are
 * out of reach.  Once, at the beginning. */
int launch_leave_session(struct err *e) MUST_USE;
int launch_exit_code(const struct err *e);
/* Docker's clients get the text as it is (unknown users). */
bool launch_error_bare(const struct err *e);
/* Puts the prefix in front, except of those. */
int launch_error_wrap(struct err *e, bool exec);
