/* filters: parsing, and the ways to match.  See filters.h. */
#include "api/filters.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "api/request.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/time.h"

#define PATTERN_MAX   256
#define DOUBLINGS_MAX 8
#define FILTERS_MAX   1024 /* keys, and values of one key */

static void add_value(struct filter *f, const char *text, bool on)
{
    *ARRAY_ADD(f->v, f->n) = (struct filter_value){xstrdup(text), on};
}

static bool read_list(const struct json *list, struct filter *f)
{
    if (json_len(list) > FILTERS_MAX)
        return false;
    for (size_t i = 0; i < json_len(list); i++) {
        struct json item = json_at(list, i);
        cleanup_free char *text = NULL;

        if (json_str(&item, &text, ERR_IGNORE) || !text)
            return false;
        add_value(f, text, true);
    }
    return true;
}

static bool read_map(const struct json *map, struct filter *f)
{
    struct json_iter it = json_iter(map);

    if (json_len(map) > FILTERS_MAX)
        return false;
    while (json_next(&it)) {
        bool on = false;

        if (json_bool(&it.value, &on, ERR_IGNORE))
            return false;
        add_value(f, it.key, on);
    }
    return true;
}

static bool read_values(const struct json *j, struct filter *f)
{
    switch (json_typeof(j)) {
    case JSON_NONE: /* null */
        return true;
    case JSON_ARRAY:
        return read_list(j, f);
    case JSON_OBJECT:
        return read_map(j, f);
    default:
        return false;
    }
}

static bool read_filters(const struct json *root, struct filters *out)
{
    struct json_iter it = json_iter(root);

    if (json_typeof(root) == JSON_NONE)
        return true;
    if (json_typeof(root) != JSON_OBJECT || json_len(root) > FILTERS_MAX)
        return false;
    while (json_next(&it)) {
        struct filter *f;

        f = ARRAY_ADD(out->v, out->n);
        f->key = xstrdup(it.key);
        if (!read_values(&it.value, f))
            return false;
    }
    return true;
}

int filters_parse(const char *text, struct filters *out, struct err *e)
{
    cleanup_json struct json_doc doc = {0};
    struct json root;

    *out = (struct filters){0};
    if (str_empty(text))
        return 0;
    if (json_parse(text, strlen(text), &doc, ERR_IGNORE))
        return err_set(e, ERR_INVALID, "invalid filter");
    root = json_root(&doc);
    if (read_filters(&root, out))
        return 0;
    filters_release(out);
    return err_set(e, ERR_INVALID, "invalid filter");
}

void filters_release(struct filters *f)
{
    for (size_t i = 0; i < f->n; i++) {
        for (size_t k = 0; k < f->v[i].n; k++)
            free(f->v[i].v[k].text);
        free(f->v[i].v);
        free(f->v[i].key);
    }
    free(f->v);
    *f = (struct filters){0};
}

static bool is_in(const char *key, const char *const *list)
{
    for (; *list; list++)
        if (strcmp(key, *list) == 0)
            return true;
    return false;
}

int filters_check(const struct filters *f, const char *const *allowed, struct err *e)
{
    for (size_t i = 0; i < f->n; i++)
        if (!is_in(f->v[i].key, allowed))
            return err_set(e, ERR_INVALID, "invalid filter '%s'", f->v[i].key);
    return 0;
}

const struct filter *filters_find(const struct filters *f, const char *key)
{
    for (size_t i = 0; i < f->n; i++)
        if (f->v[i].n > 0 && strcmp(f->v[i].key, key) == 0)
            return &f->v[i];
    return NULL;
}

bool filters_has(const struct filters *f, const char *key)
{
    return filters_find(f, key) != NULL;
}

bool filters_has_value(const struct filters *f, const char *key, const char *value)
{
    const struct filter *x = filters_find(f, key);

    for (size_t i = 0; x && i < x->n; i++)
        if (x->v[i].on && strcmp(x->v[i].text, value) == 0)
            return true;
    return false;
}

bool filters_exact(const struct filters *f, const char *key, const char *text)
{
    return !filters_has(f, key) || filters_has_value(f, key, text);
}

/*
 * Repetitions of repetitions and back references can take the C library's matcher for ever; names
 * are found without them.
 */
static bool is_modest(const char *pattern)
{
    size_t doublings = 0;

    if (strlen(pattern) > PATTERN_MAX || strchr(pattern, '{'))
        return false;
    for (const char *p = strchr(pattern, '+'); p; p = strchr(p + 1, '+'))
        doublings++; /* the library writes x+ as xx*, and copies x for it */
    if (doublings > DOUBLINGS_MAX)
        return false;
    for (const char *p = strchr(pattern, '\\'); p && p[1]; p = strchr(p + 2, '\\'))
        if (p[1] >= '1' && p[1] <= '9')
            return false;
    return true;
}

static bool regex_finds(const char *pattern, const char *text)
{
    regex_t re;
    bool found;

    if (!is_modest(pattern) || regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB))
        return false;
    found = regexec(&re, text, 0, NULL, 0) == 0;
    regfree(&re);
    return found;
}

/* Names, most of the time: what holds no operator needs no compiling. */
static bool finds(const char *pattern, const char *text)
{
    if (pattern[strcspn(pattern, "\\^$.[]|()*+?{}")] == '\0')
        return strstr(text, pattern) != NULL;
    return regex_finds(pattern, text);
}

bool filters_match(const struct filters *f, const char *key, const char *text)
{
    const struct filter *x = filters_find(f, key);

    if (!x || filters_has_value(f, key, text))
        return true;
    for (size_t i = 0; i < x->n; i++)
        if (finds(x->v[i].text, text))
            return true;
    return false;
}

bool filters_prefix(const struct filters *f, const char *key, const char *text)
{
    const struct filter *x = filters_find(f, key);

    if (!x)
        return true;
    for (size_t i = 0; i < x->n; i++)
        if (str_starts(text, x->v[i].text))
            return true;
    return false;
}

static bool label_holds(const char *want, const struct kvs *labels)
{
    size_t n = strcspn(want, "=");

    for (size_t i = 0; i < labels->n; i++) {
        if (strlen(labels->v[i].k) != n || strncmp(labels->v[i].k, want, n) != 0)
            continue;
        return want[n] == '\0' || strcmp(labels->v[i].v ? labels->v[i].v : "", want + n + 1) == 0;
    }
    return false;
}

bool filters_labels(const struct filters *f, const char *key, const struct kvs *labels)
{
    const struct filter *x = filters_find(f, key);

    for (size_t i = 0; x && i < x->n; i++)
        if (!label_holds(x->v[i].text, labels))
            return false;
    return true;
}

bool filters_no_labels(const struct filters *f, const char *key, const struct kvs *labels)
{
    const struct filter *x = filters_find(f, key);

    for (size_t i = 0; x && i < x->n; i++)
        if (label_holds(x->v[i].text, labels))
            return false;
    return true;
}

static int bad_bool(const struct filter *x, const char *key, struct err *e)
{
    cleanup_buf struct buf all = BUF_INIT(ERR_MSG_MAX);

    for (size_t i = 0; i < x->n; i++)
        buf_addf(&all, "%s%s", i ? " " : "", x->v[i].text);
    return err_set(e, ERR_INVALID, "invalid filter '%s=[%s]'", key, all.data);
}

int filters_bool(const struct filters *f, const char *key, bool *out, struct err *e)
{
    const struct filter *x = filters_find(f, key);
    bool yes, no;

    if (!x)
        return 0;
    yes = filters_has_value(f, key, "true") || filters_has_value(f, key, "1");
    no = filters_has_value(f, key, "false") || filters_has_value(f, key, "0");
    if (yes == no)
        return bad_bool(x, key, e);
    *out = yes;
    return 0;
}

int filters_until(const struct filters *f, int64_t *until_ns, bool *set, struct err *e)
{
    const struct filter *x = filters_find(f, "until");
    int64_t duration;

    *set = x != NULL;
    if (!x)
        return 0;
    if (x->n > 1)
        return err_set(e, ERR_INVALID, "more than one until filter specified");
    if (!parse_unix_time(x->v[0].text, until_ns, ERR_IGNORE) ||
        !time_parse(x->v[0].text, until_ns, ERR_IGNORE))
        return 0;
    if (parse_duration(x->v[0].text, "until", &duration, ERR_IGNORE))
        return err_set(e, ERR_INVALID, "failed to parse value as time or duration: \"%s\"",
                       x->v[0].text);
    *until_ns = time_wall_ns() - duration;
    return 0;
}
