/* registry: see registry.h.  OCI distribution-spec, "Pull". */
#include "images/registry.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "base/cancel.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sync.h"
#include "images/manifest.h"
#include "images/registry_auth.h"

#define ERROR_MAX       (64 * 1024)
#define RETRIES         5
#define RETRY_MS        500 /* before the second, then doubled; the first is at once */
#define DOCKER_HUB      "docker.io"
#define DOCKER_HUB_HOST "registry-1.docker.io"

struct registry {
    struct reference ref;
    struct credentials credentials;
    bool insecure;
    char *user_agent, *host;
    struct cancel *c;
    struct mutex lock;
    const char *scheme;  /* GUARDED_BY(lock); NULL: not known yet */
    char *authorization; /* GUARDED_BY(lock); NULL: none so far */
};

struct registry_conn {
    struct registry *r;
    struct fetch *fetch;
    /* the blob that is being read */
    char *blob_url;
    int64_t offset, size;
    unsigned failures;
};

/* ---- which registries may be spoken to in plain text */

static bool in_network(const char *host, const char *cidr)
{
    cleanup_free char *net = xstrdup(cidr);
    char *slash = strchr(net, '/');
    struct in_addr a, b;
    int64_t bits;

    if (!slash)
        return false;
    *slash = '\0';
    if (parse_i64(slash + 1, 0, 32, "prefix", &bits, ERR_IGNORE) || !inet_aton(host, &a) ||
        !inet_aton(net, &b))
        return false;
    return bits == 0 || (ntohl(a.s_addr) ^ ntohl(b.s_addr)) >> (32 - bits) == 0;
}

bool registry_insecure(const char *domain, const struct strv *insecure)
{
    size_t n = domain[0] == '[' ? strcspn(domain, "]") : strcspn(domain, ":");
    cleanup_free char *host = domain[0] == '[' ? str_ndup(domain + 1, n - 1) : str_ndup(domain, n);

    if (str_eq(host, "localhost") || str_eq(host, "::1") || in_network(host, "127.0.0.0/8"))
        return true;
    for (size_t i = 0; i < insecure->n; i++)
        if (str_eq(insecure->v[i], domain) || str_eq(insecure->v[i], host) ||
            in_network(host, insecure->v[i]))
            return true;
    return false;
}

/* ---- sessions */

struct registry *registry_new(const struct registry_config *cfg)
{
    struct registry *r = xcalloc(1, sizeof(*r));

    reference_copy(&r->ref, cfg->ref);
    credentials_decode(cfg->auth, &r->credentials);
    r->insecure = cfg->insecure;
    r->user_agent = xstrdup(cfg->user_agent);
    r->host = xstrdup(str_eq(cfg->ref->domain, DOCKER_HUB) ? DOCKER_HUB_HOST : cfg->ref->domain);
    r->c = cfg->c;
    mutex_init(&r->lock);
    return r;
}

void registry_free(struct registry *r)
{
    if (!r)
        return;
    reference_release(&r->ref);
    credentials_release(&r->credentials);
    free(r->user_agent);
    free(r->host);
    free(r->authorization);
    mutex_destroy(&r->lock);
    free(r);
}

struct registry_conn *registry_connect(struct registry *r)
{
    struct registry_conn *c = xcalloc(1, sizeof(*c));

    c->r = r;
    c->fetch = fetch_new(r->user_agent, r->c);
    return c;
}

void registry_disconnect(struct registry_conn *c)
{
    if (!c)
        return;
    fetch_free(c->fetch);
    free(c->blob_url);
    free(c);
}

/* ---- errors, in dockerd's words */

static int read_text(struct registry_conn *c, struct buf *out)
{
    char piece[4096];
    size_t got;

    while (!out->overflow) {
        if (fetch_read(c->fetch, piece, sizeof(piece), &got, ERR_IGNORE))
            return -1;
        if (got == 0)
            break;
        buf_add(out, piece, got);
    }
    return 0;
}

/* {"errors":[{"code":"MANIFEST_UNKNOWN","message":"..."}]}: "manifest unknown: ..." */
static bool registry_error(struct registry_conn *c, const struct buf *body, char **code,
                           char **text)
{
    cleanup_json struct json_doc doc = {0};
    const char *type = fetch_head(c->fetch)->content_type;
    struct json root, list, first;
    cleanup_free char *words = NULL;

    if (!type || !str_starts(type, "application/json") ||
        json_parse(body->data, body->len, &doc, ERR_IGNORE))
        return false;
    root = json_root(&doc);
    list = json_get(&root, "errors");
    if (json_typeof(&list) != JSON_ARRAY || json_len(&list) == 0)
        return false;
    first = json_at(&list, 0);
    *code = xstrdup(json_get_str(&first, "code"));
    words = str_lower(*code);
    for (char *p = words; *p; p++)
        if (*p == '_')
            *p = ' ';
    *text = str_printf("%s: %s", words, json_get_str(&first, "message"));
    return true;
}

static const struct {
    long status;
    const char *word, *text;
} statuses[] = {
    {401, "unauthorized",    "Unauthorized"         },
    {403, "denied",          "Forbidden"            },
    {404, "unknown",         "Not Found"            },
    {429, "toomanyrequests", "Too Many Requests"    },
    {500, NULL,              "Internal Server Error"},
    {502, NULL,              "Bad Gateway"          },
    {503, NULL,              "Service Unavailable"  },
    {504, NULL,              "Gateway Timeout"      },
};

/* Without an answer in the protocol's form, the status and the body must do. */
static char *plain_error(long status, const struct buf *body)
{
    for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
        if (statuses[i].status != status)
            continue;
        if (statuses[i].word)
            return str_printf("%s: %.400s", statuses[i].word, body->len ? body->data : "");
        return str_printf("received unexpected HTTP status: %ld %s", status, statuses[i].text);
    }
    return str_printf("received unexpected HTTP status: %ld", status);
}

static int answer_error(struct registry_conn *c, bool manifest, struct err *e)
{
    cleanup_buf struct buf body = BUF_INIT(ERROR_MAX);
    cleanup_free char *code = NULL, *text = NULL, *name = NULL;
    long status = fetch_head(c->fetch)->status;

    (void)read_text(c, &body); /* half a text is better than none */
    if (!registry_error(c, &body, &code, &text))
        text = plain_error(status, &body);
    if (manifest && status == 404 && (!code || str_eq(code, "MANIFEST_UNKNOWN"))) {
        name = reference_familiar(&c->r->ref);
        return err_set(e, ERR_NOT_FOUND, "manifest for %s not found: %s", name,
                       code ? text : "manifest unknown: manifest unknown");
    }
    if (status == 403 || (code && (str_eq(code, "DENIED") || str_eq(code, "NAME_UNKNOWN")))) {
        name = reference_familiar_name(&c->r->ref);
        return err_set(e, ERR_NOT_FOUND,
                       "pull access denied for %s, repository does not exist or may require "
                       "'docker login': %s",
                       name, text);
    }
    return err_set(e, status == 401 ? ERR_DENIED : ERR_IO, "%s", text);
}

/* ---- requests */

static char *url_of(struct registry *r, const char *scheme, const char *what, const char *which)
{
    return str_printf("%s://%s/v2/%s/%s/%s", scheme, r->host, r->ref.path, what, which);
}

static char *authorization_of(struct registry *r)
{
    char *a;

    mutex_lock(&r->lock);
    a = str_dup_or_null(r->authorization);
    mutex_unlock(&r->lock);
    return a;
}

/* Answers the challenge of a 401.  The new authorisation is everybody's. */
static int authorize(struct registry_conn *c, const char *url, struct err *e)
{
    const struct strv *challenges = &fetch_head(c->fetch)->challenges;
    struct registry *r = c->r;
    cleanup_free char *scope = str_printf("repository:%s:pull", r->ref.path);
    char *answer = NULL;
    int rc = -1;
    bool known = false;

    for (size_t i = 0; i < challenges->n && !known; i++) {
        struct challenge ch;

        if (!challenge_parse(challenges->v[i], &ch))
            continue;
        if (str_eq(ch.scheme, "basic")) {
            known = true;
            if (r->credentials.username) {
                answer = basic_authorization(&r->credentials);
                rc = 0;
            } else {
                /* dockerd asks by HEAD first, and this is what people search for. */
                err_set(e, ERR_IO, "Head \"%s\": no basic auth credentials", url);
            }
        } else if (str_eq(ch.scheme, "bearer")) {
            known = true;
            rc =
                token_authorization(c->fetch, &ch, &r->credentials, scope, r->insecure, &answer, e);
        }
        challenge_release(&ch);
        if (known)
            break; /* the token request has used up the list */
    }
    if (!known)
        return 1; /* nothing to answer with: the 401 stands */
    if (rc)
        return -1;
    mutex_lock(&r->lock);
    free(r->authorization);
    r->authorization = answer;
    mutex_unlock(&r->lock);
    return 0;
}

static int request_once(struct registry_conn *c, struct fetch_request *rq, const char *accept,
                        struct err *e)
{
    cleanup_strv struct strv headers = {0};
    cleanup_free char *authorization = authorization_of(c->r);
    int r;

    if (accept)
        strv_addf(&headers, "Accept: %s", accept);
    if (authorization)
        strv_addf(&headers, "Authorization: %s", authorization);
    rq->headers = &headers;
    rq->insecure = c->r->insecure;
    r = fetch_start(c->fetch, rq, e);
    rq->headers = NULL; /* they were for the start only */
    return r;
}

/* A request, once more with an answer to the challenge if there was one. */
static int request(struct registry_conn *c, struct fetch_request *rq, const char *accept,
                   struct err *e)
{
    cleanup_free char *before = authorization_of(c->r);
    cleanup_free char *now = NULL;
    int rc;

    if (request_once(c, rq, accept, e))
        return -1;
    if (fetch_head(c->fetch)->status != 401)
        return 0;
    /* Another thread may have had the same answer and dealt with it. */
    now = authorization_of(c->r);
    if (str_eq(before, now)) {
        rc = authorize(c, rq->url, e);
        if (rc)
            return rc < 0 ? -1 : 0;
    }
    return request_once(c, rq, accept, e);
}

/* Where plain text is allowed it is tried first where it is usual, and TLS else: a probe that tells
 * nothing to anybody decides. */
static int find_scheme(struct registry_conn *c, struct err *e)
{
    static const char *const local[] = {"http", "https"};
    struct registry *r = c->r;
    const char *found = r->insecure ? NULL : "https";
    struct err first = ERR_INIT;

    mutex_lock(&r->lock);
    if (r->scheme)
        found = r->scheme;
    mutex_unlock(&r->lock);
    for (size_t i = 0; !found && i < ARRAY_LEN(local); i++) {
        cleanup_free char *url = str_printf("%s://%s/v2/", local[i], r->host);
        struct fetch_request rq = {.method = "GET", .url = url, .insecure = true};
        cleanup_buf struct buf body = BUF_INIT(ERROR_MAX);
        struct err why = ERR_INIT;

        if (fetch_start(c->fetch, &rq, &why)) {
            if (why.kind == ERR_CANCELLED) {
                *e = why;
                return -1;
            }
            if (i == 0)
                first = why;
            continue;
        }
        if (read_text(c, &body) == 0 && fetch_head(c->fetch)->status != 400)
            found = local[i];
    }
    if (!found) {
        *e = first.kind ? first : (struct err){.kind = ERR_IO};
        return first.kind ? -1
                          : err_set(e, ERR_IO, "Get \"http://%s/v2/\": not a registry", r->host);
    }
    mutex_lock(&r->lock);
    r->scheme = found;
    mutex_unlock(&r->lock);
    return 0;
}

/* dockerd names the version check in what it says about a registry it cannot reach. */
static void name_base_url(struct registry_conn *c, const char *url, struct err *e)
{
    cleanup_free char *copy = xstrdup(e->msg);
    const char *at = strstr(copy, url), *rest;
    const char *path = strstr(url, "/v2/");

    if (!at || !path)
        return;
    rest = at + strlen(url);
    err_set(e, e->kind, "Get \"%.*s%s", (int)(path - url + 4), url, rest);
    (void)c;
}

/* ---- manifests */

static int take_manifest(struct registry_conn *c, const char *wanted, struct buf *out,
                         char **digest, struct err *e)
{
    char piece[16384], actual[DIGEST_TEXT_MAX];

    for (;;) {
        size_t got;

        if (fetch_read(c->fetch, piece, sizeof(piece), &got, e))
            return -1;
        if (got == 0)
            break;
        buf_add(out, piece, got);
        if (out->overflow)
            return err_set(e, ERR_INVALID, "manifest of %s is larger than %zu bytes", wanted,
                           out->max);
    }
    digest_of(out->data, out->len, actual);
    if (digest_valid(wanted) && !str_eq(wanted, actual))
        return err_set(e, ERR_INVALID, "manifest verification failed for digest %s", wanted);
    *digest = xstrdup(actual);
    return 0;
}

int registry_manifest(struct registry_conn *c, const char *tag_or_digest, struct buf *out,
                      char **content_type, char **digest, struct err *e)
{
    static const char accept[] =
        MEDIA_OCI_INDEX ", " MEDIA_DOCKER_LIST ", " MEDIA_OCI_IMAGE ", " MEDIA_DOCKER_IMAGE;
    cleanup_free char *url = NULL;
    struct fetch_request rq = {.method = out ? "GET" : "HEAD"};
    const struct fetch_response *head;

    *digest = NULL;
    if (find_scheme(c, e))
        return -1;
    url = url_of(c->r, c->r->scheme, "manifests", tag_or_digest);
    rq.url = url;
    if (request(c, &rq, accept, e)) {
        if (fetch_can_retry(c->fetch))
            name_base_url(c, url, e);
        return -1;
    }
    head = fetch_head(c->fetch);
    if (head->status != 200)
        return answer_error(c, true, e);
    if (content_type)
        str_set(content_type, head->content_type);
    if (out)
        return take_manifest(c, tag_or_digest, out, digest, e);
    if (head->digest && digest_valid(head->digest))
        *digest = xstrdup(head->digest);
    return 0;
}

/* ---- blobs */

static int open_at_offset(struct registry_conn *c, struct err *e)
{
    struct fetch_request rq = {.method = "GET", .url = c->blob_url, .offset = c->offset};
    long status;

    if (request(c, &rq, NULL, e))
        return -1;
    status = fetch_head(c->fetch)->status;
    if (status == 200 || (status == 206 && c->offset > 0))
        return 0;
    return answer_error(c, false, e);
}

/* A server that knows no ranges sends all of it again. */
static int skip_read(struct registry_conn *c, struct err *e)
{
    int64_t left = fetch_head(c->fetch)->status == 206 ? 0 : c->offset;
    char piece[16384];

    while (left > 0) {
        size_t n = left < (int64_t)sizeof(piece) ? (size_t)left : sizeof(piece), got;

        if (fetch_read(c->fetch, piece, n, &got, e))
            return -1;
        if (got == 0)
            return err_set(e, ERR_IO, "unexpected EOF");
        left -= (int64_t)got;
    }
    return 0;
}

static int wait_before_retry(struct registry_conn *c, struct err *e)
{
    if (c->failures > 0 && cancel_sleep_ms(c->r->c, RETRY_MS << (c->failures - 1)))
        return err_set(e, ERR_CANCELLED, "context canceled");
    return 0;
}

/* After a failure of the connection: the same blob from where it broke. */
static int resume(struct registry_conn *c, struct err *e)
{
    while (fetch_can_retry(c->fetch) && c->failures < RETRIES) {
        struct err why = *e;

        if (wait_before_retry(c, e))
            return -1;
        c->failures++;
        log_info("download resumes", "url=%s offset=%lld after=%s", c->blob_url,
                 (long long)c->offset, log_quote(why.msg));
        if (!open_at_offset(c, e) && !skip_read(c, e))
            return 0;
    }
    return -1;
}

int registry_blob(struct registry_conn *c, const char *digest, int64_t size, struct err *e)
{
    const char *scheme;

    mutex_lock(&c->r->lock);
    scheme = c->r->scheme;
    mutex_unlock(&c->r->lock);
    free(c->blob_url);
    c->blob_url = url_of(c->r, scheme ? scheme : "https", "blobs", digest);
    c->offset = 0;
    c->size = size;
    c->failures = 0;
    if (open_at_offset(c, e) && resume(c, e))
        return -1;
    return 0;
}

int registry_read(void *arg, void *buf, size_t n, size_t *got, struct err *e)
{
    struct registry_conn *c = arg;

    while (fetch_read(c->fetch, buf, n, got, e)) {
        if (c->offset >= c->size && fetch_can_retry(c->fetch)) {
            *got = 0; /* all that was announced is here; the digest will tell */
            return 0;
        }
        if (resume(c, e))
            return -1;
    }
    c->offset += (int64_t)*got;
    if (c->offset > c->size)
        return err_set(e, ERR_INVALID, "the registry sends more than the %lld bytes it announced",
                       (long long)c->size);
    return 0;
}
