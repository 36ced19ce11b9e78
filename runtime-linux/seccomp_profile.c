/*
 * seccomp_profile: see seccomp_profile.h.
 *
 * A list of what is allowed; the rest is EPERM.  The groups follow moby's profiles/seccomp: calls
 * that are harmless, calls that a capability guards anyway (and so may be tried by who has it), and
 * four whose arguments decide.
 */
#include "runtime-linux/seccomp_profile.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/utsname.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "runtime-linux/caps.h"

static const char always[] =
    "accept accept4 access adjtimex alarm bind brk cachestat capget capset chdir chmod chown "
    "chown32 clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime "
    "clock_gettime64 clock_nanosleep clock_nanosleep_time64 close close_range connect "
    "copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_ctl_old "
    "epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 execve execveat exit "
    "exit_group faccessat faccessat2 fadvise64 fadvise64_64 fallocate fanotify_mark fchdir "
    "fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr "
    "flistxattr flock fork fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 "
    "fsync ftruncate ftruncate64 futex futex_requeue futex_time64 futex_wait futex_waitv "
    "futex_wake futimesat getcpu getcwd getdents getdents64 getegid getegid32 geteuid "
    "geteuid32 getgid getgid32 getgroups getgroups32 getitimer getpeername getpgid getpgrp "
    "getpid getppid getpriority getrandom getresgid getresgid32 getresuid getresuid32 "
    "getrlimit get_robust_list getrusage getsid getsockname getsockopt get_thread_area gettid "
    "gettimeofday getuid getuid32 getxattr getxattrat inotify_add_watch inotify_init "
    "inotify_init1 inotify_rm_watch io_cancel ioctl io_destroy io_getevents io_pgetevents "
    "io_pgetevents_time64 ioprio_get ioprio_set io_setup io_submit ipc kill landlock_add_rule "
    "landlock_create_ruleset landlock_restrict_self lchown lchown32 lgetxattr link linkat "
    "listen listmount listxattr listxattrat llistxattr _llseek lremovexattr lseek lsetxattr "
    "lstat lstat64 madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mkdir "
    "mkdirat mknod mknodat mlock mlock2 mlockall mmap mmap2 mprotect mq_getsetattr mq_notify "
    "mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink "
    "mremap mseal msgctl msgget msgrcv msgsnd msync munlock munlockall munmap "
    "name_to_handle_at nanosleep newfstatat _newselect open openat openat2 pause pidfd_open "
    "pidfd_send_signal pipe pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll ppoll_time64 "
    "prctl pread64 preadv preadv2 prlimit64 process_mrelease process_vm_readv "
    "process_vm_writev pselect6 pselect6_time64 ptrace pwrite64 pwritev pwritev2 read "
    "readahead readlink readlinkat readv recv recvfrom recvmmsg recvmmsg_time64 recvmsg "
    "remap_file_pages removexattr removexattrat rename renameat renameat2 restart_syscall "
    "riscv_hwprobe rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo "
    "rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo "
    "sched_getaffinity sched_getattr sched_getparam sched_get_priority_max "
    "sched_get_priority_min sched_getscheduler sched_rr_get_interval "
    "sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam "
    "sched_setscheduler sched_yield seccomp select semctl semget semop semtimedop "
    "semtimedop_time64 send sendfile sendfile64 sendmmsg sendmsg sendto setfsgid setfsgid32 "
    "setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setitimer setpgid setpriority "
    "setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid setreuid32 "
    "setrlimit set_robust_list setsid setsockopt set_thread_area set_tid_address setuid "
    "setuid32 setxattr setxattrat shmat shmctl shmdt shmget shutdown sigaltstack signalfd "
    "signalfd4 sigprocmask sigreturn socketcall socketpair splice stat stat64 statfs statfs64 "
    "statmount statx symlink symlinkat sync sync_file_range syncfs sysinfo tee tgkill time "
    "timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime "
    "timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime "
    "timerfd_settime64 times tkill truncate truncate64 ugetrlimit umask uname unlink unlinkat "
    "uretprobe utime utimensat utimensat_time64 utimes vfork vmsplice wait4 waitid waitpid "
    "write writev";

/* Calls that come with a capability. */
static const struct {
    unsigned cap;
    const char *names;
} with_cap[] = {
    {CAP_DAC_READ_SEARCH, "open_by_handle_at"                                        },
    {CAP_SYS_ADMIN,
     "bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie "
     "lsm_get_self_attr lsm_list_modules lsm_set_self_attr mount mount_setattr move_mount "
     "open_tree perf_event_open quotactl quotactl_fd setdomainname sethostname setns syslog umount "
     "umount2 unshare"                                                               },
    {CAP_SYS_BOOT,        "reboot"                                                   },
    {CAP_SYS_CHROOT,      "chroot"                                                   },
    {CAP_SYS_MODULE,      "delete_module init_module finit_module"                   },
    {CAP_SYS_PACCT,       "acct"                                                     },
    {CAP_SYS_PTRACE,      "kcmp pidfd_getfd process_madvise"                         },
    {CAP_SYS_RAWIO,       "iopl ioperm"                                              },
    {CAP_SYS_TIME,        "settimeofday stime clock_settime clock_settime64"         },
    {CAP_SYS_TTY_CONFIG,  "vhangup"                                                  },
    {CAP_SYS_NICE,        "get_mempolicy mbind set_mempolicy set_mempolicy_home_node"},
    {CAP_SYSLOG,          "syslog"                                                   },
    {CAP_BPF,             "bpf"                                                      },
    {CAP_PERFMON,         "perf_event_open"                                          },
};

/* By the machine's name in uname(2): Go's name for it (Docker's profiles use that), libseccomp's,
 * the ones that run on it too, and calls that only it has. */
static const struct arch {
    const char *machine, *go, *native, *sub, *names;
} arches[] = {
    {"x86_64",  "amd64",   "SCMP_ARCH_X86_64",  "SCMP_ARCH_X86 SCMP_ARCH_X32", "arch_prctl modify_ldt"       },
    {"i686",    "386",     "SCMP_ARCH_X86",     "",                            "modify_ldt"                  },
    {"aarch64", "arm64",   "SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM",
     "arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls"                   },
    {"armv7l",  "arm",     "SCMP_ARCH_ARM",     "",
     "arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls"                   },
    {"ppc64le", "ppc64le", "SCMP_ARCH_PPC64LE", "",                            "sync_file_range2 swapcontext"},
    {"s390x",   "s390x",   "SCMP_ARCH_S390X",   "SCMP_ARCH_S390",
     "s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr"                                             },
    {"riscv64", "riscv64", "SCMP_ARCH_RISCV64", "",                            "riscv_flush_icache"          },
};

static const struct arch *this_arch(void)
{
    struct utsname u;

    if (uname(&u))
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(arches); i++)
        if (str_eq(arches[i].machine, u.machine))
            return &arches[i];
    return NULL;
}

/* ------------------------------------------------------------------ writing */

static void words(struct jsonw *w, const char *list)
{
    while (*list) {
        const size_t n = strcspn(list, " ");

        jsonw_strn(w, list, n);
        list += n + strspn(list + n, " ");
    }
}

static void arg(struct jsonw *w, unsigned index, const char *op, uint64_t value, uint64_t two)
{
    jsonw_key(w, "args");
    jsonw_arr(w);
    jsonw_obj(w);
    jsonw_ki64(w, "index", index);
    jsonw_kstr(w, "op", op);
    jsonw_key(w, "value");
    jsonw_u64(w, value);
    jsonw_key(w, "valueTwo");
    jsonw_u64(w, two);
    jsonw_end_obj(w);
    jsonw_end_arr(w);
}

static void rule_open(struct jsonw *w, const char *names, const char *action)
{
    jsonw_obj(w);
    jsonw_key(w, "names");
    jsonw_arr(w);
    words(w, names);
    jsonw_end_arr(w);
    jsonw_kstr(w, "action", action);
}

static void allow(struct jsonw *w, const char *names)
{
    rule_open(w, names, "SCMP_ACT_ALLOW");
    jsonw_end_obj(w);
}

static void allow_arg(struct jsonw *w, const char *names, unsigned index, const char *op,
                      uint64_t value, uint64_t two)
{
    rule_open(w, names, "SCMP_ACT_ALLOW");
    arg(w, index, op, value, two);
    jsonw_end_obj(w);
}

/* CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET} */
#define NAMESPACE_FLAGS 0x7e020000ULL
#define AF_VSOCK_NUMBER 40

static void conditional(struct jsonw *w, uint64_t caps, const struct arch *a)
{
    static const uint64_t personalities[] = {0, 0x8, 0x20000, 0x20008, 0xffffffff};

    for (size_t i = 0; i < ARRAY_LEN(personalities); i++)
        allow_arg(w, "personality", 0, "SCMP_CMP_EQ", personalities[i], 0);
    allow_arg(w, "socket", 0, "SCMP_CMP_NE", AF_VSOCK_NUMBER, 0);
    if (caps & CAP_BIT(CAP_SYS_ADMIN))
        return;
    allow_arg(w, "clone", a && str_eq(a->machine, "s390x") ? 1 : 0, "SCMP_CMP_MASKED_EQ",
              NAMESPACE_FLAGS, 0);
    /* its flags are behind a pointer; ENOSYS makes the C library use clone() */
    rule_open(w, "clone3", "SCMP_ACT_ERRNO");
    jsonw_ki64(w, "errnoRet", ENOSYS);
    jsonw_end_obj(w);
}

static void write_architectures(struct jsonw *w, const struct arch *a)
{
    jsonw_key(w, "architectures");
    jsonw_arr(w);
    if (a) {
        jsonw_str(w, a->native);
        words(w, a->sub);
    }
    jsonw_end_arr(w);
}

void seccomp_profile_default(uint64_t caps, struct jsonw *w)
{
    const struct arch *a = this_arch();

    jsonw_obj(w);
    jsonw_kstr(w, "defaultAction", "SCMP_ACT_ERRNO");
    jsonw_ki64(w, "defaultErrnoRet", EPERM);
    write_architectures(w, a);
    jsonw_key(w, "syscalls");
    jsonw_arr(w);
    allow(w, always);
    for (size_t i = 0; i < ARRAY_LEN(with_cap); i++)
        if (caps & CAP_BIT(with_cap[i].cap))
            allow(w, with_cap[i].names);
    if (a && *a->names)
        allow(w, a->names);
    conditional(w, caps, a);
    jsonw_end_arr(w);
    jsonw_end_obj(w);
}

/* ------------------------------------------------------------------ a profile of the user's */

static bool kernel_is_at_least(const char *want)
{
    struct utsname u;
    int have[2] = {0}, need[2] = {0};

    if (str_empty(want) || uname(&u))
        return true;
    if (sscanf(u.release, "%d.%d", &have[0], &have[1]) != 2 ||
        sscanf(want, "%d.%d", &need[0], &need[1]) != 2)
        return false;
    return have[0] != need[0] ? have[0] > need[0] : have[1] >= need[1];
}

static bool any_cap(const struct strv *names, uint64_t caps)
{
    for (size_t i = 0; i < names->n; i++) {
        int cap = cap_by_name(names->v[i]);

        if (cap >= 0 && (caps & CAP_BIT(cap)))
            return true;
    }
    return false;
}

static bool all_caps(const struct strv *names, uint64_t caps)
{
    for (size_t i = 0; i < names->n; i++) {
        int cap = cap_by_name(names->v[i]);

        if (cap < 0 || !(caps & CAP_BIT(cap)))
            return false;
    }
    return true;
}

/* moby: every include must hold, and no exclude. */
static int applies(const struct json *rule, uint64_t caps, const struct arch *a, bool *out,
                   struct err *e)
{
    struct json inc = json_get(rule, "includes"), exc = json_get(rule, "excludes");
    struct json inc_caps = json_get(&inc, "caps"), exc_caps = json_get(&exc, "caps");
    struct json inc_arch = json_get(&inc, "arches"), exc_arch = json_get(&exc, "arches");
    cleanup_strv struct strv want = {0}, not_want = {0}, on = {0}, not_on = {0};
    const char *go = a ? a->go : "", *min = json_get_str(&inc, "minKernel");
    const char *max = json_get_str(&exc, "minKernel");

    if (json_strv(&inc_caps, &want, e) || json_strv(&exc_caps, &not_want, e) ||
        json_strv(&inc_arch, &on, e) || json_strv(&exc_arch, &not_on, e))
        return -1;
    *out = all_caps(&want, caps) && !any_cap(&not_want, caps) && (!on.n || strv_has(&on, go)) &&
           !strv_has(&not_on, go) && kernel_is_at_least(min) &&
           (str_empty(max) || !kernel_is_at_least(max));
    return 0;
}

static void copy_key(const struct json *from, const char *key, struct jsonw *w)
{
    cleanup_buf struct buf text = BUF_INIT(1 << 20);
    struct json v = json_get(from, key);

    if (!json_exists(&v))
        return;
    json_text(&v, &text);
    jsonw_key(w, key);
    jsonw_raw(w, text.data);
}

static void copy_rule(const struct json *rule, struct jsonw *w)
{
    const char *single = json_get_str(rule, "name");

    jsonw_obj(w);
    if (!str_empty(single)) { /* the older spelling */
        jsonw_key(w, "names");
        jsonw_arr(w);
        jsonw_str(w, single);
        jsonw_end_arr(w);
    } else {
        copy_key(rule, "names", w);
    }
    copy_key(rule, "action", w);
    copy_key(rule, "errnoRet", w);
    copy_key(rule, "args", w);
    jsonw_end_obj(w);
}

static int convert_rules(const struct json *root, uint64_t caps, struct jsonw *w, struct err *e)
{
    struct json rules = json_get(root, "syscalls");
    const struct arch *a = this_arch();

    jsonw_key(w, "syscalls");
    jsonw_arr(w);
    for (size_t i = 0; i < json_len(&rules); i++) {
        struct json rule = json_at(&rules, i), names = json_get(&rule, "names");
        bool use = false;

        if (!str_empty(json_get_str(&rule, "name")) && json_len(&names))
            return err_set(e, ERR_INTERNAL,
                           "both 'name' and 'names' are specified in the seccomp profile, use "
                           "either 'name' or 'names'");
        if (applies(&rule, caps, a, &use, e))
            return -1;
        if (use)
            copy_rule(&rule, w);
    }
    jsonw_end_arr(w);
    return 0;
}

bool seccomp_profile_is_empty(const char *text)
{
    cleanup_json struct json_doc doc = {0};
    struct json root, calls;

    if (json_parse(text, strlen(text), &doc, ERR_IGNORE))
        return false;
    root = json_root(&doc);
    calls = json_get(&root, "syscalls");
    return json_typeof(&root) == JSON_OBJECT && str_empty(json_get_str(&root, "defaultAction")) &&
           json_len(&calls) == 0;
}

int seccomp_profile_convert(const char *text, uint64_t caps, struct jsonw *w, struct err *e)
{
    cleanup_json struct json_doc doc = {0};
    struct json root, listed, map;

    if (json_parse(text, strlen(text), &doc, e))
        return err_wrap(e, "Decoding seccomp profile failed");
    root = json_root(&doc);
    if (str_empty(json_get_str(&root, "defaultAction")))
        return err_set(e, ERR_INVALID, "string  is not a valid action for seccomp");
    listed = json_get(&root, "architectures");
    map = json_get(&root, "archMap");
    if (json_len(&listed) && json_len(&map))
        return err_set(e, ERR_INTERNAL,
                       "both 'architectures' and 'archMap' are specified in the seccomp profile, "
                       "use either 'architectures' or 'archMap'");
    jsonw_obj(w);
    copy_key(&root, "defaultAction", w);
    copy_key(&root, "defaultErrnoRet", w);
    copy_key(&root, "flags", w);
    if (json_len(&listed))
        copy_key(&root, "architectures", w);
    else
        write_architectures(w, this_arch());
    if (convert_rules(&root, caps, w, e))
        return -1;
    jsonw_end_obj(w);
    return 0;
}
