/*
 * awslogs: batches of events to Amazon CloudWatch Logs.
 *
 * The stream is created when the container starts (and the group, if that is wished).  A batch has
 * at most MAX_EVENTS events and MAX_BYTES bytes, where each event counts EVENT_BYTES more than its
 * text, and is sorted by time; see the documentation of PutLogEvents.  Sequence tokens are not
 * needed any more, but a service that asks for one gets it.
 */
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/time.h"
#include "core/log_driver.h"
#include "logdrivers/log_address.h"
#include "logdrivers/remote/aws.h"
#include "logdrivers/remote/http.h"
#include "logdrivers/remote/multiline.h"
#include "logdrivers/remote/remote.h"

#define FLUSH_MS        5000
#define CALL_MS         10000
#define EVENT_BYTES     26
#define EVENT_MAX       (262144 - EVENT_BYTES)
#define MAX_BYTES       1048576
#define MAX_EVENTS      10000
#define QUEUE_LINES     4096
#define BODY_MAX        (16 * 1024 * 1024)
#define REFRESH_NS      (300 * NS_PER_SEC) /* before credentials expire */
#define API             "Logs_20140328."
#define AWSLOGS_SERVICE "logs"

struct event {
    int64_t ms;
    size_t at, len, cost; /* in texts */
    uint32_t lines;       /* of the container's */
};

struct remote {
    struct http *http;
    struct kvs env;
    char *url, *host, *region, *credentials_uri;
    char *group, *stream, *token;
    bool emf;
    int64_t flush_ms, max_lines;
    struct aws_keys keys;
    struct multiline multiline;
    struct buf open; /* an event that may go on */
    int64_t open_ms;
    uint32_t open_lines;
    struct buf texts;
    struct event *events;
    size_t n, bytes;
    size_t done;  /* events delivered, of a batch that did not get through whole */
    size_t lines; /* not delivered, the open ones included */
    int64_t since_ms;
};

/* ------------------------------------------------------------------ calls */

/* The service's name for what is wrong, and its words. */
static int service_error(const char *call, long status, const struct buf *reply, struct buf *name,
                         struct err *e)
{
    cleanup_json struct json_doc doc = {0};
    const char *type, *message;
    struct json root;

    if (json_parse(reply->data, reply->len, &doc, ERR_IGNORE))
        return err_set(e, status >= 500 || status == 429 ? ERR_UNAVAILABLE : ERR_DENIED,
                       "operation error CloudWatch Logs: %s, status %ld", call, status);
    root = json_root(&doc);
    type = json_get_str(&root, "__type");
    type = strchr(type, '#') ? strchr(type, '#') + 1 : type;
    message = json_get_str(&root, "message");
    buf_reset(name);
    buf_addf(name, "%s", type);
    return err_set(
        e, status >= 500 || str_eq(type, "ThrottlingException") ? ERR_UNAVAILABLE : ERR_DENIED,
        "operation error CloudWatch Logs: %s, %s: %s", call, type, message);
}

static int fresh_keys(struct remote *r, int64_t now, struct err *e)
{
    if (r->keys.id && (!r->keys.expires_ns || now < r->keys.expires_ns - REFRESH_NS))
        return 0;
    return aws_keys_find(r->http, &r->env, r->credentials_uri, &r->keys, e);
}

/* problem: the service's name of the error, when it was the service that refused. */
static int call(struct remote *r, const char *name, const struct buf *body, struct buf *reply,
                struct buf *problem, struct err *e)
{
    cleanup_free char *target = str_printf(API "%s", name);
    cleanup_kvs struct kvs headers = {0};
    const struct aws_request rq = {.region = r->region,
                                   .service = AWSLOGS_SERVICE,
                                   .host = r->host,
                                   .target = target,
                                   .body = body->data,
                                   .len = body->len,
                                   .now_ns = time_wall_ns()};
    const struct http_call post = {
        .method = "POST", .url = r->url, .headers = &headers, .body = body->data, .len = body->len};
    long status = 0;

    if (r->emf && str_eq(name, "PutLogEvents"))
        kvs_set(&headers, "x-amzn-logs-format", "json/emf");
    if (buf_check(body, "a request to CloudWatch Logs", e) || fresh_keys(r, rq.now_ns, e) ||
        aws_sign(&rq, &r->keys, &headers, e) || http_do(r->http, &post, &status, reply, e))
        return -1;
    return status == 200 ? 0 : service_error(name, status, reply, problem, e);
}

static int create(struct remote *r, const char *name, bool stream, struct buf *problem,
                  struct err *e)
{
    cleanup_buf struct buf body = BUF_INIT(8192), reply = BUF_INIT(HTTP_REPLY_MAX);
    struct jsonw w = JSONW_INIT(&body);

    jsonw_obj(&w);
    jsonw_kstr(&w, "logGroupName", r->group);
    if (stream)
        jsonw_kstr(&w, "logStreamName", r->stream);
    jsonw_end_obj(&w);
    if (call(r, name, &body, &reply, problem, e) == 0)
        return 0;
    return str_eq(problem->data, "ResourceAlreadyExistsException") ? 0 : -1;
}

static int create_stream(struct remote *r, bool with_group, struct err *e)
{
    cleanup_buf struct buf problem = BUF_INIT(256);

    if (create(r, "CreateLogStream", true, &problem, e) == 0)
        return 0;
    if (!with_group || !str_eq(problem.data, "ResourceNotFoundException"))
        return err_wrap(e, "failed to create Cloudwatch log stream");
    if (create(r, "CreateLogGroup", false, &problem, e))
        return err_wrap(e, "failed to create Cloudwatch log group");
    return create(r, "CreateLogStream", true, &problem, e)
               ? err_wrap(e, "failed to create Cloudwatch log stream")
               : 0;
}

/* ------------------------------------------------------------------ gathering */

/* Bytes that are no UTF-8 travel as three each. */
static size_t cost_of(const char *text, size_t len)
{
    size_t n = len + EVENT_BYTES;

    for (size_t i = 0; i < len; i++)
        n += (unsigned char)text[i] >= 0x80 ? 2 : 0;
    return n;
}

static void add_event(struct remote *r, const char *text, size_t len, int64_t ms, uint32_t lines)
{
    if (r->n == 0)
        r->since_ms = time_mono_ms();
    for (size_t at = 0; at < len;) {
        size_t n = len - at < EVENT_MAX ? len - at : EVENT_MAX;
        size_t cost = cost_of(text + at, n);

        if (cost > EVENT_MAX && n > EVENT_MAX / 3) { /* what grows on the way is cut shorter */
            n = EVENT_MAX / 3;
            cost = cost_of(text + at, n);
        }
        if ((r->n & (r->n - 1)) == 0)
            r->events = xrealloc(r->events, (r->n ? 2 * r->n : 1) * sizeof(*r->events));
        r->events[r->n++] = (struct event){
            .ms = ms, .at = r->texts.len, .len = n, .cost = cost, .lines = at == 0 ? lines : 0};
        buf_add(&r->texts, text + at, n);
        r->bytes += cost;
        at += n;
    }
}

static void close_event(struct remote *r)
{
    add_event(r, r->open.data, r->open.len, r->open_ms, r->open_lines);
    buf_reset(&r->open);
    r->open_lines = 0;
}

static int awslogs_write(struct remote *r, const struct remote_line *line, struct err *e)
{
    int64_t ms = line->unix_ns / NS_PER_MS;

    (void)e;
    if (!r->multiline.on) {
        r->lines += line->len > 0; /* an empty line is no event */
        add_event(r, line->bytes, line->len, ms, 1);
        return 0;
    }
    if (multiline_begins(&r->multiline, line->bytes, line->len) ||
        r->open.len + line->len + 1 > EVENT_MAX)
        close_event(r);
    if (r->open_lines == 0) {
        r->open_ms = ms;
        if (r->n == 0)
            r->since_ms = time_mono_ms();
    }
    buf_add(&r->open, line->bytes, line->len);
    buf_add(&r->open, "\n", 1);
    r->open_lines++;
    r->lines++;
    return 0;
}

static size_t awslogs_gathered(const struct remote *r)
{
    return r->lines;
}

static bool is_full(const struct remote *r)
{
    return r->n >= MAX_EVENTS || r->bytes + EVENT_MAX > MAX_BYTES;
}

static int64_t awslogs_due(const struct remote *r)
{
    return is_full(r) ? 0 : r->since_ms + r->flush_ms;
}

/* ------------------------------------------------------------------ putting */

static int by_time(const void *a, const void *b)
{
    const struct event *x = a, *y = b;

    if (x->ms != y->ms)
        return x->ms < y->ms ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at; /* in the order in which they came */
}

/* How many of the events that are left go into one call. */
static size_t slice(const struct remote *r)
{
    size_t n = r->done, bytes = 0;

    while (n < r->n && n - r->done < MAX_EVENTS && bytes + r->events[n].cost <= MAX_BYTES)
        bytes += r->events[n++].cost;
    return n;
}

static void write_events(const struct remote *r, size_t end, struct buf *body)
{
    struct jsonw w = JSONW_INIT(body);

    jsonw_obj(&w);
    jsonw_key(&w, "logEvents");
    jsonw_arr(&w);
    for (size_t i = r->done; i < end; i++) {
        jsonw_obj(&w);
        jsonw_key(&w, "message");
        jsonw_strn(&w, r->texts.data + r->events[i].at, r->events[i].len);
        jsonw_ki64(&w, "timestamp", r->events[i].ms);
        jsonw_end_obj(&w);
    }
    jsonw_end_arr(&w);
    jsonw_kstr(&w, "logGroupName", r->group);
    jsonw_kstr(&w, "logStreamName", r->stream);
    if (r->token)
        jsonw_kstr(&w, "sequenceToken", r->token);
    jsonw_end_obj(&w);
}

/* The token to be used next, from a reply of either kind. */
static void take_token(struct remote *r, const struct buf *reply, const char *key)
{
    cleanup_json struct json_doc doc = {0};
    struct json root;
    const char *token;

    if (json_parse(reply->data, reply->len, &doc, ERR_IGNORE))
        return;
    root = json_root(&doc);
    token = json_get_str(&root, key);
    str_set(&r->token, *token && !str_eq(token, "null") ? token : NULL);
}

static int put(struct remote *r, size_t end, bool again, struct err *e)
{
    cleanup_buf struct buf body = BUF_INIT(BODY_MAX), reply = BUF_INIT(HTTP_REPLY_MAX);
    cleanup_buf struct buf problem = BUF_INIT(256);

    write_events(r, end, &body);
    if (call(r, "PutLogEvents", &body, &reply, &problem, e) == 0) {
        take_token(r, &reply, "nextSequenceToken");
        return 0;
    }
    if (str_eq(problem.data, "DataAlreadyAcceptedException")) {
        take_token(r, &reply, "expectedSequenceToken");
        return 0;
    }
    if (str_eq(problem.data, "InvalidSequenceTokenException") && again) {
        take_token(r, &reply, "expectedSequenceToken");
        return put(r, end, false, e);
    }
    if (str_eq(problem.data, "InvalidParameterException"))
        e->kind = ERR_INVALID;
    return -1;
}

static void start_over(struct remote *r)
{
    r->n = r->done = r->bytes = r->lines = 0;
    buf_reset(&r->texts);
}

static int awslogs_flush(struct remote *r, struct err *e)
{
    if (r->open_lines > 0)
        close_event(r);
    if (r->done == 0)
        qsort(r->events, r->n, sizeof(*r->events), by_time);
    while (r->done < r->n) {
        size_t end = slice(r);

        if (put(r, end, true, e))
            return -1;
        for (; r->done < end; r->done++)
            r->lines -= r->events[r->done].lines;
    }
    start_over(r);
    return 0;
}

static size_t awslogs_drop(struct remote *r)
{
    size_t lines = r->lines;

    buf_reset(&r->open);
    r->open_lines = 0;
    start_over(r);
    return lines;
}

/* ------------------------------------------------------------------ opening */

static void awslogs_close(struct remote *r)
{
    char *const texts[] = {r->url,   r->host,   r->region, r->credentials_uri,
                           r->group, r->stream, r->token};

    http_free(r->http);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        free(texts[i]);
    kvs_release(&r->env);
    aws_keys_release(&r->keys);
    multiline_release(&r->multiline);
    buf_release(&r->open);
    buf_release(&r->texts);
    free(r->events);
    free(r);
}

static int set_region(struct remote *r, const struct remote_config *cfg, struct err *e)
{
    const char *given = kvs_get(&cfg->opts, "awslogs-region");
    cleanup_buf struct buf found = BUF_INIT(256);

    if (str_empty(given))
        given = kvs_get(&cfg->env, "AWS_REGION");
    if (str_empty(given) && aws_region_find(r->http, &cfg->env, &found, e))
        return -1;
    r->region = xstrdup(str_empty(given) ? found.data : given);
    return 0;
}

static int set_endpoint(struct remote *r, const struct remote_config *cfg, struct err *e)
{
    const char *const given[] = {kvs_get(&cfg->opts, "awslogs-endpoint"),
                                 kvs_get(&cfg->env, "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS"),
                                 kvs_get(&cfg->env, "AWS_ENDPOINT_URL")};
    cleanup_log_address struct log_address a = {0};
    const char *url = NULL;

    for (size_t i = 0; i < ARRAY_LEN(given) && !url; i++)
        url = str_empty(given[i]) ? NULL : given[i];
    r->url = url ? str_printf("%s%s", url, str_ends(url, "/") ? "" : "/")
                 : str_printf("https://logs.%s.amazonaws.com/", r->region);
    if (log_address_parse(r->url, &a, e))
        return -1;
    if (!str_starts(a.scheme, "http") || !*a.host || !str_eq(a.path, "/"))
        return err_set(e, ERR_INVALID, "awslogs-endpoint: %s is no scheme://host:port", r->url);
    r->host = *a.port ? str_printf("%s:%s", a.host, a.port) : xstrdup(a.host);
    return 0;
}

static int awslogs_open(const struct remote_config *cfg, struct remote **out, struct err *e)
{
    const struct http_setup setup = {.timeout_ms = CALL_MS};
    const char *stream = kvs_get(&cfg->opts, "awslogs-stream");
    struct remote *r = xcalloc(1, sizeof(*r));

    r->http = http_new(&setup);
    kvs_copy(&r->env, &cfg->env);
    r->open = BUF_INIT(EVENT_MAX + LOG_LINE_MAX + 1);
    r->texts = BUF_INIT(BODY_MAX);
    r->group = xstrdup(kvs_get(&cfg->opts, "awslogs-group"));
    r->stream = xstrdup(str_empty(stream) ? cfg->tag : stream);
    r->credentials_uri = str_dup_or_null(kvs_get(&cfg->opts, "awslogs-credentials-endpoint"));
    r->emf = str_eq(kvs_get(&cfg->opts, "awslogs-format"), "json/emf");
    r->flush_ms = remote_i64(cfg, "awslogs-force-flush-interval-seconds", FLUSH_MS / 1000) * 1000;
    r->max_lines = remote_i64(cfg, "awslogs-max-buffered-events", QUEUE_LINES);
    if (multiline_init(&r->multiline, &cfg->opts, e) || set_region(r, cfg, e) ||
        set_endpoint(r, cfg, e) ||
        (!cfg->again && create_stream(r, remote_bool(cfg, "awslogs-create-group", false), e))) {
        awslogs_close(r);
        return -1;
    }
    *out = r;
    return 0;
}

static struct remote_patience awslogs_patience(const struct remote *r)
{
    (void)r;
    return (struct remote_patience){500, 5000, 30000};
}

static void awslogs_limits(const struct remote *r, struct remote_limits *l)
{
    l->max_lines = (size_t)r->max_lines;
}

const struct remote_ops remote_awslogs = {
    .name = "awslogs",
    .open = awslogs_open,
    .write = awslogs_write,
    .close = awslogs_close,
    .patience = awslogs_patience,
    .limits = awslogs_limits,
    .flush = awslogs_flush,
    .due_ms = awslogs_due,
    .gathered = awslogs_gathered,
    .drop = awslogs_drop,
};
