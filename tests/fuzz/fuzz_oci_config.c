/* A config.json from whoever wrote the bundle: read, or refused in words, never more. */
#include "tests/fuzz/fuzz.h"

#include "runtime-linux/oci.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct oci_resources res;
    struct oci_config *cfg = NULL;
    struct err e = ERR_INIT;

    if (oci_config_parse((const char *)data, size, "/bundle", &cfg, &e) == 0)
        oci_config_free(cfg);
    if (oci_resources_parse((const char *)data, size, &res, &e) == 0)
        oci_resources_release(&res);
    return 0;
}
