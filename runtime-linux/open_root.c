/*
 * open_root: the files of a container for the agent, which is not in it.
 *
 * What is handed out is a detached copy of a tree of mounts.  A running container's is cloned from
 * inside its mount namespace, so it is exactly what the container sees at that moment; a stopped
 * one's is put together from what a start would mount.  Either way a thread of its own does it,
 * with a mount namespace of its own, which ends with the thread: nothing is mounted on the host,
 * and what the container mounts, unmounts or exchanges later does not reach the copy.
 *
 * Reading a stopped container takes an overlay without upper directory (the writable layer is its
 * topmost lower one): it disturbs nobody, not even a start meanwhile.  Only when a mount point is
 * missing yet is the writable one mounted, for as long as it takes to make that.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/sync.h"
#include "runtime-linux/client_internal.h"
#include "runtime-linux/fsctx.h"
#include "runtime-linux/launch_internal.h"
#include "runtime-linux/syscalls.h"
#include "runtime-linux/user.h"

#define TRIES_MAX 1000

struct job {
    const struct run_spec *spec;
    unsigned view;
    int ns;   /* of the running container; -1: it does not run */
    int root; /* the result */
    bool failed;
    struct err err;
};

/* ------------------------------------------------------------ a running one */

/*
 * The mount namespace of the container's first process, or -1 with ERR_OK when it does not run.
 * The number may have been given to another process since we were told it: if it is still the
 * container's afterwards, it was in between.
 */
static int open_namespace(struct runtime *rt, const char *id, struct err *e)
{
    for (int i = 0; i < TRIES_MAX; i++) {
        struct container_observed before, after;
        cleanup_fd int ns = -1;
        char path[64];

        if (adopt_observe(rt, id, &before, e))
            return -1;
        if (before.phase != CONTAINER_RUNNING && before.phase != CONTAINER_PAUSED)
            return -1;
        (void)snprintf(path, sizeof(path), "/proc/%lld/ns/mnt", (long long)before.pid);
        ns = open(path, O_RDONLY | O_CLOEXEC);
        if (ns < 0 && errno != ENOENT && errno != ESRCH)
            return err_os(e, errno, "open the mounts of container %s", id);
        if (adopt_observe(rt, id, &after, e))
            return -1;
        if (ns >= 0 && after.pid == before.pid && after.started_ns == before.started_ns &&
            (after.phase == CONTAINER_RUNNING || after.phase == CONTAINER_PAUSED))
            return take_fd(ns);
        (void)cancel_sleep_ms(NULL, 5); /* it is ending or beginning */
    }
    return err_set(e, ERR_IO, "container %s cannot be looked into: it keeps changing", id);
}

static int clone_from_namespace(struct job *j, struct err *e)
{
    const unsigned rec = j->view & ROOT_BARE ? 0 : AT_RECURSIVE;

    if (unshare(CLONE_FS) || setns(j->ns, CLONE_NEWNS))
        return err_os(e, errno, "enter the mounts of container %s", j->spec->id);
    j->root = open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | rec);
    return j->root < 0 ? err_os(e, errno, "copy the mounts of container %s", j->spec->id) : 0;
}

/* ------------------------------------------------------------ a stopped one */

/* The part of a configuration that the root needs. */
static void root_config(const struct run_spec *s, bool writable, struct oci_config *cfg)
{
    *cfg = (struct oci_config){.uid_base = s->userns_remap ? s->uid_base : -1};
    if (s->userns_remap) {
        const struct oci_idmap map = {0, s->uid_base, s->id_count};

        *ARRAY_ADD(cfg->uid_map, cfg->n_uid_map) = map;
        *ARRAY_ADD(cfg->gid_map, cfg->n_gid_map) = map;
    }
    cfg->overlay = s->rootfs.overlay && s->rootfs.lower.n > 0;
    if (!cfg->overlay) {
        cfg->root = xstrdup(s->rootfs.upper);
        return;
    }
    /* A writable layer of shifted ids cannot be a lower one among mapped ones. */
    if (!writable && cfg->uid_base < 0) {
        strv_add(&cfg->lower, s->rootfs.upper);
    } else {
        cfg->upper = xstrdup(s->rootfs.upper);
        cfg->work = xstrdup(s->rootfs.work);
        cfg->volatile_root = s->spec->auto_remove;
    }
    for (size_t i = 0; i < s->rootfs.lower.n; i++)
        strv_add(&cfg->lower, s->rootfs.lower.v[i]);
}

static void root_config_release(struct oci_config *cfg)
{
    free(cfg->uid_map);
    free(cfg->gid_map);
    free(cfg->root);
    free(cfg->upper);
    free(cfg->work);
    strv_release(&cfg->lower);
}

/* One descriptor per mount of the spec, taken before the namespace is left. */
static int clone_sources(const struct run_spec *s, int *fds, struct err *e)
{
    for (size_t i = 0; i < s->n_mounts; i++) {
        const struct run_mount *m = &s->mounts[i];
        const unsigned rec = m->non_recursive ? 0 : AT_RECURSIVE;
        const struct mount_source from = {.source = m->source,
                                          .destination = m->target,
                                          .subpath = m->subpath,
                                          .layers = &m->layers,
                                          .recursive = !m->non_recursive};

        if (m->type == MOUNT_TMPFS || !m->source)
            continue; /* empty whenever it does not run */
        fds[i] = mounts_clone(&from, e);
        if (fds[i] < 0)
            return -1;
        if (mount_attrs(fds[i], 0, 0, MS_PRIVATE, rec, m->target, e))
            return -1;
    }
    return 0;
}

static bool is_directory(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
}

/* 1: its place is missing, and the root cannot be written. */
static int attach_source(const struct run_mount *m, int *fd, int root, bool writable, struct err *e)
{
    struct stat st;
    cleanup_fd int target = -1;

    if (m->copy_up && mounts_fill_volume(root, m->target, *fd, e))
        return -1;
    if (m->layers.n && m->subpath && mounts_narrow(root, fd, m->subpath, m->target, e))
        return -1;
    if (fstat(*fd, &st))
        return err_os(e, errno, "look at the source of the mount on %s", m->target);
    if (m->read_only && mount_attrs(*fd, MOUNT_ATTR_RDONLY, 0, 0,
                                    m->non_recursive ? 0 : AT_RECURSIVE, m->target, e))
        return -1;
    if (writable) {
        target = mounts_make_target(root, m->target, S_ISDIR(st.st_mode), e);
    } else {
        struct err why = ERR_INIT;

        target = fs_open_in_root(root, m->target, O_PATH | O_CLOEXEC, 0, &why);
        if (target < 0 && why.kind == ERR_NOT_FOUND)
            return 1;
        if (target < 0)
            *e = why;
    }
    if (target < 0)
        return -1;
    if (m->type == MOUNT_VOLUME && S_ISDIR(st.st_mode) && !is_directory(target))
        return err_set(e, ERR_INTERNAL, "cannot mount volume over existing file, file exists %s",
                       m->target);
    return mount_attach(*fd, target, m->target, e);
}

static int attach_sources(const struct run_spec *s, int *fds, int root, bool writable,
                          struct err *e)
{
    for (size_t i = 0; i < s->n_mounts; i++) {
        int r = fds[i] < 0 ? 0 : attach_source(&s->mounts[i], &fds[i], root, writable, e);

        if (r)
            return r;
    }
    return 0;
}

/* The layers are named from where the agent is, perhaps a chroot; only then that is left. */
static int take_root(const struct oci_config *cfg, int *root, struct err *e)
{
    if (unshare(CLONE_FS | CLONE_NEWNS))
        return err_os(e, errno, "unshare the mounts");
    if (rootfs_prepare_here(cfg, root, e) || rootfs_leave_chroot(e))
        return -1;
    /* What the host unmounts goes here, too: a long copy holds nobody's disk. */
    if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL))
        return err_os(e, errno, "make the mounts our own");
    return 0;
}

/* Over "/" of this thread's namespace, whose own root stays what paths start from. */
static int assemble(struct job *j, const struct oci_config *cfg, int *fds, bool writable,
                    struct err *e)
{
    cleanup_fd int root = -1;
    int r;

    if (take_root(cfg, &root, e))
        return -1;
    if (j->view & ROOT_BARE) {
        j->root = take_fd(root);
        return 0;
    }
    if (move_mount(root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH))
        return err_os(e, errno, "attach the root of container %s", j->spec->id);
    r = attach_sources(j->spec, fds, root, writable, e);
    if (r)
        return r;
    j->root =
        open_tree(root, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
    return j->root < 0 ? err_os(e, errno, "copy the mounts of container %s", j->spec->id) : 0;
}

/* 1: it has to be done again, writably. */
static int put_together(struct job *j, bool writable, struct err *e)
{
    const size_t n = j->spec->n_mounts;
    cleanup_free int *fds = xmalloc((n + 1) * sizeof(*fds));
    struct oci_config cfg;
    int r;

    for (size_t i = 0; i < n; i++)
        fds[i] = -1;
    root_config(j->spec, writable, &cfg);
    r = j->view & ROOT_BARE ? 0 : clone_sources(j->spec, fds, e);
    if (r == 0)
        r = assemble(j, &cfg, fds, writable || !cfg.overlay || cfg.upper, e);
    for (size_t i = 0; i < n; i++)
        fd_close_p(&fds[i]);
    root_config_release(&cfg);
    return r;
}

/* ------------------------------------------------------------ the thread */

static int run(struct job *j, struct err *e)
{
    const uint64_t attrs = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
    int r;

    if (j->ns >= 0)
        r = clone_from_namespace(j, e);
    else
        r = put_together(j, j->view & ROOT_WRITABLE, e);
    if (r)
        return r;
    /* Private: what was shared in the container would go on being so. */
    return mount_attrs(j->root, attrs | (j->view & ROOT_WRITABLE ? 0 : MOUNT_ATTR_RDONLY), 0,
                       MS_PRIVATE, AT_RECURSIVE, "the copy", e);
}

static void run_thread(void *arg)
{
    struct job *j = arg;
    int r = run(j, &j->err);

    j->failed = r < 0;
    if (r && j->root >= 0)
        fd_close_p(&j->root);
}

static int run_job(struct job *j, struct err *e)
{
    struct thread thread = {0};

    j->root = -1;
    if (thread_start(&thread, "files", run_thread, j, e))
        return -1;
    thread_join(&thread);
    if (j->failed)
        *e = j->err;
    return j->failed ? -1 : 0;
}

/* Makes the mount points that are missing, as the first start would. */
static int make_places(const struct job *j, struct err *e)
{
    struct job once = *j;

    once.view |= ROOT_WRITABLE;
    if (run_job(&once, e))
        return -1;
    fd_close_p(&once.root);
    return 0;
}

int client_resolve_user(struct runtime *rt, int root_fd, const char *text, int64_t *uid,
                        int64_t *gid, struct err *e)
{
    cleanup_user struct user u = {0};

    (void)rt;
    if (user_resolve(root_fd, text, NULL, &u, e))
        return -1;
    *uid = u.uid;
    *gid = u.gid;
    return 0;
}

int client_open_root(struct runtime *rt, const struct run_spec *spec, unsigned view, int *fd,
                     struct err *e)
{
    struct job j = {.spec = spec, .view = view};
    struct err why = ERR_INIT;
    cleanup_fd int ns = open_namespace(rt, spec->id, &why);

    if (ns < 0 && why.kind) {
        *e = why;
        return -1;
    }
    j.ns = ns;
    if (run_job(&j, e))
        return -1;
    if (j.root < 0 && (make_places(&j, e) || run_job(&j, e)))
        return -1;
    if (j.root < 0)
        return err_set(e, ERR_INTERNAL, "the mount points of container %s do not stay", spec->id);
    *fd = j.root;
    return 0;
}
