/* tmpdir: a directory of its own for a test, gone afterwards. */
#pragma once

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"

struct tmpdir {
    char *path;
};

static inline struct tmpdir tmpdir_new(void)
{
    const char *base = getenv("TMPDIR");
    struct tmpdir t = {str_printf("%s/ballast-test-XXXXXX", str_empty(base) ? "/var/tmp" : base)};

    if (!mkdtemp(t.path))
        abort();
    return t;
}

static inline void tmpdir_release(struct tmpdir *t)
{
    if (fs_remove_all(t->path, ERR_IGNORE))
        abort();
    free(t->path);
}

/* "<dir>/<name>", to be freed. */
static inline char *tmpdir_at(const struct tmpdir *t, const char *name)
{
    return path_join(t->path, name);
}

#define cleanup_tmpdir CLEANUP(tmpdir_release)
