/* fs_real: the true name of a file, for checks that a path stays below a directory. */
#include <errno.h>
#include <stdlib.h>

#include "base/fs.h"

int fs_real_path(const char *path, char **out, struct err *e)
{
    char *real = realpath(path, NULL);

    if (real) {
        *out = real;
        return 0;
    }
    if (errno == ENOENT || errno == ENOTDIR)
        return err_set(e, ERR_NOT_FOUND, "%s: no such file or directory", path);
    return err_os(e, errno, "%s", path);
}
