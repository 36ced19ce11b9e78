/*
 * engine_fixture: an engine over the machine in memory, with a database in a directory of its own,
 * opened before every test and closed after it.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/unit.h"

#include "base/fs.h"
#include "base/mem.h"
#include "base/time.h"
#include "tests/unit/reconciler/fake_world.h"

static char root[64], db[96];
static struct state *st;
static struct engine *g;

static inline void open_engine(void)
{
    struct engine_config cfg = {
        .data_root = root,
        .exec_root = root,
        .net = {.instance = "t", .default_bridge = "t0", .exec_root = root},
        .cgroup_parent = "/t",
        .workers = 2
    };

    assert_ok(state_open(db, &st, &e));
    assert_ok(engine_open(&cfg, st, NULL, world_runtime(), &g, &e));
    assert_ok(engine_start(g, &e));
}

static inline void close_engine(void)
{
    engine_close(g);
    state_close(st);
}

static inline int setup(void **state)
{
    (void)state;
    snprintf(root, sizeof(root), "/tmp/ballast-engine-XXXXXX");
    if (!mkdtemp(root))
        return -1;
    snprintf(db, sizeof(db), "%s/state.db", root);
    world_reset();
    open_engine();
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    world.hold_starts = world.hold_stops = world.hold_pulls = false;
    close_engine();
    return fs_remove_all(root, ERR_IGNORE);
}

static inline char *create(const char *name, const char *cmd, enum restart_policy restart,
                           bool auto_remove)
{
    cleanup_spec struct container_spec *s = container_spec_new();
    struct container_create rq = {.name = name, .spec = s, .by = "test"};
    struct strv warnings = {0};
    char *id = NULL;

    str_set(&s->image, "base");
    strv_add(&s->cmd, cmd);
    s->cmd_set = true;
    s->restart = restart;
    s->auto_remove = auto_remove;
    assert_ok(containers_create(g, &rq, &id, &warnings, &e));
    strv_release(&warnings);
    return id;
}

static inline enum container_status status_of(const char *id)
{
    cleanup_container struct container *c = NULL;

    assert_ok(containers_find(g, id, &c, &e));
    return c->state.status;
}

static inline void wait_status(const char *id, enum container_status want)
{
    for (int i = 0; i < 2500 && status_of(id) != want; i++)
        time_sleep_ms(2);
    assert_int_equal(status_of(id), want);
}
