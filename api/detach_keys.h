/* detach_keys: "ctrl-p,ctrl-q": the keys that leave a container running behind. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

#define DETACH_KEYS_MAX     32
#define DETACH_KEYS_DEFAULT "ctrl-p,ctrl-q"

struct detach_keys {
    unsigned char key[DETACH_KEYS_MAX];
    size_t n;
    size_t matched; /* how many were typed so far */
};

/* "" or NULL: the default.  False: not understood. */
bool detach_keys_parse(const char *text, struct detach_keys *out);
/*
 * Appends to out what may go on to the container.  Typed keys that may be the beginning of the
 * sequence are held back until it is clear.  True: the sequence is complete.
 */
bool detach_keys_filter(struct detach_keys *k, const unsigned char *typed, size_t n,
                        struct buf *out);
