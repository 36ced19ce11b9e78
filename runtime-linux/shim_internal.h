/*
 * shim_internal: the one object of a shim, and who does what with it.
 *
 *     shim_main.c    arguments, lock, socket, loop
 *     supervise.c    start, exits, the end
 *     shim_exec.c    processes beside the first
 *     shim_builtin.c, oci_command*.c   the runtime: built in, or a command
 *     control.c      connections and requests
 *     control_ops.c  what each request does
 *     stdio*.c       streams and attached clients
 *     shim_log.c     the log
 *
 *              START                  PAUSE
 *   CREATED ───────────▶ RUNNING ◀────────▶ PAUSED
 *      │                    │ the first process ends       [supervise.c: first_process_ended]
 *      │ QUIT, 30 s idle    ▼
 *      │                 ENDING     killing what is left, writing exit.json
 *      ▼                    │ exit.json is durable, socket and lock are gone
 *   (process ends) ◀──── ENDED      clients read their last bytes
 *
 * (1) The shim holds an exclusive lock on <exec dir>/lock from before it listens until exit.json is
 *     durable.  Who finds the lock free and no exit.json knows that the shim was killed.
 * (2) In ENDED no process of the container exists and its cgroup is gone.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "runtime-linux/exit_record.h"
#include "runtime-linux/launch.h"
#include "runtime-linux/loop.h"
#include "runtime-linux/shim_log.h"
#include "runtime-linux/shim_protocol.h"
#include "runtime-linux/stdio.h"

#define SHIM_IDLE_MS    30000 /* never started, nobody attached */
#define SHIM_QUIET_MS   1000  /* without output: memory goes back */
#define SHIM_KEPT_EXECS 32    /* ended ones that STATE still tells of */

enum shim_phase { SHIM_CREATED, SHIM_RUNNING, SHIM_PAUSED, SHIM_ENDING, SHIM_ENDED };

struct shim_exec {
    struct shim *shim;
    struct shim_exec *next;
    char *id;
    int64_t pid;
    bool running;
    int exit_code;
    struct stdio io;
};

struct conn;
struct oci_command;
struct shim;

/* What a shim asks of a runtime.  Errors are in Docker's words. */
struct shim_runtime {
    /* s->first is the running process then; on failure nothing is left. */
    int (*start)(struct shim *s, const struct oci_config *cfg, const struct launch_io *io,
                 struct err *e);
    int (*exec)(struct shim *s, const struct oci_config *cfg, const struct launch_exec_spec *spec,
                const struct launch_io *io, struct launched *out, struct err *e);
    int (*signal)(struct shim *s, int signal, struct err *e);
    int (*freeze)(struct shim *s, bool frozen, struct err *e);
    /* resources: "linux.resources" of the specification. */
    int (*update)(struct shim *s, const struct json *resources, struct err *e);
    int (*pids)(struct shim *s, int64_t **pids, size_t *n, struct err *e);
    /* The first process is gone and all others are killed: what it keeps of them goes, too. */
    void (*ended)(struct shim *s);
};
extern const struct shim_runtime shim_builtin;

struct shim {
    struct loop loop;
    char *id, *exec_dir, *data_dir;
    bool tty;
    int exec_dir_fd, lock_fd;
    struct source listener, signals, oom;
    int64_t oom_kills; /* see cgroup_oom_take() */
    enum shim_phase phase;
    const struct shim_runtime *runtime;
    struct oci_command *command; /* NULL: the runtime is the built-in one */
    struct launched first;
    struct stdio io;
    struct shim_log *log;
    struct exit_record record;
    bool ephemeral;      /* removed when it ends: see exit_record.h */
    unsigned rows, cols; /* asked for before the start; 0: not */
    struct shim_exec *execs;
    struct conn *conns;
    struct timer idle, quiet, retry;
};

/* ------------------------------------------------------------------ supervise.c */
void supervise_init(struct shim *s, bool tty, bool open_stdin, bool stdin_once);
/* args: the START request's. */
int supervise_start(struct shim *s, const struct json *args, struct err *e) MUST_USE;
int supervise_signal(struct shim *s, int signal, struct err *e) MUST_USE;
int supervise_pause(struct shim *s, bool paused, struct err *e) MUST_USE;
/* The file that says that there was a start, and what is to be killed should the shim be lost. */
#define STARTED_FILE "started.json"
int supervise_record(struct shim *s, const char *cgroup, struct err *e) MUST_USE;
const char *shim_phase_name(enum shim_phase p);
/* ERR_CONFLICT in Docker's words unless a process can be signalled or entered. */
int shim_require_running(const struct shim *s, struct err *e) MUST_USE;
/* Ends the program once nobody has anything to read any more. */
void shim_check_over(struct shim *s);
void shim_idle_restart(struct shim *s);

/* ------------------------------------------------------------------ shim_exec.c */
int shim_exec_start(struct shim *s, const struct json *args, struct shim_exec **out,
                    struct err *e) MUST_USE;
struct shim_exec *shim_exec_find(struct shim *s, const char *id);
/* A child of ours has ended; false when it is none of the execs. */
bool shim_exec_reaped(struct shim *s, int64_t pid, int exit_code);
/* The container is gone: so are its execs. */
void shim_exec_end_all(struct shim *s);
bool shim_exec_has_clients(const struct shim *s);

/* ------------------------------------------------------------------ control.c */
int control_listen(struct shim *s, struct err *e) MUST_USE;
void control_close(struct shim *s); /* no more connections; the socket's name goes */
/* To every watcher; exec_id NULL unless it is about one. */
void control_event(struct shim *s, const char *event, const char *exec_id, int exit_code);
/* To every watcher: a remote log driver has lost lines. */
void control_log_lost(struct shim *s, uint64_t lines, const char *why);
void control_drop_all(struct shim *s);

/* ------------------------------------------------------------------ control_ops.c */
enum conn_next {
    CONN_STAYS,  /* the next request */
    CONN_STREAM, /* the descriptor now belongs to a stdio */
    CONN_WATCH,
    CONN_QUITS, /* and the shim with it */
};
struct conn_stream { /* CONN_STREAM: whose, and which */
    struct stdio *io;
    bool in, out, err;
};
/* Does what is asked; `reply` is an open object that results are added to. */
int control_run(struct shim *s, uint16_t op, const struct json *args, struct jsonw *reply,
                enum conn_next *next, struct conn_stream *stream, struct err *e) MUST_USE;
