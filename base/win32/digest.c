/* digest on Windows: SHA-256 by CNG, so that no OpenSSL is needed there. */
#include "base/digest.h"

#include <pthread.h>
#include <stdio.h>

#include "base/win32/win_internal.h"

#include <bcrypt.h>

#include "base/mem.h"

#define HASH_BYTES 32
#define PART_MAX   (1UL << 30) /* the calls count in ULONG */

struct digest {
    BCRYPT_HASH_HANDLE hash;
};

static BCRYPT_ALG_HANDLE algorithm;
static pthread_once_t algorithm_once = PTHREAD_ONCE_INIT;

static void must(NTSTATUS status)
{
    if (status != 0) {
        fputs("SHA-256 is not available\n", stderr);
        abort();
    }
}

static void open_algorithm(void)
{
    must(BCryptOpenAlgorithmProvider(&algorithm, BCRYPT_SHA256_ALGORITHM, NULL, 0));
}

struct digest *digest_new(void)
{
    struct digest *d = xcalloc(1, sizeof(*d));

    pthread_once(&algorithm_once, open_algorithm);
    must(BCryptCreateHash(algorithm, &d->hash, NULL, 0, NULL, 0, 0));
    return d;
}

void digest_update(struct digest *d, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;

    while (n > 0) {
        ULONG part = n > PART_MAX ? PART_MAX : (ULONG)n;

        must(BCryptHashData(d->hash, (PUCHAR)p, part, 0));
        p += part;
        n -= part;
    }
}

void digest_final(struct digest *d, char out[DIGEST_TEXT_MAX])
{
    unsigned char hash[HASH_BYTES];
    int n;

    must(BCryptFinishHash(d->hash, hash, sizeof(hash), 0));
    n = snprintf(out, DIGEST_TEXT_MAX, "sha256:");
    for (size_t i = 0; i < sizeof(hash); i++)
        n += snprintf(out + n, DIGEST_TEXT_MAX - (size_t)n, "%02x", hash[i]);
}

void digest_free(struct digest *d)
{
    if (!d)
        return;
    BCryptDestroyHash(d->hash);
    free(d);
}
