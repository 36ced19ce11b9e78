/* volume: the noun.  Immutable snapshots, as core/container.h has them. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

struct volume {
    _Atomic int refs;
    char *name, *driver; /* driver "" in a request: whoever has it, else "local" */
    struct kvs options, labels;
    bool labels_set, options_set; /* inspect prints null for what was not given */
    char *mountpoint;
    int64_t created_ns;
    bool anonymous;
    char *app, *key; /* owner; "" */
    char *spec_hash;
    char *scope;  /* "local", "global"; NULL: local */
    char *status; /* a plugin's own words, a JSON object; never stored; NULL: none */
};

struct volume *volume_new(void);
struct volume *volume_copy(const struct volume *v);
struct volume *volume_ref(const struct volume *v);
void volume_unref(const struct volume *v);
static inline void volume_unref_p(struct volume **v)
{
    if (*v)
        volume_unref(*v);
}
#define cleanup_volume CLEANUP(volume_unref_p)
int volume_decode(const struct json *body, struct volume *out, struct err *e) MUST_USE;
void volume_store(const struct volume *v, struct jsonw *w);
int volume_load(const struct json *j, struct volume *out, struct err *e) MUST_USE;
bool volume_name_valid(const char *name); /* of a local volume */
int volume_name_check(const char *name, struct err *e) MUST_USE;
