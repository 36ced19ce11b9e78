/* address_internal: what listener and stream_connect share about addresses. */
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include "base/err.h"

/*
 * Fills the address of a unix socket.  A path that is too long for it is reached through its
 * directory's descriptor, which goes to *dir_fd and must stay open during the call that uses it.
 */
int address_unix(const char *path, struct sockaddr_un *sa, int *dir_fd, struct err *e) MUST_USE;

struct addrinfo;
/* "127.0.0.1:2375", "[::1]:0", ":2375", "host:2375"; freed with freeaddrinfo(). */
int address_tcp(const char *host_port, int flags, struct addrinfo **out, struct err *e) MUST_USE;

void socket_tune_tcp(int fd);
