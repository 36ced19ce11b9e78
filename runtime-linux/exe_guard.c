/* exe_guard: the runtime's own binary, out of a container's reach.  See exe_guard.h. */
#include "runtime-linux/exe_guard.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/str.h"
#include "runtime-linux/syscalls.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif
#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static bool guarded(void)
{
    cleanup_fd int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    struct statvfs st;
    int seals;

    if (fd < 0)
        return false;
    if (fstatvfs(fd, &st) == 0 && (st.f_flag & ST_RDONLY))
        return true;
    seals = fcntl(fd, F_GET_SEALS);
    return seals >= 0 && (seals & SEALS) == SEALS;
}

/* The tree is dissolved when the last user is gone; the read-only flag lives as long as it does. */
static int open_read_only_clone(const char *path)
{
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID,
                              .propagation = MS_PRIVATE};
    int fd = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

    if (fd >= 0 && mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr))) {
        fd_close(fd);
        return -1;
    }
    return fd;
}

static int copy_to_memory(const char *path, struct err *e)
{
    cleanup_fd int in = open(path, O_RDONLY | O_CLOEXEC);
    cleanup_fd int out = memfd_create("ballast", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
    ssize_t n;

    if (out < 0 && errno == EINVAL) /* before 6.3 every memory file is executable */
        out = memfd_create("ballast", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (in < 0)
        return err_os(e, errno, "open %s", path);
    if (out < 0)
        return err_os(e, errno, "memfd_create");
    while ((n = sendfile(out, in, NULL, 1 << 20)) > 0)
        ;
    if (n < 0)
        return err_os(e, errno, "copy %s to memory", path);
    if (fchmod(out, 0500) || fcntl(out, F_ADD_SEALS, SEALS))
        return err_os(e, errno, "seal the copy of %s", path);
    return take_fd(out);
}

int exe_guard_open(const char *path, struct err *e)
{
    int fd = open_read_only_clone(path);

    return fd >= 0 ? fd : copy_to_memory(path, e);
}

int exe_guard(char *const argv[], struct err *e)
{
    cleanup_fd int fd = -1;

    if (guarded())
        return 0;
    fd = exe_guard_open("/proc/self/exe", e);
    if (fd < 0)
        return -1;
    sys_execveat(fd, "", argv, environ, AT_EMPTY_PATH);
    return err_os(e, errno, "execute the guarded copy of %s", argv[0]);
}
