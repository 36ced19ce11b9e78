/*
 * overlay_attached: the overlay of a container where the kernel takes no descriptors for layers.
 *
 * Linux before 6.7 wants all layers in one option, of which fsconfig() takes 255 bytes; and before
 * 6.15 none of them may be a detached mount, which an idmapped one is.  Both are met by mounting as
 * it was done of old, with mount(), a page of options and short names: in a mount namespace that
 * lasts as long as a helper does, each layer sits at a number below a tmpfs.  What leaves it is a
 * detached clone of the overlay; the host sees nothing of all this.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "runtime-linux/fsctx.h"
#include "runtime-linux/launch_internal.h"
#include "runtime-linux/syscalls.h"

#define OPTIONS_MAX 4095 /* mount() takes a page */

/* What the helper leaves behind; it shares our descriptors, so a number is enough. */
struct outcome {
    int fd;
    struct err e;
};

static int clone_mount(const char *path, struct err *e)
{
    int fd = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

    return fd < 0 ? err_os(e, errno, "open the layer %s", path) : fd;
}

/* One descriptor per layer, and the directory of upper and work after them. */
static int clone_all(const struct oci_config *cfg, int *fds, struct err *e)
{
    cleanup_free char *base = cfg->upper ? path_dir(cfg->upper) : NULL;

    for (size_t i = 0; i < cfg->lower.n; i++) {
        fds[i] = clone_mount(cfg->lower.v[i], e);
        if (fds[i] < 0)
            return -1;
        if (cfg->uid_base >= 0 && idmap_tree(fds[i], cfg, e))
            return err_wrap(e, "map the ids of the layer %s", cfg->lower.v[i]);
    }
    if (!base)
        return 0;
    fds[cfg->lower.n] = clone_mount(base, e);
    return fds[cfg->lower.n] < 0 ? -1 : 0;
}

/*
 * The tmpfs goes over "/" itself, so that no directory is needed for it, and becomes our working
 * directory.  In a chroot "/" is no mount, hence the way out; paths are of no use from here on.
 */
static int take_place(struct err *e)
{
    cleanup_fd int fs = fsctx_open("tmpfs", e), place = -1;

    if (fs < 0 || fsctx_string(fs, "mode", "0700", e))
        return -1;
    place = fsctx_mount(fs, 0, e);
    if (place < 0 || rootfs_leave_chroot(e))
        return -1;
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
        return err_os(e, errno, "make the helper's mounts private");
    if (move_mount(place, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) || fchdir(place))
        return err_os(e, errno, "attach the helper's directory");
    return 0;
}

static int attach(int fd, const char *name, struct err *e)
{
    if (mkdir(name, 0700) || move_mount(fd, "", AT_FDCWD, name, MOVE_MOUNT_F_EMPTY_PATH))
        return err_os(e, errno, "attach the layer %s", name);
    return 0;
}

static int attach_all(const struct oci_config *cfg, const int *fds, struct err *e)
{
    char name[24];

    for (size_t i = 0; i < cfg->lower.n; i++) {
        (void)snprintf(name, sizeof(name), "%zu", i);
        if (attach(fds[i], name, e))
            return -1;
    }
    return cfg->upper ? attach(fds[cfg->lower.n], "w", e) : 0;
}

static int options(const struct oci_config *cfg, struct buf *out, struct err *e)
{
    const char *upper = cfg->upper ? path_base(cfg->upper) : "",
               *work = cfg->work ? path_base(cfg->work) : "";

    if (strpbrk(upper, ",:\\") || strpbrk(work, ",:\\"))
        return err_set(e, ERR_INVALID,
                       "the root's upper and work: a name with \",\", \":\" or \"\\\"");
    buf_addf(out, "index=off,redirect_dir=off,metacopy=off,lowerdir=");
    for (size_t i = 0; i < cfg->lower.n; i++)
        buf_addf(out, "%s%zu", i ? ":" : "", i);
    if (cfg->upper)
        buf_addf(out, ",upperdir=w/%s,workdir=w/%s%s", upper, work,
                 cfg->volatile_root ? ",volatile" : "");
    return buf_check(out, "the list of overlay layers", e);
}

static int mount_here(const struct oci_config *cfg, const int *fds, struct err *e)
{
    cleanup_buf struct buf text = BUF_INIT(OPTIONS_MAX);
    int fd;

    if (take_place(e) || attach_all(cfg, fds, e) || options(cfg, &text, e))
        return -1;
    if (mkdir("m", 0700) || mount("overlay", "m", "overlay", cfg->upper ? 0 : MS_RDONLY, text.data))
        return err_os(e, errno, "mount %zu layers", cfg->lower.n);
    fd = open_tree(AT_FDCWD, "m", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    return fd < 0 ? err_os(e, errno, "take the overlay along") : fd;
}

int overlay_attached_here(const struct oci_config *cfg, struct err *e)
{
    const size_t n = cfg->lower.n + 1;
    cleanup_free int *fds = xmalloc(n * sizeof(*fds));
    int fd;

    for (size_t i = 0; i < n; i++)
        fds[i] = -1;
    fd = clone_all(cfg, fds, e) ? -1 : mount_here(cfg, fds, e);
    for (size_t i = 0; i < n; i++)
        fd_close_p(&fds[i]); /* the table is the launcher's as well */
    return fd;
}

static int wait_for(pid_t pid, struct err *e)
{
    int status;

    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return err_os(e, errno, "wait for the helper that mounts");
    return status ? err_set(e, ERR_INTERNAL, "the helper that mounts ended with %#x", status) : 0;
}

int overlay_attached(const struct oci_config *cfg, struct err *e)
{
    struct outcome *out =
        mmap(NULL, sizeof(*out), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pid;
    int fd = -1;

    if (out == MAP_FAILED)
        return err_os(e, errno, "mmap");
    out->fd = -1;
    pid = (pid_t)syscall(SYS_clone, CLONE_NEWNS | CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL);
    if (pid == 0) {
        out->fd = overlay_attached_here(cfg, &out->e);
        _exit(0);
    }
    if (pid < 0)
        err_os(e, errno, "start the helper that mounts");
    else if (wait_for(pid, e) == 0 && out->fd < 0)
        *e = out->e;
    else
        fd = out->fd;
    munmap(out, sizeof(*out));
    return fd;
}
