/*
 * fs on Windows: whole files and names.  Trees are in fs_tree.c.
 *
 * There are no mode bits.  A mode that keeps others out (no group or other bits) becomes a
 * protected access list, any other one is what the directory hands down.
 */
#include "base/fs.h"

#include <io.h>
#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/win32/win_internal.h"

void fd_close(int fd)
{
    if (fd >= 0)
        _close(fd);
}

static int write_all(HANDLE h, const char *bytes, size_t n, const char *path, struct err *e)
{
    while (n > 0) {
        DWORD part = n > 1 << 30 ? 1 << 30 : (DWORD)n, written;

        if (FAULT("fs.write"))
            return win_error_code(e, ERROR_DISK_FULL, "write %s", path);
        if (!WriteFile(h, bytes, part, &written, NULL))
            return win_error(e, "write %s", path);
        bytes += written;
        n -= written;
    }
    return 0;
}

/* Creates "<path>.<random>" and leaves its name in *tmp. */
static int create_beside(const char *path, unsigned mode, wchar_t **tmp, HANDLE *out, struct err *e)
{
    unsigned long long random;

    do {
        cleanup_free char *name = NULL;

        random_bytes(&random, sizeof(random));
        name = str_printf("%s.%012llx", path, random & 0xffffffffffffULL);
        free(*tmp);
        *tmp = win_path(name);
        *out = CreateFileW(*tmp, GENERIC_WRITE, 0, win_private(mode), CREATE_NEW,
                           FILE_ATTRIBUTE_NORMAL, NULL);
    } while (*out == INVALID_HANDLE_VALUE && GetLastError() == ERROR_FILE_EXISTS);
    return *out == INVALID_HANDLE_VALUE ? win_error(e, "create %s", path) : 0;
}

/* A scanner or an indexer may have the old file open for a moment. */
static BOOL move_over(const wchar_t *from, const wchar_t *to, DWORD flags)
{
    for (int attempt = 0;; attempt++) {
        DWORD code;

        if (MoveFileExW(from, to, MOVEFILE_REPLACE_EXISTING | flags))
            return TRUE;
        code = GetLastError();
        if (attempt == 20 || (code != ERROR_SHARING_VIOLATION && code != ERROR_ACCESS_DENIED)) {
            SetLastError(code);
            return FALSE;
        }
        Sleep(10);
    }
}

int fs_write_atomic(const char *path, const void *bytes, size_t n, unsigned mode, bool durable,
                    struct err *e)
{
    cleanup_free wchar_t *to = win_path(path), *tmp = NULL;
    HANDLE h;
    int rc;

    if (create_beside(path, mode, &tmp, &h, e))
        return -1;
    rc = write_all(h, bytes, n, path, e);
    if (!rc && durable && !FlushFileBuffers(h))
        rc = win_error(e, "sync %s", path);
    CloseHandle(h);
    if (!rc && FAULT("fs.rename"))
        rc = win_error_code(e, ERROR_WRITE_FAULT, "replace %s", path);
    if (!rc && !move_over(tmp, to, durable ? MOVEFILE_WRITE_THROUGH : 0))
        rc = win_error(e, "replace %s", path);
    if (rc)
        DeleteFileW(tmp);
    return rc;
}

int fs_read(const char *path, struct buf *out, struct err *e)
{
    cleanup_free wchar_t *w = win_path(path);
    cleanup_handle HANDLE h =
        CreateFileW(w, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
                    OPEN_EXISTING, FILE_FLAG_SEQUENTIAL_SCAN, NULL);
    char chunk[16 * 1024];
    DWORD n;

    if (h == INVALID_HANDLE_VALUE)
        return win_error(e, "open %s", path);
    for (;;) {
        if (!ReadFile(h, chunk, sizeof(chunk), &n, NULL))
            return win_error(e, "read %s", path);
        if (n == 0)
            return 0;
        buf_add(out, chunk, n);
        if (buf_check(out, path, e))
            return -1;
    }
}

int fs_rewrite(const char *path, const void *bytes, size_t n, unsigned mode, struct err *e)
{
    cleanup_free wchar_t *w = win_path(path);
    cleanup_handle HANDLE h =
        CreateFileW(w, GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_DELETE, win_private(mode),
                    OPEN_ALWAYS, FILE_ATTRIBUTE_NORMAL, NULL);

    if (h == INVALID_HANDLE_VALUE)
        return win_error(e, "open %s", path);
    if (write_all(h, bytes, n, path, e))
        return -1;
    return SetEndOfFile(h) ? 0 : win_error(e, "truncate %s", path);
}

static int mkdir_one(const char *path, unsigned mode, struct err *e)
{
    cleanup_free wchar_t *w = win_path(path);

    if (CreateDirectoryW(w, win_private(mode)) || GetLastError() == ERROR_ALREADY_EXISTS)
        return 0;
    /* The root of a drive or a share cannot be made, and is there. */
    if (GetLastError() == ERROR_ACCESS_DENIED && fs_is_dir(path))
        return 0;
    return win_error(e, "create directory %s", path);
}

int fs_mkdir_p(const char *path, unsigned mode, struct err *e)
{
    cleanup_free char *p = xstrdup(path);
    size_t n = strlen(p);

    if (fs_is_dir(p))
        return 0;
    for (size_t i = 1; i < n; i++) {
        char c = p[i];

        if ((c != '/' && c != '\\') || p[i - 1] == ':')
            continue;
        p[i] = '\0';
        if (!fs_is_dir(p) && mkdir_one(p, mode, e))
            return -1;
        p[i] = c;
    }
    if (mkdir_one(p, mode, e))
        return -1;
    if (!fs_is_dir(p))
        return win_error_code(e, ERROR_DIRECTORY, "create directory %s", path);
    return 0;
}

int fs_remove(const char *path, struct err *e)
{
    cleanup_free wchar_t *w = win_path(path);

    if (DeleteFileW(w) || win_is_missing(GetLastError()))
        return 0;
    if (GetLastError() == ERROR_ACCESS_DENIED) { /* perhaps only marked read-only */
        SetFileAttributesW(w, FILE_ATTRIBUTE_NORMAL);
        if (DeleteFileW(w))
            return 0;
    }
    return win_error(e, "remove %s", path);
}

int fs_remove_empty(const char *path, struct err *e)
{
    cleanup_free wchar_t *w = win_path(path);

    if (RemoveDirectoryW(w) || win_is_missing(GetLastError()))
        return 0;
    return win_error(e, "remove %s", path);
}

int fs_rename(const char *from, const char *to, struct err *e)
{
    cleanup_free wchar_t *f = win_path(from), *t = win_path(to);

    return move_over(f, t, 0) ? 0 : win_error(e, "rename %s to %s", from, to);
}

bool fs_exists(const char *path)
{
    cleanup_free wchar_t *w = win_path(path);

    return GetFileAttributesW(w) != INVALID_FILE_ATTRIBUTES;
}

bool fs_is_dir(const char *path)
{
    cleanup_free wchar_t *w = win_path(path);
    DWORD attributes = GetFileAttributesW(w);

    return attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_DIRECTORY);
}

int fs_list(const char *path, struct strv *names, struct err *e)
{
    cleanup_free char *pattern = str_printf("%s/*", path);
    cleanup_free wchar_t *w = win_path(pattern);
    cleanup_strv struct strv list = {0};
    WIN32_FIND_DATAW found;
    HANDLE h = FindFirstFileExW(w, FindExInfoBasic, &found, FindExSearchNameMatch, NULL, 0);
    DWORD code;

    if (h == INVALID_HANDLE_VALUE)
        return win_error(e, "list %s", path);
    do {
        if (wcscmp(found.cFileName, L".") && wcscmp(found.cFileName, L".."))
            strv_take(&list, win_utf8(found.cFileName));
    } while (FindNextFileW(h, &found));
    code = GetLastError();
    FindClose(h);
    if (code != ERROR_NO_MORE_FILES)
        return win_error_code(e, code, "list %s", path);
    strv_sort(&list);
    strv_release(names);
    *names = list;
    list = (struct strv){0};
    return 0;
}

/* NTFS keeps its directories by journal, and MOVEFILE_WRITE_THROUGH waits for it. */
int fs_sync_dir(const char *path, struct err *e)
{
    return fs_is_dir(path) ? 0 : win_error_code(e, ERROR_PATH_NOT_FOUND, "open %s", path);
}

int fs_give(const char *path, uint32_t owner, struct err *e)
{
    return err_set(e, ERR_UNSUPPORTED, "files of this system have no owner by number: %s, %lu",
                   path, (unsigned long)owner);
}

bool fs_has_link(const char *dir, const char *name, const char *text)
{
    (void)dir;
    (void)name;
    (void)text;
    return false; /* links here have no text of their own */
}

int fs_open_dir(const char *path, struct err *e)
{
    return err_set(e, ERR_UNSUPPORTED, "directories of this system are not opened: %s", path);
}

int fs_disk_free(const char *path, int64_t *free_bytes, int64_t *total_bytes, struct err *e)
{
    cleanup_free wchar_t *w = win_path(path);
    ULARGE_INTEGER available, total;

    if (!GetDiskFreeSpaceExW(w, &available, &total, NULL))
        return win_error(e, "measure the file system of %s", path);
    *free_bytes = (int64_t)available.QuadPart;
    *total_bytes = (int64_t)total.QuadPart;
    return 0;
}

/* "C:/x", "C:\x", "\\server\share", "//./pipe/x"; a lone leading slash names the current drive. */
bool path_is_abs(const char *p)
{
    bool letter = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z');

    if (*p == '/' || *p == '\\')
        return true;
    return letter && p[1] == ':' && (p[2] == '/' || p[2] == '\\');
}
