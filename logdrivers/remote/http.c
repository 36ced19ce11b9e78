/* http: see http.h.  Proxies come from the environment, as libcurl reads it. */
#include "logdrivers/remote/http.h"

#include <curl/curl.h>
#include <string.h>

#include "base/mem.h"

struct http {
    CURL *curl;
    struct http_setup setup;
    char *ca_file, *server_name;
};

struct http *http_new(const struct http_setup *setup)
{
    struct http *h = xcalloc(1, sizeof(*h));

    h->setup = *setup;
    h->ca_file = str_dup_or_null(setup->ca_file);
    h->server_name = str_dup_or_null(setup->server_name);
    h->curl = curl_easy_init();
    return h;
}

void http_free(struct http *h)
{
    if (!h)
        return;
    curl_easy_cleanup(h->curl);
    free(h->ca_file);
    free(h->server_name);
    free(h);
}

static size_t on_bytes(char *bytes, size_t size, size_t n, void *arg)
{
    buf_add(arg, bytes, size * n); /* what is too long is cut off: it is for messages */
    return size * n;
}

static void release_list(struct curl_slist **list)
{
    curl_slist_free_all(*list);
}

static void add(struct curl_slist **list, const char *text)
{
    struct curl_slist *more = curl_slist_append(*list, text);

    if (!more)
        abort(); /* out of memory, as everywhere */
    *list = more;
}

/*
 * The certificate is to be for server_name while the connection goes to the URL's host: the request
 * is for server_name, its connection is diverted, and its Host header is the URL's.
 */
static int divert(struct http *h, const char *url, struct curl_slist **to,
                  struct curl_slist **headers, struct err *e)
{
    CURLU *u = curl_url();
    char *host = NULL, *port = NULL, *full = NULL;
    int r = -1;

    if (u && !curl_url_set(u, CURLUPART_URL, url, 0) &&
        !curl_url_get(u, CURLUPART_HOST, &host, 0) &&
        !curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) &&
        !curl_url_set(u, CURLUPART_HOST, h->server_name, 0) &&
        !curl_url_get(u, CURLUPART_URL, &full, 0)) {
        cleanup_free char *line = str_printf("%s:%s:%s:%s", h->server_name, port, host, port);
        cleanup_free char *header = str_printf("Host: %s:%s", host, port);

        add(to, line);
        add(headers, header);
        curl_easy_setopt(h->curl, CURLOPT_URL, full);
        curl_easy_setopt(h->curl, CURLOPT_CONNECT_TO, *to);
        r = 0;
    }
    curl_free(host);
    curl_free(port);
    curl_free(full);
    curl_url_cleanup(u);
    return r ? err_set(e, ERR_INVALID, "%s is no URL", url) : 0;
}

static void set_options(struct http *h, const struct http_call *call, struct buf *reply,
                        char why[CURL_ERROR_SIZE])
{
    CURL *c = h->curl;

    curl_easy_reset(c); /* keeps the connections */
    curl_easy_setopt(c, CURLOPT_URL, call->url);
    curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, call->method);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)h->setup.timeout_ms);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, why);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, reply);
    if (call->body) {
        curl_easy_setopt(c, CURLOPT_POSTFIELDS, call->body);
        curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->len);
    }
    if (call->direct)
        curl_easy_setopt(c, CURLOPT_NOPROXY, "*");
    if (h->ca_file)
        curl_easy_setopt(c, CURLOPT_CAINFO, h->ca_file);
    if (h->setup.skip_verify) {
        curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 0L);
    }
}

int http_do(struct http *h, const struct http_call *call, long *status, struct buf *reply,
            struct err *e)
{
    CLEANUP(release_list) struct curl_slist *headers = NULL, *to = NULL;
    char why[CURL_ERROR_SIZE] = "";
    CURLcode code;

    if (!h->curl)
        return err_set(e, ERR_INTERNAL, "libcurl cannot be set up");
    set_options(h, call, reply, why);
    add(&headers, "Expect:"); /* no waiting for 100 Continue */
    for (size_t i = 0; call->headers && i < call->headers->n; i++) {
        cleanup_free char *line =
            str_printf("%s: %s", call->headers->v[i].k, call->headers->v[i].v);

        add(&headers, line);
    }
    if (h->server_name && divert(h, call->url, &to, &headers, e))
        return -1;
    curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, headers);
    code = curl_easy_perform(h->curl);
    if (code != CURLE_OK)
        return err_set(e, ERR_UNAVAILABLE, "%s \"%s\": %s", call->method, call->url,
                       *why ? why : curl_easy_strerror(code));
    curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, status);
    return 0;
}
