/* win: see win_internal.h. */
#include "base/win32/win_internal.h"

#include <sddl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/cancel.h"
#include "base/mem.h"
#include "base/os_internal.h"
#include "base/str.h"
#include "base/sync.h"
#include "base/time.h"

/* How often a switch without an event object is looked at. */
#define SLOW_WAIT_MS 100

wchar_t *win_wide(const char *s)
{
    wchar_t *w;
    int n;

    if (!s)
        return NULL;
    n = MultiByteToWideChar(CP_UTF8, 0, s, -1, NULL, 0);
    w = xcalloc((size_t)n + 1, sizeof(*w));
    MultiByteToWideChar(CP_UTF8, 0, s, -1, w, n);
    return w;
}

char *win_utf8(const wchar_t *s)
{
    char *out;
    int n;

    if (!s)
        return NULL;
    n = WideCharToMultiByte(CP_UTF8, 0, s, -1, NULL, 0, NULL, NULL);
    out = xcalloc((size_t)n + 1, 1);
    WideCharToMultiByte(CP_UTF8, 0, s, -1, out, n, NULL, NULL);
    return out;
}

wchar_t *win_path(const char *path)
{
    cleanup_free wchar_t *w = win_wide(path), *full = NULL;
    wchar_t *out;
    DWORD n;

    for (wchar_t *p = w; *p; p++)
        if (*p == L'/')
            *p = L'\\';
    if (wcsncmp(w, L"\\\\?\\", 4) == 0 || wcsncmp(w, L"\\\\.\\", 4) == 0)
        return take_ptr(w);
    /* Behind the prefix nothing is resolved any more, so ".", ".." and the drive go before. */
    n = GetFullPathNameW(w, 0, NULL, NULL);
    if (n == 0)
        return take_ptr(w);
    full = xcalloc((size_t)n + 1, sizeof(*full));
    GetFullPathNameW(w, n, full, NULL);
    out = xcalloc((size_t)n + 16, sizeof(*out));
    if (full[0] == L'\\' && full[1] == L'\\') {
        memcpy(out, L"\\\\?\\UNC\\", 8 * sizeof(*out));
        wcscat(out, full + 2);
    } else {
        memcpy(out, L"\\\\?\\", 4 * sizeof(*out));
        wcscat(out, full);
    }
    return out;
}

void os_error_text(int code, char *out, size_t size)
{
    wchar_t text[256];
    DWORD n = FormatMessageW(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, NULL,
                             (DWORD)code, 0, text, 255, NULL);
    cleanup_free char *utf8 = NULL;

    while (n > 0 && (text[n - 1] <= L' ' || text[n - 1] == L'.'))
        n--;
    text[n] = L'\0';
    utf8 = win_utf8(text);
    if (*utf8)
        str_copy(out, size, utf8);
    else
        (void)!snprintf(out, size, "system error %d", code);
}

bool win_is_missing(DWORD code)
{
    return code == ERROR_FILE_NOT_FOUND || code == ERROR_PATH_NOT_FOUND ||
           code == ERROR_BAD_NETPATH || code == ERROR_INVALID_NAME;
}

int win_fill_error(struct err *e, DWORD code, const char *fmt, ...)
{
    char text[ERR_MSG_MAX];
    va_list ap;

    va_start(ap, fmt);
    (void)!vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    err_os(e, (int)code, "%s", text);
    if (win_is_missing(code))
        e->kind = ERR_NOT_FOUND;
    return -1;
}

intptr_t os_switch_open(void)
{
    HANDLE h = CreateEventW(NULL, TRUE, FALSE, NULL);

    return h ? (intptr_t)h : OS_NONE;
}

void os_switch_fire(intptr_t s)
{
    SetEvent((HANDLE)s);
}

void os_switch_close(intptr_t s)
{
    CloseHandle((HANDLE)s);
}

int cancel_fd(const struct cancel *c)
{
    (void)c;
    return -1; /* there is nothing to poll here */
}

bool cancel_sleep_ms(struct cancel *c, int64_t ms)
{
    return win_wait(NULL, ms < 0 ? 0 : ms, c, ERR_IGNORE) < 0;
}

static DWORD wait_timeout(int64_t left_ms, bool slow)
{
    if (slow && (left_ms < 0 || left_ms > SLOW_WAIT_MS))
        return SLOW_WAIT_MS;
    if (left_ms < 0)
        return INFINITE;
    return left_ms > INT32_MAX ? INT32_MAX : (DWORD)left_ms;
}

int win_wait(HANDLE h, int64_t timeout_ms, struct cancel *c, struct err *e)
{
    int64_t deadline = timeout_ms < 0 ? -1 : time_mono_ms() + timeout_ms;
    bool slow = c && cancel_os(c) == OS_NONE;
    HANDLE handles[2];
    DWORD n = 0, r;

    if (h)
        handles[n++] = h;
    if (c && !slow)
        handles[n++] = (HANDLE)cancel_os(c);
    for (;;) {
        int64_t left = -1;

        if (deadline >= 0) {
            left = deadline - time_mono_ms();
            left = left < 0 ? 0 : left;
        }
        if (n == 0) {
            Sleep(wait_timeout(left, slow));
            r = WAIT_TIMEOUT;
        } else {
            r = WaitForMultipleObjects(n, handles, FALSE, wait_timeout(left, slow));
        }
        if (r == WAIT_FAILED)
            return win_error(e, "wait");
        if (cancel_fired(c))
            return err_set(e, ERR_CANCELLED, "cancelled");
        if (h && r == WAIT_OBJECT_0)
            return 1;
        if (left == 0)
            return 0;
    }
}

int win_finish(HANDLE file, OVERLAPPED *ov, BOOL ok, struct cancel *c, DWORD *n, DWORD *code,
               struct err *e)
{
    *n = 0;
    *code = ok ? 0 : GetLastError();
    if (!ok && *code != ERROR_IO_PENDING)
        return win_error_code(e, *code, "pipe");
    *code = 0;
    if (!ok && win_wait(ov->hEvent, -1, c, e) < 0) {
        /* The buffer is the caller's: the operation must have ended before we return. */
        CancelIoEx(file, ov);
        if (GetOverlappedResult(file, ov, n, TRUE) && *n > 0)
            return 0; /* it had just been done: do not lose the bytes; the next call is cancelled */
        return -1;
    }
    if (!GetOverlappedResult(file, ov, n, TRUE)) {
        *code = GetLastError();
        return win_error_code(e, *code, "pipe");
    }
    return 0;
}

void win_close(HANDLE h)
{
    if (h && h != INVALID_HANDLE_VALUE)
        CloseHandle(h);
}

HANDLE win_event(bool manual_reset)
{
    HANDLE h = CreateEventW(NULL, manual_reset, FALSE, NULL);

    if (!h) {
        fputs("out of event objects\n", stderr);
        abort();
    }
    return h;
}

static SECURITY_ATTRIBUTES private_attributes;
static pthread_once_t private_once = PTHREAD_ONCE_INIT;

static void make_private(void)
{
    private_attributes.nLength = sizeof(private_attributes);
    /* OICI: what is created inside inherits it; OW: whoever owns the object */
    if (!ConvertStringSecurityDescriptorToSecurityDescriptorW(
            L"D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;OW)", SDDL_REVISION_1,
            &private_attributes.lpSecurityDescriptor, NULL)) {
        fputs("no security descriptor for private files\n", stderr);
        abort();
    }
}

SECURITY_ATTRIBUTES *win_private(unsigned mode)
{
    if (mode & 077)
        return NULL;
    pthread_once(&private_once, make_private);
    return &private_attributes;
}
