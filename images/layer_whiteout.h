/* layer_whiteout: what a layer says about the layers below it.  See layer_apply.h. */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/map.h"
#include "images/layer_apply.h"
#include "images/path_walk.h"

#define WHITEOUT_PREFIX ".wh."

struct whiteouts {
    enum whiteout_form form;
    struct map fresh; /* flat: paths that this layer brought, and their parents */
};

void whiteouts_init(struct whiteouts *w, enum whiteout_form form);
void whiteouts_release(struct whiteouts *w);
void whiteouts_note(struct whiteouts *w, const char *path);
int whiteouts_apply(struct whiteouts *w, struct path_walk *walk, const char *dir, const char *base,
                    struct err *e) MUST_USE;

bool whiteout_is(const struct stat *st); /* the character device 0:0 */
int whiteout_set_opaque(int dir_fd, const char *name, struct err *e) MUST_USE;
