/* route: matching a path against a table of patterns.  See route.h. */
#include "api/route.h"

#include <string.h>

/* The pattern's literal text up to the next placeholder or the end. */
static size_t literal_len(const char *pattern)
{
    return strcspn(pattern, "{");
}

/* pattern starts with '{'.  Greedy: the last place where the rest still matches. */
static bool match_placeholder(const char *pattern, const char *path, struct route_args *args)
{
    const char *rest = strchr(pattern, '}') + 1;
    const char *end = path + strlen(path);
    size_t lit = literal_len(rest);
    size_t at = args->n;

    if (at == ROUTE_MAX_ARGS)
        return false;
    args->n = at + 1;
    for (const char *p = end; p > path; p--) {
        args->n = at + 1;
        args->arg[at].at = path;
        args->arg[at].len = (size_t)(p - path);
        if ((size_t)(end - p) < lit || memcmp(p, rest, lit) != 0)
            continue;
        if (rest[lit] ? match_placeholder(rest + lit, p + lit, args) : p + lit == end)
            return true;
    }
    return false;
}

static bool match(const char *pattern, const char *path, struct route_args *args)
{
    size_t lit = literal_len(pattern);

    args->n = 0;
    if (strncmp(pattern, path, lit) != 0)
        return false;
    return pattern[lit] ? match_placeholder(pattern + lit, path + lit, args) : path[lit] == '\0';
}

static size_t literal_total(const char *pattern)
{
    size_t n = 0;

    while (*pattern) {
        size_t lit = literal_len(pattern);

        n += lit;
        pattern += lit;
        if (*pattern)
            pattern = strchr(pattern, '}') + 1;
    }
    return n;
}

const struct route *route_find(const struct route *table, size_t n, const char *method,
                               const char *path, struct route_args *args, struct err *e)
{
    const struct route *best = NULL;
    size_t best_literal = 0;
    struct route_args found;

    for (size_t i = 0; i < n; i++) {
        if (strcmp(table[i].method, method) != 0 || !match(table[i].pattern, path, &found))
            continue;
        if (best && literal_total(table[i].pattern) <= best_literal)
            continue;
        best = &table[i];
        best_literal = literal_total(best->pattern);
        *args = found;
    }
    if (!best)
        err_set(e, ERR_NOT_FOUND, "page not found");
    return best;
}

const char *route_version(const char *path, char version[ROUTE_VERSION_MAX])
{
    size_t len;

    version[0] = '\0';
    if (strncmp(path, "/v", 2) != 0)
        return path;
    len = strspn(path + 2, "0123456789.");
    if (len == 0 || len >= ROUTE_VERSION_MAX || path[2 + len] != '/')
        return path;
    memcpy(version, path + 2, len);
    version[len] = '\0';
    return path + 2 + len;
}
