/*
 * fetch: see fetch.h.
 *
 * The body goes through a ring that is filled from curl's callback.  When it is full, the transfer
 * is paused; the kernel's buffers then hold the peer back.
 */
#include "images/fetch.h"

#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <strings.h>

#include "base/cancel.h"
#include "base/mem.h"

#define RING              (512 * 1024)
#define CURL_PIECE        (128 * 1024)
#define REDIRECTS_MAX     10
#define HEADER_LINES_MAX  200
#define CONNECT_TIMEOUT_S 30
#define STALL_S           60

struct fetch {
    CURLM *multi;
    CURL *easy;
    struct cancel *c;
    char *user_agent;
    struct curl_slist *headers;
    char *url;
    char *method;
    char error[CURL_ERROR_SIZE];

    struct fetch_response head;
    unsigned header_lines;
    bool attached, head_done, done, paused, can_retry;
    CURLcode result;
    size_t pos, len; /* in ring: unread is pos..len */
    char ring[RING];
};

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void init_curl(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

struct fetch *fetch_new(const char *user_agent, struct cancel *c)
{
    struct fetch *f = xmalloc(sizeof(*f));

    pthread_once(&once, init_curl);
    memset(f, 0, offsetof(struct fetch, ring));
    f->multi = curl_multi_init();
    f->easy = curl_easy_init();
    if (!f->multi || !f->easy)
        abort(); /* out of memory, as everywhere */
    f->c = c;
    f->user_agent = xstrdup(user_agent);
    return f;
}

static void forget_head(struct fetch *f)
{
    free(f->head.content_type);
    free(f->head.digest);
    strv_release(&f->head.challenges);
    f->head = (struct fetch_response){.length = -1};
}

static void detach(struct fetch *f)
{
    if (f->attached)
        curl_multi_remove_handle(f->multi, f->easy);
    f->attached = false;
    curl_slist_free_all(f->headers);
    f->headers = NULL;
}

void fetch_free(struct fetch *f)
{
    if (!f)
        return;
    detach(f);
    curl_easy_cleanup(f->easy);
    curl_multi_cleanup(f->multi);
    forget_head(f);
    free(f->user_agent);
    free(f->url);
    free(f->method);
    free(f);
}

/* ---- curl's callbacks */

static size_t take_body(char *p, size_t size, size_t n, void *arg)
{
    struct fetch *f = arg;

    n *= size;
    if (f->pos == f->len)
        f->pos = f->len = 0;
    if (RING - f->len < n) {
        memmove(f->ring, f->ring + f->pos, f->len - f->pos);
        f->len -= f->pos;
        f->pos = 0;
    }
    if (RING - f->len < n) {
        f->paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    memcpy(f->ring + f->len, p, n);
    f->len += n;
    return n;
}

static char *header_value(const char *line, size_t n, const char *name)
{
    size_t k = strlen(name);
    char *copy, *value;

    if (n <= k || line[k] != ':' || strncasecmp(line, name, k) != 0)
        return NULL;
    copy = str_ndup(line + k + 1, n - k - 1);
    value = xstrdup(str_trim(copy));
    free(copy);
    return value;
}

static void take_header_line(struct fetch *f, const char *line, size_t n)
{
    char *v;

    if ((v = header_value(line, n, "Content-Type"))) {
        free(f->head.content_type);
        f->head.content_type = v;
    } else if ((v = header_value(line, n, "Docker-Content-Digest"))) {
        free(f->head.digest);
        f->head.digest = v;
    } else if ((v = header_value(line, n, "WWW-Authenticate"))) {
        strv_take(&f->head.challenges, v);
    }
}

/* Answers that are not the last one (100, redirects) come through here as well. */
static size_t take_header(char *line, size_t size, size_t n, void *arg)
{
    struct fetch *f = arg;
    curl_off_t length = -1;

    n *= size;
    if (n >= 5 && !strncmp(line, "HTTP/", 5)) {
        forget_head(f);
        f->header_lines = 0;
        return n;
    }
    if (++f->header_lines > HEADER_LINES_MAX)
        return 0;
    if (line[0] != '\r' && line[0] != '\n') {
        take_header_line(f, line, n);
        return n;
    }
    curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &f->head.status);
    curl_easy_getinfo(f->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    f->head.length = length;
    f->head_done = f->head.status >= 200 &&
                   !(f->head.status >= 301 && f->head.status <= 308 && f->head.status != 304);
    return n;
}

/* ---- the loop */

/* Lets curl work once; waits when there was nothing to do. */
static int turn(struct fetch *f, struct err *e)
{
    struct curl_waitfd extra = {.fd = f->c ? cancel_fd(f->c) : -1, .events = CURL_WAIT_POLLIN};
    CURLMsg *msg;
    int running, left;
    bool had_head = f->head_done;

    if (cancel_fired(f->c))
        return err_set(e, ERR_CANCELLED, "context canceled");
    if (curl_multi_perform(f->multi, &running) != CURLM_OK)
        return err_set(e, ERR_INTERNAL, "%s \"%s\": the HTTP client failed", f->method, f->url);
    while ((msg = curl_multi_info_read(f->multi, &left)))
        if (msg->msg == CURLMSG_DONE) {
            f->done = true;
            f->result = msg->data.result;
        }
    if (f->done || f->pos != f->len || f->paused || f->head_done != had_head)
        return 0;
    curl_multi_poll(f->multi, &extra, f->c ? 1 : 0, 1000, NULL);
    return 0;
}

/* "127.0.0.1:5000" of a URL */
static char *host_port(const struct fetch *f)
{
    const char *start = strstr(f->url, "://"), *host;
    size_t n;
    char *ip = NULL;
    long port = 0;

    host = start ? start + 3 : f->url;
    n = strcspn(host, "/?");
    curl_easy_getinfo(f->easy, CURLINFO_PRIMARY_IP, &ip);
    curl_easy_getinfo(f->easy, CURLINFO_PRIMARY_PORT, &port);
    if (!str_empty(ip) && port)
        return str_printf(strchr(ip, ':') ? "[%s]:%ld" : "%s:%ld", ip, port);
    if (memchr(host, ':', n))
        return str_ndup(host, n);
    return str_printf("%.*s:%s", (int)n, host, str_starts(f->url, "https") ? "443" : "80");
}

static const char *go_errno(long code)
{
    static const struct {
        int code;
        const char *text;
    } texts[] = {
        {ECONNREFUSED, "connection refused"      },
        {EHOSTUNREACH, "no route to host"        },
        {ENETUNREACH,  "network is unreachable"  },
        {ECONNRESET,   "connection reset by peer"},
        {ETIMEDOUT,    "connection timed out"    }
    };

    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (texts[i].code == code)
            return texts[i].text;
    return "connection refused";
}

static int transfer_error(struct fetch *f, struct err *e)
{
    cleanup_free char *peer = host_port(f), *host = NULL;
    cleanup_free char *verb = str_printf("%c%s", f->method[0], f->method + 1);
    long os = 0;

    for (char *p = verb + 1; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    f->can_retry = true;
    curl_easy_getinfo(f->easy, CURLINFO_OS_ERRNO, &os);
    switch (f->result) {
    case CURLE_COULDNT_CONNECT:
        return err_set(e, ERR_IO, "%s \"%s\": dial tcp %s: connect: %s", verb, f->url, peer,
                       go_errno(os));
    case CURLE_COULDNT_RESOLVE_HOST:
        host = str_ndup(peer, strcspn(peer, ":"));
        return err_set(e, ERR_IO, "%s \"%s\": dial tcp: lookup %s: no such host", verb, f->url,
                       host);
    case CURLE_OPERATION_TIMEDOUT:
        return err_set(e, ERR_IO,
                       "%s \"%s\": net/http: request canceled (Client.Timeout exceeded "
                       "while awaiting headers)",
                       verb, f->url);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CONNECT_ERROR:
        f->can_retry = false;
        return err_set(e, ERR_IO, "%s \"%s\": tls: failed to verify certificate: %s", verb, f->url,
                       f->error[0] ? f->error : curl_easy_strerror(f->result));
    case CURLE_TOO_MANY_REDIRECTS:
        f->can_retry = false;
        return err_set(e, ERR_IO, "%s \"%s\": stopped after %d redirects", verb, f->url,
                       REDIRECTS_MAX);
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
        return err_set(e, ERR_IO, "%s \"%s\": unexpected EOF", verb, f->url);
    default:
        return err_set(e, ERR_IO, "%s \"%s\": %s", verb, f->url,
                       f->error[0] ? f->error : curl_easy_strerror(f->result));
    }
}

static void set_options(struct fetch *f, const struct fetch_request *rq)
{
    CURL *h = f->easy;
    bool https = str_starts(rq->url, "https:");

    curl_easy_reset(h);
    curl_easy_setopt(h, CURLOPT_URL, rq->url);
    curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(h, CURLOPT_USERAGENT, f->user_agent);
    curl_easy_setopt(h, CURLOPT_ERRORBUFFER, f->error);
    curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(h, CURLOPT_WRITEDATA, f);
    curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(h, CURLOPT_HEADERDATA, f);
    curl_easy_setopt(h, CURLOPT_HTTPHEADER, f->headers);
    curl_easy_setopt(h, CURLOPT_BUFFERSIZE, (long)CURL_PIECE);
    curl_easy_setopt(h, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(h, CURLOPT_MAXREDIRS, (long)REDIRECTS_MAX);
    /* What began encrypted stays so.  curl itself gives no credentials to another host. */
    curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(h, CURLOPT_REDIR_PROTOCOLS_STR,
                     https && !rq->insecure ? "https" : "http,https");
    curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_TIMEOUT_S);
    curl_easy_setopt(h, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(h, CURLOPT_LOW_SPEED_TIME, (long)STALL_S);
    curl_easy_setopt(h, CURLOPT_TCP_KEEPALIVE, 1L);
    if (rq->insecure) {
        curl_easy_setopt(h, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(h, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (str_eq(rq->method, "HEAD"))
        curl_easy_setopt(h, CURLOPT_NOBODY, 1L);
    if (str_eq(rq->method, "POST"))
        curl_easy_setopt(h, CURLOPT_COPYPOSTFIELDS, rq->body ? rq->body : "");
}

int fetch_start(struct fetch *f, const struct fetch_request *rq, struct err *e)
{
    detach(f);
    forget_head(f);
    f->head_done = f->done = f->paused = f->can_retry = false;
    f->pos = f->len = 0;
    f->result = CURLE_OK;
    f->error[0] = '\0';
    f->header_lines = 0;
    str_set(&f->url, rq->url);
    str_set(&f->method, rq->method);
    for (size_t i = 0; rq->headers && i < rq->headers->n; i++)
        f->headers = curl_slist_append(f->headers, rq->headers->v[i]);
    if (rq->offset > 0) { /* by hand: curl's own way fails where the answer is all of it */
        cleanup_free char *range = str_printf("Range: bytes=%lld-", (long long)rq->offset);

        f->headers = curl_slist_append(f->headers, range);
    }
    set_options(f, rq);
    curl_multi_add_handle(f->multi, f->easy);
    f->attached = true;
    /* An answer without a body is waited for to its end, so that the connection can be kept. */
    while (!f->done && (!f->head_done || str_eq(rq->method, "HEAD")))
        if (turn(f, e))
            return -1;
    if (f->done && f->result != CURLE_OK && !f->head_done)
        return transfer_error(f, e);
    return 0;
}

const struct fetch_response *fetch_head(const struct fetch *f)
{
    return &f->head;
}

bool fetch_can_retry(const struct fetch *f)
{
    return f->can_retry;
}

int fetch_read(void *arg, void *buf, size_t n, size_t *got, struct err *e)
{
    struct fetch *f = arg;

    *got = 0;
    while (f->pos == f->len) {
        if (f->paused) {
            f->paused = false;
            curl_easy_pause(f->easy, CURLPAUSE_CONT);
            if (f->pos != f->len)
                break;
        }
        if (f->done)
            return f->result == CURLE_OK ? 0 : transfer_error(f, e);
        if (turn(f, e))
            return -1;
    }
    *got = n < f->len - f->pos ? n : f->len - f->pos;
    memcpy(buf, f->ring + f->pos, *got);
    f->pos += *got;
    return 0;
}
