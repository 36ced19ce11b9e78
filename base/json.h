/*
 * json: reading with json-c behind typed accessors, writing with a small streaming writer.
 *
 * Reading.  A `struct json` is a borrowed view of a node plus the path to it, so that a wrong type
 * is reported as `HostConfig.Memory: must be a number`.  Keys match as Go's decoder matches them:
 * exactly, else regardless of ASCII case.  A missing key, or null, reads as "not there".
 *
 * Writing.  jsonw appends to a buf; commas and escapes are its business (control characters,
 * invalid UTF-8 replaced by U+FFFD, HTML characters not escaped, as moby's encoder is set).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"

struct json_object; /* json-c's */

struct json_doc {
    struct json_object *root;
};
/* One whole document; depth is limited to 64; trailing bytes other than space are an error. */
int json_parse(const char *text, size_t len, struct json_doc *out, struct err *e) MUST_USE;
void json_release(struct json_doc *doc);
#define cleanup_json  CLEANUP(json_release)

#define JSON_PATH_MAX 160
struct json {
    struct json_object *o; /* NULL: not there, or null */
    char path[JSON_PATH_MAX];
};
enum json_type {
    JSON_NONE,
    JSON_BOOL,
    JSON_INT,
    JSON_DOUBLE,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

struct json json_root(const struct json_doc *doc);
enum json_type json_typeof(const struct json *j);
static inline bool json_exists(const struct json *j)
{
    return j->o != NULL;
}
/* The key's value; .o is NULL when it is missing, null, or j is no object. */
struct json json_get(const struct json *j, const char *key);
bool json_has(const struct json *j, const char *key); /* true for an explicit null as well */
size_t json_len(const struct json *j);                /* array or object; else 0 */
struct json json_at(const struct json *j, size_t i);
/* Objects in the order of the text: for (it = json_iter(j); json_next(&it); ) use it.key, it.value
 */
struct json_iter {
    void *entry;
    const char *parent;
    const char *key;
    struct json value;
};
struct json_iter json_iter(const struct json *j);
bool json_next(struct json_iter *it);

/* Typed: not there leaves *out as it is and succeeds; another type is ERR_INVALID with the path. */
int json_str(const struct json *j, char **out, struct err *e) MUST_USE; /* frees the old *out */
int json_i64(const struct json *j, int64_t *out, struct err *e) MUST_USE;
int json_double(const struct json *j, double *out, struct err *e) MUST_USE;
int json_bool(const struct json *j, bool *out, struct err *e) MUST_USE;
int json_strv(const struct json *j, struct strv *out, struct err *e) MUST_USE;
int json_kvs(const struct json *j, struct kvs *out, struct err *e) MUST_USE; /* {"k":"v"} */
/* Short form for keys of an object that we wrote ourselves: borrowed, "" / 0 / false if missing. */
const char *json_get_str(const struct json *j, const char *key);
int64_t json_get_i64(const struct json *j, const char *key);
bool json_get_bool(const struct json *j, const char *key);
/* The node as text. */
void json_text(const struct json *j, struct buf *out);

#define JSONW_DEPTH 32
struct jsonw {
    struct buf *b;
    unsigned depth;
    bool comma[JSONW_DEPTH];
    bool after_key;
};
#define JSONW_INIT(buffer) ((struct jsonw){.b = (buffer)})
void jsonw_obj(struct jsonw *w);
void jsonw_end_obj(struct jsonw *w);
void jsonw_arr(struct jsonw *w);
void jsonw_end_arr(struct jsonw *w);
void jsonw_key(struct jsonw *w, const char *key);
void jsonw_str(struct jsonw *w, const char *v); /* NULL writes "" */
void jsonw_strn(struct jsonw *w, const char *v, size_t n);
void jsonw_i64(struct jsonw *w, int64_t v);
void jsonw_u64(struct jsonw *w, uint64_t v);
void jsonw_double(struct jsonw *w, double v);
void jsonw_bool(struct jsonw *w, bool v);
void jsonw_null(struct jsonw *w);
void jsonw_raw(struct jsonw *w, const char *json); /* a value that is JSON already */
void jsonw_time(struct jsonw *w, int64_t wall_ns);
void jsonw_strv(struct jsonw *w, const struct strv *sv); /* [] when empty */
void jsonw_kvs(struct jsonw *w, const struct kvs *kvs);  /* {} when empty */
/* key and value in one call */
void jsonw_kstr(struct jsonw *w, const char *key, const char *v);
void jsonw_ki64(struct jsonw *w, const char *key, int64_t v);
void jsonw_kbool(struct jsonw *w, const char *key, bool v);
void jsonw_kstrv_or_null(struct jsonw *w, const char *key, const struct strv *sv); /* null: empty */
