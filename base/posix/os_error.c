/* os_error on POSIX: what strerror() says, safely in threads. */
#include <string.h>

#include "base/os_internal.h"
#include "base/str.h"

void os_error_text(int code, char *out, size_t size)
{
    char space[128];

    str_copy(out, size, strerror_r(code, space, sizeof(space)));
}
