/* state_test: a database in a directory of its own, for the tests of state/. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/time.h"
#include "state/state.h"
#include "tests/unit/unit.h"

struct place {
    char *dir, *path;
    struct state *st;
};

static inline int place_make(void **arg)
{
    struct place *p = xcalloc(1, sizeof(*p));
    const char *tmp = getenv("TMPDIR");

    p->dir = str_printf("%s/ballast-state-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(p->dir))
        return -1;
    p->path = path_join(p->dir, "state.db");
    *arg = p;
    return state_open(p->path, &p->st, ERR_IGNORE);
}

static inline int place_end(void **arg)
{
    struct place *p = *arg;

    state_close(p->st);
    if (fs_remove_all(p->dir, ERR_IGNORE))
        return -1;
    free(p->dir);
    free(p->path);
    free(p);
    return 0;
}

static inline void place_reopen(struct place *p)
{
    state_close(p->st);
    p->st = NULL;
    assert_ok(state_open(p->path, &p->st, &e));
}

#define PLACE_TEST(fn) cmocka_unit_test_setup_teardown(fn, place_make, place_end)
