/* shim_socket: the address of a shim's socket, whatever the length of its directory's path. */
#pragma once

#include <stdio.h>
#include <sys/un.h>

#define SHIM_SOCKET "shim.sock"

/* sun_path has room for 107 bytes; a descriptor of the directory makes any path short. */
static inline void shim_socket_address(int dir_fd, struct sockaddr_un *out)
{
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(out->sun_path, sizeof(out->sun_path), "/proc/self/fd/%d/" SHIM_SOCKET, dir_fd);
}
