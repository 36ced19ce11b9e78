/*
 * oci_command_run: one command of an OCI runtime, from its process to its words.
 *
 * The shim waits for it: what a runtime does for us takes milliseconds, and everything that the
 * container writes meanwhile waits in its pipes.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/time.h"
#include "runtime-linux/launch_internal.h"
#include "runtime-linux/oci_command.h"
#include "runtime-linux/syscalls.h"

#define TIMEOUT_MS 100000 /* the agent waits longer for an exec */
#define LOG_MAX    (1024 * 1024)

/* ------------------------------------------------------------------ its process */

static int place(int fd, int to, struct err *e)
{
    cleanup_fd int null = -1;

    if (fd < 0)
        fd = null = open("/dev/null", O_RDWR | O_CLOEXEC);
    return fd < 0 || dup2(fd, to) < 0 ? err_os(e, errno, "descriptor %d of the runtime", to) : 0;
}

/* `report` is not among the first three, as the shim has those open. */
static int set_stdio(const struct oci_run *r, int out, struct err *e)
{
    const int from[3] = {r->io ? r->io->in : -1, r->io ? r->io->out : out, r->io ? r->io->err : -1};

    for (int i = 0; i < 3; i++)
        if (place(from[i], i, e))
            return -1;
    return sys_close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) ? err_os(e, errno, "close_range") : 0;
}

static _Noreturn void become(const struct oci_run *r, char *const *argv, int out, int report,
                             pid_t shim)
{
    static char *const env[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                NULL};
    struct err e = ERR_INIT;

    child_reset_signals();
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0))
        err_os(&e, errno, "prctl");
    else if (getppid() != shim)
        _exit(127);
    else if ((!r->prepare || r->prepare(r->arg, &e) == 0) && set_stdio(r, out, &e) == 0) {
        environ = (char **)env;
        execvp(argv[0], argv);
        err_set(&e, errno == ENOENT ? ERR_NOT_FOUND : ERR_DENIED,
                "unable to retrieve OCI runtime error: fork/exec %s: %s", argv[0],
                errno == ENOENT ? "no such file or directory" : strerror(errno));
    }
    (void)!write(report, &e, sizeof(e));
    _exit(127);
}

/* What went wrong before there was a runtime; the pipe ends when there is one. */
static int hear(int report, struct err *e)
{
    struct err theirs;
    ssize_t n;

    do
        n = read(report, &theirs, sizeof(theirs));
    while (n < 0 && errno == EINTR);
    if (n != sizeof(theirs))
        return 0;
    *e = theirs;
    return -1;
}

static void collect(int fd, struct buf *out)
{
    char bytes[4096];
    ssize_t n;

    while ((n = read(fd, bytes, sizeof(bytes))) > 0 || (n < 0 && errno == EINTR))
        if (n > 0)
            buf_add(out, bytes, (size_t)n);
}

/* Ends at the process's end, whoever else holds the pipe. */
static int wait_for(pid_t pid, int out_fd, struct buf *out, int *status, struct err *e)
{
    cleanup_fd int pidfd = sys_pidfd_open(pid);
    int64_t until = time_mono_ms() + TIMEOUT_MS;
    bool killed = false;
    pid_t got;

    for (;;) {
        struct pollfd fds[] = {
            {.fd = pidfd,  .events = POLLIN},
            {.fd = out_fd, .events = POLLIN},
        };

        got = waitpid(pid, status, WNOHANG);
        if (out)
            collect(out_fd, out);
        if (got == pid)
            return killed ? err_set(e, ERR_TIMEOUT, "the runtime does not answer") : 0;
        if (got < 0 && errno != EINTR)
            return err_os(e, errno, "wait for the runtime");
        if (time_mono_ms() >= until && !killed) {
            killed = true;
            (void)kill(pid, SIGKILL);
        }
        (void)poll(fds, 2, pidfd < 0 ? 5 : 1000);
    }
}

static int make_pipe(int fds[2], int flags, struct err *e)
{
    return pipe2(fds, O_CLOEXEC | flags) ? err_os(e, errno, "pipe for the runtime") : 0;
}

static int run(struct oci_run *r, char *const *argv, int *status, struct err *e)
{
    cleanup_fd int report_in = -1, report_out = -1, out_in = -1, out_out = -1;
    const pid_t shim = getpid();
    int fds[2];
    pid_t pid;

    if (make_pipe(fds, 0, e))
        return -1;
    report_in = fds[0];
    report_out = fds[1];
    if (r->out) {
        if (make_pipe(fds, O_NONBLOCK, e))
            return -1;
        out_in = fds[0];
        out_out = fds[1];
        (void)fcntl(out_out, F_SETFL, 0); /* as a program expects it */
    }
    pid = fork();
    if (pid < 0)
        return err_os(e, errno, "fork");
    if (pid == 0)
        become(r, argv, out_out, report_out, shim);
    fd_close(take_fd(report_out));
    fd_close(take_fd(out_out));
    if (hear(report_in, e)) {
        (void)!wait_for(pid, -1, NULL, status, ERR_IGNORE);
        return -1;
    }
    return wait_for(pid, out_in, r->out, status, e);
}

/* ------------------------------------------------------------------ its words */

static bool line_error(const char *line, size_t len, struct buf *out)
{
    cleanup_json struct json_doc doc = {0};
    cleanup_buf struct buf text = BUF_INIT(LOG_MAX);
    struct json root;
    const char *msg;

    if (len == 0 || json_parse(line, len, &doc, ERR_IGNORE))
        return false;
    root = json_root(&doc);
    if (!str_eq(json_get_str(&root, "level"), "error"))
        return false;
    msg = json_get_str(&root, "msg");
    buf_add(&text, msg, strlen(msg));
    while (text.len > 0 && strchr(" \n\t", text.data[text.len - 1]))
        text.len--;
    buf_reset(out);
    buf_add(out, text.len ? text.data : "", text.len);
    return true;
}

bool oci_command_log_error(const char *log, size_t len, struct buf *out)
{
    bool found = false;

    while (len > 0) {
        const char *end = memchr(log, '\n', len);
        size_t n = end ? (size_t)(end - log) : len;

        found = line_error(log, n, out) || found;
        n = end ? n + 1 : n;
        log += n;
        len -= n;
    }
    return found;
}

/* By the words that dockerd looks for. */
static enum err_kind kind_of(const char *words)
{
    static const struct {
        const char *words;
        enum err_kind kind;
    } rows[] = {
        {"executable file not found", ERR_NOT_FOUND},
        {"no such file or directory", ERR_NOT_FOUND},
        {"permission denied",         ERR_DENIED   },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (strcasestr(words, rows[i].words))
            return rows[i].kind;
    return ERR_INTERNAL;
}

static int failed(const struct oci_run *r, const char *log_path, int status, struct err *e)
{
    cleanup_buf struct buf log = BUF_INIT(LOG_MAX), words = BUF_INIT(LOG_MAX);
    struct err none = ERR_INIT;

    if (fs_read(log_path, &log, &none) == 0 && oci_command_log_error(log.data, log.len, &words))
        return err_set(e, kind_of(words.data), "OCI runtime %s failed: %s", r->verb, words.data);
    return err_set(e, ERR_INTERNAL,
                   "OCI runtime %s failed: unable to retrieve OCI runtime error: %s %d", r->verb,
                   WIFSIGNALED(status) ? "signal" : "exit status",
                   WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

int oci_command_run(const struct oci_command *c, struct oci_run *r, struct err *e)
{
    cleanup_free char *root = path_join(c->exec_dir, OCI_COMMAND_ROOT);
    cleanup_free char *log = path_join(c->exec_dir, "runtime.log");
    cleanup_strv struct strv argv = {0};
    int status = 0;

    if (fs_remove(log, e))
        return -1;
    strv_add(&argv, c->path);
    for (size_t i = 0; i < c->args.n; i++)
        strv_add(&argv, c->args.v[i]);
    strv_addf(&argv, "--root=%s", root);
    strv_addf(&argv, "--log=%s", log);
    strv_add(&argv, "--log-format=json");
    strv_add(&argv, r->verb);
    for (size_t i = 0; i < r->words.n; i++)
        strv_add(&argv, r->words.v[i]);
    if (run(r, argv.v, &status, e))
        return launch_error_bare(e) ? -1 : err_wrap(e, "OCI runtime %s failed", r->verb);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : failed(r, log, status, e);
}
