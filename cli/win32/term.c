/* term: see cli/term.h. */
#include "cli/term.h"

#include <fcntl.h>
#include <io.h>
#include <sys/stat.h>
#include <windows.h>

#include "base/mem.h"
#include "base/str.h"

static DWORD saved_in, saved_out;
static bool is_raw;

bool term_is_tty(int fd)
{
    return _isatty(fd) != 0;
}

bool term_size(unsigned *rows, unsigned *columns)
{
    CONSOLE_SCREEN_BUFFER_INFO info;

    if (!GetConsoleScreenBufferInfo(GetStdHandle(STD_OUTPUT_HANDLE), &info))
        return false;
    *rows = (unsigned)(info.srWindow.Bottom - info.srWindow.Top + 1);
    *columns = (unsigned)(info.srWindow.Right - info.srWindow.Left + 1);
    return true;
}

void term_restore(void)
{
    if (is_raw) {
        SetConsoleMode(GetStdHandle(STD_INPUT_HANDLE), saved_in);
        SetConsoleMode(GetStdHandle(STD_OUTPUT_HANDLE), saved_out);
    }
    is_raw = false;
}

int term_raw(struct err *e)
{
    HANDLE in = GetStdHandle(STD_INPUT_HANDLE), out = GetStdHandle(STD_OUTPUT_HANDLE);

    if (!GetConsoleMode(in, &saved_in) || !GetConsoleMode(out, &saved_out) ||
        !SetConsoleMode(in, ENABLE_VIRTUAL_TERMINAL_INPUT) ||
        !SetConsoleMode(out, saved_out | ENABLE_VIRTUAL_TERMINAL_PROCESSING))
        return err_os(e, (int)GetLastError(), "the console");
    if (!is_raw)
        atexit(term_restore);
    is_raw = true;
    return 0;
}

int term_read_file(int fd, void *bytes, size_t n, size_t *got, struct err *e)
{
    int r = _read(fd, bytes, n > INT_MAX ? INT_MAX : (unsigned)n);

    if (r < 0)
        return err_set(e, ERR_IO, "read: %s", strerror(errno));
    *got = (size_t)r;
    return 0;
}

int term_read(void *bytes, size_t n, size_t *got, struct err *e)
{
    return term_read_file(0, bytes, n, got, e);
}

int term_write(int fd, const void *bytes, size_t n, struct err *e)
{
    const char *p = bytes;

    _setmode(fd, _O_BINARY);
    while (n) {
        int w = _write(fd, p, n > 32768 ? 32768 : (unsigned)n);

        if (w < 0)
            return err_set(e, ERR_IO, "write: %s", strerror(errno));
        p += w;
        n -= (size_t)w;
    }
    return 0;
}

int term_open_file(const char *path, int *fd, struct err *e)
{
    *fd = str_eq(path, "-") ? 0 : _open(path, _O_RDONLY | _O_BINARY);
    return *fd < 0 ? err_set(e, ERR_IO, "open %s: %s", path, strerror(errno)) : 0;
}

int term_create_file(const char *path, int *fd, struct err *e)
{
    *fd = _open(path, _O_WRONLY | _O_CREAT | _O_TRUNC | _O_BINARY, _S_IREAD | _S_IWRITE);
    return *fd < 0 ? err_set(e, ERR_IO, "create %s: %s", path, strerror(errno)) : 0;
}

int term_pipe(int fds[2], struct err *e)
{
    return _pipe(fds, 65536, _O_BINARY | _O_NOINHERIT)
               ? err_set(e, ERR_IO, "pipe: %s", strerror(errno))
               : 0;
}

int term_alias(const char *path, const char *as, struct err *e)
{
    if (CreateHardLinkA(as, path, NULL))
        return 0;
    return err_set(e, ERR_IO, "link %s: error %lu", as, GetLastError());
}

unsigned term_mode(const char *path)
{
    (void)path;
    return 0755;
}

void term_close_file(int fd)
{
    if (fd > 0)
        _close(fd);
}

static term_signal_fn *on_signal;
static void *on_signal_arg;

/* The system calls this on a thread of its own. */
static BOOL WINAPI on_console(DWORD event)
{
    on_signal(on_signal_arg, event == CTRL_C_EVENT ? "INT" : "TERM");
    return TRUE;
}

int term_on_signal(term_signal_fn *fn, void *arg, struct err *e)
{
    on_signal = fn;
    on_signal_arg = arg;
    if (!SetConsoleCtrlHandler(on_console, TRUE))
        return err_os(e, (int)GetLastError(), "the console");
    return 0;
}

char *term_working_dir(void)
{
    char text[MAX_PATH];

    if (!GetCurrentDirectoryA(sizeof(text), text))
        return xstrdup("C:/");
    for (char *p = text; *p; p++)
        if (*p == '\\')
            *p = '/';
    return xstrdup(text);
}
