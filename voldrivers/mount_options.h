/* mount_options: the text of mount(8)'s -o, as flags for mount(2) and what is left for the file
 * system. */
#pragma once

#include "base/str.h"

struct mount_options {
    unsigned long flags;
    struct strv data; /* in order; joined with ',' it is mount(2)'s last argument */
};

void mount_options_parse(const char *text, struct mount_options *out);
void mount_options_release(struct mount_options *o);
/* The value of "addr=" in data, or NULL: where a network file system's server is. */
const char *mount_options_addr(const struct mount_options *o);
void mount_options_set_addr(struct mount_options *o, const char *addr);
#define cleanup_mount_options CLEANUP(mount_options_release)
