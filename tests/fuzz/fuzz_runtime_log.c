/* The log of whatever program was configured as a runtime: its last error, or none, and never more
 * than there is. */
#include "tests/fuzz/fuzz.h"

#include "base/mem.h"
#include "runtime-linux/oci_command.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cleanup_buf struct buf words = BUF_INIT(1024 * 1024);
    bool found = oci_command_log_error((const char *)data, size, &words);

    if (!found && words.len > 0)
        __builtin_trap();
    return 0;
}
