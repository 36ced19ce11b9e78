/*
 * doctor: what the host lacks, and what is off because of that.
 *
 * Every probe asks the kernel by trying the thing, as far as trying has no effect; versions are not
 * compared.  One line each: feature, state, what is off (empty when nothing is).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "runtime-linux/cgroup_internal.h"
#include "runtime-linux/client_internal.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_fsopen
#define SYS_fsopen 430
#endif
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif
#ifndef SYS_openat2
#define SYS_openat2 437
#endif

#define CGROUP2_MAGIC 0x63677270

/* A call that the kernel does not know is ENOSYS; anything else means that it does. */
static bool has_call(long number, long a, long b, long c, long d, long e)
{
    return syscall(number, a, b, c, d, e) >= 0 || errno != ENOSYS;
}

static bool has_pidfd(void)
{
    cleanup_fd int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);

    return fd >= 0;
}

static bool has_mount_api(void)
{
    return has_call(SYS_fsopen, 0, 0, 0, 0, 0) && has_call(SYS_mount_setattr, -1, 0, 0, 0, 0);
}

static bool has_openat2(void)
{
    return has_call(SYS_openat2, -1, 0, 0, 0, 0);
}

static bool has_seccomp(void)
{
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL) < 0 && errno == EFAULT;
}

static bool has_overlay(void)
{
    cleanup_buf struct buf text = BUF_INIT(64 * 1024);

    if (fs_read("/proc/filesystems", &text, ERR_IGNORE) == 0 && strstr(text.data, "\toverlay\n"))
        return true;
    /* As a module it shows up once it was used; looking for it loads nothing. */
    return fs_exists("/sys/module/overlay");
}

static bool has_ns(const char *name)
{
    cleanup_free char *path = str_printf("/proc/self/ns/%s", name);

    return fs_exists(path);
}

static bool has_user_ns(void)
{
    cleanup_buf struct buf text = BUF_INIT(64);

    return has_ns("user") && (fs_read("/proc/sys/user/max_user_namespaces", &text, ERR_IGNORE) ||
                              strtol(text.data, NULL, 10) > 0);
}

static bool has_selinux(void)
{
    return fs_exists("/sys/fs/selinux/enforce");
}

static const struct {
    const char *feature;
    bool (*probe)(void);
    const char *without;
} probes[] = {
    {"pidfd",          has_pidfd,       "processes are known by number alone"                    },
    {"openat2",        has_openat2,     "paths in containers are walked by hand, which is slower"},
    {"mount-api",      has_mount_api,   "containers cannot be started"                           },
    {"overlayfs",      has_overlay,     "the vfs storage driver copies every layer"              },
    {"seccomp",        has_seccomp,     "system calls of containers are not filtered"            },
    {"user-namespace", has_user_ns,     "userns-remap and rootless"                              },
    {"apparmor",       apparmor_active, "AppArmor profiles are not applied"                      },
    {"selinux",        has_selinux,     "SELinux labels are not applied"                         },
};

static const struct {
    const char *controller, *without;
} controllers[] = {
    {"memory",  "--memory and OOM detection"  },
    {"cpu",     "--cpus and --cpu-shares"     },
    {"cpuset",  "--cpuset-cpus"               },
    {"pids",    "--pids-limit"                },
    {"blkio",   "--blkio-weight and throttles"},
    {"freezer", "docker pause"                },
    {"devices", "device rules are not applied"},
};

static void add(struct strv *lines, const char *feature, bool there, const char *without)
{
    strv_addf(lines, "%s\t%s\t%s", feature, there ? "ok" : "missing", there ? "" : without);
}

static const char *cgroup_kind(void)
{
    struct statfs st;

    if (statfs("/sys/fs/cgroup", &st) == 0 && st.f_type == CGROUP2_MAGIC)
        return "v2";
    if (statfs("/sys/fs/cgroup/unified", &st) == 0 && st.f_type == CGROUP2_MAGIC)
        return "v1 (hybrid)";
    return fs_is_dir("/sys/fs/cgroup") ? "v1" : "missing";
}

void doctor_report(struct runtime *rt, struct strv *lines)
{
    static const char *const namespaces[] = {"mnt", "pid", "net", "ipc", "uts", "cgroup"};
    cleanup_free char *log_program = run_log_program(runtime_linux_of(rt));
    const char *kind = cgroup_kind();

    for (size_t i = 0; i < ARRAY_LEN(namespaces); i++) {
        cleanup_free char *feature = str_printf("namespace-%s", namespaces[i]);

        add(lines, feature, has_ns(namespaces[i]),
            i < 2 ? "containers cannot be started" : "containers share the host's");
    }
    strv_addf(lines, "cgroup\t%s\t%s", kind,
              str_eq(kind, "missing") ? "limits, pause and OOM detection" : "");
    for (size_t i = 0; i < ARRAY_LEN(controllers); i++) {
        cleanup_free char *feature = str_printf("cgroup-%s", controllers[i].controller);

        add(lines, feature, cgroup_has_controller(controllers[i].controller),
            controllers[i].without);
    }
    for (size_t i = 0; i < ARRAY_LEN(probes); i++)
        add(lines, probes[i].feature, probes[i].probe(), probes[i].without);
    add(lines, "ballast-log", access(log_program, X_OK) == 0,
        "journald, syslog and the other remote log drivers");
}

/* ------------------------------------------------------------------ limits */

static bool is_v2(void)
{
    return cgroup_host()->v2;
}

static bool is_v1(void)
{
    return !is_v2();
}

static bool has_memory(void)
{
    return cgroup_has_controller("memory");
}

static bool has_pids(void)
{
    return cgroup_has_controller("pids");
}

static bool has_cpu(void)
{
    return cgroup_has_controller("cpu");
}

static bool has_cpuset(void)
{
    return cgroup_has_controller("cpuset");
}

/* v1 has the file where the scheduler of a disk can weigh. */
static bool has_io_weight(void)
{
    const struct cgroup_host *h = cgroup_host();

    if (h->v2)
        return cgroup_has_controller("io");
    for (size_t i = 0; i < h->n; i++)
        if (str_eq(h->h[i].name, "blkio"))
            return cgroup_file_exists(h->h[i].dir, "blkio.weight") ||
                   cgroup_file_exists(h->h[i].dir, "blkio.bfq.weight");
    return false;
}

static bool has_device_weight(void)
{
    const struct cgroup_host *h = cgroup_host();

    if (h->v2)
        return cgroup_has_controller("io");
    for (size_t i = 0; i < h->n; i++)
        if (str_eq(h->h[i].name, "blkio"))
            return cgroup_file_exists(h->h[i].dir, "blkio.weight_device") ||
                   cgroup_file_exists(h->h[i].dir, "blkio.bfq.weight_device");
    return false;
}

bool doctor_supports(struct runtime *rt, const char *feature)
{
    static const struct {
        const char *feature;
        bool (*has)(void);
    } rows[] = {
        {"memory",                  has_memory        },
        {"memory.swap",             cgroup_counts_swap},
        {"memory.swappiness",       is_v1             },
        {"memory.oom_kill_disable", is_v1             },
        {"pids",                    has_pids          },
        {"cpu",                     has_cpu           },
        {"cpuset",                  has_cpuset        },
        {"blkio.weight",            has_io_weight     },
        {"blkio.weight_device",     has_device_weight },
        {"cgroup.v2",               is_v2             },
        {"apparmor",                apparmor_active   },
    };

    (void)rt;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (str_eq(rows[i].feature, feature))
            return rows[i].has();
    return false;
}
