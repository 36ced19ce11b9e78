/*
 * idmap: ids of a user namespace, and file trees seen through them.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/str.h"
#include "runtime-linux/launch_internal.h"
#include "runtime-linux/syscalls.h"

static int write_file(pid_t pid, const char *file, const char *text, size_t n, struct err *e)
{
    char path[64];
    cleanup_fd int fd = -1;

    (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, n) != (ssize_t)n)
        return err_os(e, errno, "write %s", path);
    return 0;
}

static int write_map(pid_t pid, const char *file, const struct oci_idmap *map, size_t n,
                     struct err *e)
{
    cleanup_buf struct buf text = BUF_INIT(4096); /* the kernel takes one page */

    for (size_t i = 0; i < n; i++)
        buf_addf(&text, "%lld %lld %lld\n", (long long)map[i].container_id,
                 (long long)map[i].host_id, (long long)map[i].size);
    if (buf_check(&text, file, e))
        return -1;
    return write_file(pid, file, text.data, text.len, e);
}

int idmap_write(pid_t pid, const struct oci_config *cfg, struct err *e)
{
    if (geteuid() != 0 && write_file(pid, "setgroups", "deny", strlen("deny"), e))
        return -1;
    return write_map(pid, "gid_map", cfg->gid_map, cfg->n_gid_map, e) ||
                   write_map(pid, "uid_map", cfg->uid_map, cfg->n_uid_map, e)
               ? -1
               : 0;
}

/* A process that only holds a user namespace open. */
static pid_t spawn_holder(struct err *e)
{
    struct clone_args args = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
    pid_t pid = sys_clone3(&args);

    if (pid == 0)
        for (;;)
            pause();
    if (pid < 0)
        err_os(e, errno, "make a user namespace");
    return pid;
}

static int open_user_ns(pid_t pid, struct err *e)
{
    char path[64];
    int fd;

    (void)snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? err_os(e, errno, "open %s", path) : fd;
}

int idmap_tree(int tree, const struct oci_config *cfg, struct err *e)
{
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP};
    cleanup_fd int ns = -1;
    pid_t holder = spawn_holder(e);
    int failed;

    if (holder < 0)
        return -1;
    failed = idmap_write(holder, cfg, e) || (ns = open_user_ns(holder, e)) < 0;
    kill(holder, SIGKILL);
    while (waitpid(holder, NULL, 0) < 0 && errno == EINTR)
        ;
    if (failed)
        return -1;
    attr.userns_fd = (uint64_t)ns;
    if (mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)))
        return err_os(e, errno, "idmapped mount");
    return 0;
}
