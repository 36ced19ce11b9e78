/*
 * map: a hash map from strings to pointers, in the order of insertion.
 *
 * Keys are copied; values are the caller's (free_value, when given, is called on replace, delete
 * and release).  Iterate with
 *     for (size_t i = 0; map_at(&m, &i, &key, &value); i++)
 * and do not change the map meanwhile.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

struct map_entry;
struct map {
    struct map_entry *entries; /* insertion order; deleted ones have key NULL until the next grow */
    size_t n_entries, n_live, cap;
    unsigned *slots;
    size_t n_slots;
    void (*free_value)(void *);
};

#define MAP_INIT(free_fn) ((struct map){.free_value = (free_fn)})

void map_release(struct map *m);
void *map_get(const struct map *m, const char *key); /* NULL: not there */
void map_put(struct map *m, const char *key, void *value);
void *map_take(struct map *m, const char *key); /* removes without freeing the value */
void map_del(struct map *m, const char *key);
size_t map_count(const struct map *m);
/* Moves *i to the first live entry at or after it; false at the end. */
bool map_at(const struct map *m, size_t *i, const char **key, void **value);
