/* copy_tree: everything below one directory into another, empty one: modes, owners, times, xattrs,
 * hard links, holes, links and nodes.  Follows nothing. */
#pragma once

#include "base/err.h"

int copy_tree(int from_fd, int to_fd, struct err *e) MUST_USE;
