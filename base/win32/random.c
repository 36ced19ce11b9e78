/* random on Windows: the system's generator of CNG. */
#include <stdio.h>

#include "base/win32/win_internal.h"

#include <bcrypt.h>

#include "base/id.h"

void random_bytes(void *out, size_t n)
{
    unsigned char *p = out;

    while (n > 0) {
        ULONG part = n > 1 << 20 ? 1 << 20 : (ULONG)n;

        if (BCryptGenRandom(NULL, p, part, BCRYPT_USE_SYSTEM_PREFERRED_RNG)) {
            fputs("the system has no random numbers\n", stderr);
            abort();
        }
        p += part;
        n -= part;
    }
}
