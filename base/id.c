/* id: random identifiers. */
#include "base/id.h"

#include <string.h>

#define SHORT_LEN 12

static bool is_lower_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

void id_new(char out[ID_LEN + 1])
{
    static const char hex[] = "0123456789abcdef";
    unsigned char bytes[ID_LEN / 2];

    do {
        random_bytes(bytes, sizeof(bytes));
        for (size_t i = 0; i < sizeof(bytes); i++) {
            out[2 * i] = hex[bytes[i] >> 4];
            out[2 * i + 1] = hex[bytes[i] & 15];
        }
        out[ID_LEN] = '\0';
        /* A short ID of digits only would read as a number in a Compose file or a host name. */
    } while (strspn(out, "0123456789") >= SHORT_LEN);
}

bool id_valid(const char *s)
{
    size_t n = 0;

    while (s && is_lower_hex(s[n]))
        n++;
    return n == ID_LEN && s[n] == '\0';
}
