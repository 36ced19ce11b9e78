/*
 * project_quota: see project_quota.h.  quotactl_fd(2) is asked with XFS's commands, which ext4
 * understands too; it needs Linux 5.14, and no device node.
 */
#include "base/project_quota.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dqblk_xfs.h>
#include <linux/fs.h>
#include <linux/quota.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/sync.h"

#define FIRST_ID 1048576u /* far from what /etc/projid hands out */
#define BLOCK    512      /* of fs_disk_quota, always */

static struct mutex numbers = MUTEX_INIT;

static int quotactl_of(int fd, unsigned cmd, unsigned id, void *arg)
{
    return (int)syscall(SYS_quotactl_fd, fd, QCMD(cmd, PRJQUOTA), id, arg);
}

static int open_dir(const char *dir)
{
    return open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

bool project_quota_there(const char *dir)
{
    struct fs_quota_stat stat = {.qs_version = FS_QSTAT_VERSION};
    const unsigned on = FS_QUOTA_PDQ_ACCT | FS_QUOTA_PDQ_ENFD;
    cleanup_fd int fd = open_dir(dir);

    return fd >= 0 && quotactl_of(fd, Q_XGETQSTAT, 0, &stat) == 0 && (stat.qs_flags & on) == on;
}

static unsigned id_of(int fd)
{
    struct fsxattr attr;

    return ioctl(fd, FS_IOC_FSGETXATTR, &attr) ? 0 : attr.fsx_projid;
}

static unsigned max_id(const char *dir, unsigned depth, unsigned max)
{
    cleanup_strv struct strv names = {0};
    cleanup_fd int fd = open_dir(dir);
    unsigned id = fd < 0 ? 0 : id_of(fd);

    max = id > max ? id : max;
    if (fd < 0 || depth == 0 || fs_list(dir, &names, ERR_IGNORE))
        return max;
    for (size_t i = 0; i < names.n; i++) {
        cleanup_free char *path = path_join(dir, names.v[i]);

        max = max_id(path, depth - 1, max);
    }
    return max;
}

static int give_id(int fd, const char *parent, const char *dir, unsigned *id, struct err *e)
{
    struct fsxattr attr;

    if (ioctl(fd, FS_IOC_FSGETXATTR, &attr))
        return err_os(e, errno, "read the project of %s", dir);
    if (attr.fsx_projid >= FIRST_ID && attr.fsx_xflags & FS_XFLAG_PROJINHERIT) {
        *id = attr.fsx_projid;
        return 0;
    }
    mutex_lock(&numbers);
    *id = attr.fsx_projid = max_id(parent, 2, FIRST_ID - 1) + 1;
    attr.fsx_xflags |= FS_XFLAG_PROJINHERIT;
    int r =
        ioctl(fd, FS_IOC_FSSETXATTR, &attr) ? err_os(e, errno, "set the project of %s", dir) : 0;
    mutex_unlock(&numbers);
    return r;
}

int project_quota_set(const char *parent, const char *dir, int64_t bytes, struct err *e)
{
    cleanup_fd int fd = open_dir(dir);
    struct fs_disk_quota limit = {.d_version = FS_DQUOT_VERSION,
                                  .d_flags = FS_PROJ_QUOTA,
                                  .d_fieldmask = FS_DQ_BHARD | FS_DQ_BSOFT};
    unsigned id;

    if (fd < 0)
        return err_os(e, errno, "open %s", dir);
    if (give_id(fd, parent, dir, &id, e))
        return -1;
    limit.d_id = id;
    limit.d_blk_hardlimit = limit.d_blk_softlimit = (uint64_t)(bytes + BLOCK - 1) / BLOCK;
    if (quotactl_of(fd, Q_XSETQLIM, id, &limit))
        return err_os(e, errno, "limit the size of %s", dir);
    return 0;
}
