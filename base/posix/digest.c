/* digest on POSIX: SHA-256 by OpenSSL, which uses the processor's instructions for it. */
#include "base/digest.h"

#include <openssl/evp.h>

#include "base/mem.h"

struct digest {
    EVP_MD_CTX *ctx;
};

/* Only memory or a broken OpenSSL installation makes these calls fail. */
static void must(int ok)
{
    if (ok != 1) {
        fputs("SHA-256 is not available\n", stderr);
        abort();
    }
}

struct digest *digest_new(void)
{
    struct digest *d = xcalloc(1, sizeof(*d));

    d->ctx = EVP_MD_CTX_new();
    must(d->ctx != NULL);
    must(EVP_DigestInit_ex(d->ctx, EVP_sha256(), NULL));
    return d;
}

void digest_update(struct digest *d, const void *bytes, size_t n)
{
    must(EVP_DigestUpdate(d->ctx, bytes, n));
}

void digest_final(struct digest *d, char out[DIGEST_TEXT_MAX])
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    int n;

    must(EVP_DigestFinal_ex(d->ctx, hash, &len));
    n = snprintf(out, DIGEST_TEXT_MAX, "sha256:");
    for (unsigned i = 0; i < len; i++)
        n += snprintf(out + n, DIGEST_TEXT_MAX - (size_t)n, "%02x", hash[i]);
}

void digest_free(struct digest *d)
{
    if (!d)
        return;
    EVP_MD_CTX_free(d->ctx);
    free(d);
}
