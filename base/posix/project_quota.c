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
#include "base/id.h"

#define FIRST_ID 1048576u /* far from what /etc/projid hands out */
#define IDS      (1u << 30)
#define TRIES    100
#define BLOCK    512 /* of fs_disk_quota, always */

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

/* Whoever has the number has at least one inode, the directory itself. */
static bool is_free(int fd, unsigned id)
{
    struct fs_disk_quota used = {.d_version = FS_DQUOT_VERSION};

    if (quotactl_of(fd, Q_XGETQUOTA, id, &used))
        return errno == ENOENT || errno == ESRCH;
    return !used.d_icount && !used.d_bcount && !used.d_blk_hardlimit && !used.d_blk_softlimit;
}

static int give_id(int fd, const char *dir, unsigned *id, struct err *e)
{
    struct fsxattr attr;

    if (ioctl(fd, FS_IOC_FSGETXATTR, &attr))
        return err_os(e, errno, "read the project of %s", dir);
    if (attr.fsx_projid >= FIRST_ID && attr.fsx_xflags & FS_XFLAG_PROJINHERIT) {
        *id = attr.fsx_projid;
        return 0;
    }
    for (unsigned i = 0; i < TRIES; i++) {
        random_bytes(id, sizeof(*id));
        *id = FIRST_ID + *id % IDS;
        if (!is_free(fd, *id))
            continue;
        attr.fsx_projid = *id;
        attr.fsx_xflags |= FS_XFLAG_PROJINHERIT;
        if (ioctl(fd, FS_IOC_FSSETXATTR, &attr))
            return err_os(e, errno, "set the project of %s", dir);
        return 0;
    }
    return err_set(e, ERR_IO, "no project number is free for %s", dir);
}

int project_quota_set(const char *dir, int64_t bytes, struct err *e)
{
    cleanup_fd int fd = open_dir(dir);
    struct fs_disk_quota limit = {.d_version = FS_DQUOT_VERSION,
                                  .d_flags = FS_PROJ_QUOTA,
                                  .d_fieldmask = FS_DQ_BHARD | FS_DQ_BSOFT};
    unsigned id;

    if (fd < 0)
        return err_os(e, errno, "open %s", dir);
    if (give_id(fd, dir, &id, e))
        return -1;
    limit.d_id = id;
    limit.d_blk_hardlimit = limit.d_blk_softlimit = (uint64_t)(bytes + BLOCK - 1) / BLOCK;
    if (quotactl_of(fd, Q_XSETQLIM, id, &limit))
        return err_os(e, errno, "limit the size of %s", dir);
    return 0;
}
