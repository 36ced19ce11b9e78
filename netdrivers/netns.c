/*
 * netns: see netns.h.
 *
 * unshare(2) and setns(2) with CLONE_NEWNET act on the calling thread alone, so a thread that lives
 * for one call is all it takes to make a namespace or to step into one.  A namespace lives as long
 * as something refers to it: the bind mount of /proc/thread-self/ns/net on a file is that
 * something.
 *
 * What a crash may leave is an empty file without a mount; ensure mounts over it and remove deletes
 * it, so neither needs to know.
 */
#include "netdrivers/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/sync.h"
#include "core/net_driver.h"
#include "netdrivers/rtnl.h"

struct call {
    const char *path;
    int (*fn)(void *arg, struct err *e);
    void *arg;
    int result;
    struct err *e;
};

static int enter(const char *path, struct err *e)
{
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return err_os(e, errno, "open network namespace %s", path);
    if (setns(fd, CLONE_NEWNET) < 0)
        return err_os(e, errno, "enter network namespace %s", path);
    return 0;
}

static void call_thread(void *arg)
{
    struct call *c = arg;

    c->result = enter(c->path, c->e) ? -1 : c->fn(c->arg, c->e);
}

int netns_call(const char *path, int (*fn)(void *arg, struct err *e), void *arg, struct err *e)
{
    struct call c = {.path = path, .fn = fn, .arg = arg, .result = -1, .e = e};
    struct thread t = {0};

    if (thread_start(&t, "netns", call_thread, &c, e))
        return -1;
    thread_join(&t);
    return c.result;
}

bool netns_is_pinned(const char *path)
{
    struct statfs fs;

    return statfs(path, &fs) == 0 && fs.f_type == NSFS_MAGIC;
}

static void create_thread(void *arg)
{
    struct call *c = arg;

    if (unshare(CLONE_NEWNET) < 0)
        c->result = err_os(c->e, errno, "create network namespace");
    else if (mount("/proc/thread-self/ns/net", c->path, "none", MS_BIND, NULL) < 0)
        c->result = err_os(c->e, errno, "pin network namespace at %s", c->path);
    else
        c->result = 0;
}

static int pin_new(const char *path, struct err *e)
{
    struct call c = {.path = path, .result = -1, .e = e};
    struct thread t = {0};
    cleanup_free char *dir = path_dir(path);
    cleanup_fd int fd = -1;

    if (fs_mkdir_p(dir, 0755, e))
        return -1;
    fd = open(path, O_RDONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0444);
    if (fd < 0)
        return err_os(e, errno, "create %s", path);
    if (thread_start(&t, "netns-new", create_thread, &c, e))
        return -1;
    thread_join(&t);
    return c.result;
}

int net_sandbox_ensure(const char *path, struct err *e)
{
    cleanup_nl struct nl nl = NL_INIT;
    struct rtnl_link lo;

    if (!netns_is_pinned(path) && pin_new(path, e))
        return -1;
    if (nl_open(&nl, NETLINK_ROUTE, path, e) || rtnl_link_get(&nl, "lo", &lo, e))
        return -1;
    if (!(lo.flags & IFF_UP) &&
        rtnl_link_set(&nl, lo.index, &(struct rtnl_link_change){.up = true}, e))
        return err_wrap(e, "set lo up in %s", path);
    return 0;
}

int net_sandbox_remove(const char *path, struct err *e)
{
    struct stat st;

    if (lstat(path, &st) < 0)
        return errno == ENOENT || errno == ENOTDIR ? 0 : err_os(e, errno, "look at %s", path);
    if (!S_ISREG(st.st_mode))
        return err_set(e, ERR_INVALID, "%s is not a pinned network namespace", path);
    /* Two agents that raced may have stacked mounts; all of them go. */
    while (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
        ;
    if (errno != EINVAL && errno != ENOENT)
        return err_os(e, errno, "unpin network namespace %s", path);
    if (unlink(path) < 0 && errno != ENOENT)
        return err_os(e, errno, "remove %s", path);
    return 0;
}
