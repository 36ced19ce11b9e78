/*
 * time: wall time as text and back, without the C library's calendar, which wants a time zone.
 *
 * Days and dates convert by counting from 1 March of year 0, so that the leap day comes last.
 */
#include "base/time.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

#define SECS_PER_DAY 86400LL

static int64_t days_from_date(int64_t y, int m, int d)
{
    int64_t era, year_of_era, day_of_year;

    y -= m <= 2;
    era = (y >= 0 ? y : y - 399) / 400;
    year_of_era = y - era * 400;
    day_of_year = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719468;
}

static void date_from_days(int64_t days, int64_t *y, int *m, int *d)
{
    int64_t era, day_of_era, year_of_era, day_of_year, month;

    days += 719468;
    era = (days >= 0 ? days : days - 146096) / 146097;
    day_of_era = days - era * 146097;
    year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    month = (5 * day_of_year + 2) / 153;
    *d = (int)(day_of_year - (153 * month + 2) / 5 + 1);
    *m = (int)(month < 10 ? month + 3 : month - 9);
    *y = year_of_era + era * 400 + (*m <= 2);
}

/* Writes the text up to the seconds; returns the nanoseconds. */
static int64_t format_seconds(int64_t wall_ns, char out[TIME_TEXT_MAX])
{
    int64_t secs = wall_ns / NS_PER_SEC, ns = wall_ns % NS_PER_SEC, days, y;
    int m, d, s;

    if (ns < 0) {
        ns += NS_PER_SEC;
        secs--;
    }
    days = secs / SECS_PER_DAY;
    s = (int)(secs % SECS_PER_DAY);
    if (s < 0) {
        s += (int)SECS_PER_DAY;
        days--;
    }
    date_from_days(days, &y, &m, &d);
    snprintf(out, TIME_TEXT_MAX, "%04d-%02d-%02dT%02d:%02d:%02d", (int)y, m, d, s / 3600,
             s / 60 % 60, s % 60);
    return ns;
}

static void format(int64_t wall_ns, bool cut_zeros, char out[TIME_TEXT_MAX])
{
    size_t n;
    int64_t ns;

    if (wall_ns == TIME_ZERO) {
        str_copy(out, TIME_TEXT_MAX,
                 cut_zeros ? "0001-01-01T00:00:00Z" : "0001-01-01T00:00:00.000000000Z");
        return;
    }
    ns = format_seconds(wall_ns, out);
    n = strlen(out);
    snprintf(out + n, TIME_TEXT_MAX - n, ".%09dZ", (int)ns);
    if (!cut_zeros)
        return;
    n = strlen(out) - 1;
    while (out[n - 1] == '0')
        n--;
    if (out[n - 1] == '.')
        n--;
    out[n++] = 'Z';
    out[n] = '\0';
}

void time_format(int64_t wall_ns, char out[TIME_TEXT_MAX])
{
    format(wall_ns, true, out);
}

void time_format_fixed(int64_t wall_ns, char out[TIME_TEXT_MAX])
{
    format(wall_ns, false, out);
}

/* Exactly n digits, then `end` unless that is 0. */
static bool take_digits(const char **s, int n, char end, int *out)
{
    int v = 0;

    for (int i = 0; i < n; i++, (*s)++) {
        if (**s < '0' || **s > '9')
            return false;
        v = v * 10 + (**s - '0');
    }
    *out = v;
    if (end) {
        if (**s != end)
            return false;
        (*s)++;
    }
    return true;
}

static bool take_fraction(const char **s, int64_t *ns)
{
    int64_t unit = NS_PER_SEC;

    *ns = 0;
    if (**s != '.' && **s != ',')
        return true;
    (*s)++;
    if (**s < '0' || **s > '9')
        return false;
    for (; **s >= '0' && **s <= '9'; (*s)++) {
        unit /= 10;
        *ns += (**s - '0') * unit; /* digits beyond the ninth count nothing */
    }
    return true;
}

static bool take_offset(const char **s, int64_t *offset_s)
{
    int sign = **s == '-' ? -1 : 1, h, m;

    *offset_s = 0;
    if (**s == 'Z' || **s == 'z') {
        (*s)++;
        return true;
    }
    if (**s != '+' && **s != '-')
        return false;
    (*s)++;
    if (!take_digits(s, 2, ':', &h) || !take_digits(s, 2, 0, &m) || h > 23 || m > 59)
        return false;
    *offset_s = sign * (h * 3600 + m * 60);
    return true;
}

static int days_in_month(int y, int m)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;

    return m == 2 && leap ? 29 : days[m - 1];
}

static bool parse(const char *s, int64_t *wall_ns)
{
    int64_t ns, offset, secs;
    int y, mo, d, h, mi, sec;

    if (!take_digits(&s, 4, '-', &y) || !take_digits(&s, 2, '-', &mo) ||
        !take_digits(&s, 2, 0, &d) || (*s != 'T' && *s != 't' && *s != ' '))
        return false;
    s++;
    if (!take_digits(&s, 2, ':', &h) || !take_digits(&s, 2, ':', &mi) ||
        !take_digits(&s, 2, 0, &sec) || !take_fraction(&s, &ns) || !take_offset(&s, &offset) || *s)
        return false;
    /* 60: a leap second reads as the second after it */
    if (mo < 1 || mo > 12 || d < 1 || d > days_in_month(y, mo) || h > 23 || mi > 59 || sec > 60)
        return false;
    secs = days_from_date(y, mo, d) * SECS_PER_DAY + h * 3600 + mi * 60 + sec - offset;
    if (secs == -62135596800LL && ns == 0) {
        *wall_ns = TIME_ZERO;
        return true;
    }
    return !__builtin_mul_overflow(secs, NS_PER_SEC, wall_ns) &&
           !__builtin_add_overflow(*wall_ns, ns, wall_ns);
}

int time_parse(const char *s, int64_t *wall_ns, struct err *e)
{
    int64_t v;

    if (!s || !parse(s, &v))
        return err_set(e, ERR_INVALID, "invalid time \"%s\": not RFC 3339, or out of range",
                       s ? s : "");
    *wall_ns = v;
    return 0;
}

void time_human(int64_t ns, char *out, size_t size)
{
    int64_t secs = ns / NS_PER_SEC, mins = secs / 60;
    int64_t hours = (ns + 1800 * NS_PER_SEC) / (3600 * NS_PER_SEC); /* rounded, as docker does */

    if (secs < 1)
        str_copy(out, size, "Less than a second");
    else if (secs == 1)
        str_copy(out, size, "1 second");
    else if (secs < 60)
        snprintf(out, size, "%d seconds", (int)secs);
    else if (mins == 1)
        str_copy(out, size, "About a minute");
    else if (mins < 60)
        snprintf(out, size, "%d minutes", (int)mins);
    else if (hours == 1)
        str_copy(out, size, "About an hour");
    else if (hours < 48)
        snprintf(out, size, "%d hours", (int)hours);
    else if (hours < 24 * 7 * 2)
        snprintf(out, size, "%d days", (int)(hours / 24));
    else if (hours < 24 * 30 * 2)
        snprintf(out, size, "%d weeks", (int)(hours / 24 / 7));
    else if (hours < 24 * 365 * 2)
        snprintf(out, size, "%d months", (int)(hours / 24 / 30));
    else
        snprintf(out, size, "%d years", (int)(secs / 3600 / 24 / 365));
}
