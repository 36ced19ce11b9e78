/*
 * fs_tree on Windows: removing and measuring whole trees.
 *
 * Without recursion: a path of 32,767 characters can be 16,000 levels deep.  Removal descends into
 * the first directory it meets and comes back up when nothing is left; measuring keeps a list of
 * directories still to be read.  A reparse point (symlink, junction, mounted volume) is removed as
 * what it is and never entered.
 */
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/win32/win_internal.h"

#define PATH_CHARS 32767 /* of \\?\ paths */

static bool is_dots(const wchar_t *name)
{
    return wcscmp(name, L".") == 0 || wcscmp(name, L"..") == 0;
}

static bool is_plain_dir(DWORD attributes)
{
    return (attributes & FILE_ATTRIBUTE_DIRECTORY) && !(attributes & FILE_ATTRIBUTE_REPARSE_POINT);
}

/* Removes a file, an empty directory or a link of either kind.  Gone already is success. */
static DWORD remove_one(const wchar_t *path, DWORD attributes)
{
    if (attributes & FILE_ATTRIBUTE_READONLY)
        SetFileAttributesW(path, FILE_ATTRIBUTE_NORMAL);
    if (attributes & FILE_ATTRIBUTE_DIRECTORY ? RemoveDirectoryW(path) : DeleteFileW(path))
        return 0;
    return win_is_missing(GetLastError()) ? 0 : GetLastError();
}

/* Puts "\name" behind the path of length n; false when it becomes too long. */
static bool append(wchar_t *path, size_t n, const wchar_t *name)
{
    size_t len = wcslen(name);

    if (n + 1 + len >= PATH_CHARS)
        return false;
    path[n] = L'\\';
    memcpy(path + n + 1, name, (len + 1) * sizeof(*path));
    return true;
}

enum pass { PASS_EMPTY, PASS_DESCEND, PASS_FAILED };

/*
 * Removes what the directory `path` (of length n) holds, up to its first subdirectory, whose name
 * is then left appended.
 */
static enum pass remove_contents(wchar_t *path, size_t n, DWORD *code)
{
    WIN32_FIND_DATAW found;
    enum pass result = PASS_EMPTY;
    HANDLE h;

    if (!append(path, n, L"*")) {
        *code = ERROR_FILENAME_EXCED_RANGE;
        return PASS_FAILED;
    }
    h = FindFirstFileExW(path, FindExInfoBasic, &found, FindExSearchNameMatch, NULL, 0);
    *code = h == INVALID_HANDLE_VALUE ? GetLastError() : 0;
    if (h == INVALID_HANDLE_VALUE) {
        path[n] = L'\0';
        return win_is_missing(*code) ? PASS_EMPTY : PASS_FAILED;
    }
    do {
        if (is_dots(found.cFileName))
            continue;
        if (!append(path, n, found.cFileName)) {
            *code = ERROR_FILENAME_EXCED_RANGE;
            result = PASS_FAILED;
        } else if (is_plain_dir(found.dwFileAttributes)) {
            result = PASS_DESCEND;
        } else {
            *code = remove_one(path, found.dwFileAttributes);
            result = *code ? PASS_FAILED : PASS_EMPTY;
        }
    } while (result == PASS_EMPTY && FindNextFileW(h, &found));
    FindClose(h);
    if (result == PASS_EMPTY)
        path[n] = L'\0';
    return result;
}

/* `path` has room for PATH_CHARS.  Returns the system's error, path then says where. */
static DWORD remove_tree(wchar_t *path)
{
    size_t root = wcslen(path);
    DWORD code;

    for (;;) {
        size_t n = wcslen(path);
        DWORD attributes;

        switch (remove_contents(path, n, &code)) {
        case PASS_FAILED:
            return code;
        case PASS_DESCEND:
            continue;
        case PASS_EMPTY:
            break;
        }
        attributes = GetFileAttributesW(path);
        if (attributes != INVALID_FILE_ATTRIBUTES) {
            code = remove_one(path, attributes);
            if (code == ERROR_DIR_NOT_EMPTY)
                continue; /* somebody put something there meanwhile */
            if (code)
                return code;
        }
        if (n == root)
            return 0;
        *wcsrchr(path, L'\\') = L'\0';
    }
}

int fs_remove_all(const char *path, struct err *e)
{
    cleanup_free wchar_t *w = win_path(path);
    cleanup_free wchar_t *space = xcalloc(PATH_CHARS + 1, sizeof(*space));
    cleanup_free char *where = NULL;
    DWORD attributes = GetFileAttributesW(w), code;
    size_t n = wcslen(w);

    /* "\\?\C:\", "\\?\C:" and the like */
    if (str_empty(path) || n < 8 || w[n - 1] == L'\\' || w[n - 1] == L':')
        return err_set(e, ERR_INVALID, "remove %s: refused", path);
    if (attributes == INVALID_FILE_ATTRIBUTES)
        return win_is_missing(GetLastError()) ? 0 : win_error(e, "remove %s", path);
    if (n >= PATH_CHARS)
        return win_error_code(e, ERROR_FILENAME_EXCED_RANGE, "remove %s", path);
    memcpy(space, w, (n + 1) * sizeof(*space));
    code = is_plain_dir(attributes) ? remove_tree(space) : remove_one(space, attributes);
    if (!code)
        return 0;
    where = win_utf8(space);
    return win_error_code(e, code, "remove %s: \"%s\"", path, where);
}

/* Adds the sizes in one directory and puts its subdirectories on the list. */
static int measure_dir(const char *dir, struct strv *pending, int64_t *bytes, struct err *e)
{
    cleanup_free char *pattern = str_printf("%s/*", dir);
    cleanup_free wchar_t *w = win_path(pattern);
    WIN32_FIND_DATAW found;
    HANDLE h = FindFirstFileExW(w, FindExInfoBasic, &found, FindExSearchNameMatch, NULL, 0);

    if (h == INVALID_HANDLE_VALUE)
        return win_error(e, "measure %s", dir);
    do {
        cleanup_free char *name = NULL;

        if (is_dots(found.cFileName) || (found.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT))
            continue;
        if (!is_plain_dir(found.dwFileAttributes)) {
            *bytes += (int64_t)((uint64_t)found.nFileSizeHigh << 32 | found.nFileSizeLow);
            continue;
        }
        name = win_utf8(found.cFileName);
        strv_addf(pending, "%s/%s", dir, name);
    } while (FindNextFileW(h, &found));
    FindClose(h);
    return 0;
}

int fs_tree_size(const char *path, int64_t *bytes, struct err *e)
{
    cleanup_strv struct strv pending = {0};
    int64_t total = 0;

    if (!fs_exists(path))
        return win_error_code(e, ERROR_FILE_NOT_FOUND, "measure %s", path);
    strv_add(&pending, path);
    while (pending.n > 0) {
        cleanup_free char *dir = xstrdup(pending.v[pending.n - 1]);

        strv_remove_at(&pending, pending.n - 1);
        if (measure_dir(dir, &pending, &total, e)) {
            /* What vanished while we looked counts nothing; the top must be there. */
            if (e->kind != ERR_NOT_FOUND || str_eq(dir, path))
                return -1;
        }
    }
    *bytes = total;
    return 0;
}
