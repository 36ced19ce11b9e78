/*
 * process: the last stretch, the same for a first process and for an exec'd one.
 *
 * In the container's root already.  The order matters: what needs rights comes first, then the user
 * changes, then the capabilities go, and the system call filter is the very last thing, so that it
 * has to allow nothing on our account but capset() and execve().
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "runtime-linux/caps.h"
#include "runtime-linux/launch_internal.h"
#include "runtime-linux/syscalls.h"
#include "runtime-linux/user.h"

/* As Go prints them, which is what clients know. */
static char *reason(int os_code)
{
    char *text = xstrdup(strerror(os_code));

    if (*text >= 'A' && *text <= 'Z' && os_code != EIO)
        *text = (char)(*text - 'A' + 'a');
    return text;
}

/* ------------------------------------------------------------------ stdio */

static int dup_one(int from, int to, struct err *e)
{
    cleanup_fd int null = -1;

    if (from < 0) {
        null = open("/dev/null", O_RDWR | O_CLOEXEC | O_NOFOLLOW);
        if (null < 0)
            return err_os(e, errno, "open the container's /dev/null");
        from = null;
    }
    if (from == to) { /* dup2() would leave CLOEXEC on */
        if (fcntl(to, F_SETFD, 0))
            return err_os(e, errno, "keep descriptor %d", to);
        return 0;
    }
    return dup2(from, to) < 0 ? err_os(e, errno, "set up descriptor %d", to) : 0;
}

/* Above 2, so that no dup2() below overwrites a source that is still to come. */
static int lift(int fd)
{
    return fd < 0 || fd > 2 ? fd : fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

static int set_stdio(const struct launch_io *io, int slave, struct err *e)
{
    const int from[3] = {slave >= 0 ? slave : io->in, slave >= 0 ? slave : io->out,
                         slave >= 0 ? slave : io->err};
    int high[3];

    for (int i = 0; i < 3; i++) {
        high[i] = lift(from[i]);
        if (from[i] >= 0 && high[i] < 0)
            return err_os(e, errno, "set up descriptor %d", i);
    }
    for (int i = 0; i < 3; i++)
        if (dup_one(high[i], i, e))
            return -1;
    return 0;
}

/* So that a process of another user may open /dev/stdout again.  Not the shared /dev/null. */
static void own_stdio(const struct user *u)
{
    for (int i = 0; i < 3; i++) {
        struct stat st;

        if (fstat(i, &st) || st.st_uid == u->uid ||
            (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3)))
            continue;
        /* Read-only and foreign file systems refuse; it works without as well as anywhere else. */
        (void)!fchown(i, u->uid, (gid_t)-1);
    }
}

int terminal_open(struct child *c, int root, struct err *e)
{
    cleanup_fd int master =
        fs_open_in_root(root, "/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC, 0, e);
    const struct winsize size = {.ws_row = (unsigned short)c->console_height,
                                 .ws_col = (unsigned short)c->console_width};
    int unlock = 0;

    if (master < 0)
        return err_wrap(e, "open a terminal");
    if (ioctl(master, TIOCSPTLCK, &unlock))
        return err_os(e, errno, "unlock the terminal");
    c->slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (c->slave < 0)
        return err_os(e, errno, "open the terminal's other end");
    if (size.ws_row && size.ws_col && ioctl(master, TIOCSWINSZ, &size))
        return err_os(e, errno, "set the size of the terminal");
    return sync_pipe_send_fd(c->sync, master, e);
}

/* ------------------------------------------------------------------ user, rights */

static int resolve_user(const struct child *c, int root, struct user *u, struct err *e)
{
    const struct oci_process *p = &c->cfg->process;
    int failed = c->user_text ? user_resolve(root, c->user_text, &p->group_texts, u, e)
                              : user_numeric(root, p->uid, p->gid, p->groups, p->n_groups, u, e);

    if (failed && e->kind == ERR_NOT_FOUND)
        e->kind = ERR_INVALID; /* NOT_FOUND is for the command: exit code 127 */
    return failed;
}

static int enter_cwd(const char *cwd, bool last_try, struct err *e)
{
    cleanup_free char *why = NULL;
    char now[PATH_MAX];
    int os_code;

    if (chdir(str_empty(cwd) ? "/" : cwd)) {
        os_code = errno;
        if (os_code == EACCES && !last_try)
            return 0; /* perhaps the user may */
        why = reason(os_code);
        return err_set(e, os_code == EACCES ? ERR_DENIED : ERR_INVALID,
                       "chdir to cwd (\"%s\") set in config.json failed: %s", cwd, why);
    }
    /* A descriptor that leaked from the host must not become a place to stand on. */
    if (!getcwd(now, sizeof(now)) || *now != '/')
        return err_set(e, ERR_DENIED,
                       "current working directory is outside of container mount "
                       "namespace root -- possible container breakout detected");
    return 0;
}

static int set_apparmor(const struct oci_process *p, int proc, struct err *e)
{
    static const char *const files[] = {"self/attr/apparmor/exec", "self/attr/exec"};
    cleanup_free char *text = NULL;
    bool unknown;

    if (str_empty(p->apparmor) || proc < 0)
        return 0;
    if (access("/sys/kernel/security/apparmor", F_OK) && faccessat(proc, files[0], F_OK, 0))
        return 0; /* a kernel without it: `doctor` says so */
    text = str_printf("exec %s", p->apparmor);
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        cleanup_fd int fd = openat(proc, files[i], O_WRONLY | O_CLOEXEC);

        if (fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text))
            return 0;
    }
    unknown = errno == ENOENT; /* the profile, which dockerd takes for the command: 127 */
    return err_set(e, unknown ? ERR_NOT_FOUND : ERR_IO,
                   "error during container init: unable to apply apparmor profile: apparmor failed "
                   "to apply profile: write /proc/thread-self/attr/apparmor/exec: %s",
                   unknown ? "no such file or directory" : strerror(errno));
}

static int change_user(const struct user *u, struct err *e)
{
    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0))
        return err_os(e, errno, "keep capabilities across the change of user");
    if (setgroups(u->n_groups, u->groups))
        return err_os(e, errno, "set the additional groups");
    if (setresgid(u->gid, u->gid, u->gid))
        return err_os(e, errno, "set the group %u", u->gid);
    if (setresuid(u->uid, u->uid, u->uid))
        return err_os(e, errno, "set the user %u", u->uid);
    if (prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0))
        return err_os(e, errno, "end keeping capabilities");
    return 0;
}

/* setresuid() emptied the effective set; loading a filter without no_new_privs needs it. */
static int regain_effective(struct err *e)
{
    struct oci_caps all = {.permitted = caps_effective_possible()};

    all.effective = all.permitted;
    return caps_apply(&all, e);
}

/* ------------------------------------------------------------------ the command */

static int not_found(const char *name, struct err *e)
{
    return err_set(e, ERR_NOT_FOUND, "exec: \"%s\": executable file not found in $PATH", name);
}

static int check_executable(const char *shown, const char *path, struct err *e)
{
    cleanup_free char *why = NULL;
    struct stat st;
    int os_code;

    if (stat(path, &st)) {
        os_code = errno;
        why = reason(os_code);
        return err_set(e, os_code == EACCES ? ERR_DENIED : ERR_NOT_FOUND,
                       "exec: \"%s\": stat %s: %s", shown, path, why);
    }
    if (S_ISDIR(st.st_mode) || faccessat(AT_FDCWD, path, X_OK, AT_EACCESS))
        return err_set(e, ERR_DENIED, "exec: \"%s\": permission denied", shown);
    return 0;
}

static const char *env_get(const struct strv *env, const char *name)
{
    const size_t n = strlen(name);

    for (size_t i = 0; i < env->n; i++)
        if (strncmp(env->v[i], name, n) == 0 && env->v[i][n] == '=')
            return env->v[i] + n + 1;
    return NULL;
}

/* The first match in PATH that may be executed; if there is only one that may not, that is said. */
static int find_command(const struct strv *args, const struct strv *env, char **out, struct err *e)
{
    const char *name = args->v[0], *path = env_get(env, "PATH");
    cleanup_strv struct strv dirs = {0};
    bool denied = false;

    if (strchr(name, '/')) {
        if (check_executable(name, name, e))
            return -1;
        *out = xstrdup(name);
        return 0;
    }
    if (!*name)
        return err_set(e, ERR_NOT_FOUND, "exec: \"\": executable file not found in $PATH");
    strv_split(&dirs, path ? path : "", ':');
    for (size_t i = 0; i < dirs.n; i++) {
        cleanup_free char *full = str_printf("%s/%s", *dirs.v[i] ? dirs.v[i] : ".", name);
        struct stat st;

        if (stat(full, &st) || !S_ISREG(st.st_mode))
            continue;
        if (faccessat(AT_FDCWD, full, X_OK, AT_EACCESS) == 0) {
            *out = take_ptr(full);
            return 0;
        }
        denied = true;
    }
    return denied ? err_set(e, ERR_DENIED, "exec: \"%s\": permission denied", name)
                  : not_found(name, e);
}

static int exec_failed(const char *path, int os_code, struct err *e)
{
    cleanup_free char *why = reason(os_code);

    return err_set(e,
                   os_code == ENOENT || os_code == ENOTDIR ? ERR_NOT_FOUND
                   : os_code == EACCES                     ? ERR_DENIED
                                                           : ERR_INVALID,
                   "exec %s: %s", path, why);
}

static void close_the_rest(int proc)
{
    if (sys_close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) == 0)
        return;
    (void)proc;
    for (int fd = 3; fd < sysconf(_SC_OPEN_MAX); fd++)
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* ------------------------------------------------------------------ all of it */

static void add_home(struct strv *env, const struct user *u)
{
    if (str_empty(env_get(env, "HOME")))
        strv_addf(env, "HOME=%s", u->home);
}

static int prepare_rights(struct child *c, int root, int proc, struct user *u, struct err *e)
{
    const struct oci_process *p = &c->cfg->process;

    if (resolve_user(c, root, u, e) || set_stdio(c->io, c->slave, e))
        return -1;
    own_stdio(u);
    if (rlimits_apply(p, e) || set_apparmor(p, proc, e) || enter_cwd(c->cwd, false, e))
        return -1;
    if (p->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        return err_os(e, errno, "set no_new_privs");
    return caps_bound(&c->caps, e) || change_user(u, e) ? -1 : 0;
}

/*
 * An exec'd process is seen by the container from here on, and one with CAP_SYS_PTRACE may take it
 * over: it has no more rights than it will have, but for the one that a filter needs.
 */
static int enter_pid(struct child *c, struct err *e)
{
    struct oci_caps few = c->caps;

    if (!c->target_ns || c->pid_ns < 0)
        return 0;
    if (c->seccomp->code && !c->cfg->process.no_new_privileges) {
        few.permitted |= CAP_BIT(CAP_SYS_ADMIN);
        few.effective |= CAP_BIT(CAP_SYS_ADMIN);
    }
    return pid_enter_forget_host(c, true, e) || caps_apply(&few, e) || pid_enter_go(c, e) ? -1 : 0;
}

static int start(struct child *c, int proc, const struct strv *env, struct err *e)
{
    const struct oci_process *p = &c->cfg->process;
    const bool nnp = p->no_new_privileges;
    cleanup_free char *path = NULL;

    if (!c->args->n)
        return err_set(e, ERR_INVALID, "process.args: no command specified");
    if (enter_cwd(c->cwd, true, e) || (!nnp && regain_effective(e)))
        return -1;
    if (nnp && caps_apply(&c->caps, e))
        return -1;
    if (find_command(c->args, env, &path, e))
        return -1;
    umask(p->umask >= 0 ? (mode_t)p->umask : 0022);
    close_the_rest(proc);
    if (enter_pid(c, e))
        return -1;
    /* Anew, as a change of user has cleared it; or off, for a caller that leaves its container. */
    if (prctl(PR_SET_PDEATHSIG, c->io->die_with_parent ? SIGKILL : 0, 0, 0, 0) ||
        sync_pipe_ready(c->sync, e))
        return -1;
    if (seccomp_install(c->seccomp, e) || (!nnp && caps_apply(&c->caps, e)))
        return -1;
    if (c->reaper)
        reaper_split(c->slave >= 0);
    else if (c->slave >= 0 && ioctl(0, TIOCSCTTY, 0))
        return err_os(e, errno, "make the terminal the controlling one");
    execve(path, c->args->v, env->v);
    return exec_failed(path, errno, e);
}

_Noreturn void child_finish(struct child *c, int root, int proc)
{
    struct err e = ERR_INIT;
    struct user u = {0};
    struct strv env = {0};

    strv_copy(&env, c->env);
    if (prepare_rights(c, root, proc, &u, &e) == 0) {
        add_home(&env, &u);
        (void)start(c, proc, &env, &e);
    }
    sync_pipe_fail(c->sync, &e);
}
