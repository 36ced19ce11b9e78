/* systemd: readiness and inherited sockets, by hand (sd_notify(3), sd_listen_fds(3)). */
#pragma once

#include <stddef.h>

/* Sends "READY=1" and the like to $NOTIFY_SOCKET; does nothing without one. */
void systemd_notify(const char *state);
/* Number of sockets passed from descriptor 3 on; they are made close-on-exec. */
size_t systemd_listen_fds(void);
