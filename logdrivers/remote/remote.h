/*
 * remote: a log driver of the program ballast-log, and what the program gives it.
 *
 *     shim ──frames──▶ deliver.c: queue ──lines──▶ one of the drivers ──▶ its peer
 *          ◀─status──
 *
 * A driver knows how to open, write and flush; when to try again, what is lost and who is told is
 * deliver.c's business, so that all drivers behave the same when their peer is away.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct remote_config {
    char *driver;
    char *id, *name, *image_name, *image_id, *command, *created, *host;
    char *tag;        /* rendered, with the driver's default */
    struct kvs opts;  /* the user's, checked */
    struct kvs attrs; /* what labels, env and their patterns have picked */
    struct kvs env;   /* of the agent: AWS_*, SPLUNK_*, proxies */
    bool again;       /* the container runs already: a peer that is away is no reason to fail */
};

int remote_config_read(int fd, struct remote_config *out, struct err *e) MUST_USE;
void remote_config_release(struct remote_config *c);
#define cleanup_remote_config CLEANUP(remote_config_release)

/* One line; a long one comes in pieces, which have an ID in common. */
struct remote_line {
    int64_t unix_ns;
    bool from_stderr;
    const char *bytes;
    size_t len;
    bool piece, last;
    unsigned ordinal;     /* of the piece, from 1 */
    const char *piece_id; /* 64 hex digits */
};

struct remote; /* the driver's own */

/* One outage of the peer: the first pause between two tries, which doubles up to the longest, and
 * how long they may hold a container up whose mode is blocking. */
struct remote_patience {
    int64_t first_ms, longest_ms, total_ms;
};
#define REMOTE_PATIENCE ((struct remote_patience){100, 5000, 10000})

struct remote_limits {
    bool blocking; /* full: the container waits; otherwise new lines are lost */
    size_t max_bytes, max_lines;
};

/*
 * write and flush return -1 when the line, or the gathered batch, is not delivered and still there:
 * it will be tried again, or, should the kind be ERR_INVALID, given up at once as something that
 * the peer will never take.  The write() of a driver that gathers only gathers.
 */
struct remote_ops {
    const char *name;
    int (*open)(const struct remote_config *cfg, struct remote **out, struct err *e);
    int (*write)(struct remote *r, const struct remote_line *line, struct err *e);
    void (*close)(struct remote *r);
    struct remote_patience (*patience)(const struct remote *r);
    /* What is queued before it: NULL means what the option mode says. */
    void (*limits)(const struct remote *r, struct remote_limits *l);

    /* Drivers that gather; NULL otherwise. */
    int (*flush)(struct remote *r, struct err *e);
    int64_t (*due_ms)(const struct remote *r); /* time_mono_ms() when to flush; past: now */
    size_t (*gathered)(const struct remote *r);
    size_t (*drop)(struct remote *r); /* the batch is given up: how many lines */
};

const struct remote_ops *remote_find(const char *name);
extern const struct remote_ops remote_journald, remote_syslog, remote_gelf, remote_fluentd,
    remote_splunk, remote_awslogs;

/* A boolean as Go's ParseBool reads it; fallback when the option is not there or empty. */
bool remote_bool(const struct remote_config *c, const char *key, bool fallback);
int64_t remote_i64(const struct remote_config *c, const char *key, int64_t fallback);

/*
 * The program: reads lines from `fd` until its other end is closed, then drains.  Returns when all
 * is delivered, or given up.
 */
int deliver_run(int fd, const struct remote_config *cfg, struct err *e) MUST_USE;
