/* pidfile: see pidfile.h. */
#include "agent/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/time.h"

#define LOCK_WAIT_MS 1000
#define LOCK_STEP_MS 10

/*
 * An agent that was killed while it was starting a shim leaves a child that has the lock until it
 * becomes that shim, which is a matter of milliseconds.
 */
static bool lock(int fd)
{
    int64_t until = time_mono_ms() + LOCK_WAIT_MS;

    while (flock(fd, LOCK_EX | LOCK_NB)) {
        if (errno != EWOULDBLOCK || time_mono_ms() > until)
            return false;
        time_sleep_ms(LOCK_STEP_MS);
    }
    return true;
}

int pidfile_lock_root(const char *data_root, struct err *e)
{
    cleanup_free char *path = path_join(data_root, "lock");
    char text[32];
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    ssize_t n;

    if (fd < 0)
        return err_os(e, errno, "open %s", path);
    if (!lock(fd)) {
        n = read(fd, text, sizeof(text) - 1);
        text[n > 0 ? n : 0] = '\0';
        close(fd);
        return err_set(e, ERR_CONFLICT, "another agent (process %s) uses the data-root %s",
                       str_trim(text), data_root);
    }
    snprintf(text, sizeof(text), "%d\n", (int)getpid());
    if (ftruncate(fd, 0) ||
        write(fd, text, strlen(text)) < 0) /* the descriptor stays: it is the lock */
        return err_os(e, errno, "write %s", path);
    return 0;
}

/* One that has ended and was not waited for yet is no agent any more. */
static bool is_alive(int64_t pid)
{
    cleanup_free char *path = str_printf("/proc/%lld/stat", (long long)pid);
    cleanup_buf struct buf stat = BUF_INIT(4096);
    const char *state;

    if (fs_read(path, &stat, ERR_IGNORE))
        return false;
    state = strrchr(stat.data, ')'); /* the name before it may hold anything */
    return state && state[1] == ' ' && state[2] != 'Z' && state[2] != 'X';
}

int pidfile_write(const char *path, struct err *e)
{
    cleanup_buf struct buf old = BUF_INIT(64);
    cleanup_free char *dir = path_dir(path);
    int64_t pid = 0;
    char text[32];

    if (fs_mkdir_p(dir, 0711, e))
        return -1;
    if (fs_read(path, &old, ERR_IGNORE) == 0 &&
        parse_i64(str_trim(old.data), 2, INT32_MAX, "pid", &pid, ERR_IGNORE) == 0 &&
        pid != getpid() && is_alive(pid))
        return err_set(e, ERR_CONFLICT,
                       "process with PID %lld is still running; if it is not an agent, remove %s",
                       (long long)pid, path);
    snprintf(text, sizeof(text), "%d", (int)getpid());
    return fs_write_atomic(path, text, strlen(text), 0644, false, e);
}
