/* Any bytes as the agent's settings: an error with a place, or settings; never a crash. */
#include "agent/config.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = ERR_INIT;
    struct config c;

    config_init(&c, "ballastd");
    if (config_parse(&c, (const char *)data, size, "f", &e) && e.msg[0] == '\0')
        __builtin_trap();
    config_release(&c);
    return 0;
}
