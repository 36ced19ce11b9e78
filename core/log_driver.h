/*
 * log_driver: where the output of a container goes, and how `docker logs` gets it back.
 *
 * The writer side runs in the shim, one line at a time; the reader side runs in the agent.  The two
 * never share memory, only what the driver put on disk, so a reader must cope with a half-written
 * last record and with files that are rotated away under it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct cancel;
struct log_writer; /* the driver's own */

#define LOG_LINE_MAX (16 * 1024) /* longer lines are split; partial says so */

struct log_line {
    int64_t unix_ns;
    bool from_stderr;
    bool partial;      /* the line goes on in the next record */
    const char *bytes; /* without the newline */
    size_t len;
    const char *attrs; /* read only: a JSON object's text, not terminated; NULL: none */
    size_t attrs_len;
};

struct log_read_opts {
    int64_t since_ns, until_ns; /* TIME_ZERO: none */
    int64_t tail;               /* -1: all */
    bool follow;
    bool out, err; /* which streams */
    /* follow ends when this says that nobody will write any more (and the file was read to its end)
     */
    bool (*ended)(void *arg);
    void *ended_arg;
    /* Called with each's arg before the reader waits for more; may be NULL. */
    int (*pause)(void *arg, struct err *e);
};

/* line points into the reader's memory: until the call returns. */
typedef int log_each_fn(void *arg, const struct log_line *line, struct err *e);

struct log_driver_ops {
    const char *name; /* the value of `docker run --log-driver` */
    bool readable;    /* false: `docker logs` answers 501 */
    bool remote;      /* ballast-log delivers; what is written and read here is the local copy */

    /* Options, in Docker's words: "unknown log opt 'x' for json-file log driver". */
    int (*check)(const struct kvs *opts, struct err *e);

    /* path: "<data_root>/containers/<id>/<id>-json.log".  The writer buffers; flush() is called
     * when the container's output pauses, so a burst costs one write(2). */
    int (*open)(const char *path, const struct kvs *opts, struct log_writer **out, struct err *e);
    int (*write)(struct log_writer *w, const struct log_line *line, struct err *e);
    int (*flush)(struct log_writer *w, struct err *e);
    void (*close)(struct log_writer *w);
    /* Lines that could not be written and that were not told of before; NULL: none are ever lost.
     * The log itself says how many there were once it can be written again. */
    uint64_t (*lost)(struct log_writer *w);

    int (*read)(const char *path, const struct log_read_opts *opts, struct cancel *c,
                log_each_fn *each, void *arg, struct err *e);
};

const struct log_driver_ops *log_driver_find(const char *name);
/* Whether `docker logs` works for a container with this driver (may be NULL) and these options. */
bool log_driver_readable(const struct log_driver_ops *d, const struct kvs *opts);
