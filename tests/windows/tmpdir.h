/* tmpdir: a directory of its own for a test on Windows, gone afterwards. */
#pragma once

#include <stdlib.h>

#include "base/fs.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/str.h"

struct tmpdir {
    char *path;
};

static inline struct tmpdir tmpdir_new(void)
{
    char id[ID_LEN + 1];
    struct tmpdir t;

    id_new(id);
    t.path = str_printf("%s/ballast-test-%.12s", getenv("TEMP"), id);
    if (fs_mkdir_p(t.path, 0700, ERR_IGNORE))
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
    return str_printf("%s/%s", t->path, name);
}

#define cleanup_tmpdir CLEANUP(tmpdir_release)
