/* log_file_opts: values of options that the drivers that write files share, as Go reads them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "logdrivers/log_file.h"

int log_file_parse_size(const char *s, int64_t *bytes, struct err *e)
{
    static const char units[] = "kmgtp";
    char *end;
    double v = strtod(s, &end);
    const char *unit;

    if (end == s || !isfinite(v) || (*s < '0' || *s > '9'))
        return err_set(e, ERR_INVALID, "invalid size: '%s'", s);
    if (*end == ' ')
        end++;
    unit = *end ? strchr(units, *end | 0x20) : NULL;
    if (unit) {
        for (const char *u = units; u <= unit; u++)
            v *= 1000;
        end++;
    }
    if (*end == 'b' || *end == 'B')
        end++;
    if (*end || v >= (double)INT64_MAX)
        return err_set(e, ERR_INVALID, "invalid size: '%s'", s);
    *bytes = (int64_t)v;
    return 0;
}

int log_file_parse_bool(const char *text, bool *out, struct err *e)
{
    static const char *const words[2][6] = {
        {"0", "f", "F", "false", "FALSE", "False"},
        {"1", "t", "T", "true",  "TRUE",  "True" }
    };

    for (int value = 0; value < 2; value++)
        for (size_t i = 0; i < ARRAY_LEN(words[value]); i++)
            if (str_eq(text, words[value][i])) {
                *out = value == 1;
                return 0;
            }
    return err_set(e, ERR_INVALID, "strconv.ParseBool: parsing \"%s\": invalid syntax", text);
}
