/* address_internal: what listener and stream_connect share about addresses. */
#pragma once

#include "base/win32/win_internal.h"

#include <ws2tcpip.h>

/* "npipe:////./pipe/x" to "\\.\pipe\x"; NULL with *e filled.  Heap. */
wchar_t *address_npipe(const char *address, struct err *e);
/* "127.0.0.1:2375", "[::1]:0", ":2375"; freed with freeaddrinfo().  After socket_start(). */
int address_tcp(const char *host_port, int flags, struct addrinfo **out, struct err *e) MUST_USE;
void address_text(const struct sockaddr_storage *sa, char *out, size_t size);
void socket_tune_tcp(SOCKET s);
