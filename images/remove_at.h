/* remove_at: removes what `name` is in dir_fd, a whole tree if need be; the absent is success.  No
 * depth of nesting costs stack or descriptors, and no link is followed. */
#pragma once

#include "base/err.h"

int remove_at(int dir_fd, const char *name, struct err *e) MUST_USE;
