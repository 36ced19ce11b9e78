/*
 * stdio: the standard streams of one process, the container's first one or an exec's, and whoever
 * is attached to them.
 *
 *     process ──stdout, stderr or pty──▶ log, attached clients (as frames)
 *     process ◀──stdin or pty────────── attached clients (raw bytes)
 *
 * (1) The streams exist before the process does.  What a client sends early waits in its socket;
 *     output goes to those who are attached when it appears.
 * (2) A client that reads slowly slows the process down as a pipe would: while one has bytes
 *     pending, the stream it wants is not read.  One that has taken nothing for STDIO_STALL_MS, and
 *     one that has closed its end, is dropped.
 * (3) Memory per client is bounded by one chunk, except at the end, when what is left in the pipes
 *     (64 KiB each) is taken whatever the clients do, so that the exit is not held up.
 * (4) Bytes for a stdin that is closed, or that nobody reads, are taken and thrown away.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "core/runtime.h"
#include "runtime-linux/launch.h"
#include "runtime-linux/loop.h"

#define STDIO_STALL_MS  (5 * 60 * 1000)
#define STDIO_LINGER_MS 10000 /* to take the last bytes, once the process is gone */

struct client;
struct stdio;

/* What becomes of the output beside the clients; all optional. */
struct stdio_sink {
    void (*output)(void *arg, bool from_stderr, const char *bytes, size_t n);
    void (*pause)(void *arg); /* nothing more to read at the moment */
    void (*left)(void *arg);  /* a client went away */
    bool (*full)(void *arg);  /* true: nothing is read until stdio_resume() */
    void *arg;
};

struct stdio_out {
    struct stdio *io;
    struct source src;
    enum frame_kind kind;
};

struct stdio {
    struct loop *loop;
    bool tty;
    bool stdin_open; /* clients can feed it (OpenStdin) */
    bool stdin_once; /* it ends with the first client that feeds it */
    bool started, ended;
    struct stdio_out out, err;
    struct source in;
    bool in_closing; /* close it when `pending` is written */
    char *pending;   /* bytes the process has not taken yet */
    size_t pending_off, pending_len;
    struct timer tty_retry;
    struct client *clients;
    struct stdio_sink sink;
};

void stdio_init(struct stdio *io, struct loop *loop, bool tty, bool stdin_open, bool stdin_once);
/* Makes the pipes: what the child gets.  Not called for a terminal. */
int stdio_prepare(struct stdio *io, bool out, bool err, struct launch_io *child,
                  struct err *e) MUST_USE;
/* The child has its ends: closes ours of them. */
void stdio_close_child(struct launch_io *child);
/* The start failed: as after stdio_init(), with the clients still there. */
void stdio_abandon(struct stdio *io);
/* The process runs; pty_master (owned from now on) is -1 without a terminal. */
void stdio_started(struct stdio *io, int pty_master);
/* Takes the socket.  It gets what appears from now on. */
void stdio_attach(struct stdio *io, int fd, bool in, bool out, bool err);
/* Sets the window size; does nothing without a terminal. */
int stdio_resize(struct stdio *io, unsigned rows, unsigned cols, struct err *e) MUST_USE;
/* The sink is not full any more. */
void stdio_resume(struct stdio *io);
/* The process is gone: takes what it left. */
void stdio_drain(struct stdio *io);
/* And tells the clients (exit_code NULL: no exit frame), who may read the rest. */
void stdio_end(struct stdio *io, const int *exit_code);
bool stdio_has_clients(const struct stdio *io);
void stdio_release(struct stdio *io);
/* Gives the shared buffer's memory back. */
void stdio_trim(void);
