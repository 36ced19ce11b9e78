/*
 * launch_internal: the steps of launch.c and init.c, and what they pass on.
 *
 * Two processes take part.  The launcher, with the host's rights, opens everything that is named by
 * a host path: bind sources become detached mounts, the overlay is made, namespaces to join are
 * entered (and left again).  The child, born in the new namespaces, only ever attaches descriptors
 * below the container's root.  So when a path that the container controls is resolved, the host's
 * tree is gone already, and no name is looked up twice.
 */
#pragma once

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "runtime-linux/cgroup.h"
#include "runtime-linux/launch.h"
#include "runtime-linux/oci.h"
#include "runtime-linux/sync_pipe.h"

struct user;

/* One of v1's hierarchies, or v2's tree, as the container shall see it. */
struct cgroup_view {
    char *name; /* "memory", "cpu,cpuacct", "systemd"; "": v2 */
    int tree;   /* detached mount of the container's own directory */
};

/* What the launcher has opened. */
struct prepared {
    int root;  /* detached mount */
    int *made; /* per cfg->mounts: detached mount; -1: the child makes it when its turn comes */
    size_t n_made;
    int *devices; /* per device (defaults first): the host's node, detached; NULL: mknod */
    size_t n_devices;
    struct cgroup_view *cgroups;
    size_t n_cgroups;
};

/*
 * A way into the cgroups of v1, one descriptor each, which the child goes by itself: moving another
 * process waits for every process of the host to be out of fork and exec, ten milliseconds and
 * more; the kernel spares that for a single thread that moves itself.
 */
struct cgroup_door {
    int *fds;
    size_t n; /* 0: v2, or no cgroup */
};

struct seccomp_program {
    struct sock_filter *code; /* NULL: unconfined */
    unsigned short n;
    unsigned flags;
};

/* All that the child needs; lives on the launcher's stack and is inherited by the clone. */
struct child {
    const struct oci_config *cfg;
    const struct launch_io *io;
    struct prepared *prepared; /* NULL for exec */
    struct sync_pipe *sync;
    const struct seccomp_program *seccomp;
    /* What is run, as whom: the config's, or the exec's. */
    const struct strv *args, *env;
    const char *cwd, *user_text;
    bool terminal, reaper, early_cgroup;
    int slave; /* of the pty, once it is open; -1 */
    int64_t console_height, console_width;
    struct oci_caps caps;
    const int *target_ns; /* exec: the namespaces to enter */
    int pid_ns;           /* where others live already: see pid_enter.c; -1: none */
    struct cgroup_door *door;
};

/* ---- launcher */
/* In: joins namespaces that have a path, keeping our own in saved; out: back.  rootfs and binds are
 * prepared in between. */
struct saved_ns {
    int fd[OCI_NS_COUNT];
};
int namespaces_join(const struct oci_config *cfg, struct saved_ns *saved, struct err *e) MUST_USE;
int namespaces_return(struct saved_ns *saved, struct err *e) MUST_USE;
uint64_t namespaces_clone_flags(const struct oci_config *cfg);
/* Descriptors of all namespaces of a process, for exec; -1 where it is in ours already. */
int namespaces_open(int64_t pid, int fd[OCI_NS_COUNT], struct err *e) MUST_USE;
void namespaces_close(int fd[OCI_NS_COUNT]);
int idmap_write(pid_t pid, const struct oci_config *cfg, struct err *e) MUST_USE;

int rootfs_prepare(const struct oci_config *cfg, int *out, struct err *e) MUST_USE;
/* The same for a thread that has a mount namespace of its own, which this may turn upside down. */
int rootfs_prepare_here(const struct oci_config *cfg, int *out, struct err *e) MUST_USE;
/* The overlay as a detached mount, on kernels that take no descriptors, or mapped. */
int overlay_attached(const struct oci_config *cfg, struct err *e) MUST_USE;
/* Without the helper process: the calling thread has a mount namespace of its own. */
int overlay_attached_here(const struct oci_config *cfg, struct err *e) MUST_USE;
int idmap_tree(int tree, const struct oci_config *cfg, struct err *e) MUST_USE;
int mounts_prepare(const struct oci_config *cfg, struct cgroup *cg, struct prepared *p,
                   struct err *e) MUST_USE;
int devices_prepare(const struct oci_config *cfg, struct prepared *p, struct err *e) MUST_USE;
int cgroup_prepare_views(struct cgroup *cg, struct prepared *p, struct err *e) MUST_USE;
/* v2 and CLONE_INTO_CGROUP: a directory descriptor, or -1. */
int cgroup_clone_fd(struct cgroup *cg);
int cgroup_door_open(struct cgroup *cg, struct cgroup_door *door, struct err *e) MUST_USE;
void cgroup_door_close(struct cgroup_door *door);
int seccomp_compile(const struct oci_seccomp *s, struct seccomp_program *out,
                    struct err *e) MUST_USE;
void seccomp_program_release(struct seccomp_program *p);

/* ---- child */
_Noreturn void child_run(struct child *c);      /* init.c: a container's first process */
_Noreturn void child_run_exec(struct child *c); /* exec_enter.c */
_Noreturn void child_finish(struct child *c, int root_fd, int proc_fd); /* process.c */

/* pid_enter.c, in this order.  finished: nothing but 0, 1, 2 and the launcher is needed any more.
 * The last returns as the process inside, which has a session of its own. */
int pid_enter_choose(struct child *c, struct err *e) MUST_USE;
int pid_enter_forget_host(const struct child *c, bool finished, struct err *e) MUST_USE;
int pid_enter_go(struct child *c, struct err *e) MUST_USE;
int cgroup_door_pass(struct cgroup_door *door, struct err *e) MUST_USE; /* and closes it */
int namespaces_finish(const struct oci_config *cfg, struct err *e) MUST_USE;
int namespaces_setns_all(const int fd[OCI_NS_COUNT], struct err *e) MUST_USE;
int rootfs_pivot(int root, struct err *e) MUST_USE;
int rootfs_leave_chroot(struct err *e) MUST_USE; /* helper as well */
int rootfs_seal(const struct oci_config *cfg, int root, struct err *e) MUST_USE;
/* Before the pivot: a user namespace may mount proc and sysfs only where it can see them already.
 */
int mounts_make_early(const struct oci_config *cfg, struct prepared *p, struct err *e) MUST_USE;
int mounts_attach(const struct oci_config *cfg, int root, struct prepared *p,
                  struct err *e) MUST_USE;
int mounts_private_proc(struct err *e) MUST_USE; /* a procfs nobody else sees, or -1 */
/* Opens (O_PATH) `path` below root, making what is missing. */
int mounts_make_target(int root, const char *path, bool is_dir, struct err *e) MUST_USE;
/* Fills an empty volume from what the image has at `path`; a file has nothing to fill. */
/* What is bound somewhere: a path, below a path, or an image. */
struct mount_source {
    const char *bundle; /* a relative source counts from here; NULL: there is none */
    const char *source, *destination;
    const char *subpath; /* NULL: source itself */
    const struct strv
        *layers; /* of an image: instead of source; its subpath is mounts_narrow()'s */
    bool recursive;
};
/* The sysfs of a network namespace that the caller has joined and the container's user namespace
 * does not own; *out stays as it is when m is none. */
int mounts_foreign_sysfs(const struct oci_config *cfg, const struct oci_mount *m, int *out,
                         struct err *e) MUST_USE;
/* A detached mount of it. */
int mounts_clone(const struct mount_source *m, struct err *e) MUST_USE;
/* What is at subpath of the detached mount, which is closed, as one of its own.  `root` belongs to
 * this process's namespace, and the process has a working directory for itself. */
int mounts_narrow(int root, int *mount, const char *subpath, const char *destination,
                  struct err *e) MUST_USE;
int mounts_fill_volume(int root, const char *path, int mount, struct err *e) MUST_USE;
int copy_up(int image_dir, int volume_dir, struct err *e) MUST_USE;
int devices_make(const struct oci_config *cfg, int root, struct prepared *p,
                 struct err *e) MUST_USE;
int devices_console(int root, int slave, struct err *e) MUST_USE;
/* A verified /dev/null of the container's own, O_PATH. */
int devices_open_null(int root, struct err *e) MUST_USE;
int mask_paths(const struct oci_config *cfg, int root, struct err *e) MUST_USE;
int sysctl_check(const struct oci_config *cfg, struct err *e) MUST_USE; /* launcher */
/* Those of a network namespace that the caller has joined. */
int sysctl_apply_joined(const struct oci_config *cfg, struct err *e) MUST_USE;
int sysctl_apply(const struct oci_config *cfg, int proc_fd, bool launcher, struct err *e) MUST_USE;
int rlimits_check(const struct oci_process *p, struct err *e) MUST_USE; /* launcher */
int rlimits_apply(const struct oci_process *p, struct err *e) MUST_USE;
/* Makes a pty of the container's own, sends the master to the launcher, sets c->slave. */
int terminal_open(struct child *c, int root, struct err *e) MUST_USE;
void child_reset_signals(void);
int child_become_root(struct err *e) MUST_USE;
int seccomp_install(const struct seccomp_program *p, struct err *e) MUST_USE;

/* reaper.c: pid 1 with "init": forks the process and returns in the child of the two only. */
void reaper_split(bool terminal);
