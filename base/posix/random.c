/* random on Linux: getrandom(2), which blocks only before the kernel's pool is first filled. */
#include <errno.h>
#include <stdio.h>
#include <sys/random.h>

#include "base/id.h"

void random_bytes(void *out, size_t n)
{
    char *p = out;

    while (n > 0) {
        ssize_t got = getrandom(p, n, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            perror("getrandom");
            abort();
        }
        p += got;
        n -= (size_t)got;
    }
}
