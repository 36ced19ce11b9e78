/* fuzz_compose: any bytes as a Compose file. */
#include "compose/compose.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cleanup_app struct app *app = NULL;
    cleanup_kvs struct kvs env = {0};
    struct err e = ERR_INIT;

    kvs_set(&env, "TAG", "1.0");
    if (compose_load_text((const char *)data, size, "f", "fuzz", &env, &app, &e))
        return 0;
    return 0;
}
