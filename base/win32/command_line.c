/* command_line: see command_line_internal.h. */
#include "base/win32/command_line_internal.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/win32/win_internal.h"

#define LINE_MAX_BYTES (128 * 1024) /* CreateProcess itself takes 32,767 characters */

/* Backslashes are themselves, except in front of a quote, where each must be doubled. */
static void add_quoted(struct buf *b, const char *arg)
{
    size_t slashes = 0;

    if (*arg && !strpbrk(arg, " \t\n\v\"")) {
        buf_addf(b, "%s", arg);
        return;
    }
    buf_add(b, "\"", 1);
    for (; *arg; arg++) {
        slashes = *arg == '\\' ? slashes + 1 : slashes;
        if (*arg == '"') {
            for (size_t i = 0; i < slashes + 1; i++)
                buf_add(b, "\\", 1);
        }
        if (*arg != '\\')
            slashes = 0;
        buf_add(b, arg, 1);
    }
    for (size_t i = 0; i < slashes; i++) /* in front of the closing quote */
        buf_add(b, "\\", 1);
    buf_add(b, "\"", 1);
}

wchar_t *command_line(const char *const *argv)
{
    cleanup_buf struct buf b = BUF_INIT(LINE_MAX_BYTES);

    for (size_t i = 0; argv[i]; i++) {
        if (i > 0)
            buf_add(&b, " ", 1);
        add_quoted(&b, argv[i]);
    }
    return win_wide(b.data);
}

static int by_name(const void *a, const void *b)
{
    return _wcsicmp(*(wchar_t *const *)a, *(wchar_t *const *)b);
}

wchar_t *command_environment(const char *const *envp)
{
    size_t n = 0, chars = 1;
    wchar_t **wide, *out, *p;

    while (envp[n])
        n++;
    wide = xcalloc(n, sizeof(wchar_t *));
    for (size_t i = 0; i < n; i++) {
        wide[i] = win_wide(envp[i]);
        chars += wcslen(wide[i]) + 1;
    }
    qsort(wide, n, sizeof(wchar_t *), by_name);
    p = out = xcalloc(chars + 1, sizeof(*out)); /* two NULs even when it is empty */
    for (size_t i = 0; i < n; i++) {
        size_t len = wcslen(wide[i]) + 1;

        memcpy(p, wide[i], len * sizeof(*p));
        p += len;
        free(wide[i]);
    }
    free(wide);
    return out;
}
