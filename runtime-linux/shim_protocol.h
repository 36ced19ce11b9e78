/*
 * shim_protocol: what the agent and a shim say to each other on <exec dir>/shim.sock.
 *
 * A message is a header of 16 bytes, big endian, and a JSON object:
 *
 *     magic "BSHM" | version u16 | kind u16 | status u32 | length u32 | JSON ...
 *
 * The client sends a request (kind is the operation, status 0) and gets one reply of the same kind.
 * status 0 is success; otherwise it is an enum err_kind and the JSON carries the error word for
 * word.  Requests follow each other on one connection, except that after a successful
 *
 *     ATTACH, EXEC (not detached)   the connection is the stream that core/runtime.h describes
 *     WATCH                         the shim sends EVENT messages and reads nothing more
 *
 * The version is that of the shim, which may be older than an agent that was upgraded meanwhile.
 * Keys are only ever added, so an unknown key is ignored and a missing one is its zero.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define SHIM_VERSION     1
#define SHIM_HEADER      16
#define SHIM_PAYLOAD_MAX (2 * 1024 * 1024) /* an exec's arguments and environment */

enum shim_op {
    SHIM_STATE = 1, /* -> phase, pid, exit_code, oom_killed, started_ns, finished_ns */
    SHIM_START,     /* log_driver, log_path, log_opts, runtime -> pid */
    SHIM_ATTACH,    /* in, out, err -> stream */
    SHIM_EXEC,      /* see exec_request.h -> pid, then stream */
    SHIM_RESIZE,    /* rows, cols */
    SHIM_EXEC_RESIZE,
    SHIM_SIGNAL,      /* signal */
    SHIM_PAUSE,       /* paused */
    SHIM_PIDS,        /* -> pids */
    SHIM_WATCH,       /* -> events */
    SHIM_QUIT,        /* a container that was not started: the shim ends */
    SHIM_EXEC_SIGNAL, /* id, signal */
    SHIM_UPDATE,      /* resources; of a container whose runtime is a command */
    SHIM_OP_COUNT,
    SHIM_EVENT = 100, /* event: "changed", "exit", "exec_exit" (exec_id, exit_code),
                        "log_lost" (lines, reason) */
};

struct shim_header {
    uint16_t version, kind;
    uint32_t status, length;
};

void shim_header_encode(const struct shim_header *h, uint8_t out[SHIM_HEADER]);
/* ERR_INVALID for foreign bytes, another version and a length above SHIM_PAYLOAD_MAX. */
int shim_header_decode(const uint8_t in[SHIM_HEADER], struct shim_header *out,
                       struct err *e) MUST_USE;

/* A whole message: header and payload. */
void shim_message(uint16_t kind, uint32_t status, const char *json, size_t len, struct buf *out);
/* The message that carries *failure to the other side. */
void shim_failure(uint16_t kind, const struct err *failure, struct buf *out);
/* The other way round: fills *e from a reply with status != 0 and returns -1. */
int shim_failure_decode(const struct shim_header *h, const char *json, size_t len, struct err *e);
