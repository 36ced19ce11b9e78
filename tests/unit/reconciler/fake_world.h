/*
 * fake_world: a machine in memory, behind every seam that the reconciler calls.
 *
 * It stands in for the runtime, the network and volume drivers, and the image store, so that the
 * engine's own promises can be tested without root: orders, outcomes, crashes, and failures at
 * every call.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/runtime.h"
#include "reconciler/engine.h"

#define WORLD_MAX 64

struct world_container {
    char id[65];
    bool exists, sandbox;
    int endpoints;
    struct container_observed o;
    int64_t memory; /* the limit that the kernel was told last */
};

struct world {
    struct world_container c[WORLD_MAX];
    _Atomic int fail_at;    /* the n-th call that changes the world fails; 0: none */
    _Atomic int calls;      /* so far */
    _Atomic bool exit_fast; /* a started process ends at once */
    _Atomic bool fail_freeze;
    _Atomic bool hold_starts, hold_stops,
        hold_pulls;            /* they block until this is false, or the engine closes */
    _Atomic int starts, pulls; /* asked for */
    _Atomic int exit_code;
    _Atomic int fail_starts;                     /* so many starts fail */
    _Atomic int execs;                           /* asked for */
    _Atomic int64_t memory_used;                 /* a lower limit is refused */
    void (*at_commit)(const char *container_id); /* called while it is made */
    const char *files; /* the directory that every container's root is; NULL: none */
};

extern struct world world;
void world_reset(void);
struct runtime *world_runtime(void);
/* The process of the container ends, and the engine is told. */
void world_exit(const char *id, int code);
/* The engine looks at it again. */
void world_poke(const char *id);
struct world_container *world_find(const char *id);
/* What is left that should not be: sandboxes and endpoints without a process. */
int world_leftovers(void);
