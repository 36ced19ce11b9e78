/* strv: lists of strings that own them.  The capacity is the next power of two, so it is not kept.
 */
#include "base/str.h"

#include <string.h>

#include "base/mem.h"

void strv_release(struct strv *sv)
{
    for (size_t i = 0; i < sv->n; i++)
        free(sv->v[i]);
    free(sv->v);
    *sv = (struct strv){0};
}

void strv_take(struct strv *sv, char *s)
{
    /* With the NULL, n + 2 places are needed; the array grows whenever n + 1 is a power of two. */
    if (!sv->v || ((sv->n + 1) & sv->n) == 0)
        sv->v = xrealloc(sv->v, 2 * (sv->n + 1) * sizeof(*sv->v));
    sv->v[sv->n++] = s;
    sv->v[sv->n] = NULL;
}

void strv_add(struct strv *sv, const char *s)
{
    strv_take(sv, xstrdup(s));
}

void strv_addf(struct strv *sv, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    strv_take(sv, str_vprintf(fmt, ap));
    va_end(ap);
}

void strv_copy(struct strv *dst, const struct strv *src)
{
    struct strv copy = {0};

    for (size_t i = 0; i < src->n; i++)
        strv_add(&copy, src->v[i]);
    strv_release(dst);
    *dst = copy;
}

bool strv_has(const struct strv *sv, const char *s)
{
    for (size_t i = 0; i < sv->n; i++)
        if (str_eq(sv->v[i], s))
            return true;
    return false;
}

bool strv_eq(const struct strv *a, const struct strv *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (!str_eq(a->v[i], b->v[i]))
            return false;
    return true;
}

void strv_remove_at(struct strv *sv, size_t i)
{
    struct strv rest = {0};

    if (i >= sv->n)
        return;
    free(sv->v[i]);
    /* Built anew: the capacity follows from n, so a shorter list needs its own array. */
    for (size_t k = 0; k < sv->n; k++)
        if (k != i)
            strv_take(&rest, sv->v[k]);
    free(sv->v);
    *sv = rest;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void strv_sort(struct strv *sv)
{
    if (sv->n > 1)
        qsort(sv->v, sv->n, sizeof(*sv->v), by_text);
}

void strv_split(struct strv *out, const char *s, char sep)
{
    const char *end;

    while ((end = strchr(s, sep))) {
        strv_take(out, str_ndup(s, (size_t)(end - s)));
        s = end + 1;
    }
    strv_add(out, s);
}
