/* io: a container's streams and ours, joined. */
#pragma once

#include "cli/cli.h"
#include "cli/http_client.h"

struct io_opts {
    bool tty; /* the container has a terminal: one stream, raw */
    bool stdin_;
    const char *resize_path; /* "/containers/<id>" or "/exec/<id>"; NULL: never resized */
    const char *kill_path;   /* "/containers/<id>": where signals go; NULL: they end us */
};

/* Watches signals; once, before any other thread. */
int io_prepare(struct cli *cli, const struct io_opts *o, struct err *e) MUST_USE;
/* Our terminal becomes raw when stdin is one and the container has one. */
int io_raw(const struct io_opts *o, struct err *e) MUST_USE;
void io_resize(void); /* tells the agent the window's size, and again when it changes */
/*
 * From the hijacked connection to our outputs until it ends; ctrl-p ctrl-q ends the process
 * instead. r has to live until the process ends, because a thread reads stdin for it.
 */
int io_join(struct reply *r, const struct io_opts *o, struct err *e) MUST_USE;
/* Multiplexed or raw output without input, for logs. */
int io_copy_body(struct reply *r, bool tty, struct err *e) MUST_USE;
