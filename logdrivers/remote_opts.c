/* remote_opts: see remote_opts.h.  The texts and the order of the checks are dockerd's. */
#include "logdrivers/remote_opts.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "logdrivers/log_address.h"
#include "logdrivers/log_attrs.h"
#include "logdrivers/logdrivers.h"

const char *remote_network(const char *scheme)
{
    static const struct {
        const char *scheme, *network;
    } known[] = {
        {"tcp",      "tcp"     },
        {"tcp+tls",  "tcp"     },
        {"tls",      "tcp"     },
        {"udp",      "udp"     },
        {"unix",     "unix"    },
        {"unixgram", "unixgram"},
    };

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (str_eq(scheme, known[i].scheme))
            return known[i].network;
    return NULL;
}

int remote_parse_bool(const char *text, bool *out, struct err *e)
{
    static const char *const words[] = {"1", "t", "T", "true",  "TRUE",  "True",
                                        "0", "f", "F", "false", "FALSE", "False"};

    if (str_empty(text))
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (str_eq(text, words[i])) {
            *out = i < ARRAY_LEN(words) / 2;
            return 0;
        }
    return err_set(e, ERR_INVALID, "strconv.ParseBool: parsing \"%s\": invalid syntax", text);
}

bool remote_has_cache(const struct kvs *opts)
{
    bool disabled = false;

    (void)!remote_parse_bool(kvs_get(opts, "cache-disabled"), &disabled, ERR_IGNORE);
    return !disabled;
}

static int parse_go_duration(const char *text, int64_t *ns, struct err *e)
{
    if (parse_duration(text, "", ns, ERR_IGNORE))
        return err_set(e, ERR_INVALID, "time: invalid duration \"%s\"", text);
    return 0;
}

static int parse_go_uint(const char *text, struct err *e)
{
    uint64_t n;

    if (parse_u64(text, 0, UINT64_MAX, "", &n, ERR_IGNORE))
        return err_set(e, ERR_INVALID, "strconv.ParseUint: parsing \"%s\": invalid syntax", text);
    return 0;
}

/* ------------------------------------------------------------------ syslog */

int syslog_format_parse(const char *text, enum syslog_format *out, struct err *e)
{
    static const char *const names[] = {
        [SYSLOG_DEFAULT] = "",
        [SYSLOG_RFC3164] = "rfc3164",
        [SYSLOG_RFC5424] = "rfc5424",
        [SYSLOG_RFC5424MICRO] = "rfc5424micro",
    };

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_eq(text ? text : "", names[i])) {
            *out = (enum syslog_format)i;
            return 0;
        }
    return err_set(e, ERR_INVALID, "Invalid syslog format");
}

int syslog_facility_parse(const char *text, int *out, struct err *e)
{
    static const char *const names[] = {
        "kern",   "user",   "mail",     "daemon", "auth",   "syslog", "lpr",    "news",
        "uucp",   "cron",   "authpriv", "ftp",    NULL,     NULL,     NULL,     NULL,
        "local0", "local1", "local2",   "local3", "local4", "local5", "local6", "local7",
    };
    int64_t n;

    if (str_empty(text))
        text = "daemon";
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (names[i] && str_eq(text, names[i])) {
            *out = (int)i;
            return 0;
        }
    if (parse_i64(text, 0, 23, "facility", &n, ERR_IGNORE))
        return err_set(e, ERR_INVALID, "invalid syslog facility");
    *out = (int)n;
    return 0;
}

static int check_syslog_address(const char *text, struct err *e)
{
    cleanup_log_address struct log_address a = {0};
    struct stat st;

    if (str_empty(text))
        return 0;
    if (log_address_parse(text, &a, e))
        return -1;
    if (!remote_network(a.scheme) || str_eq(a.scheme, "tls"))
        return err_set(e, ERR_INVALID, "unsupported scheme: '%s'", a.scheme);
    if (str_starts(a.scheme, "unix") && stat(a.path, &st))
        return err_set(e, ERR_INVALID, "stat %s: no such file or directory", a.path);
    return 0;
}

static int check_syslog(const struct kvs *opts, struct err *e)
{
    enum syslog_format format;
    int facility;

    return check_syslog_address(kvs_get(opts, "syslog-address"), e) ||
                   syslog_facility_parse(kvs_get(opts, "syslog-facility"), &facility, e) ||
                   syslog_format_parse(kvs_get(opts, "syslog-format"), &format, e)
               ? -1
               : 0;
}

/* ------------------------------------------------------------------ gelf */

static int unknown_gelf_value(const char *key, const char *value, struct err *e)
{
    return err_set(e, ERR_INVALID, "unknown value \"%s\" for log opt \"%s\" for gelf log driver",
                   value, key);
}

static int check_gelf_compression(const struct kvs *opts, bool udp, struct err *e)
{
    const char *type = kvs_get(opts, "gelf-compression-type");
    const char *level = kvs_get(opts, "gelf-compression-level");
    int64_t n;

    if ((type || level) && !udp)
        return err_set(e, ERR_INVALID, "compression is only supported on UDP");
    if (level && parse_i64(level, -1, 9, "level", &n, ERR_IGNORE))
        return unknown_gelf_value("gelf-compression-level", level, e);
    if (type && !str_eq(type, "gzip") && !str_eq(type, "zlib") && !str_eq(type, "none"))
        return unknown_gelf_value("gelf-compression-type", type, e);
    return 0;
}

static int check_gelf(const struct kvs *opts, struct err *e)
{
    static const char *const numbers[] = {"gelf-tcp-max-reconnect", "gelf-tcp-reconnect-delay"};
    const char *text = kvs_get(opts, "gelf-address");
    cleanup_log_address struct log_address a = {0};
    bool udp;

    if (str_empty(text))
        return err_set(e, ERR_INVALID, "gelf-address is a required parameter");
    if (log_address_parse(text, &a, e))
        return -1;
    udp = str_eq(a.scheme, "udp");
    if (!udp && !str_eq(a.scheme, "tcp"))
        return err_set(e, ERR_INVALID, "gelf: endpoint needs to be TCP or UDP");
    if (!*a.port)
        return err_set(e, ERR_INVALID, "gelf: please provide gelf-address as proto://host:port");
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        const char *v = kvs_get(opts, numbers[i]);
        int64_t n;

        if (v && udp)
            return err_set(e, ERR_INVALID, "\"%s\" is only valid for TCP", numbers[i]);
        if (v && parse_i64(v, 0, INT32_MAX, numbers[i], &n, ERR_IGNORE))
            return err_set(e, ERR_INVALID, "\"%s\" must be a positive integer", numbers[i]);
    }
    return check_gelf_compression(opts, udp, e);
}

/* ------------------------------------------------------------------ fluentd */

int fluentd_address_parse(const char *given, struct log_address *out, struct err *e)
{
    cleanup_free char *text = NULL;
    struct err why = ERR_INIT;
    uint64_t port;

    if (str_empty(given))
        given = "127.0.0.1:24224";
    text = strstr(given, "://") ? xstrdup(given) : str_printf("tcp://%s", given);
    if (log_address_parse(text, out, &why))
        return err_set(e, ERR_INVALID, "invalid fluentd-address (%s): %s", given, why.msg);
    if (str_eq(out->scheme, "unix")) {
        if (str_empty(out->path) || str_eq(out->path, "/"))
            return err_set(e, ERR_INVALID, "invalid fluentd-address (%s): path is empty", given);
        return 0;
    }
    if (!str_eq(out->scheme, "tcp") && !str_eq(out->scheme, "tls"))
        return err_set(e, ERR_INVALID, "invalid fluentd-address (%s): unsupported scheme: '%s'",
                       given, out->scheme);
    if (!str_empty(out->path))
        return err_set(e, ERR_INVALID,
                       "invalid fluentd-address (%s): should not contain a path element", given);
    if (*out->port && parse_u64(out->port, 0, 65535, "port", &port, ERR_IGNORE))
        return err_set(e, ERR_INVALID,
                       "invalid fluentd-address (%s): invalid port: strconv.ParseUint: parsing "
                       "\"%s\": value out of range",
                       given, out->port);
    if (!*out->port)
        str_set(&out->port, "24224");
    if (!*out->host)
        str_set(&out->host, "127.0.0.1");
    return 0;
}

static int check_reconnect_interval(const char *text, struct err *e)
{
    static const char key[] = "fluentd-async-reconnect-interval";
    const int64_t ms = 1000000;
    int64_t ns;

    if (str_empty(text))
        return 0;
    if (parse_go_duration(text, &ns, e))
        return err_wrap(e, "invalid value for %s", key);
    if (ns != 0 && (ns < 100 * ms || ns > 10000 * ms))
        return err_set(e, ERR_INVALID,
                       "invalid value for %s: value (\"%s\") must be between 100ms and 10s", key,
                       text);
    return 0;
}

static int check_write_timeout(const char *text, struct err *e)
{
    int64_t ns;

    if (str_empty(text))
        return 0;
    if (*text == '-' && parse_go_duration(text + 1, &ns, ERR_IGNORE) == 0)
        return err_set(e, ERR_INVALID,
                       "invalid value for fluentd-write-timeout: value must be a duration that is "
                       "non-negative");
    if (parse_go_duration(text, &ns, e))
        return err_wrap(e, "invalid value for fluentd-write-timeout: value must be a duration");
    return 0;
}

static int check_fluentd(const struct kvs *opts, struct err *e)
{
    static const char *const bools[] = {"fluentd-async", "fluentd-sub-second-precision",
                                        "fluentd-request-ack"};
    const char *limit = kvs_get(opts, "fluentd-buffer-limit");
    const char *wait = kvs_get(opts, "fluentd-retry-wait");
    const char *retries = kvs_get(opts, "fluentd-max-retries");
    cleanup_log_address struct log_address a = {0};
    int64_t n;
    bool flag;

    if (fluentd_address_parse(kvs_get(opts, "fluentd-address"), &a, e))
        return -1;
    if (!str_empty(limit) && parse_size(limit, "", &n, ERR_IGNORE))
        return err_set(e, ERR_INVALID, "invalid size: '%s'", limit);
    if ((!str_empty(wait) && parse_go_duration(wait, &n, e)) ||
        (!str_empty(retries) && parse_go_uint(retries, e)))
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(bools); i++)
        if (remote_parse_bool(kvs_get(opts, bools[i]), &flag, e))
            return -1;
    return check_reconnect_interval(kvs_get(opts, "fluentd-async-reconnect-interval"), e) ||
                   check_write_timeout(kvs_get(opts, "fluentd-write-timeout"), e)
               ? -1
               : 0;
}

/* ------------------------------------------------------------------ awslogs */

static int check_awslogs(const struct kvs *opts, struct err *e)
{
    static const char *const positive[] = {"awslogs-force-flush-interval-seconds",
                                           "awslogs-max-buffered-events"};
    const char *create = kvs_get(opts, "awslogs-create-group");
    const char *format = kvs_get(opts, "awslogs-format");
    bool by_time = kvs_get(opts, "awslogs-datetime-format") != NULL;
    bool by_pattern = kvs_get(opts, "awslogs-multiline-pattern") != NULL, flag;
    int64_t n;

    if (str_empty(kvs_get(opts, "awslogs-group")))
        return err_set(e, ERR_INVALID, "must specify a value for log opt 'awslogs-group'");
    if (remote_parse_bool(create, &flag, e))
        return err_wrap(e, "must specify valid value for log opt 'awslogs-create-group'");
    for (size_t i = 0; i < ARRAY_LEN(positive); i++) {
        const char *v = kvs_get(opts, positive[i]);

        if (!str_empty(v) && parse_i64(v, 1, INT32_MAX, "", &n, ERR_IGNORE))
            return err_set(e, ERR_INVALID, "must specify a positive integer for log opt '%s': %s",
                           positive[i], v);
    }
    if (by_time && by_pattern)
        return err_set(e, ERR_INVALID,
                       "you cannot configure log opt 'awslogs-datetime-format' and "
                       "'awslogs-multiline-pattern' at the same time");
    if (str_empty(format))
        return 0;
    if (!str_eq(format, "json/emf"))
        return err_set(e, ERR_INVALID, "unsupported log format '%s'", format);
    if (by_time || by_pattern)
        return err_set(e, ERR_INVALID,
                       "you cannot configure log opt 'awslogs-datetime-format' or "
                       "'awslogs-multiline-pattern' when log opt 'awslogs-format' is set to "
                       "'json/emf'");
    return 0;
}

/* ------------------------------------------------------------------ the table */

#define ATTRS "labels", "labels-regex", "env", "env-regex", "tag"

static const char *const journald_opts[] = {ATTRS};
static const char *const syslog_opts[] = {
    ATTRS,
    "syslog-address",
    "syslog-facility",
    "syslog-tls-ca-cert",
    "syslog-tls-cert",
    "syslog-tls-key",
    "syslog-tls-skip-verify",
    "syslog-format",
};
static const char *const gelf_opts[] = {
    ATTRS,
    "gelf-address",
    "gelf-compression-level",
    "gelf-compression-type",
    "gelf-tcp-max-reconnect",
    "gelf-tcp-reconnect-delay",
};
static const char *const fluentd_opts[] = {
    ATTRS,
    "fluentd-address",
    "fluentd-async",
    "fluentd-async-reconnect-interval",
    "fluentd-buffer-limit",
    "fluentd-max-retries",
    "fluentd-request-ack",
    "fluentd-retry-wait",
    "fluentd-sub-second-precision",
    "fluentd-write-timeout",
};
static const char *const splunk_opts[] = {
    ATTRS,
    "splunk-url",
    "splunk-token",
    "splunk-source",
    "splunk-sourcetype",
    "splunk-index",
    "splunk-capath",
    "splunk-caname",
    "splunk-insecureskipverify",
    "splunk-format",
    "splunk-verify-connection",
    "splunk-gzip",
    "splunk-gzip-level",
    "splunk-index-acknowledgment",
};
static const char *const awslogs_opts[] = {
    "tag",
    "awslogs-group",
    "awslogs-stream",
    "awslogs-create-group",
    "awslogs-region",
    "awslogs-endpoint",
    "awslogs-datetime-format",
    "awslogs-multiline-pattern",
    "awslogs-credentials-endpoint",
    "awslogs-force-flush-interval-seconds",
    "awslogs-max-buffered-events",
    "awslogs-format",
};

static const struct {
    const char *driver;
    const char *const *known;
    size_t n_known;
    int (*check)(const struct kvs *opts, struct err *e);
    char quote; /* around the name of an unknown option */
} drivers[] = {
    {"awslogs",  awslogs_opts,  ARRAY_LEN(awslogs_opts),  check_awslogs, '\''},
    {"fluentd",  fluentd_opts,  ARRAY_LEN(fluentd_opts),  check_fluentd, '\''},
    {"gelf",     gelf_opts,     ARRAY_LEN(gelf_opts),     check_gelf,    '"' },
    {"journald", journald_opts, ARRAY_LEN(journald_opts), NULL,          '\''},
    {"splunk",   splunk_opts,   ARRAY_LEN(splunk_opts),   NULL,          '\''},
    {"syslog",   syslog_opts,   ARRAY_LEN(syslog_opts),   check_syslog,  '\''},
};

/* dockerd's gelf misses its address before it looks at anything else, and quotes with ". */
static int check_known(size_t driver, const struct kvs *opts, struct err *e)
{
    const char quote = drivers[driver].quote;

    for (size_t i = 0; i < opts->n; i++) {
        const char *key = opts->v[i].k;
        bool found = log_opt_is_common(key);

        for (size_t k = 0; !found && k < drivers[driver].n_known; k++)
            found = str_eq(key, drivers[driver].known[k]);
        if (found)
            continue;
        if (quote == '"' && str_empty(kvs_get(opts, "gelf-address")))
            return check_gelf(opts, e);
        return err_set(e, ERR_INVALID, "unknown log opt %c%s%c for %s log driver", quote, key,
                       quote, drivers[driver].driver);
    }
    return 0;
}

int remote_opts_check(const char *driver, const struct kvs *opts, struct err *e)
{
    size_t i = 0;

    while (i < ARRAY_LEN(drivers) && !str_eq(drivers[i].driver, driver))
        i++;
    if (i == ARRAY_LEN(drivers))
        return err_set(e, ERR_INTERNAL, "%s is no remote log driver", driver);
    return log_opts_check_common(opts, e) || check_known(i, opts, e) ||
                   (drivers[i].check && drivers[i].check(opts, e)) || log_attrs_check(opts, e)
               ? -1
               : 0;
}
