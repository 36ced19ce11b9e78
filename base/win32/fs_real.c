/* fs_real: the true name of a file, for checks that a path stays below a directory. */
#include "base/fs.h"

#include <string.h>

#include "base/mem.h"
#include "base/win32/win_internal.h"

/* "\\?\C:\x" to "C:/x", "\\?\UNC\s\x" to "//s/x", which path_clean() and friends understand */
static char *without_prefix(const char *text)
{
    char *out;

    if (str_starts(text, "\\\\?\\UNC\\"))
        out = str_printf("//%s", text + strlen("\\\\?\\UNC\\"));
    else
        out = xstrdup(str_starts(text, "\\\\?\\") ? text + strlen("\\\\?\\") : text);
    for (char *p = out; *p; p++)
        if (*p == '\\')
            *p = '/';
    return out;
}

int fs_real_path(const char *path, char **out, struct err *e)
{
    cleanup_free wchar_t *w = win_path(path), *real = NULL;
    cleanup_free char *text = NULL;
    cleanup_handle HANDLE h =
        CreateFileW(w, 0, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
                    OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL);
    DWORD n;

    if (h == INVALID_HANDLE_VALUE)
        return win_error(e, "%s", path);
    n = GetFinalPathNameByHandleW(h, NULL, 0, FILE_NAME_NORMALIZED);
    if (n == 0)
        return win_error(e, "%s", path);
    real = xcalloc((size_t)n + 1, sizeof(*real));
    if (GetFinalPathNameByHandleW(h, real, n + 1, FILE_NAME_NORMALIZED) > n)
        return win_error(e, "%s", path);
    text = win_utf8(real);
    *out = without_prefix(text);
    return 0;
}
