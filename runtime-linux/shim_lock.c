/* shim_lock: see shim_lock.h. */
#include "runtime-linux/shim_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fs.h"

#define LOCK_FILE "lock"

int shim_lock_take(int exec_dir_fd, int *out)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    cleanup_fd int fd = openat(exec_dir_fd, LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0)
        return errno;
    if (fcntl(fd, F_OFD_SETLK, &whole))
        return errno == EACCES ? EAGAIN : errno;
    *out = take_fd(fd);
    return 0;
}

bool shim_lock_held(int exec_dir_fd)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    cleanup_fd int fd = openat(exec_dir_fd, LOCK_FILE, O_RDWR | O_CLOEXEC);

    return fd >= 0 && fcntl(fd, F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK;
}
