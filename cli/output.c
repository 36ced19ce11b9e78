/* output: colours, formats and times, as several commands print them. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/time.h"
#include "cli/cli.h"

const char *color_on(const struct cli *cli, enum color c)
{
    static const char *const codes[] = {
        [COLOR_NONE] = "",           [COLOR_RED] = "\033[31m", [COLOR_GREEN] = "\033[32m",
        [COLOR_YELLOW] = "\033[33m", [COLOR_BOLD] = "\033[1m", [COLOR_DIM] = "\033[2m",
    };

    return cli->color ? codes[c] : "";
}

const char *color_off(const struct cli *cli)
{
    return cli->color ? "\033[0m" : "";
}

int format_is_json(const char *format, bool *json, struct err *e)
{
    *json = str_eq(format, "json") || str_eq(format, "{{json .}}");
    if (*json || str_empty(format) || str_eq(format, "table"))
        return 0;
    return err_set(e, ERR_INVALID, "unknown format \"%s\"; there are json and table", format);
}

void print_json(const struct json *j)
{
    cleanup_buf struct buf b = BUF_INIT(64 * 1024 * 1024);

    json_text(j, &b);
    printf("%s\n", b.data);
}

char *ago_from_seconds(int64_t unix_s)
{
    char text[64];

    time_human(time_wall_ns() - unix_s * NS_PER_SEC, text, sizeof(text));
    return str_printf("%s ago", text);
}

int filters_json(const struct strv *filters, struct buf *out, struct err *e)
{
    struct jsonw w = JSONW_INIT(out);

    jsonw_obj(&w);
    for (size_t i = 0; i < filters->n; i++) {
        const char *equals = strchr(filters->v[i], '=');

        if (!equals)
            return err_set(e, ERR_INVALID, "invalid filter '%s': must be name=value",
                           filters->v[i]);
        size_t n = (size_t)(equals - filters->v[i]);
        cleanup_free char *key = str_ndup(filters->v[i], n);
        bool before = false;

        for (size_t k = 0; k < i && !before; k++)
            before = !strncmp(filters->v[k], filters->v[i], n + 1);
        if (before)
            continue; /* written with the first of its name */
        jsonw_key(&w, key);
        jsonw_arr(&w);
        for (size_t k = i; k < filters->n; k++)
            if (!strncmp(filters->v[k], filters->v[i], n + 1))
                jsonw_str(&w, filters->v[k] + n + 1);
        jsonw_end_arr(&w);
    }
    jsonw_end_obj(&w);
    return buf_check(out, "the filters", e);
}

/* "2026-11-24", "2026-11-24T06:15" and so on, in local time, as docker takes them. */
static bool parse_local_time(const char *text, int64_t *ns)
{
    static const size_t lens[] = {[3] = 10, [4] = 13, [5] = 16, [6] = 19};
    struct tm tm = {.tm_isdst = -1};
    int n = sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
                   &tm.tm_hour, &tm.tm_min, &tm.tm_sec);
    int64_t part = 0, scale = NS_PER_SEC;
    const char *rest;
    time_t t;

    if (n < 3 || strlen(text) < lens[n])
        return false;
    rest = text + lens[n];
    if (n == 6 && *rest == '.')
        for (rest++; *rest >= '0' && *rest <= '9'; rest++) {
            scale /= 10;
            part += (*rest - '0') * scale;
        }
    tm.tm_year -= 1900;
    tm.tm_mon--;
    t = mktime(&tm);
    if (*rest || t == (time_t)-1)
        return false;
    *ns = t * NS_PER_SEC + part;
    return true;
}

char *time_argument(const char *text)
{
    int64_t ns;

    if (str_empty(text) || strspn(text, "0123456789.") == strlen(text))
        return str_dup_or_null(text);
    if (parse_duration(text, "time", &ns, ERR_IGNORE) == 0)
        ns = time_wall_ns() - ns;
    else if (time_parse(text, &ns, ERR_IGNORE) && !parse_local_time(text, &ns))
        return xstrdup(text); /* the agent says what is wrong with it */
    return str_printf("%lld.%09lld", (long long)(ns / NS_PER_SEC), (long long)(ns % NS_PER_SEC));
}
