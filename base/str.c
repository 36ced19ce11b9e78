/* str: strings.  Lists are in strv.c, pairs in kvs.c, numbers from outside in parse.c. */
#include "base/str.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool str_eq(const char *a, const char *b)
{
    if (!a || !b)
        return a == b;
    return strcmp(a, b) == 0;
}

bool str_eq_nocase(const char *a, const char *b)
{
    if (!a || !b)
        return a == b;
    while (*a && lower(*a) == lower(*b)) {
        a++;
        b++;
    }
    return lower(*a) == lower(*b);
}

bool str_has_nocase(const char *s, const char *part)
{
    for (; *s; s++) {
        size_t n = 0;

        while (part[n] && lower(s[n]) == lower(part[n]))
            n++;
        if (!part[n])
            return true;
    }
    return !*part;
}

bool str_starts(const char *s, const char *prefix)
{
    return s && strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *s, const char *suffix)
{
    size_t n = s ? strlen(s) : 0, m = strlen(suffix);

    return s && n >= m && memcmp(s + n - m, suffix, m) == 0;
}

char *str_vprintf(const char *fmt, va_list ap)
{
    va_list again;
    char *s;
    int n;

    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, ap);
    if (n < 0) {
        fputs("str_printf: bad format\n", stderr);
        abort();
    }
    s = xmalloc((size_t)n + 1);
    vsnprintf(s, (size_t)n + 1, fmt, again);
    va_end(again);
    return s;
}

char *str_printf(const char *fmt, ...)
{
    va_list ap;
    char *s;

    va_start(ap, fmt);
    s = str_vprintf(fmt, ap);
    va_end(ap);
    return s;
}

char *str_ndup(const char *s, size_t n)
{
    char *copy = xmalloc(n + 1);

    memcpy(copy, s, n);
    copy[n] = '\0';
    return copy;
}

char *str_dup_or_null(const char *s)
{
    return s ? xstrdup(s) : NULL;
}

void str_set(char **dst, const char *src)
{
    char *copy = str_dup_or_null(src); /* first: src may lie inside *dst */

    free(*dst);
    *dst = copy;
}

char *str_lower(const char *s)
{
    char *copy = xstrdup(s);

    for (char *p = copy; *p; p++)
        *p = lower(*p);
    return copy;
}

bool str_copy(char *dst, size_t size, const char *src)
{
    size_t n = strlen(src);
    bool fits = n < size;

    if (size == 0)
        return false;
    if (!fits)
        n = size - 1;
    memcpy(dst, src, n);
    dst[n] = '\0';
    return fits;
}

char *str_join(const char *const *v, size_t n, const char *sep)
{
    size_t sep_len = strlen(sep), total = 0;
    char *out, *p;

    for (size_t i = 0; i < n; i++)
        total += strlen(v[i]) + sep_len;
    p = out = xmalloc(total + 1);
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(v[i]);

        if (i > 0) {
            memcpy(p, sep, sep_len);
            p += sep_len;
        }
        memcpy(p, v[i], len);
        p += len;
    }
    *p = '\0';
    return out;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

char *str_trim(char *s)
{
    size_t n;

    while (is_space(*s))
        s++;
    n = strlen(s);
    while (n > 0 && is_space(s[n - 1]))
        n--;
    s[n] = '\0';
    return s;
}
