/* Manifests, indexes and platforms: what is taken keeps to the limits. */
#include <stdlib.h>

#include "base/digest.h"
#include "images/manifest.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const types[] = {NULL, MEDIA_DOCKER_IMAGE, MEDIA_OCI_INDEX, "text/plain"};

    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        struct manifest m = {0};
        struct platform want = {0};

        if (manifest_parse((const char *)data, size, types[i], &m, ERR_IGNORE))
            continue;
        if (m.n > MANIFEST_ENTRIES || (!m.is_index && m.n > MANIFEST_LAYERS))
            abort();
        for (size_t k = 0; k < m.n; k++)
            if (!digest_valid(m.v[k].digest) || m.v[k].size < 0)
                abort();
        if (!platform_parse(NULL, &want, ERR_IGNORE))
            (void)manifest_choose(&m, &want, false);
        platform_release(&want);
        manifest_release(&m);
    }
    return 0;
}
