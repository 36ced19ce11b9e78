/* host: see host.h. */
#include "base/host.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/str.h"

int host_name(char *out, size_t size, struct err *e)
{
    if (gethostname(out, size))
        return err_os(e, errno, "read the host's name");
    out[size - 1] = '\0';
    return 0;
}

int host_boot_id(char *out, size_t size, struct err *e)
{
    cleanup_buf struct buf text = BUF_INIT(256);

    if (fs_read("/proc/sys/kernel/random/boot_id", &text, e))
        return -1;
    str_copy(out, size, str_trim(text.data));
    return 0;
}

long host_processors(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);

    return n > 0 ? n : 1;
}
