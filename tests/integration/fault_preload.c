/*
 * fault_preload: loaded into the agent by test_faults.py, makes its storage calls fail.
 *
 * FAULT_CONTROL names a file of two 64-bit numbers that both sides map: which of the next storage
 * calls fails (0: none will), and with what error.  Only the process whose name is "ballastd" is
 * affected, not what it starts.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

struct control {
    _Atomic int64_t left, error;
};
static struct control none, *control = &none;

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("FAULT_CONTROL");
    int fd = path && strcmp(program_invocation_short_name, "ballastd") == 0
                 ? open(path, O_RDWR | O_CLOEXEC)
                 : -1;
    void *p = fd >= 0 ? mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
                      : MAP_FAILED;

    if (fd >= 0)
        close(fd);
    if (p != MAP_FAILED)
        control = p;
}

static int fails(void)
{
    if (atomic_load(&control->left) <= 0 || atomic_fetch_sub(&control->left, 1) != 1)
        return 0;
    errno = (int)control->error;
    return 1;
}

/* STORAGE(type, name, (parameters), (arguments)): the call as it is, or failing */
#define STORAGE(type, name, parameters, arguments)              \
    type name parameters                                        \
    {                                                           \
        static type(*real) parameters;                          \
        if (!real)                                              \
            real = (type(*) parameters)dlsym(RTLD_NEXT, #name); \
        return fails() ? -1 : real arguments;                   \
    }

STORAGE(int, fsync, (int fd), (fd))
STORAGE(int, fdatasync, (int fd), (fd))
STORAGE(ssize_t, pwrite, (int fd, const void *b, size_t n, off_t at), (fd, b, n, at))
STORAGE(ssize_t, pwrite64, (int fd, const void *b, size_t n, off64_t at), (fd, b, n, at))
STORAGE(int, ftruncate, (int fd, off_t n), (fd, n))
STORAGE(int, ftruncate64, (int fd, off64_t n), (fd, n))
STORAGE(int, rename, (const char *a, const char *b), (a, b))
STORAGE(int, renameat, (int da, const char *a, int db, const char *b), (da, a, db, b))
STORAGE(int, mkdir, (const char *a, mode_t m), (a, m))
STORAGE(int, mkdirat, (int d, const char *a, mode_t m), (d, a, m))
STORAGE(int, unlinkat, (int d, const char *a, int f), (d, a, f))
STORAGE(int, symlink, (const char *a, const char *b), (a, b))
STORAGE(int, symlinkat, (const char *a, int d, const char *b), (a, d, b))
