/* detach_keys: see detach_keys.h. */
#include "api/detach_keys.h"

#include <string.h>

#include "base/str.h"

/* "a" is itself, "ctrl-a" to "ctrl-z" are 1 to 26, and ctrl-@ [ \ ] ^ _ are where ASCII has them.
 */
static int parse_key(const char *s)
{
    static const char controls[] = "@abcdefghijklmnopqrstuvwxyz[\\]^_";
    const char *found;

    if (s[0] && !s[1])
        return (unsigned char)s[0];
    if (!str_starts(s, "ctrl-") || strlen(s) != 6)
        return -1;
    found = strchr(controls, s[5]);
    return found ? (int)(found - controls) : -1;
}

bool detach_keys_parse(const char *text, struct detach_keys *out)
{
    cleanup_strv struct strv keys = {0};

    *out = (struct detach_keys){0};
    strv_split(&keys, str_empty(text) ? DETACH_KEYS_DEFAULT : text, ',');
    if (keys.n > DETACH_KEYS_MAX)
        return false;
    for (size_t i = 0; i < keys.n; i++) {
        int key = parse_key(keys.v[i]);

        if (key < 0)
            return false;
        out->key[out->n++] = (unsigned char)key;
    }
    return out->n > 0;
}

/* After a key that does not go on with the sequence: how much of what was held is still a start? */
static size_t fall_back(const struct detach_keys *k, size_t held, unsigned char next)
{
    for (size_t n = held; n > 0; n--)
        if (k->key[n - 1] == next && memcmp(k->key, k->key + held - (n - 1), n - 1) == 0)
            return n;
    return 0;
}

bool detach_keys_filter(struct detach_keys *k, const unsigned char *typed, size_t n,
                        struct buf *out)
{
    for (size_t i = 0; i < n; i++) {
        size_t held = k->matched;

        if (typed[i] == k->key[held]) {
            if (++k->matched == k->n)
                return true;
            continue;
        }
        k->matched = fall_back(k, held, typed[i]);
        /* What was held and is no start any more goes out, then perhaps the new key itself. */
        if (k->matched == 0) {
            buf_add(out, k->key, held);
            buf_add(out, &typed[i], 1);
        } else {
            buf_add(out, k->key, held + 1 - k->matched);
        }
    }
    return false;
}
