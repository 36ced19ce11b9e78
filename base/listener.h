/*
 * listener: where connections come from.
 *
 * Addresses as dockerd's -H takes them: "unix:///run/x.sock", "tcp://127.0.0.1:2375" (port 0 asks
 * the kernel), "fd://N" for an inherited socket.  A unix socket is made with mode 0660 and the
 * group given, under a temporary name and then renamed, so that nobody connects to it half made; a
 * stale one is replaced, a live one is an error.  On Windows "npipe:////./pipe/x" takes the place
 * of unix and inherited sockets: a message-type pipe open to SYSTEM, Administrators and the group.
 */
#pragma once

#include <stdint.h>

#include "base/stream.h"

struct listener;
struct cancel;

/* Who is at the other end of a unix socket; of a pipe only the pid is known. */
struct peer {
    int64_t pid, uid, gid; /* -1: unknown */
    char address[64];      /* "unix", "npipe", "127.0.0.1:53412" */
};

int listener_open(const char *address, const char *group, struct listener **out,
                  struct err *e) MUST_USE;
int listener_from_fd(int fd, struct listener **out, struct err *e) MUST_USE;
/* ERR_CANCELLED once cancel fires. */
int listener_accept(struct listener *l, struct cancel *c, struct stream **out, struct peer *peer,
                    struct err *e) MUST_USE;
const char *listener_address(const struct listener *l); /* with the real port */
void listener_free(struct listener *l);                 /* removes the unix socket it made */

/* The client's side, for the CLI, tests and plugin sockets. */
int stream_connect(const char *address, struct cancel *c, struct stream **out,
                   struct err *e) MUST_USE;
