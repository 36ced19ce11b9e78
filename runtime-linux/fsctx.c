/* fsctx: file system contexts and detached mounts.  See fsctx.h. */
#include "runtime-linux/fsctx.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "runtime-linux/syscalls.h"

int fsctx_err(int fs, int os_code, const char *what, struct err *e)
{
    char line[256];
    ssize_t n = fs >= 0 ? read(fs, line, sizeof(line) - 1) : -1;

    if (n <= 2) /* "e text" */
        return err_os(e, os_code, "%s", what);
    line[n] = '\0';
    err_os(e, os_code, "%s: %s", what, str_trim(line + 2));
    return -1;
}

int fsctx_open(const char *type, struct err *e)
{
    int fs = fsopen(type, FSOPEN_CLOEXEC);

    if (fs < 0 && errno == ENOSYS)
        return err_set(e, ERR_UNSUPPORTED, "this kernel has no fsopen(); Linux 5.2 is needed");
    if (fs < 0 && errno == ENODEV)
        return err_set(e, ERR_UNSUPPORTED, "this kernel has no file system \"%s\"", type);
    return fs < 0 ? err_os(e, errno, "fsopen %s", type) : fs;
}

int fsctx_string(int fs, const char *key, const char *value, struct err *e)
{
    cleanup_free char *what = NULL;

    if (fsconfig(fs, FSCONFIG_SET_STRING, key, value, 0) == 0)
        return 0;
    what = str_printf("mount option %s=%s", key, value);
    return fsctx_err(fs, errno, what, e);
}

int fsctx_flag(int fs, const char *key, struct err *e)
{
    cleanup_free char *what = NULL;

    if (fsconfig(fs, FSCONFIG_SET_FLAG, key, NULL, 0) == 0)
        return 0;
    what = str_printf("mount option %s", key);
    return fsctx_err(fs, errno, what, e);
}

int fsctx_option(int fs, const char *option, struct err *e)
{
    const char *equals = strchr(option, '=');
    cleanup_free char *key = NULL;

    if (!equals)
        return fsctx_flag(fs, option, e);
    key = str_ndup(option, (size_t)(equals - option));
    return fsctx_string(fs, key, equals + 1, e);
}

int fsctx_mount(int fs, uint64_t attrs, struct err *e)
{
    int fd;

    if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
        return fsctx_err(fs, errno, "make the file system", e);
    fd = fsmount(fs, FSMOUNT_CLOEXEC, (unsigned)attrs);
    return fd < 0 ? fsctx_err(fs, errno, "fsmount", e) : fd;
}

int mount_attach(int mount, int target, const char *name, struct err *e)
{
    if (move_mount(mount, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) == 0)
        return 0;
    if (errno == ENOTDIR)
        return err_os(e, errno,
                      "mount on %s: not a directory: are you trying to mount a directory "
                      "onto a file (or vice-versa)?",
                      name);
    return err_os(e, errno, "mount on %s", name);
}

int mount_attrs(int mount, uint64_t set, uint64_t clear, uint64_t propagation, unsigned flags,
                const char *name, struct err *e)
{
    struct mount_attr attr = {.attr_set = set, .attr_clr = clear, .propagation = propagation};

    if (!set && !clear && !propagation)
        return 0;
    if (mount_setattr(mount, "", AT_EMPTY_PATH | flags, &attr, sizeof(attr)) == 0)
        return 0;
    if (errno == ENOSYS)
        return err_set(e, ERR_UNSUPPORTED,
                       "this kernel has no mount_setattr(); Linux 5.12 is needed");
    return err_os(e, errno, "set the mount options of %s", name);
}
