/*
 * map: entries in the order of insertion, and a power-of-two table of indices into them.
 *
 * A slot holds index + 1, 0 when it was never used.  Deleting frees the key and leaves the entry in
 * place, so probe chains stay whole; the next grow leaves the dead ones out.  The hash is seeded
 * per process: keys come from clients.
 */
#include "base/map.h"

#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include "base/id.h"
#include "base/mem.h"

struct map_entry {
    char *key;
    void *value;
    uint64_t hash;
};

static uint64_t seed;
static pthread_once_t seed_once = PTHREAD_ONCE_INIT;

static void make_seed(void)
{
    random_bytes(&seed, sizeof(seed));
}

/* FNV-1a, finished with a multiply-xorshift so that the low bits depend on every byte. */
static uint64_t hash_of(const char *key)
{
    uint64_t h;

    pthread_once(&seed_once, make_seed);
    h = 0xcbf29ce484222325ULL ^ seed;
    for (; *key; key++)
        h = (h ^ (unsigned char)*key) * 0x100000001b3ULL;
    h ^= h >> 32;
    h *= 0xd6e8feb86659fd93ULL;
    return h ^ (h >> 32);
}

void map_release(struct map *m)
{
    for (size_t i = 0; i < m->n_entries; i++) {
        if (!m->entries[i].key)
            continue;
        if (m->free_value)
            m->free_value(m->entries[i].value);
        free(m->entries[i].key);
    }
    free(m->entries);
    free(m->slots);
    *m = MAP_INIT(m->free_value);
}

static struct map_entry *find(const struct map *m, const char *key, uint64_t hash)
{
    if (m->n_slots == 0)
        return NULL;
    for (size_t s = hash & (m->n_slots - 1); m->slots[s]; s = (s + 1) & (m->n_slots - 1)) {
        struct map_entry *entry = &m->entries[m->slots[s] - 1];

        if (entry->key && entry->hash == hash && strcmp(entry->key, key) == 0)
            return entry;
    }
    return NULL;
}

static void link_entry(struct map *m, size_t index)
{
    size_t s = m->entries[index].hash & (m->n_slots - 1);

    while (m->slots[s])
        s = (s + 1) & (m->n_slots - 1);
    m->slots[s] = (unsigned)(index + 1);
}

/* Makes room for one more entry, leaving out the dead ones. */
static void grow(struct map *m)
{
    size_t cap = 8, n = 0;
    struct map_entry *entries;

    while (cap < m->n_live + m->n_live / 2 + 1)
        cap *= 2;
    entries = xcalloc(cap, sizeof(*entries));
    for (size_t i = 0; i < m->n_entries; i++)
        if (m->entries[i].key)
            entries[n++] = m->entries[i];
    free(m->entries);
    free(m->slots);
    m->entries = entries;
    m->n_entries = n;
    m->cap = cap;
    m->n_slots = 2 * cap; /* at most half full, dead entries included */
    m->slots = xcalloc(m->n_slots, sizeof(*m->slots));
    for (size_t i = 0; i < n; i++)
        link_entry(m, i);
}

void *map_get(const struct map *m, const char *key)
{
    const struct map_entry *entry = find(m, key, hash_of(key));

    return entry ? entry->value : NULL;
}

void map_put(struct map *m, const char *key, void *value)
{
    uint64_t hash = hash_of(key);
    struct map_entry *entry = find(m, key, hash);

    if (entry) {
        if (m->free_value && entry->value != value)
            m->free_value(entry->value);
        entry->value = value;
        return;
    }
    if (m->n_entries == m->cap)
        grow(m);
    m->entries[m->n_entries] = (struct map_entry){xstrdup(key), value, hash};
    link_entry(m, m->n_entries);
    m->n_entries++;
    m->n_live++;
}

void *map_take(struct map *m, const char *key)
{
    struct map_entry *entry = find(m, key, hash_of(key));
    void *value;

    if (!entry)
        return NULL;
    value = entry->value;
    free(entry->key);
    entry->key = NULL;
    entry->value = NULL;
    m->n_live--;
    return value;
}

void map_del(struct map *m, const char *key)
{
    void *value = map_take(m, key);

    if (value && m->free_value)
        m->free_value(value);
}

size_t map_count(const struct map *m)
{
    return m->n_live;
}

bool map_at(const struct map *m, size_t *i, const char **key, void **value)
{
    for (; *i < m->n_entries; (*i)++) {
        if (!m->entries[*i].key)
            continue;
        *key = m->entries[*i].key;
        *value = m->entries[*i].value;
        return true;
    }
    return false;
}
