/*
 * parse: numbers, sizes and durations from outside, and sizes as people read them.
 *
 * Everything is integer arithmetic with a range check; a double would turn 8 EiB into a negative
 * number without a word.
 */
#include "base/str.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/time.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Digits into *out; false when there are none, something else, or too many. */
static bool whole_u64(const char *s, uint64_t *out)
{
    uint64_t v = 0;

    if (!is_digit(*s))
        return false;
    for (; is_digit(*s); s++)
        if (__builtin_mul_overflow(v, (uint64_t)10, &v) ||
            __builtin_add_overflow(v, (uint64_t)(*s - '0'), &v))
            return false;
    *out = v;
    return *s == '\0';
}

int parse_u64(const char *s, uint64_t min, uint64_t max, const char *what, uint64_t *out,
              struct err *e)
{
    uint64_t v;

    if (!s || !whole_u64(s, &v))
        return err_set(e, ERR_INVALID, "invalid %s: \"%s\" is not a number", what, s ? s : "");
    if (v < min || v > max)
        return err_set(e, ERR_INVALID, "invalid %s: %s is not between %llu and %llu", what, s,
                       (unsigned long long)min, (unsigned long long)max);
    *out = v;
    return 0;
}

int parse_i64(const char *s, int64_t min, int64_t max, const char *what, int64_t *out,
              struct err *e)
{
    bool negative = s && *s == '-';
    uint64_t magnitude;
    int64_t v;

    if (!s || !whole_u64(s + (*s == '-' || *s == '+'), &magnitude))
        return err_set(e, ERR_INVALID, "invalid %s: \"%s\" is not a number", what, s ? s : "");
    if (magnitude > (uint64_t)INT64_MAX + negative)
        v = negative ? INT64_MIN : INT64_MAX;
    else
        v = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    if (v < min || v > max || magnitude > (uint64_t)INT64_MAX + negative)
        return err_set(e, ERR_INVALID, "invalid %s: %s is not between %lld and %lld", what, s,
                       (long long)min, (long long)max);
    *out = v;
    return 0;
}

/*
 * "12", "1.5", ".5" times `unit`, rounded towards zero.  Moves *s past the number; false when there
 * is no digit or the product does not fit.
 */
static bool scaled_number(const char **s, int64_t unit_at(const char *rest, size_t *len),
                          int64_t *out)
{
    const char *p = *s;
    unsigned __int128 whole = 0, frac = 0, frac_unit = 1, v;
    size_t digits = 0, unit_len;
    int64_t unit;

    for (; is_digit(*p); p++, digits++)
        if ((whole = whole * 10 + (unsigned)(*p - '0')) > (uint64_t)INT64_MAX)
            return false;
    if (*p == '.')
        for (p++; is_digit(*p); p++, digits++) {
            if (frac_unit > 1000000000000000LL)
                continue; /* beyond a nanosecond or a byte of anything */
            frac = frac * 10 + (unsigned)(*p - '0');
            frac_unit *= 10;
        }
    if (digits == 0)
        return false;
    unit = unit_at(p, &unit_len);
    if (unit == 0)
        return false;
    v = whole * (uint64_t)unit + frac * (uint64_t)unit / frac_unit;
    if (v > (uint64_t)INT64_MAX)
        return false;
    *out = (int64_t)v;
    *s = p + unit_len;
    return true;
}

/* An optional space, then k, m, g, t or p, then "", "b" or "ib"; or just "b"; case does not count.
 */
static int64_t size_unit(const char *rest, size_t *len)
{
    static const char letters[] = "kmgtp";
    cleanup_free char *low = str_lower(rest);
    const char *p = low;
    const char *letter;
    int64_t unit = 1;

    *len = strlen(rest);
    if (*p == ' ')
        p++;
    if (*p == '\0' || str_eq(p, "b"))
        return 1;
    letter = strchr(letters, *p);
    if (!letter)
        return 0;
    p++;
    if (*p != '\0' && !str_eq(p, "b") && !str_eq(p, "ib"))
        return 0;
    for (const char *l = letters; l <= letter; l++)
        unit *= 1024;
    return unit;
}

int parse_size(const char *s, const char *what, int64_t *bytes, struct err *e)
{
    const char *p = s;
    int64_t v;

    if (!s || !scaled_number(&p, size_unit, &v) || *p)
        return err_set(e, ERR_INVALID, "invalid %s: invalid size: '%s'", what, s ? s : "");
    *bytes = v;
    return 0;
}

static int64_t duration_unit(const char *rest, size_t *len)
{
    static const struct {
        const char *text;
        int64_t ns;
    } units[] = {
  /* longer spellings before those they begin with */
        {"ns",        1                         },
        {"us",        1000                      },
        {"\xc2\xb5s", 1000                      }, /* U+00B5 */
        {"\xce\xbcs", 1000                      }, /* U+03BC */
        {"ms",        NS_PER_MS                 },
        {"s",         NS_PER_SEC                },
        {"m",         60 * NS_PER_SEC           },
        {"h",         3600 * NS_PER_SEC         },
        {"d",         24 * 3600 * NS_PER_SEC    },
        {"w",         7 * 24 * 3600 * NS_PER_SEC},
    };

    for (size_t i = 0; i < ARRAY_LEN(units); i++)
        if (str_starts(rest, units[i].text)) {
            *len = strlen(units[i].text);
            return units[i].ns;
        }
    return 0;
}

int parse_duration(const char *s, const char *what, int64_t *ns, struct err *e)
{
    const char *p = s ? s : "";
    bool negative = *p == '-';
    int64_t total = 0, part;

    if (*p == '-' || *p == '+')
        p++;
    if (str_eq(p, "0")) {
        *ns = 0;
        return 0;
    }
    do {
        if (!scaled_number(&p, duration_unit, &part) || __builtin_add_overflow(total, part, &total))
            return err_set(e, ERR_INVALID, "invalid %s: invalid duration \"%s\"", what, s ? s : "");
    } while (*p);
    *ns = negative ? -total : total;
    return 0;
}

void format_size(int64_t bytes, char *out, size_t size)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    double v = (double)bytes;
    size_t i = 0;

    while (v >= 1000.0 && i + 1 < ARRAY_LEN(units)) {
        v /= 1000.0;
        i++;
    }
    snprintf(out, size, "%.4g%s", v, units[i]);
}
