/*
 * splunk: batches of events to Splunk's HTTP Event Collector.
 *
 * A batch is posted when it has BATCH_LINES lines or is BATCH_MS old; both, as for dockerd, can be
 * set in the agent's environment.  Formats: inline (the line as text), json (as it is, if it is
 * JSON), raw (tag and attributes in front of it).
 */
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/buf.h"
#include "base/id.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/time.h"
#include "core/log_driver.h"
#include "logdrivers/log_address.h"
#include "logdrivers/remote/http.h"
#include "logdrivers/remote/remote.h"
#include "logdrivers/remote_opts.h"

#define BATCH_LINES 1000
#define BATCH_MS    5000
#define BATCH_BYTES (8 * 1024 * 1024) /* posted when it has grown so far */
#define SEND_MS     30000
#define PATH        "/services/collector/event/1.0"

enum splunk_format { INLINE, JSON, RAW };

struct remote {
    struct http *http;
    char *url;
    struct kvs headers;
    enum splunk_format format;
    bool gzip;
    int level;
    int64_t batch_lines, batch_ms;
    struct buf event_end; /* inline, json: what follows the line; raw: what is in front of it */
    struct buf message_end;
    struct buf batch;
    size_t lines;
    int64_t since_ms;
};

/* ------------------------------------------------------------------ events */

static bool is_blank(const struct remote_line *l)
{
    for (size_t i = 0; i < l->len; i++)
        if (!isspace((unsigned char)l->bytes[i]))
            return false;
    return true;
}

static bool is_json(const struct remote_line *l)
{
    cleanup_json struct json_doc doc = {0};

    return json_parse(l->bytes, l->len, &doc, ERR_IGNORE) == 0;
}

static void add_string(struct buf *b, const char *s, size_t n)
{
    struct jsonw w = JSONW_INIT(b);

    jsonw_strn(&w, s, n);
}

static void add_pair(struct buf *b, const char *before, const char *value)
{
    buf_add(b, before, strlen(before));
    add_string(b, value, strlen(value));
}

static void add_event(struct remote *r, const struct remote_line *l)
{
    struct buf *b = &r->batch;

    buf_addf(b, "{\"event\":");
    if (r->format == RAW) {
        cleanup_buf struct buf text = BUF_INIT(4 * LOG_LINE_MAX + LOG_LINE_MAX);

        buf_add(&text, r->event_end.data, r->event_end.len);
        buf_add(&text, l->bytes, l->len);
        add_string(b, text.data, text.len);
    } else {
        buf_addf(b, "{\"line\":");
        if (r->format == JSON && is_json(l))
            buf_add(b, l->bytes, l->len);
        else
            add_string(b, l->bytes, l->len);
        buf_addf(b, ",\"source\":\"%s\"", l->from_stderr ? "stderr" : "stdout");
        buf_add(b, r->event_end.data, r->event_end.len);
        buf_add(b, "}", 1);
    }
    buf_addf(b, ",\"time\":\"%lld.%06d\"", (long long)(l->unix_ns / NS_PER_SEC),
             (int)(l->unix_ns % NS_PER_SEC / 1000));
    buf_add(b, r->message_end.data, r->message_end.len);
    buf_add(b, "}", 1);
}

static int splunk_write(struct remote *r, const struct remote_line *line, struct err *e)
{
    (void)e;
    if (r->format == RAW && is_blank(line))
        return 0; /* the collector does not take it */
    if (r->lines == 0)
        r->since_ms = time_mono_ms();
    add_event(r, line);
    r->lines++;
    return 0;
}

/* ------------------------------------------------------------------ posting */

static int pack(const struct remote *r, struct buf *out, struct err *e)
{
    z_stream z = {.next_in = (Bytef *)r->batch.data, .avail_in = (uInt)r->batch.len};
    char bytes[16384];
    int code;

    if (deflateInit2(&z, r->level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return err_set(e, ERR_INTERNAL, "splunk: compression cannot be set up");
    do {
        z.next_out = (Bytef *)bytes;
        z.avail_out = sizeof(bytes);
        code = deflate(&z, Z_FINISH);
        buf_add(out, bytes, sizeof(bytes) - z.avail_out);
    } while (code == Z_OK);
    deflateEnd(&z);
    return code == Z_STREAM_END ? buf_check(out, "a splunk batch", e)
                                : err_set(e, ERR_INTERNAL, "splunk: compression failed");
}

static int failed(const char *what, long status, const struct buf *reply, struct err *e)
{
    bool never = status == 400 || status == 413;

    return err_set(e, never ? ERR_INVALID : ERR_UNAVAILABLE, "splunk: failed to %s - %ld - %.256s",
                   what, status, reply->data);
}

static void start_over(struct remote *r)
{
    buf_reset(&r->batch);
    r->lines = 0;
}

static int splunk_flush(struct remote *r, struct err *e)
{
    cleanup_buf struct buf packed = BUF_INIT(4 * BATCH_BYTES), reply = BUF_INIT(HTTP_REPLY_MAX);
    struct http_call call = {.method = "POST",
                             .url = r->url,
                             .headers = &r->headers,
                             .body = r->batch.data,
                             .len = r->batch.len};
    long status = 0;

    if (buf_check(&r->batch, "a splunk batch", e)) {
        e->kind = ERR_INVALID;
        return -1;
    }
    if (r->gzip) {
        if (pack(r, &packed, e))
            return -1;
        call.body = packed.data;
        call.len = packed.len;
    }
    if (http_do(r->http, &call, &status, &reply, e))
        return -1;
    if (status != 200)
        return failed("send event", status, &reply, e);
    start_over(r);
    return 0;
}

static int64_t splunk_due(const struct remote *r)
{
    bool full = r->lines >= (size_t)r->batch_lines || r->batch.len >= BATCH_BYTES;

    return full ? 0 : r->since_ms + r->batch_ms;
}

static size_t splunk_gathered(const struct remote *r)
{
    return r->lines;
}

static size_t splunk_drop(struct remote *r)
{
    size_t n = r->lines;

    start_over(r);
    return n;
}

/* ------------------------------------------------------------------ opening */

static int set_url(struct remote *r, const struct remote_config *cfg, struct err *e)
{
    const char *text = kvs_get(&cfg->opts, "splunk-url");
    cleanup_log_address struct log_address a = {0};
    bool six;

    if (!text)
        return err_set(e, ERR_INVALID, "splunk: splunk-url is expected");
    if (log_address_parse(text, &a, ERR_IGNORE))
        return err_set(e, ERR_INVALID, "splunk: failed to parse %s as url value in splunk-url",
                       text);
    if ((!str_eq(a.scheme, "http") && !str_eq(a.scheme, "https")) || !*a.host ||
        (*a.path && !str_eq(a.path, "/")) || strpbrk(text, "?#"))
        return err_set(e, ERR_INVALID,
                       "splunk: expected format scheme://dns_name_or_ip:port for splunk-url");
    six = strchr(a.host, ':') != NULL;
    r->url = str_printf("%s://%s%s%s%s%s" PATH, a.scheme, six ? "[" : "", a.host, six ? "]" : "",
                        *a.port ? ":" : "", a.port);
    return 0;
}

static int set_format(struct remote *r, const struct remote_config *cfg, struct err *e)
{
    static const char *const names[] = {[INLINE] = "inline", [JSON] = "json", [RAW] = "raw"};
    const char *text = kvs_get(&cfg->opts, "splunk-format");

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (!text || str_eq(text, names[i])) {
            r->format = (enum splunk_format)i;
            return 0;
        }
    return err_set(e, ERR_INVALID,
                   "unknown format specified %s, supported formats are inline, json and raw", text);
}

static int set_gzip(struct remote *r, const struct remote_config *cfg, struct err *e)
{
    const char *level = kvs_get(&cfg->opts, "splunk-gzip-level");
    int64_t n = Z_DEFAULT_COMPRESSION;

    if (remote_parse_bool(kvs_get(&cfg->opts, "splunk-gzip"), &r->gzip, e))
        return -1;
    if (level && parse_i64(level, INT32_MIN, INT32_MAX, "", &n, ERR_IGNORE))
        return err_set(e, ERR_INVALID, "strconv.ParseInt: parsing \"%s\": invalid syntax", level);
    if (n < Z_DEFAULT_COMPRESSION || n > Z_BEST_COMPRESSION)
        return err_set(e, ERR_INVALID,
                       "not supported level '%s' for splunk-gzip-level (supported values between "
                       "-1 and 9)",
                       level);
    r->level = (int)n;
    return 0;
}

static int set_http(struct remote *r, const struct remote_config *cfg, struct err *e)
{
    struct http_setup setup = {.ca_file = kvs_get(&cfg->opts, "splunk-capath"),
                               .server_name = kvs_get(&cfg->opts, "splunk-caname"),
                               .timeout_ms = SEND_MS};
    const char *token = kvs_get(&cfg->opts, "splunk-token");
    bool channel = false;

    if (!token)
        return err_set(e, ERR_INVALID, "splunk: splunk-token is expected");
    if (remote_parse_bool(kvs_get(&cfg->opts, "splunk-insecureskipverify"), &setup.skip_verify,
                          e) ||
        remote_parse_bool(kvs_get(&cfg->opts, "splunk-index-acknowledgment"), &channel, e) ||
        set_gzip(r, cfg, e))
        return -1;
    if (setup.ca_file && access(setup.ca_file, R_OK))
        return err_os(e, errno, "open %s", setup.ca_file);
    kvs_setf(&r->headers, "Authorization", "Splunk %s", token);
    kvs_set(&r->headers, "Content-Type", "application/json");
    if (r->gzip)
        kvs_set(&r->headers, "Content-Encoding", "gzip");
    if (channel) {
        char id[ID_LEN + 1];

        id_new(id);
        kvs_setf(&r->headers, "X-Splunk-Request-Channel", "%.8s-%.4s-%.4s-%.4s-%.12s", id, id + 8,
                 id + 12, id + 16, id + 20);
    }
    r->http = http_new(&setup);
    return 0;
}

static void add_constants(struct remote *r, const struct remote_config *cfg)
{
    static const struct {
        const char *option, *before;
    } parts[] = {
        {"splunk-source",     ",\"source\":"    },
        {"splunk-sourcetype", ",\"sourcetype\":"},
        {"splunk-index",      ",\"index\":"     },
    };
    struct buf *event = &r->event_end;

    add_pair(&r->message_end, ",\"host\":", cfg->host);
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (!str_empty(kvs_get(&cfg->opts, parts[i].option)))
            add_pair(&r->message_end, parts[i].before, kvs_get(&cfg->opts, parts[i].option));
    if (r->format == RAW) {
        if (*cfg->tag)
            buf_addf(event, "%s ", cfg->tag);
        for (size_t i = 0; i < cfg->attrs.n; i++)
            buf_addf(event, "%s=%s ", cfg->attrs.v[i].k, cfg->attrs.v[i].v);
        return;
    }
    if (*cfg->tag)
        add_pair(event, ",\"tag\":", cfg->tag);
    if (cfg->attrs.n > 0) {
        struct jsonw w = JSONW_INIT(event);

        buf_addf(event, ",\"attrs\":");
        jsonw_kvs(&w, &cfg->attrs);
    }
}

static int verify(struct remote *r, const struct remote_config *cfg, struct err *e)
{
    cleanup_buf struct buf reply = BUF_INIT(HTTP_REPLY_MAX);
    const struct http_call call = {.method = "OPTIONS", .url = r->url};
    bool wanted = true;
    long status = 0;

    if (remote_parse_bool(kvs_get(&cfg->opts, "splunk-verify-connection"), &wanted, e))
        return -1;
    if (!wanted || cfg->again)
        return 0;
    if (http_do(r->http, &call, &status, &reply, e))
        return -1;
    return status == 200 ? 0 : failed("verify connection", status, &reply, e);
}

static void splunk_close(struct remote *r)
{
    http_free(r->http);
    free(r->url);
    kvs_release(&r->headers);
    buf_release(&r->event_end);
    buf_release(&r->message_end);
    buf_release(&r->batch);
    free(r);
}

/* As dockerd: what cannot be read counts as not set. */
static void read_env(struct remote *r, const struct remote_config *cfg)
{
    const char *lines = kvs_get(&cfg->env, "SPLUNK_LOGGING_DRIVER_POST_MESSAGES_BATCH_SIZE");
    const char *age = kvs_get(&cfg->env, "SPLUNK_LOGGING_DRIVER_POST_MESSAGES_FREQUENCY");
    int64_t ns;

    if (str_empty(lines) || parse_i64(lines, 1, INT32_MAX, "lines", &r->batch_lines, ERR_IGNORE))
        r->batch_lines = BATCH_LINES;
    r->batch_ms =
        str_empty(age) || parse_duration(age, "age", &ns, ERR_IGNORE) ? BATCH_MS : ns / NS_PER_MS;
}

static int splunk_open(const struct remote_config *cfg, struct remote **out, struct err *e)
{
    struct remote *r = xcalloc(1, sizeof(*r));

    r->event_end = r->message_end = BUF_INIT(LOG_LINE_MAX);
    r->batch = BUF_INIT(2 * BATCH_BYTES);
    read_env(r, cfg);
    if (set_url(r, cfg, e) || set_http(r, cfg, e) || set_format(r, cfg, e)) {
        splunk_close(r);
        return -1;
    }
    add_constants(r, cfg);
    if (buf_check(&r->event_end, "splunk attributes", e) ||
        buf_check(&r->message_end, "splunk attributes", e) || verify(r, cfg, e)) {
        splunk_close(r);
        return -1;
    }
    *out = r;
    return 0;
}

static struct remote_patience splunk_patience(const struct remote *r)
{
    (void)r;
    return (struct remote_patience){500, 5000, SEND_MS};
}

const struct remote_ops remote_splunk = {
    .name = "splunk",
    .open = splunk_open,
    .write = splunk_write,
    .close = splunk_close,
    .patience = splunk_patience,
    .flush = splunk_flush,
    .due_ms = splunk_due,
    .gathered = splunk_gathered,
    .drop = splunk_drop,
};
