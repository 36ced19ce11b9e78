/*
 * filters: the `filters` parameter of lists, prunes and events.
 *
 * Two spellings, both in use: {"label":{"a=b":true}} and {"label":["a=b"]}.  A value that is mapped
 * to false is there but equals nothing.  A key without values filters nothing.  How the values of a
 * key are combined depends on the key, so there is one function per way.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"

struct filter {
    char *key;
    struct filter_value {
        char *text;
        bool on;
    } * v;
    size_t n;
};

struct filters {
    struct filter *v;
    size_t n;
};

/* "" and NULL: no filters. */
int filters_parse(const char *text, struct filters *out, struct err *e) MUST_USE;
void filters_release(struct filters *f);
#define cleanup_filters CLEANUP(filters_release)
/* "invalid filter 'x'" for a key that is not in the NULL-terminated list. */
int filters_check(const struct filters *f, const char *const *allowed, struct err *e) MUST_USE;

const struct filter *filters_find(const struct filters *f, const char *key); /* NULL: none */
bool filters_has(const struct filters *f, const char *key);                  /* with a value */
bool filters_has_value(const struct filters *f, const char *key, const char *value);

/* Each is true when there is nothing to filter by. */
bool filters_exact(const struct filters *f, const char *key, const char *text);
/* Equal, or a POSIX extended regular expression (without {} and back references) that is found. */
bool filters_match(const struct filters *f, const char *key, const char *text);
bool filters_prefix(const struct filters *f, const char *key, const char *text);
/* "k" and "k=v" values, all of which must hold. */
bool filters_labels(const struct filters *f, const char *key, const struct kvs *labels);
/* "label!": none of which may hold. */
bool filters_no_labels(const struct filters *f, const char *key, const struct kvs *labels);
/* Exactly one of true, 1, false, 0; leaves *out alone when the key is missing. */
int filters_bool(const struct filters *f, const char *key, bool *out, struct err *e) MUST_USE;
/* The only value of `until`: RFC 3339, seconds, or a Go duration before now; *set when given. */
int filters_until(const struct filters *f, int64_t *until_ns, bool *set, struct err *e) MUST_USE;
