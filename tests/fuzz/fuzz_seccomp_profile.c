/* A seccomp profile in Docker's JSON, of a client: reduced to what holds here, or refused. */
#include "tests/fuzz/fuzz.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "runtime-linux/seccomp_profile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cleanup_buf struct buf out = BUF_INIT(1 << 20);
    cleanup_free char *text = str_ndup((const char *)data, size);
    struct jsonw w = JSONW_INIT(&out);
    struct err e = ERR_INIT;

    if (!seccomp_profile_is_empty(text))
        (void)!seccomp_profile_convert(text, 0xa80425fb, &w, &e);
    return 0;
}
