/* json_fields: small helpers for codecs: optional pairs out, optional members in. */
#include <string.h>

#include "core/core_internal.h"

static bool sorted(const struct kvs *kvs)
{
    for (size_t i = 1; i < kvs->n; i++)
        if (strcmp(kvs->v[i - 1].k, kvs->v[i].k) > 0)
            return false;
    return true;
}

void jsonw_kvs_sorted(struct jsonw *w, const struct kvs *kvs)
{
    cleanup_kvs struct kvs copy = {0};

    if (sorted(kvs)) {
        jsonw_kvs(w, kvs);
        return;
    }
    kvs_copy(&copy, kvs);
    kvs_sort(&copy);
    jsonw_kvs(w, &copy);
}

void jsonw_opt_str(struct jsonw *w, const char *key, const char *v)
{
    if (!str_empty(v))
        jsonw_kstr(w, key, v);
}

void jsonw_opt_i64(struct jsonw *w, const char *key, int64_t v)
{
    if (v != 0)
        jsonw_ki64(w, key, v);
}

void jsonw_opt_bool(struct jsonw *w, const char *key, bool v)
{
    if (v)
        jsonw_kbool(w, key, v);
}

void jsonw_opt_strv(struct jsonw *w, const char *key, const struct strv *sv)
{
    if (sv->n == 0)
        return;
    jsonw_key(w, key);
    jsonw_strv(w, sv);
}

void jsonw_opt_kvs(struct jsonw *w, const char *key, const struct kvs *kvs)
{
    if (kvs->n == 0)
        return;
    jsonw_key(w, key);
    jsonw_kvs(w, kvs);
}

int get_str(const struct json *j, const char *key, char **out, struct err *e)
{
    struct json v = json_get(j, key);

    return json_str(&v, out, e);
}

int get_i64(const struct json *j, const char *key, int64_t *out, struct err *e)
{
    struct json v = json_get(j, key);

    return json_i64(&v, out, e);
}

int get_bool(const struct json *j, const char *key, bool *out, struct err *e)
{
    struct json v = json_get(j, key);

    return json_bool(&v, out, e);
}

int get_strv(const struct json *j, const char *key, struct strv *out, struct err *e)
{
    struct json v = json_get(j, key);

    return json_strv(&v, out, e);
}

int get_kvs(const struct json *j, const char *key, struct kvs *out, struct err *e)
{
    struct json v = json_get(j, key);

    return json_kvs(&v, out, e);
}

int want_type(const struct json *j, enum json_type type, struct err *e)
{
    if (json_typeof(j) == type)
        return 0;
    return err_set(e, ERR_INVALID, "%s: must be %s", j->path[0] ? j->path : "the body",
                   type == JSON_OBJECT ? "an object" : "an array");
}
