/* Image names: what is taken comes out the same from its canonical and its familiar form. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "images/reference.h"
#include "images/registry_auth.h"
#include "tests/fuzz/fuzz.h"

static void same_again(const char *text, const struct reference *want)
{
    struct reference r = {0};

    if (reference_parse(text, &r, ERR_IGNORE) || !str_eq(r.domain, want->domain) ||
        !str_eq(r.path, want->path) || !str_eq(r.tag, want->tag) || !str_eq(r.digest, want->digest))
        abort();
    reference_release(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cleanup_free char *text = str_ndup((const char *)data, size);
    struct credentials c;
    struct challenge ch;
    struct reference r = {0};

    credentials_decode(text, &c);
    credentials_release(&c);
    if (challenge_parse(text, &ch))
        challenge_release(&ch);
    if (reference_parse(text, &r, ERR_IGNORE))
        return 0;
    cleanup_free char *canonical = reference_canonical(&r), *familiar = reference_familiar(&r);
    same_again(canonical, &r);
    same_again(familiar, &r);
    reference_release(&r);
    return 0;
}
