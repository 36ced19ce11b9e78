/*
 * str: strings, lists of strings, and ordered string pairs.
 *
 * struct strv is a counted list that owns its strings and is always NULL-terminated when it is not
 * empty, so v can be handed to exec.  struct kvs keeps pairs in the order of insertion; a key
 * occurs once.  The zero value of both is empty and usable; release leaves it so.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

bool str_eq(const char *a, const char *b);            /* NULL equals NULL only */
bool str_eq_nocase(const char *a, const char *b);     /* ASCII */
bool str_has_nocase(const char *s, const char *part); /* ASCII */
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);
static inline bool str_empty(const char *s)
{
    return !s || !*s;
}
/* heap string; aborts when memory is gone */
char *str_printf(const char *fmt, ...) PRINTF_LIKE(1, 2);
char *str_vprintf(const char *fmt, va_list ap) PRINTF_LIKE(1, 0);
char *str_ndup(const char *s, size_t n);
char *str_dup_or_null(const char *s); /* NULL in, NULL out */
/* Frees *dst and puts a copy of src (may be NULL) there. */
void str_set(char **dst, const char *src);
char *str_lower(const char *s);
/* Copies at most size-1 bytes and ends with NUL; false when src did not fit. */
bool str_copy(char *dst, size_t size, const char *src);
char *str_join(const char *const *v, size_t n, const char *sep);
/* Trims ASCII white space at both ends, in place; returns s moved forward. */
char *str_trim(char *s);

struct strv {
    char **v;
    size_t n;
};

void strv_release(struct strv *sv);
void strv_add(struct strv *sv, const char *s);
void strv_addf(struct strv *sv, const char *fmt, ...) PRINTF_LIKE(2, 3);
void strv_take(struct strv *sv, char *s);                 /* owns s afterwards */
void strv_copy(struct strv *dst, const struct strv *src); /* dst is released first */
bool strv_has(const struct strv *sv, const char *s);
bool strv_eq(const struct strv *a, const struct strv *b);
void strv_remove_at(struct strv *sv, size_t i);
void strv_sort(struct strv *sv);
/* Splits at every sep; empty fields are kept. */
void strv_split(struct strv *out, const char *s, char sep);
#define cleanup_strv CLEANUP(strv_release)

struct kv {
    char *k, *v;
};
struct kvs {
    struct kv *v;
    size_t n;
};

void kvs_release(struct kvs *kvs);
const char *kvs_get(const struct kvs *kvs, const char *k);   /* NULL: not there */
void kvs_set(struct kvs *kvs, const char *k, const char *v); /* replaces; v may be NULL */
void kvs_setf(struct kvs *kvs, const char *k, const char *fmt, ...) PRINTF_LIKE(3, 4);
void kvs_del(struct kvs *kvs, const char *k);
void kvs_copy(struct kvs *dst, const struct kvs *src);
bool kvs_eq(const struct kvs *a, const struct kvs *b); /* regardless of order */
void kvs_sort(struct kvs *kvs);                        /* by key */
#define cleanup_kvs CLEANUP(kvs_release)

/* Numbers from outside: whole string, in range, or ERR_INVALID naming `what` and the text. */
int parse_i64(const char *s, int64_t min, int64_t max, const char *what, int64_t *out,
              struct err *e) MUST_USE;
int parse_u64(const char *s, uint64_t min, uint64_t max, const char *what, uint64_t *out,
              struct err *e) MUST_USE;
/* "512", "10k", "64m", "2gb", "1.5g", "100b": bytes; binary multiples as docker's CLI reads them.
 */
int parse_size(const char *s, const char *what, int64_t *bytes, struct err *e) MUST_USE;
/* Go's and Compose's form: "1h30m", "10s", "1.5s", "300ms", "0". */
int parse_duration(const char *s, const char *what, int64_t *ns, struct err *e) MUST_USE;

/* "1.5kB", "3.21MB" (decimal, docker's HumanSize, 4 significant digits) */
void format_size(int64_t bytes, char *out, size_t size);
