/*
 * process: starting programs from a threaded process, which therefore never forks by hand.
 *
 * posix_spawn on POSIX, CreateProcess with a handle list on Windows.  Only the descriptors that are
 * named reach the child; signals are reset and unblocked there.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"

struct cancel;

struct process_fd {
    int from; /* ours */
    int to;   /* number in the child */
};

struct process_opts {
    const char *const *argv; /* argv[0] is looked up in PATH unless it has a '/' */
    const char *program;     /* to be started in place of argv[0]; NULL: that */
    const char *const *envp; /* NULL: ours */
    const struct process_fd *fds;
    size_t n_fds; /* 0, 1, 2 not named: /dev/null */
    bool new_session;
    const char *cwd;
};

struct process {
    int64_t pid;
    void *handle; /* win32 */
};

int process_spawn(const struct process_opts *opts, struct process *out, struct err *e) MUST_USE;
/* Exit code, or 128+signal. */
int process_wait(struct process *p, struct cancel *c, int *code, struct err *e) MUST_USE;
void process_kill(struct process *p);

/*
 * Runs to the end, feeding `in` (may be NULL), collecting stdout and stderr (may be NULL).  A
 * non-zero exit is not an error here: *code says it.  Killed when cancel fires.
 */
int process_run(const char *const *argv, const char *in, size_t in_len, struct buf *out,
                struct buf *err_out, struct cancel *c, int *code, struct err *e) MUST_USE;
