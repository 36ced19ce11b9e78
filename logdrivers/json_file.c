/*
 * json_file: Docker's default log driver: its options and its ops table.
 *
 * Error texts are dockerd's (daemon/logger/jsonfilelog), since clients show them as they come.
 * Unlike dockerd's, a log that was given no max-size does not grow for ever: see DEFAULT_*.
 * max-size=-1, which is the default that Docker documents, says that it may.
 */
#include <limits.h>
#include <string.h>

#include "base/mem.h"
#include "logdrivers/log_attrs.h"
#include "logdrivers/log_file.h"
#include "logdrivers/logdrivers.h"

#define DEFAULT_MAX_SIZE  (100 * 1000 * 1000)
#define DEFAULT_MAX_FILES 3
#define UNLIMITED         "-1"

static const char *const known_opts[] = {
    "max-file", "max-size", "compress", "labels", "labels-regex", "env", "env-regex", "tag",
};

static int parse_max_size(const char *size, struct log_file_opts *out, struct err *e)
{
    if (str_eq(size, UNLIMITED)) {
        out->max_size = -1;
        return 0;
    }
    if (log_file_parse_size(size, &out->max_size, e))
        return -1;
    return out->max_size > 0 ? 0 : err_set(e, ERR_INVALID, "max-size must be a positive number");
}

static int parse(const struct kvs *opts, struct log_file_opts *out, struct err *e)
{
    const char *size = kvs_get(opts, "max-size"), *files = kvs_get(opts, "max-file");
    const char *compress = kvs_get(opts, "compress");

    *out = (struct log_file_opts){.max_size = DEFAULT_MAX_SIZE,
                                  .max_files = size ? 1 : DEFAULT_MAX_FILES,
                                  .attrs = kvs_get(opts, LOG_OPT_ATTRS),
                                  .compressor = kvs_get(opts, LOG_OPT_COMPRESSOR)};
    if (size && parse_max_size(size, out, e))
        return -1;
    if (files && parse_i64(files, INT_MIN, LOG_FILE_MAX_FILES, "max-file", &out->max_files, e))
        return err_set(e, ERR_INVALID, "strconv.Atoi: parsing \"%s\": invalid syntax", files);
    if (out->max_files < 1)
        return err_set(e, ERR_INVALID, "max-file cannot be less than 1");
    if (compress && log_file_parse_bool(compress, &out->compress, e))
        return -1;
    if (out->compress && (out->max_files < 2 || !size || out->max_size < 0))
        return err_set(
            e, ERR_INVALID,
            "compress cannot be true when max-file is less than 2 or max-size is not set");
    return 0;
}

static int json_check(const struct kvs *opts, struct err *e)
{
    struct log_file_opts parsed;

    return log_opts_check(opts, "json-file", known_opts, ARRAY_LEN(known_opts), e) ||
                   parse(opts, &parsed, e) || log_attrs_check(opts, e)
               ? -1
               : 0;
}

static int json_open(const char *path, const struct kvs *opts, struct log_writer **out,
                     struct err *e)
{
    struct log_file_opts o;

    return parse(opts, &o, e) ? -1 : log_file_open(&json_codec, path, &o, out, e);
}

static int json_read(const char *path, const struct log_read_opts *opts, struct cancel *c,
                     log_each_fn *each, void *arg, struct err *e)
{
    return log_file_read(&json_codec, path, opts, c, each, arg, e);
}

const struct log_driver_ops log_driver_json_file = {
    .name = "json-file",
    .readable = true,
    .check = json_check,
    .open = json_open,
    .write = log_file_write,
    .flush = log_file_flush,
    .close = log_file_close,
    .lost = log_file_lost,
    .read = json_read,
};
