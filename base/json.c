/* json: reading.  json_check.c holds the grammar, json_write.c writes. */
#include "base/json.h"

#include <math.h>
#include <string.h>

/* json-c has these two names as well. */
#define json_type json_c_type
#define json_bool json_c_bool
#include <json-c/json.h>
#undef json_type
#undef json_bool

#include "base/json_internal.h"
#include "base/mem.h"

int json_parse(const char *text, size_t len, struct json_doc *out, struct err *e)
{
    struct json_tokener *tok;
    enum json_tokener_error error;

    out->root = NULL;
    if (json_check(text, len, e))
        return -1;
    if (len > INT32_MAX)
        return err_set(e, ERR_INVALID, "invalid JSON: larger than 2 GiB");
    tok = json_tokener_new_ex(JSON_DEPTH_MAX + 1);
    if (!tok)
        abort(); /* memory, as in xmalloc() */
    /* A number at the very end is only complete once json-c has seen the byte after it. */
    out->root = json_tokener_parse_ex(tok, text, (int)len);
    error = json_tokener_get_error(tok);
    if (error == json_tokener_continue) {
        out->root = json_tokener_parse_ex(tok, "", 1);
        error = json_tokener_get_error(tok);
    }
    json_tokener_free(tok);
    if (error != json_tokener_success)
        return err_set(e, ERR_INVALID, "invalid JSON: %s", json_tokener_error_desc(error));
    return 0;
}

void json_release(struct json_doc *doc)
{
    json_object_put(doc->root);
    doc->root = NULL;
}

struct json json_root(const struct json_doc *doc)
{
    return (struct json){.o = doc->root};
}

enum json_type json_typeof(const struct json *j)
{
    switch (json_object_get_type(j->o)) {
    case json_type_boolean:
        return JSON_BOOL;
    case json_type_int:
        return JSON_INT;
    case json_type_double:
        return JSON_DOUBLE;
    case json_type_string:
        return JSON_STRING;
    case json_type_array:
        return JSON_ARRAY;
    case json_type_object:
        return JSON_OBJECT;
    case json_type_null:
        break;
    }
    return JSON_NONE;
}

static void child_path(char out[JSON_PATH_MAX], const char *parent, const char *key)
{
    /* Only for messages: a long path is cut. */
    (void)!snprintf(out, JSON_PATH_MAX, "%.80s%s%.70s", parent, *parent ? "." : "", key);
}

/* Finds the key exactly, else regardless of case, as Go's decoder does. */
static bool lookup(const struct json *j, const char *key, struct json_object **value)
{
    if (!json_object_is_type(j->o, json_type_object))
        return false;
    if (json_object_object_get_ex(j->o, key, value))
        return true;
    json_object_object_foreach(j->o, k, v)
    {
        if (str_eq_nocase(k, key)) {
            *value = v;
            return true;
        }
    }
    return false;
}

struct json json_get(const struct json *j, const char *key)
{
    struct json child = {0};

    lookup(j, key, &child.o);
    child_path(child.path, j->path, key);
    return child;
}

bool json_has(const struct json *j, const char *key)
{
    struct json_object *value;

    return lookup(j, key, &value);
}

size_t json_len(const struct json *j)
{
    if (json_object_is_type(j->o, json_type_array))
        return json_object_array_length(j->o);
    if (json_object_is_type(j->o, json_type_object))
        return (size_t)json_object_object_length(j->o);
    return 0;
}

struct json json_at(const struct json *j, size_t i)
{
    struct json child = {0};

    if (json_object_is_type(j->o, json_type_array))
        child.o = json_object_array_get_idx(j->o, i);
    (void)!snprintf(child.path, sizeof(child.path), "%.130s[%zu]", j->path, i);
    return child;
}

struct json_iter json_iter(const struct json *j)
{
    struct json_iter it = {.parent = j->path};

    if (json_object_is_type(j->o, json_type_object))
        it.entry = lh_table_head(json_object_get_object(j->o));
    return it;
}

bool json_next(struct json_iter *it)
{
    const struct lh_entry *entry = it->entry;

    if (!entry)
        return false;
    it->key = lh_entry_k(entry);
    it->value.o = (struct json_object *)lh_entry_v(entry);
    child_path(it->value.path, it->parent, it->key);
    it->entry = lh_entry_next(entry);
    return true;
}

static int wrong_type(const struct json *j, const char *want, struct err *e)
{
    return err_set(e, ERR_INVALID, "%s: must be %s", *j->path ? j->path : "value", want);
}

int json_str(const struct json *j, char **out, struct err *e)
{
    const char *s;

    if (!json_exists(j))
        return 0;
    if (!json_object_is_type(j->o, json_type_string))
        return wrong_type(j, "a string", e);
    s = json_object_get_string(j->o);
    if (strlen(s) != (size_t)json_object_get_string_len(j->o))
        return wrong_type(j, "a string without NUL characters", e);
    str_set(out, s);
    return 0;
}

int json_i64(const struct json *j, int64_t *out, struct err *e)
{
    if (!json_exists(j))
        return 0;
    if (json_object_is_type(j->o, json_type_double))
        return wrong_type(j, "a whole number", e);
    if (!json_object_is_type(j->o, json_type_int))
        return wrong_type(j, "a number", e);
    if (json_object_get_int64(j->o) >= 0 && json_object_get_uint64(j->o) > INT64_MAX)
        return wrong_type(j, "a number below 2^63", e);
    *out = json_object_get_int64(j->o);
    return 0;
}

int json_double(const struct json *j, double *out, struct err *e)
{
    double v;

    if (!json_exists(j))
        return 0;
    if (!json_object_is_type(j->o, json_type_double) && !json_object_is_type(j->o, json_type_int))
        return wrong_type(j, "a number", e);
    v = json_object_get_double(j->o);
    if (!isfinite(v))
        return wrong_type(j, "a finite number", e);
    *out = v;
    return 0;
}

int json_bool(const struct json *j, bool *out, struct err *e)
{
    if (!json_exists(j))
        return 0;
    if (!json_object_is_type(j->o, json_type_boolean))
        return wrong_type(j, "true or false", e);
    *out = json_object_get_boolean(j->o);
    return 0;
}

int json_strv(const struct json *j, struct strv *out, struct err *e)
{
    cleanup_strv struct strv list = {0};

    if (!json_exists(j))
        return 0;
    if (!json_object_is_type(j->o, json_type_array))
        return wrong_type(j, "an array of strings", e);
    for (size_t i = 0; i < json_len(j); i++) {
        struct json item = json_at(j, i);
        char *s = NULL;

        if (!json_exists(&item))
            return wrong_type(&item, "a string", e);
        if (json_str(&item, &s, e))
            return -1;
        strv_take(&list, s);
    }
    strv_release(out);
    *out = list;
    list = (struct strv){0};
    return 0;
}

int json_kvs(const struct json *j, struct kvs *out, struct err *e)
{
    cleanup_kvs struct kvs pairs = {0};

    if (!json_exists(j))
        return 0;
    if (!json_object_is_type(j->o, json_type_object))
        return wrong_type(j, "an object of strings", e);
    for (struct json_iter it = json_iter(j); json_next(&it);) {
        cleanup_free char *s = NULL;

        if (json_str(&it.value, &s, e))
            return -1;
        kvs_set(&pairs, it.key, s ? s : ""); /* null is Go's zero value */
    }
    kvs_release(out);
    *out = pairs;
    pairs = (struct kvs){0};
    return 0;
}

const char *json_get_str(const struct json *j, const char *key)
{
    struct json_object *value = NULL;

    if (!lookup(j, key, &value) || !json_object_is_type(value, json_type_string))
        return "";
    return json_object_get_string(value);
}

int64_t json_get_i64(const struct json *j, const char *key)
{
    struct json_object *value = NULL;

    if (!lookup(j, key, &value) || !json_object_is_type(value, json_type_int))
        return 0;
    return json_object_get_int64(value);
}

bool json_get_bool(const struct json *j, const char *key)
{
    struct json_object *value = NULL;

    return lookup(j, key, &value) && json_object_is_type(value, json_type_boolean) &&
           json_object_get_boolean(value);
}

void json_text(const struct json *j, struct buf *out)
{
    const char *text = json_object_to_json_string_ext(j->o, JSON_C_TO_STRING_PLAIN |
                                                                JSON_C_TO_STRING_NOSLASHESCAPE);

    buf_add(out, text, strlen(text));
}
