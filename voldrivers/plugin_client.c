/*
 * plugin_client: one call of the plugin protocol, over a Unix socket, TCP or TLS.
 *
 * A plugin that cannot be reached (it restarts, its socket is there before it listens) is asked
 * again after 1, 2, 4 and 8 seconds, as dockerd does, for as long as the caller has patience; what
 * it answered is never asked for twice.
 */
#include <curl/curl.h>
#include <pthread.h>

#include "base/cancel.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/time.h"
#include "base/version.h"
#include "voldrivers/plugin_internal.h"

#define REPLY_MAX         (16 * 1024 * 1024)
#define CONNECT_TIMEOUT_S 10
#define ACCEPT            "Accept: application/vnd.docker.plugins.v1.2+json"
#define CONTENT_TYPE      "Content-Type: application/vnd.docker.plugins.v1.2+json"

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void init_curl(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
    struct buf *out = arg;

    buf_add(out, data, size * n);
    return out->overflow ? 0 : size * n;
}

static int on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    (void)a;
    (void)b;
    (void)c;
    (void)d;
    return cancel_fired(arg);
}

/* "unix:///run/x.sock" has its path as an option of its own, and any host name. */
static void set_address(CURL *h, const struct plugin_address *a, const char *method)
{
    const char *rest = strstr(a->url, "://") + 3;
    cleanup_free char *url = NULL;

    if (str_starts(a->url, "unix://")) {
        curl_easy_setopt(h, CURLOPT_UNIX_SOCKET_PATH, rest);
        url = str_printf("http://plugin/%s", method);
    } else {
        bool tls = a->tls || str_starts(a->url, "https://");

        url = str_printf("%s://%.*s/%s", tls ? "https" : "http", (int)strcspn(rest, "/"), rest,
                         method);
    }
    curl_easy_setopt(h, CURLOPT_URL, url);
    curl_easy_setopt(h, CURLOPT_PROXY, "");
    if (a->insecure) {
        curl_easy_setopt(h, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(h, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (!str_empty(a->ca))
        curl_easy_setopt(h, CURLOPT_CAINFO, a->ca);
    if (!str_empty(a->cert))
        curl_easy_setopt(h, CURLOPT_SSLCERT, a->cert);
    if (!str_empty(a->key))
        curl_easy_setopt(h, CURLOPT_SSLKEY, a->key);
}

static void set_call(CURL *h, const struct plugin_call *call)
{
    curl_easy_setopt(h, CURLOPT_POST, 1L);
    curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE,
                     (curl_off_t)(call->body ? call->body->len : 0));
    curl_easy_setopt(h, CURLOPT_POSTFIELDS, call->body ? call->body->data : "");
    curl_easy_setopt(h, CURLOPT_USERAGENT, "ballast/" BALLAST_VERSION);
    curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_TIMEOUT_S);
    curl_easy_setopt(h, CURLOPT_TIMEOUT, (long)call->timeout_s);
    if (call->stop) {
        curl_easy_setopt(h, CURLOPT_XFERINFOFUNCTION, on_progress);
        curl_easy_setopt(h, CURLOPT_XFERINFODATA, call->stop);
        curl_easy_setopt(h, CURLOPT_NOPROGRESS, 0L);
    }
}

/* Nothing of the request can have been acted on. */
static bool not_reached(CURLcode code)
{
    return code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST;
}

static int failed(CURLcode code, const char *why, const struct plugin_address *a,
                  const struct plugin_call *call, struct err *e)
{
    enum err_kind kind = ERR_IO;

    if (not_reached(code))
        kind = ERR_UNAVAILABLE;
    else if (code == CURLE_ABORTED_BY_CALLBACK)
        kind = ERR_CANCELLED;
    else if (code == CURLE_OPERATION_TIMEDOUT)
        kind = ERR_TIMEOUT;
    return err_set(e, kind, "%s: plugin %s at %s: %s", call->method, a->name, a->url,
                   *why ? why : curl_easy_strerror(code));
}

static int ask_once(const struct plugin_address *a, const struct plugin_call *call, long *status,
                    struct buf *out, struct err *e)
{
    char why[CURL_ERROR_SIZE] = "";
    struct curl_slist *headers = NULL;
    CURL *h;
    CURLcode code;

    pthread_once(&once, init_curl);
    h = curl_easy_init();
    headers = curl_slist_append(headers, ACCEPT);
    headers = curl_slist_append(headers, CONTENT_TYPE);
    if (!h || !headers)
        abort(); /* out of memory, as everywhere */
    set_address(h, a, call->method);
    set_call(h, call);
    curl_easy_setopt(h, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(h, CURLOPT_ERRORBUFFER, why);
    curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(h, CURLOPT_WRITEDATA, out);
    code = curl_easy_perform(h);
    if (code == CURLE_OK)
        curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, status);
    curl_slist_free_all(headers);
    curl_easy_cleanup(h);
    return code == CURLE_OK ? 0 : failed(code, why, a, call, e);
}

static int ask(const struct plugin_address *a, const struct plugin_call *call, long *status,
               struct buf *out, struct err *e)
{
    int64_t began = time_mono_ms(), pause = 1000;

    for (;; pause *= 2) {
        buf_reset(out);
        if (ask_once(a, call, status, out, e) == 0)
            return 0;
        if (e->kind != ERR_UNAVAILABLE || time_mono_ms() - began + pause >= call->patience_ms)
            return -1;
        log_warn("plugin cannot be reached, will try again",
                 "plugin=%s call=%s error=%s pause=%lldms", a->name, call->method,
                 log_quote(e->msg), (long long)pause);
        if (cancel_sleep_ms(call->stop, pause))
            return -1;
    }
}

int plugin_call(const struct plugin_address *a, const struct plugin_call *call,
                struct plugin_reply *out, struct err *e)
{
    cleanup_buf struct buf text = BUF_INIT(REPLY_MAX);
    long status = 0;
    int r;

    *out = (struct plugin_reply){0};
    if (ask(a, call, &status, &text, e))
        return -1;
    if (status != 200) {
        /* Its words are in Err; old ones just send a text. */
        r = plugin_reply_parse(text.data, text.len, out, ERR_IGNORE);
        err_set(e, ERR_IO, "%s: %s", call->method,
                r == 0 && !str_empty(out->err) ? out->err : str_trim(text.data));
        plugin_reply_release(out);
        return -1;
    }
    if (text.len == 0)
        return 0;
    return plugin_reply_parse(text.data, text.len, out, e)
               ? err_wrap(e, "%s: plugin %s answered", call->method, a->name)
               : 0;
}
