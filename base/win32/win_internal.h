/*
 * win_internal: what the files of this folder share: UTF-16 at the edge, errors, waiting.
 *
 * Text is UTF-8 everywhere else and becomes UTF-16 only in the argument of a system call.  Every
 * blocking operation is overlapped and waited for together with the cancel switch, in win_wait().
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <winsock2.h> /* before windows.h, which would bring its predecessor */

#include <windows.h>

#include "base/err.h"

struct cancel;

/* NULL in, NULL out; what is no UTF-8 becomes U+FFFD.  Heap. */
wchar_t *win_wide(const char *s);
char *win_utf8(const wchar_t *s);
/*
 * A path for a system call: '/' becomes '\', and an absolute one gets the \\?\ prefix, which lifts
 * the limit of 260 characters.  Pipes ("//./pipe/x") stay what they are.
 */
wchar_t *win_path(const char *path);

/* err_os() with GetLastError(), where "no such file or path" is ERR_NOT_FOUND. */
#define win_error(e, ...)      win_error_code(e, GetLastError(), __VA_ARGS__)
#define win_error_code(e, ...) err_failed(win_fill_error(e, __VA_ARGS__))
int win_fill_error(struct err *e, DWORD code, const char *fmt, ...) PRINTF_LIKE(3, 4);
bool win_is_missing(DWORD code);

/* 1: h is signalled; 0: timeout_ms (-1: none) passed; -1: cancelled or failed. */
int win_wait(HANDLE h, int64_t timeout_ms, struct cancel *c, struct err *e) MUST_USE;

/*
 * Ends an overlapped operation on `file` that began with `ok` (what ReadFile and friends returned):
 * waits for it and stores the bytes; cancelled, it is taken back first.  0, or -1 with *code the
 * system's error (0 when cancelled).
 */
int win_finish(HANDLE file, OVERLAPPED *ov, BOOL ok, struct cancel *c, DWORD *n, DWORD *code,
               struct err *e) MUST_USE;

void win_close(HANDLE h); /* NULL and INVALID_HANDLE_VALUE are ignored */
static inline void win_close_p(HANDLE *h)
{
    win_close(*h);
}
#define cleanup_handle CLEANUP(win_close_p)
HANDLE win_event(bool manual_reset); /* aborts when there is none left, as memory does */

/* Protected: SYSTEM, Administrators and the owner.  For what POSIX would give the mode 0600 or
 * 0700; NULL for a mode that others may read, which means "as the directory says". */
SECURITY_ATTRIBUTES *win_private(unsigned mode);

struct stream;
/* A connected pipe (opened overlapped) or socket; taken over. */
struct stream *stream_npipe_new(HANDLE pipe, const char *name);
struct stream *stream_socket_new(SOCKET s, const char *name);
int socket_start(struct err *e) MUST_USE; /* once per process, before the first socket */
