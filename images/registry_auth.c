/* registry_auth: see registry_auth.h.  RFC 7235 for challenges, distribution's auth/token for the
 * rest. */
#include "images/registry_auth.h"

#include <ctype.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"

#define TOKEN_MAX  (1024 * 1024)
#define HEADER_MAX (64 * 1024)

/* ---- base64 */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *base64_encode(const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    char *out = xmalloc((n + 2) / 3 * 4 + 1), *o = out;

    for (size_t i = 0; i < n; i += 3) {
        unsigned v = (unsigned)p[i] << 16 | (i + 1 < n ? (unsigned)p[i + 1] << 8 : 0) |
                     (i + 2 < n ? p[i + 2] : 0);

        *o++ = alphabet[v >> 18];
        *o++ = alphabet[v >> 12 & 63];
        *o++ = i + 1 < n ? alphabet[v >> 6 & 63] : '=';
        *o++ = i + 2 < n ? alphabet[v & 63] : '=';
    }
    *o = '\0';
    return out;
}

static int digit(char c)
{
    const char *at;

    if (c == '-')
        return 62;
    if (c == '_')
        return 63;
    at = c ? strchr(alphabet, c) : NULL;
    return at ? (int)(at - alphabet) : -1;
}

char *base64_decode(const char *text, size_t *n)
{
    size_t len = strlen(text);
    char *out = xmalloc(len + 1);
    unsigned v = 0, bits = 0;

    while (len > 0 && text[len - 1] == '=')
        len--;
    *n = 0;
    for (size_t i = 0; i < len; i++) {
        int d = digit(text[i]);

        if (d < 0) {
            free(out);
            return NULL;
        }
        v = v << 6 | (unsigned)d;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out[(*n)++] = (char)(v >> bits);
        }
    }
    out[*n] = '\0';
    return out;
}

/* ---- credentials */

static void take_text(const struct json *root, const char *key, char **out)
{
    const char *v = json_get_str(root, key);

    if (*v)
        str_set(out, v);
}

/* "auth" is base64 of "user:password". */
static void split_auth(const char *auth, struct credentials *c)
{
    size_t n;
    cleanup_free char *plain = base64_decode(auth, &n);
    char *colon = plain ? strchr(plain, ':') : NULL;

    if (!colon)
        return;
    *colon = '\0';
    str_set(&c->username, plain);
    str_set(&c->password, colon + 1);
}

void credentials_decode(const char *header, struct credentials *out)
{
    cleanup_json struct json_doc doc = {0};
    cleanup_free char *text = NULL;
    struct json root;
    size_t n;

    *out = (struct credentials){0};
    if (str_empty(header) || strlen(header) > HEADER_MAX)
        return;
    text = base64_decode(header, &n);
    if (!text || json_parse(text, n, &doc, ERR_IGNORE))
        return;
    root = json_root(&doc);
    if (*json_get_str(&root, "auth"))
        split_auth(json_get_str(&root, "auth"), out);
    take_text(&root, "username", &out->username);
    take_text(&root, "password", &out->password);
    take_text(&root, "identitytoken", &out->identity_token);
    take_text(&root, "registrytoken", &out->registry_token);
}

void credentials_release(struct credentials *c)
{
    free(c->username);
    free(c->password);
    free(c->identity_token);
    free(c->registry_token);
    *c = (struct credentials){0};
}

bool credentials_empty(const struct credentials *c)
{
    return !c->username && !c->identity_token && !c->registry_token;
}

char *basic_authorization(const struct credentials *c)
{
    cleanup_free char *pair =
        str_printf("%s:%s", c->username ? c->username : "", c->password ? c->password : "");
    cleanup_free char *code = base64_encode(pair, strlen(pair));

    return str_printf("Basic %s", code);
}

/* ---- challenges: scheme SP key="value", key=value, ... */

static bool token_char(char c)
{
    return isalnum((unsigned char)c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static size_t span_token(const char *p)
{
    size_t n = 0;

    while (token_char(p[n]))
        n++;
    return n;
}

static char *quoted(const char **p)
{
    cleanup_buf struct buf out = BUF_INIT(HEADER_MAX);

    for ((*p)++; **p && **p != '"'; (*p)++) {
        if (**p == '\\' && (*p)[1])
            (*p)++;
        buf_add(&out, *p, 1);
    }
    if (**p == '"')
        (*p)++;
    return buf_take(&out);
}

bool challenge_parse(const char *header, struct challenge *out)
{
    size_t n = span_token(header);
    const char *p = header + n;
    cleanup_free char *scheme = NULL;

    *out = (struct challenge){0};
    if (n == 0)
        return false;
    scheme = str_ndup(header, n);
    out->scheme = str_lower(scheme);
    for (;;) {
        cleanup_free char *key = NULL, *raw = NULL, *value = NULL;

        p += strspn(p, " \t,");
        n = span_token(p);
        if (n == 0 || p[n] != '=')
            break;
        raw = str_ndup(p, n);
        key = str_lower(raw);
        p += n + 1;
        if (*p == '"') {
            value = quoted(&p);
        } else {
            n = strcspn(p, " \t,");
            value = str_ndup(p, n);
            p += n;
        }
        kvs_set(&out->params, key, value);
    }
    return true;
}

void challenge_release(struct challenge *c)
{
    free(c->scheme);
    kvs_release(&c->params);
    *c = (struct challenge){0};
}

/* ---- tokens */

static void add_escaped(struct buf *b, const char *s)
{
    for (; *s; s++) {
        if (isalnum((unsigned char)*s) || strchr("-._~", *s))
            buf_add(b, s, 1);
        else
            buf_addf(b, "%%%02X", (unsigned char)*s);
    }
}

static void add_param(struct buf *b, const char *key, const char *value)
{
    if (str_empty(value))
        return;
    buf_addf(b, "%s%s=", b->len && !strchr("?&", b->data[b->len - 1]) ? "&" : "", key);
    add_escaped(b, value);
}

static int read_body(struct fetch *f, struct buf *out, struct err *e)
{
    char piece[4096];

    for (;;) {
        size_t got;

        if (fetch_read(f, piece, sizeof(piece), &got, e))
            return -1;
        if (got == 0)
            return buf_check(out, "token", e);
        buf_add(out, piece, got);
    }
}

static int read_token(struct fetch *f, const char *url, char **out, struct err *e)
{
    cleanup_buf struct buf body = BUF_INIT(TOKEN_MAX);
    cleanup_json struct json_doc doc = {0};
    struct json root;
    const char *token;
    long status = fetch_head(f)->status;

    if (read_body(f, &body, e))
        return -1;
    if (status != 200)
        return err_set(e, status == 401 || status == 403 ? ERR_DENIED : ERR_IO,
                       status == 401 ? "unauthorized: %.300s" : "token server said: %.300s",
                       body.len ? body.data : "authentication required");
    if (json_parse(body.data, body.len, &doc, e))
        return err_wrap(e, "token from %s", url);
    root = json_root(&doc);
    token = json_get_str(&root, "token");
    if (!*token)
        token = json_get_str(&root, "access_token");
    if (!*token || strpbrk(token, "\r\n"))
        return err_set(e, ERR_IO, "authorization server did not include a token in the response");
    *out = str_printf("Bearer %s", token);
    return 0;
}

/* With an identity token: OAuth 2's refresh_token grant, by POST. */
static int refresh(struct fetch *f, const char *realm, const char *service,
                   const struct credentials *c, const char *scope, bool insecure, struct err *e)
{
    cleanup_buf struct buf form = BUF_INIT(HEADER_MAX);
    struct fetch_request rq = {.method = "POST", .url = realm, .insecure = insecure};

    add_param(&form, "grant_type", "refresh_token");
    add_param(&form, "service", service);
    add_param(&form, "client_id", "ballast");
    add_param(&form, "scope", scope);
    add_param(&form, "refresh_token", c->identity_token);
    if (buf_check(&form, "token request", e))
        return -1;
    rq.body = form.data;
    return fetch_start(f, &rq, e);
}

static int ask(struct fetch *f, const char *realm, const char *service, const struct credentials *c,
               const char *scope, bool insecure, struct err *e)
{
    cleanup_buf struct buf url = BUF_INIT(HEADER_MAX);
    cleanup_strv struct strv headers = {0};
    struct fetch_request rq = {.method = "GET", .headers = &headers, .insecure = insecure};

    buf_addf(&url, "%s%s", realm, strchr(realm, '?') ? "&" : "?");
    add_param(&url, "account", c->username);
    add_param(&url, "scope", scope);
    add_param(&url, "service", service);
    if (buf_check(&url, "token request", e))
        return -1;
    rq.url = url.data;
    if (c->username) {
        cleanup_free char *basic = basic_authorization(c);

        strv_addf(&headers, "Authorization: %s", basic);
    }
    return fetch_start(f, &rq, e);
}

int token_authorization(struct fetch *f, const struct challenge *ch, const struct credentials *c,
                        const char *scope, bool insecure, char **out, struct err *e)
{
    const char *realm = kvs_get(&ch->params, "realm"), *service = kvs_get(&ch->params, "service");
    int rc;

    if (c->registry_token) {
        *out = str_printf("Bearer %s", c->registry_token);
        return 0;
    }
    if (str_empty(realm) || (!str_starts(realm, "https://") && !str_starts(realm, "http://")))
        return err_set(e, ERR_IO, "no realm in the token challenge of the registry");
    /* A password goes over a plain connection only where that was asked for. */
    if (!insecure && !credentials_empty(c) && !str_starts(realm, "https://"))
        return err_set(e, ERR_DENIED, "the token server %s is not encrypted: no credentials for it",
                       realm);
    rc = c->identity_token ? refresh(f, realm, service, c, scope, insecure, e)
                           : ask(f, realm, service, c, scope, insecure, e);
    return rc ? -1 : read_token(f, realm, out, e);
}
