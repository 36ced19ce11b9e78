/* An image's config blob: whatever it says, it is decoded or refused. */
#include <stdlib.h>

#include "core/image.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cleanup_image struct image *i = image_new(), *copy = NULL;
    cleanup_buf struct buf b = BUF_INIT(64 << 20);
    struct jsonw w = JSONW_INIT(&b);
    struct err e = ERR_INIT;

    if (image_config_decode((const char *)data, size, i, &e))
        return 0;
    if (i->chain_ids.n != i->diff_ids.n)
        abort();
    copy = image_copy(i);
    container_spec_encode_image(copy->config, &w);
    return 0;
}
