/* fs_real: the true name of a file, for checks that a path stays below a directory. */
#include <windows.h>

#include "base/fs.h"
#include "base/mem.h"

#define LONG_PATH 32768

int fs_real_path(const char *path, char **out, struct err *e)
{
    HANDLE h = CreateFileA(path, 0, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
                           OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL);

    if (h == INVALID_HANDLE_VALUE) {
        DWORD code = GetLastError();

        if (code == ERROR_FILE_NOT_FOUND || code == ERROR_PATH_NOT_FOUND)
            return err_set(e, ERR_NOT_FOUND, "%s: no such file or directory", path);
        return err_os(e, (int)code, "%s", path);
    }
    cleanup_free char *text = xmalloc(LONG_PATH);
    DWORD n = GetFinalPathNameByHandleA(h, text, LONG_PATH, FILE_NAME_NORMALIZED);
    DWORD code = GetLastError();

    CloseHandle(h);
    if (n == 0 || n >= LONG_PATH)
        return err_os(e, (int)code, "%s", path);
    /* "\\?\C:\x" -> "C:/x", which path_clean() and friends understand */
    *out = xstrdup(str_starts(text, "\\\\?\\") ? text + 4 : text);
    for (char *p = *out; *p; p++)
        if (*p == '\\')
            *p = '/';
    return 0;
}
