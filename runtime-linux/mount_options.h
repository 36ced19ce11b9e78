/*
 * mount_options: the words of a mount's "options" sorted into what the kernel calls want.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"

struct mount_options {
    uint64_t set, clear;         /* MOUNT_ATTR_* of this mount */
    uint64_t rec_set, rec_clear; /* ... and of those below ("rro") */
    uint64_t propagation;        /* MS_PRIVATE, ...; 0: not named */
    bool propagation_recursive;
    bool bind, recursive; /* "bind", "rbind" */
    bool copy_up;         /* "tmpcopyup" */
    struct strv data;     /* for the file system: "size=64m", "sync" */
};

void mount_options_parse(const struct strv *words, struct mount_options *out);
void mount_options_release(struct mount_options *o);
#define cleanup_mount_options CLEANUP(mount_options_release)
