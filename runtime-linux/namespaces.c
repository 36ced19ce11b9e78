/*
 * namespaces: which are new, which are joined, and how the launcher lends itself to both.
 *
 * A child is born into the namespaces of its parent, so the launcher enters those that have a path,
 * clones, and goes back: all but user and mount namespaces allow that.  The cgroup namespace is
 * made by the child itself, because its root is the cgroup the process is in at that moment; a pid
 * namespace is entered by the child, in the way of pid_enter.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "runtime-linux/launch_internal.h"
#include "runtime-linux/syscalls.h"

static const struct {
    const char *file; /* of /proc/PID/ns */
    int flag;
} kinds[OCI_NS_COUNT] = {
    [OCI_NS_MNT] = {"mnt",    CLONE_NEWNS    },
      [OCI_NS_PID] = {"pid",    CLONE_NEWPID   },
    [OCI_NS_NET] = {"net",    CLONE_NEWNET   },
      [OCI_NS_IPC] = {"ipc",    CLONE_NEWIPC   },
    [OCI_NS_UTS] = {"uts",    CLONE_NEWUTS   },
      [OCI_NS_USER] = {"user",   CLONE_NEWUSER  },
    [OCI_NS_CGROUP] = {"cgroup", CLONE_NEWCGROUP},
};

uint64_t namespaces_clone_flags(const struct oci_config *cfg)
{
    uint64_t flags = 0;

    for (size_t i = 0; i < OCI_NS_COUNT; i++)
        if (cfg->ns[i].wanted && !cfg->ns[i].path && i != OCI_NS_CGROUP)
            flags |= (uint64_t)kinds[i].flag;
    return flags;
}

static int open_ns(const char *who, const char *file, struct err *e)
{
    cleanup_free char *path = str_printf("/proc/%s/ns/%s", who, file);
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return err_os(e, errno, "open %s", path);
    return fd;
}

static int join_one(const struct oci_namespace *ns, size_t kind, struct saved_ns *saved,
                    struct err *e)
{
    cleanup_fd int fd = open(ns->path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return err_os(e, errno, "open the %s namespace %s", kinds[kind].file, ns->path);
    saved->fd[kind] = open_ns("self", kinds[kind].file, e);
    if (saved->fd[kind] < 0)
        return -1;
    if (setns(fd, kinds[kind].flag)) {
        int why = errno;

        fd_close(saved->fd[kind]);
        saved->fd[kind] = -1;
        return err_os(e, why, "join the %s namespace %s", kinds[kind].file, ns->path);
    }
    return 0;
}

int namespaces_join(const struct oci_config *cfg, struct saved_ns *saved, struct err *e)
{
    for (size_t i = 0; i < OCI_NS_COUNT; i++)
        saved->fd[i] = -1;
    if (cfg->ns[OCI_NS_USER].path)
        return err_set(e, ERR_UNSUPPORTED,
                       "linux.namespaces: joining a user namespace by its path is not supported");
    for (size_t i = 0; i < OCI_NS_COUNT; i++)
        if (i != OCI_NS_PID && cfg->ns[i].path && join_one(&cfg->ns[i], i, saved, e)) {
            (void)!namespaces_return(saved, ERR_IGNORE);
            return -1;
        }
    return 0;
}

int namespaces_return(struct saved_ns *saved, struct err *e)
{
    int failed = 0;

    for (size_t i = 0; i < OCI_NS_COUNT; i++) {
        if (saved->fd[i] < 0)
            continue;
        if (setns(saved->fd[i], kinds[i].flag) && !failed)
            failed = err_os(e, errno, "return to our own %s namespace", kinds[i].file);
        fd_close(saved->fd[i]);
        saved->fd[i] = -1;
    }
    return failed;
}

int namespaces_finish(const struct oci_config *cfg, struct err *e)
{
    const struct oci_namespace *cgroup = &cfg->ns[OCI_NS_CGROUP];

    if (cgroup->wanted && !cgroup->path && unshare(CLONE_NEWCGROUP))
        return err_os(e, errno, "make a cgroup namespace");
    return 0;
}

/* ------------------------------------------------------------------ exec */

static bool is_ours(int fd, const char *file)
{
    cleanup_free char *path = str_printf("/proc/self/ns/%s", file);
    struct stat theirs, ours;

    return fstat(fd, &theirs) == 0 && stat(path, &ours) == 0 && theirs.st_ino == ours.st_ino &&
           theirs.st_dev == ours.st_dev;
}

int namespaces_open(int64_t pid, int fd[OCI_NS_COUNT], struct err *e)
{
    cleanup_free char *who = str_printf("%lld", (long long)pid);

    for (size_t i = 0; i < OCI_NS_COUNT; i++)
        fd[i] = -1;
    for (size_t i = 0; i < OCI_NS_COUNT; i++) {
        fd[i] = open_ns(who, kinds[i].file, e);
        if (fd[i] < 0) {
            namespaces_close(fd);
            return err_wrap(e, "enter the container");
        }
        if (is_ours(fd[i], kinds[i].file)) {
            fd_close(fd[i]);
            fd[i] = -1;
        }
    }
    return 0;
}

void namespaces_close(int fd[OCI_NS_COUNT])
{
    for (size_t i = 0; i < OCI_NS_COUNT; i++) {
        if (fd[i] >= 0)
            fd_close(fd[i]);
        fd[i] = -1;
    }
}

/*
 * Some belong to the container's user namespace and some, like a network that was made before it,
 * to ours: what may be joined with our rights is joined before we give them up, the rest with the
 * rights of there.  The mount namespace comes last, because it changes root and working directory.
 */
int namespaces_setns_all(const int fd[OCI_NS_COUNT], struct err *e)
{
    static const enum oci_ns order[] = {OCI_NS_IPC, OCI_NS_UTS, OCI_NS_NET, OCI_NS_CGROUP};
    bool joined[OCI_NS_COUNT] = {false};

    for (size_t i = 0; fd[OCI_NS_USER] >= 0 && i < ARRAY_LEN(order); i++)
        joined[order[i]] = fd[order[i]] >= 0 && setns(fd[order[i]], kinds[order[i]].flag) == 0;
    if (fd[OCI_NS_USER] >= 0 && setns(fd[OCI_NS_USER], CLONE_NEWUSER))
        return err_os(e, errno, "join the container's user namespace");
    for (size_t i = 0; i < ARRAY_LEN(order); i++)
        if (!joined[order[i]] && fd[order[i]] >= 0 && setns(fd[order[i]], kinds[order[i]].flag))
            return err_os(e, errno, "join the container's %s namespace", kinds[order[i]].file);
    if (fd[OCI_NS_MNT] >= 0 && setns(fd[OCI_NS_MNT], CLONE_NEWNS))
        return err_os(e, errno, "join the container's mnt namespace");
    return 0;
}
