/* aws_sign: signature version 4, for POST / without a query.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include "base/digest.h"
#include "base/mem.h"
#include "base/time.h"
#include "logdrivers/remote/aws.h"

#define HASH_BYTES    32
#define CANONICAL_MAX (64 * 1024)

static int hmac(const void *key, size_t key_len, const char *text, unsigned char out[HASH_BYTES],
                struct err *e)
{
    unsigned n = HASH_BYTES;

    return HMAC(EVP_sha256(), key, (int)key_len, (const unsigned char *)text, strlen(text), out, &n)
               ? 0
               : err_set(e, ERR_INTERNAL, "aws: the request cannot be signed");
}

/* The key for this day, region and service. */
static int signing_key(const struct aws_request *rq, const char *secret, const char *day,
                       unsigned char key[HASH_BYTES], struct err *e)
{
    cleanup_free char *first = str_printf("AWS4%s", secret);

    return hmac(first, strlen(first), day, key, e) || hmac(key, HASH_BYTES, rq->region, key, e) ||
                   hmac(key, HASH_BYTES, rq->service, key, e) ||
                   hmac(key, HASH_BYTES, "aws4_request", key, e)
               ? -1
               : 0;
}

static void add_hex(struct buf *b, const unsigned char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_addf(b, "%02x", bytes[i]);
}

static void canonical(const struct kvs *headers, const struct aws_request *rq, struct buf *names,
                      struct buf *out)
{
    char hash[DIGEST_TEXT_MAX];

    buf_addf(out, "POST\n/\n\n");
    for (size_t i = 0; i < headers->n; i++) {
        buf_addf(out, "%s:%s\n", headers->v[i].k, headers->v[i].v);
        buf_addf(names, "%s%s", i > 0 ? ";" : "", headers->v[i].k);
    }
    digest_of(rq->body, rq->len, hash);
    buf_addf(out, "\n%s\n%s", names->data, digest_hex(hash));
}

int aws_sign(const struct aws_request *rq, const struct aws_keys *k, struct kvs *headers,
             struct err *e)
{
    cleanup_buf struct buf names = BUF_INIT(CANONICAL_MAX), text = BUF_INIT(CANONICAL_MAX);
    cleanup_buf struct buf hex = BUF_INIT(2 * HASH_BYTES);
    cleanup_free char *scope = NULL, *to_sign = NULL;
    time_t seconds = (time_t)(rq->now_ns / NS_PER_SEC);
    unsigned char key[HASH_BYTES], signature[HASH_BYTES];
    char when[32], day[16], hash[DIGEST_TEXT_MAX];
    struct tm tm;

    gmtime_r(&seconds, &tm);
    (void)!strftime(when, sizeof(when), "%Y%m%dT%H%M%SZ", &tm);
    (void)!strftime(day, sizeof(day), "%Y%m%d", &tm);
    kvs_set(headers, "content-type", "application/x-amz-json-1.1");
    kvs_set(headers, "host", rq->host);
    kvs_set(headers, "x-amz-date", when);
    kvs_set(headers, "x-amz-target", rq->target);
    if (!str_empty(k->token))
        kvs_set(headers, "x-amz-security-token", k->token);
    kvs_sort(headers);
    canonical(headers, rq, &names, &text);
    if (buf_check(&text, "an AWS request", e))
        return -1;
    digest_of(text.data, text.len, hash);
    scope = str_printf("%s/%s/%s/aws4_request", day, rq->region, rq->service);
    to_sign = str_printf("AWS4-HMAC-SHA256\n%s\n%s\n%s", when, scope, digest_hex(hash));
    if (signing_key(rq, k->secret, day, key, e) || hmac(key, HASH_BYTES, to_sign, signature, e))
        return -1;
    add_hex(&hex, signature, sizeof(signature));
    kvs_setf(headers, "authorization",
             "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s", k->id, scope,
             names.data, hex.data);
    return 0;
}
