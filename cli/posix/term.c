/* term: see cli/term.h. */
#include "cli/term.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/sync.h"

static struct termios saved;
static bool is_raw;

bool term_is_tty(int fd)
{
    return isatty(fd) == 1;
}

bool term_size(unsigned *rows, unsigned *columns)
{
    struct winsize ws;

    if (ioctl(0, TIOCGWINSZ, &ws) && ioctl(1, TIOCGWINSZ, &ws))
        return false;
    *rows = ws.ws_row;
    *columns = ws.ws_col;
    return ws.ws_row && ws.ws_col;
}

void term_restore(void)
{
    if (is_raw)
        tcsetattr(0, TCSADRAIN, &saved);
    is_raw = false;
}

int term_raw(struct err *e)
{
    struct termios raw;

    if (tcgetattr(0, &saved))
        return err_os(e, errno, "the terminal");
    raw = saved;
    cfmakeraw(&raw);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    if (tcsetattr(0, TCSADRAIN, &raw))
        return err_os(e, errno, "the terminal");
    if (!is_raw)
        atexit(term_restore);
    is_raw = true;
    return 0;
}

int term_read_file(int fd, void *bytes, size_t n, size_t *got, struct err *e)
{
    ssize_t r;

    do
        r = read(fd, bytes, n);
    while (r < 0 && errno == EINTR);
    if (r < 0)
        return err_os(e, errno, "read");
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

    while (n) {
        ssize_t w = write(fd, p, n);

        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0)
            return err_os(e, errno, "write to %s", fd == 1 ? "standard output" : "standard error");
        p += w;
        n -= (size_t)w;
    }
    return 0;
}

int term_open_file(const char *path, int *fd, struct err *e)
{
    *fd = str_eq(path, "-") ? 0 : open(path, O_RDONLY | O_CLOEXEC);
    return *fd < 0 ? err_os(e, errno, "open %s", path) : 0;
}

int term_create_file(const char *path, int *fd, struct err *e)
{
    *fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    return *fd < 0 ? err_os(e, errno, "create %s", path) : 0;
}

int term_pipe(int fds[2], struct err *e)
{
    (void)signal(SIGPIPE, SIG_IGN); /* who reads it may end first: that is an error, not our end */
    return pipe2(fds, O_CLOEXEC) ? err_os(e, errno, "pipe") : 0;
}

int term_alias(const char *path, const char *as, struct err *e)
{
    cleanup_free char *real = NULL;

    if (fs_real_path(path, &real, e))
        return -1;
    return symlink(real, as) ? err_os(e, errno, "link %s", as) : 0;
}

unsigned term_mode(const char *path)
{
    struct stat st;

    return stat(path, &st) ? 0755 : st.st_mode & 07777;
}

void term_close_file(int fd)
{
    if (fd > 0)
        close(fd);
}

static term_signal_fn *on_signal;
static void *on_signal_arg;
static sigset_t watched;

static void wait_for_signals(void *arg)
{
    static const struct {
        int number;
        const char *name;
    } names[] = {
        {SIGINT,   "INT"  },
        {SIGTERM,  "TERM" },
        {SIGHUP,   "HUP"  },
        {SIGQUIT,  "QUIT" },
        {SIGWINCH, "WINCH"},
    };
    int number;

    (void)arg;
    while (sigwait(&watched, &number) == 0)
        for (size_t i = 0; i < ARRAY_LEN(names); i++)
            if (names[i].number == number)
                on_signal(on_signal_arg, names[i].name);
}

int term_on_signal(term_signal_fn *fn, void *arg, struct err *e)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH};

    on_signal = fn;
    on_signal_arg = arg;
    sigemptyset(&watched);
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        sigaddset(&watched, numbers[i]);
    if (pthread_sigmask(SIG_BLOCK, &watched, NULL))
        return err_set(e, ERR_INTERNAL, "signals cannot be blocked");
    return thread_start_detached("signals", wait_for_signals, NULL, e);
}

char *term_working_dir(void)
{
    char *dir = getcwd(NULL, 0);

    return dir ? dir : xstrdup("/");
}
