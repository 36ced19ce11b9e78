/*
 * places: what every container has from birth, whatever its image: where the engine mounts its own,
 * and /.dockerenv, by which programs tell that they are in a container.
 *
 * Docker has them in a layer between image and container.  Here they are in the writable part and
 * known by their looks, so that no difference and no commit shows them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "base/err.h"

/* lower: the layers' directories, topmost first; none where the writable part is the whole tree. */
int places_make(int upper_fd, const int *lower, size_t n_lower, struct err *e) MUST_USE;
/* path: relative to the root.  Is this entry of the writable part such a place, as it was made? */
bool place_is(int root_fd, const char *path, const struct stat *st);
/* A directory that may be in the writable part because of places alone. */
bool place_holder(const char *path);
