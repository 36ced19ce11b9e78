/* kvs: ordered pairs with unique keys.  Meant for tens of entries: lookups walk the list. */
#include "base/str.h"

#include <string.h>

#include "base/mem.h"

void kvs_release(struct kvs *kvs)
{
    for (size_t i = 0; i < kvs->n; i++) {
        free(kvs->v[i].k);
        free(kvs->v[i].v);
    }
    free(kvs->v);
    *kvs = (struct kvs){0};
}

static struct kv *find(const struct kvs *kvs, const char *k)
{
    for (size_t i = 0; i < kvs->n; i++)
        if (strcmp(kvs->v[i].k, k) == 0)
            return &kvs->v[i];
    return NULL;
}

const char *kvs_get(const struct kvs *kvs, const char *k)
{
    const struct kv *kv = find(kvs, k);

    return kv ? kv->v : NULL;
}

/* Takes v over. */
static void set_taking(struct kvs *kvs, const char *k, char *v)
{
    struct kv *kv = find(kvs, k);

    if (kv) {
        free(kv->v);
        kv->v = v;
        return;
    }
    if ((kvs->n & (kvs->n - 1)) == 0) /* 0 and the powers of two: full */
        kvs->v = xrealloc(kvs->v, (kvs->n ? 2 * kvs->n : 1) * sizeof(*kvs->v));
    kvs->v[kvs->n++] = (struct kv){.k = xstrdup(k), .v = v};
}

void kvs_set(struct kvs *kvs, const char *k, const char *v)
{
    set_taking(kvs, k, str_dup_or_null(v));
}

void kvs_setf(struct kvs *kvs, const char *k, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    set_taking(kvs, k, str_vprintf(fmt, ap));
    va_end(ap);
}

void kvs_del(struct kvs *kvs, const char *k)
{
    struct kv *kv = find(kvs, k);
    size_t at, cap;

    if (!kv)
        return;
    free(kv->k);
    free(kv->v);
    at = (size_t)(kv - kvs->v);
    memmove(kv, kv + 1, (kvs->n - at - 1) * sizeof(*kv));
    kvs->n--;
    if (kvs->n == 0) {
        free(kvs->v);
        *kvs = (struct kvs){0};
        return;
    }
    for (cap = 1; cap < kvs->n; cap *= 2)
        ;
    kvs->v = xrealloc(kvs->v, cap * sizeof(*kvs->v)); /* keeps "full at a power of two" true */
}

void kvs_copy(struct kvs *dst, const struct kvs *src)
{
    struct kvs copy = {0};

    for (size_t i = 0; i < src->n; i++)
        kvs_set(&copy, src->v[i].k, src->v[i].v);
    kvs_release(dst);
    *dst = copy;
}

bool kvs_eq(const struct kvs *a, const struct kvs *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++) {
        const struct kv *other = find(b, a->v[i].k);

        if (!other || !str_eq(a->v[i].v, other->v))
            return false;
    }
    return true;
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct kv *)a)->k, ((const struct kv *)b)->k);
}

void kvs_sort(struct kvs *kvs)
{
    if (kvs->n > 1)
        qsort(kvs->v, kvs->n, sizeof(*kvs->v), by_key);
}
