/* digest: the text form.  The hash itself comes from the platform's library (posix/, win32/). */
#include "base/digest.h"

#include <string.h>

#include "base/str.h"

#define PREFIX  "sha256:"
#define HEX_LEN 64

bool digest_valid(const char *s)
{
    const char *hex;

    if (!str_starts(s, PREFIX))
        return false;
    hex = s + strlen(PREFIX);
    return strspn(hex, "0123456789abcdef") == HEX_LEN && hex[HEX_LEN] == '\0';
}

const char *digest_hex(const char *s)
{
    return str_starts(s, PREFIX) ? s + strlen(PREFIX) : s;
}

void digest_of(const void *bytes, size_t n, char out[DIGEST_TEXT_MAX])
{
    struct digest *d = digest_new();

    digest_update(d, bytes, n);
    digest_final(d, out);
    digest_free(d);
}
