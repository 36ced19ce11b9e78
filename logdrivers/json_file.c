/*
 * json_file: Docker's default log driver: its options and its ops table.
 *
 * Error texts are dockerd's (daemon/logger/jsonfilelog), since clients show them as they come.
 * `compress` is known but compression of rotated files is not there, so only `false` is taken.
 */
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "logdrivers/json_file_internal.h"
#include "logdrivers/log_attrs.h"
#include "logdrivers/logdrivers.h"

static const char *const known_opts[] = {
    "max-file", "max-size", "compress", "labels", "labels-regex", "env", "env-regex", "tag",
};

/* "10m" as go-units' FromHumanSize reads it: decimal multiples. */
static int parse_decimal_size(const char *s, int64_t *bytes, struct err *e)
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

static int parse_compress(const char *text, struct err *e)
{
    static const char *const off[] = {"0", "f", "F", "false", "FALSE", "False"};
    static const char *const on[] = {"1", "t", "T", "true", "TRUE", "True"};

    for (size_t i = 0; i < ARRAY_LEN(off); i++)
        if (str_eq(text, off[i]))
            return 0;
    for (size_t i = 0; i < ARRAY_LEN(on); i++)
        if (str_eq(text, on[i]))
            return err_set(e, ERR_INVALID,
                           "log opt 'compress=%s' is not supported by the json-file log driver yet",
                           text);
    return err_set(e, ERR_INVALID, "strconv.ParseBool: parsing \"%s\": invalid syntax", text);
}

int json_file_opts_parse(const struct kvs *opts, struct json_file_opts *out, struct err *e)
{
    const char *size = kvs_get(opts, "max-size"), *files = kvs_get(opts, "max-file");
    const char *compress = kvs_get(opts, "compress"), *attrs = kvs_get(opts, LOG_OPT_ATTRS);

    *out = (struct json_file_opts){.max_size = -1, .max_files = 1, .attrs = attrs ? attrs : ""};
    if (size) {
        if (parse_decimal_size(size, &out->max_size, e))
            return -1;
        if (out->max_size <= 0)
            return err_set(e, ERR_INVALID, "max-size must be a positive number");
    }
    if (files) {
        if (parse_i64(files, INT_MIN, JSON_FILE_MAX_FILES, "max-file", &out->max_files, e))
            return -1;
        if (out->max_files < 1)
            return err_set(e, ERR_INVALID, "max-file cannot be less than 1");
    }
    return compress ? parse_compress(compress, e) : 0;
}

static int json_file_check(const struct kvs *opts, struct err *e)
{
    struct json_file_opts parsed;

    return log_opts_check(opts, "json-file", known_opts, ARRAY_LEN(known_opts), e) ||
                   json_file_opts_parse(opts, &parsed, e) || log_attrs_check(opts, e)
               ? -1
               : 0;
}

char *json_file_name(const char *path, int64_t n)
{
    return n == 0 ? xstrdup(path) : str_printf("%s.%lld", path, (long long)n);
}

const struct log_driver_ops log_driver_json_file = {
    .name = "json-file",
    .readable = true,
    .check = json_file_check,
    .open = json_file_open,
    .write = json_file_write,
    .flush = json_file_flush,
    .close = json_file_close,
    .read = json_file_read,
};
