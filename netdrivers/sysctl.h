/* sysctl: kernel switches under /proc/sys/net, of the namespace of the calling thread. */
#pragma once

#include "base/compiler.h"
#include "base/err.h"

/* `name` is a path below /proc/sys.  Writes only when it differs. */
int sysctl_ensure(const char *name, int value, struct err *e) MUST_USE;
/* Settings of one interface: "net.ipv4.conf.IFNAME.log_martians=1,..."; NULL: none. */
int sysctl_interface(const char *list, const char *ifname, struct err *e) MUST_USE;
/* ERR_NOT_FOUND when this kernel has no such switch. */
int sysctl_read(const char *name, int *value, struct err *e) MUST_USE;
